"""Run-length codes are those of pycocotools."""

import numpy as np
import pytest
from pycocotools import mask as coco

from hqdata.masks import rle
from tests.masks.shapes import random_masks, text_mask


def test_a_drawn_mask() -> None:
    mask = text_mask("....  .##.  .#.#")
    code = rle.encode(mask)
    assert code["size"] == [3, 4]
    assert rle.area(code) == 4
    assert rle.box(code) == (1, 1, 3, 2)
    assert (rle.decode(code) == mask).all()


@pytest.mark.parametrize("kind", [np.bool_, np.uint8])
def test_codes_equal_those_of_pycocotools(kind: type) -> None:
    for mask in random_masks(60, seed=1):
        want = coco.encode(np.asfortranarray(mask))
        code = rle.encode(mask.astype(kind))
        assert code == {"size": list(mask.shape), "counts": want["counts"].decode()}
        assert rle.area(code) == coco.area(want)
        assert rle.box(code) == tuple(coco.toBbox(want).astype(int))
        assert (rle.decode(code) == mask).all()


def test_any_value_but_0_is_foreground() -> None:
    assert rle.area(rle.encode(np.array([[0, 1, 255, 2]], np.uint8))) == 3


def test_a_transposed_or_cut_view_is_the_mask_it_shows() -> None:
    mask = next(random_masks(1, seed=5))
    assert (rle.decode(rle.encode(mask.T)) == mask.T).all()
    assert (rle.decode(rle.encode(mask[::2, 1:])) == mask[::2, 1:]).all()


def test_an_empty_mask_has_an_empty_box() -> None:
    code = rle.encode(np.zeros((3, 5), np.uint8))
    assert (rle.area(code), rle.box(code)) == (0, (0, 0, 0, 0))
