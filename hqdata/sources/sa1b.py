"""SA-1B's records: one JSON an image, its masks as run-length codes with SAM's own scores, and which mask to take.

The stated boxes are one pixel short in width and height (inclusive maxima); they are kept as they are, and nothing is
computed from them. Nor from the stated areas: pixels are counted.
"""

import json
import math
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

import numpy as np
from pycocotools import mask as coco

from hqdata.arrays import IntArray
from hqdata.errors import DecodeError
from hqdata.limits import DEFAULT, Limits
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
"""Share of a mask that lies inside a larger one from which on it is a part of it."""
_DIGITS = 6
"""Most groups of a number: 30 bits, more than an image has pixels, and as much as pycocotools reads rightly."""
_SCORES = ("predicted_iou", "stability_score")
_MALFORMED = (ValueError, KeyError, TypeError, OverflowError, RecursionError)
_DETAIL = 200
"""Most characters of a record that a reject quotes."""


def read_record(
    data: bytes, width: int, height: int, stem: str, limits: Limits = DEFAULT
) -> tuple[dict[str, Any], ...]:
    """Read one record. A draw mostly takes one of its hundred masks: only what it takes to choose is looked at.

    Args:
        data: the JSON file.
        width: of the image that it belongs to, in pixels.
        height: likewise.
        stem: the image's name without its suffix.
        limits: ``record_bytes``.

    Returns:
        Its annotations, sorted by id. Ids are numbers, each there once, and codes are texts for the image's size.

    Raises:
        DecodeError: bad_record: no JSON, another image's name or sizes, values that are none, or an id twice.
            too_large: more bytes than a record may have.
    """
    if len(data) > limits.record_bytes:
        raise DecodeError("too_large", f"{len(data):,} bytes, limit {limits.record_bytes:,}")
    try:
        found = json.loads(data)
        stated = found["image"]["width"], found["image"]["height"]
        name = found["image"]["file_name"]
        masks = found["annotations"]
        for item in masks:
            _check_outline(item, [height, width])
    except _MALFORMED as error:
        raise _bad(f"{type(error).__name__}: {error}") from error
    if not isinstance(name, str) or name.rpartition(".")[0] != stem:
        raise _bad(f"of image {name}")
    if stated != (width, height):
        raise _bad(f"for an image of {stated[0]} x {stated[1]}, but it has {width} x {height}")
    if len({item["id"] for item in masks}) < len(masks):
        raise _bad("an annotation id stands twice")
    return tuple(sorted(masks, key=itemgetter("id")))


def _bad(text: str) -> DecodeError:
    return DecodeError("bad_record", text[:_DETAIL])


def _check_outline(item: Mapping[str, Any], size: list[int]) -> None:
    number, code = item["id"], item["segmentation"]
    if type(number) is not int or not 0 <= number < 2**63:  # bool is an int, too
        raise _bad("an annotation has no id")
    if type(code["counts"]) is not str:
        raise _bad(f"annotation {number}: SA-1B's run-length codes are compressed")
    if code["size"] != size:
        raise _bad(f"annotation {number} has size {code['size']}")


def complete(mask: Mapping[str, Any]) -> dict[str, Any]:
    """An annotation in the form of the column ``masks``.

    Raises:
        DecodeError: bad_record: an attribute is absent or no number. The code is not looked at: :func:`pixels_of`.
    """
    code = mask["segmentation"]
    try:
        return {
            "size": [int(length) for length in code["size"]],
            "counts": code["counts"],
            "id": mask["id"],
            "area": _number(mask["area"]),
            "bbox": _numbers(mask["bbox"], 4),
            **{name: _number(mask[name]) for name in _SCORES},
            "crop_box": _numbers(mask["crop_box"], 4),
            "point_coords": [_numbers(point, 2) for point in mask["point_coords"]],
        }
    except _MALFORMED as error:
        raise _bad(f"annotation {mask['id']}: {type(error).__name__}: {error}") from error


