"""Curated colours: families of natural tints and schemes of five that go together.

Nothing here is a random RGB triple: a drawing picks a family or a scheme and jitters it a little.
"""

import colorsys
from collections.abc import Sequence

import numpy as np

Colour = tuple[float, float, float]
"""Red, green and blue, each 0 to 255."""

FAMILIES: dict[str, tuple[str, ...]] = {
    "red": ("c0392b", "a93226", "cf4a3a", "b5332e", "d1495b", "9e2a2b"),
    "orange": ("e07a2f", "d9722b", "ee964b", "e36414", "f4a259"),
    "yellow": ("f2c14e", "e9b44c", "f6d55c", "e0a526", "f7c948"),
    "green": ("5b8c3a", "4f772d", "6a994e", "7fa650", "3f7d4e", "90a955"),
    "leaf": ("4c7a34", "588b3c", "3d6b35", "739a48", "31572c"),
    "teal": ("2a9d8f", "3a7d7c", "1f7a8c", "468faf", "4ea5a1"),
    "blue": ("3a6ea5", "2f5d8a", "4a7fb5", "27496d", "5b8fc7", "1d3557"),
    "purple": ("7b5ea7", "6d597a", "8e6bbf", "5e548e", "9a6fb0"),
    "pink": ("e5989b", "d87a92", "e8a0bf", "c9637c", "f2b5c4"),
    "brown": ("7b4f2e", "8c5a35", "6b4226", "9c6b41", "5a3a22"),
    "bark": ("54433a", "4a3b32", "66554a", "3e332c", "74655a"),
    "cream": ("f3e9d2", "efe3c8", "f5efe0", "e8dcc0", "f7f1e3"),
    "white": ("f1f1ee", "e9ecef", "f5f3ef", "e6e6e2"),
    "steel": ("8d99a6", "7d8791", "9aa5b1", "6c757d", "a8b0b8"),
    "iron": ("34383c", "3d4248", "2b2d33", "454a50", "2f3437"),
    "gold": ("d4a437", "c99a2e", "dcb14a", "b8862b", "e1bb5a"),
    "black": ("26262a", "2f2c2c", "1f2226", "33302e"),
    "wood": ("b07d4b", "9c6b3e", "c28f5c", "8a5a33", "a8744a"),
    "straw": ("d9b779", "c9a466", "e0c48d", "bd9559"),
    "stone": ("b8b0a2", "a59d90", "c8c0b2", "938b7f"),
    "skin": ("b9855e", "d3a27f", "8d5a3c", "e3b899"),
}

SCHEMES: tuple[tuple[str, ...], ...] = (
    ("264653", "2a9d8f", "e9c46a", "f4a261", "e76f51"),
    ("1d3557", "457b9d", "a8dadc", "f1faee", "e63946"),
    ("606c38", "283618", "fefae0", "dda15e", "bc6c25"),
    ("355070", "6d597a", "b56576", "e56b6f", "eaac8b"),
    ("003049", "d62828", "f77f00", "fcbf49", "eae2b7"),
    ("5f0f40", "9a031e", "fb8b24", "e36414", "0f4c5c"),
    ("386641", "6a994e", "a7c957", "f2e8cf", "bc4749"),
    ("22223b", "4a4e69", "9a8c98", "c9ada7", "f2e9e4"),
    ("335c67", "fff3b0", "e09f3e", "9e2a2b", "540b0e"),
    ("cb997e", "ddbea9", "ffe8d6", "b7b7a4", "6b705c"),
    ("0d3b66", "faf0ca", "f4d35e", "ee964b", "f95738"),
    ("3d405b", "81b29a", "f4f1de", "f2cc8f", "e07a5f"),
)


def parse(code: str) -> Colour:
    """Read a colour from six hexadecimal digits.

    >>> parse("ff8000")
    (255.0, 128.0, 0.0)
    """
    return (float(int(code[0:2], 16)), float(int(code[2:4], 16)), float(int(code[4:6], 16)))


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Blend two colours; ``share`` of the second.

    >>> mix((0, 0, 0), (100, 200, 50), 0.5)
    (50.0, 100.0, 25.0)
    """
    one, two, three = (a + (b - a) * share for a, b in zip(first, second, strict=True))
    return (one, two, three)


def lit(colour: Colour, amount: float) -> Colour:
    """Lighten (``amount`` > 0, towards warm white) or darken (< 0, towards cool black)."""
    return mix(colour, (255.0, 250.0, 238.0), amount) if amount > 0 else mix(colour, (16.0, 16.0, 28.0), -amount)


def jitter(colour: Colour, rng: np.random.Generator, *, hue: float = 0.012, value: float = 0.07) -> Colour:
    """Move a colour slightly in hue, saturation and value."""
    h, s, v = colorsys.rgb_to_hsv(*(channel / 255 for channel in colour))
    h = (h + float(rng.normal(0, hue))) % 1.0
    s = float(np.clip(s * (1 + rng.normal(0, value)), 0, 1))
    v = float(np.clip(v * (1 + rng.normal(0, value)), 0, 1))
    red, green, blue = colorsys.hsv_to_rgb(h, s, v)
    return (red * 255, green * 255, blue * 255)


def tint(rng: np.random.Generator, *families: str) -> Colour:
    """Pick a colour from one of the named families."""
    family = FAMILIES[families[int(rng.integers(len(families)))]]
    return jitter(parse(family[int(rng.integers(len(family)))]), rng)


def scheme(rng: np.random.Generator) -> list[Colour]:
    """Pick five colours that go together, in shuffled order."""
    codes: Sequence[str] = SCHEMES[int(rng.integers(len(SCHEMES)))]
    return [jitter(parse(codes[i]), rng, hue=0.006, value=0.04) for i in rng.permutation(len(codes))]
