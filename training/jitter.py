"""Large-scale jitter of one image and its mask: mirrored, resized, cropped, laid on the canvas that SAM encodes.

As ``RandomHFlip`` and ``LargeScaleJitter`` of the released code (``train/utils/dataloader.py``), in their order. Both
kinds of resizing compute the crop alone, of the resized image that is never made whole:

- ``plain_bilinear``, as released: bilinear without antialiasing, in float32, each product rounded on its own, hence the
  same bytes on any machine. Images lose their fractions, as in the released code; torch rounds otherwise, so that of
  flat areas, where blends are whole numbers, a tenth of its pixels may come out a level lower. Its masks keep their
  fractions; ours are rounded, off by half a level at most.
- else Pillow's antialiased bilinear, which SAM's own ``ResizeLongestSide`` uses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from hqdata.arrays import FloatArray, IntArray, UInt8Array
from hqdata.training.recipe import Recipe

TRIES = 20
"""Crops that are drawn before the whole image is taken."""
PADDING = 128
"""Grey around released images."""
_BLOCK = 32
"""Rows that are blended at a time, so that they stay in the cache."""

Floats: TypeAlias = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Canvas:
    """An image and its mask as they are trained on."""

    pixels: Tensor
    """``uint8[4 or 5, S, S]``: red, green, blue; greys of the mask, and of the one that prompts are drawn from, if that
    is another. Greys are 0 beyond the image."""
    size: tuple[int, int]
    """Height and width, from the corner on, of what is no padding. All of it where recipes pad with grey on purpose."""
    scale: float
    """Longer side of the resized image over the canvas's, but for rounding."""
    tries: int
    """Crops that were drawn; ``TRIES + 1`` if none had foreground enough, and the whole image was taken."""

    @property
    def image(self) -> Tensor:
        """``uint8[3, S, S]``."""
        return self.pixels[:3]

    @property
    def mask(self) -> Tensor:
        """``uint8[1, S, S]``."""
        return self.pixels[3:4]

    @property
    def prompted(self) -> Tensor:
        """``uint8[1, S, S]``: the mask that prompts are drawn from."""
        return self.pixels[-1:]


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop:
    """A window of a resized image, in its pixels."""

    whole: tuple[int, int]
    """Height and width of the resized image."""
    top: int
    left: int
    height: int
    width: int


def jitter(
    image: UInt8Array,
    mask: UInt8Array,
    recipe: Recipe,
    side: int,
    generator: torch.Generator,
    prompted: UInt8Array | None = None,
) -> Canvas:
    """Mirror, resize and crop at random; draw a crop anew if it holds too little foreground and the recipe minds.

    Args:
        image: ``uint8[H, W, 3]``.
        mask: ``uint8[H, W]``, 0 to 255.
        recipe: scales, chance of mirroring, traps.
        side: of the canvas, in pixels.
        generator: of the visit's random numbers.
        prompted: ``uint8[H, W]``, the mask that prompts are drawn from, if it is another one.
    """
    if _uniforms(generator, 1)[0] < recipe.flip:
        image, mask = image[:, ::-1], mask[:, ::-1]
        prompted = None if prompted is None else prompted[:, ::-1]
    resize = resize_plainly if recipe.traps.plain_bilinear else resize_smoothly
    least, above = recipe.points, recipe.traps.above
    # What holds no foreground at all gains none by another crop.
    once = recipe.traps.empty_crops or not (mask > above).any()
    for tries in range(1, TRIES + 2):
        drawn = _uniforms(generator, 3)
        scale = recipe.smallest_scale + drawn[0] * (recipe.largest_scale - recipe.smallest_scale)
        if tries > TRIES:
            scale = 1.0
        crop = crop_of(mask.shape[0], mask.shape[1], side, scale, drawn[1], drawn[2])
        greys = resize(mask, crop)
        if once or np.count_nonzero(greys > above) >= least:
            break
    layers = [*resize(image, crop).transpose(2, 0, 1), greys, *([] if prompted is None else [resize(prompted, crop)])]
    return _canvas(layers, side, scale, tries, grey=recipe.traps.pad_128)


