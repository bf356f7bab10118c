"""Small classes: things of the house."""

from itertools import pairwise

import numpy as np

from hqdata.demo.canvas import Layer
from hqdata.demo.outline import arc, box, curve, ellipse, lathe, points, star
from hqdata.demo.palette import lit, mix, parse, scheme, tint


def umbrella(layer: Layer, rng: np.random.Generator) -> None:
    """Draw an open umbrella with panels and a crook."""
    tones, count = scheme(rng), int(rng.integers(4, 7))
    layer.tube(
        np.concatenate([[(0, -0.9), (0, 0.7)], arc(0.15, 0.76, 0.15, 0.18, 180, 20)]),
        0.07,
        tint(rng, "wood", "black", "steel"),
    )
    knots = np.linspace(-0.95, 0.95, count + 1)
    hem = np.concatenate([arc((a + b) / 2, 0.02, (b - a) / 2, 0.13, 180, 360) for a, b in pairwise(knots)])
    dome = arc(0, 0.02, 0.95, rng.uniform(0.72, 0.86), 0, -180, count=40)
    layer.fill(np.concatenate([hem, dome]), tones[0], to=lit(tones[0], -0.15), puff=0.6)
    for i in range(1, count, 2):
        left, right = (curve([(0, -0.84), (x * 0.72, -0.5), (x, 0.04)]) for x in (knots[i], knots[i + 1]))
        layer.atop(np.concatenate([left, right[::-1]]), tones[1], opacity=0.9)
    for x in knots[1:-1]:
        layer.streak(curve([(0, -0.84), (x * 0.72, -0.5), (x, 0.04)]), 0.015, lit(tones[0], -0.5), opacity=0.7)


def hourglass(layer: Layer, rng: np.random.Generator) -> None:
    """Draw an hourglass in a frame of turned posts."""
    wood, sand, glass = (
        tint(rng, "wood", "brown", "iron", "gold"),
        tint(rng, "straw", "orange", "teal", "pink"),
        parse("cfe0e4"),
    )
    fill, half = rng.uniform(0.25, 0.6), rng.uniform(0.42, 0.5)
    layer.fill(lathe([(half, -0.78), (half, -0.5), (0.06, 0), (half, 0.5), (half, 0.78)]), glass, puff=0.35)
    layer.atop(points([(-1, -0.62 * fill), (1, -0.62 * fill), (0.06, 0), (-0.06, 0)]), sand)
    pile = curve(
        [
            (-half, 0.8),
            (-half * 0.6, 0.8 - 0.2 * fill),
            (0, 0.62 - 0.4 * (1 - fill)),
            (half * 0.6, 0.8 - 0.2 * fill),
            (half, 0.8),
        ]
    )
    layer.atop(pile, sand)
    layer.streak([(0, 0), (0, 0.7)], 0.03, sand)
    layer.atop(ellipse(-half * 0.55, -0.5, 0.05, 0.18), (255, 255, 255), opacity=0.6, soft=0.02)
    layer.atop(ellipse(-half * 0.55, 0.5, 0.05, 0.18), (255, 255, 255), opacity=0.6, soft=0.02)
    for x in (-0.58, 0.58):
        layer.tube([(x, -0.8), (x, 0.8)], 0.08, wood)
        layer.disc(x, 0, 0.075, wood, ry=0.12)
    for y in (-0.95, 0.78):
        layer.fill(box(-0.72, y, 0.72, y + 0.17, soft=0.06), wood, to=lit(wood, -0.25), puff=0.5)


