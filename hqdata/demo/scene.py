"""Scenes in the spirit of SA-1B: many objects in one picture, each with coarse masks of itself and of its parts.

A plan says which backgrounds, and which groups of things stand, float, fly or lie where. Objects are set in from far to
near, so a nearer one hides the others' pixels and their masks.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from hqdata.demo import backdrop, backdrop_outdoor
from hqdata.demo.backdrop import Backdrop
from hqdata.demo.canvas import Field, Image, Layer
from hqdata.demo.coarse import annotate, coarsen
from hqdata.demo.compose import Thing, ground, light, merge
from hqdata.demo.icons import ICONS
from hqdata.demo.intricate import INTRICATE
from hqdata.demo.outline import Points
from hqdata.demo.salient import SALIENT
from hqdata.demo.scene_props import PROPS
from hqdata.demo.thin import THIN

MASKS = (8, 25)
"""Fewest and most masks of a scene."""
_VOCABULARY: dict[str, Thing] = {**THIN, **INTRICATE, **ICONS, **SALIENT, **PROPS}


@dataclass(frozen=True, slots=True)
class Group:
    """Things of a kind in a scene; shares are of the picture's height, but for ``across``."""

    names: tuple[str, ...]
    count: tuple[int, int]
    rows: tuple[float, float]
    """Where their foot comes (their middle where they fly or lie), from far to near."""
    size: tuple[float, float]
    """Their half reach, from far to near."""
    footing: str = "stand"
    across: tuple[float, float] = (0.04, 0.96)


@dataclass(frozen=True, slots=True)
class Plan:
    """Backgrounds and groups of a scene."""

    backdrops: tuple[Backdrop, ...]
    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class Scene:
    """A scene and its SA-1B record.

    Attributes:
        image: uint8[H, W, 3], RGB.
        record: ``{"image": {...}, "annotations": [...]}``, ready for JSON.
    """

    image: Image
    record: dict[str, Any]


@dataclass(slots=True)
class _Item:
    """An object set into a scene: its visible coverage and the outlines of its parts, in picture pixels."""

    visible: Field
    outlines: list[Points]


