"""Pictures of the report: images with the outline of a mask, as JPEG inside the page."""

import base64
import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from hqdata.analysis.report.tables import folder_name
from hqdata.arrays import BoolArray, UInt8Array
from hqdata.errors import StoreCorrupt, explain
from hqdata.masks import rle
from hqdata.sources.decode import to_rgb
from hqdata.sources.orientation import to_display
from hqdata.store.reader import Collection, Sample

OVERVIEW = 288
"""Pixels on the long side of an overview."""
CROP = 340
"""Pixels on each side of a crop, which fits a phone at one image pixel a CSS pixel."""
QUALITY = 82
VEIL = 0.35
"""How far an overview's pixels outside the mask fade, which tells inside from outside."""
LINE = (255, 225, 0)
CASING = (0, 0, 0)
DASH = 4
_FINE = 4
"""Fractional bits of the points that OpenCV draws."""


@dataclass(slots=True)
class Picture:
    """An encoded picture, once in the page however often it is shown."""

    number: int
    width: int
    height: int
    uri: str
    uses: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A picture at one place of the page."""

    picture: Picture
    alt: str
    note: str
    """Size in pixels, or the part of the image that a crop shows."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Image and one mask as a person would see them: ``uint8[H, W, 3]``, ``bool[H, W]``."""

    image: UInt8Array
    mask: BoolArray


def split_mask_id(mask_id: str) -> tuple[str, int]:
    """Sample id and position of the mask.

    >>> split_mask_id("dis5k/tr/5#Artifact#0")
    ('dis5k/tr/5#Artifact', 0)
    """
    sample_id, _, k = mask_id.rpartition("#")
    return sample_id, int(k)


def find(collection: Collection, mask_id: str) -> Sample:
    """Sample of a mask.

    Raises:
        StoreCorrupt: the collection has no such mask: the findings are another collection's.
    """
    try:
        sample_id, k = split_mask_id(mask_id)
        sample = collection[sample_id]
        if k in range(len(sample.masks) or 1):
            return sample
    except (KeyError, ValueError):
        pass
    raise StoreCorrupt(
        explain(
            f"a finding names {mask_id!r}, which {folder_name(collection)} does not hold",
            do="run `hqdata audit` again on the collection as it is now",
        )
    )


def seen(collection: Collection, mask_id: str) -> Seen:
    """Image upright with one of its masks."""
    sample = find(collection, mask_id)
    stored = sample.mask > 127 if not sample.masks else rle.decode(sample.masks[split_mask_id(mask_id)[1]]) > 0
    return Seen(to_display(sample.image, sample.orientation), to_display(stored, sample.orientation))


def overview(view: Seen, side: int = OVERVIEW) -> UInt8Array:
    """Whole image fitted into ``side`` pixels, the outside of the mask faded, its outline cased in black.

    The outline is that of the mask as stored, so that parts thinner than a pixel of the overview are not lost; the
    casing lies outside, so that it does not bury them.
    """
    height, width = view.mask.shape
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(np.ascontiguousarray(view.image), size, interpolation=how)
    inside = cv2.resize(view.mask.astype(np.uint8) * 255, size, interpolation=how) > 127
    faded = cv2.addWeighted(small, 1 - VEIL, np.full_like(small, 160), VEIL, 0)
    canvas = np.where(inside[..., None], small, faded)
    contours, _ = cv2.findContours(view.mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    last = np.array(size) - 1
    scaled = [np.clip((line + 0.5) * scale - 0.5, 0, last) for line in contours]
    points = [np.rint(line * (1 << _FINE)).astype(np.int32) for line in scaled]
    cased = cv2.polylines(canvas.copy(), points, True, CASING, 3, cv2.LINE_AA, _FINE)
    canvas = np.where(inside[..., None], canvas, cased)
    return np.asarray(cv2.polylines(canvas, points, True, LINE, 1, cv2.LINE_AA, _FINE), np.uint8)


def crop_box(mask: BoolArray, side: int = CROP) -> tuple[int, int, int, int]:
    """Left, top, width and height of the window that holds most of the mask's edge; the middle one of equals.

    >>> crop_box(np.pad(np.ones((2, 2), bool), ((90, 8), (10, 88))), 20)
    (4, 76, 20, 20)
    """
    height, width = (min(side, length) for length in mask.shape)
    grey = mask.astype(np.uint8)
    total = cv2.integral(cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)))
    sums = total[height:, width:] - total[:-height, width:] - total[height:, :-width] + total[:-height, :-width]
    tops, lefts = np.nonzero(sums == sums.max())
    middle = np.argmin((tops - tops.mean()) ** 2 + (lefts - lefts.mean()) ** 2)
    return int(lefts[middle]), int(tops[middle]), width, height


