"""The ways in which a binary mask is degraded; every length is in pixels of the mask at hand.

Each function takes ``uint8[H, W]`` of 0 and 1, a length and a generator of random numbers, and returns a new mask of
the same size, 0 and 1.

- The image's rim is no edge of the object: beyond it the mask goes on as its outermost pixels do, so that an object
  which the picture cuts stays cut.
- What can only be done in whole pixels is rounded at random, so that it is right on average. On images of 400 pixels
  one pixel changes boundary IoU by 0.13 and more: rounded to the nearest, the upper levels could not be reached.
"""

import math
from collections.abc import Iterator

import cv2
import numpy as np

from hqdata.arrays import UInt8Array
from hqdata.masks import bits
from hqdata.masks.bits import pack, unpack
from hqdata.masks.contour import Contour

PATCHES = 50
"""Cells, along each side of the image, in which an outline moves by one and the same whole number of pixels."""
FLAT = 1.0
"""Tolerance in pixels from which a polygon of fewer than three corners is left out, for it has no area."""
FINE = 4.0
"""Standard deviation, in pixels of a reduced mask, to which smoothing reduces first: large kernels are slow."""


def dilate_disk(mask: UInt8Array, radius: float) -> UInt8Array:
    """Dilate ``uint8[H, W]``, 0 and 1, by the digital disk ``dx^2 + dy^2 <= radius^2``."""
    return unpack(bits.dilate_disk(pack(mask), radius), mask.shape[1]).view(np.uint8)


def dilation(mask: UInt8Array, radius: float, rng: np.random.Generator) -> UInt8Array:
    """Grow by a disk.

    Between two whole radii the outline follows the larger one in a share of the shell between them. The share is taken
    cell by cell of a fixed grid, in random order, so that stretches of the outline move together.
    """
    whole = math.floor(radius)
    priority = rng.random((PATCHES, PATCHES))
    grown = dilate_disk(mask, whole)
    shell = np.flatnonzero(dilate_disk(mask, whole + 1) > grown)
    height, width = mask.shape
    row, column = np.divmod(shell, width)
    order = np.argsort(priority[row * PATCHES // height, column * PATCHES // width], kind="stable")
    grown.ravel()[shell[order[: round((radius - whole) * len(shell))]]] = 1
    return grown


def erosion(mask: UInt8Array, radius: float, rng: np.random.Generator) -> UInt8Array:
    """Shrink by a disk: the background grows."""
    return 1 - dilation(1 - mask, radius, rng)


def thin(mask: UInt8Array, radius: float, rng: np.random.Generator) -> UInt8Array:
    """Open by a disk, its radius up to half a pixel more or less: what no such disk inside the mask covers is lost."""
    radius = max(0.0, radius + rng.random() - 0.5)
    beyond = min(math.ceil(radius), max(mask.shape))
    wide = _continued(mask, beyond)
    opened = dilate_disk(1 - dilate_disk(1 - wide, radius), radius)
    height, width = mask.shape
    return opened[beyond : beyond + height, beyond : beyond + width] & mask


def holes(mask: UInt8Array, side: float, _: np.random.Generator) -> UInt8Array:
    """Fill holes (4-connected background off the rim) that are no larger than a square of this side."""
    x, y, width, height = cv2.boundingRect(mask)
    part = slice(y, y + height), slice(x, x + width)
    labels, figures = cv2.connectedComponentsWithStats(1 - mask[part], connectivity=4)[1:3]
    left, top, w, h, area = figures.T
    fill = (left > 0) & (top > 0) & (left + w < width) & (top + h < height) & (area <= side * side + 1e-6)
    # Label 0 is what is not background: the mask.
    fill[0] = True
    filled = mask.copy()
    filled[part] = np.take(fill, np.asarray(labels, np.int32))
    return filled


def smoothing(mask: UInt8Array, sigma: float, _: np.random.Generator) -> UInt8Array:
    """Blur by a Gaussian and cut at one half.

    Wide Gaussians are taken of area means, whose own spread (that of a cell, and of the bilinear enlargement: 1/12 and
    1/6 of a cell squared) is subtracted. 8-bit greys, for which OpenCV's blur is exact and the same on every machine.
    """
    height, width = mask.shape
    times = max(1.0, sigma / FINE)
    size = max(1, round(width / times)), max(1, round(height / times))
    across, down = sigma * size[0] / width, sigma * size[1] / height
    grey = mask * np.uint8(255)
    if times > 1:
        grey = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)
        across, down = (math.sqrt(max(0.01, spread * spread - 0.25)) for spread in (across, down))
    blurred = cv2.GaussianBlur(grey, (0, 0), across, sigmaY=down, borderType=cv2.BORDER_REPLICATE)
    if times > 1:
        blurred = cv2.resize(blurred, (width, height), interpolation=cv2.INTER_LINEAR_EXACT)
    return np.asarray(blurred > 127).view(np.uint8)


def lowres(mask: UInt8Array, cell: float, rng: np.random.Generator) -> UInt8Array:
    """Reduce to pixels of about this side by area means, enlarge bilinearly and cut at one half.

    Width and height over the side are rounded down or up at random.
    """
    up = rng.random(2)
    if cell <= 1:
        return mask.copy()
    height, width = mask.shape
    size = max(1, math.floor(width / cell + up[0])), max(1, math.floor(height / cell + up[1]))
    small = cv2.resize(mask * np.uint8(255), size, interpolation=cv2.INTER_AREA)
    large = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR_EXACT)
    return np.asarray(large > 127).view(np.uint8)


