"""SA-1B's records: one JSON an image, its masks as run-length codes with SAM's own scores, and which mask to take.

The stated boxes are one pixel short in width and height (inclusive maxima); they are kept as they are, and nothing is
computed from them.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pycocotools import mask as coco

from hqdata.errors import DecodeError
from hqdata.masks import rle
from hqdata.recipe import MaskRule
from hqdata.sources.draw import ranker

MASK_RULES: dict[MaskRule, str] = {
    "uniform": "one mask of each image, each with the same chance",
    "largest": "the mask with the most pixels",
    "whole": "one mask that lies in no other and covers 2 to 60 % of the image, each with the same chance",
    "all": "every mask",
}
WHOLE_AREA = (0.02, 0.6)
"""Shares of the image that a whole object covers: nearest to HQSeg's convention of one whole object an image."""
CONTAINED = 0.95
"""Share of a mask that lies inside another one from which on it is a part of it."""
_DIGITS = 8
"""Most groups of one number of a code: 40 bits, more than any image has pixels."""
_SCORES = ("predicted_iou", "stability_score")
_MALFORMED = (ValueError, KeyError, TypeError, OverflowError, RecursionError)


def read_record(data: bytes, width: int, height: int, stem: str) -> tuple[dict[str, Any], ...]:
    """Read one record: of each mask what it takes to choose it, and all that is stated, for :func:`complete`.

    A record holds a hundred masks, of which a draw mostly takes one.

    Args:
        data: the JSON file.
        width: of the image that it belongs to, in pixels.
        height: likewise.
        stem: the image's name without its suffix.

    Returns:
        ``id``, ``area``, ``size`` (height, width), ``counts`` and ``stated`` of each mask, sorted by id.

    Raises:
        DecodeError: bad_record: no JSON, another image's name or sizes, values that are none, or an id twice.
    """
    try:
        found = json.loads(data)
        stated = found["image"]["width"], found["image"]["height"]
        name = str(found["image"]["file_name"])
        masks = [_outline(item) for item in found["annotations"]]
    except _MALFORMED as error:
        raise DecodeError("bad_record", f"{type(error).__name__}: {error}") from error
    if name.rpartition(".")[0] != stem:
        raise DecodeError("bad_record", f"of image {name}")
    if stated != (width, height):
        raise DecodeError("bad_record", f"for an image of {stated[0]} x {stated[1]}, but it has {width} x {height}")
    if len({item["id"] for item in masks}) < len(masks):
        raise DecodeError("bad_record", "an annotation id stands twice")
    for item in masks:
        if item["size"] != [height, width]:
            raise DecodeError("bad_record", f"annotation {item['id']} has size {item['size']}")
    return tuple(sorted(masks, key=lambda item: int(item["id"])))


def _outline(item: Mapping[str, Any]) -> dict[str, Any]:
    """What it takes to choose a mask; one of the malformed errors where it is not as documented."""
    number, area, counts = item["id"], float(item["area"]), item["segmentation"]["counts"]
    if not isinstance(counts, str):
        raise TypeError("uncompressed run-length codes are not SA-1B's")
    if not isinstance(number, int) or not 0 <= number < 2**63 or not math.isfinite(area):
        raise ValueError(f"id {number}, area {area}")
    return {"id": number, "area": area, "size": item["segmentation"]["size"], "counts": counts, "stated": item}


def complete(mask: Mapping[str, Any]) -> dict[str, Any]:
    """A mask of :func:`read_record` with all its attributes, in the form of the column ``masks``.

    Raises:
        DecodeError: bad_record: an attribute is absent or no number, or the code does not fill the image.
    """
    stated = mask["stated"]
    try:
        attributes = {
            "bbox": _floats(stated["bbox"]),
            **{name: _floats([stated[name]])[0] for name in _SCORES},
            "crop_box": _floats(stated["crop_box"]),
            "point_coords": [_floats(point) for point in stated["point_coords"]],
        }
    except _MALFORMED as error:
        raise DecodeError("bad_record", f"annotation {mask['id']}: {type(error).__name__}: {error}") from error
    check_runs(mask)
    return {name: mask[name] for name in ("size", "counts", "id", "area")} | attributes


