"""Made things for the saliency sets: boats, cars, mugs, teapots, balloons, lighthouses, houses."""

import numpy as np

from hqdata.demo.canvas import Layer
from hqdata.demo.outline import arc, box, curve, ellipse, lathe, points
from hqdata.demo.palette import lit, mix, parse, scheme, tint


def boat(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a sailing boat, main sail and jib."""
    tones = scheme(rng)
    hull, sail = (
        tint(rng, "red", "blue", "teal", "wood", "white"),
        mix(tones[1], parse("fbf6e9"), rng.uniform(0.3, 0.95)),
    )
    layer.tube([(0, -1), (0, 0.6)], 0.04, tint(rng, "wood"))
    main = curve([(-0.04, -0.94), (-0.34, -0.4), (-0.78, 0.42)])
    layer.fill(np.concatenate([main, [(-0.05, 0.46)]]), sail, to=lit(sail, -0.14), puff=0.3)
    jib = curve([(0.05, -0.86), (0.36, -0.2), (0.72, 0.46)])
    layer.fill(
        np.concatenate([jib, curve([(0.72, 0.46), (0.3, 0.38), (0.05, 0.42)])]),
        lit(sail, -0.04),
        to=lit(sail, -0.2),
        puff=0.3,
    )
    for y in (-0.4, -0.05, 0.24):
        layer.streak([(-0.8, y + 0.08), (0, y)], 0.012, lit(sail, -0.35), opacity=0.6)
    if rng.random() < 0.6:
        layer.atop(box(-1, 0.1, -0.02, 0.24), tones[0], opacity=0.85)
    layer.fill(curve([(0, -1), (0.12, -0.97), (0.2, -0.92), (0, -0.9)], closed=True), tones[2], puff=0)
    shape = np.concatenate([[(-0.86, 0.56)], curve([(-0.8, 0.78), (-0.62, 0.97), (0, 1), (0.6, 0.96), (0.96, 0.5)])])
    layer.fill(shape, hull, to=lit(hull, -0.4), puff=0.4)
    layer.atop(box(-1, 0.62, 1, 0.68), parse("f4efe2"), opacity=0.9)
    layer.atop(box(-1, 0.9, 1, 1.1), lit(hull, -0.6), opacity=0.8)
    layer.fill(box(-0.45, 0.48, 0.2, 0.58, soft=0.04), tint(rng, "wood", "cream"))


def car(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a small car from the side."""
    paint = tint(rng, "red", "blue", "teal", "yellow", "cream", "green")
    glass, high = parse("9fc0cf"), rng.uniform(-0.44, -0.34)
    cabin = [(-0.62, -0.02), (-0.46, high), (-0.2, high - 0.06), (0.16, high - 0.04), (0.42, -0.02)]
    layer.fill(curve(cabin, steps=5), lit(paint, 0.1), to=paint, puff=0.5)
    for x0, x1, lean in ((-0.5, -0.08, 0.09), (-0.02, 0.32, -0.14)):
        pane = [(x0, -0.03), (x0 + max(lean, 0.02), high + 0.09), (x1 + min(lean, -0.02), high + 0.09), (x1, -0.03)]
        layer.fill(points(pane), lit(glass, 0.3), to=lit(glass, -0.25), puff=0.1)
        layer.atop(
            [(x0 + 0.1, -0.03), (x0 + 0.22, high), (x0 + 0.28, high), (x0 + 0.16, -0.03)], (255, 255, 255), opacity=0.35
        )
    low = [
        (-0.98, 0.28),
        (-0.96, 0.06),
        (-0.7, -0.03),
        (0.4, -0.04),
        (0.84, 0.04),
        (0.98, 0.2),
        (0.97, 0.32),
        (0.6, 0.34),
        (-0.6, 0.34),
    ]
    layer.fill(curve(low, closed=True, steps=5), paint, to=lit(paint, -0.35), puff=0.5)
    layer.atop(box(-1, 0.12, 1, 0.15), lit(paint, 0.55), opacity=0.6)
    layer.streak([(-0.06, -0.02), (-0.08, 0.3)], 0.012, lit(paint, -0.5))
    layer.fill(box(-0.2, 0.05, -0.1, 0.075, soft=0.01), parse("dddddd"), puff=0)
    layer.disc(0.9, 0.12, 0.06, parse("fff3c4"), ry=0.055)
    layer.fill(box(-0.97, 0.06, -0.9, 0.16, soft=0.02), parse("b3261e"))
    layer.fill(box(-1, 0.26, 1, 0.34, soft=0.04), tint(rng, "steel"))
    for x in (-0.55, 0.55):
        layer.disc(x, 0.32, 0.21, parse("222226"), puff=0.3)
        layer.disc(x, 0.32, 0.125, tint(rng, "steel"), puff=0.4)
        for angle in range(0, 360, 72):
            hole = (x + 0.075 * np.cos(np.radians(angle)), 0.32 + 0.075 * np.sin(np.radians(angle)))
            layer.disc(*hole, 0.026, parse("2d2d31"), puff=0)


def mug(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a mug with a band or dots; the handle leaves a hole."""
    tones = scheme(rng)
    glaze, deco = mix(tones[0], parse("f3efe6"), rng.uniform(0, 0.5)), tones[1]
    top, taper = rng.uniform(-0.8, -0.6), rng.uniform(0.78, 1.0)
    layer.tube(curve([(0.55, top + 0.3), (0.98, top + 0.34), (0.98, 0.4), (0.52, 0.6)]), 0.15, glaze)
    base = arc(0, 0.9, 0.6 * taper, 0.1, 0, 180)
    layer.fill(np.concatenate([[(0.62, top)], base, [(-0.62, top)]]), lit(glaze, 0.05), to=lit(glaze, -0.1), puff=0.6)
    if rng.random() < 0.5:
        for y in (0.1, 0.3)[: int(rng.integers(1, 3))]:
            layer.atop(
                np.concatenate([arc(0, y, 0.62, 0.1, 0, 180), arc(0, y + 0.12, 0.62, 0.1, 180, 0)]), deco, opacity=0.9
            )
    else:
        for x, y in rng.uniform(-0.5, 0.7, (9, 2)):
            layer.atop(ellipse(x * 0.8, y * 0.9, 0.07), deco, opacity=0.9)
    layer.atop(box(-0.46, top, -0.34, 1), (255, 255, 255), opacity=0.45, soft=0.06)
    layer.atop(box(0.36, top, 0.62, 1), (20, 20, 40), opacity=0.28, soft=0.1)
    layer.fill(ellipse(0, top, 0.62, 0.14), lit(glaze, 0.3), puff=0.2)
    layer.fill(ellipse(0, top + 0.012, 0.55, 0.11), lit(glaze, -0.45), puff=0.2)
    layer.fill(ellipse(0, top + 0.045, 0.47, 0.07), tint(rng, "brown"), puff=0.3)


def teapot(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a round teapot with spout, lid and an open handle."""
    glaze = tint(rng, "teal", "blue", "cream", "red", "green", "iron")
    layer.tube(curve([(-0.5, -0.3), (-0.95, -0.32), (-0.92, 0.4), (-0.5, 0.5)]), 0.11, lit(glaze, -0.05))
    spout = curve(
        [(0.45, 0.55), (0.72, 0.2), (0.78, -0.2), (0.98, -0.42), (0.86, -0.46), (0.62, -0.28), (0.45, 0)], closed=True
    )
    layer.fill(spout, glaze, to=lit(glaze, -0.2))
    layer.fill(
        lathe([(0.3, -0.52), (0.52, -0.38), (0.68, 0.1), (0.6, 0.6), (0.38, 0.84), (0.36, 0.92), (0, 0.92)]),
        glaze,
        to=lit(glaze, -0.2),
        puff=0.7,
    )
    if rng.random() < 0.6:
        mark = lit(glaze, 0.55)
        for x in np.linspace(-0.45, 0.45, 5):
            layer.atop(ellipse(x, 0.18, 0.055, 0.12), mark, opacity=0.8)
            layer.atop(ellipse(x, 0.42, 0.03), mark, opacity=0.8)
    layer.fill(lathe([(0.05, -0.72), (0.3, -0.6), (0.34, -0.48), (0, -0.45)]), lit(glaze, 0.08), puff=0.5)
    layer.disc(0, -0.78, 0.09, lit(glaze, -0.1))
    layer.atop(ellipse(-0.3, -0.08, 0.1, 0.24, tilt=18), (255, 255, 255), opacity=0.55, soft=0.05)


def balloon(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a hot-air balloon with striped gores and a basket."""
    tones = scheme(rng)
    side = [(0, -1), (0.36, -0.93), (0.66, -0.6), (0.68, -0.2), (0.4, 0.25), (0.16, 0.5)]
    dome = lathe(side)
    rope = parse("5a4a3a")
    for x in (-0.14, -0.05, 0.05, 0.14):
        layer.line([(x, 0.46), (x * 0.8, 0.8)], 0.012, rope)
    layer.fill(dome, tones[0], puff=0.6)
    half, gores = curve(side), int(rng.integers(5, 8))
    edges = np.sin(np.linspace(-np.pi / 2, np.pi / 2, 2 * gores))
    for i in range(0, 2 * gores - 1, 2):
        left, right = half * (edges[i], 1), half * (edges[i + 1], 1)
        layer.atop(np.concatenate([left, right[::-1]]), tones[1 + (i // 2) % 2], opacity=0.92)
    if rng.random() < 0.6:
        layer.atop(
            np.concatenate([arc(0, -0.32, 0.72, 0.1, 0, 180), arc(0, -0.14, 0.72, 0.1, 180, 0)]), tones[3], opacity=0.95
        )
    layer.atop(ellipse(0.42, -0.25, 0.34, 0.8, tilt=-8), (18, 16, 40), opacity=0.34, soft=0.16)
    layer.atop(ellipse(-0.3, -0.6, 0.14, 0.24, tilt=24), (255, 255, 245), opacity=0.5, soft=0.1)
    layer.fill(box(-0.15, 0.46, 0.15, 0.53, soft=0.03), lit(tones[0], -0.3))
    straw = tint(rng, "straw", "wood")
    layer.fill(box(-0.15, 0.78, 0.15, 1, soft=0.04), straw, to=lit(straw, -0.3))
    for y in (0.85, 0.91, 0.96):
        layer.streak([(-0.15, y), (0.15, y)], 0.014, lit(straw, -0.5), opacity=0.7)


def lighthouse(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a banded lighthouse on a rock."""
    band, wall = tint(rng, "red", "blue", "black", "teal"), tint(rng, "white", "cream")
    rock = tint(rng, "stone", "bark")
    ledge = [(-0.62, 1), (-0.56, 0.86), (-0.3, 0.74), (0.08, 0.7), (0.4, 0.78), (0.58, 0.88), (0.66, 1)]
    layer.fill(points(ledge) + rng.normal(0, 0.015, (7, 2)) * (1, 0.4), rock, to=lit(rock, -0.4), puff=0.5)
    layer.fill(points([(-0.17, -0.5), (0.17, -0.5), (0.3, 0.8), (-0.3, 0.8)]), wall, puff=0.6)
    count = int(rng.integers(2, 4))
    for i in range(count):
        y = -0.5 + 1.3 * (2 * i + 0.5) / (2 * count)
        tall = 1.3 / (2 * count)
        layer.atop(
            np.concatenate([arc(0, y, 0.35, 0.04, 0, 180), arc(0, y + tall, 0.35, 0.04, 180, 0)]), band, opacity=0.93
        )
    layer.atop(box(0.06, -0.6, 0.4, 0.8), (16, 16, 40), opacity=0.3, soft=0.08)
    for y in (-0.2, 0.25):
        layer.fill(box(-0.04, y, 0.03, y + 0.12, soft=0.03), parse("3a4450"), puff=0)
    layer.fill(box(-0.05, 0.6, 0.08, 0.8, soft=0.05), parse("5b3f2c"))
    layer.fill(box(-0.23, -0.56, 0.23, -0.5, soft=0.01), lit(band, -0.3))
    for x in np.linspace(-0.22, 0.22, 7):
        layer.line([(x, -0.54), (x, -0.64)], 0.012, parse("33363c"))
    layer.line([(-0.22, -0.64), (0.22, -0.64)], 0.016, parse("33363c"))
    layer.fill(box(-0.11, -0.76, 0.11, -0.54), parse("fbe8a6"), to=parse("d9b95b"), puff=0.4)
    for x in (-0.11, -0.035, 0.035, 0.11):
        layer.line([(x, -0.76), (x, -0.54)], 0.014, parse("3a3d42"))
    layer.fill(lathe([(0.01, -0.98), (0.08, -0.9), (0.15, -0.76), (0, -0.75)]), band, puff=0.6)
    layer.disc(0, -0.98, 0.025, parse("3a3d42"))


def house(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a cottage with a tiled roof, chimney, door and windows."""
    wall, roof = tint(rng, "cream", "white", "yellow", "pink", "teal"), tint(rng, "red", "brown", "iron", "blue")
    layer.fill(box(0.42, -0.86, 0.6, -0.3), tint(rng, "red", "stone"), puff=0.3)
    layer.fill(box(0.39, -0.9, 0.63, -0.82), lit(roof, -0.3))
    layer.fill(box(-0.8, -0.1, 0.8, 1), wall, to=lit(wall, -0.12), puff=0.2)
    layer.atop(box(-0.8, -0.1, 0.8, 0.06), (20, 20, 40), opacity=0.35, soft=0.04)
    layer.fill(points([(-0.98, 0), (-0.56, -0.72), (0.56, -0.72), (0.98, 0)]), roof, to=lit(roof, -0.2), puff=0.25)
    for row, y in enumerate(np.arange(-0.66, 0, 0.11)):
        layer.streak([(-1, y), (1, y)], 0.014, lit(roof, -0.4), opacity=0.8)
        for x in np.arange(-1, 1, 0.14) + 0.07 * (row % 2):
            layer.streak([(x, y), (x, y + 0.11)], 0.01, lit(roof, -0.4), opacity=0.6)
    door = tint(rng, "green", "blue", "red", "brown")
    layer.fill(box(-0.16, 0.4, 0.16, 1, soft=0.03), door, puff=0.3)
    layer.disc(0.1, 0.72, 0.025, parse("e0c068"))
    for x in (-0.52, 0.52):
        layer.fill(box(x - 0.18, 0.22, x + 0.18, 0.6), parse("f7f4ea"), puff=0)
        layer.fill(box(x - 0.15, 0.25, x + 0.15, 0.57), parse("93b4c4"), to=parse("4d6d80"), puff=0)
        layer.line([(x, 0.25), (x, 0.57)], 0.025, parse("f7f4ea"))
        layer.line([(x - 0.15, 0.4), (x + 0.15, 0.4)], 0.025, parse("f7f4ea"))
        layer.fill(box(x - 0.2, 0.6, x + 0.2, 0.66), lit(door, -0.1), puff=0.2)
