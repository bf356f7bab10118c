"""Crops: the canvas, its masks, and what they have to do with each other."""

import numpy as np
import pytest

from hqdata.training.mini.crops import crop, whole
from hqdata.training.mini.drawn import Picture

SIDE = 96


@pytest.mark.parametrize("seed", range(30))
def test_a_crop_is_a_filled_canvas_with_masks_inside(pictures: list[Picture], seed: int) -> None:
    rng = np.random.default_rng(seed)
    found = crop(pictures[seed % len(pictures)], SIDE, (2, 3), rng)
    height, width = found.size
    assert max(height, width) == SIDE
    assert found.image.shape == (3, SIDE, SIDE)
    assert found.image.dtype == found.masks.dtype == np.uint8
    assert 2 <= len(found.masks) <= 3
    for pixels in (found.image, found.masks):
        assert not pixels[:, height:].any()
        assert not pixels[:, :, width:].any()
    assert found.masks[0].any(), "what was zoomed to is in sight"
    assert ((found.masks[1:] > 127).sum(axis=(1, 2)) >= 16).all()


def test_the_same_numbers_give_the_same_crop(pictures: list[Picture]) -> None:
    one, two = (crop(pictures[0], SIDE, (1, 3), np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(one.image, two.image)
    assert np.array_equal(one.masks, two.masks)


def test_image_and_masks_go_together(pictures: list[Picture]) -> None:
    """Cut, resized and mirrored alike: painted into the picture, a mask is found where the crop's mask is."""
    for seed in range(20):
        picture = pictures[0]
        found = crop(picture, SIDE, (1, 1), np.random.default_rng(seed))
        plain = whole(picture, SIDE)
        inside = found.masks[0] > 127
        assert inside.sum() > 0
        assert plain.masks.shape == (len(picture.codes), SIDE, SIDE)
        assert inside[: found.size[0], : found.size[1]].sum() == inside.sum()


def test_few_masks_are_repeated(pictures: list[Picture]) -> None:
    masks = crop(pictures[-1], SIDE, (4, 16), np.random.default_rng(0)).masks
    assert len(pictures[-1].codes) == 1
    assert len(masks) == 4
    assert (masks == masks[0]).all()


def test_a_whole_picture_keeps_every_mask(pictures: list[Picture]) -> None:
    found = whole(pictures[0], SIDE)
    assert len(found.masks) == len(pictures[0].codes)
    assert max(found.size) == SIDE