def _number(value: Any) -> float:
    """A JSON number; Python's reader also lets NaN, infinities and numbers beyond any float through."""
    if type(value) not in {int, float} or not math.isfinite(value):
        raise ValueError(f"{value!s:.40} is no number")
    return float(value)


def _numbers(values: Sequence[Any], count: int) -> list[float]:
    if len(values) != count:
        raise ValueError(f"{len(values)} numbers, not {count}")
    return [_number(value) for value in values]


def choose(masks: Sequence[Mapping[str, Any]], rule: MaskRule, seed: int, image: str, most: int = 1) -> list[int]:
    """Positions of the masks that a rule takes, sorted; none where no mask satisfies it.

    Args:
        masks: of one image, as :func:`read_record` gives them.
        rule: a word of :data:`MASK_RULES`.
        seed: of the draw.
        image: name of the image, so that every image has a draw of its own.
        most: masks to take at most; the rule ``all`` takes every one.

    Raises:
        DecodeError: bad_record: a code does not fill the image.
    """
    if rule == "all":
        return list(range(len(masks)))
    if rule == "largest":
        pixels = pixels_of(masks)
        ranked = sorted(range(len(masks)), key=lambda k: (-pixels[k], masks[k]["id"]))
    else:
        fitting = _whole(masks) if rule == "whole" else range(len(masks))
        rank = ranker(seed, f"{image}#")
        ranked = sorted(fitting, key=lambda k: rank(str(masks[k]["id"])))
    return sorted(ranked[:most])


def _whole(masks: Sequence[Mapping[str, Any]]) -> list[int]:
    """Masks of a whole object's size that lie in no other mask."""
    areas, codes, found = pixels_of(masks), [rle.raw(item["segmentation"]) for item in masks], []
    for k, code in enumerate(codes):
        pixels = code["size"][0] * code["size"][1]
        if not WHOLE_AREA[0] * pixels <= areas[k] <= WHOLE_AREA[1] * pixels:
            continue
        larger = [codes[other] for other in np.flatnonzero(areas > areas[k])]
        # With "crowd" masks on the right, pycocotools divides by the area of the left one.
        inside = coco.iou([code], larger, [1] * len(larger))[0] if larger else [0.0]
        if max(inside) < CONTAINED:
            found.append(k)
    return found


def pixels_of(masks: Sequence[Mapping[str, Any]]) -> IntArray:
    """Count the foreground pixels of run-length codes, and make sure that every code fills its image.

    No code goes to pycocotools before: of one that is cut short it reads, and writes, beyond the end.

    Args:
        masks: as :func:`read_record` gives them.

    Returns:
        ``int64[masks]``.

    Raises:
        DecodeError: bad_record.
    """
    found = []
    for mask in masks:
        code = mask["segmentation"]
        runs = _runs(code["counts"])
        if runs is None or runs.min() < 0 or runs.sum() != math.prod(code["size"]):
            raise _bad(f"annotation {mask['id']}: its run-length code does not fill the image")
        found.append(runs[1::2].sum())
    return np.array(found, np.int64)


def _runs(counts: str) -> IntArray | None:
    """Lengths of a code's runs, ``int64``, background first; None where it is none.

    Numbers are written in groups of five bits from the lowest on, a sixth bit meaning that more follow; from the fourth
    run on they are differences to the run before the last (``rleFrString`` in pycocotools' maskApi.c).
    """
    if not counts or not counts.isascii():
        return None
    groups = np.frombuffer(counts.encode(), np.uint8).astype(np.int32) - 48
    if groups.min() < 0 or groups.max() > 63 or groups[-1] >= 32:
        return None
    ends = np.flatnonzero(groups < 32)
    starts = np.zeros_like(ends)
    starts[1:] = ends[:-1] + 1
    digits = ends - starts + 1
    if digits.max() > _DIGITS:
        return None
    places = np.arange(len(groups)) - np.repeat(starts, digits)
    runs = np.add.reduceat((groups & 31) << 5 * places, starts)
    runs -= (groups[ends] >> 4 & 1) << 5 * digits
    for first in (1, 2):
        np.cumsum(runs[first::2], out=runs[first::2])
    return runs