def crop_of(height: int, width: int, side: int, scale: float, down: float, right: float) -> Crop:
    """Choose a crop of at most ``side`` x ``side`` of an image whose longer side becomes ``scale * side``.

    Args:
        height: of the image, in pixels.
        width: of the image, in pixels.
        side: of the canvas, in pixels.
        scale: longer side of the resized image over the canvas's.
        down: where in its room the crop lies, 0 to below 1.
        right: the same, from left to right.
    """
    # In float32, as torch does it: where a size lies between two numbers, rounding decides.
    longest = np.rint(np.float32(scale) * np.float32(side))
    ratio = min(longest / np.float32(height), longest / np.float32(width))
    new_height, new_width = (max(1, int(np.rint(np.float32(old) * ratio))) for old in (height, width))
    rows, columns = min(side, new_height), min(side, new_width)
    return Crop(
        whole=(new_height, new_width),
        top=int(down * (new_height - rows + 1)),
        left=int(right * (new_width - columns + 1)),
        height=rows,
        width=columns,
    )


def resize_smoothly(pixels: UInt8Array, crop: Crop) -> UInt8Array:
    """A window of an image or mask, resized by Pillow's antialiased bilinear filter. ``uint8``."""
    down, right = pixels.shape[0] / crop.whole[0], pixels.shape[1] / crop.whole[1]
    box = (
        *(crop.left * right, crop.top * down),
        # Not a hair beyond the image, which Pillow refuses.
        *(
            min((crop.left + crop.width) * right, pixels.shape[1]),
            min((crop.top + crop.height) * down, pixels.shape[0]),
        ),
    )
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    return np.asarray(picture.resize((crop.width, crop.height), Image.Resampling.BILINEAR, box=box))


def resize_plainly(pixels: UInt8Array, crop: Crop) -> UInt8Array:
    """A window of an image or mask, resized as ``F.interpolate(..., mode="bilinear", align_corners=False)`` does.

    Returns:
        ``uint8``: images (three axes) lose their fractions, masks are rounded.
    """
    above, below, down = _neighbours(pixels.shape[0], crop.whole[0], crop.top, crop.height)
    left, other, right = _neighbours(pixels.shape[1], crop.whole[1], crop.left, crop.width)
    rows, where = np.unique(np.concatenate([above, below]), return_inverse=True)
    flat = pixels[rows].reshape(len(rows), -1)
    channels = flat.shape[1] // pixels.shape[1]
    left, other = ((index[:, None] * channels + np.arange(channels)).ravel() for index in (left, other))
    across = _blend(flat[:, left], flat[:, other], np.repeat(right, channels))
    finish = np.trunc if pixels.ndim == 3 else np.rint
    out = np.empty((crop.height, crop.width * channels), np.uint8)
    for start in range(0, crop.height, _BLOCK):
        stop = min(start + _BLOCK, crop.height)
        one, two = where[start:stop], where[crop.height + start : crop.height + stop]
        blended = _blend(across[one], across[two], down[start:stop, None])
        out[start:stop] = finish(blended, out=blended)
    return out.reshape(crop.height, crop.width, *pixels.shape[2:])


def _neighbours(old: int, new: int, start: int, count: int) -> tuple[IntArray, IntArray, Floats]:
    """Between which two pixels each of some resized ones lies, and how near to the second one."""
    half = np.float32(0.5)
    centres = (np.arange(start, start + count, dtype=np.float32) + half) * (np.float32(old) / np.float32(new)) - half
    centres = np.maximum(centres, np.float32(0))
    first = centres.astype(np.int64)
    return first, np.minimum(first + 1, old - 1), centres - first.astype(np.float32)


def _blend(one: FloatArray | UInt8Array, two: FloatArray | UInt8Array, share: Floats) -> Floats:
    blended: Floats = one * (np.float32(1) - share)
    blended += two * share
    return blended


def _canvas(layers: Sequence[UInt8Array], side: int, scale: float, tries: int, *, grey: bool) -> Canvas:
    height, width = layers[0].shape
    pixels = np.zeros((len(layers), side, side), np.uint8)
    if grey:
        pixels[:3] = PADDING
    pixels[:, :height, :width] = layers
    size = (side, side) if grey else (height, width)
    return Canvas(pixels=torch.from_numpy(pixels), size=size, scale=scale, tries=tries)


def _uniforms(generator: torch.Generator, count: int) -> list[float]:
    """Uniform numbers, 0 to below 1."""
    drawn: list[float] = torch.rand(count, generator=generator, dtype=torch.float64).tolist()
    return drawn
