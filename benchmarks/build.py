"""How fast a build is, against the least it could cost and against what one would run instead; all in one run.

    python benchmarks/build.py [--pairs 6000] [--rounds 3] [--memory] [--out results.json]

Every way gets the same files, in turns, each time in a process of its own after a small warm-up, and the median of the
rounds counts; ratios are what matters. The ways:

- floor: read each file, sha256, decode image and mask with Pillow, nothing else;
- build: ``build_own`` from listing to published and verified collection, 1 worker and 2;
- datasets: ``Dataset.from_generator`` with the same validation (decode both, equal sizes, sha256) and ``save_to_disk``;
- write: our writer without validation, against the same ``from_generator`` and ``save_to_disk`` without validation;
- memory: peak resident memory of a build of 1,000 and of 20,000 samples.
"""

import argparse
import hashlib
import io
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from hqdata.pipelines.own_data import build_own
from hqdata.pipelines.recipe import Options
from hqdata.schema import Record
from hqdata.store.writer import write_shard


def make_pairs(folder: Path, pairs: int, rng: np.random.Generator) -> None:
    """Write pairs of 400 x 300, all different, as large as DUTS files on average: JPEGs of 21 kB, soft PNGs of 5 kB."""
    (folder / "im").mkdir(parents=True)
    (folder / "gt").mkdir()
    base = [sum(_noise(rng, grain) * amplitude for grain, amplitude in ((40, 45), (8, 14), (3, 7))) for _ in range(20)]
    y, x = np.mgrid[:300, :400]
    angle, radius = np.arctan2(y - 150, x - 200), np.hypot(y - 150, x - 200)
    for index in range(pairs):
        image = np.roll(base[index % 20], 7 * index, axis=1) + 128 + rng.normal(0, 1.5, (300, 400, 3))
        Image.fromarray(np.clip(image, 0, 255).astype(np.uint8)).save(folder / "im" / f"{index:06d}.jpg", quality=85)
        reach = 90 + 30 * np.sin(angle * (3 + index % 9) + index) + 6 * np.sin(angle * 41 + index)
        mask = np.clip((reach - radius) * 90 + 128, 0, 255).astype(np.uint8)
        Image.fromarray(mask).save(folder / "gt" / f"{index:06d}.png")


