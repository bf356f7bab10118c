"""Splits written straight to disk, without anything that chooses their masks."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from hqdata.store.reader import Collection
from hqdata.store.split import IDS_SCHEMA, Split, write_split


def ids_table(
    mask_ids: Sequence[str], weights: Sequence[float] | None = None, scales: Sequence[float | None] | None = None
) -> pa.Table:
    nothing = [None] * len(mask_ids)
    return pa.table([pa.array(mask_ids, pa.string()), weights or nothing, scales or nothing], IDS_SCHEMA.names).cast(
        IDS_SCHEMA
    )


def facts_of(collection: Collection, **changes: Any) -> dict[str, Any]:
    recipe = collection.index["recipe"]
    of = {"recipe": recipe["name"], "content_digest": collection.digest, "synthetic": bool(recipe.get("synthetic"))}
    return {"collection": of, "request": {}, "scale": None, "degrade": None, **changes}


def degrading(kind: str, strengths: Mapping[str, float], *, seed: int = 5, name: str | None = None) -> dict[str, Any]:
    sources = {source: {"strength": value} for source, value in strengths.items()}
    return {"kind": kind, "seed": seed, "name": name, "target": None, "sources": sources}


def save(
    collection: Collection,
    folder: Path,
    mask_ids: Sequence[str],
    name: str = "some",
    *,
    weights: Sequence[float] | None = None,
    scales: Sequence[float | None] | None = None,
    degrade: Mapping[str, Any] | None = None,
) -> Split:
    """Write a split of some masks, in the order given."""
    facts = facts_of(collection, scale={"to": "small"} if scales else None, degrade=degrade)
    return write_split(folder, name, collection.folder, facts, ids_table(mask_ids, weights, scales))
