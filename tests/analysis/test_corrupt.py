"""Planted faults: what each does to a mask, held against SciPy and counts."""

import math

import numpy as np
import pytest
from scipy import ndimage

from hqdata.analysis.corrupt import FAULTS, Fault, corrupt
from hqdata.analysis.findings import KINDS
from hqdata.arrays import UInt8Array
from hqdata.errors import UsageError
from tests.masks.shapes import blob, disk

HARD = disk(200, 70) * np.uint8(255)
ROUGH = blob(200, 3) * np.uint8(255)


def planted(how: str, strength: float = 0, mask: UInt8Array = HARD, seed: int = 0) -> UInt8Array:
    fault = next(fault for fault in FAULTS if fault.how == how)
    faulty = corrupt(mask, Fault(kind=fault.kind, how=fault.how, strength=strength), np.random.default_rng(seed))
    assert faulty is not None
    assert (faulty.dtype, faulty.shape) == (np.uint8, mask.shape)
    assert set(np.unique(faulty).tolist()) <= {0, 255}
    return faulty


def area(mask: UInt8Array) -> int:
    return int(np.count_nonzero(mask > 127))


def test_every_kind_but_reported_errata_is_planted_at_named_strengths() -> None:
    assert {fault.kind for fault in FAULTS} == KINDS.keys() - {"erratum"}
    assert len({(fault.kind, fault.name) for fault in FAULTS}) == len(FAULTS)
    assert {fault.name for fault in FAULTS} >= {"empty", "shifted 2 %", "polygon 1 %", "steps 1/8", "cut 25 %"}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.kind}-{fault.name}")
def test_the_same_seed_gives_the_same_fault_and_the_mask_stays(fault: Fault) -> None:
    mask = ROUGH.copy()
    first, again = (corrupt(mask, fault, np.random.default_rng(5), HARD) for _ in range(2))
    assert np.array_equal(mask, ROUGH)
    assert (first is None and again is None) or np.array_equal(first, again)
    assert first is None or not np.array_equal(first, ROUGH)


def test_plain_faults() -> None:
    assert area(planted("empty")) == 0
    assert planted("full").min() == 255
    assert np.array_equal(planted("inverted"), 255 - HARD)


@pytest.mark.parametrize("share", [0.02, 0.16])
@pytest.mark.parametrize("seed", range(3))
def test_shifted_by_a_share_of_the_diagonal(share: float, seed: int) -> None:
    faulty = planted("shifted", share, seed=seed)
    way = np.random.default_rng(seed).uniform(0, 2 * math.pi)
    far = share * math.hypot(200, 200)
    shift = np.round([far * math.sin(way), far * math.cos(way)])
    assert np.array_equal(faulty, ndimage.shift(HARD, shift, order=0))


@pytest.mark.parametrize("share", [0.01, 0.04])
def test_grown_by_a_share_of_the_diagonal(share: float) -> None:
    faulty = planted("grown", share)
    assert (faulty >= HARD).all()
    assert math.sqrt(area(faulty) / math.pi) == pytest.approx(70 + share * math.hypot(200, 200), abs=1)


@pytest.mark.parametrize("how", ["steps", "smoothed"])
@pytest.mark.parametrize("times", [8, 32])
def test_reduced_and_enlarged(how: str, times: int) -> None:
    faulty = planted(how, times)
    assert area(faulty) == pytest.approx(area(HARD), rel=0.15)
    runs = np.flatnonzero(np.diff((faulty > 0).astype(int), axis=1).any(axis=0)) + 1
    assert (how == "steps") == (len(runs) <= 200 // times + 1)


def test_a_polygon_stays_within_its_tolerance() -> None:
    faulty = planted("polygon", 0.02, ROUGH)
    far = [ndimage.distance_transform_edt(side) for side in (ROUGH == 0, ROUGH > 0)]
    changed = faulty != ROUGH
    assert max(np.where(changed, distance, 0).max() for distance in far) <= 0.02 * math.hypot(200, 200) + 1.5


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_a_cut_takes_a_share_of_the_area_beyond_a_line(share: float) -> None:
    faulty = planted("cut", share, ROUGH)
    assert (faulty <= ROUGH).all()
    assert 1 - area(faulty) / area(ROUGH) == pytest.approx(share, abs=0.02)


def test_a_component_is_taken_whole_if_one_has_the_size() -> None:
    two = np.zeros((100, 200), np.uint8)
    two[10:50, 10:50] = two[60:80, 150:190] = 255
    faulty = planted("component", 0.25, two)
    assert area(faulty) == 1600
    assert faulty[70, 170] == 0
    fault = next(fault for fault in FAULTS if fault.name == "component 10 %")
    assert corrupt(two, fault, np.random.default_rng(0)) is None


@pytest.mark.parametrize(
    ("mask", "name"),
    [(np.zeros((9, 9), np.uint8), "inverted"), (np.zeros((9, 9), np.uint8), "empty"), (HARD[:30], "shifted 2 %")],
    ids=["empty-inverted", "empty-empty", "all-background-shifted"],
)
def test_what_changes_nothing_or_leaves_nothing_is_no_fault(mask: UInt8Array, name: str) -> None:
    fault = next(fault for fault in FAULTS if fault.name == name)
    faulty = corrupt(mask, fault, np.random.default_rng(0))
    assert (faulty is None) == (name != "inverted")


def test_another_mask_is_brought_to_the_size() -> None:
    fault = next(fault for fault in FAULTS if fault.kind == "swapped")
    faulty = corrupt(disk(100, 10), fault, np.random.default_rng(0), HARD)
    assert faulty is not None
    assert faulty.shape == (100, 100)
    assert area(faulty) == pytest.approx(area(HARD) / 4, rel=0.02)
    with pytest.raises(UsageError, match="no other mask"):
        corrupt(HARD, fault, np.random.default_rng(0))
