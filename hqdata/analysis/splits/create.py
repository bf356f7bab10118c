"""Making a split: choose its masks, work out how they are read, say what holds for them, and write the files."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from hqdata.analysis.related import Progress, silent
from hqdata.analysis.splits.choose import Choice, Chosen, choose, counts
from hqdata.analysis.splits.degraded import degraded
from hqdata.analysis.splits.draft import collection_facts, drafted, ids_table
from hqdata.analysis.splits.masks import by_source, sample_of
from hqdata.analysis.splits.removal import Note
from hqdata.analysis.splits.request import Request
from hqdata.catalog import Catalog
from hqdata.store.reader import Collection
from hqdata.store.split import Split, write_split
from hqdata.store.terms import closure, source_terms


def create_split(
    collection: Collection,
    request: Request,
    folder: Path,
    catalog: Catalog,
    *,
    workers: int = 1,
    progress: Progress = silent,
    replace: bool = False,
) -> tuple[Split, ...]:
    """Make a split, or two halves, and write it into a folder.

    Args:
        collection: to choose from.
        request: what is asked for.
        folder: gets the files; paths of the request are relative to it.
        catalog: manifests at hand, for the terms of sources.
        workers: processes, where pixels are looked at.
        progress: is told of each stage.
        replace: whether another split of that name may be overwritten.

    Returns:
        One split, or the two halves.

    Raises:
        UsageError, QueryError: the request cannot be met, or another split has the name.
        StoreCorrupt: statistics or an audit are missing; the text names the command.
    """
    choice, chosen = choose(collection, request, folder, workers=workers, progress=progress)
    drafts = [(part.name, *_draft(choice, part, catalog)) for part in chosen]
    return tuple(
        write_split(folder, name, collection.folder, facts, ids, notes, replace=replace)
        for name, facts, ids, notes in drafts
    )


def _draft(choice: Choice, part: Chosen, catalog: Catalog) -> tuple[Mapping[str, Any], pa.Table, list[Note]]:
    """Facts, ids and notes of one split."""
    collection, request = choice.collection, choice.request
    notes = sorted([*choice.notes, *part.leaked], key=_order)
    scales = {mask_id: choice.scales[mask_id] for mask_id in part.masks} if choice.scales else {}
    degradation = None
    if request.degrade is not None:
        with drafted(collection, part.masks, scales) as view:
            degradation = degraded(view, request, choice.workers, choice.progress)
    facts = {
        "collection": collection_facts(collection),
        "request": request.facts(),
        "part": part.part,
        "inputs": dict(sorted(choice.inputs.items())),
        "counts": {
            "masks": len(part.masks),
            "images": len({*map(sample_of, part.masks)}),
            "sources": {source: len(masks) for source, masks in by_source(part.masks).items()},
        },
        "sampling": _shares(part) if part.weights else None,
        "removed": counts(notes, "removed"),
        "copies": choice.copies.table,
        "leaks": {
            "checked": [dict(row) for row in choice.leaks.against],
            "tables": list(choice.leaks.tables),
            "kept": _kept(part.leaked),
        },
        "terms": _terms(collection, part.masks, catalog),
        "scale": choice.facts.get("scale"),
        "balance": choice.facts.get("balance"),
        "degrade": degradation,
    }
    return facts, ids_table(part.masks, part.weights, scales), notes


def _shares(part: Chosen) -> dict[str, float]:
    """Share of each source among the masks that are drawn."""
    total = math.fsum(part.weights.values())
    masks = by_source(part.masks)
    return {source: math.fsum(part.weights[mask_id] for mask_id in found) / total for source, found in masks.items()}


def _order(row: Note) -> tuple[str, ...]:
    return tuple(row[key] or "" for key in ("what", "why", "mask_id", "against", "other_mask_id"))


def _kept(leaked: Sequence[Note]) -> list[dict[str, Any]]:
    """Leaks that the split holds all the same: how many masks at each level, into which collection."""
    masks: dict[tuple[str, str, str], set[str]] = {}
    for row in leaked:
        masks.setdefault((row["against"], row["level"], row["why"]), set()).add(row["mask_id"])
    return [
        {"against": against, "level": level, "why": why, "masks": len(found)}
        for (against, level, why), found in sorted(masks.items())
    ]


def _terms(collection: Collection, masks: Sequence[str], catalog: Catalog) -> dict[str, Any]:
    """The strictest terms among the rows, and which sources cause them."""
    sources = by_source(masks)
    found = closure(item for item in source_terms(collection.index, catalog) if item.name in sources)
    return {
        "redistribution": found.redistribution or "unknown",
        "because": [
            {"source": name, "statement": statement}
            for name, statement in zip(found.because, found.statements, strict=True)
        ],
        "licences": {licence: list(names) for licence, names in found.licences.items()},
    }
