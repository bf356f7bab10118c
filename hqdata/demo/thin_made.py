"""Thin made things: bicycles, pylons, antennas, ferris wheels, racquets, fences, spectacles, umbrellas' ribs."""

import numpy as np

from hqdata.demo.canvas import Layer
from hqdata.demo.outline import Points, arc, box, curve, ellipse, points, segment, turn
from hqdata.demo.palette import Colour, lit, mix, parse, scheme, tint


def _wheel(layer: Layer, x: float, y: float, radius: float, *, spokes: int, rim: Colour, spin: float) -> None:
    """Draw a tyre, a rim and crossed spokes."""
    for i in range(spokes):
        angle = np.radians(360 * i / spokes + spin)
        hub = np.radians(360 * i / spokes + spin + (70 if i % 2 else -70))
        start = (x + 0.045 * np.cos(hub), y + 0.045 * np.sin(hub))
        layer.line([start, (x + radius * np.cos(angle), y + radius * np.sin(angle))], 0.006, parse("c9ced4"))
    layer.tube(ellipse(x, y, radius, count=72), 0.034, parse("26262a"), closed=True)
    layer.line(ellipse(x, y, radius - 0.026, count=72), 0.012, rim, closed=True)
    layer.disc(x, y, 0.035, parse("9aa2ab"))


