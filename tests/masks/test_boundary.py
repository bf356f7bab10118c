"""The band is what iterated erosion on a zero-padded mask defines, whichever way it is computed."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from hqdata.arrays import UInt8Array
from hqdata.masks import boundary
from tests.masks.shapes import blob, random_masks, real_masks, text_mask


def defined_band(mask: UInt8Array, d: int) -> UInt8Array:
    padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    eroded = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=d)
    return mask - eroded[1:-1, 1:-1]


def defined_iou(a: UInt8Array, b: UInt8Array, d: int) -> float:
    one, other = defined_band(a, d), defined_band(b, d)
    union = (one | other).sum()
    return float((one & other).sum() / union) if union else 1.0


@pytest.fixture(params=["packed", "plain"], autouse=True)
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run every test by both ways, whatever the size."""
    monkeypatch.setattr(boundary, "_PACKED_PIXELS", 0 if request.param == "packed" else 1 << 62)


def test_a_drawn_band() -> None:
    mask = text_mask(".......  .#####.  .#####.  .#####.  .......")
    want = text_mask(".......  .#####.  .#...#.  .#####.  .......")
    assert (boundary.band(mask, 1) == want).all()
    assert (boundary.band(mask, 2) == mask).all()


def test_the_rim_of_the_image_is_an_edge() -> None:
    want = text_mask("####  #..#  #..#  ####")
    assert (boundary.band(np.ones((4, 4), np.uint8), 1) == want).all()


@pytest.mark.parametrize(
    ("size", "d"), [((1, 1), 1), ((30, 40), 1), ((75, 100), 2), ((300, 400), 10), ((1024, 1024), 29)]
)
def test_the_width_is_two_per_cent_of_the_diagonal(size: tuple[int, int], d: int) -> None:
    assert boundary.band_width(*size) == d


def test_random_bands_and_scores() -> None:
    rng = np.random.default_rng(0)
    for mask in random_masks(120, seed=2):
        d = int(rng.integers(1, 14))
        other = np.roll(mask, 2, axis=1)
        assert (boundary.band(mask, d) == defined_band(mask, d)).all()
        assert boundary.boundary_iou(mask, other, d) == pytest.approx(defined_iou(mask, other, d))
        assert boundary.boundary_iou(mask.astype(bool), other.astype(bool), d) == boundary.boundary_iou(mask, other, d)


def test_real_masks(real: Path) -> None:
    for grey in real_masks(real):
        mask = (grey > 127).astype(np.uint8)
        other = (grey > 30).astype(np.uint8)
        d = boundary.band_width(*mask.shape)
        assert (boundary.band(mask, d) == defined_band(mask, d)).all()
        assert boundary.boundary_iou(mask, other) == pytest.approx(defined_iou(mask, other, d))


def test_a_kept_band_gives_the_same_for_every_prediction() -> None:
    truth = boundary.Banded(blob(200, 1))
    for seed in range(2, 6):
        other = blob(200, seed)
        assert truth.boundary_iou(other) == boundary.boundary_iou(truth.mask, other)
        assert truth.boundary_iou(boundary.Banded(other)) == truth.boundary_iou(other)
        assert truth.iou(other) == pytest.approx((truth.mask & other).sum() / (truth.mask | other).sum())


def test_an_empty_union_is_agreement_and_one_empty_mask_is_not() -> None:
    empty, full = np.zeros((20, 20), np.uint8), np.ones((20, 20), np.uint8)
    assert (boundary.iou(empty, empty), boundary.boundary_iou(empty, empty)) == (1.0, 1.0)
    assert (boundary.iou(empty, full), boundary.boundary_iou(full, empty)) == (0.0, 0.0)
    assert (boundary.iou(full, full), boundary.boundary_iou(full, full)) == (1.0, 1.0)


def test_masks_of_two_sizes_or_bands_are_refused() -> None:
    with pytest.raises(ValueError, match="against"):
        boundary.boundary_iou(np.ones((4, 5), np.uint8), np.ones((5, 4), np.uint8))
    with pytest.raises(ValueError, match="band 2"):
        boundary.Banded(np.ones((4, 5), np.uint8), 2).iou(boundary.Banded(np.ones((4, 5), np.uint8), 1))
