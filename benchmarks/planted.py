"""What the benchmark of the audit plants: changed copies of samples, and objects set before other images."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from suspects import STYLED

from hqdata.arrays import UInt8Array
from hqdata.demo import plants
from hqdata.demo.draw import draw
from hqdata.demo.items import jpeg
from hqdata.demo.plants import Picture

Change = Callable[[Picture, np.random.Generator], Picture]
SIDE = 400
"""Long side of composites in pixels."""
SHARES = ((0.05, 0.15), (0.15, 0.3), (0.3, 0.5), (0.5, 0.75))
"""Share of the composite that the object covers."""


@dataclass(frozen=True, slots=True)
class Item:
    """A sample as files."""

    name: str
    image: bytes
    mask: UInt8Array

    def picture(self) -> Picture:
        """Decode."""
        whole = cv2.imdecode(np.frombuffer(self.image, np.uint8), cv2.IMREAD_COLOR)
        return Picture(np.ascontiguousarray(whole[:, :, ::-1]), self.mask)


def drawn_item(number: int) -> Item:
    kind, style = STYLED[number % len(STYLED)]
    drawing = draw(kind, np.random.default_rng([2024, number]), style=style)
    return Item(f"{style}-{number:05d}", jpeg(drawing.image), drawing.mask)


def real_item(paths: tuple[str, Path, Path]) -> Item | None:
    source, image, mask = paths
    grey = np.asarray(Image.open(mask).convert("L"))
    if Image.open(image).size != grey.shape[::-1]:
        return None
    return Item(f"{source}-{image.stem}", image.read_bytes(), grey)


def resized(picture: Picture, width: int, height: int) -> Picture:
    how = cv2.INTER_AREA if width < picture.mask.shape[1] else cv2.INTER_CUBIC
    image, mask = (cv2.resize(side, (width, height), interpolation=how) for side in (picture.image, picture.mask))
    return Picture(np.asarray(image, np.uint8), np.asarray(mask, np.uint8))


def scaled(factor: float) -> Change:
    return lambda picture, _: resized(picture, *(max(1, round(side * factor)) for side in picture.mask.shape[::-1]))


def cropped(keep: float) -> Change:
    """Keep a window of so much of each side, anywhere."""

    def change(picture: Picture, rng: np.random.Generator) -> Picture:
        height, width = (round(side * keep) for side in picture.mask.shape)
        y, x = (
            int(rng.integers(0, side - new + 1)) for side, new in zip(picture.mask.shape, (height, width), strict=True)
        )
        area = (slice(y, y + height), slice(x, x + width))
        return Picture(np.ascontiguousarray(picture.image[area]), np.ascontiguousarray(picture.mask[area]))

    return change


def turned(degrees: float) -> Change:
    """Turn about the centre; the corners show the image's own mirror image."""

    def change(picture: Picture, _: np.random.Generator) -> Picture:
        if degrees % 90 == 0:
            image, mask = (np.rot90(side, round(degrees / 90)) for side in (picture.image, picture.mask))
            return Picture(np.ascontiguousarray(image), np.ascontiguousarray(mask))
        height, width = picture.mask.shape
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
        image = cv2.warpAffine(picture.image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)
        return Picture(np.asarray(image, np.uint8), np.asarray(cv2.warpAffine(picture.mask, matrix, (width, height))))

    return change


def hue(picture: Picture, _: np.random.Generator) -> Picture:
    """Turn all hues by 60 degrees; OpenCV counts 180 for the circle."""
    colours = cv2.cvtColor(picture.image, cv2.COLOR_RGB2HSV)
    colours[..., 0] = (colours[..., 0].astype(int) + 30) % 180
    return Picture(np.asarray(cv2.cvtColor(colours, cv2.COLOR_HSV2RGB), np.uint8), picture.mask)


def steps(*names: tuple[str | float, ...]) -> Change:
    """Changes of :data:`hqdata.demo.plants.CHANGES`."""
    return lambda picture, _: plants.changed(picture, names)  # type: ignore[arg-type]


def chain(*changes: Change) -> Change:
    def change(picture: Picture, rng: np.random.Generator) -> Picture:
        for one in changes:
            picture = one(picture, rng)
        return picture

    return change


def halved(picture: Picture, _: np.random.Generator) -> Picture:
    return Picture(picture.image, plants.halved(picture.mask))


def nothing(picture: Picture, _: np.random.Generator) -> Picture:
    return picture


