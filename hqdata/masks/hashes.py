"""Perceptual hashes of 64 bits, equal bit for bit to those of the package imagehash."""

from typing import Any

import numpy as np
from PIL import Image

from hqdata.arrays import UInt8Array

_SIDE, _KEPT = 32, 8
_ANGLES = np.pi * np.outer(np.arange(_KEPT), 2 * np.arange(_SIDE) + 1) / (2 * _SIDE)
_COSINES = 2 * np.cos(_ANGLES)
_DECIMALS = 6


def dhash(grey: UInt8Array) -> int:
    """Difference hash: whether each of 8 x 8 pixels is darker than its right neighbour.

    Args:
        grey: ``uint8[H, W]``.

    Returns:
        64 bits, row by row, the first one highest.
    """
    small = _resized(grey, _KEPT + 1, _KEPT)
    return _bits(small[:, 1:] > small[:, :-1])


def phash(grey: UInt8Array) -> int:
    """Perceptual hash: which of the 8 x 8 lowest cosine coefficients of a 32 x 32 thumbnail exceed their median."""
    return _phash(_resized(grey, _SIDE, _SIDE))


def phash_both(grey: UInt8Array) -> tuple[int, int]:
    """Perceptual hash of an image and of its mirror image (left to right)."""
    small = _resized(grey, _SIDE, _SIDE)
    return _phash(small), _phash(small[:, ::-1])


def _resized(grey: UInt8Array, width: int, height: int) -> UInt8Array:
    return np.asarray(Image.fromarray(grey).resize((width, height), Image.Resampling.LANCZOS))


def _phash(small: UInt8Array) -> int:
    # Rounded, so that the coefficients of flat images are zeros and not the machine's rounding errors.
    low = np.round(_COSINES @ small.astype(np.float64) @ _COSINES.T, _DECIMALS)
    return _bits(low > np.median(low))


def _bits(flags: np.ndarray[Any, np.dtype[np.bool_]]) -> int:
    return int.from_bytes(np.packbits(flags).tobytes(), "big")
