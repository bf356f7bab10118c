"""Traces of how a mask was made, planted and found."""

import cv2
import numpy as np
import pytest

from hqdata.arrays import UInt8Array
from hqdata.masks.bits import pack, quads
from hqdata.masks.trace import Softness, edge_pixels, softness, upscaling
from tests.helpers import encoded
from tests.masks.shapes import blob, disk, random_masks, text_mask


def length_of(mask: UInt8Array) -> float:
    return quads(pack(np.pad(mask > 127, 1))).perimeter


def test_edge_pixels_lie_on_both_sides_and_not_on_the_rim() -> None:
    assert (edge_pixels(text_mask("....  .##.  .##.")) == text_mask(".##.  ####  ####")).all()
    assert not edge_pixels(np.ones((3, 4), np.uint8)).any()


def test_edge_pixels_are_those_with_an_unlike_neighbour() -> None:
    for mask in random_masks(40, seed=4):
        unlike = np.zeros(mask.shape, bool)
        across, down = mask[:, 1:] != mask[:, :-1], mask[1:] != mask[:-1]
        unlike[:, 1:] |= across
        unlike[:, :-1] |= across
        unlike[1:] |= down
        unlike[:-1] |= down
        assert (edge_pixels(mask) == unlike).all()


def test_a_hard_mask_is_not_soft() -> None:
    mask = disk(120, 40) * np.uint8(255)
    assert softness(mask, length_of(mask)) == Softness(soft=0, soft_width=0.0, soft_edge_share=0.0, jpeg_trace=0.0)


def test_an_empty_mask_has_no_edge_to_speak_of() -> None:
    assert softness(np.zeros((9, 9), np.uint8), 0.0).soft_width is None
    grey = softness(np.full((9, 9), 100, np.uint8), 0.0)
    assert (grey.soft, grey.soft_width, grey.soft_edge_share) == (81, None, None)


@pytest.mark.parametrize("width", [2, 4, 8])
def test_the_width_of_a_linear_ramp(width: int) -> None:
    y, x = np.mgrid[:300, :300] - 149.5
    mask = (np.clip((100 - np.hypot(y, x)) / width + 0.5, 0, 1) * 255).round().astype(np.uint8)
    found = softness(mask, length_of(mask))
    assert found.soft_width == pytest.approx(width, rel=0.05)
    assert found.soft_edge_share is not None
    assert found.soft_edge_share > 0.9


def test_jpeg_noise_is_seen_and_blur_is_not() -> None:
    mask = disk(200, 60) * np.uint8(255)
    noisy = cv2.imdecode(np.frombuffer(encoded(mask, "JPEG"), np.uint8), cv2.IMREAD_GRAYSCALE)
    blurred = cv2.GaussianBlur(mask, (0, 0), 1.0)
    traces = [softness(np.asarray(m, np.uint8), length_of(mask)).jpeg_trace for m in (mask, blurred, noisy)]
    assert traces[0] == traces[1] == 0
    assert traces[2] is not None
    assert traces[2] > 0.002


@pytest.mark.parametrize("factor", [1, 2, 3, 5])
def test_copied_pixels_show_their_factor(factor: int) -> None:
    small = blob(120, 3)
    size = (120 * factor, 120 * factor)
    assert upscaling(cv2.resize(small, size, interpolation=cv2.INTER_NEAREST)) == factor


def test_an_odd_factor_shows_too_and_smooth_enlargement_does_not() -> None:
    small = blob(120, 3)
    assert upscaling(cv2.resize(small, (306, 306), interpolation=cv2.INTER_NEAREST)) == 2
    smooth = cv2.resize(small * np.uint8(255), (360, 360), interpolation=cv2.INTER_LINEAR)
    assert upscaling((smooth > 127).astype(np.uint8)) == 1


def test_a_box_says_nothing_of_enlargement() -> None:
    mask = np.zeros((60, 60), np.uint8)
    mask[10:40, 20:50] = 1
    assert upscaling(mask) is None
    assert upscaling(np.zeros((60, 60), np.uint8)) is None