PLANS: dict[str, Plan] = {
    "countryside": Plan(
        (backdrop_outdoor.meadow, backdrop_outdoor.hills),
        (
            Group(("hot_air_balloon", "kite"), (1, 3), (0.12, 0.3), (0.07, 0.12), "fly"),
            Group(("tree", "house", "windmill", "tree"), (4, 7), (0.6, 0.72), (0.1, 0.17)),
            Group(("cat", "fence", "bicycle", "tree"), (1, 3), (0.78, 0.86), (0.12, 0.17)),
            Group(("flower", "mushroom", "flower"), (2, 4), (0.9, 0.98), (0.1, 0.15)),
        ),
    ),
    "harbour": Plan(
        (backdrop_outdoor.sea,),
        (
            Group(("hot_air_balloon", "kite"), (0, 2), (0.12, 0.25), (0.06, 0.09), "fly"),
            Group(("lighthouse",), (0, 1), (0.6, 0.6), (0.2, 0.24)),
            Group(("boat", "boat", "ship"), (3, 5), (0.6, 0.72), (0.1, 0.18), "float"),
            Group(("boat", "sailboat"), (2, 3), (0.8, 0.95), (0.17, 0.24), "float"),
        ),
    ),
    "table": Plan(
        (backdrop.wood_table, backdrop.wood_table),
        (
            Group(("birdcage", "lamp", "books", "bottle", "candle", "hourglass"), (4, 6), (0.7, 0.76), (0.17, 0.24)),
            Group(("mug", "teapot", "cactus", "books", "bell"), (2, 4), (0.8, 0.86), (0.11, 0.14)),
            Group(("apple", "pear", "apple", "ring", "cup"), (3, 5), (0.92, 0.97), (0.07, 0.1)),
        ),
    ),
    "street": Plan(
        (backdrop_outdoor.street,),
        (
            Group(("tree", "flag", "tree", "bare_tree"), (3, 5), (0.71, 0.73), (0.22, 0.26)),
            Group(("car", "bicycle", "umbrella"), (2, 4), (0.77, 0.82), (0.13, 0.16)),
            Group(("car", "cat", "bicycle", "umbrella"), (2, 3), (0.9, 0.97), (0.15, 0.2)),
        ),
    ),
    "market": Plan(
        (backdrop.gingham, backdrop.wood_table),
        (
            Group(("basket", "crate", "bottle", "crate"), (4, 5), (0.7, 0.74), (0.14, 0.17)),
            Group(("crate", "basket"), (2, 4), (0.85, 0.88), (0.14, 0.17)),
            Group(("apple", "pear", "apple", "pear"), (4, 7), (0.95, 0.98), (0.055, 0.075)),
        ),
    ),
    "reef": Plan(
        (backdrop_outdoor.undersea,),
        (
            Group(("weed",), (3, 5), (0.93, 0.98), (0.14, 0.24)),
            Group(("fish",), (5, 8), (0.15, 0.75), (0.06, 0.13), "fly"),
            Group(("bottle", "anchor"), (0, 2), (0.96, 0.98), (0.09, 0.12)),
            Group(("weed",), (1, 3), (1.0, 1.02), (0.12, 0.2)),
        ),
    ),
    "winter": Plan(
        (backdrop_outdoor.snow,),
        (
            Group(("fir", "house", "fir", "bare_tree"), (5, 8), (0.62, 0.72), (0.12, 0.2)),
            Group(("snowman", "fir"), (2, 4), (0.82, 0.95), (0.13, 0.2)),
        ),
    ),
    "workbench": Plan(
        (backdrop.wood_top, backdrop.paper, backdrop.plaster),
        (
            Group(("scissors", "hammer", "key", "spoon", "pencil", "leaf"), (5, 6), (0.2, 0.32), (0.14, 0.19), "lie"),
            Group(("feather", "spectacles", "horseshoe", "carrot", "star"), (4, 6), (0.66, 0.78), (0.14, 0.19), "lie"),
        ),
    ),
}


def draw_scene(rng: np.random.Generator, image_id: int, *, size: tuple[int, int] = (450, 600), plan: str = "") -> Scene:
    """Draw a scene with its SA-1B record.

    Args:
        rng: Source of every choice.
        image_id: Of the record; the file is named ``sa_<id>.jpg``.
        size: Height and width in pixels.
        plan: A name of :data:`PLANS`; any where empty.
    """
    names = sorted(PLANS)
    chosen = PLANS[plan or names[int(rng.integers(len(names)))]]
    height, width = size
    back = chosen.backdrops[int(rng.integers(len(chosen.backdrops)))](rng, height, width)
    canvas = np.clip(back, 0, 255).astype(np.float32)
    items: list[_Item] = []
    for group in chosen.groups:
        for place in _places(group, rng):
            _set_in(canvas, group, place, items, rng)
    image = merge(canvas, np.zeros_like(canvas), np.zeros((height, width), np.float32), rng).image
    entry = {"image_id": image_id, "width": width, "height": height, "file_name": f"sa_{image_id}.jpg"}
    return Scene(image, {"image": entry, "annotations": _annotations(items, image_id, rng)})


def _places(group: Group, rng: np.random.Generator) -> list[tuple[str, float, float, float]]:
    """Spread a group's things: name, x, y and half reach as shares, far ones first."""
    count = int(rng.integers(group.count[0], group.count[1] + 1))
    order = rng.permutation(max(count, len(group.names)))
    depths = np.sort(rng.random(count))
    low, high = group.across
    slots = low + (high - low) * (rng.permutation(count) + rng.uniform(0.25, 0.75, count)) / max(count, 1)
    places = []
    for i in range(count):
        y = group.rows[0] + (group.rows[1] - group.rows[0]) * depths[i]
        half = group.size[0] + (group.size[1] - group.size[0]) * (depths[i] * 0.7 + rng.random() * 0.3)
        places.append((group.names[int(order[i]) % len(group.names)], float(slots[i]), float(y), float(half)))
    return places


