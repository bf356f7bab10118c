"""Size and shape of one mask, in the pixels of the array at hand. Outside the image is background."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from hqdata.arrays import UInt8Array
from hqdata.masks.bits import Quads, count, erode_square, open_disk, pack, quads
from hqdata.masks.boundary import band_width
from hqdata.masks.contour import Contours, component_areas, dominant_points, hull_area, polygon_trace, trace
from hqdata.masks.trace import edge_pixels
from hqdata.masks.width import largest_square

THIN_RATIO = 0.01
"""Radius of the opening that thin parts do not survive, over the image's diagonal."""
MOST_CORNERS = 500_000
"""Contours of masks with more corners, such as dithered ones, are not traced: it may take minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Figures of one mask; lengths in pixels. What has no meaning for an empty mask is None there.

    ``dominant_points`` and ``polygon`` are also None above :data:`MOST_CORNERS`.
    """

    area: int
    box_x: int
    box_y: int
    box_w: int
    box_h: int
    components: int
    holes: int
    euler: int
    contours: int
    dominant_points: int | None
    boundary: float
    ipq: float | None
    largest_share: float | None
    solidity: float | None
    width_max: float
    width_mean: float
    thin_share: float | None
    band_share: float | None
    border: int
    border_sides: int
    polygon: float | None


EMPTY = Shape(
    area=0,
    box_x=0,
    box_y=0,
    box_w=0,
    box_h=0,
    components=0,
    holes=0,
    euler=0,
    contours=0,
    dominant_points=0,
    boundary=0.0,
    ipq=None,
    largest_share=None,
    solidity=None,
    width_max=0.0,
    width_mean=0.0,
    thin_share=None,
    band_share=None,
    border=0,
    border_sides=0,
    polygon=None,
)


def thin_radius(height: int, width: int) -> float:
    """Radius in pixels below which a part counts as thin: 0.01 of the diagonal, at least 1.

    >>> thin_radius(300, 400)
    5.0
    """
    return max(1.0, THIN_RATIO * math.hypot(height, width))


def measure(mask: UInt8Array) -> Shape:
    """Measure a mask.

    All is computed inside the mask's box with one pixel of background around it; that changes nothing, because beyond
    the box there is background only.

    Args:
        mask: ``uint8[H, W]``; anything but 0 is foreground.

    Returns:
        The figures; formulas and sources are in :mod:`hqdata.analysis.stats_table`.
    """
    height, width = mask.shape
    x, y, w, h = cv2.boundingRect(mask)
    if w == 0:
        return EMPTY
    inside = np.asarray(mask[y : y + h, x : x + w] != 0).view(np.uint8)
    framed = np.pad(inside, 1)
    words = pack(framed)
    counts = quads(words)
    area, boundary = counts.area, counts.perimeter
    outline = _outline(framed, counts)
    band = area - count(erode_square(words, band_width(height, width)))
    opened = count(open_disk(words, thin_radius(height, width)))
    sides = _on_rim(inside, (x, y), mask.shape)
    return Shape(
        area=area,
        box_x=x,
        box_y=y,
        box_w=w,
        box_h=h,
        components=outline.components,
        holes=outline.components - counts.euler,
        euler=counts.euler,
        contours=2 * outline.components - counts.euler,
        dominant_points=outline.dominant_points,
        boundary=boundary,
        ipq=boundary * boundary / (4 * math.pi * area),
        largest_share=outline.largest / area,
        solidity=area / outline.hull,
        width_max=2 * math.sqrt(largest_square(framed)) - 1,
        width_mean=2 * area / boundary,
        thin_share=1 - opened / area,
        band_share=band / area,
        border=sum(sides),
        border_sides=sum(side > 0 for side in sides),
        polygon=outline.polygon,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outline:
    """What contours, or in their stead labels, tell."""

    components: int
    largest: int
    hull: float
    dominant_points: int | None
    polygon: float | None


def _outline(framed: UInt8Array, counts: Quads) -> _Outline:
    if counts.corners > MOST_CORNERS:
        found, labels = cv2.connectedComponents(framed)
        largest = max(np.bincount(labels.ravel())[1:].tolist())
        edge = np.stack(np.nonzero(edge_pixels(framed) & (framed > 0))[::-1], axis=1).astype(np.int32)
        hull = hull_area(Contours((edge[:, None],), ()))
        return _Outline(components=found - 1, largest=largest, hull=hull, dominant_points=None, polygon=None)
    contours = trace(framed)
    return _Outline(
        components=len(contours.outer),
        largest=max(component_areas(contours)),
        hull=hull_area(contours),
        dominant_points=dominant_points(contours.all),
        polygon=polygon_trace(contours),
    )


def _on_rim(inside: UInt8Array, corner: tuple[int, int], size: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Foreground pixels in the image's first and last row, first and last column.

    Args:
        inside: the mask's box, ``uint8[h, w]``, 0 and 1.
        corner: left and top of the box.
        size: height and width of the image.
    """
    h, w = inside.shape
    x, y = corner
    return (
        int(np.count_nonzero(inside[0])) if y == 0 else 0,
        int(np.count_nonzero(inside[-1])) if y + h == size[0] else 0,
        int(np.count_nonzero(inside[:, 0])) if x == 0 else 0,
        int(np.count_nonzero(inside[:, -1])) if x + w == size[1] else 0,
    )
