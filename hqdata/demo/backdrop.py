"""Backgrounds by setting. A setting says where an object belongs: in the air, on the ground, afloat, on a table.

The indoor backgrounds are drawn here, the outdoor ones in ``backdrop_outdoor``. Each is float32[H, W, 3] in 0..255.
"""

from collections.abc import Callable
from typing import TypeAlias

import cv2
import numpy as np

from hqdata.demo import backdrop_outdoor as outdoor
from hqdata.demo.canvas import Field, blur
from hqdata.demo.noise import blend, fractal, glow, ramp, smooth_noise, step
from hqdata.demo.palette import Colour, lit, mix, parse, tint

Backdrop: TypeAlias = Callable[[np.random.Generator, int, int], Field]


def _table(image: Field, rng: np.random.Generator, edge: int, tone: Colour) -> Field:
    """Lay planks of wood over the rows from ``edge`` down."""
    height, width = image.shape[0] - edge, image.shape[1]
    warp = smooth_noise(rng, height, width, max(height / 3, 12), stretch=5)
    rows = np.arange(height, dtype=np.float32)[:, None]
    planks = int(rng.integers(3, 6))
    plank = (rows * planks / height).astype(int)
    shift = rng.uniform(-0.12, 0.12, planks + 1).astype(np.float32)[plank]
    rings = np.sin((rows * 0.55 + warp * 9) / 2 + shift * 90) * 0.05
    fibre = smooth_noise(rng, height, width, 1.6, stretch=26) * 0.035
    seam = 1 - 0.45 * np.exp(-((((rows * planks / height) % 1) * height / planks / 1.6) ** 2))
    wood = np.asarray(tone, np.float32) * ((1 + rings + fibre + shift) * seam)[..., None]
    wood *= np.linspace(1.06, 0.86, height, dtype=np.float32)[:, None, None]
    image[edge:] = wood
    return image


def wood_table(rng: np.random.Generator, height: int, width: int) -> Field:
    """Draw a wooden table top before a soft room."""
    image = room(rng, height, width)
    return _table(image, rng, int(height * rng.uniform(0.52, 0.62)), tint(rng, "wood"))


def wood_top(rng: np.random.Generator, height: int, width: int) -> Field:
    """Draw planks seen from above."""
    return _table(np.empty((height, width, 3), np.float32), rng, 0, tint(rng, "wood", "brown", "stone"))


