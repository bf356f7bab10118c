"""Bringing one image onto another: the affine map that their keypoints agree on, and where the two then look alike."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import numpy as np

from hqdata.arrays import BoolArray, FloatArray, UInt8Array
from hqdata.masks.keypoints import Keypoints

Affine: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]
"""``float64[2, 3]``: takes ``(x, y, 1)`` of one image to pixels of another."""

RATIO = 0.85
"""A keypoint's match has to be this much nearer than the next best (Lowe's test, on squared lengths)."""
_PIXELS = 3.0
"""How far a keypoint may lie from where the map puts it."""
LEAST_MATCHES = 6
"""Keypoints that have to agree on an affine map, which three determine."""
_LEAST_SCALE, _MOST_SCALE = 0.1, 10.0
_MOST_STRETCH = 1.6
"""Largest scale over smallest scale of a map; beyond that it is a chance fit."""

ALIKE = 0.7
"""Least size of the correlation of two tiles that show the same. Its sign does not count: other hues may turn it."""
_TEXTURE = 3.0
"""Standard deviation in grey levels above which a tile can be compared."""
_FLAT = 1.5
"""Below this a tile is plain; against a tile of more than twice the texture limit it shows something else."""
_TONE = 12.0
"""Grey levels by which a plain tile may miss its expected mean."""
_TILES_ACROSS = 16
_LEAST_TILE, _MOST_TILE = 8, 24


def full_frame(left: tuple[int, ...], right: tuple[int, ...]) -> Affine:
    """Map that takes the corners of an image of shape ``left`` to those of one of shape ``right``.

    >>> full_frame((10, 20), (5, 10)).tolist()
    [[0.5, 0.0, -0.25], [0.0, 0.5, -0.25]]
    """
    across, down = right[1] / left[1], right[0] / left[0]
    return np.array([[across, 0.0, (across - 1) / 2], [0.0, down, (down - 1) / 2]])


def fit(left: Keypoints, right: Keypoints) -> Affine | None:
    """Affine map from left to right on which the keypoints' mutual best matches agree; None if too few do."""
    if min(len(left.points), len(right.points)) < LEAST_MATCHES:
        return None
    likeness = left.descriptors @ right.descriptors.T
    forth, back = likeness.argmax(axis=1), likeness.argmax(axis=0)
    rows = np.arange(len(forth))
    best = likeness[rows, forth]
    likeness[rows, forth] = -1
    clear = (2 - 2 * best) <= RATIO * (2 - 2 * likeness.max(axis=1))
    matched = rows[(back[forth] == rows) & clear]
    if len(matched) < LEAST_MATCHES:
        return None
    cv2.setRNGSeed(0)
    found, inliers = cv2.estimateAffine2D(
        left.points[matched, :2], right.points[forth[matched], :2], ransacReprojThreshold=_PIXELS, maxIters=2000
    )
    if found is None or int(np.count_nonzero(inliers)) < LEAST_MATCHES:
        return None
    sizes = np.linalg.svd(found[:, :2], compute_uv=False)
    plausible = sizes[1] >= _LEAST_SCALE and sizes[0] <= min(_MOST_SCALE, _MOST_STRETCH * sizes[1])
    return np.asarray(found, np.float64) if plausible and np.linalg.det(found[:, :2]) > 0 else None


def similarity(scale: float, turn: float, across: float, down: float) -> Affine:
    """Map that scales, turns by ``turn`` degrees and shifts.

    >>> similarity(2.0, 0.0, 5.0, -1.0).tolist()
    [[2.0, -0.0, 5.0], [0.0, 2.0, -1.0]]
    """
    cos, sin = scale * np.cos(np.radians(turn)), scale * np.sin(np.radians(turn))
    return np.array([[cos, -sin, across], [sin, cos, down]])


def inverse(map_: Affine) -> Affine:
    """Map back."""
    return np.asarray(cv2.invertAffineTransform(map_), np.float64)


def scale_of(map_: Affine) -> float:
    """Length in the right image of one pixel of the left one."""
    return float(np.sqrt(abs(np.linalg.det(map_[:, :2]))))


def turn_of(map_: Affine) -> float:
    """Turn in degrees, -180 to 180."""
    return float(np.degrees(np.arctan2(map_[1, 0], map_[0, 0])))


