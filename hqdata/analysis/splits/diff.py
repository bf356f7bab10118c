"""What differs between two splits, or between a split and what its request would give today."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from hqdata.analysis.related import Progress, silent
from hqdata.analysis.splits.choose import choose
from hqdata.analysis.splits.draft import collection_facts, ids_table
from hqdata.analysis.splits.masks import source_of
from hqdata.analysis.splits.request import Request
from hqdata.errors import UsageError, explain
from hqdata.store.reader import Collection
from hqdata.store.split import Split
from hqdata.strict import load_strict

COMPARED = ("collection", "request", "part", "scale", "degrade")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One mask that is not the same in both."""

    what: str
    """``only in A``, ``only in B``, ``weight`` or ``scale``."""
    mask_id: str
    a: float | None = None
    """Weight or scale in A."""
    b: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """All that differs."""

    choices: tuple[tuple[str, Any, Any], ...]
    """What was chosen differently: name, value in A, value in B."""
    changes: tuple[Change, ...]
    """Sorted by what differs and by id."""

    @property
    def counts(self) -> dict[tuple[str, str], int]:
        """Number of masks by what differs and source, sorted."""
        return dict(sorted(Counter((item.what, source_of(item.mask_id)) for item in self.changes).items()))

    def __bool__(self) -> bool:
        return bool(self.choices or self.changes)


def diff_splits(a: Split, b: Split) -> Difference:
    """Compare two splits."""
    return _compare(a.facts, a.ids, b.facts, b.ids)


def diff_today(split: Split, collection: Collection, *, workers: int = 1, progress: Progress = silent) -> Difference:
    """Compare a split (A) with what its request gives on a collection as it is today (B).

    How masks are degraded is not worked out again.

    Raises:
        UsageError, QueryError, StoreCorrupt: the request cannot be met there any more.
    """
    request = request_of(split)
    folder: Path = split.path.parent
    choice, chosen = choose(collection, request, folder, workers=workers, progress=progress)
    part = next((item for item in chosen if item.part == split.facts["part"]), None)
    if part is None:
        raise UsageError(explain(f"{split.path} names no half that its request gives", got=split.facts["part"]))
    scales = {mask_id: choice.scales[mask_id] for mask_id in part.masks} if choice.scales else {}
    today = {
        **split.facts,
        "collection": {**collection_facts(collection), "folder": split.facts["collection"]["folder"]},
        "scale": choice.facts.get("scale"),
    }
    return _compare(split.facts, split.ids, today, ids_table(part.masks, part.weights, scales))


def request_of(split: Split) -> Request:
    """The request that a split was made from."""
    return load_strict(Request, split.facts["request"], f"{split.path}: request")


def _compare(a: Mapping[str, Any], ids_a: pa.Table, b: Mapping[str, Any], ids_b: pa.Table) -> Difference:
    left = {row["mask_id"]: row for row in ids_a.to_pylist()}
    right = {row["mask_id"]: row for row in ids_b.to_pylist()}
    changes = [Change(what="only in A", mask_id=mask_id) for mask_id in sorted(left.keys() - right.keys())]
    changes += [Change(what="only in B", mask_id=mask_id) for mask_id in sorted(right.keys() - left.keys())]
    for what in ("weight", "scale"):
        changes += [
            Change(what=what, mask_id=mask_id, a=left[mask_id][what], b=right[mask_id][what])
            for mask_id in sorted(left.keys() & right.keys())
            if left[mask_id][what] != right[mask_id][what]
        ]
    return Difference(choices=tuple(_choices(a, b)), changes=tuple(changes))


def _choices(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """What was chosen differently, one level deep; where a collection lies does not count."""
    found = []
    for name in COMPARED:
        one, other = a[name], b[name]
        if not (isinstance(one, dict) and isinstance(other, dict)):
            found += [(name, one, other)] if one != other else []
            continue
        keys = sorted((one.keys() | other.keys()) - {"folder", "name"})
        found += [(f"{name}.{key}", one.get(key), other.get(key)) for key in keys if one.get(key) != other.get(key)]
    return found
