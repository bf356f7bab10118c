"""Drawn SA-1B: tars of flat ``sa_N.jpg`` and ``sa_N.json``, and the links file that lists them."""

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hqdata.demo.draw import draw_scene
from hqdata.demo.items import SEED, jpeg
from hqdata.fsio.atomic import atomic_file, write_bytes


def scene_members(image_id: int) -> dict[str, bytes]:
    """Draw one scene: its JPEG and its record, as SA-1B holds them."""
    scene = draw_scene(np.random.default_rng([SEED, image_id]), image_id)
    record = json.dumps(scene.record).encode()
    return {f"sa_{image_id}.jpg": jpeg(scene.image), f"sa_{image_id}.json": record}


def write_tar(path: Path, files: Mapping[str, bytes]) -> None:
    """Write a reproducible plain tar: sorted members, no owner, no time."""
    with atomic_file(path) as stream, tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in sorted(files):
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(files[name]), 0o644
            archive.addfile(info, io.BytesIO(files[name]))


def write_links(path: Path, tars: list[str], base: str) -> None:
    """Write the links file: a header, then name and address of each tar, separated by a tab."""
    lines = ["file_name\tcdn_link", *(f"{name}\t{base}{name}" for name in tars)]
    write_bytes(path, ("\n".join(lines) + "\n").encode())
