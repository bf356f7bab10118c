"""Small tars in SA-1B's layout, with the manifest and the recipes of draws from them."""

import dataclasses
import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hqdata.limits import Limits
from hqdata.masks import rle
from hqdata.pipelines.drawn import DrawOptions
from hqdata.pipelines.recipe import Options
from tests.helpers import TERMS, Files, encoded, write_toml

WIDTH, HEIGHT = 48, 32
IMAGES = 20
"""Of each tar."""


def annotation(number: int, left: int, top: int, width: int, height: int) -> dict[str, Any]:
    """A filled box, as SA-1B states one."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[top : top + height, left : left + width] = 1
    return {
        "segmentation": rle.encode(mask),
        "id": number,
        "area": int(mask.sum()),
        "bbox": [left, top, width - 1, height - 1],
        "predicted_iou": 0.875,
        "stability_score": 0.96875,
        "crop_box": [0, 0, WIDTH, HEIGHT],
        "point_coords": [[left + 0.5, top + 0.5]],
    }


def record(number: int) -> dict[str, Any]:
    """A speck, a part, the object that holds it, another one; in every fourth record also all of the image."""
    shift = number % 7
    ground = [annotation(10 * number + 5, 0, 0, WIDTH, HEIGHT)] if number % 4 == 3 else []
    return {
        "image": {"image_id": number, "width": WIDTH, "height": HEIGHT, "file_name": f"sa_{number}.jpg"},
        "annotations": [
            annotation(10 * number + 1, 40, 0, 2, 2),
            annotation(10 * number + 2, 6 + shift, 6, 5, 5),
            annotation(10 * number + 3, 4 + shift, 4, 16, 12),
            annotation(10 * number + 4, 30, 18, 14, 12),
            *ground,
        ],
    }


def members(number: int) -> Files:
    """Image and record of one number."""
    noise = np.random.default_rng(number).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    return {f"sa_{number}.jpg": encoded(noise, "JPEG"), f"sa_{number}.json": json.dumps(record(number)).encode()}


def tar_bytes(files: Mapping[str, bytes]) -> bytes:
    """A plain tar."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def tar_files(tar: int, count: int = IMAGES) -> Files:
    """Members of a tar, ``sa_1000`` and on in the first one, ``sa_2000`` and on in the second."""
    files: Files = {}
    for number in range(1000 * (tar + 1), 1000 * (tar + 1) + count):
        files |= members(number)
    return files


@dataclass(frozen=True)
class Tars:
    """Tars on disk, a manifest ``sa1b`` of a family of them, and a recipe for every draw that was asked for."""

    root: Path
    family: int

    @property
    def name(self) -> str:
        return "draw"

    @property
    def archives(self) -> Path:
        return self.root / "archives"

    @property
    def manifests(self) -> Path:
        return self.root / "manifests"

    def tar(self, number: int) -> Path:
        return self.archives / "sa1b" / f"sa_{number:06d}.tar"

    def put(self, number: int, files: Mapping[str, bytes] | None = None) -> Path:
        """Write one tar."""
        path = self.tar(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(tar_bytes(tar_files(number) if files is None else files))
        return path

    def recipe(self, name: str = "draw", *, size: int = 24, **draw: Any) -> None:
        """Write a recipe."""
        take = {"source": "sa1b", "parts": {"all": size}, "draw": {"seed": 7, "tars": self.family, **draw}}
        write_toml(self.manifests / "recipes" / f"{name}.toml", {"name": name, "title": name, "take": [take]})

    def options(self, draw: DrawOptions | None = None, **changes: Any) -> Options:
        plain = Options(archives=self.archives, manifests=(self.manifests,), offline=True, limits=Limits(shard_rows=5))
        return dataclasses.replace(plain, draw=draw or plain.draw, **changes)


def make_tars(root: Path, count: int = 2, *, family: int | None = None, accept: bool = False, **more: Any) -> Tars:
    """Write ``count`` tars of a family of as many or more, and the recipe ``draw`` of 24 of their images."""
    tars = Tars(root, family or count)
    for number in range(count):
        tars.put(number)
    layout = {"part": "all", "images": ["{stem:sa_[0-9]+}.jpg"], "annotations": "{stem:sa_[0-9]+}.json"}
    listed = {"first": "sa_000000.tar", "count": tars.family, **more}
    write_toml(
        tars.manifests / "sources" / "sa1b.toml",
        {
            "name": "sa1b",
            "title": "Sa1b",
            "kind": "sa1b",
            "use": ["control"],
            "homepage": "unknown",
            "citation": "",
            "terms": {**TERMS, "accept": accept},
            "parts": {"all": {"title": "all", "count": "unknown"}},
            "forms": [{"name": "official", "family": listed, "annotated": [layout]}],
        },
    )
    tars.recipe()
    return tars
