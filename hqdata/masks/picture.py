"""Figures of an image, and of how well a mask's edge follows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from hqdata.arrays import FloatArray, IntArray, UInt8Array
from hqdata.masks.trace import edge_pixels

COMMON_SIDE = 1024
_LUMINANCE = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
).ravel()
"""Table K.1 of the JPEG standard (ITU-T T.81)."""


def common_size(height: int, width: int, side: int = COMMON_SIDE) -> tuple[int, int]:
    """Height and width with ``side`` pixels on the long side.

    >>> common_size(300, 400)
    (768, 1024)
    """
    scale = side / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def to_common(grey: UInt8Array, side: int = COMMON_SIDE) -> UInt8Array:
    """Bring ``uint8[H, W]`` to ``side`` pixels on its long side: area means when shrinking, else bilinear."""
    height, width = common_size(grey.shape[0], grey.shape[1], side)
    if (height, width) == grey.shape:
        return grey
    how = cv2.INTER_AREA if max(grey.shape) > side else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(np.ascontiguousarray(grey), (width, height), interpolation=how), np.uint8)


def sharpness(grey: UInt8Array) -> float:
    """Variance of the 4-neighbour Laplacian of ``uint8[H, W]``, mirrored at the rim; in squared grey levels."""
    _, deviation = cv2.meanStdDev(cv2.Laplacian(np.ascontiguousarray(grey), cv2.CV_16S, ksize=1))
    return float(deviation[0, 0]) ** 2


@dataclass(frozen=True, slots=True)
class Gradient:
    """Gradient of a slightly blurred image; kept, so that many masks can be held against one image."""

    across: IntArray
    down: IntArray
    size: FloatArray
    mean: float
    """Mean of ``size`` over the image."""


def gradient(grey: UInt8Array) -> Gradient:
    """Sobel gradient (3 x 3) of ``uint8[H, W]`` after a Gaussian of 1 pixel: ``int16[H, W]``, its size ``float32``."""
    blurred = cv2.GaussianBlur(np.ascontiguousarray(grey), (7, 7), 1.0)
    across, down = (np.asarray(part, np.int16) for part in cv2.spatialGradient(blurred))
    # cv2.magnitude and cv2.mean differ in the last bits from call to call; this is the same everywhere.
    squares = np.square(across, dtype=np.int32)
    squares += np.square(down, dtype=np.int32)
    size = np.sqrt(squares, dtype=np.float32)
    return Gradient(across, down, size, float(size.sum(dtype=np.float64)) / size.size)


def edge_figures(binary: UInt8Array, image: Gradient) -> tuple[float | None, float | None]:
    """How a mask's edge lies in the image's gradient.

    Args:
        binary: ``uint8[H, W]``, 0 and 1.
        image: gradient of an image of that size.

    Returns:
        Alignment: the part of the gradient that is normal to the edge, over all of it, 0 to 1 (2 / pi = 0.64 where they
        have nothing to do with each other). Strength: mean gradient on the edge over that of the whole image. None
        where there is no edge or no gradient.
    """
    x, y, w, h = cv2.boundingRect(binary)
    if w == 0 or image.mean == 0:
        return None, None
    height, width = binary.shape
    part = (slice(max(y - 4, 0), min(y + h + 4, height)), slice(max(x - 4, 0), min(x + w + 4, width)))
    near = np.ascontiguousarray(binary[part])
    edge = edge_pixels(near)
    gradients = image.size[part][edge].astype(np.float64)
    total = float(gradients.sum())
    if total == 0:
        return None, 0.0 if len(gradients) else None
    blurred = cv2.GaussianBlur(near * np.uint8(255), (9, 9), 1.5)
    across, down = cv2.spatialGradient(blurred)
    nx, ny = across[edge].astype(np.float64), down[edge].astype(np.float64)
    length = np.hypot(nx, ny)
    normal = np.abs(image.across[part][edge] * nx + image.down[part][edge] * ny) / np.where(length > 0, length, 1.0)
    return min(1.0, float(normal.sum()) / total), total / len(gradients) / image.mean


def jpeg_quality(tables: Mapping[int, Sequence[int]]) -> int | None:
    """Quality (1 to 100) at which libjpeg would have written the luminance table that comes nearest.

    Args:
        tables: quantisation tables by number, in row order, as Pillow's ``image.quantization`` gives them.

    Returns:
        None where there is no table, so for anything but JPEG.
    """
    if not tables:
        return None
    table = np.asarray(tables[min(tables)], np.int64)
    quality = np.arange(1, 101)
    scale = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    written = np.clip((_LUMINANCE * scale[:, None] + 50) // 100, 1, 255)
    apart = np.abs(written - table).sum(axis=1)
    return int(quality[::-1][np.argmin(apart[::-1])])
