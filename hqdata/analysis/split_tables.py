"""What SQL sees of splits: the table ``splits``, and the collection's tables behind a filter by the split's masks."""

import operator
from collections.abc import Mapping
from functools import reduce

import pyarrow as pa
import pyarrow.dataset as ds

from hqdata.analysis.findings import DUPLICATES
from hqdata.store.reader import Collection
from hqdata.store.split import SAM
from hqdata.store.view import SplitView

SPLITS = "splits"
SPLITS_SCHEMA = pa.schema(
    [
        ("collection", pa.string()),
        ("mask_id", pa.string()),
        ("weight", pa.float64()),
        ("scale", pa.float64()),
        ("degraded", pa.string()),
        ("strength", pa.float64()),
    ]
)
_BOTH = {DUPLICATES: ("mask_id", "other_mask_id")}
"""Tables of which a row belongs to a split only if both masks do."""


def splits_table(collections: Mapping[str, Collection]) -> ds.Dataset | None:
    """Every mask of every split, and how it is read; None if there is no split."""
    parts = [_rows(name, item) for name, item in collections.items() if isinstance(item, SplitView)]
    return ds.dataset(pa.concat_tables(parts)) if parts else None


def _rows(name: str, view: SplitView) -> pa.Table:
    ids, worse = view.definition.ids, view.definition.degradation
    strengths = pa.nulls(ids.num_rows, pa.float64())
    if worse is not None and worse.kind != SAM:
        strengths = pa.array([worse.strengths[mask_id.partition("/")[0]] for mask_id in view.mask_ids], pa.float64())
    kind = pa.scalar(worse.kind if worse else None, pa.string())
    read = [ids[key] for key in ("mask_id", "weight", "scale")]
    return pa.table([pa.repeat(name, ids.num_rows), *read, pa.repeat(kind, ids.num_rows), strengths], SPLITS_SCHEMA)


def of_splits(kind: str, dataset: ds.Dataset, collections: Mapping[str, Collection]) -> ds.Dataset:
    """Leave of a table of masks what belongs to the splits, and everything that belongs to collections.

    The filter is part of the dataset: no second table is registered, and no query can look behind it.
    """
    if not any(isinstance(collection, SplitView) for collection in collections.values()):
        return dataset
    terms = []
    for name, collection in collections.items():
        term = ds.field("collection") == name
        if isinstance(collection, SplitView):
            ids = collection.definition.ids["mask_id"].combine_chunks()
            for column in _BOTH.get(kind, ("mask_id",)):
                term &= ds.field(column).isin(ids)
        terms.append(term)
    return dataset.filter(reduce(operator.or_, terms))
