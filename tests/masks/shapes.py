"""Masks for tests: drawn as text, drawn at random, and real ones."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from hqdata.arrays import UInt8Array


def text_mask(text: str) -> UInt8Array:
    """``#`` is foreground, ``.`` is background; one line a row."""
    rows = text.split()
    return np.array([[letter == "#" for letter in row] for row in rows], np.uint8)


def random_masks(count: int, *, seed: int, side: int = 150) -> Iterator[UInt8Array]:
    """Blobs and specks of any size from 1 x 1 on, some of them empty or full."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        height, width = rng.integers(1, side, 2)
        noise = cv2.GaussianBlur(rng.standard_normal((height, width)).astype(np.float32), (0, 0), rng.uniform(0.3, 9))
        yield (noise > np.quantile(noise, rng.uniform(0, 1)) - rng.integers(0, 2) * 1e-3).astype(np.uint8)


def blob(side: int, seed: int) -> UInt8Array:
    """A large smooth shape with holes that touches the rim: ``uint8[side, side]``, 0 and 1."""
    rng = np.random.default_rng(seed)
    noise = cv2.GaussianBlur(rng.standard_normal((side, side)).astype(np.float32), (0, 0), side / 14)
    return (noise > -0.2 * noise.std()).astype(np.uint8)


def disk(side: int, radius: float) -> UInt8Array:
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    return (np.hypot(y, x) <= radius).astype(np.uint8)


def real_greys(folder: Path, pattern: str, count: int) -> list[UInt8Array]:
    """Every n-th real file as 8-bit grey."""
    paths = sorted(folder.glob(pattern))
    return [np.asarray(Image.open(path).convert("L")) for path in paths[:: max(1, len(paths) // count)]]


def real_masks(real: Path) -> list[UInt8Array]:
    """Greys of some real masks: small, noisy, hard-edged and of several megapixels."""
    return [
        *real_greys(real, "DUTS/DUTS-TR/DUTS-TR-Mask/*.png", 8),
        *real_greys(real, "ECSSD/ground_truth_mask/*.png", 6),
        *real_greys(real, "DIS5K/DIS-TE-sample/gt/*.png", 1)[:1],
    ]
