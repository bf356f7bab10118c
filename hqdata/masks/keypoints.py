"""Keypoints of an image as codes of 128 bits: what finds copies that were cropped, turned or painted over in part.

Descriptors are SIFT's (Lowe, IJCV 2004) with the square root of Arandjelovic and Zisserman (CVPR 2012). A code holds
the signs of 128 fixed random projections (Charikar, STOC 2002). The second half of the projections is the first half
seen in a mirror, so that swapping the two words of a code gives the code of the mirrored image.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np

from hqdata.arrays import FloatArray, HashArray, IntArray, UInt8Array

_SEED = 44320
_CELLS = 4
"""Keypoints are spread over this many rows and columns of cells: a background needs some, too."""


@dataclass(frozen=True, slots=True)
class Keypoints:
    """Keypoints of an image, strongest first."""

    points: FloatArray
    """``float32[N, 4]``: x and y in pixels, diameter in pixels, angle in degrees."""
    descriptors: FloatArray
    """``float32[N, 128]``, RootSIFT, of length 1."""


def keypoints(grey: UInt8Array, count: int, mask: UInt8Array | None = None) -> Keypoints:
    """Find keypoints, spread over the image.

    Args:
        grey: ``uint8[H, W]``.
        count: most that are given.
        mask: ``uint8[H, W]``, 0 to 255; if given, object and background each have their share.
    """
    found, descriptors = cv2.SIFT_create(nfeatures=4 * count).detectAndCompute(np.ascontiguousarray(grey), None)  # type: ignore[attr-defined]
    if descriptors is None:
        return Keypoints(np.zeros((0, 4), np.float32), np.zeros((0, 128), np.float32))
    points = np.array([(*point.pt, point.size, point.angle) for point in found], np.float32)
    strength = np.array([point.response for point in found], np.float32)
    chosen = _spread(points, strength, _cells(points, grey.shape, mask), count)
    whole = np.asarray(descriptors[chosen], np.float32)
    roots = np.sqrt(whole / np.maximum(whole.sum(axis=1, keepdims=True), 1e-6))
    return Keypoints(points[chosen], roots)


def _cells(points: FloatArray, shape: tuple[int, ...], mask: UInt8Array | None) -> IntArray:
    """Number of the cell that each keypoint lies in; cells inside a mask are others than those outside."""
    x, y = (np.clip(points[:, axis].astype(int), 0, shape[1 - axis] - 1) for axis in (0, 1))
    cell = y * _CELLS // shape[0] * _CELLS + x * _CELLS // shape[1]
    return np.asarray(cell if mask is None else cell + _CELLS * _CELLS * (mask[y, x] > 127))


def _spread(points: FloatArray, strength: FloatArray, cells: IntArray, count: int) -> IntArray:
    """Positions of the strongest keypoints, cell by cell in turn."""
    order = np.lexsort((points[:, 1], points[:, 0], -strength))
    cell = cells[order]
    place = np.empty(len(order), int)
    for number in np.unique(cell):
        members = np.flatnonzero(cell == number)
        place[members] = np.arange(len(members))
    return np.asarray(order[np.argsort(place, kind="stable")[:count]])


def codes(descriptors: FloatArray) -> HashArray:
    """Codes of descriptors ``float32[N, 128]``: ``uint64[N, 2]``."""
    signs = descriptors @ _projections().T > 0
    return np.packbits(signs, axis=1, bitorder="little").view("<u8").astype(np.uint64)


def mirrored(codes: HashArray) -> HashArray:
    """Codes of the same keypoints in the image mirrored left to right."""
    return codes[:, ::-1]


@lru_cache(maxsize=1)
def _projections() -> FloatArray:
    """``float32[128, 128]``; every row sums to 0, so that what all descriptors have in common does not count."""
    rng = np.random.default_rng(_SEED)
    half = rng.standard_normal((64, 128))
    half -= half.mean(axis=1, keepdims=True)
    return np.concatenate([half, half[:, mirror_order()]]).astype(np.float32)


def mirror_order() -> Any:
    """Where each of the 128 bins of a SIFT descriptor goes in a mirror: 4 x 4 cells of 8 directions."""
    down, across, turn = np.meshgrid(np.arange(4), np.arange(4), np.arange(8), indexing="ij")
    return ((3 - down) * 32 + across * 8 + (-turn) % 8).ravel()


def mirrored_keypoints(found: Keypoints, width: int) -> Keypoints:
    """The same keypoints in the image, ``width`` pixels wide, mirrored left to right."""
    return Keypoints(mirrored_points(found.points, width), found.descriptors[:, mirror_order()])


def mirrored_points(points: FloatArray, width: IntArray | int) -> FloatArray:
    """Places and angles ``float32[N, 4]`` in images mirrored left to right, each ``width`` pixels wide."""
    turned = points.copy()
    turned[:, 0] = width - 1 - turned[:, 0]
    turned[:, 3] = (180 - turned[:, 3]) % 360
    return turned
