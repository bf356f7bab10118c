"""Small classes: tools. Each has pose, proportion, material and colour to vary."""

import numpy as np

from hqdata.demo.canvas import Layer
from hqdata.demo.outline import arc, box, curve, ellipse, lathe, points, shift, turn
from hqdata.demo.palette import lit, mix, parse, scheme, tint


def key(layer: Layer, rng: np.random.Generator) -> None:
    """Draw an old key with an open bow and toothed bit."""
    metal = tint(rng, "gold", "steel", "iron", "brown")
    layer.tube([(0, -0.3), (0, 0.96)], rng.uniform(0.1, 0.15), metal)
    bow, style = rng.uniform(0.28, 0.36), int(rng.integers(3))
    if style == 0:
        layer.tube(ellipse(0, -0.62, bow), 0.13, metal, closed=True)
    else:
        for i in range(style + 1):
            angle = np.radians(-90 + (i - style / 2) * 100)
            layer.tube(ellipse(0.26 * np.cos(angle), -0.52 + 0.26 * np.sin(angle), 0.2), 0.1, metal, closed=True)
    teeth = int(rng.integers(2, 5))
    for i in range(teeth):
        y = 0.9 - i * 0.42 / teeth
        layer.fill(box(0.02, y - 0.09, rng.uniform(0.22, 0.42), y), lit(metal, -0.1), puff=0.4)
    for y in (-0.26, -0.16):
        layer.fill(box(-0.12, y, 0.12, y + 0.06, soft=0.03), lit(metal, 0.1))


def anchor(layer: Layer, rng: np.random.Generator) -> None:
    """Draw an anchor, sometimes with a rope."""
    metal, flare = tint(rng, "iron", "steel", "blue", "gold", "red"), rng.uniform(0.68, 0.8)
    layer.tube(ellipse(0, -0.78, 0.14), 0.08, metal, closed=True)
    layer.tube([(-0.4, -0.48), (0.4, -0.48)], 0.12, metal)
    layer.tube([(0, -0.62), (0, 0.85)], 0.14, metal)
    layer.tube(arc(0, 0.18, flare, 0.68, 12, 168, count=40), 0.15, metal)
    for side in (-1, 1):
        layer.disc(side * 0.42, -0.48, 0.08, metal)
        tip = shift(turn([(0, -0.26), (0.17, 0.08), (-0.17, 0.08)], side * 28), side * flare, 0.2)
        layer.fill(tip, metal, puff=0.5)
    if rng.random() < 0.5:
        rope = curve([(0.0, -0.66), (0.3, -0.3), (-0.2, 0.1), (0.25, 0.42), (-0.1, 0.66), (0.3, 0.95)])
        layer.tube(rope, 0.07, tint(rng, "straw"))


