"""Built things full of holes: lattice towers, bridges, ships, windmills, pavilions, gates."""

from itertools import pairwise

import numpy as np

from hqdata.demo.canvas import Layer
from hqdata.demo.outline import arc, box, curve, ellipse, lathe, mirror, points, segment, shift
from hqdata.demo.palette import Colour, lit, mix, parse, scheme, tint


def _truss(
    layer: Layer, a: tuple[float, float], b: tuple[float, float], *, depth: float, count: int, colour: Colour
) -> None:
    """Draw a girder from ``a`` to ``b``: two chords and crossed braces."""
    for i in range(count):
        one, two = segment(a, b, i / count), segment(a, b, (i + 1) / count)
        layer.line([one, (two[0], two[1] + depth)], 0.008, lit(colour, 0.06))
        layer.line([(one[0], one[1] + depth), two], 0.008, lit(colour, -0.1))
        layer.line([one, (one[0], one[1] + depth)], 0.009, colour)
    layer.tube([a, b], 0.016, colour)
    layer.tube([(a[0], a[1] + depth), (b[0], b[1] + depth)], 0.016, colour)


def tower(layer: Layer, rng: np.random.Generator) -> None:
    """Draw an iron lattice tower on four arched feet."""
    iron = tint(rng, "brown", "iron", "red", "steel")
    flare = rng.uniform(1.9, 2.6)
    levels = np.concatenate([np.linspace(1, 0.3, 7), np.linspace(0.22, -0.25, 6), np.linspace(-0.31, -0.82, 13)])
    outer = 0.032 + 0.5 * np.clip((levels + 0.82) / 1.82, 0, 1) ** flare
    inner = outer * np.where(levels > -0.3, 0.62, 0.0)
    for side in (-1, 1):
        legs = [np.stack([side * reach, levels], axis=1) for reach in (outer, inner)]
        for i in range(len(levels) - 1):
            for a, b in ((legs[0][i], legs[1][i + 1]), (legs[1][i], legs[0][i + 1]), (legs[0][i], legs[1][i])):
                layer.line(np.stack([a, b]), 0.0085, lit(iron, 0.08 * side))
        for leg in legs:
            layer.tube(leg, 0.02, iron)
    layer.tube(arc(0, 1.0, float(inner[0]) * 0.98, 0.5, 180, 360, count=40), 0.024, iron)
    layer.line(arc(0, 1.0, float(inner[0]) * 0.9, 0.44, 180, 360, count=40), 0.009, iron)
    for y in (0.26, -0.28):
        deck = float(np.interp(-y, -levels, outer)) + 0.035
        layer.fill(box(-deck, y - 0.03, deck, y + 0.03), iron, to=lit(iron, -0.3), puff=0.3)
        for x in np.arange(-deck, deck, 0.03):
            layer.line([(x, y - 0.03), (x, y - 0.07)], 0.006, iron)
        layer.line([(-deck, y - 0.07), (deck, y - 0.07)], 0.008, iron)
    layer.fill(box(-0.055, -0.86, 0.055, -0.82), iron)
    layer.fill(lathe([(0.01, -0.93), (0.04, -0.89), (0.04, -0.86), (0, -0.86)]), iron)
    layer.tube([(0, -0.9), (0, -1.02)], 0.012, iron)


