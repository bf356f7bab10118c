"""Images with detail at every scale, as keypoints need it."""

import cv2
import numpy as np

from hqdata.arrays import UInt8Array


def texture(height: int, width: int, seed: int = 0) -> UInt8Array:
    """Soft spots and fine grain: ``uint8[H, W]``."""
    rng = np.random.default_rng(seed)
    whole = np.zeros((height, width), np.float32)
    for spread, weight in ((12, 30), (5, 25), (2.5, 20), (1.2, 10)):
        noise = cv2.GaussianBlur(rng.standard_normal((height, width)).astype(np.float32), (0, 0), spread)
        whole += weight * noise / noise.std()
    return np.clip(128 + whole, 0, 255).astype(np.uint8)
