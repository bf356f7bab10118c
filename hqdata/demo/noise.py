"""Smooth noise and ramps that backgrounds and finishes are made of; every field comes from the generator passed in."""

import math
from collections.abc import Sequence
from typing import cast

import cv2
import numpy as np

from hqdata.demo.canvas import Field
from hqdata.demo.palette import Colour


def smooth_noise(rng: np.random.Generator, height: int, width: int, cell: float, *, stretch: float = 1.0) -> Field:
    """Make noise about normal(0, 1) whose features span ``cell`` pixels, ``stretch`` times that in x; float32[H, W]."""
    wide = cell * stretch
    knots = rng.standard_normal((int(height / cell) + 3, int(width / wide) + 3), np.float32)
    full = (math.ceil(knots.shape[1] * wide), math.ceil(knots.shape[0] * cell))
    large = cast(Field, cv2.resize(knots, full, interpolation=cv2.INTER_CUBIC))
    # the outermost cells are flat in one direction, which shows as blocks at the picture's edge: leave them out
    top, left = int(cell), int(wide)
    return large[top : top + height, left : left + width] * np.float32(1.3)


def fractal(rng: np.random.Generator, height: int, width: int, cell: float, *, stretch: float = 1.0) -> Field:
    """Sum four octaves of noise, float32[H, W], about normal(0, 1)."""
    total = np.zeros((height, width), np.float32)
    for octave in range(4):
        step = max(cell / 2**octave, 1.5)
        total += smooth_noise(rng, height, width, step, stretch=stretch) * np.float32(0.5**octave)
    return total / np.float32(1.2)


def grain(rng: np.random.Generator, height: int, width: int) -> Field:
    """Tile fine film grain, float32[H, W, 1], normal(0, 1)."""
    tile = rng.standard_normal((176, 208), np.float32)
    return np.tile(tile, (height // 176 + 1, width // 208 + 1))[:height, :width, None]


def ramp(height: int, width: int, stops: Sequence[Colour]) -> Field:
    """Blend colours from top to bottom, float32[H, W, 3]."""
    places = np.linspace(0, 1, len(stops))
    rows = np.linspace(0, 1, height)
    channels = [np.interp(rows, places, [stop[i] for stop in stops]) for i in range(3)]
    column = np.stack(channels, axis=1).astype(np.float32)
    return np.repeat(column[:, None, :], width, axis=1)


def blend(base: Field, colour: Colour | Field, share: Field) -> Field:
    """Move an image towards a colour or another image by ``share``, float32[H, W] in 0..1."""
    return base + (np.asarray(colour, np.float32) - base) * share[..., None]


def step(field: Field, low: float, high: float) -> Field:
    """Rise smoothly from 0 at ``low`` to 1 at ``high``."""
    t = np.clip((field - np.float32(low)) / np.float32(high - low), 0, 1)
    return cast(Field, t * t * (3 - 2 * t))


def glow(height: int, width: int, x: float, y: float, radius: float) -> Field:
    """Fall off from 1 around a point in pixels, float32[H, W]."""
    rows = ((np.arange(height, dtype=np.float32) - np.float32(y)) / np.float32(radius)) ** 2
    columns = ((np.arange(width, dtype=np.float32) - np.float32(x)) / np.float32(radius)) ** 2
    return np.exp(-(rows[:, None] + columns[None, :]))
