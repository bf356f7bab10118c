"""Images and masks at a smaller size, as the splits with ``--image-scale-to`` read them."""

import cv2
import numpy as np

from hqdata.arrays import UInt8Array
from hqdata.errors import UsageError, explain


def scaled_size(width: int, height: int, scale: float) -> tuple[int, int]:
    """Width and height after scaling, in whole pixels, at least 1.

    >>> scaled_size(2250, 1500, 0.2), scaled_size(400, 3, 0.1)
    ((450, 300), (40, 1))

    Raises:
        UsageError: the scale is not above 0 and at most 1.
    """
    if not 0 < scale <= 1:
        raise UsageError(explain("images are only ever read smaller", expected="a scale above 0, at most 1", got=scale))
    return max(1, round(width * scale)), max(1, round(height * scale))


def rescale(pixels: UInt8Array, scale: float) -> UInt8Array:
    """Reduce an image ``uint8[H, W, 3]`` or a mask ``uint8[H, W]`` to means over areas; a mask's edge becomes soft.

    Args:
        pixels: what to reduce.
        scale: of width and height, above 0, at most 1.

    Returns:
        ``uint8``, of the size that :func:`scaled_size` says; the array itself where nothing changes.
    """
    height, width = pixels.shape[:2]
    size = scaled_size(width, height, scale)
    if size == (width, height):
        return pixels
    return np.asarray(cv2.resize(np.ascontiguousarray(pixels), size, interpolation=cv2.INTER_AREA), np.uint8)
