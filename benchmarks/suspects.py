"""Which planted faults the audit finds, and what it says of masks that nobody touched.

    python benchmarks/suspects.py [--drawn 360] [--real DIR] [--share 0.05] [--rounds 4] [--half tune|report|all]

Every fault of :data:`hqdata.analysis.corrupt.FAULTS`, one at a time, is planted in a share of the samples of a
collection, in several rounds of other samples; then the suspects of that collection are ranked. Printed for each:

- planted: faults in all rounds;
- found: share of them in the list of the right kind, and in brackets in the list of any kind;
- P@k: share of planted ones among the first k of the right kind, k as many as were planted in the round;
- AP: average precision of the list of the right kind, faults that are not in it counted as never found.

"Untouched" is what is listed where nothing was planted: false alarms on drawings, whose masks are right; on
photographs, alarms that may be right. Samples are cut in two: thresholds are to be set on the half ``tune``, figures to
be quoted from the half ``report``.

Drawn samples are hqdata's own drawings of all kinds. ``--real`` takes a folder of pairs: every folder below it that
holds images and one that holds their masks, by the names in :data:`REAL`.
"""

import argparse
import hashlib
import tempfile
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
from PIL import Image

from hqdata.analysis.corrupt import FAULTS, Fault, corrupt
from hqdata.analysis.findings import KINDS
from hqdata.analysis.looks import LOOKS_SCHEMA, sample_looks
from hqdata.analysis.mask_row import sample_rows
from hqdata.analysis.stats_table import STATS_SCHEMA
from hqdata.analysis.suspects import find_suspects
from hqdata.arrays import UInt8Array
from hqdata.demo.draw import STYLES, draw
from hqdata.demo.items import jpeg
from hqdata.engine.local import run_local
from hqdata.schema import Record
from hqdata.store.index import FORMAT, content_digest
from hqdata.store.reader import Collection, Sample
from hqdata.store.writer import file_row, publish, write_rejects, write_shard

REAL: dict[str, tuple[str, str]] = {
    "ecssd": ("ECSSD/images", "ECSSD/ground_truth_mask"),
    "duts": ("DUTS/DUTS-TR/DUTS-TR-Image", "DUTS/DUTS-TR/DUTS-TR-Mask"),
    "pascal-s": ("PASCAL-S/images", "PASCAL-S/masks"),
}
"""Folders of images and of their masks, below the folder given."""
STYLED = [(kind, style) for kind, styles in STYLES.items() for style in styles]


@dataclass(frozen=True, slots=True)
class Pair:
    """An image as a file, its mask, and what was measured on both."""

    sample_id: str
    image: bytes
    mask: UInt8Array
    stats: dict[str, Any]
    looks: dict[str, Any]


def drawn_pair(number: int) -> Pair:
    kind, style = STYLED[number % len(STYLED)]
    drawing = draw(kind, np.random.default_rng([2023, number]), style=style)
    return measured(f"{style}/all/{number:05d}", jpeg(drawing.image), drawing.mask)


def real_pair(paths: tuple[str, Path, Path]) -> Pair | None:
    source, image, mask = paths
    grey = np.asarray(Image.open(mask).convert("L"))
    if Image.open(image).size != grey.shape[::-1]:
        return None
    return measured(f"{source}/all/{image.stem}", image.read_bytes(), grey)


def measured(sample_id: str, image: bytes, mask: UInt8Array) -> Pair:
    sample = Sample(as_row(sample_id, image, mask))
    return Pair(sample_id, image, mask, next(sample_rows(sample)), next(sample_looks(sample)))


def as_row(sample_id: str, image: bytes, mask: UInt8Array) -> dict[str, Any]:
    source, part, _ = sample_id.split("/", 2)
    height, width = mask.shape
    plain = {"sample_id": sample_id, "source": source, "part": part, "width": width, "height": height}
    return {**plain, "image": {"bytes": image}, "mask": {"bytes": png(mask)}, "masks": None}


