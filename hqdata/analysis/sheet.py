"""A contact sheet: images of a collection with the outline of their masks, as a PNG that one looks at first."""

import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hqdata.arrays import UInt8Array
from hqdata.fsio.atomic import atomic_file
from hqdata.sources.orientation import to_display
from hqdata.store.reader import Collection, Sample
from hqdata.store.view import SplitView

SYNTHETIC = "SYNTHETIC: drawn by hqdata, not the real datasets"
TILE = 224
MARGIN = 10
LABEL = 34
HEADER = 46
BACKGROUND = (250, 250, 248)
INK = (40, 40, 44)
FAINT = (120, 120, 126)
OUTLINE = (255, 40, 20)
VEIL = 0.45
"""How far pixels outside the mask fade towards their own grey, so that thin objects stand out."""


def choose(collection: Collection, count: int) -> list[Sample]:
    """Spread ``count`` samples evenly over sources and parts, in stored order; always the same ones."""
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    table = collection.table.select(["source", "part"]).to_pydict()
    for position, key in enumerate(zip(table["source"], table["part"], strict=True)):
        groups[key].append(position)
    chosen: list[int] = []
    keys = sorted(groups, key=lambda key: (len(groups[key]), key))
    for number, key in enumerate(keys):
        share = (count - len(chosen)) // (len(keys) - number)
        members = groups[key]
        take = min(share, len(members))
        chosen += [members[(2 * index + 1) * len(members) // (2 * take)] for index in range(take)]
    return [collection[position] for position in sorted(chosen)]


def outlined(sample: Sample, side: int) -> UInt8Array:
    """Image upright, fitted into ``side`` pixels, with the outline of each mask: ``uint8[h, w, 3]``."""
    image = to_display(sample.image, sample.orientation)
    height, width = image.shape[:2]
    scale = min(side / width, side / height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))

    def fitted(pixels: UInt8Array) -> UInt8Array:
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(np.ascontiguousarray(pixels), size, interpolation=way), np.uint8)

    small = fitted(image)
    covers = [(fitted(to_display(mask, sample.orientation)) > 127).astype(np.uint8) for mask in sample.each_mask()]
    inside = np.bitwise_or.reduce([np.zeros(size[::-1], np.uint8), *covers])
    grey = cv2.cvtColor(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    faded = cv2.addWeighted(small, 1 - VEIL, grey // 2 + 120, VEIL, 0)
    shown = np.where(inside[..., None] > 0, small, faded)
    for cover in covers:
        contours, _ = cv2.findContours(cover, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(shown, contours, -1, OUTLINE, 1, cv2.LINE_AA)
    return np.asarray(shown, np.uint8)


def contact_sheet(collection: Collection, path: Path, *, count: int = 48, columns: int = 8) -> int:
    """Write a contact sheet as PNG. Returns the number of samples on it."""
    samples = choose(collection, count)
    return draw_sheet(samples, path, _title(collection), columns=columns)


def side_by_side(collections: Mapping[str, Collection], path: Path, *, count: int = 6) -> int:
    """Write the same samples of several collections as PNG: a row a sample, a column a collection, by its name.

    Args:
        collections: by the name above the column; samples are chosen from the first one.
        path: of the PNG.
        count: samples.

    Returns:
        The number of rows. Samples that a collection lacks are not among them.
    """
    first = next(iter(collections.values()))
    shared = set.intersection(*({*collection.sample_ids} for collection in collections.values()))
    chosen = [sample.sample_id for sample in choose(first, count) if sample.sample_id in shared]
    samples = [collection[sample_id] for sample_id in chosen for collection in collections.values()]
    captions = [(name, sample_id) for sample_id in chosen for name in collections]
    title = f"The same samples of {len(collections)} collections{_note(first)}"
    draw_sheet(samples, path, title, columns=len(collections), captions=captions)
    return len(chosen)


def _title(collection: Collection) -> str:
    of = f"split {collection.definition.name} of " if isinstance(collection, SplitView) else ""
    return f"{of}{collection.index['recipe']['title']}: {len(collection):,} samples{_note(collection)}"


def _note(collection: Collection) -> str:
    return f"   {SYNTHETIC}" if collection.index["recipe"]["synthetic"] else ""


def draw_sheet(
    samples: Sequence[Sample],
    path: Path,
    title: str,
    *,
    columns: int,
    captions: Sequence[tuple[str, str]] | None = None,
) -> int:
    """Draw samples as a grid; the two lines below each are ``captions``, or its id and its size with flags."""
    rows = -(-len(samples) // columns)
    width = columns * (TILE + MARGIN) + MARGIN
    page = Image.new("RGB", (width, HEADER + rows * (TILE + LABEL + MARGIN) + MARGIN), BACKGROUND)
    pen = ImageDraw.Draw(page)
    pen.text((MARGIN, 14), title, fill=INK, font=ImageFont.load_default(18))
    font, small = ImageFont.load_default(12), ImageFont.load_default(11)
    for number, sample in enumerate(samples):
        x = MARGIN + number % columns * (TILE + MARGIN)
        y = HEADER + number // columns * (TILE + LABEL + MARGIN)
        tile = Image.fromarray(outlined(sample, TILE))
        page.paste(tile, (x + (TILE - tile.width) // 2, y + (TILE - tile.height) // 2))
        upper, lower = captions[number] if captions else _caption(sample)
        pen.text((x, y + TILE + 3), fitted(pen, printable(upper), TILE, font), fill=INK, font=font)
        pen.text((x, y + TILE + 18), fitted(pen, printable(lower), TILE, small), fill=FAINT, font=small)
    with atomic_file(path) as stream:
        page.save(stream, format="PNG", optimize=True)
    return len(samples)


def _caption(sample: Sample) -> tuple[str, str]:
    notes = [f"{sample.size[0]} x {sample.size[1]}", *sample.errata, *(f for f in sample.flags if f != "mask_soft")]
    return sample.sample_id, ", ".join(notes)


def printable(text: str) -> str:
    """Text in the letters that Pillow's own font has: accents dropped, other scripts as ``?``."""
    bare = "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
    return bare.encode("ascii", "replace").decode()


def fitted(pen: ImageDraw.ImageDraw, text: str, width: int, font: Any) -> str:
    """Cut text in the middle until it fits."""
    if pen.textlength(text, font=font) <= width:
        return text
    keep = len(text)
    while keep > 4 and pen.textlength(f"{text[: keep // 2]}...{text[-keep // 2 :]}", font=font) > width:
        keep -= 1
    return f"{text[: keep // 2]}...{text[-keep // 2 :]}"
