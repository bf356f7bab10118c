"""Thin natural things: bare trees, webs, ferns, insects, feathers, fish bones, dandelions, wheat."""

import numpy as np

from hqdata.demo.canvas import Layer
from hqdata.demo.outline import arc, curve, ellipse, lathe, leaf, limb, points, turn
from hqdata.demo.palette import Colour, lit, mix, parse, tint


def _branch(
    layer: Layer, rng: np.random.Generator, start: tuple[float, float], *, heading: float, length: float, bark: Colour
) -> None:
    """Grow a branch and, from it, smaller ones, until they are twigs."""
    angle = np.radians(heading)
    stop = (start[0] + length * np.sin(angle), start[1] - length * np.cos(angle))
    bend = rng.normal(0, 0.08) * length
    middle = ((start[0] + stop[0]) / 2 + bend, (start[1] + stop[1]) / 2 + bend * 0.4)
    width = 0.26 * length**1.35
    path = curve([start, middle, stop], steps=4)
    if width * layer.unit > 3 * layer.factor:
        layer.fill(limb(path, width, width * 0.66), lit(bark, rng.normal(0, 0.06)), puff=0.5)
        layer.disc(*stop, width * 0.33, bark, puff=0)
    else:
        layer.line(path, width * 0.8, lit(bark, rng.normal(0.04, 0.06)))
    if length < 0.085:
        return
    for side in (-1, 1) if rng.random() < 0.68 else (-1, 0, 1):
        spread = side * rng.uniform(16, 40) + rng.normal(0, 6)
        _branch(layer, rng, stop, heading=heading * 0.92 + spread, length=length * rng.uniform(0.62, 0.82), bark=bark)