def room(rng: np.random.Generator, height: int, width: int) -> Field:
    """Draw a plain wall over a floor, with light falling from one side."""
    wall = mix(tint(rng, "cream", "stone", "teal", "pink", "blue", "green"), parse("d9d2c5"), 0.5)
    image = ramp(height, width, [lit(wall, 0.12), wall, lit(wall, -0.12)])
    light = glow(height, width, width * rng.uniform(0, 0.5), height * 0.15, height * 0.9)
    image = blend(image, lit(wall, 0.5), light * np.float32(0.5))
    edge = int(height * rng.uniform(0.7, 0.78))
    floor = mix(tint(rng, "wood", "stone", "cream"), wall, 0.3)
    image[edge:] = ramp(height - edge, width, [lit(floor, -0.22), floor])
    image[edge - max(3, height // 40) : edge] = lit(wall, 0.35)
    image *= 1 + fractal(rng, height, width, 30)[..., None] * np.float32(0.015)
    return blur(image, height / 260)


def studio(rng: np.random.Generator, height: int, width: int) -> Field:
    """Draw a seamless paper sweep with a pool of light."""
    tone = mix(tint(rng, "cream", "steel", "teal", "pink", "straw", "blue", "green"), parse("cfcac2"), 0.35)
    image = ramp(height, width, [lit(tone, -0.28), lit(tone, -0.1), lit(tone, 0.1), lit(tone, -0.05)])
    pool = glow(height, width, width / 2, height * 0.55, max(height, width) * 0.5)
    return blend(image, lit(tone, 0.6), pool * np.float32(0.6))


def gingham(rng: np.random.Generator, height: int, width: int) -> Field:
    """Draw a checked table cloth under a soft wall."""
    image = room(rng, height, width)
    edge = int(height * rng.uniform(0.5, 0.6))
    colour, cell = tint(rng, "red", "blue", "green", "teal"), width / rng.uniform(14, 22)
    rows, columns = np.arange(height - edge, dtype=np.float32), np.arange(width, dtype=np.float32)
    depth = rows / max(len(rows), 1) * 0.5 + 0.75
    across = (((columns[None, :] - width / 2) / (cell * depth[:, None])) % 2 < 1).astype(np.float32)
    down = ((np.cumsum(1 / depth) / cell) % 2 < 1).astype(np.float32)[:, None]
    cloth = blend(np.full((height - edge, width, 3), 243, np.float32), colour, (across + down) * np.float32(0.42))
    folds = 1 + fractal(rng, height - edge, width, 70)[..., None] * np.float32(0.05)
    image[edge:] = blur(cloth, 0.8) * folds
    return image


def brick(rng: np.random.Generator, height: int, width: int) -> Field:
    """Draw a brick wall in running bond."""
    tone, mortar = mix(tint(rng, "red", "brown", "stone"), parse("a06a50"), 0.4), parse("c6bcae")
    image = np.empty((height, width, 3), np.float32)
    image[:] = mortar
    tall = max(10, height // int(rng.integers(14, 22)))
    wide, gap = tall * 5 // 2, max(2, tall // 9)
    for row in range(0, height, tall):
        offset = -wide // 2 if (row // tall) % 2 else 0
        for column in range(offset, width, wide):
            colour = lit(tone, float(rng.normal(0, 0.1)))
            cv2.rectangle(image, (column, row), (column + wide - gap, row + tall - gap), colour, -1)
            cv2.line(image, (column, row), (column + wide - gap, row), lit(colour, 0.16), 1)
            cv2.line(image, (column, row + tall - gap), (column + wide - gap, row + tall - gap), lit(colour, -0.3), 1)
    image = blur(image, height / 700) * (1 + fractal(rng, height, width, 14)[..., None] * np.float32(0.06))
    return image * np.linspace(1.06, 0.88, width, dtype=np.float32)[None, :, None]


def tiles(rng: np.random.Generator, height: int, width: int) -> Field:
    """Draw a glazed tile wall, a few tiles in a second colour."""
    tone = mix(tint(rng, "teal", "blue", "cream", "green"), parse("dfe5e3"), 0.5)
    other = mix(tone, tint(rng, "blue", "teal", "orange"), 0.5)
    image = np.empty((height, width, 3), np.float32)
    image[:] = parse("e9e6df")
    side = max(16, min(height, width) // int(rng.integers(6, 10)))
    for row in range(0, height, side):
        for column in range(0, width, side):
            colour = lit(other if rng.random() < 0.16 else tone, float(rng.normal(0, 0.035)))
            cv2.rectangle(image, (column + 2, row + 2), (column + side - 2, row + side - 2), colour, -1, cv2.LINE_AA)
            shine = (column + side // 5, row + side // 6)
            cv2.line(image, shine, (column + side * 3 // 5, row + side // 6), lit(colour, 0.3), 2, cv2.LINE_AA)
    return blur(image, 0.8) * np.linspace(1.05, 0.85, height, dtype=np.float32)[:, None, None]


def plaster(rng: np.random.Generator, height: int, width: int) -> Field:
    """Draw rough plaster in slanting light."""
    tone = mix(tint(rng, "cream", "stone", "teal", "orange", "blue"), parse("d6cfc2"), 0.5)
    relief = fractal(rng, height, width, 16)
    slope = np.roll(relief, 1, axis=0) + np.roll(relief, 1, axis=1) - 2 * relief
    image = ramp(height, width, [lit(tone, 0.1), tone, lit(tone, -0.12)])
    return image * (1 + slope[..., None] * np.float32(0.035) + fractal(rng, height, width, 120)[..., None] * 0.03)


def paper(rng: np.random.Generator, height: int, width: int) -> Field:
    """Draw a sheet of fibrous paper."""
    tone = mix(tint(rng, "cream", "white", "straw"), parse("f4efe4"), 0.5)
    image = ramp(height, width, [lit(tone, 0.2), lit(tone, -0.04)])
    fibres = smooth_noise(rng, height, width, 2, stretch=3) + smooth_noise(rng, height, width, 5)
    return image * (1 + fibres[..., None] * np.float32(0.008))


def dark_studio(rng: np.random.Generator, height: int, width: int) -> Field:
    """Draw a dark sweep lit behind the object."""
    tone = mix(tint(rng, "blue", "purple", "teal", "brown"), parse("23262e"), 0.72)
    image = ramp(height, width, [lit(tone, -0.3), tone, lit(tone, -0.2)])
    halo = glow(height, width, width / 2, height * 0.45, max(height, width) * 0.36)
    return blend(image, lit(tone, 0.3), step(halo, 0, 1.1) * np.float32(0.8))


SETTINGS: dict[str, tuple[Backdrop, ...]] = {
    "air": (outdoor.sky, outdoor.dusk, outdoor.hills, outdoor.sky),
    "ground": (outdoor.meadow, outdoor.hills, outdoor.sand, outdoor.woods, outdoor.meadow),
    "bloom": (outdoor.woods, outdoor.meadow, outdoor.woods),
    "winter": (outdoor.snow, outdoor.hills, outdoor.dusk, outdoor.snow),
    "water": (outdoor.sea,),
    "shore": (outdoor.sea, outdoor.sand),
    "beach": (outdoor.sand,),
    "undersea": (outdoor.undersea,),
    "table": (wood_table, studio, gingham, room, wood_table),
    "room": (room, studio, room, plaster),
    "wall": (brick, plaster, tiles, wood_top, paper),
    "flat": (wood_top, paper, plaster, tiles),
    "street": (outdoor.street,),
    "night": (outdoor.city_night, outdoor.bokeh_night, dark_studio),
    "skyline": (outdoor.sky, outdoor.dusk, outdoor.hills, outdoor.city_night),
    "studio": (studio, dark_studio, paper),
}
"""Backgrounds that suit a setting; a repeated one is drawn more often."""


def backdrop(setting: str, rng: np.random.Generator, height: int, width: int) -> Field:
    """Draw a background of a setting, float32[H, W, 3] in 0..255."""
    choices = SETTINGS[setting]
    image = choices[int(rng.integers(len(choices)))](rng, height, width)
    return np.clip(image, 0, 255).astype(np.float32)