@dataclass(frozen=True, slots=True)
class Agreement:
    """Where two images look alike, tile by tile, in the frame of the coarser one."""

    same: BoolArray
    """``bool[rows, columns]``: tiles that look alike."""
    other: BoolArray
    """``bool[rows, columns]``: tiles that do not; a tile that is plain in both images is neither."""
    tile: int
    """Side of a tile in pixels of the frame."""
    valid: BoolArray
    """``bool[H, W]``: pixels of the frame that both images cover."""
    plain: BoolArray
    """``bool[rows, columns]``: tiles that are plain in both images."""
    tones: tuple[FloatArray, FloatArray]
    """Mean grey of each tile in the frame and in the other image: ``float32[rows, columns]``."""

    def share(self, tiles: BoolArray | None = None) -> float | None:
        """Share of the compared tiles that look alike, among ``tiles`` if given; None where none was compared."""
        chosen = slice(None) if tiles is None else tiles
        same, other = int(self.same[chosen].sum()), int(self.other[chosen].sum())
        return same / (same + other) if same + other else None

    def compared(self, tiles: BoolArray | None = None) -> int:
        """Number of tiles that could be compared."""
        chosen = slice(None) if tiles is None else tiles
        return int(self.same[chosen].sum() + self.other[chosen].sum())

    def share_of_tones(self, tiles: BoolArray) -> float | None:
        """Share of the plain tiles among ``tiles`` whose greys differ as those of alike tiles do; None without any."""
        chosen = self.plain & tiles
        if not chosen.any():
            return None
        left, right = (side[self.same].astype(np.float64) for side in self.tones)
        gain, offset = 1.0, float((right - left).mean()) if left.size else 0.0
        if left.size > 2 and left.std() > _TONE:
            gain, offset = np.polyfit(left, right, 1)
        expected = gain * self.tones[0][chosen] + offset
        return float((np.abs(expected - self.tones[1][chosen]) <= _TONE).mean())

    def by_tile(self, pixels: BoolArray) -> FloatArray:
        """Mean over each tile of something known for each pixel of the frame."""
        return np.asarray(_tiled(pixels.astype(np.float32), self.tile).mean(axis=(2, 3)))


def agree(frame: UInt8Array, image: UInt8Array, to_frame: Affine) -> Agreement:
    """Compare an image, brought into the frame of another, with that one.

    Args:
        frame: ``uint8[H, W]``, grey; the coarser of the two.
        image: ``uint8[h, w]``, grey.
        to_frame: takes pixels of ``image`` to pixels of ``frame``.
    """
    height, width = frame.shape
    finer = 1 / max(scale_of(to_frame), 1e-6)
    smooth = cv2.GaussianBlur(np.ascontiguousarray(image), (0, 0), max(0.45 * finer, 0.3)) if finer > 1.1 else image
    brought = cv2.warpAffine(np.ascontiguousarray(smooth), to_frame, (width, height), flags=cv2.INTER_LINEAR)
    cover = cv2.warpAffine(np.full(image.shape, 255, np.uint8), to_frame, (width, height), flags=cv2.INTER_LINEAR)
    valid = np.asarray(cover > 254)
    tile = int(np.clip(np.sqrt(np.count_nonzero(valid)) / _TILES_ACROSS, _LEAST_TILE, _MOST_TILE))
    one, two = (_tiled(cv2.GaussianBlur(side, (0, 0), 1.0).astype(np.float32), tile) for side in (frame, brought))
    whole = _tiled(valid.astype(np.uint8), tile).min(axis=(2, 3)) > 0
    tones = one.mean(axis=(2, 3)), two.mean(axis=(2, 3))
    one, two = (side - mean[:, :, None, None] for side, mean in zip((one, two), tones, strict=True))
    left, right = (np.sqrt(np.square(side).mean(axis=(2, 3))) for side in (one, two))
    alike = np.abs((one * two).mean(axis=(2, 3))) >= ALIKE * left * right
    both = whole & (left >= _TEXTURE) & (right >= _TEXTURE)
    one_plain = whole & (np.minimum(left, right) < _FLAT) & (np.maximum(left, right) > 2 * _TEXTURE)
    plain = whole & (np.maximum(left, right) < _TEXTURE)
    return Agreement(both & alike, (both & ~alike) | one_plain, tile, valid, plain, tones)


def bring(mask: UInt8Array, to_frame: Affine, shape: tuple[int, ...]) -> BoolArray:
    """Bring a binary mask into a frame of ``shape``."""
    brought = cv2.warpAffine(np.ascontiguousarray(mask), to_frame, shape[1::-1], flags=cv2.INTER_LINEAR)
    return np.asarray(brought > 127)


def bring_image(rgb: UInt8Array, to_frame: Affine, shape: tuple[int, ...]) -> UInt8Array:
    """Bring ``uint8[h, w, 3]`` into a frame of ``shape``."""
    return np.asarray(cv2.warpAffine(np.ascontiguousarray(rgb), to_frame, shape[1::-1], flags=cv2.INTER_LINEAR))


def _tiled(pixels: FloatArray | UInt8Array, tile: int) -> FloatArray:
    """``[H, W]`` as ``[rows, columns, tile, tile]``; what does not fill a tile at the right and below is left out."""
    rows, columns = pixels.shape[0] // tile, pixels.shape[1] // tile
    cut = pixels[: rows * tile, : columns * tile]
    return np.asarray(cut.reshape(rows, tile, columns, tile).swapaxes(1, 2))
