"""Sets a drawn object into a background: placement, light, shadow or reflection, film grain.

The alpha that composes the image is the mask. Shadows and reflections go into the background, never into the mask.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, cast

import cv2
import numpy as np

from hqdata.demo.backdrop import backdrop
from hqdata.demo.canvas import LIGHT, Field, Image, Layer, blur
from hqdata.demo.noise import fractal, grain

Draw: TypeAlias = Callable[[Layer, np.random.Generator], None]

FOOTING = {
    "ground": "stand",
    "bloom": "stand",
    "winter": "stand",
    "shore": "stand",
    "beach": "stand",
    "table": "stand",
    "room": "stand",
    "street": "stand",
    "water": "float",
    "wall": "lie",
    "flat": "lie",
    "skyline": "rise",
    "studio": "stand",
    "air": "fly",
    "undersea": "fly",
    "night": "rise",
}
"""How an object meets its setting; decides its place and its shadow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """An object that can be drawn: its function, where it belongs, how far it reaches."""

    draw: Draw
    settings: tuple[str, ...]
    half: tuple[float, float] = (1.0, 1.0)
    """Reach from the origin in x and y, in object units."""
    tilt: float = 0.0
    """Largest turn, in degrees."""
    footing: str | None = None
    """Overrides :data:`FOOTING`."""


@dataclass(frozen=True, slots=True)
class Render:
    """A composed picture.

    Attributes:
        image: uint8[H, W, 3], RGB.
        alpha: float32[H, W], coverage of the object, 0..1.
        backdrop: uint8[H, W, 3]; equals the image wherever alpha is 0.
    """

    image: Image
    alpha: Field
    backdrop: Image


def depict(thing: Thing, rng: np.random.Generator, height: int, width: int, *, factor: int, fit: float) -> Render:
    """Draw a thing in one of its settings.

    Args:
        thing: What to draw.
        rng: Source of every choice.
        height: Of the picture, in pixels.
        width: Of the picture, in pixels.
        factor: Supersampling.
        fit: Share of the picture that the object's reach spans, 0..1.
    """
    setting = thing.settings[int(rng.integers(len(thing.settings)))]
    footing = thing.footing or FOOTING[setting]
    back = backdrop(setting, rng, height, width)
    size = fit * min(width / (2 * thing.half[0]), height / (2 * thing.half[1]))
    x, y = _place(footing, rng, height, width, (size * thing.half[0], size * thing.half[1]))
    layer = Layer(height, width, factor=factor)
    tilt = float(rng.uniform(-1, 1)) * thing.tilt
    view = layer.at(x, y, size, tilt=tilt, flip=bool(rng.random() < 0.5))
    thing.draw(view, rng)
    colour, alpha = layer.render()
    back = ground(back, colour, alpha, footing, rng)
    return merge(back, light(colour, alpha, back, rng), alpha, rng)


def _place(
    footing: str, rng: np.random.Generator, height: int, width: int, reach: tuple[float, float]
) -> tuple[float, float]:
    """Find the centre of an object that reaches so many pixels from it in x and y."""
    wide, tall = reach
    room = max(width / 2 - wide, 0) * 0.7
    x = width / 2 + rng.uniform(-1, 1) * room
    slack = max(height / 2 - tall, 0)
    if footing == "stand":
        return x, height - tall - slack * rng.uniform(0.35, 0.75)
    if footing == "float":
        return x, height - tall - slack * rng.uniform(0.9, 1.25)
    if footing == "hang":
        return x, tall * 0.99
    if footing == "rise":
        return x, height - tall - slack * rng.uniform(0.0, 0.25)
    return x, height / 2 + rng.uniform(-1, 1) * slack * 0.6


