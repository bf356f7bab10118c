"""Colours of a mask's inside and outside, and what outside looks as if it belonged inside."""

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import numpy as np

from hqdata.arrays import FloatArray, IntArray, UInt8Array
from hqdata.masks.picture import common_size, to_common

SIDE = 128
"""Long side at which colours are counted: regions matter here, not outlines."""
BINS = (8, 16, 16)
"""Bins of L, a and b. Those of a and b cover the middle half of their range, which holds nearly all colours."""
LIKELY = 0.6
"""Share of the foreground in a colour's likelihood above which a pixel looks like foreground."""
MARGIN = 0.01
"""Pixels outside but nearer to the mask than this share of the diagonal count as neither: outlines are not exact."""
LEAST_PIXELS = 12
"""Pixels, at :data:`SIDE`, below which a side has no colours to speak of."""

Histogram: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]
"""Shares of colours, ``float64[8 * 16 * 16]``."""


@dataclass(frozen=True, slots=True)
class Alike:
    """What outside of a mask has its colours."""

    overlap: float
    """Bhattacharyya coefficient of the colours inside and outside: 0 if none is in both, 1 if they are the same."""
    share: float
    """Area of the largest such region, over that and the mask's."""


def alike(image: UInt8Array, mask: UInt8Array) -> Alike | None:
    """Look for the largest region outside a mask that has the mask's colours and not those of the rest.

    Args:
        image: ``uint8[H, W, 3]``, RGB.
        mask: ``uint8[H, W]``, 0 to 255.

    Returns:
        None where inside or outside has too few pixels.
    """
    binary: UInt8Array = np.asarray(to_common(mask, SIDE) > 127).view(np.uint8)
    height, width = binary.shape
    inside: UInt8Array = np.asarray(cv2.erode(binary, np.ones((3, 3), np.uint8)), np.uint8)
    if np.count_nonzero(inside) < LEAST_PIXELS:
        inside = binary
    reach = max(1, round(MARGIN * math.hypot(height, width)))
    outside = 1 - cv2.dilate(binary, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    if min(np.count_nonzero(inside), np.count_nonzero(outside)) < LEAST_PIXELS:
        return None
    bins = _bins(_resized(image))
    ours, others = _histogram(bins[inside > 0]), _histogram(bins[outside > 0])
    likely = (ours / np.maximum(ours + others, 1e-12)).astype(np.float32)[bins]
    region = ((cv2.GaussianBlur(likely, (5, 5), 0) > LIKELY) & (outside > 0)).view(np.uint8)
    opened = cv2.morphologyEx(region, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, _, figures, _ = cv2.connectedComponentsWithStats(opened)
    largest = int(figures[1:, cv2.CC_STAT_AREA].max()) if count > 1 else 0
    return Alike(float(np.sqrt(ours * others).sum()), largest / (largest + int(np.count_nonzero(binary))))


def _resized(image: UInt8Array) -> UInt8Array:
    height, width = common_size(image.shape[0], image.shape[1], SIDE)
    how = cv2.INTER_AREA if max(image.shape[:2]) > SIDE else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(np.ascontiguousarray(image), (width, height), interpolation=how), np.uint8)


def _bins(image: UInt8Array) -> IntArray:
    """Number of each pixel's colour bin, ``int64[H, W]``."""
    lab = cv2.cvtColor(cv2.GaussianBlur(image, (3, 3), 0), cv2.COLOR_RGB2Lab).astype(np.int64)
    light = lab[..., 0] * BINS[0] // 256
    a, b = (np.clip(lab[..., channel] - 64, 0, 127) * BINS[channel] // 128 for channel in (1, 2))
    return np.asarray((light * BINS[1] + a) * BINS[2] + b)


def _histogram(bins: IntArray) -> Histogram:
    """Shares of the bins, smoothed by 1, 2, 1 along each axis, so that a bin's limits cut nothing apart."""
    counts: FloatArray = np.bincount(bins, minlength=math.prod(BINS)).reshape(BINS).astype(np.float64)
    for axis in range(3):
        counts = np.moveaxis(counts, axis, 0)
        padded = np.pad(counts, ((1, 1), (0, 0), (0, 0)), mode="edge")
        counts = np.moveaxis((padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4, 0, axis)
    return np.asarray(counts.ravel() / counts.sum(), np.float64)
