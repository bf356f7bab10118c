"""Made things one keeps, full of holes: chairs, baskets, clockwork, birdcages, chandeliers, handbags with chains."""

from itertools import pairwise

import numpy as np

from hqdata.demo.canvas import Layer
from hqdata.demo.outline import Points, arc, box, curve, ellipse, lathe, points, shift, turn
from hqdata.demo.palette import Colour, lit, mix, parse, scheme, tint


def chair(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a slat-back chair seen at an angle, with stretchers between its legs."""
    wood = mix(tint(rng, "wood", "brown", "iron", "white", "teal"), scheme(rng)[0], 0.12)
    lean, slats = rng.uniform(0.04, 0.12), int(rng.integers(5, 9))
    for x, y in ((-0.2, 0.74), (0.58, 0.74)):
        layer.tube([(x, 0.18), (x + 0.02, y)], 0.065, lit(wood, -0.28))
    layer.tube([(-0.2, 0.5), (0.58, 0.5)], 0.035, lit(wood, -0.28))
    left, right = (-0.24 - lean, -1.0), (0.56 + lean, -0.98)
    for share in np.linspace(0, 1, slats + 2)[1:-1]:
        top = (left[0] + (right[0] - left[0]) * share, -0.84)
        layer.tube(
            curve([top, (top[0] * 0.97, -0.4), (-0.18 + 0.74 * share, 0.1)]), 0.045, lit(wood, rng.normal(0, 0.04))
        )
    for end, foot in ((left, -0.2), (right, 0.58)):
        layer.tube(curve([end, (end[0] * 0.96, -0.4), (foot, 0.16)]), 0.075, wood)
    rail = np.concatenate(
        [
            curve([(left[0], -1), (0.16, -1.03 - lean), (right[0], -0.98)]),
            curve([(right[0], -0.8), (0.16, -0.82), (left[0], -0.82)]),
        ]
    )
    layer.fill(rail, lit(wood, 0.08), puff=0.4)
    seat = points([(-0.28, 0.1), (0.64, 0.1), (0.44, 0.34), (-0.58, 0.34)])
    layer.fill(seat, tint(rng, "straw", "wood", "red"), puff=0.25)
    for share in np.linspace(0.05, 0.95, 12):
        layer.streak([(-0.28 + 0.92 * share, 0.1), (-0.58 + 1.02 * share, 0.34)], 0.012, lit(wood, -0.4), opacity=0.5)
    layer.fill(box(-0.6, 0.33, 0.46, 0.41, soft=0.02), lit(wood, -0.08), puff=0.3)
    for x in (-0.54, 0.4):
        layer.fill(points([(x - 0.045, 0.38), (x + 0.045, 0.38), (x + 0.028, 1), (x - 0.028, 1)]), wood, puff=0.6)
    for y in (0.58, 0.74):
        layer.tube([(-0.54, y), (0.4, y)], 0.036, wood)
    for x, back in ((-0.54, -0.2), (0.4, 0.58)):
        layer.tube([(x, 0.68), (back, 0.58)], 0.034, lit(wood, -0.15))


def basket(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a wicker basket of open weave under a looped handle."""
    straw = tint(rng, "straw", "wood", "brown")
    wide, foot = rng.uniform(0.78, 0.92), rng.uniform(0.52, 0.66)
    for offset in (-0.03, 0.03):
        layer.tube(arc(0, -0.1, wide * 0.86 + offset, 0.84 + offset, 180, 360, count=50), 0.04, lit(straw, -0.1))
    for angle in np.linspace(186, 354, 34):
        knot = arc(0, -0.1, wide * 0.86, 0.84, angle, angle + 2, count=2)
        layer.line(
            [(knot[0][0] * 0.95, knot[0][1] * 0.95), (knot[1][0] * 1.05, knot[1][1] * 1.05)], 0.022, lit(straw, 0.1)
        )
    layer.fill(ellipse(0, -0.04, wide, 0.12), lit(straw, -0.65), puff=0.1)
    layer.cut(ellipse(0, -0.03, wide * 0.86, 0.07))
    rows = np.linspace(0.02, 0.9, int(rng.integers(9, 13)))
    half = np.interp(rows, [0.0, 0.55, 0.95], [wide, wide * 0.94, foot])
    stakes = np.linspace(-78, 78, 19)
    for angle in stakes:
        sine = np.sin(np.radians(angle))
        layer.tube(
            np.stack([half * sine, rows + 0.1 * np.cos(np.radians(angle)) * half], axis=1), 0.028, lit(straw, -0.2)
        )
    for i, (y, reach) in enumerate(zip(rows, half, strict=True)):
        angle = np.radians(np.linspace(-90, 90, 76))
        ripple = 0.012 * np.cos(np.arange(76) * 2 * np.pi / 8 + np.pi * i)
        strand = np.stack([reach * np.sin(angle), y + 0.1 * np.cos(angle) * reach + ripple], axis=1)
        layer.tube(strand, 0.034, lit(straw, float(rng.normal(0.04, 0.05))))
    for y, reach in ((-0.04, wide), (0.92, foot)):
        rim = arc(0, y, reach, 0.12 if y < 0 else 0.09, 0, 180, count=40)
        layer.tube(rim, 0.075, straw)
        for i in range(0, 39, 2):
            layer.line(rim[i : i + 2] + np.array([(0, -0.03), (0, 0.03)]), 0.016, lit(straw, -0.3))
    layer.tube(arc(0, -0.04, wide, 0.12, 180, 360, count=40), 0.06, straw)


def _gear(layer: Layer, x: float, y: float, radius: float, *, spin: float, metal: Colour, spokes: int) -> None:
    """Draw a toothed wheel with windows between its spokes."""
    teeth = max(10, int(radius * 48))
    angle = np.arange(teeth * 4) * 2 * np.pi / (teeth * 4) + np.radians(spin)
    reach = np.where((np.arange(teeth * 4) // 2) % 2 == 0, radius, radius * (1 - 0.05 / radius))
    layer.fill(
        np.stack([x + reach * np.cos(angle), y + reach * np.sin(angle)], axis=1), metal, to=lit(metal, -0.25), puff=0.25
    )
    layer.streak(ellipse(x, y, radius - 0.075, count=80), 0.012, lit(metal, -0.4), opacity=0.6)
    inner, outer, pad = max(0.22 * radius, 0.05), radius - 0.12, 12.0
    for i in range(spokes):
        start, stop = 360 * i / spokes + spin, 360 * (i + 1) / spokes + spin
        window = np.concatenate(
            [
                arc(x, y, outer, outer, start + pad * 0.5, stop - pad * 0.5),
                arc(x, y, inner * 1.5, inner * 1.5, stop - pad, start + pad),
            ]
        )
        layer.cut(window)
        layer.line(window, 0.008, lit(metal, -0.35), closed=True)
    layer.disc(x, y, inner * 0.75, lit(metal, 0.15), puff=0.7)
    layer.disc(x, y, inner * 0.3, lit(metal, -0.5), puff=0.4)


def clockwork(layer: Layer, rng: np.random.Generator) -> None:
    """Draw meshing gears of brass and steel, joined by a bridge plate."""
    brass, steel, copper = tint(rng, "gold"), tint(rng, "steel"), tint(rng, "orange", "brown")
    big = rng.uniform(0.5, 0.58)
    spin = rng.uniform(0, 30)
    _gear(layer, -0.32, 0.2, big, spin=spin, metal=brass, spokes=int(rng.integers(5, 8)))
    heading = rng.uniform(-60, -30)
    place, last = [(-0.32, 0.2)], big
    for radius, metal, turn_by in ((rng.uniform(0.28, 0.34), steel, 0.0), (rng.uniform(0.2, 0.26), copper, 85.0)):
        heading += turn_by
        source, reach = place[-1], last + radius - 0.045
        x, y = source[0] + reach * np.cos(np.radians(heading)), source[1] + reach * np.sin(np.radians(heading))
        _gear(layer, x, y, radius, spin=spin * 1.7, metal=metal, spokes=5)
        place.append((x, y))
        last = radius
    x, y = -0.32 + (big + 0.13) * np.cos(2.2), 0.2 - (big + 0.13) * np.sin(2.2)
    _gear(layer, x, y, 0.18, spin=spin, metal=copper, spokes=4)
    layer.tube([*place], 0.05, lit(steel, -0.2))
    layer.tube([place[0], (x, y)], 0.05, lit(steel, -0.2))
    for spot in [*place, (x, y)]:
        layer.disc(*spot, 0.05, parse("a3303f"), puff=0.8)
        layer.disc(*spot, 0.02, parse("d6dce2"), puff=0.5)


def birdcage(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a domed birdcage with a perch and a small bird."""
    wire, coat = tint(rng, "gold", "iron", "white", "teal"), tint(rng, "yellow", "blue", "red", "green")
    half = rng.uniform(0.5, 0.6)
    for share in np.linspace(-0.9, 0.9, 9):
        layer.line(
            curve([(0, -0.78), (share * half * 0.85, -0.52), (share * half, -0.2), (share * half, 0.8)]),
            0.009,
            lit(wire, -0.35),
        )
    layer.tube([(-half * 0.8, 0.36), (half * 0.8, 0.36)], 0.03, tint(rng, "wood"))
    bird = layer.at(rng.uniform(-0.15, 0.15), 0.2, 0.2, flip=bool(rng.random() < 0.5))
    bird.fill(
        curve([(0.2, -0.7), (0.5, -0.4), (0.4, 0.4), (0, 0.85), (-0.9, 1.5), (-0.4, 0.4), (-0.1, -0.4)], closed=True),
        coat,
        puff=0.7,
    )
    bird.fill([(0.45, -0.5), (0.75, -0.35), (0.45, -0.25)], parse("e0902f"))
    bird.disc(0.3, -0.45, 0.07, parse("15120f"), puff=0)
    bird.fill(curve([(0.1, -0.1), (0.15, 0.4), (-0.55, 0.95), (-0.2, 0.2)], closed=True), lit(coat, -0.3), puff=0.4)
    for angle in np.linspace(-86, 86, 15):
        x = half * np.sin(np.radians(angle))
        layer.tube(curve([(0, -0.8), (x * 0.82, -0.56), (x, -0.2), (x, 0.82)]), 0.016, wire)
    for y, wide in ((-0.2, 1.0), (0.28, 1.0), (0.8, 1.03)):
        layer.tube(arc(0, y, half * wide, 0.05, 0, 180, count=40), 0.026, wire)
    base = np.concatenate([arc(0, 0.82, half + 0.06, 0.06, 180, 360), arc(0, 0.94, half + 0.08, 0.06, 0, 180)])
    layer.fill(base, wire, to=lit(wire, -0.3), puff=0.5)
    layer.line(arc(0.0, 0.52, 0.17, 0.02, 0, 180), 0.012, wire)
    layer.disc(0, -0.82, 0.06, lit(wire, -0.1), puff=0.7)
    layer.tube(ellipse(0, -0.93, 0.06, 0.07), 0.02, wire, closed=True)


def chandelier(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a chandelier: chain, curled arms, candles, strings of crystal."""
    brass, glass = tint(rng, "gold", "iron"), parse("dbe9f0")
    for i, y in enumerate(np.arange(-1.0, -0.5, 0.062)):
        layer.line(ellipse(0, y, 0.012 if i % 2 else 0.028, 0.042), 0.013, brass, closed=True)
    layer.fill(
        lathe(
            [
                (0.03, -0.5),
                (0.08, -0.4),
                (0.03, -0.26),
                (0.13, -0.05),
                (0.05, 0.2),
                (0.16, 0.36),
                (0.05, 0.56),
                (0, 0.64),
            ]
        ),
        brass,
        puff=0.8,
    )
    reaches = (-0.9, -0.64, -0.34, 0.34, 0.64, 0.9)
    for x in reaches:
        low = 0.44 - 0.1 * abs(x)
        arm = curve([(0, 0.22), (x * 0.4, low + 0.14), (x * 0.86, low), (x, 0.12)])
        layer.tube(arm, 0.034, brass)
        spin = np.linspace(0, 2.6 * np.pi, 30)
        radius = 0.085 * (1 - spin / (3 * np.pi))
        layer.line(
            np.stack([x * 0.45 + radius * np.cos(spin), low - 0.03 + radius * np.sin(spin)], axis=1), 0.014, brass
        )
        layer.fill(lathe([(0.09, 0.1), (0.05, 0.15), (0.02, 0.2)], x=x), brass)
        layer.fill(box(x - 0.028, -0.12, x + 0.028, 0.11), parse("f6f0e0"), puff=0.6)
        layer.fill(
            lathe([(0, -0.27), (0.022, -0.19), (0.024, -0.15), (0, -0.12)], x=x),
            parse("ffe9a8"),
            to=parse("f3a73c"),
            puff=0.2,
        )
        for step in range(4):
            layer.disc(x, 0.24 + 0.055 * step, 0.016 + 0.004 * (step == 3), glass, ry=0.024, puff=0.9)
    for a, b in pairwise(reaches):
        for share in np.linspace(0, 1, 9):
            x = a + (b - a) * share
            layer.disc(x, 0.2 + 0.42 * share * (1 - share), 0.014, glass, puff=0.9)
    layer.disc(0, 0.7, 0.05, glass, ry=0.085, puff=0.9)


def _chain(layer: Layer, path: Points, link: float, metal: Colour) -> None:
    """Lay open links along a path, seen flat and edge-on in turn."""
    for i in range(len(path) - 1):
        way = path[i + 1] - path[i]
        tilt = float(np.degrees(np.arctan2(way[1], way[0])))
        ring = turn(ellipse(0, 0, link, link * (0.55 if i % 2 else 0.18), count=20), tilt) + (path[i] + path[i + 1]) / 2
        layer.line(ring, link * 0.34, lit(metal, 0.1 if i % 2 else -0.15), closed=True)


def handbag(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a quilted handbag on a chain."""
    hide, metal = mix(scheme(rng)[0], tint(rng, "brown", "red", "black", "cream"), 0.5), tint(rng, "gold", "steel")
    wide, slack = rng.uniform(0.74, 0.88), rng.uniform(-0.98, -0.8)
    for lean in (-0.04, 0.05):
        strap = curve(
            [
                (-wide * 0.74, -0.02),
                (-wide * 0.62 + lean, -0.55),
                (lean, slack),
                (wide * 0.62 + lean, -0.55),
                (wide * 0.74, -0.02),
            ],
            steps=11,
        )
        _chain(layer, strap, 0.036, metal)
    body = curve(
        [
            (-wide, 0.04),
            (-wide * 1.03, 0.5),
            (-wide * 0.97, 0.92),
            (0, 0.99),
            (wide * 0.97, 0.92),
            (wide * 1.03, 0.5),
            (wide, 0.04),
            (0, -0.04),
        ],
        closed=True,
    )
    layer.fill(body, hide, to=lit(hide, -0.25), puff=0.6)
    for offset, width, tone in ((0.0, 0.011, -0.45), (0.012, 0.006, 0.3)):
        for slope in (-1.2, 1.2):
            seams = [points([(x + offset, 0), (x + offset + slope, 1.05)]) for x in np.arange(-2.2, 2.2, 0.19)]
            layer.streaks(seams, width, lit(hide, tone), opacity=0.5)
    flap = curve(
        [(-wide * 0.98, 0.0), (-wide * 0.7, 0.42), (0, 0.56), (wide * 0.7, 0.42), (wide * 0.98, 0.0), (0, -0.07)],
        closed=True,
    )
    layer.atop(shift(flap, 0, 0.03), (15, 12, 20), opacity=0.4, soft=0.03)
    layer.fill(flap, lit(hide, 0.04), to=lit(hide, -0.12), puff=0.5)
    layer.streak(shift(flap * 0.94, 0, 0.012), 0.009, lit(hide, 0.45), opacity=0.5)
    layer.fill(box(-0.1, 0.42, 0.1, 0.58, soft=0.04), metal, puff=0.7)
    layer.line(ellipse(0, 0.5, 0.045), 0.018, lit(metal, -0.4), closed=True)
    for side in (-1, 1):
        layer.tube(ellipse(side * wide * 0.74, 0.0, 0.05), 0.022, metal, closed=True)
