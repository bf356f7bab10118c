"""How a mask's outline lies in the edges of an image: where it fits, how sharply, and where it has no edge below it.

Direction counts, size hardly: an image's edges are kept as one complex number a pixel, whose length says how much of
an edge is there (0 to 1) and whose angle is twice that of the gradient, so that bright-to-dark and dark-to-bright are
one. The evidence of a pixel for an edge with normal ``n`` is the part of that number along ``n``'s own doubled angle:
1 for a clear edge that runs as the outline does, -1 for one that crosses it at a right angle, 0 on plain ground and,
on average, in texture that has nothing to do with the outline. So a fit of 0 is chance.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import numpy as np

from hqdata.arrays import BoolArray, FloatArray, UInt8Array
from hqdata.masks.picture import common_size, to_common
from hqdata.masks.trace import edge_pixels

ComplexArray: TypeAlias = np.ndarray[Any, np.dtype[np.complex64]]
"""Edges or an outline with doubled angles, ``complex64[H, W]``."""

SIDE = 512
"""Long side at which outlines are held against edges: a little above that of most saliency sets."""
SHIFT_SIDE = 192
"""Long side at which shifts are tried: enough to tell a shift by a hundredth of the diagonal, and fast."""
REACH = 0.2
"""Largest shift that is tried, in each direction, as a share of the diagonal."""
NEAR, FAR = 2, 6
"""Sharpness compares pixels up to ``NEAR`` from the outline with those from there to ``FAR``, at :data:`SIDE`."""
OFFSETS = 32
"""How far inside or outside an edge that runs along the outline is looked for, in pixels at :data:`SIDE`."""
GAP_LEVEL = 0.12
"""Evidence below which a stretch of the outline counts as without edge: a quarter of what good outlines have."""
_MULTIPLE = 32
"""Transforms of such sizes are fast."""


@dataclass(frozen=True, slots=True)
class Edges:
    """Edges of an image."""

    fine: ComplexArray
    """With :data:`SIDE` pixels on the long side."""
    small: ComplexArray
    """With :data:`SHIFT_SIDE`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where an outline fits the image."""

    fit: float
    """Mean evidence on the outline, -1 to 1; 0 by chance."""
    spread: float
    """Standard deviation of the fit over all shifts: what chance does on this image."""
    moved_fit: float
    """Fit at the best shift."""
    right: float
    """The best shift, in shares of the diagonal."""
    down: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trim:
    """How closely an outline follows the image's edge."""

    sharpness: float
    """Mean evidence within :data:`NEAR` pixels of the outline, less that from there to :data:`FAR`."""
    offset: float
    """How far inside the outline the image's edge lies, as a share of the diagonal; negative outside."""
    offset_gain: float
    """Mean evidence there less that on the outline."""
    gap: float
    """Share of the outline that lies in its longest stretch without an edge of the image below it."""


def edges(image: UInt8Array) -> Edges:
    """Find the edges of ``uint8[H, W, 3]`` (RGB), in all three channels of Lab (Di Zenzo's structure tensor)."""
    height, width = common_size(image.shape[0], image.shape[1], SIDE)
    how = cv2.INTER_AREA if max(image.shape[:2]) > SIDE else cv2.INTER_LINEAR
    resized = cv2.resize(np.ascontiguousarray(image), (width, height), interpolation=how)
    blurred = cv2.GaussianBlur(cv2.cvtColor(resized, cv2.COLOR_RGB2Lab), (7, 7), 1.0)
    xx, yy, xy = (np.zeros((height, width), np.float32) for _ in range(3))
    # Sums of squares of whole numbers below 2^24: exact in float32, so the same everywhere.
    for channel in cv2.split(blurred):
        across, down = _gradient(channel)
        xx += across * across
        yy += down * down
        xy += across * down
    total = xx + yy
    # An edge as strong as the image's mean counts half: contrast alone must not decide.
    usual = float(total.sum(dtype=np.float64)) / total.size
    scale = 1 / (total + np.float32(max(usual, 1.0)))
    parts = ((xx - yy) * scale, 2 * xy * scale)
    size = common_size(image.shape[0], image.shape[1], SHIFT_SIDE)[::-1]
    small = [np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.float32) for part in parts]
    return Edges(_complex(*parts), _complex(*small))


def _gradient(grey: Any) -> tuple[FloatArray, FloatArray]:
    """Sobel gradient (3 x 3) of ``uint8`` or ``float32[H, W]``: ``float32[H, W]`` twice."""
    return np.asarray(cv2.Sobel(grey, cv2.CV_32F, 1, 0)), np.asarray(cv2.Sobel(grey, cv2.CV_32F, 0, 1))


def _complex(real: FloatArray, imaginary: FloatArray) -> ComplexArray:
    both = np.empty(real.shape, np.complex64)
    both.real, both.imag = real, imaginary
    return both


def outline(mask: UInt8Array, side: int = SHIFT_SIDE) -> ComplexArray | None:
    """Outline of ``uint8[H, W]``, 0 to 255, with ``side`` pixels on the long side.

    Returns:
        Doubled normals, whose sizes sum to 1; None where there is no outline.
    """
    across, down = _gradient(cv2.GaussianBlur(to_common(mask, side), (7, 7), 1.0))
    squares = across * across + down * down
    length = np.sqrt(squares)
    total = float(length.sum(dtype=np.float64))
    if total == 0:
        return None
    scale = 1 / (np.maximum(length, np.float32(1)) * np.float32(total))
    return _complex((across * across - down * down) * scale, 2 * across * down * scale)