def bridge(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a suspension bridge: towers, cables, hangers, a truss deck."""
    paint = tint(rng, "red", "steel", "teal", "orange")
    span, top, deck = rng.uniform(0.48, 0.56), rng.uniform(-0.52, -0.42), 0.12
    share = np.linspace(-1, 1, 60)
    main = np.stack([share * span, top + (deck - 0.06 - top) * (1 - share**2)], axis=1)
    cables = [main]
    for side in (-1, 1):
        out = np.linspace(side * span, side * 1.2, 24)
        drop = np.linspace(0, 1, 24)
        cables.append(np.stack([out, top + (deck - top) * (drop * 1.3 - 0.3 * drop**2)], axis=1))
    for cable in cables:
        for i in range(1, len(cable) - 1, 2):
            layer.line([(cable[i][0], cable[i][1]), (cable[i][0], deck)], 0.006, lit(paint, 0.1))
        layer.tube(cable, 0.016, paint)
    _truss(layer, (-1.2, deck), (1.2, deck), depth=0.08, count=60, colour=paint)
    for side in (-1, 1):
        x = side * span
        for offset in (-0.045, 0.045):
            layer.fill(
                box(x + offset - 0.018, top - 0.06, x + offset + 0.018, 0.5), paint, to=lit(paint, -0.3), puff=0.4
            )
        for y in np.linspace(top, deck - 0.08, 4):
            layer.fill(box(x - 0.05, y, x + 0.05, y + 0.035), lit(paint, -0.1), puff=0.2)
            layer.line([(x - 0.045, y + 0.04), (x + 0.045, y + 0.15)], 0.009, paint)
            layer.line([(x + 0.045, y + 0.04), (x - 0.045, y + 0.15)], 0.009, paint)
        layer.fill(box(x - 0.1, 0.4, x + 0.1, 0.6, soft=0.03), tint(rng, "stone"), puff=0.5)


def _square_sails(
    layer: Layer, rng: np.random.Generator, x: float, top: float, wide: float, *, sail: Colour, wood: Colour
) -> None:
    """Draw a mast with its yards and bellied sails."""
    layer.tube([(x, top), (x, 0.62)], 0.026, wood)
    height = (0.42 - top) / 3
    for i in range(3):
        y = top + 0.07 + i * height
        half, low = wide * (0.55 + 0.22 * i), wide * (0.62 + 0.24 * i)
        belly = curve([(x - half, y), (x - half - 0.01, y + height * 0.5), (x - low, y + height * 0.84)])
        foot = arc(x, y + height * 0.86, low, 0.05, 180, 360)
        right = belly[::-1] * (-1, 1) + (2 * x, 0)
        layer.fill(np.concatenate([belly, foot, right]), lit(sail, rng.normal(0, 0.03)), to=lit(sail, -0.18), puff=0.45)
        for share in (-0.5, 0, 0.5):
            layer.streak(
                [(x + share * half, y), (x + share * low * 1.1, y + height)], 0.006, lit(sail, -0.4), opacity=0.5
            )
        layer.tube([(x - half - 0.03, y), (x + half + 0.03, y)], 0.016, wood)


def ship(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a three-masted ship with shrouds, ratlines and jibs."""
    wood, hull, sail = (
        tint(rng, "wood", "brown"),
        tint(rng, "brown", "iron", "blue", "bark"),
        tint(rng, "cream", "white"),
    )
    rope, masts = parse("4b4036"), ((-0.5, -0.72), (0.0, -0.96), (0.44, -0.8))
    layer.tube([(0.62, 0.55), (1.0, 0.26)], 0.024, wood)
    for x, top in masts:
        for side in (-1, 1):
            for spread in (0.08, 0.13, 0.18):
                layer.line([(x, top + 0.28), (x + side * spread, 0.62)], 0.005, rope)
            for y in np.arange(top + 0.45, 0.6, 0.06):
                reach = (y - top - 0.28) / (0.34 - top) * side
                layer.line([(x + reach * 0.08, y), (x + reach * 0.18, y)], 0.004, rope)
    for (xa, ya), (xb, yb) in zip(masts, [*masts[1:], (0.98, 0.26)], strict=True):
        layer.line([(xa, ya), (xb, yb + 0.3 if xb < 0.9 else yb)], 0.005, rope)
        layer.line([(xa, ya + 0.3), (xb, 0.5 if xb < 0.9 else yb)], 0.005, rope)
    for share, low in ((0.0, 0.34), (0.16, 0.4)):
        jib = [
            segment((0.46, -0.56 + share), (0.96, 0.28), 0.05),
            segment((0.46, -0.56 + share), (0.96, 0.28), 0.9 - share),
            (0.56, low - 0.04),
        ]
        layer.fill(points(jib), lit(sail, -0.05), to=lit(sail, -0.2), puff=0.4)
    for x, top in masts:
        _square_sails(layer, rng, x, top, 0.22 if x == 0.0 else 0.18, sail=sail, wood=wood)
        layer.fill(points([(x, top - 0.05), (x - 0.14, top - 0.025), (x, top)]), scheme(rng)[0], puff=0)
    rail = curve([(-0.92, 0.42), (-0.5, 0.58), (0.2, 0.62), (0.78, 0.5)])
    keel = curve([(0.78, 0.5), (0.62, 0.86), (0.4, 1), (-0.6, 1), (-0.82, 0.84), (-0.92, 0.42)])
    layer.fill(np.concatenate([rail, keel[1:]]), hull, to=lit(hull, -0.4), puff=0.5)
    layer.streak(shift(rail, 0, 0.07), 0.03, tint(rng, "gold", "cream"))
    for x in np.arange(-0.7, 0.6, 0.13):
        layer.atop(box(x, 0.72, x + 0.05, 0.77), parse("17130f"), opacity=0.9)
    for x, y in rail[::2]:
        layer.line([(x, y), (x, y - 0.06)], 0.01, wood)
    layer.line(shift(rail, 0, -0.06), 0.012, wood)


def windmill(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a windmill with lattice sails and a railed gallery."""
    wall, cap = tint(rng, "cream", "white", "brown", "stone"), tint(rng, "brown", "red", "iron", "green")
    layer.fill(points([(-0.2, -0.3), (0.2, -0.3), (0.36, 1), (-0.36, 1)]), wall, to=lit(wall, -0.15), puff=0.6)
    for y in np.arange(-0.2, 1, 0.1):
        layer.streak(arc(0, y - 0.03, 0.4, 0.03, 0, 180), 0.008, lit(wall, -0.4), opacity=0.45)
    for y in (-0.06, 0.72):
        layer.fill(box(-0.06, y, 0.06, y + 0.14, soft=0.05), parse("4a5a66"), puff=0.2)
        layer.line([(0, y), (0, y + 0.14)], 0.014, lit(wall, 0.3))
    layer.fill(lathe([(0.02, -0.62), (0.16, -0.52), (0.24, -0.3), (0, -0.28)]), cap, puff=0.6)
    layer.fill(box(-0.46, 0.36, 0.46, 0.4), tint(rng, "wood"), puff=0.2)
    for x in np.linspace(-0.45, 0.45, 13):
        layer.line([(x, 0.36), (x, 0.25)], 0.011, parse("f1ece0"))
    layer.line([(-0.46, 0.25), (0.46, 0.25)], 0.015, parse("f1ece0"))
    for x in (-0.43, 0.43):
        layer.line([(x, 0.4), (x * 0.66, 0.56)], 0.018, tint(rng, "wood"))
    spin, wood = rng.uniform(0, 90), tint(rng, "wood", "white", "brown")
    for i in range(4):
        arm = layer.at(0, -0.38, 1.0, tilt=float(spin + 90 * i))
        for y in np.linspace(-0.14, -0.66, 15):
            arm.line([(-0.015, y), (0.16, y)], 0.008, wood)
        for x in (0.055, 0.11, 0.16):
            arm.line([(x, -0.14), (x, -0.66)], 0.009, wood)
        arm.tube([(0, 0), (0, -0.68)], 0.026, lit(wood, -0.15))
    layer.disc(0, -0.38, 0.05, parse("3a3a3e"))


def pavilion(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a garden pavilion: curved roofs, columns, lattice rails."""
    roof, post = tint(rng, "green", "brown", "teal", "iron", "gold"), tint(rng, "red", "white", "brown")
    stone = tint(rng, "stone")
    layer.fill(box(-0.86, 0.86, 0.86, 1), stone, to=lit(stone, -0.25), puff=0.3)
    layer.fill(box(-0.76, 0.78, 0.76, 0.86), lit(stone, 0.1), puff=0.3)
    columns = np.linspace(-0.66, 0.66, 4 + 2 * int(rng.integers(0, 2)))
    for a, b in pairwise(columns):
        if abs(a + b) < 0.05:
            continue
        for x in np.arange(a, b, 0.045):
            layer.line([(x, 0.55), (x, 0.76)], 0.01, post)
        for y in (0.53, 0.64, 0.76):
            layer.line([(a, y), (b, y)], 0.016, post)
    for y in (-0.06, 0.04):
        layer.line([(-0.66, y), (0.66, y)], 0.016, post)
    for x in np.arange(-0.66, 0.66, 0.055):
        layer.line([(x, -0.06), (x + 0.055, 0.04)], 0.008, post)
        layer.line([(x + 0.055, -0.06), (x, 0.04)], 0.008, post)
    for x in columns:
        layer.fill(box(x - 0.028, -0.12, x + 0.028, 0.8), post, puff=0.6)
        layer.fill(box(x - 0.045, 0.74, x + 0.045, 0.8), lit(stone, 0.1))
        layer.fill(
            curve([(x - 0.1, -0.06), (x - 0.03, 0.06), (x + 0.03, 0.06), (x + 0.1, -0.06)]), lit(post, -0.1), puff=0.2
        )
    for wide, low, high in ((1.0, -0.1, -0.5), (0.56, -0.5, -0.84)):
        eave = curve(
            [(0.06, high), (wide * 0.42, (low + high) / 2 + 0.04), (wide * 0.78, low - 0.06), (wide, low - 0.1)]
        )
        under = curve([(wide, low - 0.1), (wide * 0.72, low + 0.02), (0, low + 0.03)])
        layer.fill(mirror(np.concatenate([[(0, high)], eave, under])), roof, to=lit(roof, -0.3), puff=0.35)
        for x in np.linspace(-0.9, 0.9, 19):
            layer.streak(
                curve([(x * 0.1, high), (x * wide * 0.55, (low + high) / 2 + 0.05), (x * wide, low)]),
                0.01,
                lit(roof, -0.45),
                opacity=0.6,
            )
        layer.streak(shift(eave, 0, 0.01), 0.02, lit(roof, 0.4), opacity=0.6)
    layer.fill(
        lathe([(0.0, -1), (0.03, -0.95), (0.06, -0.9), (0.03, -0.86), (0.07, -0.82), (0, -0.82)]),
        tint(rng, "gold"),
        puff=0.7,
    )


def gate(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a wrought-iron gate of bars, scrolls and spearheads between piers."""
    iron, gold, stone = tint(rng, "iron", "black", "green"), tint(rng, "gold"), tint(rng, "stone", "cream", "red")
    count, crown = int(rng.integers(12, 17)), rng.uniform(0.2, 0.4)
    for x in np.linspace(-0.64, 0.64, count):
        top = -0.42 - crown * np.cos(x / 0.66 * np.pi / 2)
        layer.tube([(x, top), (x, 0.94)], 0.02, iron)
        layer.fill(
            points([(x, top - 0.12), (x + 0.028, top - 0.03), (x, top + 0.01), (x - 0.028, top - 0.03)]), gold, puff=0.4
        )
    arch = np.linspace(-0.66, 0.66, 40)
    layer.tube(np.stack([arch, -0.34 - crown * np.cos(arch / 0.66 * np.pi / 2)], axis=1), 0.032, iron)
    for y in (-0.18, 0.2, 0.62, 0.94):
        layer.tube([(-0.68, y), (0.68, y)], 0.028, iron)
    for side in (-1, 1):
        for y in (0.01, 0.41, 0.78):
            for x in (0.16, 0.49):
                for way in (-1, 1):
                    spin = np.linspace(0, 3 * np.pi, 36)
                    radius = 0.105 * (1 - spin / (3.4 * np.pi))
                    scroll = np.stack(
                        [side * x + way * (0.07 - radius * np.cos(spin) * 0.7), y + way * radius * np.sin(spin)], axis=1
                    )
                    layer.line(scroll, 0.015, lit(iron, 0.06))
        layer.disc(side * 0.05, 0.2, 0.035, gold)
        layer.fill(box(side * 0.82 - 0.15, -0.5, side * 0.82 + 0.15, 1), stone, to=lit(stone, -0.15), puff=0.35)
        for y in np.arange(-0.35, 1, 0.17):
            layer.streak([(side * 0.82 - 0.2, y), (side * 0.82 + 0.2, y)], 0.01, lit(stone, -0.4), opacity=0.6)
        layer.fill(box(side * 0.82 - 0.19, -0.58, side * 0.82 + 0.19, -0.5), lit(stone, 0.1))
        layer.disc(side * 0.82, -0.7, 0.12, stone, puff=0.8)
    layer.line(ellipse(0, -0.5, 0.1, 0.14), 0.02, mix(iron, gold, 0.6), closed=True)