def guitar(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a guitar from the front."""
    wood, dark = tint(rng, "wood", "red", "straw", "blue", "brown"), tint(rng, "brown", "black")
    layer.fill(box(-0.065, -0.82, 0.065, 0.2), lit(dark, 0.05), puff=0.4)
    upper, waist = rng.uniform(0.3, 0.36), rng.uniform(0.22, 0.28)
    side = [
        (0.07, -0.12),
        (upper * 0.85, -0.08),
        (upper, 0.12),
        (waist, 0.33),
        (0.44, 0.62),
        (0.36, 0.9),
        (0.1, 0.98),
        (0, 0.98),
    ]
    layer.fill(lathe(side), wood, to=lit(wood, -0.2), puff=0.5)
    layer.streak(np.concatenate([lathe(side) * (0.93, 0.955) + (0, 0.02)]), 0.02, lit(wood, 0.45), opacity=0.6)
    layer.disc(0, 0.3, 0.125, parse("1d1512"), puff=0)
    layer.atop(ellipse(0, 0.3, 0.15), lit(dark, 0.2), opacity=0.25)
    layer.fill(box(-0.06, -0.82, 0.06, 0.22), dark, puff=0.2)
    for y in np.linspace(-0.78, 0.15, 11):
        layer.streak([(-0.06, y), (0.06, y)], 0.012, parse("d8d2c2"))
    layer.fill(box(-0.15, 0.68, 0.15, 0.73, soft=0.02), dark)
    layer.fill(points([(-0.09, -0.82), (-0.11, -1), (0.11, -1), (0.09, -0.82)]), dark)
    for y in (-0.95, -0.87):
        for x in (-0.14, 0.14):
            layer.disc(x, y, 0.032, parse("d9d4c6"))
    for x in (-0.036, -0.012, 0.012, 0.036):
        layer.streak([(x, -0.84), (x, 0.7)], 0.007, parse("efe9d8"))


def ladder(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a ladder that narrows towards its top."""
    wood, foot = tint(rng, "wood", "steel", "red", "straw"), rng.uniform(0.36, 0.5)
    head, count = foot * rng.uniform(0.6, 0.95), int(rng.integers(5, 9))
    for y in np.linspace(-0.8, 0.78, count):
        half = head + (foot - head) * (y + 1) / 2
        layer.tube([(-half, y), (half, y)], 0.085, lit(wood, 0.06))
    for side in (-1, 1):
        layer.tube([(side * head, -1), (side * foot, 1)], 0.12, wood)


def scissors(layer: Layer, rng: np.random.Generator) -> None:
    """Draw scissors, more or less open."""
    grip, steel, gape = scheme(rng)[0], tint(rng, "steel"), rng.uniform(6, 24)
    for side in (-1, 1):
        half = layer.at(0, 0, tilt=float(side * gape), flip=side < 0)
        half.fill(
            curve([(-0.06, 0.1), (-0.09, -0.4), (0.0, -1.0), (0.08, -0.4), (0.1, 0.1)], steps=5),
            lit(steel, 0.1 * side),
            puff=0.4,
        )
        half.tube([(0.0, 0.1), (-0.12, 0.4)], 0.12, lit(steel, -0.15))
        half.tube(ellipse(-0.24, 0.68, 0.18, 0.27, tilt=18), 0.12, grip, closed=True)
    layer.disc(0, 0.02, 0.06, lit(steel, -0.4), puff=0.7)


def spoon(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a spoon of metal or wood."""
    stuff = tint(rng, "steel", "gold", "wood", "steel")
    bowl = rng.uniform(0.26, 0.34)
    layer.fill(lathe([(0.06, -0.3), (0.05, 0.3), (0.1, 0.8), (0.12, 0.94), (0.06, 1), (0, 1)]), stuff, puff=0.6)
    layer.fill(
        curve(
            [(0, -1), (bowl, -0.72), (bowl * 0.7, -0.36), (0, -0.22), (-bowl * 0.7, -0.36), (-bowl, -0.72)], closed=True
        ),
        stuff,
        puff=0.5,
    )
    inner = curve(
        [(0, -0.93), (bowl * 0.8, -0.7), (bowl * 0.5, -0.42), (0, -0.34), (-bowl * 0.5, -0.42), (-bowl * 0.8, -0.7)],
        closed=True,
    )
    layer.atop(inner, lit(stuff, -0.4), opacity=0.8, soft=0.03)
    layer.atop(ellipse(0.08, -0.52, 0.09, 0.14), (255, 255, 255), opacity=0.55, soft=0.05)


def pencil(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a pencil with rubber and ferrule."""
    paint, wood, half = scheme(rng)[0], parse("e3c392"), rng.uniform(0.11, 0.15)
    layer.fill(box(-half, -1, half, -0.82, soft=0.06), tint(rng, "pink", "red"), puff=0.5)
    layer.fill(box(-half, -0.86, half, -0.7), tint(rng, "steel", "gold"), puff=0.7)
    layer.fill(box(-half, -0.7, half, 0.62), paint, puff=0.2)
    layer.atop(box(-half, -0.7, -half / 3, 0.62), lit(paint, 0.3))
    layer.atop(box(half / 3, -0.7, half, 0.62), lit(paint, -0.3))
    layer.fill(
        points([(-half, 0.6), (-half / 2, 0.66), (0, 0.6), (half / 2, 0.66), (half, 0.6), (0.03, 0.92), (-0.03, 0.92)]),
        wood,
        puff=0.4,
    )
    layer.fill([(-0.04, 0.88), (0.04, 0.88), (0, 1)], mix(paint, parse("242428"), 0.7), puff=0.3)


def hammer(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a claw hammer."""
    wood, steel = tint(rng, "wood", "red", "blue", "brown"), tint(rng, "steel", "iron")
    layer.fill(lathe([(0.07, -0.7), (0.08, 0.1), (0.1, 0.6), (0.13, 0.92), (0.1, 1), (0, 1)]), wood, puff=0.6)
    head = [
        (0.62, -0.98),
        (0.62, -0.62),
        (0.42, -0.68),
        (0.18, -0.64),
        (-0.12, -0.62),
        (-0.4, -0.64),
        (-0.72, rng.uniform(-0.55, -0.4)),
    ]
    layer.fill(
        curve([*head, (-0.5, -0.86), (-0.14, -0.97), (0.18, -0.96), (0.42, -0.92)], closed=True, steps=5),
        steel,
        to=lit(steel, -0.3),
        puff=0.6,
    )
    layer.fill(box(0.52, -1, 0.7, -0.6, soft=0.04), lit(steel, 0.1), puff=0.6)