def _floats(values: Sequence[Any]) -> list[float]:
    found = [float(value) for value in values]
    if not all(map(math.isfinite, found)):
        raise ValueError(f"{found} are no numbers")
    return found


def choose(masks: Sequence[Mapping[str, Any]], rule: MaskRule, seed: int, image: str, most: int = 1) -> list[int]:
    """Positions of the masks that a rule takes, sorted; none where no mask satisfies it.

    Args:
        masks: of one image, as :func:`read_record` gives them.
        rule: a word of :data:`MASK_RULES`.
        seed: of the draw.
        image: name of the image, so that every image has a draw of its own.
        most: masks to take at most; the rule ``all`` takes every one.

    Raises:
        DecodeError: bad_record: a code does not fit its size.
    """
    if rule == "all":
        return list(range(len(masks)))
    if rule == "largest":
        ranked = sorted(range(len(masks)), key=lambda k: (-float(masks[k]["area"]), int(masks[k]["id"])))
    else:
        fitting = _whole(masks) if rule == "whole" else range(len(masks))
        rank = ranker(seed, f"{image}#")
        ranked = sorted(fitting, key=lambda k: rank(str(masks[k]["id"])))
    return sorted(ranked[:most])


def check_runs(mask: Mapping[str, Any]) -> None:
    """Make sure that a run-length code fills its image; pycocotools says so only while it decodes.

    Numbers are written in groups of five bits from the lowest on, a sixth bit meaning that more follow; from the fourth
    run on they are differences to the run before the last (``rleFrString`` in pycocotools' maskApi.c).

    Raises:
        DecodeError: bad_record.
    """
    height, width = mask["size"]
    try:
        groups = np.frombuffer(mask["counts"].encode("ascii"), np.uint8).astype(np.int64) - 48
        ends = np.flatnonzero(groups & 32 == 0)
        starts = np.concatenate([[0], ends[:-1] + 1])
        digits = ends - starts + 1
        if groups.min() < 0 or groups.max() > 63 or ends[-1] != len(groups) - 1 or digits.max() > _DIGITS:
            raise ValueError("no numbers")
    except (ValueError, IndexError) as error:
        raise DecodeError("bad_record", f"annotation {mask['id']}: {error}") from error
    places = np.arange(len(groups)) - np.repeat(starts, digits)
    runs = np.add.reduceat((groups & 31) << 5 * places, starts)
    runs -= (groups[ends] >> 4 & 1) << 5 * digits
    for first in (1, 2):
        runs[first::2] = np.cumsum(runs[first::2])
    if runs.min() < 0 or runs.sum() != height * width:
        raise DecodeError("bad_record", f"annotation {mask['id']}: its runs do not fill {width} x {height} pixels")


def _whole(masks: Sequence[Mapping[str, Any]]) -> list[int]:
    """Masks of a whole object's size that lie in no other mask."""
    found = []
    codes = [rle.raw(item) for item in masks]
    try:
        areas = [float(area) for area in coco.area(codes)] if codes else []
        for k, item in enumerate(masks):
            pixels = item["size"][0] * item["size"][1]
            larger = [codes[other] for other in range(len(codes)) if areas[other] > areas[k]]
            if not WHOLE_AREA[0] * pixels <= areas[k] <= WHOLE_AREA[1] * pixels:
                continue
            # With "crowd" masks on the right, pycocotools divides by the area of the left one.
            inside = coco.iou([codes[k]], larger, [1] * len(larger)) if larger else [[0.0]]
            if max(inside[0]) < CONTAINED:
                found.append(k)
    except ValueError as error:
        raise DecodeError("bad_record", str(error)) from error
    return found
