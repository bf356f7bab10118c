"""One picture: panels of an image, its true mask and what runs make of it, side by side, and the same place enlarged.

The first row shows everything at native resolution, pixel for pixel. The second shows one window of each panel, where
base and runs differ most, every pixel a square, so that edges can be seen as they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hqdata.analysis.sheet import FAINT, INK, fitted, printable
from hqdata.arrays import BoolArray, UInt8Array

Colour = tuple[int, int, int]
TRUTH: Colour = (0, 158, 115)
MADE: Colour = (184, 44, 140)
AGREE: Colour = (150, 158, 166)
EXTRA: Colour = (213, 94, 0)
MISSED: Colour = (0, 114, 178)
LEGEND: tuple[tuple[str, Colour], ...] = (
    ("true mask", TRUTH),
    ("predicted mask", MADE),
    ("in both", AGREE),
    ("predicted, not true", EXTRA),
    ("true, not predicted", MISSED),
)
"""What colours mean. Those of differences, two of Okabe and Ito's palette and a grey, are told apart by any eyes."""
ZOOM = 4
"""Side of the square that an enlarged pixel becomes; the window is as much smaller than the image."""
_LEAST_WIDTH = 210
"""Pixels of a column, however narrow the image: its labels are to be read."""
_TINT = 0.4
_FADE = 0.45
"""How far an image fades to white outside a mask."""
_WASH = 0.8
"""The same behind differences."""
_PAPER = (255, 255, 255)

Window = tuple[int, int, int, int]
"""Left, top, width and height in pixels."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Made:
    """A predicted mask with its scores."""

    name: str
    mask: BoolArray
    """``bool[H, W]``."""
    iou: float
    boundary_iou: float


def draw_picture(image: UInt8Array, truth: BoolArray, made: Sequence[Made], title: str, note: str) -> Image.Image:
    """Draw an image, its true mask, some predicted ones, and how each of these differs from the truth.

    Args:
        image: ``uint8[H, W, 3]``, RGB, upright, like every mask.
        truth: ``bool[H, W]``.
        made: predictions, the base first.
        title: stands above everything.
        note: stands below the title.
    """
    masks = [item.mask for item in made]
    window = zoom_window(truth, masks)
    left, top, width, height = window
    line = max(1, round(float(np.hypot(*truth.shape)) / 700))
    whole = [_framed(panel, window, line) for panel in _panels(image, truth, masks, line)]

    def enlarged(pixels: UInt8Array) -> UInt8Array:
        part = pixels[top : top + height, left : left + width]
        return np.repeat(np.repeat(part, ZOOM, axis=0), ZOOM, axis=1)

    parts = [enlarged(mask.view(np.uint8)).view(np.bool_) for mask in (truth, *masks)]
    near = _panels(enlarged(image), parts[0], parts[1:], 2)
    return _Page(truth.shape[1]).draw(_labels(truth, made), whole, near, title, note)


def zoom_window(truth: BoolArray, masks: Sequence[BoolArray]) -> Window:
    """Where to look closer: the window with most pixels in which a mask differs from the first; of equals the middle.

    Where no mask differs from the first, the window with most pixels in which it differs from the truth, or with most
    of the truth's edge.

    Args:
        truth: ``bool[H, W]``.
        masks: the base's first, of the same size; or none.

    >>> base = np.zeros((40, 40), bool)
    >>> zoom_window(base, [base, np.pad(np.ones((2, 2), bool), ((30, 8), (4, 34)))])
    (2, 26, 10, 10)
    """
    height, width = (max(1, length // ZOOM) for length in truth.shape)
    edge = cv2.morphologyEx(truth.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)).view(np.bool_)
    base = masks[0] if masks else truth
    tries = (np.any([mask != base for mask in (base, *masks)], axis=0), base != truth, edge)
    weight = next((one for one in tries if one.any()), edge)
    total = cv2.integral(weight.astype(np.uint8))
    sums = total[height:, width:] - total[:-height, width:] - total[height:, :-width] + total[:-height, :-width]
    tops, lefts = np.nonzero(sums == sums.max())
    middle = np.argmin((tops - tops.mean()) ** 2 + (lefts - lefts.mean()) ** 2)
    return int(lefts[middle]), int(tops[middle]), width, height


def _panels(image: UInt8Array, truth: BoolArray, masks: Sequence[BoolArray], line: int) -> list[UInt8Array]:
    return [
        image,
        _covered(image, truth, TRUTH, line),
        *(_covered(image, mask, MADE, line) for mask in masks),
        *(_difference(image, truth, mask) for mask in masks),
    ]


def _covered(image: UInt8Array, mask: BoolArray, colour: Colour, line: int) -> UInt8Array:
    """The image with a mask tinted, its edge drawn on the mask's own pixels, and everything else faded."""
    # A mask is taken to go on beyond the border: a window ends in the middle of it.
    inner = cv2.erode(mask.view(np.uint8), np.ones((3, 3), np.uint8), iterations=line).view(np.bool_)
    shown = np.where(mask[..., None], _mixed(image, colour, _TINT), _mixed(image, _PAPER, _FADE))
    shown[mask & ~inner] = colour
    return shown


