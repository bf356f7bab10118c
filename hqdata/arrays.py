"""Names of array types."""

from typing import Any, TypeAlias

import numpy as np

UInt8Array: TypeAlias = np.ndarray[Any, np.dtype[np.uint8]]
"""An image ``[H, W, 3]`` or a mask ``[H, W]``, 0 to 255."""
