"""Columns of the statistics as values of masks, and strata made of them."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from hqdata.analysis.splits.masks import source_of
from hqdata.analysis.stats_table import STATS
from hqdata.errors import UsageError, explain
from hqdata.store.reader import Collection
from hqdata.strict import nearest

SOURCE = "source"
BINS = 5
_NUMBERS = [stat.name for stat in STATS if not pa.types.is_string(stat.arrow)]


def values_of(collection: Collection, column: str, option: str) -> dict[str, float | None]:
    """Value of every mask in a column of the statistics.

    Raises:
        UsageError: no such column of numbers.
        StoreCorrupt: the collection has no statistics yet.
    """
    if column not in _NUMBERS:
        raise UsageError(explain(f'{option}: there is no column "{column}" of numbers', do=nearest(column, _NUMBERS)))
    table = collection.stats.select(["mask_id", column])
    return dict(zip(table["mask_id"].to_pylist(), table[column].to_pylist(), strict=True))


def strata(collection: Collection, mask_ids: Sequence[str], words: Sequence[str]) -> dict[str, tuple[object, ...]]:
    """Stratum of each mask: its source, or its bin among equally full bins of a column, or both.

    Args:
        collection: with statistics, where a column is named.
        mask_ids: which the bins are made of.
        words: ``source``, ``COLUMN`` (five bins) or ``COLUMN:BINS``.

    Raises:
        UsageError: no such column, or no such number of bins.
    """
    found: dict[str, tuple[object, ...]] = dict.fromkeys(mask_ids, ())
    for word in words:
        if word == SOURCE:
            labels: Mapping[str, object] = {mask_id: source_of(mask_id) for mask_id in mask_ids}
        else:
            labels = _bins(collection, mask_ids, word)
        found = {mask_id: (*found[mask_id], labels[mask_id]) for mask_id in mask_ids}
    return found


def _bins(collection: Collection, mask_ids: Sequence[str], word: str) -> dict[str, object]:
    """Bin of each mask; masks without a value are a stratum of their own."""
    column, colon, number = word.partition(":")
    if colon and not (number.isdecimal() and 2 <= int(number) <= 100):
        raise UsageError(explain(f"--stratify {word}", expected="COLUMN or COLUMN:BINS, 2 to 100 bins"))
    values = values_of(collection, column, "--stratify")
    known = np.array([values[mask_id] for mask_id in mask_ids if values[mask_id] is not None], float)
    bins = int(number) if colon else BINS
    edges = np.quantile(known, np.arange(1, bins) / bins) if known.size else np.zeros(0)
    found: dict[str, object] = {}
    for mask_id in mask_ids:
        value = values[mask_id]
        found[mask_id] = None if value is None else int(np.searchsorted(edges, value, side="right"))
    return found
