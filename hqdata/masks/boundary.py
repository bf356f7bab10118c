"""Boundary IoU: how well two masks agree near their edges.

The band of a mask is what ``cv2.erode`` with 3 x 3 ones and ``iterations=d`` takes from it, with zeros beyond the image
(Cheng et al., "Boundary IoU", CVPR 2021). Here it is computed to the same bits in less time: packed words above about
0.3 megapixels, ``cv2.erode`` below.

An empty union: where neither mask has a foreground pixel, IoU and boundary IoU are 1, for nothing was to be found and
nothing was; where only one has, they are 0.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from hqdata.arrays import BoolArray, UInt8Array
from hqdata.masks.bits import Words, count, erode_square, pack, unpack

RATIO = 0.02
_PACKED_PIXELS = 300_000
_ONES = np.ones((3, 3), np.uint8)


def band_width(height: int, width: int, ratio: float = RATIO) -> int:
    """Width ``d`` of the band in pixels: ``ratio`` of the image's diagonal, rounded, at least 1.

    >>> band_width(300, 400), band_width(4, 4)
    (10, 1)
    """
    return max(1, round(ratio * math.hypot(height, width)))


def band(mask: BoolArray | UInt8Array, d: int) -> BoolArray:
    """Foreground pixels nearer than ``d`` steps of 3 x 3 erosion to the background or the image's edge.

    Args:
        mask: ``[H, W]``; anything but 0 is foreground.
        d: width in pixels, at least 1.

    Returns:
        ``bool[H, W]``.
    """
    if mask.size >= _PACKED_PIXELS:
        words = pack(_plain(mask))
        return unpack(words & ~erode_square(words, d), mask.shape[1])
    return _plain_band(_plain(mask), d).view(np.bool_)


def _plain(mask: BoolArray | UInt8Array) -> UInt8Array:
    """``uint8[H, W]``, contiguous; the same memory where it can be."""
    return np.ascontiguousarray(mask).view(np.uint8)


def _plain_band(mask: UInt8Array, d: int) -> UInt8Array:
    """``uint8[H, W]``, 0 and 1."""
    padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    inner = cv2.erode(padded, _ONES, iterations=d)[1:-1, 1:-1]
    return np.asarray((mask != 0) & (inner == 0)).view(np.uint8)


@dataclass(frozen=True)
class Banded:
    """A mask whose band is kept, so that many others can be held against it.

    Args:
        mask: ``[H, W]``; anything but 0 is foreground.
        d: band width in pixels; by default that of Boundary IoU.
    """

    mask: BoolArray | UInt8Array
    d: int | None = None

    @cached_property
    def width(self) -> int:
        """Band width in pixels."""
        return self.d or band_width(*self.mask.shape)

    @cached_property
    def words(self) -> Words:
        """The mask, packed."""
        return pack(_plain(self.mask))

    @cached_property
    def band_words(self) -> Words:
        """The band, packed."""
        if self.mask.size < _PACKED_PIXELS:
            return pack(_plain_band(_plain(self.mask), self.width))
        return self.words & ~erode_square(self.words, self.width)

    def iou(self, other: "Banded | BoolArray | UInt8Array") -> float:
        """Intersection over union of the masks."""
        return _ratio(self.words, self._as_banded(other).words)

    def boundary_iou(self, other: "Banded | BoolArray | UInt8Array") -> float:
        """Intersection over union of the bands."""
        return _ratio(self.band_words, self._as_banded(other).band_words)

    def _as_banded(self, other: "Banded | BoolArray | UInt8Array") -> "Banded":
        if not isinstance(other, Banded):
            other = Banded(other, self.width)
        if other.mask.shape != self.mask.shape or other.width != self.width:
            raise ValueError(
                f"masks of {self.mask.shape} and band {self.width} against {other.mask.shape} and band {other.width}"
            )
        return other


def _ratio(a: Words, b: Words) -> float:
    union = count(a | b)
    return count(a & b) / union if union else 1.0


def iou(a: BoolArray | UInt8Array, b: BoolArray | UInt8Array) -> float:
    """Intersection over union of two masks ``[H, W]`` of one size; 1 where both are empty.

    Raises:
        ValueError: the sizes differ.
    """
    return Banded(a).iou(b)


def boundary_iou(a: BoolArray | UInt8Array, b: BoolArray | UInt8Array, d: int | None = None) -> float:
    """Boundary IoU of two masks ``[H, W]`` of one size; 1 where both are empty.

    Raises:
        ValueError: the sizes differ.
    """
    return Banded(a, d).boundary_iou(b)
