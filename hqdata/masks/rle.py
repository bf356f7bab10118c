"""COCO run-length codes, through pycocotools."""

import threading
import warnings
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco

from hqdata.arrays import BoolArray, UInt8Array

_QUIET = threading.Lock()
"""Filters of warnings belong to the whole process."""


def encode(mask: BoolArray | UInt8Array) -> dict[str, Any]:
    """Encode ``bool`` or ``uint8[H, W]``; anything but 0 is foreground.

    The code runs down the columns; transposing with OpenCV gives pycocotools that order in half the time of numpy.

    Returns:
        ``size`` (height, width) and ``counts`` (compressed, as text).
    """
    height, width = mask.shape
    if height == 0 or width == 0:
        return {"size": [height, width], "counts": ""}
    # pycocotools takes any change of value for the end of a run.
    plain = np.ascontiguousarray(mask if mask.dtype == np.bool_ else mask != 0).view(np.uint8)
    code = coco.encode(cv2.transpose(plain).T)
    return {"size": [height, width], "counts": code["counts"].decode("ascii")}


def decode(code: Mapping[str, Any]) -> UInt8Array:
    """Decode to ``uint8[H, W]``, 0 and 1.

    Raises:
        ValueError: the runs do not fit the size.
    """
    with _QUIET, warnings.catch_warnings():
        # pycocotools hands its result over in the way of NumPy 1, of which NumPy 2 warns.
        warnings.simplefilter("ignore", DeprecationWarning)
        pixels: UInt8Array = coco.decode(raw(code))
    return np.ascontiguousarray(pixels)


def area(code: Mapping[str, Any]) -> int:
    """Number of foreground pixels."""
    return int(coco.area(raw(code)))


def box(code: Mapping[str, Any]) -> tuple[int, int, int, int]:
    """Left, top, width, height in pixels; zeros where the mask is empty."""
    left, top, width, height = (int(value) for value in coco.toBbox(raw(code)))
    return left, top, width, height


def raw(code: Mapping[str, Any]) -> dict[str, Any]:
    """Code in the form that pycocotools takes: ``counts`` as bytes."""
    counts = code["counts"]
    return {"size": list(code["size"]), "counts": counts.encode("ascii") if isinstance(counts, str) else counts}
