"""Packed words against plain arrays, scikit-image and OpenCV."""

import cv2
import numpy as np
import pytest
from skimage import measure
from skimage.morphology import disk

from hqdata.masks import bits
from tests.masks.shapes import blob, random_masks, text_mask


@pytest.mark.parametrize("width", [1, 7, 8, 63, 64, 65, 127, 128, 129, 300])
def test_packing_goes_back_and_counts(width: int) -> None:
    mask = np.random.default_rng(width).random((5, width)) < 0.4
    words = bits.pack(mask)
    assert words.shape == (5, -(-width // 64))
    assert (bits.unpack(words, width) == mask).all()
    assert bits.count(words) == mask.sum()


def test_the_lowest_bit_is_the_first_pixel() -> None:
    assert bits.pack(text_mask("#..# ....")).tolist() == [[9], [0]]


@pytest.mark.parametrize("radius", [1, 2, 5, 31, 32, 40, 70])
@pytest.mark.parametrize("width", [64, 128, 200])
def test_erosion_by_a_square_is_iterated_erosion(radius: int, width: int) -> None:
    mask = np.ones((150, width), np.uint8)
    for x, y in np.random.default_rng(radius).integers(0, [width, 150], (3, 2)):
        mask[y, x] = 0
    padded = np.pad(mask, 1)
    want = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=radius)[1:-1, 1:-1]
    assert (bits.unpack(bits.erode_square(bits.pack(mask), radius), width) == want).all()


@pytest.mark.parametrize(("radius", "rows"), [(1, [1, 0]), (1.5, [1, 1]), (2, [2, 1, 0]), (5, [5, 4, 4, 4, 3, 0])])
def test_rows_of_a_digital_disk(radius: float, rows: list[int]) -> None:
    assert bits.disk_rows(radius) == rows
    if radius == int(radius):
        shape = disk(int(radius))
        assert [int(row.sum()) // 2 for row in shape[int(radius) :]] == rows


@pytest.mark.parametrize("radius", [1, 2, 3, 7])
def test_opening_is_that_of_opencv(radius: int) -> None:
    for mask in [blob(130, radius), *random_masks(40, seed=radius)]:
        padded = np.pad(mask, radius + 1)
        want = cv2.dilate(cv2.erode(padded, disk(radius)), disk(radius))[
            radius + 1 : -radius - 1, radius + 1 : -radius - 1
        ]
        assert (bits.unpack(bits.open_disk(bits.pack(mask), radius), mask.shape[1]) == want).all()


def test_a_disk_that_fits_nowhere_leaves_nothing() -> None:
    assert bits.count(bits.open_disk(bits.pack(np.ones((4, 90), np.uint8)), 5)) == 0


def test_quads_are_those_of_scikit_image() -> None:
    for mask in random_masks(150, seed=3):
        counts = bits.quads(bits.pack(np.pad(mask, 1)))
        assert counts.area == mask.sum()
        assert counts.perimeter == pytest.approx(measure.perimeter_crofton(mask, directions=4))
        assert counts.euler == measure.euler_number(mask, connectivity=2)
