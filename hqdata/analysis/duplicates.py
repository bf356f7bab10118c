"""Duplicates within a collection: which samples share an image, in which groups, and which one to keep.

Of a group of samples with one image the clean split keeps the one whose mask is finer, that is, whose edge follows the
image better; then the larger image, then the earlier source of the recipe, then the lower id.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hqdata.analysis.findings import DUPLICATES, LEVELS, findings_folder, publish_findings
from hqdata.analysis.related import Progress, Related, related, search_facts, silent
from hqdata.store.derived import read_derived_index
from hqdata.store.reader import Collection

VERSION = 1
ONE_IMAGE = ("pair", "image")
"""Levels at which two samples are one image, so that they belong to one group and only one of them is kept."""
_DECIMALS = 2


def find_duplicates(collection: Collection, *, workers: int = 1, progress: Progress = silent) -> Path:
    """Find duplicates and write their table, unless it is there already.

    Args:
        collection: with statistics.
        workers: processes.
        progress: is told of each stage.

    Returns:
        The derived folder.

    Raises:
        StoreCorrupt: the collection lacks statistics.
    """
    facts = search_facts()
    final = findings_folder(collection, DUPLICATES, VERSION, facts)
    if read_derived_index(final) is None:
        found = related(collection, workers=workers, progress=progress)
        publish_findings(collection, DUPLICATES, VERSION, facts, duplicate_rows(collection, found))
    return final


def duplicate_rows(collection: Collection, found: Sequence[Related]) -> list[dict[str, Any]]:
    """Rows of the table: the closest relations first, then by group and id."""
    worths = worth(collection)
    groups = group([(item.left, item.right) for item in found if item.shared.level in ONE_IMAGE], worths)
    rows = []
    for item in found:
        grouped = item.shared.level in ONE_IMAGE
        gone = groups.removed[item.left, item.right] if grouped else None
        for row in relation_rows(collection, collection, item):
            removed = {item.left: row["mask_id"], item.right: row["other_mask_id"]}
            row["group"] = groups.number[item.left] if grouped else None
            row["remove"] = None if gone is None else removed[gone]
            row["reason"] = _HARMLESS.get(item.shared.level) or _why(worths, item, gone)
            rows.append(row)
    order = list(LEVELS)
    return sorted(rows, key=lambda r: (order.index(r["level"]), r["group"] or 0, r["mask_id"], r["other_mask_id"]))


def relation_rows(left: Collection, right: Collection, item: Related) -> list[dict[str, Any]]:
    """What a row says of related masks, but for group and removal; one row for each pair of masks."""
    a, b = left.sample_ids[item.left], right.sample_ids[item.right]
    return [
        {
            "mask_id": f"{a}#{one}",
            "other_mask_id": f"{b}#{two}",
            "source": a.partition("/")[0],
            "other_source": b.partition("/")[0],
            "level": item.shared.level,
            "changes": list(item.shared.changes),
            "similarity": item.shared.similarity,
            "overlap": item.shared.overlap,
            "other_overlap": item.shared.other_overlap,
            "mask_iou": iou,
        }
        for one, two, iou in item.shared.pairs
    ]


@dataclass(frozen=True, slots=True, order=True)
class Worth:
    """Why one sample is kept and not another; the least one is the best."""

    misfit: float
    """1 minus the mean edge alignment of its masks at 1024 pixels, to two decimals."""
    fewer_pixels: int
    source: int
    """Place of the source in the recipe."""
    sample_id: str


def worth(collection: Collection) -> list[Worth]:
    """Worth of every sample, in stored order."""
    stats = collection.stats
    aligned: dict[str, list[float]] = {}
    for name, value in zip(stats["sample_id"].to_pylist(), stats["edge_alignment_1024"].to_pylist(), strict=True):
        aligned.setdefault(name, []).append(value or 0.0)
    sources = list(dict.fromkeys(count["source"] for count in collection.index["counts"]))
    table = collection.table.select(["sample_id", "source", "width", "height"]).to_pylist()
    found = []
    for row in table:
        values = aligned.get(row["sample_id"], [0.0])
        misfit = round(1 - sum(values) / len(values), _DECIMALS)
        place = sources.index(row["source"]) if row["source"] in sources else len(sources)
        found.append(Worth(misfit, -row["width"] * row["height"], place, row["sample_id"]))
    return found


@dataclass(frozen=True, slots=True)
class Groups:
    """Samples that hang together."""

    number: dict[int, int]
    """Group of a sample, by position; numbered from 1 in the order of the lowest position."""
    removed: dict[tuple[int, int], int]
    """Which of the two samples of a pair is to go."""


def group(pairs: Sequence[tuple[int, int]], worths: Sequence[Worth]) -> Groups:
    """Group samples that are connected by pairs, and keep the best one of each group.

    Every other one is removed by at least one of its pairs: the one on the way to the best.
    """
    beside: dict[int, list[int]] = {}
    for one, two in pairs:
        beside.setdefault(one, []).append(two)
        beside.setdefault(two, []).append(one)
    number: dict[int, int] = {}
    removed: dict[tuple[int, int], int] = {}
    groups = 0
    for start in sorted(beside):
        if start not in number:
            groups += 1
            members = _reached(start, beside)
            number |= dict.fromkeys(members, groups)
            best = min(members, key=lambda position: worths[position])
            for child, parent in _reached(best, beside).items():
                if parent is not None:
                    removed[min(child, parent), max(child, parent)] = child
    for one, two in pairs:
        removed.setdefault((one, two), max(one, two, key=lambda position: worths[position]))
    return Groups(number, removed)


def _reached(start: int, beside: dict[int, list[int]]) -> dict[int, int | None]:
    """Everything that hangs together with a sample, and over which sample it was reached first."""
    parents: dict[int, int | None] = {start: None}
    waiting = deque([start])
    while waiting:
        one = waiting.popleft()
        for two in sorted(beside[one]):
            if two not in parents:
                parents[two] = one
                waiting.append(two)
    return parents


_HARMLESS = {
    "object": "nothing is removed: the images differ",
    "background": "nothing is removed: the objects differ",
    "mask": "nothing is removed: the images differ; one of the masks may belong to another image",
}


def _why(worths: Sequence[Worth], item: Related, gone: int | None) -> str:
    """Why one of two samples goes, in words."""
    return "" if gone is None else why_kept(worths[item.right if gone == item.left else item.left], worths[gone])


def why_kept(kept: Worth, left: Worth) -> str:
    """Why one of two samples of a group is kept and the other is not, in words."""
    if kept.misfit < left.misfit:
        return f"the other mask's edge follows the image better ({1 - kept.misfit:.2f} against {1 - left.misfit:.2f})"
    if kept.misfit > left.misfit:
        return "a third sample of the group has the better mask"
    if kept.fewer_pixels < left.fewer_pixels:
        return f"the masks are equally fine; the other image is larger ({-kept.fewer_pixels:,} pixels)"
    if kept.fewer_pixels > left.fewer_pixels:
        return "a third sample of the group has the larger image"
    if kept.source < left.source:
        return "equally fine; the other source comes first in the recipe"
    return "equally fine, of one source; the lower id is kept" if kept.source == left.source else "a third one is kept"
