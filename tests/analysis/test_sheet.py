"""The contact sheet: an image that can be looked at, the same every time."""

import numpy as np
import pytest
from PIL import Image

import hqdata
from hqdata.analysis.sheet import (
    BACKGROUND,
    HEADER,
    LABEL,
    MARGIN,
    OUTLINE,
    TILE,
    choose,
    contact_sheet,
    outlined,
    side_by_side,
)
from hqdata.masks import rle
from hqdata.pipelines.own_data import build_own
from hqdata.pipelines.recipe import Options
from hqdata.store.reader import Sample
from tests.helpers import pair, sha256, write_files


def tiles(path, columns: int) -> list[np.ndarray]:
    """Pixels of each place of the grid."""
    with Image.open(path, formats=["PNG"]) as picture:
        page = np.asarray(picture.convert("RGB"))
    rows = (page.shape[0] - HEADER - MARGIN) // (TILE + LABEL + MARGIN)
    places = []
    for number in range(rows * columns):
        x = MARGIN + number % columns * (TILE + MARGIN)
        y = HEADER + number // columns * (TILE + LABEL + MARGIN)
        places.append(page[y : y + TILE, x : x + TILE])
    return places


@pytest.mark.parametrize(("count", "columns"), [(12, 4), (7, 3), (109, 9), (500, 9)])
def test_sheet_has_every_tile(hqseg, tmp_path, count, columns):
    path = tmp_path / "sheet.png"
    drawn = contact_sheet(hqseg, path, count=count, columns=columns)
    assert drawn == min(count, 109)
    places = tiles(path, columns)
    filled = [bool((place != BACKGROUND).any()) for place in places]
    assert filled == [number < drawn for number in range(len(places))]


def test_sheet_is_deterministic(hqseg, tmp_path):
    for name in ("a.png", "b.png"):
        contact_sheet(hqdata.open(hqseg.folder), tmp_path / name, count=20)
    assert sha256((tmp_path / "a.png").read_bytes()) == sha256((tmp_path / "b.png").read_bytes())


def test_choice_is_spread_over_sources(hqseg):
    chosen = choose(hqseg, 14)
    found = {(sample.source, sample.part) for sample in chosen}
    assert len(chosen) == 14
    assert len(found) == 7
    assert [sample.sample_id for sample in chosen] == [s.sample_id for s in choose(hqseg, 14)]
    assert len({sample.sample_id for sample in choose(hqseg, 109)}) == 109


@pytest.mark.parametrize("count", [0, 1])
def test_few_samples(hqseg, tmp_path, count):
    assert contact_sheet(hqseg, tmp_path / "sheet.png", count=count) == count


def test_outline_runs_along_the_mask(hqseg):
    sample = hqseg["ecssd/all/0001"]
    shown = outlined(sample, 224)
    red = np.abs(shown.astype(int) - OUTLINE).max(axis=2) < 60
    small = np.asarray(Image.fromarray(sample.mask).resize(shown.shape[1::-1])) > 127
    inner = small & np.roll(small, 3, 0) & np.roll(small, -3, 0) & np.roll(small, 3, 1) & np.roll(small, -3, 1)
    outer = small | np.roll(small, 3, 0) | np.roll(small, -3, 0) | np.roll(small, 3, 1) | np.roll(small, -3, 1)
    band = outer & ~inner
    assert red.sum() > 50
    assert (red & band).sum() > 0.9 * red.sum()


def test_an_empty_mask_has_no_outline(hqseg):
    sample = hqseg["fss1000/all/bamboo_slip/7"]
    assert outlined(sample, 224).shape[2] == 3


@pytest.mark.parametrize("stem", ["空の椅子", "Été #1", "a" * 200, "مرحبا", "😀"])
def test_any_name_can_be_shown(tmp_path, stem):
    image, mask = pair(0)
    write_files(tmp_path, {f"im/{stem}.jpg": image, f"gt/{stem}.png": mask})
    build_own(tmp_path / "im", tmp_path / "gt", "own", tmp_path / "out", Options())
    assert contact_sheet(hqdata.open(tmp_path / "out"), tmp_path / "sheet.png") == 1
    assert (tmp_path / "sheet.png").stat().st_size > 1000


def test_the_same_samples_side_by_side(hqseg, tmp_path):
    names = ("one", "other", "third")
    path = tmp_path / "side.png"
    assert side_by_side(dict.fromkeys(names, hqseg), path, count=5) == 5
    places = tiles(path, len(names))
    assert len(places) == 15
    for row in range(5):
        first, second, third = places[3 * row : 3 * row + 3]
        assert (first != BACKGROUND).any()
        assert np.array_equal(first, second)
        assert np.array_equal(first, third)


def test_every_mask_of_an_image_is_outlined(hqseg):
    row = dict(hqseg[0].row)
    whole = hqseg[0].mask > 127
    left, right = whole.copy(), whole.copy()
    middle = whole.shape[1] // 2
    left[:, middle:], right[:, :middle] = False, False
    codes = [rle.encode(half.astype(np.uint8)) for half in (left, right)]
    shown = outlined(Sample({**row, "mask": None, "masks": codes}), TILE)
    assert shown.shape == outlined(hqseg[0], TILE).shape
    assert (shown != outlined(hqseg[0], TILE)).any()
    assert outlined(Sample({**row, "mask": None, "masks": []}), TILE).shape == shown.shape