def crop(view: Seen, box: tuple[int, int, int, int]) -> UInt8Array:
    """Part of the image, pixel for pixel, with a dashed line on the pixels next to the mask's outside."""
    left, top, width, height = box
    around = cv2.dilate(view.mask.astype(np.uint8), np.ones((3, 3), np.uint8))
    contours, _ = cv2.findContours(around, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    canvas = view.image.copy()
    for line in contours:
        dashes = np.arange(len(line)) // DASH % 2
        outside = ~view.mask[line[:, 0, 1], line[:, 0, 0]]
        colours = np.array([CASING, LINE], np.uint8)[dashes[outside]]
        canvas[line[outside, 0, 1], line[outside, 0, 0]] = colours
    return canvas[top : top + height, left : left + width]


class Album:
    """Draws pictures and holds each one once.

    Args:
        limit: characters of encoded pictures; one card more may be drawn.
        on_pictures: told of every picture drawn.
    """

    def __init__(self, limit: int, on_pictures: Callable[[int], None]) -> None:
        self.limit = limit
        self.size = 0
        self._on_pictures = on_pictures
        self._shown: dict[tuple[str, ...], Shown] = {}
        self._pictures: dict[str, Picture] = {}

    @property
    def full(self) -> bool:
        """Whether nothing more should be drawn."""
        return self.size >= self.limit

    @property
    def pictures(self) -> list[Picture]:
        """Every picture, in the order of first use."""
        return list(self._pictures.values())

    def overview(self, collection: Collection, mask_id: str, other: str | None = None) -> Shown:
        """Image of a mask with the mask's outline, or with that of another mask, stretched to the image."""

        def draw() -> tuple[UInt8Array, str, str]:
            view = seen(collection, mask_id)
            height, width = view.mask.shape
            if other is not None:
                foreign = seen(collection, other).mask.astype(np.uint8)
                view = Seen(view.image, cv2.resize(foreign, (width, height), interpolation=cv2.INTER_NEAREST) > 0)
            kind = "" if view.mask.any() else " (empty)"
            whose = "its mask" if other is None else f"the mask of {other}"
            return overview(view), f"{mask_id}: the image with the outline of {whose}{kind}", f"{width} x {height} px"

        return self._show((collection.digest, "overview", mask_id, other or ""), draw)

    def crop(self, collection: Collection, mask_id: str) -> Shown:
        """Part of an image at its own resolution, where most of the mask's edge is."""

        def draw() -> tuple[UInt8Array, str, str]:
            view = seen(collection, mask_id)
            box = crop_box(view.mask)
            left, top, width, height = box
            where = f"pixels {left} to {left + width - 1} across, {top} to {top + height - 1} down"
            return crop(view, box), f"{mask_id}: a part at native resolution with the mask's outline", where

        return self._show((collection.digest, "crop", mask_id), draw)

    def _show(self, key: tuple[str, ...], draw: Callable[[], tuple[UInt8Array, str, str]]) -> Shown:
        if key not in self._shown:
            pixels, alt, note = draw()
            self._shown[key] = Shown(picture=self._keep(pixels), alt=alt, note=note)
            self._on_pictures(1)
        shown = self._shown[key]
        shown.picture.uses += 1
        return shown

    def _keep(self, pixels: UInt8Array) -> Picture:
        """Encode; equal bytes, such as those of two equal samples, become one picture."""
        stream = io.BytesIO()
        # Halved chroma would wash out lines that are one pixel wide.
        Image.fromarray(to_rgb(Image.fromarray(pixels))).save(
            stream, "JPEG", quality=QUALITY, subsampling=0, optimize=True
        )
        data = stream.getvalue()
        digest = hashlib.sha256(data).hexdigest()
        if digest not in self._pictures:
            uri = "data:image/jpeg;base64," + base64.b64encode(data).decode()
            height, width = pixels.shape[:2]
            self._pictures[digest] = Picture(len(self._pictures), width, height, uri)
            self.size += len(uri)
        return self._pictures[digest]
