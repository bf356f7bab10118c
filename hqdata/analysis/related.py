"""Every two samples, of one collection or of two, that share an image, an object, a background or a mask."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hqdata.analysis.candidates import Candidate, Images, find_candidates, images_of
from hqdata.analysis.findings import LEVELS
from hqdata.analysis.fingerprints import MEASURE, read_fingerprints
from hqdata.analysis.measure import library_versions
from hqdata.analysis.shared import Picture, Shared, picture_of, same_object, shared
from hqdata.arrays import FloatArray, HashArray
from hqdata.engine.local import run_local
from hqdata.masks.boundary import Banded
from hqdata.masks.hamming import pairs_within
from hqdata.store.reader import Collection

VERSION = 1
"""Of the search; to be raised whenever it may find something else."""
_CHUNK = 64
_CACHED = 128

MASK_RADIUS = 4
"""Bits of 64 between the hashes of two masks that are held against each other."""
_MASK_SIDE = 256
SAME_SHAPE, SAME_EDGE = 0.97, 0.85
"""IoU and boundary IoU, at 256 pixels, from which on masks of two images count as the same."""
SAME_ASPECT = 1.05
"""Largest ratio between the shapes of two images whose masks are held against each other."""
PLAIN = 24
"""Corners (`dominant_points_1024`) below which a mask is a simple shape that many images may have."""

Progress = Callable[[str, int], Callable[[int], None]]
"""Begins a bar: name and total; gives what advances it."""


def silent(_name: str, _total: int) -> Callable[[int], None]:
    """No progress."""
    return lambda _: None


def search_facts() -> dict[str, Any]:
    """What decides the outcome besides the collections."""
    return {"versions": library_versions(), "fingerprints": MEASURE.version, "search": VERSION}


@dataclass(frozen=True, slots=True)
class Related:
    """Two samples, by position, and what they share."""

    left: int
    right: int
    shared: Shared


def related(
    left: Collection, right: Collection | None = None, *, workers: int = 1, progress: Progress = silent
) -> list[Related]:
    """Find every two related samples.

    Args:
        left: a collection with statistics.
        right: another one with statistics; None holds the first against itself.
        workers: processes.
        progress: is told of each stage.

    Returns:
        Sorted by positions, the closest relation of each two once.

    Raises:
        StoreCorrupt: a collection lacks statistics.
        DecodeError: a collection is damaged.
    """
    known = _known(left, workers, progress)
    other = None if right is None else _known(right, workers, progress)
    candidates = find_candidates(known, other)
    found: dict[tuple[int, int], Shared] = {}
    advance = progress("looking at pairs", len(candidates))
    chunks = [candidates[start : start + _CHUNK] for start in range(0, len(candidates), _CHUNK)]
    work = partial(_look_at, left=_Place.of(left), right=_Place.of(right or left))
    for looks in run_local(work, chunks, workers):
        for one, two, seen in looks:
            if seen is not None and ((one, two) not in found or _closer(seen, found[one, two])):
                found[one, two] = seen
        advance(len(looks))
    for a, b, iou in _same_masks(left, right):
        if (a, b) not in found:
            likeness = same_object(_picture(_Place.of(left), a), _picture(_Place.of(right or left), b))
            found[a, b] = _by_mask(iou, likeness)
    return [Related(one, two, found[one, two]) for one, two in sorted(found)]


def _by_mask(iou: float, likeness: float | None) -> Shared:
    """What samples with one mask share, if their images as a whole share nothing."""
    return Shared(
        level="mask" if likeness is None else "object",
        changes=(),
        similarity=likeness or 0.0,
        overlap=1.0,
        other_overlap=1.0,
        pairs=((0, 0, iou),),
    )


def _closer(new: Shared, old: Shared) -> bool:
    order = list(LEVELS)
    return (-order.index(new.level), new.similarity) > (-order.index(old.level), old.similarity)


def _known(collection: Collection, workers: int, progress: Progress) -> Images:
    advance = progress(f"fingerprints of {collection.folder.name}", len(collection))
    prints = read_fingerprints(collection, workers=workers, on_samples=advance)
    return images_of(collection.table.select(["sample_id", "image_sha256"]), collection.stats, prints)


@dataclass(frozen=True, slots=True)
class _Place:
    """A collection as a worker finds it; the digest keeps a replaced folder apart."""

    folder: Path
    digest: str

    @classmethod
    def of(cls, collection: Collection) -> "_Place":
        return cls(collection.folder, collection.digest)


@lru_cache(maxsize=2)
def _opened(place: _Place) -> Collection:
    return Collection(place.folder)


@lru_cache(maxsize=_CACHED)
def _picture(place: _Place, position: int) -> Picture:
    return picture_of(_opened(place)[position].row)


def _look_at(candidates: Sequence[Candidate], *, left: _Place, right: _Place) -> list[tuple[int, int, Shared | None]]:
    """Shared at some pairs, in a worker."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        return [
            (
                c.left,
                c.right,
                shared(_picture(left, c.left), _picture(right, c.right), mirrored=c.mirrored, pose=c.pose),
            )
            for c in candidates
        ]
    finally:
        cv2.setNumThreads(threads)


def _same_masks(left: Collection, right: Collection | None) -> Iterator[tuple[int, int, float]]:
    """Samples whose single masks are the same, whatever their images show: positions and IoU."""
    one = _shapes(left)
    two = one if right is None else _shapes(right)
    masks = lru_cache(maxsize=_CACHED)(_small_mask)
    for a, b in pairs_within(one.hashes, MASK_RADIUS, None if right is None else two.hashes).tolist():
        if max(one.aspects[a], two.aspects[b]) > SAME_ASPECT * min(one.aspects[a], two.aspects[b]):
            continue
        first, second = masks(_Place.of(left), one.positions[a]), masks(_Place.of(right or left), two.positions[b])
        iou = first.iou(second)
        if iou >= SAME_SHAPE and first.boundary_iou(second) >= SAME_EDGE:
            yield one.positions[a], two.positions[b], iou


@dataclass(frozen=True, slots=True)
class _Shapes:
    """Samples with one mask that is more than a simple shape."""

    positions: list[int]
    hashes: HashArray
    aspects: FloatArray
    """Width over height of the image."""


def _shapes(collection: Collection) -> _Shapes:
    names = ["sample_id", "mask_phash", "width", "height", "dominant_points_1024"]
    stats = {name: collection.stats[name].to_numpy() for name in names}
    many = Counter(stats["sample_id"].tolist())
    place = {name: position for position, name in enumerate(collection.sample_ids)}
    chosen = [
        row
        for row, (name, corners) in enumerate(zip(stats["sample_id"], stats["dominant_points_1024"], strict=True))
        if many[name] == 1 and corners >= PLAIN
    ]
    positions = [place[stats["sample_id"][row]] for row in chosen]
    return _Shapes(positions, stats["mask_phash"][chosen], (stats["width"] / stats["height"])[chosen])


def _small_mask(place: _Place, position: int) -> Banded:
    """The mask of a sample, squeezed into a square."""
    (mask,) = _opened(place)[position].each_mask()
    small = cv2.resize(mask, (_MASK_SIDE, _MASK_SIDE), interpolation=cv2.INTER_AREA)
    return Banded(np.asarray(small > 127))
