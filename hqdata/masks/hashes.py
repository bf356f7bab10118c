"""Perceptual hashes of 64 bits, equal bit for bit to those of the package imagehash; and such of parts of an image."""

from typing import Any

import numpy as np
from PIL import Image

from hqdata.arrays import HashArray, UInt8Array

_SIDE, _KEPT = 32, 8
_ANGLES = np.pi * np.outer(np.arange(_KEPT), 2 * np.arange(_SIDE) + 1) / (2 * _SIDE)
_COSINES = 2 * np.cos(_ANGLES)
_DECIMALS = 6
TILES = 4
"""Rows and columns of tiles that are hashed one by one."""
_PLAIN = 2.0
"""Standard deviation in grey levels below which a tile's thumbnail says nothing."""
_LOPSIDED = 8
"""A difference hash with fewer ones, or fewer zeros, is a mere slope of brightness."""


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


def tile_hashes(grey: UInt8Array) -> HashArray:
    """Difference hashes of 4 x 4 tiles of ``uint8[H, W]``, row by row; 0 for tiles that are plain or a mere slope.

    They stay the same where an object is set before a part of the image.
    """
    whole = _resized(grey, TILES * (_KEPT + 1), TILES * _KEPT)
    hashes = []
    for row in np.split(whole, TILES):
        for tile in np.split(row, TILES, axis=1):
            value = _bits(tile[:, 1:] > tile[:, :-1]) if tile.std() >= _PLAIN else 0
            hashes.append(value if _LOPSIDED <= value.bit_count() <= _KEPT * _KEPT - _LOPSIDED else 0)
    return np.array(hashes, np.uint64)


def mirrored_tiles(hashes: HashArray) -> HashArray:
    """Tile hashes ``uint64[N, 16]`` of the images mirrored left to right; exact but for neighbours of equal grey."""
    sides = hashes.reshape(-1, TILES, TILES)[:, :, ::-1].reshape(hashes.shape)
    bits = np.unpackbits(np.ascontiguousarray(sides).view(np.uint8).reshape(*sides.shape, 8), axis=2, bitorder="little")
    turned = 1 - bits.reshape(*sides.shape, _KEPT, _KEPT)[..., ::-1]
    words = np.packbits(turned.reshape(*sides.shape, 64), axis=2, bitorder="little")
    return np.where(sides == 0, np.uint64(0), np.ascontiguousarray(words).view(np.uint64)[..., 0])


def _resized(grey: UInt8Array, width: int, height: int) -> UInt8Array:
    return np.asarray(Image.fromarray(grey).resize((width, height), Image.Resampling.LANCZOS))


def _phash(small: UInt8Array) -> int:
    # Rounded, so that the coefficients of flat images are zeros and not the machine's rounding errors.
    low = np.round(_COSINES @ small.astype(np.float64) @ _COSINES.T, _DECIMALS)
    return _bits(low > np.median(low))


def _bits(flags: np.ndarray[Any, np.dtype[np.bool_]]) -> int:
    return int.from_bytes(np.packbits(flags).tobytes(), "big")