def shift(mask: UInt8Array, distance: float, rng: np.random.Generator) -> UInt8Array:
    """Move by whole pixels in a random direction; the way along either axis is rounded down or up at random."""
    angle = 2 * math.pi * rng.random()
    up = rng.random(2)
    down = math.floor(distance * math.sin(angle) + up[0])
    right = math.floor(distance * math.cos(angle) + up[1])
    beyond = max(abs(down), abs(right))
    height, width = mask.shape
    top, left = beyond - down, beyond - right
    return _continued(mask, beyond)[top : top + height, left : left + width].copy()


def polygon(mask: UInt8Array, tolerance: float, _: np.random.Generator) -> UInt8Array:
    """Replace every contour by Ramer, Douglas and Peucker's polygon (``cv2.approxPolyDP``).

    From a tolerance of one pixel on, contours that come out with fewer than three corners are left out: parts are lost,
    holes are filled.
    """
    drawn = np.zeros_like(mask)
    for contour, inner in _contours(mask, math.ceil(tolerance) + 1):
        corners = np.asarray(cv2.approxPolyDP(contour, tolerance, True), np.int32)
        if len(corners) < 3 and tolerance >= FLAT:
            continue
        if inner:
            _cut(drawn, corners)
        else:
            cv2.fillPoly(drawn, [corners], 1)
    return drawn


def _contours(mask: UInt8Array, beyond: int) -> Iterator[tuple[Contour, bool]]:
    """Contours of the components (8-connected) and of their holes, and whether it is a hole's; outer ones first.

    The mask is continued ``beyond`` its rim, so that corners on the rim are not cut.
    """
    beyond = min(beyond, max(mask.shape))
    found, tree = cv2.findContours(
        _continued(mask, beyond), cv2.RETR_TREE, cv2.CHAIN_APPROX_NONE, offset=(-beyond, -beyond)
    )
    parents = tree[0, :, 3].tolist() if found else []
    depths = [_depth(number, parents) for number in range(len(parents))]
    for number in sorted(range(len(parents)), key=depths.__getitem__):
        yield np.asarray(found[number], np.int32), depths[number] % 2 == 1


def _continued(mask: UInt8Array, beyond: int) -> UInt8Array:
    """Repeat the outermost pixels beyond the rim."""
    return np.asarray(cv2.copyMakeBorder(mask, beyond, beyond, beyond, beyond, cv2.BORDER_REPLICATE), np.uint8)


def _depth(number: int, parents: list[int]) -> int:
    """How many contours lie around one."""
    depth = 0
    while parents[number] >= 0:
        number = parents[number]
        depth += 1
    return depth


def _cut(drawn: UInt8Array, corners: Contour) -> None:
    """Clear what lies inside a hole's contour; the contour itself runs through the pixels around the hole."""
    x, y, w, h = cv2.boundingRect(corners)
    hole = np.zeros((h, w), np.uint8)
    cv2.fillPoly(hole, [corners], 1, offset=(-x, -y))
    cv2.polylines(hole, [corners - np.array([x, y], np.int32)], True, 0)
    left, top = max(0, -x), max(0, -y)
    part = drawn[y + top : y + h, x + left : x + w]
    part[hole[top : top + part.shape[0], left : left + part.shape[1]] > 0] = 0