def _set_in(
    canvas: Field, group: Group, place: tuple[str, float, float, float], items: list[_Item], rng: np.random.Generator
) -> None:
    """Draw one thing into the scene and take what it hides from the items behind it."""
    height, width = canvas.shape[:2]
    name, x, y, half = place
    thing = _VOCABULARY[name]
    unit = half * height / max(thing.half)
    middle = y * height - (unit * thing.half[1] if group.footing in {"stand", "float"} else 0)
    window = _window(x * width, middle, unit * max(thing.half), height, width)
    rows, columns = window
    layer = Layer(rows.stop - rows.start, columns.stop - columns.start)
    turned = thing.tilt if group.footing in {"fly", "lie"} else min(thing.tilt, 4.0)
    tilt, flip = float(rng.uniform(-1, 1)) * turned, bool(rng.random() < 0.5)
    thing.draw(layer.at(x * width - columns.start, middle - rows.start, unit, tilt=tilt, flip=flip), rng)
    colour, alpha = layer.render()
    if float(alpha.sum()) < 30:
        return
    below = ground(canvas[window], colour, alpha, group.footing, rng)
    shaded = light(colour, alpha, canvas[window], rng)
    canvas[window] = np.clip(shaded + below * (1 - alpha[..., None]), 0, 255)
    for item in items:
        item.visible[window] *= 1 - alpha
    visible = np.zeros((height, width), np.float32)
    visible[window] = alpha
    items.append(_Item(visible, [outline / layer.factor + (columns.start, rows.start) for outline in layer.outlines]))


def _window(x: float, y: float, reach: float, height: int, width: int) -> tuple[slice, slice]:
    """Bound an object with its shadow or reflection, so that only this part of the scene is touched."""
    side = 1.4 * reach + 8
    left, right = max(int(x - side), 0), min(int(x + side) + 1, width)
    top, bottom = max(int(y - side), 0), min(int(y + 2.4 * reach) + 8, height)
    return slice(top, max(bottom, top + 8)), slice(left, max(right, left + 8))


def _parts(item: _Item, whole: Image, rng: np.random.Generator) -> list[Image]:
    """Pick the exact masks of up to three large parts of an object."""
    parts: list[Image] = []
    for i in rng.permutation(len(item.outlines)):
        mask: Image = np.zeros(whole.shape, np.uint8)
        cv2.fillPoly(mask, [np.round(item.outlines[int(i)] * 16).astype(np.int32)], (1.0,), cv2.LINE_8, 4)
        mask &= whole
        area = int(mask.sum())
        known = any(int((mask & other).sum()) > 0.5 * min(area, int(other.sum())) for other in parts)
        if 140 < area < 0.7 * int(whole.sum()) and not known:
            parts.append(mask)
        if len(parts) == 3:
            break
    return parts


def _annotations(items: list[_Item], image_id: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Coarsen what is visible of each object, then of parts until the scene has enough masks."""
    wholes: list[Image] = [(item.visible > 0.5).astype(np.uint8) for item in items]
    target = int(rng.integers(MASKS[0] + 6, MASKS[1] + 1))
    exact = [whole for whole in wholes if int(whole.sum()) > 120]
    for item, whole in zip(items, wholes, strict=True):
        if len(exact) < target:
            exact += _parts(item, whole, rng)[: target - len(exact)]
    found: list[dict[str, Any]] = []
    for truth in exact[: MASKS[1]]:
        mask = coarsen(truth, rng)
        if int(mask.sum()) >= 60:
            found.append(annotate(mask, truth, image_id * 1000 + len(found), rng))
    return found
