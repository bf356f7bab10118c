"""What a mask's greys and edges tell of how it was made: soft edges, JPEG noise, enlargement without smoothing."""

from dataclasses import dataclass

import cv2
import numpy as np

from hqdata.arrays import BoolArray, IntArray, UInt8Array

NEAR = 16
"""Greys closer than this to 0 or 255 count as noise on a plain value; those between count as soft."""
AWAY = 3
"""Pixels this near to the edge or to a soft grey are left out of the JPEG trace."""
LEAST_CORNERS = 20
"""Masks with fewer corners, such as boxes, say nothing of enlargement."""
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


@dataclass(frozen=True, slots=True, kw_only=True)
class Softness:
    """Greys of a mask; None where nothing can be said."""

    soft: int
    """Pixels that are neither 0 nor 255."""
    soft_width: float | None
    """Mean width of the ramp from background to foreground, in pixels."""
    soft_edge_share: float | None
    """Share of edge pixels whose grey is soft."""
    jpeg_trace: float | None
    """Share of pixels away from edge and soft greys that are nearly, but not quite, 0 or 255."""


def edge_pixels(binary: UInt8Array) -> BoolArray:
    """Pixels with one of their four neighbours on the other side, on both sides; the image's rim is no edge.

    Args:
        binary: ``uint8[H, W]``, 0 and 1.

    Returns:
        ``bool[H, W]``.
    """
    return np.asarray(cv2.morphologyEx(binary, cv2.MORPH_GRADIENT, _CROSS)).view(np.bool_)


def softness(mask: UInt8Array, length: float) -> Softness:
    """Measure how soft a mask's edges are.

    Args:
        mask: ``uint8[H, W]``, 0 to 255.
        length: length of the mask's edge inside the image, in pixels.
    """
    levels = np.bincount(mask.ravel(), minlength=256)
    soft = int(levels[1:255].sum())
    edge = edge_pixels(np.asarray(mask > 127).view(np.uint8))
    on_edge = int(np.count_nonzero(edge))
    if soft == 0:
        plain = 0.0 if on_edge else None
        return Softness(soft=0, soft_width=plain, soft_edge_share=plain, jpeg_trace=0.0)
    between = (mask >= NEAR) & (mask <= 255 - NEAR)
    window = np.ones((2 * AWAY + 1, 2 * AWAY + 1), np.uint8)
    far = ~np.asarray(cv2.dilate((edge | between).view(np.uint8), window)).view(np.bool_)
    plain_pixels = int(np.count_nonzero(far))
    noisy = int(np.count_nonzero(far & (mask > 0) & (mask < 255)))
    cover = np.arange(NEAR, 256 - NEAR) / 255
    ramp = float((levels[NEAR : 256 - NEAR] * cover * (1 - cover)).sum())
    return Softness(
        soft=soft,
        soft_width=6 * ramp / length if length >= 1 else None,
        soft_edge_share=int(np.count_nonzero(edge & between)) / on_edge if on_edge else None,
        jpeg_trace=noisy / plain_pixels if plain_pixels else None,
    )


def upscaling(binary: UInt8Array) -> float | None:
    """Side of the blocks that a mask's stairs consist of: 1 at native resolution, about ``f`` if enlarged ``f`` times.

    Between two pixels of unlike value runs a crack; where a horizontal and a vertical run of cracks meet is a corner,
    and the shorter of the two is the corner's step. However steep a drawn line is, its steps are one pixel; copying
    pixels makes them ``f``. The median over all corners is given.

    Args:
        binary: ``uint8[H, W]``, 0 and 1.

    Returns:
        Pixels; None where there are fewer than :data:`LEAST_CORNERS` corners.
    """
    across = _runs(binary)
    down = _runs(np.ascontiguousarray(binary.T))
    stride = max(binary.shape) + 1
    keys, lengths = _ends(across, binary.shape[1], stride, swap=False)
    other_keys, other_lengths = _ends(down, binary.shape[0], stride, swap=True)
    _, one, other = np.intersect1d(keys, other_keys, return_indices=True)
    if len(one) < LEAST_CORNERS:
        return None
    return float(np.median(np.minimum(lengths[one], other_lengths[other])))


def _runs(binary: UInt8Array) -> tuple[IntArray, IntArray, IntArray]:
    """Horizontal runs of cracks: the row below the crack, first column, column after the last."""
    width = binary.shape[1]
    places = np.flatnonzero(binary[1:] != binary[:-1])
    rows, columns = np.divmod(places, width)
    side = binary[1:].ravel()[places]
    breaks = np.ones(len(places) + 1, np.bool_)
    breaks[1:-1] = (np.diff(places) != 1) | (rows[1:] != rows[:-1]) | (side[1:] != side[:-1])
    starts, ends = np.flatnonzero(breaks[:-1]), np.flatnonzero(breaks[1:])
    return rows[starts] + 1, columns[starts], columns[ends] + 1


def _ends(
    runs: tuple[IntArray, IntArray, IntArray], width: int, stride: int, *, swap: bool
) -> tuple[IntArray, IntArray]:
    """Both ends of each run as keys of grid points, with the run's length, short runs first; not those on the rim."""
    line, first, last = runs
    lines, points = np.concatenate([line, line]), np.concatenate([first, last])
    lengths = np.tile(last - first, 2)
    inner = (points > 0) & (points < width)
    keys = points * stride + lines if swap else lines * stride + points
    keys, lengths = keys[inner], lengths[inner]
    order = np.argsort(lengths, kind="stable")
    return keys[order], lengths[order]
