"""The closest relation of each two samples; masks that are the same on images that are not."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from hqdata.analysis.related import PLAIN, Related, related
from hqdata.analysis.stats import compute_stats
from hqdata.demo import plants
from hqdata.demo.plants import Picture
from hqdata.errors import StoreCorrupt
from hqdata.store.reader import Collection
from tests.pictures import collection, drawn, rendered, small


def measured(folder: Path, *pictures: Picture, name: str = "tiny") -> Collection:
    made = collection(folder, {f"{n:02d}": picture for n, picture in enumerate(pictures)}, name=name)
    compute_stats(made)
    return made


def said(found: list[Related]) -> list[tuple[int, int, str, tuple[str, ...]]]:
    return [(item.left, item.right, item.shared.level, item.shared.changes) for item in found]


def on(picture: Picture, mask: np.ndarray) -> Picture:
    """An image brought to the size of a mask, with that mask."""
    return Picture(np.asarray(cv2.resize(picture.image, mask.shape[::-1])), mask)


def test_of_two_ways_to_see_a_pair_the_closer_one_counts(tmp_path: Path) -> None:
    """A symmetric image is its own mirror image, but the mask lies on one side."""
    half = small(2)
    whole = Picture(np.hstack([half.image, half.image[:, ::-1]]), np.hstack([half.mask, np.zeros_like(half.mask)]))
    again = plants.recoloured(whole, 1.0, 1.0, 12)
    assert said(related(measured(tmp_path / "same", whole, again))) == [(0, 1, "pair", ("recoloured",))]
    flat = plants.mirrored(again)
    assert said(related(measured(tmp_path / "flat", whole, flat))) == [(0, 1, "pair", ("mirrored", "recoloured"))]


def test_every_two_are_given_once_lower_position_first(tmp_path: Path) -> None:
    made = measured(tmp_path, small(2), small(1), plants.mirrored(small(2)), small(3), plants.greyed(small(2)))
    assert said(related(made)) == [
        (0, 2, "pair", ("mirrored",)),
        (0, 4, "pair", ("recoloured",)),
        (2, 4, "pair", ("mirrored", "recoloured")),
    ]


def test_the_same_mask_on_another_image(tmp_path: Path) -> None:
    mask = drawn(7).mask
    [found] = related(measured(tmp_path, drawn(7), on(drawn(3), mask), drawn(4)))
    assert said([found]) == [(0, 1, "mask", ())]
    assert found.shared.pairs == ((0, 0, 1.0),)


def test_the_same_mask_and_the_same_in_it_is_one_object(tmp_path: Path) -> None:
    """The object is too small to be compared tile by tile."""
    cut = plants.limited(Picture(rendered(7)[1].image, np.round(rendered(7)[1].alpha * 255).astype(np.uint8)), 90)
    alpha = cut.mask[..., None] / 255
    sheets = [np.asarray(cv2.resize(drawn(n).image, cut.mask.shape[::-1])) for n in (3, 4)]
    made = [Picture(np.round(alpha * cut.image + (1 - alpha) * ground).astype(np.uint8), cut.mask) for ground in sheets]
    [found] = related(measured(tmp_path, *made))
    assert (found.shared.level, found.shared.pairs) == ("object", ((0, 0, 1.0),))


def test_simple_shapes_are_not_compared(tmp_path: Path) -> None:
    box = np.zeros((180, 240), np.uint8)
    box[40:120, 60:200] = 255
    made = measured(tmp_path, *(on(drawn(n), box) for n in (1, 2, 3)))
    assert max(made.stats["dominant_points_1024"].to_pylist()) < PLAIN
    assert related(made) == []


def test_a_mask_squeezed_into_another_shape_is_another_mask(tmp_path: Path) -> None:
    height, width = drawn(7).mask.shape
    squeezed = np.asarray(cv2.resize(drawn(7).mask, (round(width * 0.8), height)))
    assert related(measured(tmp_path, drawn(7), on(drawn(3), squeezed))) == []


def test_strangers_and_a_single_sample_have_no_relations(tmp_path: Path) -> None:
    one = measured(tmp_path, small(1), name="one")
    assert related(one) == []
    assert related(one, measured(tmp_path, small(4), small(6), name="other")) == []


def test_both_sides_need_statistics(tmp_path: Path) -> None:
    there, bare = measured(tmp_path, small(1), name="there"), collection(tmp_path, {"a": small(1)}, name="bare")
    for sides in ((bare, None), (bare, there), (there, bare)):
        with pytest.raises(StoreCorrupt, match=r"run `hqdata stats .*bare"):
            related(*sides)
