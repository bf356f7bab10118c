"""What is done to a picture to plant a copy, a composite or a fault: pure functions on pixels.

``CHANGES`` change image and mask alike, ``FAULTS`` the mask alone; :class:`~hqdata.demo.spec.Plant` names them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np

from hqdata.arrays import UInt8Array
from hqdata.demo.canvas import Field
from hqdata.demo.compose import Render
from hqdata.demo.spec import Step


@dataclass(frozen=True, slots=True)
class Picture:
    """An image with its mask: uint8[H, W, 3] and uint8[H, W]."""

    image: UInt8Array
    mask: UInt8Array


def changed(picture: Picture, steps: Iterable[Step]) -> Picture:
    """Apply steps of :data:`CHANGES` one after the other."""
    for name, *values in steps:
        picture = CHANGES[name](picture, *values)
    return picture


def spoilt(mask: UInt8Array, steps: Iterable[Step]) -> UInt8Array:
    """Apply steps of :data:`FAULTS` one after the other."""
    for name, *values in steps:
        mask = FAULTS[name](mask, *values)
    return mask


def mirrored(picture: Picture) -> Picture:
    """Mirror left to right."""
    return Picture(np.ascontiguousarray(picture.image[:, ::-1]), np.ascontiguousarray(picture.mask[:, ::-1]))


def rescaled(picture: Picture, factor: float) -> Picture:
    """Scale both sides by a factor below 1."""
    height, width = picture.mask.shape
    return _resized(picture, round(width * factor), round(height * factor))


def limited(picture: Picture, side: float) -> Picture:
    """Scale down until the long side has so many pixels."""
    return rescaled(picture, side / max(picture.mask.shape))


def cropped(picture: Picture, keep: float) -> Picture:
    """Keep a window of so great a share of each side, about the object's centre as far as the border allows."""
    height, width = picture.mask.shape
    return _window(picture, round(height * keep), round(width * keep))


def squared(picture: Picture, side: float) -> Picture:
    """Keep the largest square about the object's centre, scaled to so many pixels."""
    short = min(picture.mask.shape)
    return _resized(_window(picture, short, short), int(side), int(side))


def recoloured(picture: Picture, gamma: float, contrast: float, brightness: float) -> Picture:
    """Bend the tones by a power, stretch them about the middle grey, add an offset in levels of 255."""
    bent = 255 * (picture.image / np.float32(255)) ** np.float32(gamma)
    tones = np.clip((bent - 127.5) * contrast + 127.5 + brightness, 0, 255)
    return Picture(np.round(tones).astype(np.uint8), picture.mask)