def placement(image: Edges, drawn: ComplexArray) -> Placement:
    """Try an outline at every shift up to :data:`REACH`, by one correlation; beyond the image's rim is no evidence.

    Args:
        image: its edges.
        drawn: what :func:`outline` gave for a mask of that image's size.
    """
    height, width = drawn.shape
    diagonal = math.hypot(height, width)
    reach = max(1, int(REACH * diagonal))
    size = [-(-max(side + reach, 2 * reach + 1) // _MULTIPLE) * _MULTIPLE for side in (height, width)]
    product = np.fft.fft2(image.small, size) * np.conj(np.fft.fft2(drawn, size))
    fits = np.fft.ifft2(product).real
    shifts = np.arange(-reach, reach + 1)
    window = fits[np.ix_(shifts, shifts)]
    best = int(window.argmax())
    row, column = divmod(best, len(shifts))
    return Placement(
        fit=float(fits[0, 0]),
        spread=float(window.std(dtype=np.float64)),
        moved_fit=float(window.flat[best]),
        right=(column - reach) / diagonal,
        down=(row - reach) / diagonal,
    )


def trim(image: Edges, mask: UInt8Array) -> Trim | None:
    """Measure how closely a mask ``uint8[H, W]``, 0 to 255, follows the image's edge; None where it has no outline."""
    whole = np.asarray(to_common(mask, SIDE) > 127).view(np.uint8)
    if not edge_pixels(whole).any():
        return None
    diagonal = math.hypot(*whole.shape)
    x, y, w, h = cv2.boundingRect(whole)
    # Nothing beyond this margin enters any figure.
    margin = OFFSETS + 4
    part = (slice(max(0, y - margin), y + h + margin), slice(max(0, x - margin), x + w + margin))
    rim = np.ones(whole.shape, np.bool_)
    rim[1:-1, 1:-1] = False
    binary = np.ascontiguousarray(whole[part])
    distance = _signed_distance(binary)
    evidence = _evidence(image.fine[part], distance)
    steps = np.clip(np.floor(distance).astype(np.int64), -OFFSETS - 1, OFFSETS) + OFFSETS + 1
    sums = np.bincount(steps.ravel(), evidence.ravel(), 2 * OFFSETS + 2)
    counts = np.bincount(steps.ravel(), minlength=2 * OFFSETS + 2)

    def mean(*ranges: tuple[int, int]) -> float:
        chosen = [step + OFFSETS + 1 for first, stop in ranges for step in range(first, stop)]
        return float(sums[chosen].sum() / max(1, counts[chosen].sum()))

    # From the outline outwards, so that of equal fits the nearest one counts.
    offsets = sorted(range(1 - OFFSETS, OFFSETS), key=lambda offset: (abs(offset), offset))
    fits = [mean((offset - 1, offset + 1)) for offset in offsets]
    best = int(np.argmax(fits))
    return Trim(
        sharpness=mean((-NEAR, NEAR)) - mean((-FAR, -NEAR), (NEAR, FAR)),
        offset=offsets[best] / diagonal,
        offset_gain=fits[best] - fits[0],
        gap=_gap(binary, evidence, rim[part]),
    )


def _signed_distance(binary: UInt8Array) -> FloatArray:
    """Distance to the outline in pixels, positive inside; the outline runs between pixels."""
    inside = cv2.distanceTransform(binary, cv2.DIST_L2, 5)
    outside = cv2.distanceTransform(1 - binary, cv2.DIST_L2, 5)
    return np.asarray(np.where(binary > 0, inside - 0.5, 0.5 - outside), np.float32)


def _evidence(field: ComplexArray, distance: FloatArray) -> FloatArray:
    """Evidence of each pixel for an edge that runs as the nearest part of the outline does: ``float32[H, W]``."""
    across, down = _gradient(cv2.GaussianBlur(distance, (7, 7), 1.0))
    along = (across * across - down * down) * field.real + 2 * across * down * field.imag
    return np.asarray(along / np.maximum(across * across + down * down, np.float32(1e-6)))


def _gap(binary: UInt8Array, evidence: FloatArray, rim: BoolArray) -> float:
    """Longest stretch without edge, as a share of all contours: the largest sum of what evidence lacks to the level.

    A stretch is a piece of one contour, found as the largest sum of consecutive values. A place without evidence adds
    its own length, one with evidence against the outline adds more, one with evidence for it takes away.
    """
    found, _ = cv2.findContours(binary, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    longest, length = 0.0, 0
    for contour in found:
        x, y = contour[:, 0, 0], contour[:, 0, 1]
        lack = np.where(rim[y, x], 0.0, 1.0 - evidence[y, x] / GAP_LEVEL)
        longest = max(longest, _largest_run(lack))
        length += int(np.count_nonzero(~rim[y, x]))
    return min(1.0, longest / length) if length else 0.0


def _largest_run(values: FloatArray) -> float:
    """Largest sum of consecutive values on a circle, at least 0.

    >>> _largest_run(np.array([2.0, -5.0, 1.0, 1.0]))
    4.0
    """
    sums = np.concatenate([[0.0], np.cumsum(values)])
    straight = float((sums - np.minimum.accumulate(sums)).max())
    least = float((sums - np.maximum.accumulate(sums)).min())
    return max(straight, float(sums[-1]) - least)


def cross_fits(images: Sequence[ComplexArray], drawn: Sequence[ComplexArray]) -> FloatArray:
    """Hold each of several outlines against each of several images of one size, unshifted.

    Args:
        images: their edges at :data:`SHIFT_SIDE` (``Edges.small``).
        drawn: outlines of that size.

    Returns:
        ``float64[outlines, images]``, each the fit that :func:`placement` calls ``fit``.
    """
    fields, normals = (np.stack([item.ravel() for item in items]) for items in (images, drawn))
    return np.asarray((np.conj(normals) @ fields.T).real, np.float64)
