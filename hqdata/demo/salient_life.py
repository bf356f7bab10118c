"""Living things for the saliency sets: flowers, fruit, mushrooms, birds, butterflies, fish, cats."""

import numpy as np

from hqdata.demo.canvas import Layer
from hqdata.demo.outline import arc, box, curve, ellipse, lathe, leaf, limb, mirror, points, turn
from hqdata.demo.palette import Colour, lit, mix, parse, tint


def flower(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a blossom of two petal rings on a stem with leaves."""
    green = tint(rng, "leaf")
    layer.tube(curve([(0, -0.3), (rng.uniform(-0.12, 0.12), 0.35), (0, 1)]), 0.07, green)
    for side in (-1, 1):
        blade = leaf(rng.uniform(0.45, 0.65), 0.14, tilt=side * rng.uniform(45, 65), at=(0, rng.uniform(0.55, 0.85)))
        layer.fill(blade, lit(green, 0.08), to=lit(green, -0.15))
    petal = tint(rng, "red", "pink", "yellow", "purple", "white", "orange")
    count = int(rng.integers(7, 14))
    head = layer.at(0, -0.36, 0.6, tilt=float(rng.uniform(0, 40)), squash=float(rng.uniform(0.82, 1)))
    for ring, size in ((0, 1.0), (1, 0.72)):
        for i in range(count):
            shape = leaf(size, rng.uniform(0.85, 1.0) * 1.9 * size / count, tilt=360 * (i + ring / 2) / count)
            head.fill(shape, lit(petal, 0.12 * ring + rng.normal(0, 0.03)), puff=0.35)
            head.streak(
                turn([(0, -0.2 * size), (0, -0.8 * size)], 360 * (i + ring / 2) / count),
                0.02,
                lit(petal, -0.3),
                opacity=0.5,
            )
    core = tint(rng, "gold", "brown")
    head.disc(0, 0, 0.27, core)
    for x, y in rng.uniform(-0.19, 0.19, (26, 2)):
        head.atop(ellipse(x, y, 0.022), lit(core, rng.uniform(-0.4, 0.4)))


def mushroom(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a spotted toadstool, sometimes with a small one beside it."""
    cap, stem = tint(rng, "red", "orange", "brown", "straw"), tint(rng, "cream")
    for x, size in ((0.0, 1.0), (0.62 * (-1) ** int(rng.integers(2)), 0.5))[: int(rng.integers(1, 3))]:
        one = layer.at(x, 1 - size, size)
        width, top = rng.uniform(0.6, 0.78), rng.uniform(-0.95, -0.75)
        one.fill(
            lathe([(0.17, -0.25), (0.15, 0.2), (0.2, 0.7), (0.27, 0.9), (0.2, 1), (0, 1)]), stem, to=lit(stem, -0.2)
        )
        one.fill(mirror(curve([(0, -0.36), (width * 0.7, -0.26), (width * 0.97, -0.1)])), lit(stem, -0.35), puff=0.2)
        dome = curve([(0, top), (width * 0.6, top * 0.82), (width * 0.95, top * 0.4), (width, -0.12)])
        rim = arc(0, -0.14, width, 0.1, 0, 180, count=20)
        one.fill(
            np.concatenate([mirror(dome)[: len(dome)], rim, mirror(dome)[len(dome) :]]),
            cap,
            to=lit(cap, -0.25),
            puff=0.7,
        )
        one.fill(lathe([(0.2, 0.02), (0.24, 0.1), (0.3, 0.17), (0.17, 0.14)]), lit(stem, 0.1))
        for _ in range(int(rng.integers(6, 12))):
            spot = (rng.uniform(-0.8, 0.8) * width, rng.uniform(0.3, 0.95) * top)
            one.atop(ellipse(*spot, rng.uniform(0.04, 0.09), rng.uniform(0.03, 0.06)), parse("f6f0e2"), opacity=0.92)
        one.atop(ellipse(-width * 0.4, top * 0.68, 0.16, 0.07, tilt=-30), (255, 255, 255), opacity=0.35, soft=0.05)


def apple(layer: Layer, rng: np.random.Generator) -> None:
    """Draw an apple or a peach with stalk and leaf."""
    skin, other = tint(rng, "red", "green", "orange"), tint(rng, "yellow", "green", "red")
    half = [(0.02, -0.52), (0.3, -0.68), (0.72, -0.52), (0.86, -0.05), (0.7, 0.6), (0.36, 0.96), (0.12, 0.95), (0, 0.9)]
    wide = rng.uniform(0.9, 1.08)
    layer.fill(lathe([(x * wide, y) for x, y in half]), skin, to=mix(skin, other, 0.35), puff=0.75)
    for _ in range(30):
        x, y = rng.uniform(-0.75, 0.75), rng.uniform(-0.55, 0.8)
        layer.atop(ellipse(x, y, 0.012, 0.05, tilt=x * 30), lit(other, 0.15), opacity=0.3, soft=0.01)
    layer.atop(ellipse(-0.36, -0.3, 0.17, 0.25, tilt=20), (255, 255, 250), opacity=0.55, soft=0.07)
    layer.atop(ellipse(0, -0.5, 0.24, 0.07), lit(skin, -0.6), opacity=0.7, soft=0.04)
    layer.tube(curve([(0, -0.48), (0.03, -0.75), (rng.uniform(-0.05, 0.15), -0.95)]), 0.07, tint(rng, "brown"))
    green = tint(rng, "leaf")
    blade = leaf(0.5, 0.15, tilt=rng.uniform(50, 75), at=(0.04, -0.66))
    layer.fill(blade, green, to=lit(green, 0.15))


def pear(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a pear with freckles."""
    skin = tint(rng, "green", "yellow", "straw")
    neck = rng.uniform(0.2, 0.3)
    body = lathe([(0.06, -0.78), (neck, -0.66), (neck + 0.05, -0.3), (0.52, 0.15), (0.66, 0.58), (0.45, 0.94), (0, 1)])
    layer.fill(body, skin, to=mix(skin, parse("b5651d"), 0.3), puff=0.75)
    for _ in range(50):
        layer.atop(ellipse(rng.normal(0, 0.3), rng.uniform(-0.6, 0.9), 0.013), lit(skin, -0.45), opacity=0.4)
    layer.atop(ellipse(-0.27, 0.3, 0.12, 0.24, tilt=10), (255, 255, 245), opacity=0.5, soft=0.07)
    layer.tube(curve([(0, -0.74), (0.05, -0.9), (0.13, -1)]), 0.06, tint(rng, "brown"))
    if rng.random() < 0.6:
        layer.fill(leaf(0.42, 0.12, tilt=65, at=(0.05, -0.84)), tint(rng, "leaf"))


def bird(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a song bird on a twig."""
    coat, belly = tint(rng, "blue", "red", "yellow", "brown", "teal", "orange"), tint(rng, "cream", "orange", "white")
    twig = tint(rng, "bark")
    layer.fill(limb(curve([(-1, 0.82), (-0.3, 0.74), (0.4, 0.8), (1, 0.66)]), 0.12, 0.06), twig)
    layer.fill(turn(box(-0.99, 0.02, -0.25, 0.24, soft=0.1), -24, about=(-0.3, 0.1)), lit(coat, -0.4), puff=0.3)
    for x in (-0.02, 0.14):
        layer.line(curve([(x, 0.45), (x + 0.03, 0.64), (x + 0.02, 0.78)]), 0.04, parse("6b4a3a"))
    body = [(0.25, -0.62), (0.52, -0.42), (0.48, -0.08), (0.42, 0.3), (0.1, 0.58), (-0.3, 0.46), (-0.48, 0.2)]
    layer.fill(curve([*body, (-0.22, -0.1), (0.04, -0.42)], closed=True), coat, to=lit(coat, -0.15), puff=0.55)
    chest = curve(
        [(0.5, -0.34), (0.5, 0), (0.42, 0.32), (0.1, 0.57), (-0.04, 0.44), (0.2, 0.1), (0.28, -0.2)], closed=True
    )
    layer.atop(chest, belly, opacity=0.95, soft=0.04)
    wing = curve(
        [(0.1, -0.16), (0.2, 0.08), (0.0, 0.32), (-0.34, 0.42), (-0.68, 0.4), (-0.3, 0.12), (-0.1, -0.08)], closed=True
    )
    layer.fill(wing, lit(coat, -0.12), to=lit(coat, -0.45), puff=0.4)
    for i in range(4):
        layer.streak(
            curve([(0.1 - 0.08 * i, 0.02 + 0.06 * i), (-0.2, 0.22 + 0.04 * i), (-0.58, 0.38)]),
            0.018,
            lit(coat, 0.4),
            opacity=0.7,
        )
    layer.fill([(0.5, -0.44), (0.76, -0.34), (0.5, -0.29)], parse("d99a2b"), to=parse("9a6415"))
    layer.disc(0.36, -0.42, 0.06, parse("17130f"), puff=0)
    layer.disc(0.345, -0.44, 0.02, (255, 255, 255), puff=0)


def butterfly(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a butterfly with banded, spotted wings."""
    wing, dot = tint(rng, "orange", "blue", "yellow", "purple", "teal", "red"), tint(rng, "cream", "yellow", "white")
    edge = mix(lit(wing, -0.75), parse("1d1613"), 0.5)
    upper = curve(
        [(0.03, -0.1), (0.3, -0.62), (0.86, -0.88), (0.98, -0.6), (0.82, -0.12), (0.4, 0.08), (0.05, 0.06)], closed=True
    )
    lower = curve(
        [(0.04, 0.02), (0.5, 0.08), (0.78, 0.36), (0.6, 0.8), (0.36, rng.uniform(0.72, 0.95)), (0.1, 0.42)], closed=True
    )
    for side in (-1, 1):
        half = layer.at(0, 0, flip=side < 0)
        for shape, centre in ((lower, (0.3, 0.28)), (upper, (0.42, -0.32))):
            half.fill(shape, edge, puff=0.15)
            half.atop((shape - centre) * 0.84 + (np.array(centre) - (0.03, 0)), wing, soft=0.012)
            half.atop((shape - centre) * 0.46 + (np.array(centre) - (0.1, 0)), lit(wing, 0.35), opacity=0.6, soft=0.06)
            for share in np.linspace(0, 1, 7):
                tip = shape[int(share * (len(shape) - 1))]
                half.streak([(0.03, -0.03), (tip[0], tip[1])], 0.014, edge, opacity=0.85)
                spot = (tip - centre) * 0.91 + centre
                half.atop(ellipse(spot[0], spot[1], 0.03), dot, opacity=0.95)
        half.line(curve([(0.02, -0.3), (0.12, -0.6), (0.26, -0.76)]), 0.018, edge)
    layer.fill(
        lathe([(0, -0.36), (0.06, -0.3), (0.05, -0.2), (0.08, -0.06), (0.055, 0.2), (0.03, 0.5), (0, 0.56)]),
        lit(edge, 0.12),
    )


def fish(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a reef fish with bands and fins."""
    body, band = tint(rng, "orange", "yellow", "blue", "teal", "red"), tint(rng, "white", "cream", "blue")
    high, fin = rng.uniform(0.42, 0.62), lit(body, -0.12)
    tail = rng.uniform(0.35, 0.55)
    layer.fill(curve([(-0.58, 0), (-0.98, -tail), (-0.84, 0), (-0.98, tail)], closed=True), fin, to=lit(fin, -0.2))
    layer.fill(
        curve([(-0.45, -high * 0.5), (-0.3, -high - 0.26), (0.1, -high - 0.2), (0.3, -high * 0.7)], closed=True), fin
    )
    layer.fill(
        curve([(-0.4, high * 0.5), (-0.35, high + 0.18), (-0.05, high + 0.05), (0.1, high * 0.8)], closed=True), fin
    )
    side = [(0.95, 0.02), (0.72, -high * 0.55), (0.2, -high), (-0.3, -high * 0.7), (-0.66, -0.1), (-0.66, 0.1)]
    layer.fill(
        curve([*side, (-0.3, high * 0.7), (0.2, high), (0.72, high * 0.6)], closed=True),
        body,
        to=lit(body, 0.25),
        puff=0.6,
    )
    for x in np.linspace(-0.42, 0.5, int(rng.integers(2, 4))):
        stripe = curve([(x, -1), (x + 0.1, 0), (x, 1)])
        layer.streak(stripe, 0.19, lit(band, -0.75))
        layer.streak(stripe, 0.14, band)
    for row in np.arange(-0.4, 0.5, 0.11):
        for x in np.arange(-0.5, 0.5, 0.12):
            layer.streak(arc(x, row, 0.05, 0.05, -70, 70, count=6), 0.012, lit(body, -0.4), opacity=0.3)
    layer.fill(curve([(0.3, 0.06), (-0.02, 0.22), (0.02, 0.34), (0.3, 0.2)], closed=True), lit(fin, 0.15))
    layer.streak(arc(0.42, 0, 0.16, high * 0.7, -60, 60), 0.025, lit(body, -0.4), opacity=0.6)
    layer.disc(0.68, -0.1, 0.085, parse("f4f1e4"), puff=0.2)
    layer.disc(0.695, -0.1, 0.05, parse("10151c"), puff=0)
    layer.disc(0.68, -0.12, 0.018, (255, 255, 255), puff=0)
    layer.streak(curve([(0.94, 0.06), (0.85, 0.1), (0.8, 0.09)]), 0.02, lit(body, -0.6))


def cat(layer: Layer, rng: np.random.Generator) -> None:
    """Draw a sitting cat from the front, plain or tabby."""
    coat: Colour = tint(rng, "orange", "steel", "iron", "cream", "bark")
    dark, inner = lit(coat, -0.4), mix(coat, parse("e0a0a0"), 0.6)
    layer.tube(curve([(0.35, 0.86), (0.72, 0.9), (0.84, 0.55), (0.7, 0.28), (0.8, 0.1)]), 0.17, coat)
    layer.fill(
        lathe([(0.2, -0.3), (0.34, 0.0), (0.5, 0.5), (0.56, 0.85), (0.44, 1), (0, 1)]),
        coat,
        to=lit(coat, -0.12),
        puff=0.6,
    )
    for side in (-1, 1):
        half = layer.at(0, 0, flip=side < 0)
        half.fill(ellipse(0.4, 0.8, 0.2, 0.24), coat, puff=0.5)
        half.fill(box(0.02, 0.25, 0.22, 0.98, soft=0.1), lit(coat, 0.05), puff=0.4)
        half.disc(0.14, 0.94, 0.14, lit(coat, 0.1), ry=0.07)
        half.fill(curve([(0.1, -0.72), (0.4, -1), (0.46, -0.5), (0.3, -0.45)], closed=True, steps=5), coat, puff=0.3)
        half.fill(points([(0.2, -0.72), (0.37, -0.9), (0.4, -0.58)]), inner, puff=0.2)
    layer.fill(ellipse(0, -0.42, 0.48, 0.4), coat, to=lit(coat, 0.08), puff=0.6)
    if rng.random() < 0.7:
        for y in (0.0, 0.2, 0.4, 0.6):
            for side in (-1, 1):
                layer.streak(
                    curve([(side * 0.55, y), (side * 0.38, y + 0.06), (side * 0.26, y + 0.02)]),
                    0.05,
                    dark,
                    opacity=0.75,
                )
        for x in (-0.13, 0, 0.13):
            layer.streak([(x * 0.8, -0.62), (x, -0.8)], 0.05, dark, opacity=0.75)
    layer.atop(ellipse(0, -0.24, 0.2, 0.14), lit(coat, 0.45), opacity=0.8, soft=0.03)
    eye = tint(rng, "green", "gold", "teal")
    for side in (-1, 1):
        layer.disc(side * 0.19, -0.46, 0.095, lit(eye, 0.1), ry=0.085, puff=0.3)
        layer.disc(side * 0.19, -0.46, 0.035, parse("101010"), ry=0.075, puff=0)
        layer.disc(side * 0.19 - 0.03, -0.49, 0.02, (255, 255, 255), puff=0)
        for lean in (-0.05, 0.02, 0.09):
            layer.line([(side * 0.14, -0.24), (side * 0.62, -0.26 + lean)], 0.006, parse("efece4"))
    layer.fill([(-0.05, -0.33), (0.05, -0.33), (0, -0.27)], parse("b9707a"))
    layer.streak(curve([(-0.11, -0.2), (-0.055, -0.16), (0, -0.22), (0.055, -0.16), (0.11, -0.2)]), 0.02, dark)
