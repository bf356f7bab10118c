"""Colours inside and outside of masks that are known to look alike, or not."""

import numpy as np
import pytest

from hqdata.arrays import UInt8Array
from hqdata.masks.colour import alike

GREEN, RED, BLUE = (60, 140, 70), (190, 50, 40), (40, 60, 190)


def squares(*colours: tuple[int, int, int], side: int = 60) -> tuple[UInt8Array, UInt8Array]:
    """Squares of these colours in a row on green, slightly noisy, and the mask of the first."""
    image = np.full((200, 400, 3), GREEN, np.uint8)
    for number, colour in enumerate(colours):
        image[70 : 70 + side, 40 + 120 * number : 40 + 120 * number + side] = colour
    mask = np.zeros((200, 400), np.uint8)
    mask[70 : 70 + side, 40 : 40 + side] = 255
    return image + np.random.default_rng(0).integers(0, 8, image.shape, np.uint8), mask


@pytest.mark.parametrize(("colours", "share"), [((RED, RED), 0.5), ((RED, BLUE), 0), ((RED, BLUE, RED), 0.5)])
def test_a_second_object_of_the_same_colour_is_seen(colours: tuple[tuple[int, int, int], ...], share: float) -> None:
    found = alike(*squares(*colours))
    assert found is not None
    assert found.share == pytest.approx(share, abs=0.08)


def test_the_largest_region_counts_not_their_sum() -> None:
    found = alike(*squares(RED, RED, RED))
    assert found is not None
    assert found.share == pytest.approx(0.5, abs=0.08)


def test_overlap_runs_from_0_to_1() -> None:
    apart, same = alike(*squares(RED)), alike(*squares(GREEN))
    assert apart is not None
    assert same is not None
    assert apart.overlap < 0.05
    assert same.overlap == pytest.approx(1, abs=0.05)
    assert same.share == 0


@pytest.mark.parametrize("value", [0, 255])
def test_one_side_alone_has_no_other_to_look_like(value: int) -> None:
    image, mask = squares(RED)
    assert alike(image, np.full_like(mask, value)) is None


@pytest.mark.parametrize("size", [(1, 1), (2, 9), (3, 700)])
def test_small_images(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    found = alike(rng.integers(0, 256, (*size, 3), np.uint8), rng.integers(0, 2, size, np.uint8) * np.uint8(255))
    assert found is None or 0 <= found.share <= 1