def bare_tree(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a leafless tree down to its twigs."""
    bark = tint(rng, "bark", "iron", "brown")
    layer.fill(curve([(-0.2, 1), (-0.09, 0.94), (-0.05, 0.78), (0.05, 0.78), (0.09, 0.94), (0.22, 1)]), bark, puff=0.5)
    _branch(layer, rng, (0, 0.8), heading=rng.uniform(-6, 6), length=rng.uniform(0.46, 0.54), bark=bark)


def web(layer: Layer, rng: np.random.Generator) -> None:
    """Draw an orb web with dew and its spider."""
    silk = tint(rng, "white")
    count = int(rng.integers(13, 19))
    angles = np.sort(np.arange(count) * 2 * np.pi / count + rng.normal(0, 0.06, count))
    reach = rng.uniform(0.86, 1.0, count)
    hub = np.array([rng.uniform(-0.08, 0.08), rng.uniform(-0.12, 0.02)])
    ends = np.stack([np.cos(angles) * reach, np.sin(angles) * reach], axis=1)
    for end in ends:
        layer.line([(hub[0], hub[1]), (end[0], end[1])], 0.009, silk)
    for turn_at in np.linspace(0.1, 0.93, int(rng.integers(12, 18))):
        knots = hub + (ends - hub) * (turn_at + np.linspace(0, 0.05, count))[:, None]
        for a, b in zip(knots, np.roll(knots, -1, axis=0), strict=True):
            sag = (a + b) / 2 + (hub - (a + b) / 2) * 0.07
            layer.line(curve([(a[0], a[1]), (sag[0], sag[1]), (b[0], b[1])], steps=4), 0.007, silk)
        for drop in knots[rng.random(count) < 0.2]:
            layer.disc(drop[0], drop[1], rng.uniform(0.008, 0.016), lit(silk, 0.5), puff=0.5)
    _spider(layer.at(hub[0], hub[1], 0.3, tilt=float(rng.uniform(-40, 40))), rng)


def _spider(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a spider with eight bent legs."""
    body = tint(rng, "brown", "iron", "bark")
    for side in (-1, 1):
        for lean in (-62, -22, 22, 62):
            leg = curve([(0, 0), (side * 0.35, -0.18), (side * 0.62, 0.1)], steps=5)
            layer.line(turn(leg, side * lean), 0.05, lit(body, -0.2))
    layer.disc(0, 0.14, 0.17, body, ry=0.24)
    layer.disc(0, -0.12, 0.1, lit(body, -0.25))
    layer.atop(ellipse(0, 0.14, 0.03, 0.15), parse("e9d9a8"), opacity=0.8)


def fern(layer: Layer, rng: np.random.Generator) -> None:
    """Draw one fern frond with toothed leaflets."""
    green = tint(rng, "leaf", "green")
    lean = rng.uniform(-0.35, 0.35)
    spine = curve([(0, 1), (lean * 0.3, 0.3), (lean * 0.8, -0.4), (lean * 1.7, -0.98)], steps=7)
    layer.fill(limb(spine, 0.035, 0.008), mix(green, parse("6b5a34"), 0.4), puff=0.3)
    for i in range(4, len(spine) - 1):
        share = (i - 4) / (len(spine) - 5)
        way = spine[min(i + 1, len(spine) - 1)] - spine[i - 1]
        heading = float(np.degrees(np.arctan2(way[0], -way[1])))
        long = 0.5 * np.sin(np.pi * (0.18 + 0.82 * share)) ** 0.8 + 0.03
        for side in (-1, 1):
            pinna = layer.at(spine[i][0], spine[i][1], long, tilt=heading + side * rng.uniform(62, 70))
            shade = lit(green, rng.normal(0.02, 0.07))
            for y in np.arange(-0.06, -0.9, -0.1):
                for half in (-1, 1):
                    tooth = leaf(0.2 * (1.15 + y), 0.05, tilt=half * 52, at=(0, float(y)))
                    pinna.fill(tooth, lit(shade, 0.06 * half), puff=0)
            pinna.line([(0, 0), (0, -1)], 0.03, lit(shade, 0.1))


def dragonfly(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a dragonfly: veined wings, a long tail, thin legs."""
    body, wing = tint(rng, "teal", "blue", "red", "green"), lit(tint(rng, "cream", "teal"), 0.25)
    for side in (-1, 1):
        for x in (0.16, 0.24, 0.2):
            knee = (side * x, -0.42 + x)
            layer.line(curve([(0, -0.3), knee, (side * (x + 0.14), -0.2 + x)], steps=4), 0.012, parse("2b2622"))
        for heading, long in ((side * rng.uniform(74, 84), 0.98), (side * rng.uniform(98, 108), 0.9)):
            pane = layer.at(side * 0.05, -0.32, long, tilt=heading)
            shape = leaf(1.0, 0.11)
            pane.fill(shape, wing, puff=0.1)
            vein = mix(lit(wing, -0.45), body, 0.3)
            for y in np.arange(-0.1, -0.95, -0.085):
                pane.streak([(-0.2, y), (0, y + 0.06), (0.2, y)], 0.008, vein, opacity=0.8)
            for x in (-0.05, 0, 0.05):
                pane.streak([(x * 0.4, 0), (x, -0.5), (x * 0.6, -1)], 0.009, vein, opacity=0.9)
            pane.atop(ellipse(0.04, -0.88, 0.05, 0.04), lit(body, -0.5), opacity=0.9)
    for i, y in enumerate(np.linspace(-0.1, 0.92, 10)):
        layer.disc(0, y, 0.042 - 0.002 * i, lit(body, 0.15 * (-1) ** i), ry=0.068, puff=0.5)
    layer.disc(0, -0.28, 0.1, body, ry=0.19)
    for side in (-1, 1):
        layer.disc(side * 0.06, -0.5, 0.08, lit(body, -0.35), puff=0.7)


def ant(layer: Layer, rng: np.random.Generator) -> None:
    """Draw an ant seen from above, six jointed legs and two feelers."""
    body = tint(rng, "brown", "black", "red", "bark")
    dark = lit(body, -0.3)
    for side in (-1, 1):
        for y, spread in ((-0.24, -0.42), (-0.12, 0.05), (0.0, 0.52)):
            sway = float(rng.normal(0, 0.05))
            leg = [(0, y), (side * 0.34, y + spread * 0.4 - 0.08), (side * 0.6, y + spread + sway)]
            layer.fill(limb(curve([*leg, (side * 0.84, y + spread * 1.5 + sway)]), 0.05, 0.018), dark, puff=0.4)
        feeler = curve([(side * 0.06, -0.68), (side * 0.26, -0.86), (side * 0.32, -0.98)])
        layer.line(feeler, 0.02, dark)
        layer.fill(limb(curve([(side * 0.08, -0.7), (side * 0.12, -0.82), (0.02 * side, -0.86)]), 0.04, 0.015), dark)
    layer.disc(0, 0.56, 0.25, body, ry=0.38, puff=0.8)
    for y in (0.4, 0.56, 0.72):
        layer.streak(arc(0, y - 0.1, 0.3, 0.14, 0, 180), 0.02, lit(body, 0.3), opacity=0.6)
    layer.disc(0, 0.16, 0.06, dark, ry=0.08)
    layer.disc(0, -0.14, 0.14, body, ry=0.26, puff=0.8)
    layer.fill(lathe([(0.06, -0.76), (0.19, -0.64), (0.2, -0.5), (0.08, -0.38), (0, -0.38)]), body, puff=0.8)
    for side in (-1, 1):
        layer.disc(side * 0.14, -0.6, 0.035, parse("120d0a"), puff=0.5)


def feather(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a feather whose barbs split here and there."""
    vane, tip = tint(rng, "blue", "brown", "white", "teal", "red", "iron"), tint(rng, "iron", "cream", "brown")
    bend = rng.uniform(0.1, 0.3)
    quill = curve([(0, 1), (bend * 0.4, 0.45), (bend, -0.3), (bend * 0.4, -0.95)], steps=30)
    barbs = len(quill) - 24
    for side in (-1, 1):
        gaps = set(rng.integers(8, barbs, 3).tolist())
        for i in range(24, len(quill), 1):
            share = (i - 24) / barbs
            if any(abs(i - 24 - gap) < 2 for gap in gaps):
                continue
            long = (0.3 if side > 0 else 0.2) * np.sin(np.pi * (0.12 + 0.86 * share)) ** 0.6 * rng.uniform(0.93, 1.05)
            root = (float(quill[i][0]), float(quill[i][1]))
            end = (root[0] + side * long * 0.75, root[1] - long * 0.8)
            bow = (root[0] + side * long * 0.45, root[1] - long * 0.28)
            band = 0.75 if int(share * 8) % 2 and share > 0.3 else 0.1
            layer.line(curve([root, bow, end], steps=4), 0.026, lit(mix(vane, tip, band * share), rng.normal(0, 0.09)))
    for _ in range(18):
        root = quill[int(rng.integers(12, 26))]
        fluff = (root[0] + rng.normal(0, 0.12), root[1] - rng.uniform(0, 0.1))
        bow = (root[0] + rng.normal(0, 0.07), root[1] + 0.05)
        layer.line(curve([(root[0], root[1]), bow, fluff], steps=4), 0.006, lit(vane, 0.4))
    layer.fill(limb(quill, 0.036, 0.008), lit(tint(rng, "cream"), -0.05), puff=0.5)


def fish_bones(layer: Layer, rng: np.random.Generator) -> None:
    """Draw the bones of a fish: skull, spine, ribs, tail."""
    bone = tint(rng, "cream", "straw", "white")
    spine = curve([(-0.78, 0), (-0.2, rng.uniform(-0.06, 0.06)), (0.55, 0)], steps=14)
    for i in range(4, len(spine) - 3, 1):
        share = i / len(spine)
        long = 0.42 * np.sin(np.pi * (0.12 + 0.8 * share))
        for side in (-1, 1):
            x, y = float(spine[i][0]), float(spine[i][1])
            rib = curve([(x, y), (x - 0.05, y + side * long * 0.6), (x - 0.16, y + side * long)], steps=6)
            layer.fill(limb(rib, 0.026, 0.012), lit(bone, rng.normal(-0.04, 0.03)), puff=0.4)
    layer.tube(spine, 0.05, bone)
    for x, y in spine[::2]:
        layer.disc(x, y, 0.032, lit(bone, -0.05), ry=0.045)
    for y in np.linspace(-0.36, 0.36, 9):
        layer.fill(limb(curve([(-0.76, 0), (-0.88, y * 0.7), (-1, y)]), 0.024, 0.014), bone, puff=0.3)
    skull = curve(
        [(0.98, 0.04), (0.84, -0.18), (0.62, -0.28), (0.48, -0.2), (0.52, 0), (0.48, 0.2), (0.64, 0.26), (0.86, 0.16)],
        closed=True,
    )
    layer.fill(skull, bone, to=lit(bone, -0.2), puff=0.6)
    layer.cut(ellipse(0.76, -0.07, 0.06))
    layer.cut(points([(1.0, 0.05), (0.8, 0.09), (0.96, 0.11)]))
    layer.line(arc(0.5, 0, 0.12, 0.2, -70, 70), 0.02, lit(bone, -0.3))


def dandelion(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a dandelion clock, a few seeds adrift."""
    green, silk = tint(rng, "green"), tint(rng, "white", "cream")
    layer.fill(limb(curve([(0.03, -0.35), (rng.uniform(-0.14, 0.14), 0.4), (0, 1)]), 0.03, 0.045), green, puff=0.4)
    layer.disc(0, -0.38, 0.07, mix(green, parse("7a6a48"), 0.5))
    spots = [(rng.uniform(0, 360), rng.uniform(0.3, 1) ** 0.5) for _ in range(int(rng.integers(60, 90)))]
    seeds = [((0.0, -0.38), angle, 0.52 * reach) for angle, reach in spots]
    for _ in range(int(rng.integers(2, 5))):
        seeds.append(((rng.uniform(0.45, 0.8), rng.uniform(-0.9, 0.1)), rng.uniform(0, 70), 0.2))
    for (x, y), angle, long in seeds:
        seed = layer.at(x, y, tilt=float(angle))
        seed.line([(0, -0.03), (0, -long)], 0.006, lit(silk, -0.12))
        for ray in (-64, -40, -14, 14, 40, 64):
            seed.line(turn([(0, -long), (0, -long - 0.11)], ray, about=(0, -long)), 0.004, silk)
        seed.disc(0, -0.05 if long > 0.25 else 0, 0.012, parse("6e5638"), ry=0.035, puff=0)


def wheat(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a few ears of wheat with their awns."""
    for _ in range(int(rng.integers(3, 6))):
        straw = tint(rng, "straw", "gold")
        x, lean = rng.uniform(-0.25, 0.25), rng.uniform(-0.5, 0.5)
        stem = curve([(x * 0.3, 1), (x * 0.6 + lean * 0.1, 0.3), (x + lean * 0.5, -0.35)], steps=10)
        layer.fill(limb(stem, 0.022, 0.014), straw, puff=0.3)
        knot, side = stem[int(rng.integers(4, 12))], float(np.sign(lean))
        blade = curve(np.array([(0, 0), (0.12 * side, -0.16), (0.34 * side, rng.uniform(-0.2, 0.1))]) + knot)
        layer.fill(limb(blade, 0.04, 0.004), lit(straw, -0.1), puff=0.2)
        ear = layer.at(float(stem[-1][0]), float(stem[-1][1]), tilt=float(lean * 32))
        for i in range(9):
            for side in (-1, 1):
                root = (0.022 * side, -0.05 * i)
                ear.line(turn([root, (root[0], root[1] - 0.34)], side * 13, about=root), 0.005, lit(straw, 0.15))
                ear.fill(
                    leaf(0.12, 0.026, tilt=side * 24, at=root), lit(straw, rng.normal(0, 0.06)), to=lit(straw, -0.2)
                )
