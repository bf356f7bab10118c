"""Controls of another split, from the request to the balance table, on small collections of discs."""

import math
from pathlib import Path

import numpy as np
import pytest

import hqdata
from hqdata.analysis.splits.balance import balance_of
from hqdata.analysis.stats import compute_stats
from hqdata.errors import HQDataError
from hqdata.pipelines.recipe import build_recipe
from hqdata.store.reader import Collection
from hqdata.store.view import open_view
from tests.helpers import Files, encoded, snapshot, tiny_source
from tests.splits import make


def discs(root: Path, name: str, radii: np.ndarray, width: int, height: int) -> Collection:
    """Images with a disc each; the radius is a share of the height."""
    rng = np.random.default_rng([width, len(radii)])
    y, x = np.mgrid[:height, :width]
    files: Files = {}
    for number, radius in enumerate(radii.tolist()):
        inside = np.hypot(x - width / 2, y - height / 2) < radius * height
        image = rng.integers(0, 256, (height // 8, width // 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
        files |= {f"images/{number:04d}.jpg": encoded(image, "JPEG"), f"masks/{number:04d}.png": encoded(inside)}
    tiny = tiny_source(root, len(radii), name=name, files=files)
    build_recipe(name, root / name, tiny.options())
    collection = Collection(root / name)
    compute_stats(collection)
    return collection


@pytest.fixture(scope="module")
def fine(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """60 large discs in small images."""
    rng = np.random.default_rng(1)
    return discs(tmp_path_factory.mktemp("fine"), "fine", rng.uniform(0.2, 0.4, 60), 64, 48)


@pytest.fixture(scope="module")
def coarse(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """240 discs of all sizes in large images."""
    rng = np.random.default_rng(2)
    return discs(tmp_path_factory.mktemp("coarse"), "coarse", rng.uniform(0.05, 0.45, 240), 128, 96)


def test_a_control_has_the_sizes_and_the_distribution_of_its_target(
    fine: Collection, coarse: Collection, tmp_path: Path
) -> None:
    make(fine, tmp_path, "fine")
    control = make(
        coarse, tmp_path, "control", image_scale_to="fine.split.json", match=("area",), to="fine.split.json", seed=4
    )
    balance = balance_of(control.facts["balance"])
    assert balance.accepted
    assert (balance.target, balance.pool, balance.control) == (60, 240, len(control.mask_ids))
    assert 40 <= balance.control <= 60
    assert abs(balance.columns[0].before) > 0.3
    assert abs(balance.columns[0].after) < 0.1
    scale = control.facts["scale"]
    assert (scale["before"], scale["target"], scale["smaller"]) == (160, 80, 0)
    view = open_view(control.path)
    assert {sample.size for sample in view} == {(64, 48)}
    # What was promised holds for what is read.
    compute_stats(view)
    wanted, got = (np.array(item.stats["area_rel"].to_pylist()) for item in (fine, view))
    pool = np.array(coarse.stats["area_rel"].to_pylist())
    sd = math.sqrt((wanted.var(ddof=1) + pool.var(ddof=1)) / 2)
    assert abs(got.mean() - wanted.mean()) / sd < 0.1
    assert got.mean() == pytest.approx(balance.columns[0].control)


def test_a_control_of_a_whole_collection_without_scaling(fine: Collection, coarse: Collection, tmp_path: Path) -> None:
    control = make(coarse, fine.folder.parent, "native", match=("area_rel",), to="fine", size=40)
    assert len(control.mask_ids) == 40
    assert control.facts["inputs"] == {"fine": fine.digest}
    assert control.facts["scale"] is None
    assert hqdata.sql("SELECT count(*) AS n FROM splits", control.path)["n"].to_pylist() == [40]


def test_refusals_hold_the_table_and_write_nothing(fine: Collection, coarse: Collection, tmp_path: Path) -> None:
    make(coarse, tmp_path, "coarse")
    make(fine, tmp_path, "fine")
    before = snapshot(tmp_path)
    with pytest.raises(HQDataError, match="no mask in bin 1 of 5 of area_rel"):
        make(fine, tmp_path, "no", match=("area",), to="coarse.split.json")
    with pytest.raises(HQDataError, match="standardised differences") as refused:
        make(coarse, tmp_path, "many", match=("area",), to="fine.split.json", size=200)
    assert "ask for" in str(refused.value)
    assert snapshot(tmp_path) == before


def test_statistics_are_needed_and_the_command_is_named(coarse: Collection, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    bare = discs(tmp_path, "bare", rng.uniform(0.1, 0.4, 20), 64, 48)
    for path in sorted(tmp_path.glob("bare.derived/*"), reverse=True):
        path.rename(tmp_path / path.name)
    with pytest.raises(HQDataError, match="hqdata stats"):
        make(coarse, tmp_path, "no", match=("area",), to="bare")
    with pytest.raises(HQDataError, match="hqdata stats"):
        make(bare, tmp_path, "no", match=("area",), to=str(coarse.folder))
