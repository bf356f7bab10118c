"""What sam-mini is pretrained on: drawn pictures with coarse masks of themselves and their parts, in SA-1B's layout.

Scenes are like those of the demo's SA-1B, but other ones; pictures of one object are like those of its other sources,
with masks as coarse as a scene's. No exact mask is among them.
"""

import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hqdata.arrays import IntArray, UInt8Array
from hqdata.demo.coarse import annotate, coarsen
from hqdata.demo.draw import Kind, draw
from hqdata.demo.items import jpeg
from hqdata.demo.tars import scene_members, write_tar
from hqdata.engine.local import run_local
from hqdata.fetch.progress import Progress
from hqdata.masks import rle

FIRST_SCENE, FIRST_OBJECT = 1_000_001, 2_000_001
"""Ids far from the demo's, whose scenes are numbered from 1."""
LONG_SIDE = 512
"""Of a picture of one object, in pixels: twice what the model sees."""
_LEAST = 100
"""Pixels of the smallest mask that is kept."""
_STYLES: tuple[tuple[Kind, str], ...] = (
    *(("salient", "duts"), ("thin", "coift"), ("icon", "fss"), ("salient", "ecssd")),
    *(("thin", "thinobject"), ("salient", "msra"), ("icon", "fss"), ("intricate", "dis")),
)


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A JPEG and its masks."""

    image: bytes
    codes: tuple[dict[str, Any], ...]
    """Run-length codes."""
    boxes: IntArray
    """``int64[masks, 4]``: x0, y0, x1, y1."""
    scene: bool
    """Whether it shows many objects, with masks of their parts; else one object, with one mask."""


def draw_pictures(path: Path, scenes: Sequence[int], objects: Sequence[int], workers: int, progress: Progress) -> None:
    """Draw a tar of pictures; one that is there already is left as it is.

    Args:
        path: the tar.
        scenes: numbers of scenes, from 0.
        objects: numbers of pictures of one object, from 0.
        workers: processes that draw.
        progress: told of every picture.
    """
    if path.exists():
        return
    wanted = [FIRST_SCENE + number for number in scenes] + [FIRST_OBJECT + number for number in objects]
    members: dict[str, bytes] = {}
    progress.start(f"drawing {path.name}", len(wanted))
    try:
        for drawn in run_local(_members, wanted, workers):
            members |= drawn
            progress.advance(1)
    finally:
        progress.finish()
    write_tar(path, members)


def read_pictures(path: Path) -> list[Picture]:
    """Read a tar of pictures, by id; those without masks are left out."""
    with tarfile.open(path) as archive:
        members = {member.name: _content(archive, member) for member in archive}
    names = sorted(name for name in members if name.endswith(".jpg"))
    found = [_picture(members[name], json.loads(members[f"{name[:-4]}.json"])) for name in names]
    return [picture for picture in found if picture.codes]


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = archive.extractfile(member)
    return b"" if stream is None else stream.read()


def _picture(image: bytes, record: dict[str, Any]) -> Picture:
    kept = [item for item in record["annotations"] if item["area"] >= _LEAST]
    boxes = [(x, y, x + width + 1, y + height + 1) for x, y, width, height in (item["bbox"] for item in kept)]
    return Picture(
        image=image,
        codes=tuple(item["segmentation"] for item in kept),
        boxes=np.array(boxes, np.int64).reshape(-1, 4),
        scene=record["image"]["image_id"] < FIRST_OBJECT,
    )


def _members(number: int) -> dict[str, bytes]:
    return scene_members(number) if number < FIRST_OBJECT else _object_members(number)


def _object_members(number: int) -> dict[str, bytes]:
    """One object with its coarse mask, in the style of one of the demo's sources."""
    rng = np.random.default_rng([FIRST_OBJECT, number])
    kind, style = _STYLES[number % len(_STYLES)]
    drawing = draw(kind, rng, style=style)
    height, width = drawing.mask.shape
    share = min(1.0, LONG_SIDE / max(height, width))
    size = (round(width * share), round(height * share))
    image = np.asarray(cv2.resize(drawing.image, size, interpolation=cv2.INTER_AREA), np.uint8)
    truth = (cv2.resize(drawing.mask, size, interpolation=cv2.INTER_AREA) > 127).astype(np.uint8)
    coarse = coarsen(truth, rng)
    notes = [annotate(coarse, truth, 1, rng)] if coarse.any() else []
    shape = {"image_id": number, "width": size[0], "height": size[1], "file_name": f"sa_{number}.jpg"}
    record = json.dumps({"image": shape, "annotations": notes}).encode()
    return {f"sa_{number}.jpg": jpeg(image), f"sa_{number}.json": record}


def pixels(picture: Picture) -> UInt8Array:
    """Decode: ``uint8[H, W, 3]``, RGB."""
    return np.asarray(cv2.imdecode(np.frombuffer(picture.image, np.uint8), cv2.IMREAD_COLOR_RGB), np.uint8)


def mask(picture: Picture, number: int) -> UInt8Array:
    """Decode a mask: ``uint8[H, W]``, 0 or 1."""
    return rle.decode(picture.codes[number])
