"""What sam-mini learns from: SA-1B-like tars, the same whoever draws them."""

from pathlib import Path

import numpy as np

from hqdata.fetch.progress import SILENT
from hqdata.training.mini.drawn import LONG_SIDE, Picture, draw_pictures, mask, pixels, read_pictures


def test_every_mask_fits_its_picture_and_its_box(pictures: list[Picture]) -> None:
    assert 8 <= len(pictures) <= 14
    for picture in pictures:
        height, width, _ = pixels(picture).shape
        for number, (left, top, right, bottom) in enumerate(picture.boxes.tolist()):
            rows, columns = np.nonzero(mask(picture, number))
            assert mask(picture, number).shape == (height, width)
            assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == (left, top, right, bottom)


def test_scenes_have_many_masks_and_objects_one(pictures: list[Picture]) -> None:
    counts = [len(picture.codes) for picture in pictures]
    assert min(counts[:6]) > 5
    assert set(counts[6:]) == {1}
    assert all(max(pixels(picture).shape) <= LONG_SIDE for picture in pictures[6:])


def test_any_number_of_processes_draws_the_same(tar: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.tar"
    draw_pictures(again, range(6), range(8), 2, SILENT)
    assert again.read_bytes() == tar.read_bytes()


def test_what_is_there_is_not_drawn_again(tar: Path) -> None:
    before = tar.stat().st_mtime_ns
    draw_pictures(tar, range(99), range(99), 1, SILENT)
    assert tar.stat().st_mtime_ns == before
    assert len(read_pictures(tar)) < 20