def bicycle(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a bicycle with spokes, chain, pedals and mudguard stays."""
    tones = scheme(rng)
    paint, steel = tint(rng, "red", "teal", "blue", "iron", "green", "orange"), parse("aab2ba")
    radius, spokes, spin = rng.uniform(0.4, 0.44), int(rng.integers(12, 15)) * 2, rng.uniform(0, 30)
    back, front, crank = (-0.56, 0.2), (0.56, 0.2), (-0.08, 0.24)
    seat, head = (-0.2, rng.uniform(-0.34, -0.24)), (0.38, rng.uniform(-0.36, -0.28))
    for hub in (back, front):
        _wheel(layer, *hub, radius, spokes=spokes, rim=steel, spin=spin)
    for offset in (-0.045, 0.045):
        layer.line([(back[0], back[1] + offset * 0.6), (crank[0], crank[1] + offset * 1.4)], 0.01, parse("55504a"))
    for a, b in ((back, seat), (back, crank)):
        layer.tube([a, b], 0.03, lit(paint, -0.1))
    for a, b in ((crank, seat), (crank, segment(head, front, 0.18)), (seat, head)):
        layer.tube([a, b], 0.045, paint)
    layer.tube(curve([segment(head, front, -0.12), segment(head, front, 0.4), (0.5, 0.02), front]), 0.038, paint)
    layer.tube([seat, segment(seat, crank, -0.22)], 0.026, steel)
    top = segment(seat, crank, -0.26)
    saddle = [(-0.13, -0.03), (0.02, -0.05), (0.15, -0.02), (0.02, 0.03), (-0.12, 0.05)]
    layer.fill(curve(points(saddle) + top, closed=True), tint(rng, "brown", "black"))
    stem = segment(head, front, -0.26)
    layer.tube([segment(head, front, -0.1), stem], 0.026, steel)
    bar = (
        [(-0.16, 0.02), (0, -0.03), (0.1, 0.02), (0.08, 0.12)]
        if rng.random() < 0.5
        else [(-0.2, 0.06), (-0.1, -0.02), (0, 0)]
    )
    layer.tube(curve(points(bar) + stem), 0.03, tones[0] if rng.random() < 0.4 else parse("2c2c30"))
    layer.line(ellipse(*crank, 0.085), 0.022, steel, closed=True)
    for side in (-1, 1):
        pedal = turn([(0, 0), (0.16 * side, 0)], spin * 3, about=(0, 0)) + crank
        layer.tube(pedal, 0.02, steel)
        layer.fill(
            box(pedal[1][0] - 0.05, pedal[1][1] - 0.014, pedal[1][0] + 0.05, pedal[1][1] + 0.014), parse("2c2c30")
        )


def _lattice(layer: Layer, left: Points, right: Points, width: float, colour: Colour) -> None:
    """Join two legs, given level by level, by rungs and crosses."""
    for i in range(len(left) - 1):
        for a, b in ((left[i], right[i + 1]), (right[i], left[i + 1]), (left[i], right[i])):
            layer.line([(a[0], a[1]), (b[0], b[1])], width, lit(colour, 0.08))


def pylon(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a power pylon with arms, insulators and wires."""
    steel = tint(rng, "steel", "iron")
    waist, foot = rng.uniform(0.075, 0.1), rng.uniform(0.3, 0.4)
    levels = np.concatenate([np.linspace(1, -0.35, 8), np.linspace(-0.5, -0.86, 4)])
    half = np.where(levels > -0.35, waist + (foot - waist) * (np.maximum(levels + 0.35, 0) / 1.35) ** 1.4, waist)
    left, right = np.stack([-half, levels], axis=1), np.stack([half, levels], axis=1)
    _lattice(layer, left, right, 0.014, steel)
    for leg in (left, right):
        layer.tube(np.concatenate([leg, [(0, -1)]]), 0.024, steel)
    for y, reach in ((-0.38, 0.72), (-0.6, 0.62), (-0.8, 0.44)):
        for side in (-1, 1):
            tip = (side * reach, y + 0.02)
            layer.tube([(side * waist, y), tip], 0.018, steel)
            layer.tube([(side * waist * 0.7, y - 0.13), tip], 0.018, steel)
            for share in (0.25, 0.5, 0.75):
                top = segment((side * waist * 0.7, y - 0.13), tip, share)
                layer.line([top, segment((side * waist, y), tip, share + 0.1)], 0.009, steel)
            layer.line([tip, (tip[0], y + 0.11)], 0.024, parse("6d4b3d"))
            drop = rng.uniform(0.1, 0.16)
            for x in (-3.0, 3.0):
                layer.line(
                    curve([(tip[0], y + 0.11), ((tip[0] + x) / 2, y + 0.11 + drop * 2.4), (x, y + 0.11)]),
                    0.006,
                    parse("33373c"),
                )


def antenna(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a roof antenna: mast, boom, many rods, guy wires."""
    steel = tint(rng, "steel", "iron")
    layer.tube([(0, -0.9), (0, 1)], 0.034, steel)
    for x in (-0.85, 0.85):
        layer.line([(0, -0.2), (x, 1)], 0.007, parse("7c8187"))
    for y, lean, count, long in (
        (-0.74, rng.uniform(-4, 4), int(rng.integers(8, 13)), 0.34),
        (-0.24, rng.uniform(-4, 4), 6, 0.42),
    ):
        boom = layer.at(0, y, tilt=float(lean))
        boom.tube([(-0.86, 0), (0.86, 0)], 0.024, steel)
        for i, x in enumerate(np.linspace(-0.82, 0.82, count)):
            reach = long * (0.55 + 0.45 * i / count)
            boom.tube([(x - reach * 0.25, -reach * 0.5), (x + reach * 0.25, reach * 0.5)], 0.016, steel)
        boom.line(arc(0.6, 0, 0.05, 0.2, 0, 350), 0.014, steel, closed=True)
    layer.fill(box(-0.07, -0.3, 0.07, -0.18, soft=0.02), parse("3a3d42"))
    layer.line(curve([(0.04, -0.2), (0.1, 0.3), (0.03, 1)]), 0.012, parse("24262a"))


def ferris_wheel(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a ferris wheel with cabins in the colours of a scheme."""
    tones, steel = scheme(rng), tint(rng, "white", "steel", "red")
    centre, radius, count = (0.0, -0.14), 0.74, int(rng.integers(12, 19))
    for x in (-0.42, 0.42):
        layer.tube([centre, (x, 1)], 0.04, lit(steel, -0.25))
    layer.tube([(-0.24, 0.52), (0.24, 0.52)], 0.022, lit(steel, -0.25))
    spin = rng.uniform(0, 30)
    angles = [np.radians(360 * i / count + spin) for i in range(count)]
    for i, angle in enumerate(angles):
        rim = (centre[0] + radius * np.cos(angle), centre[1] + radius * np.sin(angle))
        after = angles[(i + 1) % count]
        layer.line([centre, rim], 0.009, steel)
        inner = (centre[0] + radius * 0.84 * np.cos(after), centre[1] + radius * 0.84 * np.sin(after))
        low = (centre[0] + radius * 0.84 * np.cos(angle), centre[1] + radius * 0.84 * np.sin(angle))
        layer.line([rim, inner], 0.008, steel)
        layer.line([low, (centre[0] + radius * np.cos(after), centre[1] + radius * np.sin(after))], 0.008, steel)
    for share, width in ((1.0, 0.022), (0.84, 0.016), (0.3, 0.012)):
        layer.tube(ellipse(*centre, radius * share, count=90), width, steel, closed=True)
    for i, angle in enumerate(angles):
        cabin = layer.at(centre[0] + radius * np.cos(angle), centre[1] + radius * np.sin(angle), 0.075)
        cabin.line([(0, 0), (0, 0.5)], 0.12, parse("3a3d42"))
        cabin.fill(box(-0.62, 0.45, 0.62, 1.5, soft=0.35), tones[i % 4], to=lit(tones[i % 4], -0.2))
        cabin.atop(box(-0.5, 0.62, 0.5, 0.98), parse("dcebf0"), opacity=0.85)
    layer.disc(*centre, 0.065, tones[4])


def racquet(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a tennis racquet and a ball; the strings leave holes."""
    frame, grip = tint(rng, "red", "blue", "iron", "teal", "yellow"), tint(rng, "black", "brown", "cream")
    wide, high, y = rng.uniform(0.38, 0.44), 0.52, -0.42
    for share in np.linspace(-0.88, 0.88, 13):
        reach = np.sqrt(1 - share**2)
        layer.line([(share * wide, y - reach * high), (share * wide, y + reach * high)], 0.007, parse("eceadf"))
    for share in np.linspace(-0.9, 0.9, 16):
        reach = np.sqrt(1 - share**2)
        layer.line([(-reach * wide, y + share * high), (reach * wide, y + share * high)], 0.007, parse("e2dfd2"))
    layer.tube(ellipse(0, y, wide, high, count=72), 0.055, frame, closed=True)
    for side in (-1, 1):
        layer.tube(curve([(side * wide * 0.62, 0), (side * 0.09, 0.24), (side * 0.03, 0.44)]), 0.045, frame)
    layer.tube(arc(0, 0.24, 0.22, 0.2, 205, 335), 0.03, lit(frame, 0.2))
    layer.fill(box(-0.052, 0.42, 0.052, 1, soft=0.03), grip, puff=0.5)
    for top in np.arange(0.44, 0.98, 0.055):
        layer.streak([(-0.06, top + 0.03), (0.06, top)], 0.01, lit(grip, -0.45), opacity=0.8)
    if rng.random() < 0.6:
        layer.disc(0.36, 0.7, 0.12, parse("cfdd45"), puff=0.7)
        layer.streak(arc(0.36, 0.58, 0.13, 0.1, 20, 160), 0.015, parse("f6f6e6"))


def fence(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a chain-link panel on posts."""
    wire, post = tint(rng, "steel"), tint(rng, "iron", "green", "steel")
    cell, sway = rng.uniform(0.13, 0.18), rng.uniform(0.0, 0.012)
    for x in np.arange(-2.6, 2.6, cell):
        for slope in (-1, 1):
            start, stop = (x, -0.7), (x + slope * 1.55, 0.85)
            share = np.linspace(0, 1, 40)
            path = np.stack([start[0] + (stop[0] - start[0]) * share, -0.7 + 1.55 * share], axis=1)
            path[:, 0] += sway * np.sin(share * 40 + x)
            keep = np.abs(path[:, 0]) <= 0.95
            if keep.sum() > 1:
                layer.line(path[keep], 0.011, lit(wire, 0.1 * slope))
    for x in (-0.95, 0.0, 0.95):
        layer.tube([(x, -0.82), (x, 1)], 0.05, post)
        layer.disc(x, -0.83, 0.035, post)
    for y in (-0.7, 0.85):
        layer.tube([(-0.95, y), (0.95, y)], 0.026, post)


def spectacles(layer: Layer, rng: np.random.Generator) -> None:
    """Draw wire spectacles, lenses left open."""
    wire = tint(rng, "gold", "iron", "brown", "red")
    wide, high = rng.uniform(0.34, 0.4), rng.uniform(0.27, 0.36)
    for side in (-1, 1):
        half = layer.at(0, 0, flip=side < 0)
        half.tube(curve([(0.84, -0.1), (0.98, -0.34), (0.9, -0.66), (0.74, -0.72)]), 0.028, lit(wire, -0.2))
        half.tube(ellipse(0.48, 0, wide, high, count=60), 0.034, wire, closed=True)
        half.line(curve([(0.14, 0.02), (0.1, 0.1), (0.13, 0.18)]), 0.014, wire)
        half.disc(0.14, 0.17, 0.03, parse("e8e4da"), ry=0.05)
    layer.tube(arc(0, 0.0, 0.11, 0.13, 200, 340), 0.03, wire)


def umbrella_frame(layer: Layer, rng: np.random.Generator) -> None:
    """Draw the ribs of an umbrella that lost its cloth but for a rag."""
    steel, cloth = tint(rng, "steel", "iron"), mix(scheme(rng)[0], parse("33363c"), 0.25)
    tips = [(x, -0.08 + 0.16 * (1 - abs(x))) for x in np.linspace(-0.95, 0.95, 8)]
    ribs = [curve([(0, -0.8), (x * 0.62, -0.62), (x, y)]) for x, y in tips]
    gone = int(rng.integers(1, 5))
    for i in (gone, gone + 2):
        hem = curve([(ribs[i][-1][0], ribs[i][-1][1]), ((tips[i][0] + tips[i + 1][0]) / 2, -0.1), tips[i + 1]])
        layer.fill(np.concatenate([ribs[i], hem, ribs[i + 1][::-1]]), cloth, to=lit(cloth, -0.2), puff=0.3)
    for rib in ribs:
        layer.tube(rib, 0.018, steel)
        middle = rib[len(rib) // 2]
        layer.line([(0, -0.25), (middle[0], middle[1])], 0.01, lit(steel, -0.2))
    layer.tube([(0, -0.95), (0, 0.8)], 0.028, steel)
    handle = tint(rng, "wood", "brown", "black")
    layer.tube(np.concatenate([[(0, 0.5)], arc(0.13, 0.84, 0.13, 0.14, 180, 10)]), 0.06, handle)
    layer.disc(0, -0.25, 0.032, parse("2c2c30"))


def weather_vane(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a weather vane: a cock over the four points, scrolls below."""
    iron, gold = tint(rng, "iron", "black"), tint(rng, "gold")
    layer.tube([(0, -0.5), (0, 1)], 0.03, iron)
    layer.tube([(-0.72, -0.02), (0.72, -0.02)], 0.02, iron)
    layer.tube([(-0.35, 0.09), (0.35, -0.13)], 0.016, iron)
    for side in (-1, 1):
        for y, size in ((0.25, 0.3), (0.6, 0.36)):
            spin = np.linspace(0, 3.4 * np.pi, 50)
            radius = size * 0.5 * (1 - spin / (3.9 * np.pi))
            layer.line(
                np.stack([side * (size * 0.52 + radius * np.cos(spin + np.pi)), y + radius * np.sin(spin)], axis=1),
                0.016,
                iron,
            )
    for x in (-0.78, 0.78):
        layer.disc(x, -0.02, 0.055, gold)
    layer.disc(0, 0.06, 0.06, gold)
    layer.tube([(-0.8, -0.5), (0.85, -0.5)], 0.024, iron)
    layer.fill([(0.8, -0.6), (1, -0.5), (0.8, -0.4)], iron)
    body = [(-0.1, -0.52), (-0.32, -0.66), (-0.62, -0.98), (-0.46, -0.72), (-0.7, -0.78), (-0.4, -0.6), (-0.3, -0.55)]
    cock = curve(
        [
            (0.12, -0.54),
            (0.28, -0.7),
            (0.32, -0.92),
            (0.44, -0.86),
            (0.36, -0.98),
            (0.24, -0.97),
            (0.14, -0.76),
            (-0.12, -0.72),
        ],
        steps=5,
    )
    layer.fill(np.concatenate([cock, curve(body[::-1][:4], steps=4), points(body[:1])]), gold, to=lit(gold, -0.3))
    layer.disc(0.28, -0.9, 0.015, parse("26262a"), puff=0)