def light(colour: Field, alpha: Field, back: Field, rng: np.random.Generator) -> Field:
    """Shade a whole object: a bright and a dark side, surface texture, a rim towards the light, the scene's tint."""
    height, width = alpha.shape
    soft = blur(alpha, min(height, width) / 22)
    slope = -(LIGHT[0] * cv2.Sobel(soft, -1, 1, 0) + LIGHT[1] * cv2.Sobel(soft, -1, 0, 1))
    tone = 1 + np.float32(0.13) * slope / (np.abs(slope).max() + np.float32(1e-6))
    tone += fractal(rng, height, width, max(height, width) / 40) * np.float32(0.009)
    ambient = back.mean(axis=(0, 1)) / np.float32(max(float(back.mean()), 1.0))
    level = np.float32(np.clip(0.8 + float(back.mean()) / 600, 0.86, 1.08))
    shaded = colour * tone[..., None] * (1 + (ambient - 1) * np.float32(0.35)) * level
    shift = max(1.2, min(height, width) / 260)
    moved = cv2.warpAffine(
        alpha, np.array([[1, 0, -LIGHT[0] * shift], [0, 1, -LIGHT[1] * shift]], np.float32), (width, height)
    )
    rim = np.clip(alpha - moved, 0, 1) * np.float32(0.28)
    return cast(Field, shaded + (np.float32(250) * alpha[..., None] - shaded) * rim[..., None])


def ground(back: Field, colour: Field, alpha: Field, footing: str, rng: np.random.Generator) -> Field:
    """Give a background the object's shadow or reflection."""
    height, width = alpha.shape
    rows = np.flatnonzero(alpha.max(axis=1) > 0.5)
    if len(rows) == 0 or footing in {"fly", "rise", "hang"}:
        return back
    base, tall = int(rows[-1]), float(rows[-1] - rows[0] + 1)
    if footing == "float":
        return _reflect(back, colour, alpha, base, rng)
    if footing == "lie":
        shift = min(tall, width) * float(rng.uniform(0.02, 0.04)) + 1.5
        moved = cv2.warpAffine(alpha, np.array([[1, 0, shift * 0.7], [0, 1, shift]], np.float32), (width, height))
        return back * (1 - blur(cast(Field, moved), shift * 0.9) * np.float32(0.45))[..., None]
    lean, rise = float(rng.uniform(0.12, 0.3)), float(rng.uniform(0.1, 0.16))
    cast_on = np.array([[1, -lean, lean * base], [0, rise, base * (1 - rise)]], np.float32)
    shade = blur(cast(Field, cv2.warpAffine(alpha, cast_on, (width, height))), tall * 0.012 + 0.8)
    contact = np.zeros_like(alpha)
    low = max(base - int(tall * 0.05) - 2, 0)
    contact[low : base + 1] = alpha[low : base + 1]
    contact = blur(contact, tall * 0.018 + 1)
    return cast(Field, back * (1 - np.clip(shade * np.float32(0.42) + contact * np.float32(0.3), 0, 0.7))[..., None])


def _reflect(back: Field, colour: Field, alpha: Field, base: int, rng: np.random.Generator) -> Field:
    """Mirror an object below its waterline, broken by ripples."""
    height, width = alpha.shape
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    depth = np.maximum(rows - base, 0)
    sway = np.sin(rows * np.float32(0.55) + np.float32(rng.uniform(0, 6))) * depth * np.float32(0.035)
    source = np.float32(2 * base) - rows - depth * np.float32(0.15)
    source = np.where(rows >= base, source, -10).astype(np.float32)
    stack = np.dstack([colour, alpha])
    flipped = blur(cast(Field, cv2.remap(stack, columns + sway, source, cv2.INTER_LINEAR)), 1.4)
    fade = (np.clip(1 - depth / (height * 0.35), 0, 1) * np.float32(0.62))[..., None]
    mirrored = flipped[..., :3] * np.float32(0.78)
    return cast(Field, back * (1 - flipped[..., 3:] * fade) + mirrored * fade)


def merge(back: Field, colour: Field, alpha: Field, rng: np.random.Generator) -> Render:
    """Lay premultiplied colour over a background and add the same grain to both."""
    height, width = alpha.shape
    film = grain(rng, height, width) * np.float32(rng.uniform(1.0, 3.2))
    cover = alpha[..., None]
    image = np.clip(colour + back * (1 - cover) + film, 0, 255)
    return Render(image.astype(np.uint8), alpha, np.clip(back + film, 0, 255).astype(np.uint8))
