"""Small sources, snapshots of folders, builds in other processes."""

import dataclasses
import hashlib
import importlib.util
import io
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
from PIL import Image

from hqdata.limits import Limits
from hqdata.pipelines.recipe import Options
from hqdata.store.reader import Collection

NEEDED = ("torch", "safetensors", "segment_anything")
"""Packages of the extra ``train``."""
NOT_INSTALLED = [name for name in NEEDED if importlib.util.find_spec(name) is None]
EPOCH = (1980, 1, 1, 0, 0, 0)
TERMS = {"licence": "none", "summary": "made by a test", "url": "unknown", "redistribution": "allowed"}
Files = dict[str, bytes]


def need_training(*, module: bool = False) -> None:
    """Skip the test, or the whole module, where the packages of the extra ``train`` are absent."""
    if NOT_INSTALLED:
        pytest.skip(f"{', '.join(NOT_INSTALLED)} not installed: pip install 'hqdata[train]'", allow_module_level=module)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def snapshot(folder: Path) -> dict[str, str]:
    """sha256 of every file below a folder, by path."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256(path.read_bytes()) for path in files}


def cut(path: Path) -> None:
    """Keep the first half of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def flip(path: Path) -> None:
    """Change one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def encoded(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def pair(seed: int, width: int = 48, height: int = 32) -> tuple[bytes, bytes]:
    """A noisy JPEG and the PNG of a soft-edged disc."""
    rng = np.random.default_rng([seed, width])
    y, x = np.mgrid[:height, :width]
    distance = np.hypot(y - rng.integers(8, height - 8), x - rng.integers(8, width - 8))
    mask = np.clip((9 - distance) * 64, 0, 255).astype(np.uint8)
    return encoded(rng.integers(0, 256, (height, width, 3), np.uint8), "JPEG"), encoded(mask)


def pairs(count: int, seed: int = 0) -> Files:
    """Members of a source: ``images/N.jpg`` and ``masks/N.png``."""
    files: Files = {}
    for number in range(count):
        image, mask = pair(seed * 100_000 + number)
        files |= {f"images/{number:04d}.jpg": image, f"masks/{number:04d}.png": mask}
    return files


def write_files(folder: Path, files: Mapping[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def write_zip(path: Path, files: Mapping[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, EPOCH), content)
    return path


def write_tar(path: Path, files: Mapping[str, bytes]) -> Path:
    """A tar, or a tar.gz if the name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


@dataclass(frozen=True)
class Tiny:
    """A source made by a test, with its manifest."""

    root: Path
    name: str
    archive: Path

    @property
    def archives(self) -> Path:
        return self.root / "archives"

    @property
    def manifests(self) -> Path:
        return self.root / "manifests"

    @property
    def manifest(self) -> Path:
        return self.manifests / "sources" / f"{self.name}.toml"

    def options(self, **changes: Any) -> Options:
        plain = Options(archives=self.archives, manifests=(self.manifests,), offline=True, limits=Limits(shard_rows=5))
        return dataclasses.replace(plain, **changes)


def tiny_source(
    root: Path,
    count: int,
    *,
    name: str = "tiny",
    archive: str = "tiny.zip",
    seed: int = 0,
    accept: bool = False,
    published: bool = True,
    mirrors: tuple[str, ...] = (),
    expected: int | None = None,
    files: Files | None = None,
) -> Tiny:
    """Write ``count`` pairs and their manifest.

    ``archive`` says how they are packed: ``.zip``, ``.tar``, ``.tar.gz``, or a folder where it is empty.
    """
    files = pairs(count, seed) if files is None else files
    path = root / "archives" / name / archive
    if archive:
        (write_zip if path.suffix == ".zip" else write_tar)(path, files)
    else:
        write_files(path, files)
    tiny = Tiny(root, name, path)
    entry: dict[str, Any] = {"name": archive or f"{name}.zip", "mirrors": list(mirrors)}
    if archive and published:
        entry |= {"size": path.stat().st_size, "sha256": sha256(path.read_bytes())}
    number = count if expected is None else expected
    layout = {"part": "all", "images": ["images/{stem}.jpg"], "masks": ["masks/{stem}.png"], "count": number}
    write_toml(
        tiny.manifest,
        {
            "name": name,
            "title": name.title(),
            "kind": "pairs",
            "use": ["train"],
            "homepage": "unknown",
            "citation": "",
            "terms": {**TERMS, "accept": accept},
            "parts": {"all": {"title": "all", "count": number}},
            "forms": [{"name": "official", "archives": [entry], "parts": [layout]}],
        },
    )
    return tiny


def pixels_of(collection: Collection, position: int) -> tuple[str, str]:
    """Id and digest of the pixels of a sample; for worker processes."""
    sample = collection[position]
    return sample.sample_id, sha256(sample.image.tobytes() + sample.mask.tobytes())


def write_toml(path: Path, table: Mapping[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(tomli_w.dumps(table).encode())
    return path


def write_recipe(manifests: Path, name: str, takes: Mapping[str, Mapping[str, int]], **more: Any) -> None:
    """A recipe of some parts of some sources."""
    take = [{"source": source, "parts": dict(parts)} for source, parts in takes.items()]
    write_toml(manifests / "recipes" / f"{name}.toml", {"name": name, "title": name, "take": take, **more})


CHILD = """
import json, sys
from pathlib import Path
from hqdata.limits import Limits
from hqdata.pipelines.recipe import Options, build_recipe
given = json.loads(sys.argv[1])
{before}
if __name__ == "__main__":
    options = Options(
        archives=Path(given["archives"]), manifests=(Path(given["manifests"]),), offline=True,
        workers=given["workers"], limits=Limits(shard_rows=given["rows"]),
    )
    built = build_recipe(given["recipe"], Path(given["out"]), options)
    print(json.dumps({{"fresh": built.fresh, "reused": built.reused_shards}}))
"""


def start_build(
    tiny: Tiny, out: Path, *, workers: int = 1, rows: int = 5, before: str = "", env: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    """Build a tiny source in a process of its own (and of its own group); ``before`` is code that runs first."""
    given = {"archives": tiny.archives, "manifests": tiny.manifests, "recipe": tiny.name, "out": out}
    text = json.dumps({key: str(value) for key, value in given.items()} | {"workers": workers, "rows": rows})
    return subprocess.Popen(
        [sys.executable, "-c", CHILD.format(before=before), text],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, **(env or {})},
    )


def finish_build(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What a build of :func:`start_build` printed; fails if it failed."""
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    result: dict[str, Any] = json.loads(out)
    return result


def hqdata(
    *words: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None, timeout: float = 120
) -> Any:
    """Run ``python -m hqdata`` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "hqdata", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        cwd=cwd,
        env={**os.environ, **(env or {})},
    )