def _noise(rng: np.random.Generator, grain: int) -> Any:
    small = rng.normal(0, 1, (300 // grain + 1, 400 // grain + 1, 3)).astype(np.float32)
    return cv2.resize(small, (400, 300), interpolation=cv2.INTER_CUBIC)


def stems(folder: Path) -> list[tuple[Path, Path]]:
    return [(path, folder / "gt" / f"{path.stem}.png") for path in sorted((folder / "im").iterdir())]


def decode_and_hash(image: bytes, mask: bytes) -> tuple[str, str, tuple[int, int]]:
    """Validate a pair: digests of both, both decoded, equal sizes."""
    digests = hashlib.sha256(image).hexdigest(), hashlib.sha256(mask).hexdigest()
    picture, cover = Image.open(io.BytesIO(image)), Image.open(io.BytesIO(mask))
    picture.load()
    cover.load()
    assert picture.size == cover.size
    return *digests, picture.size


def floor(folder: Path, _out: Path) -> None:
    for image, mask in stems(folder):
        decode_and_hash(image.read_bytes(), mask.read_bytes())


def build(workers: int) -> Callable[[Path, Path], None]:
    def run(folder: Path, out: Path) -> None:
        build_own(folder / "im", folder / "gt", "bench", out, Options(workers=workers))

    return run


def with_datasets(*, validate: bool) -> Callable[[Path, Path], None]:
    def rows(pairs: list[tuple[Path, Path]]) -> Iterator[dict[str, Any]]:
        for image, mask in pairs:
            pixels, cover = image.read_bytes(), mask.read_bytes()
            row: dict[str, Any] = {
                "sample_id": f"bench/all/{image.stem}",
                "image": {"bytes": pixels, "path": image.name},
                "mask": {"bytes": cover, "path": mask.name},
            }
            if validate:
                first, second, size = decode_and_hash(pixels, cover)
                row |= {"image_sha256": first, "mask_sha256": second, "width": size[0], "height": size[1]}
            else:
                row |= {"image_sha256": hashlib.sha256(pixels).hexdigest()}
                row |= {"mask_sha256": hashlib.sha256(cover).hexdigest(), "width": 400, "height": 300}
            yield row

    def run(folder: Path, out: Path) -> None:
        import datasets

        text, number = datasets.Value("string"), datasets.Value("int32")
        features = datasets.Features(
            {"sample_id": text, "image": datasets.Image(), "mask": datasets.Image()}
            | {"image_sha256": text, "mask_sha256": text, "width": number, "height": number}
        )
        made = datasets.Dataset.from_generator(
            rows, gen_kwargs={"pairs": stems(folder)}, features=features, cache_dir=str(out) + ".cache"
        )
        made.save_to_disk(str(out))
        shutil.rmtree(str(out) + ".cache")

    return run


def write_only(folder: Path, out: Path) -> None:
    """Our writer alone: read, sha256, write; nothing is decoded."""
    blank = Record(
        sample_id="", source="bench", part="all", image=b"", image_suffix=".jpg", mask=b"", mask_suffix=".png",
        masks=None, width=400, height=300, image_sha256="", mask_sha256="", pixels_sha256="", flags=(), errata=(),
    )  # fmt: skip

    def records() -> Iterator[Record]:
        for image, mask in stems(folder):
            pixels, cover = image.read_bytes(), mask.read_bytes()
            yield replace(
                blank,
                sample_id=f"bench/all/{image.stem}",
                image=pixels,
                mask=cover,
                image_sha256=hashlib.sha256(pixels).hexdigest(),
                mask_sha256=hashlib.sha256(cover).hexdigest(),
            )

    out.mkdir()
    write_shard(out / "bench.arrow", records(), 64 << 20)


WAYS: dict[str, Callable[[Path, Path], None]] = {
    "floor: decode + sha256": floor,
    "build, 1 worker": build(1),
    "build, 2 workers": build(2),
    "datasets, same validation": with_datasets(validate=True),
    "write only": write_only,
    "datasets, no validation": with_datasets(validate=False),
}


def measure(folder: Path, small: Path, work: Path, rounds: int) -> dict[str, float]:
    """Median seconds of each way; the ways take turns, and the first turn warms the page cache and is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    for turn in range(rounds + 1):
        for name in WAYS:
            taken, _ = run_alone(name, folder, small, work / "out")
            if turn:
                seconds[name].append(taken)
    return {name: statistics.median(values) for name, values in seconds.items()}


def run_alone(name: str, folder: Path, small: Path, out: Path) -> tuple[float, float]:
    """Run a way in a process of its own, so that none gains by memory that another left; seconds and peak MB."""
    run = [sys.executable, __file__, "--child", name, str(folder), str(small), str(out)]
    printed = subprocess.run(run, check=True, capture_output=True, text=True).stdout
    seconds, peak = printed.split()[-2:]
    return float(seconds), float(peak)


def child(name: str, folder: Path, small: Path, out: Path) -> None:
    """Time a way after a small warm-up, which loads the libraries."""
    WAYS[name](small, out)
    shutil.rmtree(out, ignore_errors=True)
    start = time.perf_counter()
    WAYS[name](folder, out)
    seconds = time.perf_counter() - start
    shutil.rmtree(out, ignore_errors=True)
    # Not getrusage: its peak counts the parent, whose memory this process had for a moment before it became itself.
    peak = Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]
    print(seconds, int(peak) / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", action="store_true", help="also memory at 1,000 and 20,000 samples")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        name, *folders = given.child
        child(name, *map(Path, folders))
        return
    os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"
    results: dict[str, Any] = {"pairs": given.pairs, "rounds": given.rounds, "machine": platform.processor()}
    results["cores"] = os.cpu_count()
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        make_pairs(work / "data", given.pairs, np.random.default_rng(0))
        make_pairs(work / "small", 200, np.random.default_rng(2))
        seconds = measure(work / "data", work / "small", work, given.rounds)
        results["seconds"] = seconds
        results["ratios"] = ratios(seconds)
        if given.memory:
            results["peak_mb"] = {}
            for pairs in (1000, 20_000):
                data = work / f"memory-{pairs}"
                make_pairs(data, pairs, np.random.default_rng(1))
                one, results["peak_mb"][str(pairs)] = run_alone("build, 1 worker", data, work / "small", work / "out")
            two, _ = run_alone("build, 2 workers", data, work / "small", work / "out")
            results["ratios"]["1 worker / 2 workers, 20,000 samples (goal: >= 1.7)"] = one / two
    report(results)
    if given.out:
        given.out.write_text(json.dumps(results, indent=2) + "\n")


def ratios(seconds: dict[str, float]) -> dict[str, float]:
    one = seconds["build, 1 worker"]
    return {
        "build / floor (goal: <= 1.15)": one / seconds["floor: decode + sha256"],
        "datasets, same validation / build (goal: >= 1)": seconds["datasets, same validation"] / one,
        "datasets, same validation / write only (goal: >= 3)": seconds["datasets, same validation"]
        / seconds["write only"],
        "datasets, no validation / write only": seconds["datasets, no validation"] / seconds["write only"],
        "1 worker / 2 workers": one / seconds["build, 2 workers"],
    }


def report(results: dict[str, Any]) -> None:
    for name, value in results["seconds"].items():
        print(f"{name:<34}{value:8.2f} s {results['pairs'] / value:10,.0f} pairs/s")
    for name, value in results["ratios"].items():
        print(f"{name:<52}{value:6.2f}")
    for pairs, value in results.get("peak_mb", {}).items():
        print(f"peak memory of {int(pairs):>6,} samples{value:10.0f} MB")


if __name__ == "__main__":
    main()