@dataclass(frozen=True, slots=True)
class Copy:
    """A way to copy a sample."""

    change: Change = nothing
    quality: int = 85
    """Of the JPEG."""
    words: tuple[str, ...] = ()
    """Changes that the audit should name."""
    level: str = "pair"


MIRROR = steps(("mirrored",))
COPIES: dict[str, Copy] = {
    **{f"re-encoded, quality {q}": Copy(quality=q, words=("re-encoded",)) for q in (80, 50, 20)},
    **{f"rescaled to {factor:g}": Copy(scaled(factor), words=("rescaled",)) for factor in (2, 0.75, 0.5, 0.25)},
    "mirrored": Copy(MIRROR, words=("mirrored",)),
    **{
        f"cropped to {100 * keep:g} % of each side": Copy(cropped(keep), words=("cropped",))
        for keep in (0.9, 0.75, 0.5, 0.35)
    },
    "brighter by 40": Copy(steps(("recoloured", 1, 1, 40)), words=("recoloured",)),
    "gamma 1.8": Copy(steps(("recoloured", 1.8, 1, 0)), words=("recoloured",)),
    "contrast 1.4": Copy(steps(("recoloured", 1, 1.4, 0)), words=("recoloured",)),
    "grey": Copy(steps(("greyed",)), words=("recoloured",)),
    "hue turned by 60 degrees": Copy(hue, words=("recoloured",)),
    **{f"turned by {angle} degrees": Copy(turned(angle), words=("turned",)) for angle in (5, 90, 180)},
    "mirrored, 0.5, quality 50": Copy(chain(MIRROR, scaled(0.5)), 50, ("mirrored", "rescaled")),
    "mirrored, cropped to 60 %": Copy(chain(MIRROR, cropped(0.6)), 85, ("mirrored", "cropped")),
    "cropped to 60 %, 0.5, gamma 1.4": Copy(
        chain(cropped(0.6), scaled(0.5), steps(("recoloured", 1.4, 1, 0))), 85, ("cropped", "rescaled", "recoloured")
    ),
    "same image, half of its mask": Copy(halved, words=("re-encoded",), level="image"),
    "same mask on another image": Copy(level="mask"),
}


USES: dict[str, tuple[Change, int]] = {
    "whole": (nothing, SIDE),
    "cropped to 60 %": (cropped(0.6), SIDE),
    "mirrored": (MIRROR, SIDE),
    "enlarged 2x": (nothing, 2 * SIDE),
}
"""What is done to an evaluation image before it becomes a background, and the long side of the composite."""


def cut_out(picture: Picture, share: float, side: int, rng: np.random.Generator) -> Picture | None:
    """An object in a window of which it covers a share, anywhere in it; None where it fills too little of its box."""
    left, top, wide, tall = cv2.boundingRect((picture.mask > 127).astype(np.uint8))
    area = int((picture.mask > 127).sum())
    if not area or max(wide, tall) > 2 * min(wide, tall) or share * wide * tall > area:
        return None
    grow = np.sqrt(area / (share * wide * tall))
    width, height = round(wide * grow), round(tall * grow)
    x, y = left - rng.integers(0, width - wide + 1), top - rng.integers(0, height - tall + 1)
    move = np.array([[1, 0, -x], [0, 1, -y]], np.float32)
    image, mask = (cv2.warpAffine(pixels, move, (width, height)) for pixels in (picture.image, picture.mask))
    factor = side / max(width, height)
    window = Picture(np.asarray(image, np.uint8), np.asarray(mask, np.uint8))
    return resized(window, round(width * factor), round(height * factor))


def before(cut: Picture, ground: Picture) -> Picture:
    """Set an object before an image, scaled until it covers the object's picture and cropped to it."""
    height, width = cut.mask.shape
    factor = max(height / ground.mask.shape[0], width / ground.mask.shape[1])
    large = resized(ground, *(int(np.ceil(side * factor)) for side in ground.mask.shape[::-1])).image
    top, left = (large.shape[0] - height) // 2, (large.shape[1] - width) // 2
    alpha = cut.mask[..., None] / np.float32(255)
    mixed = cut.image * alpha + large[top : top + height, left : left + width] * (1 - alpha)
    return Picture(np.round(mixed).astype(np.uint8), cut.mask)


def encoded(image: UInt8Array, quality: int = 85) -> bytes:
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    return cv2.imencode(".jpg", np.ascontiguousarray(image[:, :, ::-1]), options)[1].tobytes()