def _difference(image: UInt8Array, truth: BoolArray, mask: BoolArray) -> UInt8Array:
    """Pixels of truth and mask by whether they agree, on the image without colour, washed out."""
    grey = np.asarray(cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY), np.uint8)
    shown = _mixed(np.repeat(grey[..., None], 3, axis=2), _PAPER, _WASH)
    for where, colour in ((truth & mask, AGREE), (mask & ~truth, EXTRA), (truth & ~mask, MISSED)):
        shown[where] = colour
    return shown


def _mixed(image: UInt8Array, colour: Colour, share: float) -> UInt8Array:
    """An image with a share of a colour in every pixel."""
    levels = np.arange(256)[:, None] * (1 - share) + np.array(colour) * share
    return np.asarray(cv2.LUT(np.ascontiguousarray(image), np.rint(levels).astype(np.uint8)[:, None]), np.uint8)


def _framed(panel: UInt8Array, window: Window, line: int) -> UInt8Array:
    """A panel with a frame around the window, dark within white, which is seen on any image."""
    left, top, width, height = window
    framed = panel.copy()
    for grow, colour in ((2 * line + 1, _PAPER), (line + 1, INK)):
        outer = framed[max(0, top - grow) : top + height + grow, max(0, left - grow) : left + width + grow]
        outer[:] = colour
    framed[top : top + height, left : left + width] = panel[top : top + height, left : left + width]
    return framed


def _labels(truth: BoolArray, made: Sequence[Made]) -> list[tuple[str, str]]:
    """Two lines above each panel."""
    height, width = truth.shape
    scores = [f"IoU {100 * item.iou:.1f}, boundary IoU {100 * item.boundary_iou:.1f}" for item in made]
    wrong = [f"{(item.mask & ~truth).sum():,} too many, {(truth & ~item.mask).sum():,} missed" for item in made]
    return [
        ("image", f"{width} x {height} pixels"),
        ("truth", f"{truth.sum():,} pixels, {truth.mean():.1%}"),
        *zip([item.name for item in made], scores, strict=True),
        *zip([f"{item.name}, difference" for item in made], wrong, strict=True),
    ]


class _Page:
    """Sizes of what stands around the panels, for panels of a width."""

    def __init__(self, width: int) -> None:
        self.column = max(width, _LEAST_WIDTH)
        self.letters = min(60, max(13, round(self.column / 21)))
        self.gap = max(8, self.column // 50)
        self.line = round(self.letters * 1.35)
        self.font, self.small = (ImageFont.load_default(size) for size in (self.letters, self.letters * 0.9))

    def draw(
        self,
        labels: Sequence[tuple[str, str]],
        whole: Sequence[UInt8Array],
        near: Sequence[UInt8Array],
        title: str,
        note: str,
    ) -> Image.Image:
        """Put labels and two rows of panels onto a page, with a title above and the legend below."""
        left, step = self.gap, self.column + self.gap
        upper = 4 * self.line + 2 * self.gap
        lower = upper + whole[0].shape[0] + self.gap + self.line
        below = lower + near[0].shape[0] + self.gap
        page = Image.new("RGB", (self.gap + len(whole) * step, below + self.line + self.gap), _PAPER)
        pen = ImageDraw.Draw(page)
        self._text(pen, left, self.gap, title, INK, page.width - 2 * self.gap)
        self._text(pen, left, self.gap + self.line, note, FAINT, page.width - 2 * self.gap)
        for number, (name, scores) in enumerate(labels):
            x = left + number * step
            self._text(pen, x, upper - 2 * self.line, name, INK, self.column)
            self._text(pen, x, upper - self.line, scores, FAINT, self.column)
            page.paste(Image.fromarray(whole[number]), (x, upper))
            page.paste(Image.fromarray(near[number]), (x, lower))
        self._text(pen, left, lower - self.line, f"the framed window, {ZOOM} times as large", FAINT, page.width)
        self._legend(pen, left, below)
        return page

    def _text(self, pen: ImageDraw.ImageDraw, x: int, y: int, text: str, ink: Colour, width: int) -> None:
        font = self.font if ink == INK else self.small
        pen.text((x, y), fitted(pen, printable(" ".join(text.split())), width, font), fill=ink, font=font)

    def _legend(self, pen: ImageDraw.ImageDraw, x: float, y: int) -> None:
        for word, colour in LEGEND:
            pen.rectangle((x, y, x + self.letters, y + self.letters), fill=colour)
            pen.text((x + 1.5 * self.letters, y - 1), word, fill=INK, font=self.small)
            x += 3 * self.letters + pen.textlength(word, font=self.small)
