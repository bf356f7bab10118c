"""Drawn pictures, copies of them, and collections that hold them."""

import hashlib
import io
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from hqdata.demo import plants
from hqdata.demo.compose import Render
from hqdata.demo.draw import Kind, render
from hqdata.demo.plants import Picture
from hqdata.masks import rle
from hqdata.pipelines.recipe import build_recipe
from hqdata.store.reader import Collection
from tests.helpers import Files, encoded, tiny_source


@cache
def rendered(seed: int, kind: Kind = "salient", style: str = "duts") -> tuple[Picture, Render]:
    """A drawing of about 400 pixels, with what is behind its object; others for other seeds."""
    drawing, render_ = render(kind, np.random.default_rng(seed), style=style)
    return Picture(drawing.image, drawing.mask), render_


def drawn(seed: int) -> Picture:
    return rendered(seed)[0]


def small(seed: int) -> Picture:
    """A drawing of 240 pixels."""
    return plants.limited(drawn(seed), 240)


def turned(picture: Picture, degrees: float) -> Picture:
    """Turned about the centre; the corners show the image's own mirror image."""
    height, width = picture.mask.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    image = cv2.warpAffine(picture.image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)
    return Picture(np.asarray(image, np.uint8), np.asarray(cv2.warpAffine(picture.mask, matrix, (width, height))))


def jpeg(picture: Picture, quality: int = 90) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture.image).save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def row_of(picture: Picture, quality: int = 90, masks: list[np.ndarray] | None = None) -> dict[str, Any]:
    """A row of a collection; ``masks`` are run-length masks instead of the picture's own."""
    image = jpeg(picture, quality)
    return {
        "image": {"bytes": image},
        "image_sha256": hashlib.sha256(image).hexdigest(),
        "mask": {"bytes": encoded(picture.mask)} if masks is None else None,
        "masks": None if masks is None else [rle.encode(mask) for mask in masks],
    }


def collection(folder: Path, items: Mapping[str, Picture | tuple[bytes, Picture]], name: str = "tiny") -> Collection:
    """A collection in ``folder/NAME``: a picture for each stem, or the bytes of its image and what has its mask."""
    files: Files = {}
    for stem, item in items.items():
        image, picture = item if isinstance(item, tuple) else (jpeg(item), item)
        files |= {f"images/{stem}.jpg": image, f"masks/{stem}.png": encoded(picture.mask)}
    tiny = tiny_source(folder / f"source of {name}", len(items), name=name, archive=f"{name}.zip", files=files)
    build_recipe(name, folder / name, tiny.options())
    return Collection(folder / name)