def png(mask: UInt8Array) -> bytes:
    return cv2.imencode(".png", mask)[1].tobytes()


def real_paths(folder: Path) -> Iterator[tuple[str, Path, Path]]:
    for source, (images, masks) in REAL.items():
        for image in sorted((folder / images).glob("*.jpg")):
            mask = folder / masks / f"{image.stem}.png"
            if mask.is_file():
                yield source, image, mask


def suspects(pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    """What the audit says of a collection of these pairs."""
    with tempfile.TemporaryDirectory() as folder:
        collection = collect(pairs, Path(folder) / "collection")
        stats = pa.Table.from_pylist([pair.stats for pair in pairs], STATS_SCHEMA)
        looks = pa.Table.from_pylist([pair.looks for pair in pairs], LOOKS_SCHEMA)
        return find_suspects(collection, stats, looks)


def collect(pairs: Sequence[Pair], folder: Path) -> Collection:
    records = [
        Record(
            sample_id=pair.sample_id,
            source=pair.stats["source"],
            part="all",
            image=pair.image,
            image_suffix=".jpg",
            mask=png(pair.mask),
            mask_suffix=".png",
            masks=None,
            width=pair.mask.shape[1],
            height=pair.mask.shape[0],
            image_sha256=hashlib.sha256(pair.image).hexdigest(),
            mask_sha256=None,
            pixels_sha256=hashlib.sha256(pair.mask.tobytes()).hexdigest(),
            flags=(),
            errata=(),
        )
        for pair in pairs
    ]
    partial_folder = folder.with_name("partial")
    partial_folder.mkdir()
    write_shard(partial_folder / "all-00000.arrow", records, 1 << 26)
    write_rejects(partial_folder, [])
    files = [file_row(partial_folder, name) for name in ("all-00000.arrow", "rejects.parquet")]
    digest = content_digest((r.sample_id, r.image_sha256, r.pixels_sha256) for r in records)
    index = {"format": FORMAT, "rows": len(pairs), "recipe": {"name": "planted"}, "content_digest": digest}
    publish(partial_folder, folder, {**index, "files": files})
    return Collection(folder)


def plant(pairs: Sequence[Pair], fault: Fault, count: int, rng: np.random.Generator) -> dict[int, UInt8Array]:
    """Faulty masks by position; as many as wanted, where there are so many that the fault can be planted in."""
    faulty: dict[int, UInt8Array] = {}
    for position in rng.permutation(len(pairs)).tolist():
        if len(faulty) >= count:
            break
        if position in faulty or not (pairs[position].mask > 127).any():
            continue
        if fault.kind == "swapped":
            faulty |= exchange(pairs, fault, position, set(faulty), rng)
            continue
        other = pairs[int(rng.integers(len(pairs)))].mask if fault.how == "other" else None
        mask = corrupt(pairs[position].mask, fault, rng, other)
        if mask is not None:
            faulty[position] = mask
    return faulty


def exchange(
    pairs: Sequence[Pair], fault: Fault, position: int, taken: set[int], rng: np.random.Generator
) -> dict[int, UInt8Array]:
    """Exchange a mask with that of another sample of the same source and size."""
    own = pairs[position]
    for other in rng.permutation(len(pairs)).tolist():
        pair = pairs[other]
        alike = (pair.stats["source"], pair.mask.shape) == (own.stats["source"], own.mask.shape)
        if other != position and other not in taken and alike:
            here, there = corrupt(own.mask, fault, rng, pair.mask), corrupt(pair.mask, fault, rng, own.mask)
            if here is not None and there is not None:
                return {position: here, other: there}
    return {}


def measured_again(item: tuple[str, bytes, UInt8Array]) -> Pair:
    return measured(*item)


@dataclass
class Tally:
    """Sums over the rounds of one fault."""

    planted: int = 0
    found: int = 0
    anywhere: int = 0
    first: float = 0.0
    precision: float = 0.0
    rounds: int = 0

    def add(self, rows: list[dict[str, Any]], kind: str, planted: set[str]) -> None:
        """Count one round."""
        ranked = [row["mask_id"] for row in rows if row["kind"] == kind]
        hits = [name in planted for name in ranked]
        self.planted += len(planted)
        self.found += sum(hits)
        self.anywhere += len(planted & {row["mask_id"] for row in rows})
        self.first += sum(hits[: len(planted)]) / len(planted)
        good = np.cumsum(hits) / np.arange(1, len(hits) + 1)
        self.precision += float((good * hits).sum()) / len(planted)
        self.rounds += 1

    def line(self) -> str:
        """Cells of the table."""
        shares = (self.found / self.planted, self.anywhere / self.planted)
        means = (self.first / self.rounds, self.precision / self.rounds)
        return f"{self.planted:7d} | {shares[0]:4.0%} ({shares[1]:4.0%}) | {means[0]:4.0%} | {means[1]:.2f}"


def run(pairs: Sequence[Pair], title: str, share: float, rounds: int, workers: int) -> None:
    clean = suspects(pairs)
    counts = Counter(row["kind"] for row in clean)
    print(f"\n{title}: {len(pairs)} samples of {len({p.stats['source'] for p in pairs})} sources")
    print("untouched, listed: " + ", ".join(f"{kind} {counts[kind]}" for kind in KINDS if kind != "erratum"))
    print("| kind | fault | planted | found (as any kind) | P@k | AP |\n|---|---|---|---|---|---|")
    count = max(2, round(share * len(pairs)))
    for fault in FAULTS:
        tally = Tally()
        for number in range(rounds):
            rng = np.random.default_rng([number, zlib.crc32(f"{fault.kind} {fault.name}".encode())])
            faulty = plant(pairs, fault, count, rng)
            if not faulty:
                continue
            jobs = [(pairs[p].sample_id, pairs[p].image, mask) for p, mask in sorted(faulty.items())]
            again = dict(zip(sorted(faulty), run_in_order(jobs, workers), strict=True))
            rows = suspects([again.get(position, pair) for position, pair in enumerate(pairs)])
            tally.add(rows, fault.kind, {f"{pairs[p].sample_id}#0" for p in faulty})
        if tally.rounds:
            print(f"| {fault.kind} | {fault.name} | {tally.line()} |", flush=True)


def run_in_order(jobs: Sequence[tuple[str, bytes, UInt8Array]], workers: int) -> list[Pair]:
    done = {pair.sample_id: pair for pair in run_local(measured_again, jobs, workers)}
    return [done[name] for name, _, _ in jobs]


def half(pairs: Sequence[Pair], which: str) -> list[Pair]:
    """Every other sample of each source."""
    numbers: dict[str, int] = defaultdict(int)
    kept = []
    for pair in sorted(pairs, key=lambda pair: pair.sample_id):
        source = pair.stats["source"]
        if which == "all" or numbers[source] % 2 == ("tune", "report").index(which):
            kept.append(pair)
        numbers[source] += 1
    return kept


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--drawn", type=int, default=360, help="drawings")
    options.add_argument("--real", type=Path, help="folder of photographs with masks")
    options.add_argument("--share", type=float, default=0.05, help="share of samples that get the fault")
    options.add_argument("--rounds", type=int, default=4)
    options.add_argument("--half", choices=["tune", "report", "all"], default="report")
    options.add_argument("--workers", type=int, default=1)
    given = options.parse_args()
    cv2.setNumThreads(1)
    judge = partial(run, share=given.share, rounds=given.rounds, workers=given.workers)
    if given.drawn:
        pairs = list(run_local(drawn_pair, range(given.drawn), given.workers))
        judge(half(pairs, given.half), "Drawn")
    if given.real:
        found = run_local(real_pair, list(real_paths(given.real)), given.workers)
        judge(half([pair for pair in found if pair is not None], given.half), "Photographs")


if __name__ == "__main__":
    main()
