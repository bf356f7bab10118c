"""The second look: two images, brought onto one another, and what they share."""

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from hqdata.analysis.fingerprints import reduced
from hqdata.arrays import BoolArray, FloatArray, UInt8Array
from hqdata.masks.keypoints import Keypoints, keypoints, mirrored_keypoints
from hqdata.masks.register import (
    Affine,
    Agreement,
    agree,
    bring,
    bring_image,
    fit,
    full_frame,
    inverse,
    scale_of,
    similarity,
    turn_of,
)
from hqdata.store.reader import Sample

COUNT = 500
"""Keypoints of an image at the second look."""
LEAST_TILES = 8
"""Tiles that have to be compared before anything is said."""
SAME = 0.7
"""Share of alike tiles from which on a region counts as the same."""
DIFFERENT = 0.4
"""Share of alike tiles below which a region counts as another one."""
SAME_MASK = 0.9
"""IoU from which on two masks of one image count as the same: copies at a quarter of the size keep more than that."""
PARTNER = 0.5
"""IoU from which on two masks of many-mask images are named together."""
LEAST_OVERLAP = 0.1
"""Share of the smaller image that has to be shared."""
RESCALED, TURNED, CROPPED = 0.02, 2.0, 0.95
BRIGHTER, CONTRAST = 6.0, 0.12
"""Grey levels of a channel's median difference, and change of the logarithm of its quartiles' distance, from which on a
region is recoloured."""
OTHER_BRIGHTER, OTHER_CONTRAST = 8.0, 0.25
"""The same, from which on an object or a background is another one of the same shape, such as tiles of another wall."""
LEAST_SPREAD = 12.0
"""Quartiles nearer than this count as this far apart."""
LEAST_PIXELS, ALIKE_INSIDE = 100, 0.8
"""Pixels inside two equal masks, and the correlation of their greys, that make it one object."""
INSIDE, OUTSIDE, EVERYWHERE = "inside", "outside", "everywhere"
_REGION = {"object": INSIDE, "background": OUTSIDE}
_MARGIN = 9
"""Pixels around a mask, both sides together, that belong to neither."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An image as the second look needs it, reduced as for fingerprints."""

    sha256: str
    rgb: UInt8Array
    """``uint8[H, W, 3]``."""
    grey: UInt8Array
    """``uint8[H, W]``."""
    points: Keypoints
    masks: tuple[UInt8Array, ...]
    """Each ``uint8[H, W]``, 0 to 255."""
    width: int
    """Native width in pixels."""

    def mirrored(self) -> "Picture":
        """The same in a mirror."""
        rgb, grey, *masks = (np.ascontiguousarray(side[:, ::-1]) for side in (self.rgb, self.grey, *self.masks))
        points = mirrored_keypoints(self.points, grey.shape[1])
        return replace(self, rgb=rgb, grey=grey, masks=tuple(masks), points=points)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What two images share."""

    level: str
    """A word of :data:`hqdata.analysis.findings.LEVELS`."""
    changes: tuple[str, ...]
    """Words of :data:`hqdata.analysis.findings.CHANGES`."""
    similarity: float
    """Share of compared tiles that look alike, in the region that makes the level."""
    overlap: float
    """Share of the left image that the right one covers."""
    other_overlap: float
    """Share of the right image that the left one covers."""
    pairs: tuple[tuple[int, int, float], ...]
    """Masks that belong together: number on the left, number on the right, IoU where the images overlap."""


def picture_of(row: dict[str, Any]) -> Picture:
    """Decode one row of a collection.

    Raises:
        DecodeError: image or mask cannot be decoded.
    """
    sample = Sample(row)
    whole = sample.image
    rgb = _fitted(whole)
    # The luminance that Pillow computes, so that keypoints are those of the fingerprint.
    grey = np.asarray(np.round(rgb @ np.array([0.299, 0.587, 0.114])), np.uint8)
    masks = tuple(reduced(mask) for mask in sample.each_mask())
    return Picture(row["image_sha256"], rgb, grey, keypoints(grey, COUNT), masks, whole.shape[1])


def _fitted(rgb: UInt8Array) -> UInt8Array:
    return np.stack([reduced(rgb[:, :, channel]) for channel in range(3)], axis=2)


def shared(
    left: Picture, right: Picture, *, mirrored: bool, pose: tuple[float, float, float, float] | None = None
) -> Shared | None:
    """Compare two images tile by tile.

    Args:
        left: one image.
        right: another one.
        mirrored: whether to mirror the left one first.
        pose: scale, turn in degrees and shift from the (mirrored) left image to the right one, if known.

    Returns:
        None where they share nothing that could be shown.
    """
    side = left.mirrored() if mirrored else left
    views = [_view(side, right, map_) for map_ in _maps(side, right, pose)]
    best = max(views, key=lambda view: int(view.agreement.same.sum()))
    if best.agreement.compared() < LEAST_TILES or max(best.overlap, best.other_overlap) < LEAST_OVERLAP:
        return None
    level, likeness = _level(best)
    if level is None:
        return None
    pairs = _pairs(best)
    if level == "image" and pairs and max(iou for _, _, iou in pairs) >= SAME_MASK:
        level = "pair"
    return Shared(
        level=level,
        changes=_changes(side, right, best, level, mirrored=mirrored),
        similarity=likeness,
        overlap=best.overlap,
        other_overlap=best.other_overlap,
        pairs=pairs,
    )


def _maps(left: Picture, right: Picture, pose: tuple[float, float, float, float] | None) -> list[Affine]:
    """Maps to be tried, from left to right."""
    found = fit(left.points, right.points)
    maps = [full_frame(left.grey.shape, right.grey.shape)]
    maps += [] if found is None else [found]
    return maps + ([] if pose is None else [similarity(*pose)])


@dataclass(frozen=True, slots=True)
class _View:
    """Two images under one map, in the frame of the coarser one."""

    map_: Affine
    agreement: Agreement
    overlap: float
    other_overlap: float
    masks: tuple[BoolArray, ...]
    other_masks: tuple[BoolArray, ...]
    frame: tuple[Any, Any]
    """Colours of left and right in the frame: ``uint8[H, W, 3]``."""


def _view(left: Picture, right: Picture, map_: Affine) -> _View:
    back = inverse(map_)
    to_left, to_right = (None, back) if scale_of(map_) >= 1 else (map_, None)
    frame, image, to_frame = (left, right, back) if to_left is None else (right, left, map_)
    agreement = agree(frame.grey, image.grey, to_frame)
    shape = frame.grey.shape
    same = np.eye(2, 3)
    masks = tuple(bring(mask, same if to_left is None else to_left, shape) for mask in left.masks)
    other_masks = tuple(bring(mask, same if to_right is None else to_right, shape) for mask in right.masks)
    colours = tuple(
        side.rgb if to is None else bring_image(side.rgb, to, shape)
        for side, to in ((left, to_left), (right, to_right))
    )
    covered = float(agreement.valid.mean())
    inside = covered * frame.grey.size * scale_of(inverse(to_frame)) ** 2 / image.grey.size
    shares = (covered, min(inside, 1.0)) if to_left is None else (min(inside, 1.0), covered)
    return _View(map_, agreement, *shares, masks, other_masks, (colours[0], colours[1]))


def _level(view: _View) -> tuple[str | None, float]:
    """How much is shared, and the share of alike tiles that says so."""
    agreement = view.agreement
    whole = agreement.share() or 0.0
    if len(view.masks) != 1 or len(view.other_masks) != 1:
        return ("image" if whole >= SAME else None), whole
    objects = [agreement.by_tile(side[0]) for side in (view.masks, view.other_masks)]
    either, both = _away(np.maximum(*objects)), np.minimum(*objects) > 0.5
    around, inside = _around(agreement, either), agreement.share(both) or 0.0
    replaced = any(_is_replaced(agreement, tiles > 0.25) for tiles in objects)
    # Plain surroundings say nothing by themselves where the colours are others, too.
    telling = agreement.compared(either) >= LEAST_TILES or not _differs(view, EVERYWHERE)
    if whole >= SAME and not replaced and telling and (around is None or around >= SAME):
        return "image", whole
    if inside >= SAME and agreement.compared(both) >= LEAST_TILES and not _differs(view, INSIDE):
        return "object", inside
    if replaced:
        shares = [_around(agreement, tiles) or 0.0 for tiles in (either, *(_away(tiles) for tiles in objects))]
        return ("background" if max(shares) >= SAME and not _differs(view, OUTSIDE) else None), max(shares)
    return None, whole


def _away(masks: FloatArray) -> BoolArray:
    """Tiles that touch no mask and have no neighbour that does: shadows and blurred edges lie there."""
    touched = np.asarray(masks > 0.01).view(np.uint8)
    return np.asarray(cv2.dilate(touched, np.ones((3, 3), np.uint8)) == 0)


def _around(agreement: Agreement, tiles: BoolArray) -> float | None:
    """Share of some tiles that are alike, by the tones of plain ones where there is little texture; None if too few."""
    if agreement.compared(tiles) >= LEAST_TILES:
        return agreement.share(tiles)
    return agreement.share_of_tones(tiles) if int((agreement.plain & tiles).sum()) >= LEAST_TILES else None


def _is_replaced(agreement: Agreement, tiles: BoolArray) -> bool:
    """Whether an object stands where the other image shows something else."""
    share = agreement.share(tiles)
    return share is not None and agreement.compared(tiles) >= LEAST_TILES // 2 and share < DIFFERENT


def same_object(left: Picture, right: Picture) -> float | None:
    """Whether two images whose single masks are the same show the same object in them.

    Returns:
        Correlation of their greys inside the masks, if it is high and the colours agree; else None.
    """
    view = _view(left, right, full_frame(left.grey.shape, right.grey.shape))
    covered = view.masks[0] & view.other_masks[0]
    if int(covered.sum()) < LEAST_PIXELS or _differs(view, INSIDE):
        return None
    one, two = (cv2.GaussianBlur(side, (0, 0), 1.0).mean(axis=2)[covered] for side in view.frame)
    alike = float(np.corrcoef(one, two)[0, 1]) if one.std() > 0 and two.std() > 0 else 0.0
    return alike if alike >= ALIKE_INSIDE else None


def _pairs(view: _View) -> tuple[tuple[int, int, float], ...]:
    """Each mask on the left with the mask on the right that fits it best; at least one pair where both have masks."""
    found = []
    for number, mask in enumerate(view.masks):
        fits = [(_iou(mask, other, view.agreement.valid), -place) for place, other in enumerate(view.other_masks)]
        if fits:
            best, place = max(fits)
            found.append((number, -place, best))
    close = [pair for pair in found if pair[2] >= PARTNER]
    return tuple(close or sorted(found, key=lambda pair: (-pair[2], pair[0]))[:1])


def _iou(mask: BoolArray, other: BoolArray, valid: BoolArray) -> float:
    """IoU where both images are; 1 where neither mask has a pixel there."""
    union = int(np.count_nonzero((mask | other) & valid))
    return int(np.count_nonzero(mask & other & valid)) / union if union else 1.0


def _changes(left: Picture, right: Picture, view: _View, level: str, *, mirrored: bool) -> tuple[str, ...]:
    if left.sha256 == right.sha256 and not mirrored:
        return ("identical",)
    native = scale_of(view.map_) * (right.width / right.grey.shape[1]) / (left.width / left.grey.shape[1])
    shift, spread = _colours(view, _REGION.get(level, EVERYWHERE))
    found = {
        "rescaled": abs(native - 1) > RESCALED,
        "mirrored": mirrored,
        "turned": abs(turn_of(view.map_)) > TURNED,
        "cropped": min(view.overlap, view.other_overlap) < CROPPED,
        "recoloured": shift > BRIGHTER or spread > CONTRAST,
    }
    return tuple(word for word, so in found.items() if so) or ("re-encoded",)


def _differs(view: _View, region: str) -> bool:
    """Whether the colours of a region differ so much that it shows something else of the same shape."""
    shift, spread = _colours(view, region)
    return shift > OTHER_BRIGHTER or spread > OTHER_CONTRAST


def _colours(view: _View, region: str) -> tuple[float, float]:
    """By how much a region's colours differ: medians, in grey levels, and logarithms of the distance of quartiles."""
    covered = view.agreement.valid
    for masks in (view.masks, view.other_masks):
        if region == INSIDE:
            covered = covered & masks[0]
        if region == OUTSIDE:
            near = cv2.dilate(masks[0].view(np.uint8), np.ones((_MARGIN, _MARGIN), np.uint8))
            covered = covered & (near == 0)
    if not covered.any():
        # Nothing to compare is no agreement: an inverted mask and its like leave no outside.
        return np.inf, np.inf
    left, right = (side[covered].astype(np.float64) for side in view.frame)
    spread = [np.maximum(np.subtract(*np.percentile(side, [75, 25], axis=0)), LEAST_SPREAD) for side in (left, right)]
    return float(np.abs(np.median(left - right, axis=0)).max()), float(np.abs(np.log(spread[0] / spread[1])).max())
