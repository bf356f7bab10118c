"""Where the masks of a split lie in its collection: by sample, in the order of the split's ids."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hqdata.arrays import BoolArray, IntArray
from hqdata.errors import StoreCorrupt, explain
from hqdata.store.reader import Collection
from hqdata.store.split import Split


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Samples in the order in which the ids first name them; masks of a sample by rising k."""

    positions: IntArray
    """``int64[samples]``: where each lies in the collection."""
    starts: IntArray
    """``int64[samples + 1]``: where its masks begin in ``rows``."""
    rows: IntArray
    """``int64[masks]``: rows of the split's ids."""
    numbers: IntArray
    """``int64[masks]``: k of each of ``rows``."""
    partial: bool
    """Whether an image has masks that were not chosen."""

    def of(self, position: int) -> IntArray:
        """Rows of the ids that belong to a sample."""
        return self.rows[self.starts[position] : self.starts[position + 1]]

    def ks(self, position: int) -> tuple[int, ...]:
        """Numbers of a sample's chosen masks."""
        return tuple(self.numbers[self.starts[position] : self.starts[position + 1]].tolist())


def find_chosen(split: Split, collection: Collection) -> Chosen:
    """Find the masks of a split.

    Args:
        split: which ones.
        collection: what it was made from.

    Raises:
        StoreCorrupt: some are not there.
    """
    ids = split.ids["mask_id"].combine_chunks()
    parts = pc.extract_regex(ids, r"(?s)^(?P<sample_id>.*)#(?P<k>[0-9]{1,9})$")
    found = pc.index_in(parts.field("sample_id"), value_set=collection.table["sample_id"].combine_chunks())
    place = np.asarray(pc.fill_null(found, -1), np.int64)
    k = np.asarray(pc.cast(pc.if_else(parts.is_valid(), parts.field("k"), "0"), pa.int64()), np.int64)
    masks = np.append(masks_of_samples(collection), 0)
    _require(np.asarray(parts.is_valid()) & (k < masks[place]), split, collection)
    named, first, which = np.unique(place, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.argsort(order)[which]
    rows = np.lexsort((k, rank))
    counts = np.bincount(rank, minlength=len(named))
    return Chosen(
        positions=named[order],
        starts=np.append(0, np.cumsum(counts)).astype(np.int64),
        rows=rows,
        numbers=k[rows],
        partial=bool((counts < masks[named[order]]).any()),
    )


def masks_of_samples(collection: Collection) -> IntArray:
    """``int64[samples]``: how many masks each sample of a collection has; no pixel is read."""
    many = np.asarray(pc.fill_null(pc.list_value_length(collection.table["masks"]), 0), np.int64)
    return np.where(np.asarray(pc.is_valid(collection.table["mask"])), np.int64(1), many)


def _require(known: BoolArray, split: Split, collection: Collection) -> None:
    if not known.all():
        raise StoreCorrupt(
            explain(
                f"split {split.name} names masks that {collection.folder} does not hold",
                got=f"{int((~known).sum()):,} of {len(known):,}, such as {split.ids['mask_id'][int(np.argmin(known))]}",
                did="nothing was read",
                do="make the split again",
            )
        )
