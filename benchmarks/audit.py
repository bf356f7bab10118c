"""Which planted copies and composites the audit finds, what it says of pictures that nobody touched, what it costs.

    python benchmarks/audit.py [--drawn 240] [--real DIR] [--each 10] [--cell 12] [--workers 2]
                               [--only copies|composites|search] [--images 44320] [--keep DIR]

Every part runs on hqdata's own drawings, and with ``--real`` also on photographs with masks, as in suspects.py.

- copies: for each of :data:`COPIES`, changed copies of ``--each`` samples are put into a collection of all untouched
  ones, which is then searched for duplicates. *level* counts the copies found at the level that was planted, *changes*
  those of which the words also name what was done. Every related pair of other samples is a false alarm.
- composites: a training collection gets objects cut from samples that are in no collection, set before images of an
  evaluation collection; ``--cell`` for each share of the picture that the object covers and each way the image is used.
  It gets evaluation images and evaluation objects as well. Rows of leaks that nobody planted are false alarms.
- search: the exact search of near hashes against plain ways to do it; then the whole search for candidates among
  ``--images`` images, made from the fingerprints at hand by permuting the bits of each copy, so that copies are
  unrelated but distributed alike; and what a fingerprint and a second look cost.
"""

import argparse
import statistics
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from planted import COPIES, SHARES, USES, Item, before, cut_out, drawn_item, encoded, halved, real_item, resized
from suspects import png, real_paths

from hqdata.analysis.candidates import Candidate, Images, find_candidates, images_of
from hqdata.analysis.duplicates import find_duplicates
from hqdata.analysis.findings import DUPLICATES, LEAKS, LEVELS, read_findings
from hqdata.analysis.fingerprints import read_fingerprints
from hqdata.analysis.leaks import find_leaks
from hqdata.analysis.shared import picture_of, shared
from hqdata.analysis.stats import compute_stats
from hqdata.arrays import HashArray, IntArray, UInt8Array
from hqdata.demo.plants import Picture
from hqdata.engine.local import run_local
from hqdata.masks.hamming import pairs_within
from hqdata.pipelines.own_data import build_own
from hqdata.pipelines.recipe import Options
from hqdata.store.reader import Collection

RADIUS = 8


def write(folder: Path, name: str, image: bytes, mask: UInt8Array) -> None:
    for part, suffix, content in (("images", "jpg", image), ("masks", "png", png(mask))):
        (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / part / f"{name}.{suffix}").write_bytes(content)


def collect(folder: Path, workers: int) -> Collection:
    """Build what was written, and measure it."""
    build_own(folder / "images", folder / "masks", "bench", folder / "collection", Options(workers=workers))
    collection = Collection(folder / "collection")
    compute_stats(collection, workers=workers)
    return collection


def stem(mask_id: str) -> str:
    return mask_id.partition("/all/")[2].rpartition("#")[0]


def copies(items: Sequence[Item], folder: Path, each: int, workers: int) -> None:
    """Plant copies, search for them, print what was found."""
    rng = np.random.default_rng(1)
    order = [items[position] for position in rng.permutation(len(items))]
    strangers, untouched = order[:each], order[each:]
    for item in untouched:
        write(folder, item.name, item.image, item.mask)
    planted: dict[str, tuple[str, str]] = {}
    for number, (way, copy) in enumerate(COPIES.items()):
        for place in range(each):
            original = untouched[(number * each + place) % len(untouched)]
            picture = copy.change(original.picture(), rng)
            if copy.level == "mask":
                height, width = original.mask.shape
                picture = Picture(resized(strangers[place].picture(), width, height).image, original.mask)
            name = f"copy-{number:02d}-{place:03d}"
            write(folder, name, encoded(picture.image, copy.quality), picture.mask)
            planted[name] = (original.name, way)
    collection = collect(folder, workers)
    rows = read_findings(find_duplicates(collection, workers=workers), DUPLICATES).to_pylist()
    found = {frozenset((stem(row["mask_id"]), stem(row["other_mask_id"]))): row for row in rows}
    print("| copy | planted | found | level | changes |\n|---|---|---|---|---|")
    total: Counter[str] = Counter()
    for way, copy in COPIES.items():
        own = [frozenset((name, original)) for name, (original, key) in planted.items() if key == way]
        seen = [found[pair] for pair in own if pair in found]
        right = [row for row in seen if row["level"] == copy.level]
        named = [row for row in right if set(copy.words) <= set(row["changes"])]
        counts = {"planted": len(own), "found": len(seen), "level": len(right), "changes": len(named)}
        total.update(counts)
        print(f"| {way} | " + " | ".join(str(count) for count in counts.values()) + " |")
    print("| all | " + " | ".join(str(count) for count in total.values()) + " |")
    origin = {name: original for name, (original, _) in planted.items()}
    related = [{origin.get(name, name) for name in pair} for pair in found]
    alarms = Counter(row["level"] for row, origins in zip(found.values(), related, strict=True) if len(origins) > 1)
    right = len(found) - alarms.total()
    print(f"{len(collection)} samples; of {len(found)} related pairs {right} share an origin, precision", end=" ")
    print(f"{right / max(len(found), 1):.4f}; false alarms: {by_level(alarms)}", flush=True)


