"""Splits that are not finished: masks at the size that they will be read at, to be measured or degraded."""

import contextlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from hqdata.store.reader import Collection
from hqdata.store.split import IDS_SCHEMA, write_split
from hqdata.store.view import SplitView, open_view


def ids_table(masks: Sequence[str], weights: Mapping[str, float], scales: Mapping[str, float]) -> pa.Table:
    """Ids of a split, sorted; weights and scales are null where there are none at all."""
    return pa.Table.from_pydict(
        {
            "mask_id": list(masks),
            "weight": [weights.get(mask_id) for mask_id in masks],
            "scale": [scales.get(mask_id) for mask_id in masks],
        },
        IDS_SCHEMA,
    )


def collection_facts(collection: Collection) -> dict[str, Any]:
    """What a split says of the collection that it is made from."""
    recipe = collection.index["recipe"]
    return {"recipe": recipe["name"], "content_digest": collection.digest, "synthetic": recipe["synthetic"]}


@contextlib.contextmanager
def drafted(collection: Collection, masks: Sequence[str], scales: Mapping[str, float]) -> Iterator[SplitView]:
    """View of masks as they will be read, but for degradation.

    Its digest depends on nothing but masks and scales, so that what is measured of it is found again.
    """
    facts = {
        "collection": collection_facts(collection),
        "request": {},
        "scale": {"sizes": len({*scales.values()})} if scales else None,
        "degrade": None,
    }
    with tempfile.TemporaryDirectory(prefix="hqdata-") as place:
        split = write_split(Path(place), "draft", collection.folder, facts, ids_table(masks, {}, scales))
        yield open_view(split.path, collection)
