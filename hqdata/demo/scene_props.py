"""What fills a scene besides the objects of the other sets: leafy trees, firs, weeds, crates of fruit, books."""

import numpy as np

from hqdata.demo.canvas import Layer
from hqdata.demo.compose import Thing
from hqdata.demo.outline import blob, box, curve, ellipse, limb, points
from hqdata.demo.palette import lit, parse, scheme, tint


def tree(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a leafy tree as clumps of light and shade."""
    green, bark = tint(rng, "leaf", "green", "leaf", "orange"), tint(rng, "bark")
    layer.fill(points([(-0.1, 0.1), (0.1, 0.1), (0.14, 0.96), (0.2, 1), (-0.2, 1), (-0.13, 0.96)]), bark, puff=0.6)
    clumps = [(rng.normal(0, 0.3), rng.uniform(-0.7, 0.1), rng.uniform(0.28, 0.42)) for _ in range(9)]
    for x, y, size in sorted(clumps, key=lambda clump: clump[2] - clump[1]):
        layer.fill(blob(rng, x, y, size, size * 0.85), lit(green, -0.25 - 0.3 * y - 0.3), puff=0.6)
    for x, y in rng.normal(0, 1, (60, 2)) * (0.3, 0.26) - (0.03, 0.34):
        layer.atop(
            blob(rng, x, y, 0.08, 0.06, rough=0.25), lit(green, rng.uniform(-0.25, 0.25) - 0.25 * y), opacity=0.55
        )


def fir(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a fir of hanging tiers, with snow on some."""
    green = tint(rng, "leaf", "teal")
    layer.fill(box(-0.07, 0.7, 0.07, 1), tint(rng, "bark"), puff=0.5)
    tiers = int(rng.integers(4, 6))
    for i in reversed(range(tiers)):
        top, low, half = -1 + 1.45 * i / tiers, -0.5 + 1.3 * i / tiers, 0.2 + 0.4 * (i + 1) / tiers
        hem = [(half * s, low + (0.07 if k % 2 else -0.02)) for k, s in enumerate(np.linspace(1, -1, 9))]
        layer.fill(
            np.concatenate([[(0, top)], curve([(0.1, top + 0.16), (half, low)]), hem]),
            lit(green, -0.3 + 0.06 * i),
            puff=0.5,
        )
        layer.atop(
            curve([(0, top), (-half * 0.9, low), (-half * 0.3, low - 0.12)], closed=True),
            parse("eef4f8"),
            opacity=0.75,
            soft=0.03,
        )


def weed(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a tuft of waving sea weed."""
    green = tint(rng, "green", "teal", "leaf", "purple")
    for _ in range(int(rng.integers(5, 9))):
        x, sway, top = rng.uniform(-0.2, 0.2), rng.uniform(-0.35, 0.35), rng.uniform(-1, 0)
        blade = curve([(x, 1), (x + sway * 0.6, 0.5), (x - sway * 0.3, (top + 0.5) / 2), (x + sway, top)], steps=10)
        layer.fill(limb(blade, 0.16, 0.02), lit(green, rng.normal(0, 0.12)), puff=0.4)


def crate(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a slatted crate heaped with one kind of fruit."""
    wood, fruit = tint(rng, "wood", "straw"), tint(rng, "red", "orange", "yellow", "green", "purple")
    layer.fill(box(-0.95, -0.1, 0.95, 0.3), lit(wood, -0.6), puff=0)
    for row, count in ((-0.42, 4), (-0.22, 6), (0.02, 7)):
        for x in np.linspace(-0.125 * count, 0.125 * count, count):
            one = lit(fruit, rng.normal(0, 0.08))
            layer.disc(x, row + rng.normal(0, 0.02), 0.16, one, puff=0.7)
            layer.disc(x - 0.05, row - 0.06, 0.03, lit(one, 0.6), puff=0)
    for y in (0.1, 0.42, 0.74):
        layer.fill(box(-1, y, 1, y + 0.26, soft=0.02), lit(wood, rng.normal(0, 0.05)), puff=0.3)
    for x in (-0.93, 0.93):
        layer.fill(box(x - 0.07, 0.04, x + 0.07, 1), lit(wood, -0.15), puff=0.4)


def books(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a pile of books."""
    tones, y = scheme(rng), 1.0
    for i in range(int(rng.integers(3, 6))):
        high, half, x = rng.uniform(0.2, 0.32), rng.uniform(0.7, 0.98), rng.normal(0, 0.05)
        layer.fill(box(x - half, y - high, x + half, y, soft=0.05), tones[i], puff=0.4)
        layer.fill(box(x + half * 0.3, y - high + 0.045, x + half + 0.005, y - 0.045), parse("f1ead8"), puff=0.2)
        for share in (-0.8, -0.65, 0.1):
            layer.streak([(x + half * share, y - high), (x + half * share, y)], 0.03, lit(tones[i], 0.45), opacity=0.8)
        y -= high


def lamp(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a table lamp with a cloth shade."""
    shade, foot = tint(rng, "cream", "orange", "teal", "red"), tint(rng, "gold", "iron", "wood", "steel")
    layer.tube([(0, -0.3), (0, 0.9)], 0.08, foot)
    layer.disc(0, 0.34, 0.16, foot, ry=0.22, puff=0.8)
    layer.fill(ellipse(0, 0.92, 0.4, 0.09), foot, puff=0.7)
    layer.fill(
        points([(-0.34, -0.95), (0.34, -0.95), (0.62, -0.2), (-0.62, -0.2)]), lit(shade, 0.2), to=shade, puff=0.4
    )
    layer.atop(ellipse(0, -0.5, 0.3, 0.36), parse("fff6d8"), opacity=0.6, soft=0.16)
    for y in (-0.92, -0.24):
        layer.atop(box(-0.7, y, 0.7, y + 0.05), lit(shade, -0.35), opacity=0.7)


PROPS: dict[str, Thing] = {
    "books": Thing(draw=books, settings=("table",), half=(1.05, 1.02)),
    "crate": Thing(draw=crate, settings=("table",), half=(1.02, 1.0)),
    "fir": Thing(draw=fir, settings=("winter",), half=(0.7, 1.02)),
    "lamp": Thing(draw=lamp, settings=("table",), half=(0.7, 1.02)),
    "tree": Thing(draw=tree, settings=("ground",), half=(1.05, 1.15)),
    "weed": Thing(draw=weed, settings=("undersea",), half=(0.7, 1.02)),
}