def greyed(picture: Picture) -> Picture:
    """Replace colours by their luminance."""
    grey = cv2.cvtColor(cv2.cvtColor(picture.image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return Picture(cast(UInt8Array, grey), picture.mask)


def before(cut: Render, ground: UInt8Array, at: tuple[float, float, float] | None) -> Picture:
    """Put a drawn object on another picture, as ThinObject-5K was made.

    Args:
        cut: The object, with the exact alpha and background it was drawn with.
        ground: uint8[H, W, 3], what comes behind it.
        at: Share of the ground that the object spans, and its centre in shares of width and height. None keeps the
            object where it is; the ground is then scaled and cropped to the object's picture.
    """
    alpha = cut.alpha
    # What the object alone gave to the image: I = F + (1 - alpha) B, so F + (1 - alpha) B' has it before B'.
    colour = cut.image.astype(np.float32) - (1 - alpha[..., None]) * cut.backdrop
    layer = np.dstack([colour, alpha]).astype(np.float32)
    if at is None:
        ground = _covering(ground, alpha.shape)
    else:
        layer = _placed(layer, ground.shape[:2], at)
    cover = layer[..., 3:]
    image = np.clip(layer[..., :3] + (1 - cover) * ground, 0, 255)
    return Picture(np.round(image).astype(np.uint8), np.round(layer[..., 3] * 255).astype(np.uint8))


def _placed(layer: Field, shape: tuple[int, ...], at: tuple[float, float, float]) -> Field:
    """Move an object, float32[h, w, 4], to its place in a picture of ``shape``: float32[H, W, 4]."""
    share, x, y = at
    left, top, wide, tall = _box(layer[..., 3] > 1 / 255)
    height, width = shape
    scale = share * min(width / wide, height / tall)
    shift = (x * width - scale * (left + wide / 2), y * height - scale * (top + tall / 2))
    step = max(1.0, 1 / scale)
    # A plain interpolation would skip pixels of an object that shrinks, and with them its thin members.
    soft = cv2.GaussianBlur(layer, (0, 0), 0.4 * step) if step > 1.25 else layer
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float32)
    return cast(Field, cv2.warpAffine(soft, matrix, (width, height), flags=cv2.INTER_LINEAR))


def _covering(ground: UInt8Array, shape: tuple[int, ...]) -> UInt8Array:
    """Scale a picture until it covers ``shape``, and cut the rest off evenly."""
    height, width = shape
    scale = max(height / ground.shape[0], width / ground.shape[1])
    tall, wide = max(height, round(ground.shape[0] * scale)), max(width, round(ground.shape[1] * scale))
    full = cv2.resize(ground, (wide, tall), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    top, left = (tall - height) // 2, (wide - width) // 2
    return np.ascontiguousarray(full[top : top + height, left : left + width])


def _window(picture: Picture, height: int, width: int) -> Picture:
    left, top, wide, tall = _box(picture.mask > 127)
    rows, columns = picture.mask.shape
    y = int(np.clip(top + (tall - height) // 2, 0, rows - height))
    x = int(np.clip(left + (wide - width) // 2, 0, columns - width))
    area = (slice(y, y + height), slice(x, x + width))
    return Picture(np.ascontiguousarray(picture.image[area]), np.ascontiguousarray(picture.mask[area]))


def _resized(picture: Picture, width: int, height: int) -> Picture:
    image, mask = (
        cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA) for pixels in (picture.image, picture.mask)
    )
    return Picture(cast(UInt8Array, image), cast(UInt8Array, mask))


def _box(inside: np.ndarray) -> tuple[int, int, int, int]:
    """Find left, top, width and height of the true pixels of a bool[H, W]."""
    left, top, wide, tall = cv2.boundingRect(inside.astype(np.uint8))
    return int(left), int(top), int(wide), int(tall)


def empty(mask: UInt8Array) -> UInt8Array:
    """No pixel."""
    return np.zeros_like(mask)


def full(mask: UInt8Array) -> UInt8Array:
    """Every pixel."""
    return np.full_like(mask, 255)


def inverted(mask: UInt8Array) -> UInt8Array:
    """Exchange foreground and background."""
    return 255 - mask


def shifted(mask: UInt8Array, share: float, degrees: float) -> UInt8Array:
    """Move by a share of the diagonal; 0 degrees is to the right, 90 down."""
    distance = share * float(np.hypot(*mask.shape))
    x, y = round(distance * np.cos(np.radians(degrees))), round(distance * np.sin(np.radians(degrees)))
    height, width = mask.shape
    return cast(UInt8Array, cv2.warpAffine(mask, np.array([[1, 0, x], [0, 1, y]], np.float32), (width, height)))


def polygonal(mask: UInt8Array, tolerance: float) -> UInt8Array:
    """Replace outlines by polygons that stay within a share of the object's box diagonal; holes are filled."""
    inside = (mask > 127).astype(np.uint8)
    _, _, wide, tall = _box(inside > 0)
    outlines, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    corners = [cv2.approxPolyDP(line, tolerance * float(np.hypot(wide, tall)), closed=True) for line in outlines]
    out = np.zeros_like(mask)
    for polygon in corners:
        cv2.fillPoly(out, [polygon], (255.0,))
    return out


def stepped(mask: UInt8Array, factor: float) -> UInt8Array:
    """Reduce by a factor, decide for each cell, enlarge again without smoothing."""
    height, width = mask.shape
    small = cv2.resize(
        mask, (max(1, round(width / factor)), max(1, round(height / factor))), interpolation=cv2.INTER_AREA
    )
    cells = np.where(small > 127, 255, 0).astype(np.uint8)
    return cast(UInt8Array, cv2.resize(cells, (width, height), interpolation=cv2.INTER_NEAREST))


def halved(mask: UInt8Array) -> UInt8Array:
    """Leave only the first half of the object's pixels, cut across its long side."""
    _, _, wide, tall = _box(mask > 127)
    axis = 0 if wide >= tall else 1
    share = np.cumsum((mask > 127).sum(axis=axis)) / max(int((mask > 127).sum()), 1)
    kept = share <= 0.5
    return mask * (kept if axis == 0 else kept[:, None])


CHANGES: dict[str, Callable[..., Picture]] = {
    "mirrored": mirrored,
    "rescaled": rescaled,
    "limited": limited,
    "cropped": cropped,
    "squared": squared,
    "recoloured": recoloured,
    "greyed": greyed,
}
FAULTS: dict[str, Callable[..., UInt8Array]] = {
    "empty": empty,
    "full": full,
    "inverted": inverted,
    "shifted": shifted,
    "polygonal": polygonal,
    "stepped": stepped,
    "halved": halved,
}
