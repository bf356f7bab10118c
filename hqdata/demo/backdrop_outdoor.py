"""Outdoor backgrounds: skies, meadows, hills, water, sand, snow, woods, streets, night. Each is float32[H, W, 3]."""

import cv2
import numpy as np

from hqdata.demo.canvas import Field, blur, resize
from hqdata.demo.noise import blend, fractal, glow, ramp, smooth_noise, step
from hqdata.demo.palette import Colour, lit, mix, parse, tint

_SKIES = (
    ("3f78b5", "79a9d6", "c4dcec"),
    ("5b8fbf", "a5c7e0", "e8eef0"),
    ("7d9db5", "b4c5d0", "dfe3e2"),
    ("2f6ea8", "6fa8cf", "d8e6e4"),
)
_DUSKS = (
    ("2b3a67", "7a5c8a", "e39a78", "f7cf94"),
    ("31456a", "8a7396", "eaa98c", "f9dfae"),
    ("3b5b86", "9aa3b8", "f0c39a", "f7e3bd"),
    ("46315f", "a1556c", "ee8f62", "fbd08b"),
)


def sky(rng: np.random.Generator, height: int, width: int) -> Field:
    """Draw a day sky with soft clouds."""
    stops = [parse(code) for code in _SKIES[int(rng.integers(len(_SKIES)))]]
    image = ramp(height, width, stops)
    lift = max(1, height // 20)
    mass = fractal(rng, height + lift, width, height / 4, stretch=2.2)
    clouds = mass[lift:]
    bias = np.linspace(-0.3, 0.5, height, dtype=np.float32)[:, None] + np.float32(rng.uniform(-0.7, 0.2))
    cover = step(clouds + bias, 0.1, 1.7) * np.float32(0.85)
    shade = step(mass[:height], 0.2, 2.0)
    return blend(image, blend(np.full_like(image, 250), parse("b9c4d0"), shade * np.float32(0.7)), cover)


def dusk(rng: np.random.Generator, height: int, width: int) -> Field:
    """Draw a sunset sky with a low sun and lit streaks."""
    stops = [parse(code) for code in _DUSKS[int(rng.integers(len(_DUSKS)))]]
    image = ramp(height, width, stops)
    x, y = width * rng.uniform(0.15, 0.85), height * rng.uniform(0.6, 0.85)
    image = blend(image, parse("fff1cf"), glow(height, width, x, y, height * 0.35) * np.float32(0.55))
    image = blend(image, parse("fffbe8"), step(glow(height, width, x, y, height * 0.07), 0.3, 0.5))
    streaks = step(fractal(rng, height, width, height / 8, stretch=6), 0.4, 1.8)
    return blend(image, mix(stops[1], stops[2], 0.5), streaks * np.float32(0.6))


def hills(rng: np.random.Generator, height: int, width: int) -> Field:
    """Draw ridges that fade into a sky, a green slope in front."""
    image = (dusk if rng.random() < 0.35 else sky)(rng, height, width)
    haze: Colour = mix(tuple(float(c) for c in image[height // 2, width // 2]), parse("8fa3b5"), 0.5)  # type: ignore[arg-type]
    near = mix(tint(rng, "leaf"), parse("55603a"), 0.4)
    rows = np.arange(height, dtype=np.float32)[:, None]
    for i in range(4):
        base = height * (0.48 + 0.12 * i)
        ridge = smooth_noise(rng, 1, width, width / (3 + i))[0] * height * 0.04
        ridge += smooth_noise(rng, 1, width, width / 24)[0] * height * 0.006
        share = step(rows - (base + ridge)[None, :], -1, 1)
        image = blend(image, mix(haze, near, (i + 0.6) / 4.2), share.astype(np.float32))
    image[int(height * 0.8) :] *= 1 + fractal(rng, height - int(height * 0.8), width, 8, stretch=2)[..., None] * 0.06
    return image


def meadow(rng: np.random.Generator, height: int, width: int) -> Field:
    """Draw grass under a far blurred tree line, with out-of-focus blossoms."""
    horizon = int(height * rng.uniform(0.3, 0.5))
    image = sky(rng, height, width)
    wood = mix(tint(rng, "leaf"), parse("2d3f33"), 0.45)
    trees = (
        smooth_noise(rng, 1, width, width / 9)[0] * height * 0.03 + smooth_noise(rng, 1, width, 9)[0] * height * 0.01
    )
    rows = np.arange(height, dtype=np.float32)[:, None]
    share = step(rows - (horizon - height * 0.1 + trees)[None, :], -4, 4).astype(np.float32)
    image = blend(image, wood, share)
    light, dark = lit(tint(rng, "green"), 0.18), mix(tint(rng, "leaf"), parse("2f4021"), 0.35)
    ground = ramp(height - horizon, width, [light, mix(light, dark, 0.5), dark])
    blades = smooth_noise(rng, height - horizon, width, 14, stretch=0.14) + fractal(rng, height - horizon, width, 40)
    depth = np.linspace(0.02, 0.12, height - horizon, dtype=np.float32)[:, None, None]
    image[horizon:] = ground * (1 + blades[..., None] * depth)
    for _ in range(int(rng.integers(0, 26))):
        y = horizon + (height - horizon) * float(rng.uniform(0.1, 1)) ** 1.2
        spot = (int(rng.uniform(0, width)), int(y))
        colour = lit(tint(rng, "yellow", "white", "pink"), 0.15)
        cv2.circle(image, spot, max(1, int(height * 0.006 * (0.5 + 2 * y / height))), colour, -1, cv2.LINE_AA)
    return blur(image, height / rng.uniform(180, 420))


def woods(rng: np.random.Generator, height: int, width: int) -> Field:
    """Draw a wood far out of focus: discs of light among the leaves, over a mossy floor."""
    dark, light = mix(tint(rng, "leaf"), parse("1c2b20"), 0.55), lit(tint(rng, "green"), 0.2)
    h, w = height // 2, width // 2
    image = ramp(h, w, [mix(dark, light, 0.45), mix(dark, light, 0.15), dark])
    image = blend(image, light, step(fractal(rng, h, w, h / 3), 0.2, 2.2) * np.float32(0.6))
    for _ in range(int(rng.integers(10, 40))):
        layer = image.copy()
        spot = (int(rng.uniform(0, w)), int(rng.uniform(0, h * 0.75)))
        cv2.circle(layer, spot, int(h * rng.uniform(0.02, 0.07)), lit(light, rng.uniform(0.1, 0.6)), -1, cv2.LINE_AA)
        image += (layer - image) * np.float32(rng.uniform(0.1, 0.35))
    image = resize(blur(image, h / 90), width, height)
    floor = step(np.linspace(0, 1, height, dtype=np.float32)[:, None] * np.ones((1, width), np.float32), 0.72, 0.86)
    moss = ramp(height, width, [mix(light, parse("6b5a3a"), 0.35), mix(dark, parse("4a3a28"), 0.5)])
    moss *= 1 + fractal(rng, height, width, 24, stretch=2)[..., None] * np.float32(0.09)
    return blend(image, moss, floor.astype(np.float32))


def sea(rng: np.random.Generator, height: int, width: int) -> Field:
    """Draw open water to a horizon, with ripples that shrink with distance."""
    horizon = int(height * rng.uniform(0.38, 0.55))
    image = (dusk if rng.random() < 0.4 else sky)(rng, height, width)
    mirror = image[horizon - 1 :: -1][: height - horizon]
    if len(mirror) < height - horizon:
        mirror = resize(image[horizon - 1 :: -1], width, height - horizon)
    deep = mix(tint(rng, "blue", "teal"), parse("1f3b4d"), 0.4)
    water = blend(blur(mirror, 6), deep, np.full(mirror.shape[:2], 0.55, np.float32))
    ripples = np.zeros(mirror.shape[:2], np.float32)
    rows = np.linspace(0, 1, height - horizon, dtype=np.float32)[:, None]
    for cell, low, high in ((2.5, 0.0, 0.35), (5, 0.2, 0.7), (10, 0.45, 1.3)):
        weight = np.clip(1 - np.abs(rows - (low + high) / 2) / (high - low), 0, 1)
        ripples += fractal(rng, height - horizon, width, cell, stretch=7) * weight
    image[horizon:] = water + ripples[..., None] * np.array([13, 14, 14], np.float32) * (0.5 + rows[..., None])
    return image


def sand(rng: np.random.Generator, height: int, width: int) -> Field:
    """Draw a beach under a strip of sea and sky."""
    image = sea(rng, height, width)
    shore = int(height * rng.uniform(0.5, 0.62))
    tone = mix(tint(rng, "straw"), parse("ead9b5"), 0.4)
    beach = ramp(height - shore, width, [lit(tone, 0.15), tone, lit(tone, -0.15)])
    wind = np.sin(
        np.arange(height - shore, dtype=np.float32)[:, None] / 4
        + 1.6 * smooth_noise(rng, height - shore, width, 30, stretch=3)
    )
    beach *= 1 + (wind * 0.035 + fractal(rng, height - shore, width, 5) * 0.03)[..., None]
    edge = smooth_noise(rng, 1, width, width / 5)[0] * height * 0.012
    rows = np.arange(height, dtype=np.float32)[:, None]
    full = np.concatenate([np.repeat(beach[:1], shore, axis=0), beach])
    share = step(rows - (shore + edge)[None, :], -1.5, 1.5).astype(np.float32)
    foam = np.exp(-(((rows - (shore + edge)[None, :] + 4) / 4) ** 2)).astype(np.float32)
    return blend(blend(image, full, share), parse("f7f5ee"), foam * np.float32(0.7))


def snow(rng: np.random.Generator, height: int, width: int) -> Field:
    """Draw a snow field under a pale sky and a far forest."""
    image = ramp(height, width, [parse("8fb0cf"), parse("c9dae6"), parse("eef2f5")])
    horizon = int(height * rng.uniform(0.4, 0.55))
    rows = np.arange(height, dtype=np.float32)[:, None]
    firs = np.abs(smooth_noise(rng, 1, width, 7)[0]) * height * 0.035
    share = step(rows - (horizon - height * 0.05 - firs)[None, :], -2, 2).astype(np.float32)
    image = blend(image, parse("6f8794"), share * np.float32(0.8))
    drift = smooth_noise(rng, 1, width, width / 4)[0] * height * 0.02
    field = ramp(height, width, [parse("ffffff"), parse("f4f7fa"), parse("c8d6e4")])
    field *= 1 - np.maximum(fractal(rng, height, width, 60, stretch=3), 0)[..., None] * np.float32(0.05)
    return blend(image, field, step(rows - (horizon + drift)[None, :], -2, 2).astype(np.float32))


def street(rng: np.random.Generator, height: int, width: int) -> Field:
    """Draw an asphalt street before a blurred row of house fronts."""
    kerb = int(height * rng.uniform(0.58, 0.68))
    image = ramp(height, width, [parse("bcd0dc"), parse("e3e4de")])
    x = 0
    while x < width:
        span = int(width * rng.uniform(0.14, 0.3))
        top = int(height * rng.uniform(0.02, 0.22))
        wall = mix(tint(rng, "cream", "stone", "orange", "pink", "teal"), parse("c9bfae"), 0.45)
        cv2.rectangle(image, (x, top), (x + span, kerb), wall, -1)
        pane = lit(mix(wall, parse("4a5a66"), 0.75), -0.1)
        for row in range(top + height // 18, kerb - height // 10, height // 8):
            for column in range(x + span // 8, x + span - span // 6, max(8, span // 4)):
                cv2.rectangle(image, (column, row), (column + span // 8, row + height // 14), pane, -1)
        x += span
    image = blur(image, height / rng.uniform(50, 110))
    image[kerb:] = ramp(height - kerb, width, [parse("8d8c8a"), parse("6d6d70"), parse("55565b")])
    image[kerb:] *= 1 + fractal(rng, height - kerb, width, 6, stretch=2)[..., None] * np.float32(0.05)
    image[kerb : kerb + max(3, height // 60)] = parse("b9b4aa")
    return image


def city_night(rng: np.random.Generator, height: int, width: int) -> Field:
    """Draw a skyline at night with lit windows, slightly out of focus."""
    image = ramp(height, width, [parse("141d45"), parse("3a4580"), parse("a5668a"), parse("e39a7a")])
    for depth in range(3):
        x = -int(rng.integers(0, 30))
        body = mix(parse("6a5c88"), parse("1d2040"), depth / 2)
        while x < width:
            span = int(width * rng.uniform(0.05, 0.12))
            top = int(height * (0.46 + 0.15 * depth + rng.uniform(-0.12, 0.1)))
            cv2.rectangle(image, (x, top), (x + span, height), body, -1)
            size = max(2, height // 150)
            for row in range(top + 2 * size, height, 4 * size):
                for column in np.flatnonzero(rng.random(span // (3 * size)) < 0.28 + 0.1 * depth):
                    left = x + size + int(column) * 3 * size
                    cv2.rectangle(image, (left, row), (left + size, row + size), lit(parse("f2c879"), -0.1 * depth), -1)
            x += span + int(rng.integers(0, 8))
    return blur(image, height / rng.uniform(120, 320))


def bokeh_night(rng: np.random.Generator, height: int, width: int) -> Field:
    """Draw street lights far out of focus."""
    image = ramp(height, width, [parse("0d1424"), parse("1d2236"), parse("241c26")])
    families = ("yellow", "orange", "gold") if rng.random() < 0.5 else ("teal", "pink", "yellow", "purple")
    for _ in range(int(rng.integers(24, 60))):
        layer = image.copy()
        spot = (int(rng.uniform(0, width)), int(height * np.clip(rng.normal(0.5, 0.22), 0, 1)))
        colour, radius = lit(tint(rng, *families), 0.15), int(height * rng.uniform(0.02, 0.075))
        cv2.circle(layer, spot, radius, colour, -1, cv2.LINE_AA)
        cv2.circle(layer, spot, radius, lit(colour, 0.35), max(1, radius // 9), cv2.LINE_AA)
        image += (layer - image) * np.float32(rng.uniform(0.15, 0.6))
    return blur(image, height / 260)


def undersea(rng: np.random.Generator, height: int, width: int) -> Field:
    """Draw blue water with slanting light and a sandy floor."""
    image = ramp(height, width, [parse("7fd0dc"), parse("2f93b5"), parse("17557d"), parse("12395c")])
    rays = smooth_noise(rng, 4, width * 2, width / 12)
    slanted = np.stack([np.roll(rays[1], int(y * 0.5))[:width] for y in range(height)])
    fade = np.linspace(0.35, 0, height, dtype=np.float32)[:, None]
    image = blend(image, parse("d5f5f2"), np.clip(slanted, 0, 1.6) * fade)
    rows = np.arange(height, dtype=np.float32)[:, None]
    floor = height * 0.86 + smooth_noise(rng, 1, width, width / 5)[0] * height * 0.02
    bed = mix(parse("8fae9d"), parse("2e6679"), 0.35)
    image = blend(image, bed, step(rows - floor[None, :], -6, 10).astype(np.float32))
    return image * (1 + fractal(rng, height, width, 12, stretch=2)[..., None] * np.float32(0.025))
