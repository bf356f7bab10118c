"""Small classes: plants, sky, toys and signs."""

import numpy as np

from hqdata.demo.canvas import Layer
from hqdata.demo.outline import arc, box, curve, ellipse, leaf, limb, mirror, points, shift, star
from hqdata.demo.palette import lit, mix, parse, scheme, tint


def gold_star(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a facetted star of five to eight points."""
    paint, count = tint(rng, "gold", "red", "blue", "yellow", "steel"), int(rng.integers(5, 9))
    shape = star(0, 0, 1.0, rng.uniform(0.42, 0.55), count)
    layer.fill(shape, paint, puff=0.3)
    for i in range(0, 2 * count, 2):
        layer.atop([(0, 0), tuple(shape[i]), tuple(shape[i - 1])], lit(paint, 0.3), opacity=0.7)
        layer.atop([(0, 0), tuple(shape[i]), tuple(shape[(i + 1) % (2 * count)])], lit(paint, -0.3), opacity=0.7)


def crescent(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a crescent moon with craters."""
    paint, bite = tint(rng, "yellow", "cream", "steel", "gold"), rng.uniform(0.2, 0.55)
    outer, inner = arc(0, 0, 0.98, 0.98, 60, 300, count=60), arc(0.49, 0, bite, 0.85, 270, 90, count=40)
    layer.fill(np.concatenate([outer, inner]), paint, to=lit(paint, -0.2), puff=0.6)
    for _ in range(8):
        x, y, r = rng.uniform(-0.9, -0.1), rng.uniform(-0.8, 0.8), rng.uniform(0.04, 0.1)
        layer.atop(ellipse(x, y, r), lit(paint, -0.35), opacity=0.5, soft=0.01)
        layer.atop(ellipse(x + r * 0.25, y + r * 0.25, r * 0.8), lit(paint, 0.25), opacity=0.5, soft=0.02)


def cactus(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a potted cactus with arms and a flower."""
    green, pot = tint(rng, "green", "teal", "leaf"), tint(rng, "orange", "red", "cream", "blue")
    half, top = rng.uniform(0.2, 0.26), rng.uniform(-0.95, -0.7)
    for side in (-1, 1)[: int(rng.integers(1, 3))]:
        y = rng.uniform(-0.15, 0.25)
        layer.tube(
            curve([(0, y), (side * 0.4, y), (side * 0.52, y - 0.15), (side * 0.52, y - rng.uniform(0.35, 0.5))]),
            0.24,
            green,
        )
    layer.fill(box(-half, top, half, 0.6, soft=half), green, to=lit(green, -0.15), puff=0.6)
    for x in np.linspace(-half * 0.7, half * 0.7, 4):
        layer.streak([(x, top), (x, 0.6)], 0.018, lit(green, -0.4), opacity=0.6)
        for y in np.arange(top + 0.1, 0.5, 0.12):
            layer.atop(star(x, y + x * 0.2, 0.045, 0.012, 5), parse("f6f2da"))
    bloom = tint(rng, "pink", "yellow", "red")
    for tilt in (-45, 0, 45):
        layer.fill(leaf(0.22, 0.07, tilt=tilt, at=(0, top + 0.06)), lit(bloom, 0.004 * tilt))
    layer.fill(points([(-0.44, 0.5), (0.44, 0.5), (0.32, 1), (-0.32, 1)]), pot, puff=0.6)
    layer.fill(box(-0.5, 0.42, 0.5, 0.58, soft=0.04), lit(pot, 0.1), puff=0.5)


def autumn_leaf(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a lobed leaf with veins."""
    paint, lobes = tint(rng, "red", "orange", "yellow", "green", "brown"), int(rng.integers(2, 4))
    knots, tips = [(0.0, -0.98)], []
    for i in range(lobes):
        y = -0.5 + 0.85 * i / max(lobes - 1, 1)
        reach = rng.uniform(0.62, 0.88) * (1 - 0.25 * abs(y))
        knots += [(0.2, y - 0.14), (reach, y - 0.2), (reach * 0.75, y + 0.06)]
        tips.append((reach * 0.92, y - 0.16))
    half = curve([*knots, (0.16, 0.5), (0, 0.6)], steps=5)
    layer.fill(mirror(half), paint, to=mix(paint, tint(rng, "orange", "green", "brown"), 0.5), puff=0.4)
    vein = lit(paint, 0.45)
    layer.streak([(0, 0.6), (0, -0.9)], 0.03, vein)
    for x, y in tips:
        for side in (-1, 1):
            layer.streak(curve([(0, y + 0.28), (side * x * 0.5, y + 0.1), (side * x, y)]), 0.02, vein)
    layer.tube(curve([(0, 0.55), (0.02, 0.8), (0.1, 1)]), 0.06, lit(paint, -0.35))


def kite(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a diamond kite with a tail of bows."""
    tones, wide, waist = scheme(rng), rng.uniform(0.5, 0.66), rng.uniform(-0.55, -0.4)
    top, low = (0.0, -1.0), (0.0, 0.32)
    tail = curve([low, (0.16, 0.5), (-0.12, 0.68), (0.12, 0.84), (-0.02, 1)], steps=10)
    layer.line(tail, 0.025, lit(tones[3], -0.3))
    for i in (9, 19, 29):
        for side in (-1, 1):
            layer.fill(points([(0, 0), (side * 0.15, -0.08), (side * 0.15, 0.08)]) + tail[i], tones[i % 3])
    for i, (x, y) in enumerate(((-wide, top), (wide, top), (wide, low), (-wide, low))):
        layer.fill(points([y, (x, waist), (0, waist)]), tones[(0, 1, 0, 1)[i]], puff=0.2)
    layer.streak([top, low], 0.03, tint(rng, "wood"))
    layer.streak([(-wide, waist), (wide, waist)], 0.03, tint(rng, "wood"))


def snowman(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a snowman with scarf, hat and stick arms."""
    snow, scarf, hat = (
        parse("eef3f8"),
        tint(rng, "red", "green", "purple", "orange"),
        tint(rng, "black", "brown", "blue", "red"),
    )
    for side in (-1, 1):
        layer.tube(
            curve([(side * 0.3, 0), (side * 0.6, -0.14), (side * 0.88, -0.3 + rng.normal(0, 0.08))]),
            0.05,
            tint(rng, "bark"),
        )
    for y, r in ((0.56, 0.46), (0.02, 0.35), (-0.42, 0.26)):
        layer.disc(0, y, r, snow, ry=r * 0.95, puff=0.55)
    layer.fill(np.concatenate([arc(0, -0.28, 0.27, 0.1, 180, 0), arc(0, -0.16, 0.25, 0.1, 0, 180)]), scarf)
    layer.fill(box(0.08, -0.2, 0.22, 0.2, soft=0.03), lit(scarf, -0.12))
    for x in (-0.09, 0.09):
        layer.disc(x, -0.5, 0.032, parse("1c1c20"))
    for y in (0.0, 0.16, 0.42):
        layer.disc(0, y, 0.036, parse("2a2a30"))
    layer.fill([(0, -0.45), (0, -0.37), (0.3, -0.38)], parse("e87f2c"))
    layer.fill(box(-0.32, -0.68, 0.32, -0.61, soft=0.03), hat)
    layer.fill(box(-0.2, -1, 0.2, -0.64, soft=0.03), hat, puff=0.5)
    layer.atop(box(-0.2, -0.76, 0.2, -0.68), scarf)


def heart(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a glossy heart."""
    paint, dip = tint(rng, "red", "pink", "purple", "orange"), rng.uniform(-0.5, -0.34)
    side = [(0, dip), (0.22, -0.72), (0.58, -0.8), (0.9, -0.52), (0.86, -0.06), (0.5, 0.46), (0, 0.94)]
    layer.fill(mirror(curve(side)), paint, to=lit(paint, -0.15), puff=0.7)
    layer.atop(ellipse(-0.5, -0.46, 0.16, 0.24, tilt=30), (255, 255, 255), opacity=0.6, soft=0.06)


def horseshoe(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a horseshoe with nail holes."""
    iron, gape = tint(rng, "steel", "iron", "gold", "brown"), rng.uniform(0.5, 0.64)
    outer = curve(
        [(-gape * 0.7, 0.96), (-0.86, 0.1), (-0.62, -0.7), (0, -0.98), (0.62, -0.7), (0.86, 0.1), (gape * 0.7, 0.96)]
    )
    inner = curve(
        [
            (gape * 0.7 - 0.24, 0.92),
            (0.5, 0.1),
            (0.36, -0.4),
            (0, -0.58),
            (-0.36, -0.4),
            (-0.5, 0.1),
            (0.24 - gape * 0.7, 0.92),
        ]
    )
    layer.fill(np.concatenate([outer, inner]), iron, to=lit(iron, -0.2), puff=0.7)
    for x, y in ((0.66, 0.3), (0.68, -0.06), (0.58, -0.4)):
        for side in (-1, 1):
            layer.disc(side * x, y, 0.055, parse("1f1d1c"), puff=0)


def flag(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a waving flag of stripes on its pole."""
    tones, count = scheme(rng), int(rng.integers(2, 5))
    x = np.linspace(-0.55, 0.95, 30)
    wave = rng.uniform(0.06, 0.1) * np.sin((x + 0.55) * 4.6 + rng.uniform(0, 1)) * (x + 0.8)
    high = rng.uniform(0.78, 0.95)
    edge = np.stack([x, -0.88 + wave], axis=1)
    layer.fill(np.concatenate([edge, shift(edge, 0, high)[::-1]]), tones[0], puff=0.2)
    for i in range(1, count):
        band = shift(edge, 0, high * i / count)
        layer.atop(np.concatenate([band, shift(band, 0, high / count)[::-1]]), tones[i])
    for at in (6, 16, 25):
        layer.atop(
            box(x[at] - 0.08, -1, x[at] + 0.08, 0.3),
            (255, 255, 255) if at == 16 else (10, 10, 30),
            opacity=0.3,
            soft=0.07,
        )
    layer.tube([(-0.6, -0.94), (-0.6, 1)], 0.09, tint(rng, "wood", "steel", "white"))
    layer.disc(-0.6, -0.95, 0.08, tint(rng, "gold"))


def carrot(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a carrot with its greens."""
    root, green = tint(rng, "orange", "orange", "purple"), tint(rng, "leaf", "green")
    for tilt in (-34, -14, 6, 26):
        stem = layer.at(0, -0.42, tilt=float(tilt + rng.normal(0, 4)))
        stem.fill(limb(curve([(0, 0), (0.04, -0.3), (0, -0.55)]), 0.06, 0.03), green)
        for y in (-0.25, -0.38, -0.5):
            for side in (-1, 1):
                stem.fill(leaf(0.2, 0.07, tilt=side * 55, at=(0, y)), lit(green, 0.1 * side), puff=0.3)
    half = rng.uniform(0.24, 0.34)
    side_line = [(0, -0.5), (half * 0.8, -0.46), (half, -0.3), (half * 0.75, 0.2), (half * 0.35, 0.7), (0, 1)]
    layer.fill(mirror(curve(side_line)), root, to=lit(root, -0.12), puff=0.65)
    for y in (-0.25, -0.05, 0.12, 0.32, 0.55):
        x = rng.uniform(-0.15, 0.1) * (1 - y)
        layer.streak(arc(x, y, 0.12, 0.04, 10, 170), 0.02, lit(root, -0.35), opacity=0.7)