def by_level(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{level} {counts[level]}" for level in LEVELS if counts.get(level)) or "none"


def composites(items: Sequence[Item], folder: Path, cell: int, workers: int) -> None:
    """Plant leaks, search for them, print what was found."""
    rng = np.random.default_rng(2)
    order = [items[position] for position in rng.permutation(len(items))]
    evaluation, spare, untouched = (
        order[: len(order) // 4],
        order[len(order) // 4 : len(order) // 2],
        order[len(order) // 2 :],
    )
    for item in evaluation:
        write(folder / "evaluation", item.name, item.image, item.mask)
    for item in untouched:
        write(folder / "training", item.name, item.image, item.mask)
    planted: dict[str, tuple[str, str, str]] = {}

    def plant(picture: Picture, other: Item, way: str, level: str) -> None:
        name = f"planted-{len(planted):04d}"
        write(folder / "training", name, encoded(picture.image, 88), picture.mask)
        planted[name] = (other.name, way, level)

    objects, grounds = _endless(spare, rng), _endless(evaluation, rng)
    for share in SHARES:
        for use, (change, side) in USES.items():
            for _ in range(cell):
                ground, cut = next(grounds), None
                while cut is None:
                    cut = cut_out(next(objects).picture(), rng.uniform(*share), side, rng)
                way = f"before it, object covers {share[0]:.0%} to {share[1]:.0%} | {use}"
                plant(before(cut, change(ground.picture(), rng)), ground, way, "background")
    for _ in range(cell):
        other = next(grounds)
        plant(other.picture(), other, "image and mask | re-encoded", "pair")
        other = next(grounds)
        plant(halved(other.picture(), rng), other, "image, half of its mask | re-encoded", "image")
        other = next(grounds)
        plant(
            before(other.picture(), next(objects).picture()), other, "its object before another image | whole", "object"
        )
    training, against = collect(folder / "training", workers), collect(folder / "evaluation", workers)
    table = read_findings(find_leaks(training, against, workers=workers), LEAKS)
    found = {(stem(row["mask_id"]), stem(row["other_mask_id"])): row["level"] for row in table.to_pylist()}
    levels: dict[tuple[str, str], list[str | None]] = defaultdict(list)
    for name, (other_name, way, level) in planted.items():
        levels[way, level].append(found.pop((name, other_name), None))
    print("| what of the evaluation image | used | planted | found | level |\n|---|---|---|---|---|")
    for (way, level), seen in levels.items():
        print(f"| {way} | {len(seen)} | {len(seen) - seen.count(None)} | {seen.count(level)} |")
    print(f"{len(training)} samples against {len(against)}; false alarms:", end=" ")
    for what, alarms in (("untouched", False), ("planted", True)):
        counts = Counter(level for (name, _), level in found.items() if (name in planted) is alarms)
        print(f"of {what} samples {by_level(counts)}", end="; " if what == "untouched" else "\n", flush=True)


def _endless(items: Sequence[Item], rng: np.random.Generator) -> Iterable[Item]:
    while True:
        for position in rng.permutation(len(items)).tolist():
            yield items[position]


def search(items: Sequence[Item], folder: Path, count: int, workers: int) -> None:
    """Print what the search costs on one core."""
    for item in items:
        write(folder, item.name, item.image, item.mask)
    collection = collect(folder, workers)
    start = time.perf_counter()
    prints = read_fingerprints(collection)
    print(f"fingerprints: {1000 * (time.perf_counter() - start) / len(collection):.1f} ms a sample")
    known = images_of(collection.table.select(["sample_id", "image_sha256"]), collection.stats, prints)
    start = time.perf_counter()
    found = find_candidates(known)
    seconds, pairs = time.perf_counter() - start, len(items) * (len(items) - 1) / 2
    print(f"candidates among {len(items)} images: {len(found)} in {seconds:.1f} s, {1e6 * len(found) / pairs:.0f} in a")
    print(f"million pairs; a second look: {second_look(collection, found[:200]):.0f} ms, decoding both images included")
    large = enlarged(known, count, np.random.default_rng(3))
    # Forgets the peak so far, as proc(5) says.
    Path("/proc/self/clear_refs").write_text("5")
    start = time.perf_counter()
    found = find_candidates(large)
    peak = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024
    print(
        f"candidates among {len(large.sha256):,} images, {len(large.prints.codes):,} keypoints: {len(found):,} in",
        end=" ",
    )
    print(f"{time.perf_counter() - start:.0f} s, peak memory {peak:,.0f} MB", flush=True)


def second_look(collection: Collection, found: Sequence[Candidate]) -> float:
    """Milliseconds that comparing two images takes."""
    start = time.perf_counter()
    for candidate in found:
        left, right = (picture_of(collection[place].row) for place in (candidate.left, candidate.right))
        shared(left, right, mirrored=candidate.mirrored, pose=candidate.pose)
    return 1000 * (time.perf_counter() - start) / max(len(found), 1)


def enlarged(known: Images, count: int, rng: np.random.Generator) -> Images:
    """So many images, with the bits of every copy in another order."""
    prints, size = known.prints, len(known.sha256)
    parts = []
    for number in range(-(-count // size)):
        order = rng.permutation(64) if number else np.arange(64)
        some = slice(min(size, count - number * size))
        chosen = prints.image < some.stop
        part = replace(
            prints,
            codes=permuted(prints.codes[chosen], order),
            points=prints.points[chosen],
            image=prints.image[chosen] + np.int32(number * size),
            sizes=prints.sizes[some],
            tiles=permuted(prints.tiles[some], order),
        )
        parts.append((part, permuted(known.phash[some], order), permuted(known.phash_mirror[some], order)))
    joined = {
        name: np.concatenate([getattr(part, name) for part, _, _ in parts])
        for name in ("codes", "points", "image", "sizes", "tiles")
    }
    return Images(
        prints=replace(prints, **joined),
        sha256=tuple(str(number) for number in range(count)),
        phash=np.concatenate([one for _, one, _ in parts]),
        phash_mirror=np.concatenate([one for _, _, one in parts]),
    )


def permuted(words: HashArray, order: IntArray) -> HashArray:
    """Words with their bits in another order."""
    octets = np.ascontiguousarray(words).view(np.uint8).reshape(*words.shape, 8)
    bits = np.unpackbits(octets, axis=-1, bitorder="little")[..., order]
    octets = np.packbits(np.ascontiguousarray(bits), axis=-1, bitorder="little")
    return octets.view(np.uint64)[..., 0]


def hashes(count: int, rounds: int = 5) -> None:
    """The exact search of near hashes, against the same in blocks and in plain Python."""
    rng = np.random.default_rng(4)
    words = rng.integers(0, 2**64 - 1, count, np.uint64, endpoint=True)
    for near in range(0, count, 50):
        flipped = rng.choice(64, int(rng.integers(0, 2 * RADIUS)), replace=False)
        words[near] = words[near + 1 - 2 * (near + 1 == count)] ^ np.bitwise_or.reduce(
            np.uint64(1) << flipped.astype(np.uint64), initial=np.uint64(0)
        )
    seconds: dict[str, list[float]] = {"pairs_within": [], "blocks of 256 rows": []}
    for _ in range(rounds):
        answers = []
        for name, way in (
            ("pairs_within", lambda: pairs_within(words, RADIUS)),
            ("blocks of 256 rows", lambda: blocks(words)),
        ):
            start = time.perf_counter()
            answers.append(way())
            seconds[name].append(time.perf_counter() - start)
        assert np.array_equal(*answers)
    some, plain = 100, words.tolist()
    start = time.perf_counter()
    met = sum((one ^ two).bit_count() <= RADIUS for one in plain[:some] for two in plain)
    taken = (time.perf_counter() - start) * (count - 1) / 2 / some
    print(f"near hashes among {count:,}, up to {RADIUS} bits: {len(answers[0])} pairs by both ways, median of {rounds}")
    for name, values in seconds.items():
        print(f"{name}: {statistics.median(values):.2f} s")
    print(f"plain Python: {taken:.0f} s, from {some} rows ({met} hits)", flush=True)


def blocks(words: HashArray) -> IntArray:
    found = []
    for start in range(0, len(words), 256):
        apart = np.bitwise_count(words[start : start + 256, None] ^ words[None, start:])
        one, two = np.nonzero(apart <= RADIUS)
        found.append(np.stack([one, two], axis=1)[one < two] + start)
    return np.concatenate(found)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--drawn", type=int, default=240, help="drawings")
    options.add_argument("--real", type=Path, help="folder of photographs with masks")
    options.add_argument("--each", type=int, default=10, help="copies of each kind")
    options.add_argument("--cell", type=int, default=12, help="composites of each kind")
    options.add_argument("--images", type=int, default=44_320, help="size of the simulated collection")
    options.add_argument("--only", choices=["copies", "composites", "search"], help="one part")
    options.add_argument("--workers", type=int, default=1)
    options.add_argument("--keep", type=Path, metavar="DIR", help="write the collections here and leave them")
    given = options.parse_args()
    cv2.setNumThreads(1)
    pools: dict[str, list[Item]] = {}
    if given.drawn:
        pools["drawn"] = sorted(run_local(drawn_item, range(given.drawn), given.workers), key=lambda item: item.name)
    if given.real:
        found = run_local(real_item, list(real_paths(given.real)), given.workers)
        pools["photographs"] = sorted((item for item in found if item is not None), key=lambda item: item.name)
    if given.only in (None, "search"):
        hashes(given.images)
    with tempfile.TemporaryDirectory() as scratch:
        for title, items in pools.items():
            print(f"\n{title}: {len(items)} samples\n", flush=True)
            folder = (given.keep or Path(scratch)) / title
            if given.only in (None, "copies"):
                copies(items, folder / "copies", given.each, given.workers)
            if given.only in (None, "composites"):
                composites(items, folder / "composites", given.cell, given.workers)
            if given.only in (None, "search"):
                search(items, folder / "search", given.images, given.workers)


if __name__ == "__main__":
    main()
