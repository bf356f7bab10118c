"""The widest place of a mask: the exact Euclidean distance transform's maximum, without the exact transform.

OpenCV's 5 x 5 chamfer distance ``c`` of a pixel bounds its Euclidean distance ``d``: its steps cost 1 (straight), 1.4
(diagonal) and 2.1969 (knight's move), so that ``c / d`` is linear over each sector between neighbouring steps and lies
between 2.1969 / sqrt(5) = 0.98249 and sqrt(1 + 0.1969^2) = 1.01920. Only pixels whose upper bound exceeds a distance
that is already known are then measured exactly, column by column: seven times faster than an exact transform.
"""

import math

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from hqdata.arrays import IntArray, UInt8Array

LOWER = 2.1969 / math.sqrt(5)
UPPER = math.hypot(1, 0.1969)
_SLACK = 1 - 1e-4
"""OpenCV adds up rounded steps; their errors stay far below this share."""
_BLOCK = 1 << 19
"""Distances computed at once."""


def largest_square(mask: UInt8Array) -> int:
    """Squared distance from the mask's innermost pixel to the nearest background pixel.

    Args:
        mask: ``uint8[H, W]``, 0 and 1; its first and last row and column must be 0.

    Returns:
        ``max(scipy.ndimage.distance_transform_edt(mask)) ** 2``, exactly; 0 for an empty mask.
    """
    rough = cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_5)
    top = float(rough.max(initial=0.0))
    if top == 0:
        return 0
    reach = math.ceil(top / LOWER / _SLACK) + 1
    least = top / UPPER * LOWER * _SLACK * _SLACK
    places = np.flatnonzero(rough >= least)
    places = places[np.argsort(-rough.ravel()[places], kind="stable")]
    upper = np.square(rough.ravel()[places].astype(np.float64) / (LOWER * _SLACK))
    rows, columns = np.divmod(places, mask.shape[1])
    first = int(rows.min())
    gaps = _column_gaps(mask, first, int(rows.max()), reach)
    rows = rows - first
    # The frame's columns are background, so what is put beyond them is never nearer.
    windows = sliding_window_view(np.pad(gaps, ((0, 0), (reach, reach))), 2 * reach + 1, axis=1)
    best, done, size = 0, 0, 1
    while done < len(rows) and upper[done] > best:
        part = slice(done, done + size)
        best = max(best, int(_exact(windows, rows[part], columns[part]).max()))
        done += size
        size = max(1, _BLOCK // (2 * reach + 1))
    return best


def _column_gaps(mask: UInt8Array, first: int, last: int, reach: int) -> IntArray:
    """Steps up or down to the nearest background pixel of the same column, of rows ``first`` to ``last``.

    Returns:
        ``int16[last - first + 1, W]``; beyond ``reach`` any number above it.
    """
    above = min(first, reach)
    below = min(mask.shape[0] - 1 - last, reach)
    part = mask[first - above : last + 1 + below].astype(np.int16)
    # Beyond its ends the part goes on as foreground, for any background there is out of reach.
    gaps = np.full_like(part, reach + 1)
    run = np.full(part.shape[1], reach + 1, np.int16)
    for row in range(len(part) - below):
        run = np.minimum(run + 1, reach + 1) * part[row]
        gaps[row] = run
    run = np.full(part.shape[1], reach + 1, np.int16)
    for row in range(len(part) - 1, above - 1, -1):
        run = np.minimum(run + 1, reach + 1) * part[row]
        np.minimum(gaps[row], run, out=gaps[row])
    return gaps[above : len(part) - below]


def _exact(windows: IntArray, rows: IntArray, columns: IntArray) -> IntArray:
    """Squared distances of some pixels to the nearest background: ``int32[N]``.

    Args:
        windows: ``int16[rows, W, 2 * reach + 1]``, the gaps of the columns around each pixel.
        rows: of the pixels, ``int[N]``.
        columns: of the pixels, ``int[N]``.
    """
    squares = windows[rows, columns].astype(np.int32)
    squares *= squares
    reach = squares.shape[1] // 2
    squares += np.square(np.arange(-reach, reach + 1, dtype=np.int32))
    nearest: IntArray = squares.min(axis=1)
    return nearest
