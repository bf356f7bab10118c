"""Crops of pictures, as sam-mini sees them: whole or zoomed to a mask, mirrored, recoloured, with some masks."""

from dataclasses import dataclass

import cv2
import numpy as np

from hqdata.arrays import FloatArray, IntArray, UInt8Array
from hqdata.training.mini.drawn import Picture, mask, pixels

WHOLE = 0.8
"""Share of crops that are the whole picture."""
SPAN = (0.15, 0.9)
"""How much of a zoomed crop's side the mask spans that it was zoomed to."""
_LEAST = 16
"""Pixels of a mask on the canvas; smaller ones are passed over."""
_INSIDE = 0.6
"""Least share of a mask that lies in the crop."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Crop:
    """A canvas with masks."""

    image: UInt8Array
    """``uint8[3, S, S]``, RGB."""
    size: tuple[int, int]
    """Height and width of what is not padding."""
    masks: UInt8Array
    """``uint8[masks, S, S]``, 0 to 255; the mask that was zoomed to comes first."""


def crop(picture: Picture, side: int, count: tuple[int, int], rng: np.random.Generator) -> Crop:
    """Draw one crop.

    Args:
        picture: with at least one mask.
        side: of the canvas.
        count: fewest and most masks; fewer are repeated.
        rng: source of every choice.
    """
    image = pixels(picture)
    target = int(rng.integers(len(picture.codes)))
    left, top, right, bottom = _window(picture.boxes[target], image.shape[:2], rng)
    chosen = _in_sight(picture.boxes, target, (left, top, right, bottom), count[1], rng)
    share = side / max(bottom - top, right - left)
    height, width = max(1, round((bottom - top) * share)), max(1, round((right - left) * share))
    mirrored = rng.random() < 0.5
    canvas = np.zeros((side, side, 3), np.uint8)
    canvas[:height, :width] = _recoloured(_fitted(image[top:bottom, left:right], width, height, mirrored), rng)
    masks = np.zeros((len(chosen), side, side), np.uint8)
    for row, number in enumerate(chosen):
        grey = mask(picture, number)[top:bottom, left:right] * np.uint8(255)
        masks[row, :height, :width] = _fitted(grey, width, height, mirrored)
    large = (masks > 127).sum(axis=(1, 2)) >= _LEAST
    large[0] = True
    rows = np.flatnonzero(large)
    return Crop(
        image=canvas.transpose(2, 0, 1),
        size=(height, width),
        masks=masks[np.resize(rows, max(len(rows), count[0]))],
    )


def whole(picture: Picture, side: int) -> Crop:
    """The whole picture with all its masks, as it is."""
    image = pixels(picture)
    share = side / max(image.shape[:2])
    height, width = max(1, round(image.shape[0] * share)), max(1, round(image.shape[1] * share))
    canvas = np.zeros((side, side, 3), np.uint8)
    canvas[:height, :width] = _fitted(image, width, height, mirrored=False)
    masks = np.zeros((len(picture.codes), side, side), np.uint8)
    for number in range(len(picture.codes)):
        masks[number, :height, :width] = _fitted(mask(picture, number) * np.uint8(255), width, height, mirrored=False)
    return Crop(image=canvas.transpose(2, 0, 1), size=(height, width), masks=masks)


def _window(box: IntArray, shape: tuple[int, ...], rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Choose what is seen: left, top, right, bottom."""
    height, width = shape
    if rng.random() < WHOLE:
        return 0, 0, width, height
    span = max(box[2] - box[0], box[3] - box[1]) / rng.uniform(*SPAN)
    wide, high = (min(int(np.ceil(span)), length) for length in (width, height))
    places = []
    for low, high_end, reach, length in ((box[0], box[2], wide, width), (box[1], box[3], high, height)):
        # The mask stays in sight where the window can hold it.
        first, last = max(0, min(high_end - reach, low)), min(length - reach, max(low, high_end - reach))
        places.append(int(rng.integers(first, max(first, last) + 1)))
    return places[0], places[1], places[0] + wide, places[1] + high


def _in_sight(
    boxes: IntArray, target: int, window: tuple[int, int, int, int], most: int, rng: np.random.Generator
) -> list[int]:
    """Numbers of some masks whose boxes lie mostly in the window, the target first."""
    ends = np.minimum(boxes[:, 2:], window[2:]) - np.maximum(boxes[:, :2], window[:2])
    shares = ends.clip(0).prod(axis=1) / (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    others = [number for number in np.flatnonzero(shares >= _INSIDE).tolist() if number != target]
    return [target, *rng.permutation(others)[: most - 1].astype(int).tolist()]


def _fitted(pixels: UInt8Array, width: int, height: int, mirrored: bool) -> UInt8Array:
    way = cv2.INTER_AREA if width < pixels.shape[1] else cv2.INTER_LINEAR
    sized = cv2.resize(pixels, (width, height), interpolation=way)
    return np.asarray(sized[:, ::-1] if mirrored else sized, np.uint8)


def _recoloured(image: UInt8Array, rng: np.random.Generator) -> UInt8Array:
    """Other light, other colours, sometimes none, some noise."""
    tones: FloatArray = image.astype(np.float32)
    if rng.random() < 0.15:
        tones = np.repeat(tones.mean(axis=2, keepdims=True), 3, axis=2)
    gains, shifts = rng.uniform(0.75, 1.25, 3) * rng.uniform(0.8, 1.2), rng.uniform(-20, 20)
    noise = rng.standard_normal(image.shape[:2])[..., None] * rng.uniform(0, 6)
    return np.asarray((tones * gains + shifts + noise).clip(0, 255), np.uint8)
