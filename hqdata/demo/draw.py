"""Draws samples of every kind that the demo needs: the entry of this package.

``draw`` makes one image with its mask, ``draw_scene`` one scene with an SA-1B record. The same generator state gives
the same pixels, in any process.

>>> drawing = draw("icon", np.random.default_rng(0), subject="key")
>>> drawing.image.shape, drawing.mask.shape, drawing.subject
((224, 224, 3), (224, 224), 'key')
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar

import numpy as np

from hqdata.demo.canvas import Image
from hqdata.demo.compose import Render, Thing, depict
from hqdata.demo.icons import ICONS
from hqdata.demo.intricate import INTRICATE
from hqdata.demo.salient import SALIENT
from hqdata.demo.scene import PLANS, Scene, draw_scene
from hqdata.demo.thin import THIN
from hqdata.errors import UsageError, explain

__all__ = [
    "ICON_CLASSES",
    "PLANS",
    "STYLES",
    "VOCABULARY",
    "Drawing",
    "Kind",
    "Scene",
    "Style",
    "draw",
    "draw_scene",
    "render",
]

T = TypeVar("T")
Kind: TypeAlias = Literal["intricate", "thin", "salient", "icon"]

VOCABULARY: dict[str, dict[str, Thing]] = {"intricate": INTRICATE, "thin": THIN, "salient": SALIENT, "icon": ICONS}
"""Every object by kind and name."""
ICON_CLASSES: tuple[str, ...] = tuple(sorted(ICONS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How a source's pictures look."""

    long_side: tuple[int, int]
    """Least and largest, in pixels."""
    aspects: tuple[float, ...]
    """Long side over short side, one of these."""
    fit: tuple[float, float]
    """Share of the picture that the object spans."""
    soft: bool
    """Whether masks keep soft edges; else they hold 0 and 255 only."""
    factor: int = 2
    """Supersampling."""


STYLES: dict[str, dict[str, Style]] = {
    "intricate": {"dis": Style(long_side=(800, 1400), aspects=(1.2, 1.33, 1.5), fit=(0.74, 0.94), soft=True)},
    "thin": {
        "thinobject": Style(long_side=(400, 800), aspects=(1.0, 1.25, 1.33), fit=(0.74, 0.96), soft=True),
        "coift": Style(long_side=(400, 640), aspects=(1.33, 1.5), fit=(0.6, 0.9), soft=False),
    },
    "salient": {
        "duts": Style(long_side=(380, 400), aspects=(1.33, 1.5), fit=(0.5, 0.9), soft=True, factor=3),
        "ecssd": Style(long_side=(400, 400), aspects=(1.33, 1.5), fit=(0.58, 0.92), soft=False, factor=3),
        "msra": Style(long_side=(400, 400), aspects=(1.33,), fit=(0.6, 0.85), soft=False, factor=3),
        "hrsod": Style(long_side=(900, 1200), aspects=(1.33, 1.5), fit=(0.5, 0.85), soft=False),
    },
    "icon": {"fss": Style(long_side=(224, 224), aspects=(1.0,), fit=(0.66, 0.96), soft=False, factor=3)},
}
"""Styles by kind; the first one is the kind's own."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """One drawn sample.

    Attributes:
        image: uint8[H, W, 3], RGB.
        mask: uint8[H, W], 0 to 255; only 0 and 255 where the style is not soft.
        subject: The object's name in :data:`VOCABULARY`.
    """

    image: Image
    mask: Image
    subject: str = ""


def draw(kind: Kind, rng: np.random.Generator, *, style: str | None = None, subject: str | None = None) -> Drawing:
    """Draw one object on a background.

    Args:
        kind: Which vocabulary to draw from.
        rng: Source of every choice.
        style: A name of ``STYLES[kind]``; the kind's own where None.
        subject: A name of ``VOCABULARY[kind]``, such as an icon's class; any where None.
    """
    return render(kind, rng, style=style, subject=subject)[0]


def render(
    kind: Kind, rng: np.random.Generator, *, style: str | None = None, subject: str | None = None
) -> tuple[Drawing, Render]:
    """Draw as :func:`draw` does, and give the exact alpha and the background without the object too."""
    looks = _known(STYLES[kind], style or next(iter(STYLES[kind])), f"style of {kind}")
    names = sorted(VOCABULARY[kind])
    name = subject or names[int(rng.integers(len(names)))]
    thing = _known(VOCABULARY[kind], name, f"{kind} object")
    height, width = _size(looks, thing, rng)
    found = depict(thing, rng, height, width, factor=looks.factor, fit=float(rng.uniform(*looks.fit)))
    mask = np.round(found.alpha * np.float32(255)).astype(np.uint8)
    if not looks.soft:
        mask = np.where(mask > 127, np.uint8(255), np.uint8(0))
    return Drawing(found.image, mask, name), found


def _size(style: Style, thing: Thing, rng: np.random.Generator) -> tuple[int, int]:
    """Choose height and width; wide objects get wide pictures."""
    long_side = int(rng.integers(style.long_side[0], style.long_side[1] + 1))
    short = round(long_side / style.aspects[int(rng.integers(len(style.aspects)))])
    lean = thing.half[0] / thing.half[1]
    upright = rng.random() < (0.1 if lean > 1.15 else 0.7 if lean < 0.87 else 0.35)
    return (long_side, short) if upright else (short, long_side)


def _known(table: dict[str, T], key: str, what: str) -> T:
    """Look a name up, or say which ones there are."""
    if key not in table:
        raise UsageError(explain(f"no such {what}", expected=", ".join(sorted(table)), got=key))
    return table[key]