def bell(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a bell with clapper and ring."""
    metal = tint(rng, "gold", "steel", "brown", "red")
    layer.tube(ellipse(0, -0.84, 0.12), 0.07, lit(metal, -0.1), closed=True)
    layer.disc(0, 0.82, 0.15, lit(metal, -0.3))
    flare, waist = rng.uniform(0.72, 0.88), rng.uniform(0.36, 0.46)
    layer.fill(
        lathe(
            [
                (0.08, -0.74),
                (waist * 0.8, -0.62),
                (waist, -0.2),
                (waist * 1.2, 0.3),
                (flare, 0.68),
                (flare, 0.78),
                (0, 0.8),
            ]
        ),
        metal,
        puff=0.8,
    )
    for y in (-0.3, 0.46):
        layer.atop(
            np.concatenate([arc(0, y, 0.9, 0.08, 0, 180), arc(0, y + 0.06, 0.9, 0.08, 180, 0)]),
            lit(metal, -0.4),
            opacity=0.6,
        )
    layer.atop(ellipse(-0.22, 0, 0.07, 0.4, tilt=8), (255, 255, 245), opacity=0.6, soft=0.06)


def candle(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a burning candle in a holder."""
    wax, dish = tint(rng, "cream", "red", "teal", "purple", "white"), tint(rng, "gold", "iron", "steel", "blue")
    top, half = rng.uniform(-0.45, 0.0), rng.uniform(0.17, 0.28)
    layer.tube(ellipse(0.62, 0.72, 0.17), 0.08, dish, closed=True)
    layer.fill(box(-half, top, half, 0.8, soft=0.05), wax, to=lit(wax, -0.12), puff=0.7)
    for x in rng.uniform(-half * 0.9, half * 0.9, 3):
        layer.fill(box(x - 0.045, top, x + 0.045, top + rng.uniform(0.12, 0.4), soft=0.045), lit(wax, 0.12), puff=0.5)
    layer.line([(0, top + 0.02), (0.01, top - 0.12)], 0.035, parse("2a2422"))
    flame = [
        (0, top - 0.48),
        (0.1, top - 0.24),
        (0.11, top - 0.12),
        (0, top - 0.04),
        (-0.11, top - 0.12),
        (-0.08, top - 0.26),
    ]
    layer.fill(curve(flame, closed=True), parse("ffd866"), to=parse("f08a2c"), puff=0)
    layer.atop(ellipse(0, top - 0.14, 0.045, 0.09), parse("fffbe0"), soft=0.02)
    layer.fill(
        lathe([(half + 0.06, 0.66), (half + 0.08, 0.74), (0.66, 0.78), (0.7, 0.84), (0.4, 0.98), (0, 0.98)]),
        dish,
        puff=0.6,
    )


def bottle(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a bottle with label and cork."""
    glass, half = tint(rng, "green", "brown", "teal", "blue", "red"), rng.uniform(0.28, 0.38)
    glass, shoulder = lit(glass, -0.25), rng.uniform(-0.35, -0.05)
    layer.fill(box(-0.09, -1, 0.09, -0.85, soft=0.03), tint(rng, "straw", "gold"))
    body = [
        (0.12, -0.9),
        (0.12, shoulder - 0.3),
        (half * 0.8, shoulder - 0.02),
        (half, shoulder + 0.2),
        (half, 0.9),
        (half - 0.06, 1),
        (0, 1),
    ]
    layer.fill(lathe(body), glass, puff=0.7)
    layer.fill(box(-0.14, -0.88, 0.14, -0.82, soft=0.02), lit(glass, 0.15))
    label, mark = tint(rng, "cream", "white"), scheme(rng)[0]
    layer.atop(box(-half, 0.2, half, 0.72), label, opacity=0.95)
    layer.atop(ellipse(0, 0.4, 0.1), mark)
    for y in (0.56, 0.63):
        layer.atop(box(-half * 0.6, y, half * 0.6, y + 0.025), lit(mark, -0.2))
    layer.atop(box(-half * 0.75, shoulder, -half * 0.5, 0.95), (255, 255, 255), opacity=0.5, soft=0.03)
    layer.atop(box(half * 0.6, shoulder, half, 1), (10, 14, 20), opacity=0.35, soft=0.05)


def ring(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a ring with a cut stone."""
    metal, stone = tint(rng, "gold", "steel"), tint(rng, "teal", "red", "blue", "purple", "green")
    radius = rng.uniform(0.52, 0.6)
    layer.tube(ellipse(0, 0.36, radius, radius, count=60), rng.uniform(0.11, 0.18), metal, closed=True)
    wide, top = rng.uniform(0.3, 0.4), -0.72
    layer.fill(points([(-0.18, -0.22), (0.18, -0.22), (0.1, -0.1), (-0.1, -0.1)]), metal)
    layer.fill(
        points([(-wide * 0.6, top), (wide * 0.6, top), (wide, -0.54), (0, -0.14), (-wide, -0.54)]),
        stone,
        to=lit(stone, -0.3),
        puff=0.2,
    )
    layer.atop([(-wide * 0.6, top), (-wide * 0.3, -0.54), (-wide, -0.54)], lit(stone, 0.5), opacity=0.8)
    layer.atop([(-wide * 0.3, -0.54), (wide * 0.3, -0.54), (0, -0.14)], lit(stone, 0.25), opacity=0.8)
    layer.atop([(-wide * 0.6, top), (wide * 0.1, top), (-wide * 0.3, -0.54)], lit(stone, 0.7), opacity=0.7)
    layer.fill(star(-wide * 0.5, -0.66, 0.09, 0.02, 4), (255, 255, 255), puff=0)


def bulb(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a light bulb with its filament."""
    glass, metal = mix(tint(rng, "yellow", "cream", "teal"), parse("fdf6dc"), 0.55), tint(rng, "steel", "gold")
    half = rng.uniform(0.5, 0.6)
    layer.fill(
        lathe(
            [(0.06, -0.97), (half * 0.8, -0.8), (half, -0.4), (half * 0.72, 0.02), (0.28, 0.34), (0.26, 0.5), (0, 0.5)]
        ),
        glass,
        puff=0.5,
    )
    layer.streak(curve([(-0.1, 0.5), (-0.16, -0.1), (-0.2, -0.3)]), 0.025, lit(metal, -0.4))
    layer.streak(curve([(0.1, 0.5), (0.16, -0.1), (0.2, -0.3)]), 0.025, lit(metal, -0.4))
    layer.streak(
        curve([(-0.2, -0.3), (-0.1, -0.42), (-0.04, -0.26), (0.04, -0.42), (0.1, -0.26), (0.2, -0.3)]),
        0.03,
        parse("e8872b"),
    )
    layer.atop(ellipse(-half * 0.45, -0.52, 0.09, 0.2, tilt=20), (255, 255, 255), opacity=0.85, soft=0.04)
    layer.fill(lathe([(0.28, 0.48), (0.28, 0.8), (0.14, 0.94), (0, 0.96)]), metal, puff=0.7)
    for y in (0.56, 0.66, 0.76):
        layer.streak([(-0.3, y + 0.03), (0.3, y - 0.03)], 0.03, lit(metal, -0.45), opacity=0.7)
