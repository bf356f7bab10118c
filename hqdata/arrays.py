"""Names of array types."""

from typing import Any, TypeAlias

import numpy as np

UInt8Array: TypeAlias = np.ndarray[Any, np.dtype[np.uint8]]
"""An image ``[H, W, 3]`` or a mask ``[H, W]``, 0 to 255."""

BoolArray: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]
"""A binary mask ``[H, W]``."""

FloatArray: TypeAlias = np.ndarray[Any, np.dtype[np.floating[Any]]]
"""Figures for each pixel ``[H, W]``."""

IntArray: TypeAlias = np.ndarray[Any, np.dtype[np.integer[Any]]]
"""Whole numbers of any width and shape."""

HashArray: TypeAlias = np.ndarray[Any, np.dtype[np.uint64]]
"""Hashes or codes of 64 bits."""
