"""A split, read as a collection of its own: the samples and masks that it names, as it says that they are read.

Nothing is copied. A view holds positions in its collection; rows come from the collection's memory-mapped shards, and
pixels change, where the split changes them, when they are asked for.
"""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hqdata.arrays import FloatArray, IntArray, UInt8Array
from hqdata.errors import StoreCorrupt, explain
from hqdata.schema import SAMPLE_SCHEMA
from hqdata.store.chosen import Chosen, find_chosen
from hqdata.store.derived import all_derived, read_derived_table, table_file
from hqdata.store.hf_rows import AsRead
from hqdata.store.materialised import read_masks
from hqdata.store.reader import STATS, Collection, Sample
from hqdata.store.reading import Reading, ReadSample
from hqdata.store.split import SAM, Degradation, Split, collection_folder, read_split

if TYPE_CHECKING:
    import datasets

SPLIT_STATS = f"split_{STATS}"
"""Kind of derived table: statistics of the pixels that a split reads, where they are not the stored ones."""


class SplitView(Collection):
    """The samples of a split; ``view[i]`` and ``view[sample_id]`` are :class:`~hqdata.store.reader.Sample`.

    Samples come in the order of the split's ids: where images have one mask each, ``view[i]`` is ``mask_ids[i]``.
    ``folder``, ``index`` and ``rejects`` are the collection's, ``digest`` is the split's.

    Raises:
        StoreCorrupt: the split was made from another content, or names masks that there are not.
    """

    def __init__(self, definition: Split, collection: Collection) -> None:
        super().__init__(collection_folder(definition, collection.folder))
        self.definition = definition
        """The split as its files say it."""
        self.collection = collection
        """All of what it was made from."""
        self._require_whole()

    @cached_property
    def _chosen(self) -> Chosen:
        return find_chosen(self.definition, self.collection)

    def _require_whole(self) -> None:
        """Find now, not in the middle of a training, what the split lacks to be read."""
        got, chosen = None, self._chosen
        scales = self._scales[chosen.rows]
        of_sample = np.repeat(scales[chosen.starts[:-1]], np.diff(chosen.starts))
        if not ((scales > 0) & (scales <= 1) & (scales == of_sample)).all():
            got = "a scale that is not above 0 and at most 1, or two of one image"
        worse = self._worse
        if worse is not None and worse.kind != SAM:
            sources = set(pc.unique(self.collection.table["source"].take(pa.array(self.positions))).to_pylist())
            if lacking := sorted(sources - worse.strengths.keys()):
                got = f"no strength for {', '.join(lacking)}"
        if got is not None:
            raise StoreCorrupt(
                explain(f"split {self.definition.name} cannot be read", got=got, do="make the split again")
            )

    @cached_property
    def _worse(self) -> Degradation | None:
        return self.definition.degradation

    @cached_property
    def _scales(self) -> FloatArray:
        """``float64[masks]``, in the order of the ids."""
        return np.asarray(pc.fill_null(self.definition.ids["scale"], 1.0), np.float64)

    @property
    def positions(self) -> IntArray:
        """``int64[samples]``: where the samples lie in the collection."""
        return self._chosen.positions

    @cached_property
    def mask_ids(self) -> list[str]:
        """Ids of the split's masks, sorted; weights and statistics come in the same order."""
        return self.definition.mask_ids

    @property
    def weights(self) -> FloatArray:
        """``float64[masks]``: how often each mask is drawn in training, relative to a mean of 1."""
        return np.asarray(pc.fill_null(self.definition.ids["weight"], 1.0), np.float64)

    @cached_property
    def table(self) -> pa.Table:
        """Stored rows of the samples, all their masks included: slices of the memory-mapped shards, nothing copied."""
        return pa.Table.from_batches(list(self._slices()), SAMPLE_SCHEMA)

    def _slices(self) -> Iterator[pa.RecordBatch]:
        """Runs of samples that lie one after the other in a batch of the collection."""
        batches, firsts = self.collection._batches
        which = np.searchsorted(firsts, self.positions, side="right") - 1
        breaks = np.flatnonzero((np.diff(self.positions) != 1) | (np.diff(which) != 0)) + 1
        for run in np.split(np.arange(len(self)), breaks) if len(self) else ():
            number = int(which[run[0]])
            yield batches[number].slice(int(self.positions[run[0]]) - firsts[number], len(run))

    @cached_property
    def sample_ids(self) -> tuple[str, ...]:
        """Ids in the view's order."""
        return tuple(self.collection.table["sample_id"].take(pa.array(self.positions)).to_pylist())

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, key: int | str) -> Sample:
        """Return a sample by position or id, as read; IndexError or KeyError where there is none."""
        position = self.position(key) if isinstance(key, str) else range(len(self))[key]
        row = self.collection[int(self.positions[position])].row
        ks = self.ks(position)
        if row["mask"] is None:
            row["masks"] = [row["masks"][k] for k in ks]
        if not self.definition.changes_pixels:
            return Sample(row, ks)
        return ReadSample(row, ks, reading=self.reading(position))

    def read_mask(self, mask_id: str) -> UInt8Array:
        """One mask as read, ``uint8[H, W]``, 0 to 255, without its image; KeyError if it is not in the split."""
        sample_id, _, k = mask_id.rpartition("#")
        sample = self[sample_id]
        if mask_id not in sample.mask_ids:
            raise KeyError(mask_id)
        return sample.greys(int(k))

    def position(self, sample_id: str) -> int:
        """Where a sample lies in the view; KeyError if it does not."""
        return self._positions[sample_id]

    def ks(self, position: int) -> tuple[int, ...]:
        """Numbers of the masks that the split takes of a sample, rising."""
        return self._chosen.ks(position)

    def reading(self, position: int) -> Reading:
        """How the sample at a position is read."""
        rows = self._chosen.of(position)
        scale, worse = float(self._scales[rows[0]]), self._worse
        if worse is None:
            return Reading(scale=scale, made={})
        if worse.kind == SAM:
            codes = self._made.take(pa.array(rows)).to_pylist()
            made = {code["mask_id"]: code for code in codes if not code["kept_original"]}
            return Reading(scale=scale, kind=SAM, made=made)
        strength = worse.strengths[self.sample_ids[position].partition("/")[0]]
        return Reading(scale=scale, kind=worse.kind, strength=strength, seed=worse.seed, made={})

    @cached_property
    def _made(self) -> pa.Table:
        """Masks that a model made, in the order of the ids."""
        name = self._worse.name if self._worse else None
        return read_masks(self.folder, str(name), self.definition.ids["mask_id"])

    def __repr__(self) -> str:
        name, masks = self.definition.name, self.definition.ids.num_rows
        return f"<SplitView {name}: {len(self):,} samples, {masks:,} masks, {self.digest[:12]}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the place, not the tables: data loaders send views to their workers."""
        return reopen_view, (self.definition.path, self.collection, self.digest)

    @property
    def digest(self) -> str:
        """Digest of the split: of its masks and of how they are read, too."""
        return self.definition.digest

    @cached_property
    def stats(self) -> pa.Table:
        """Statistics of the masks as read, in the order of ``mask_ids``; docs/statistics.md has every column.

        Raises:
            StoreCorrupt: they cannot be read, or have not been computed yet; the text names the command.
        """
        path = self.stats_file()
        if path is None:
            raise StoreCorrupt(
                explain(
                    f"split {self.definition.name} has no statistics yet",
                    expected=f"{self.stats_kind}-.../ of it in {self.folder.resolve().name}.derived/",
                    got="none",
                    do=f"run `hqdata stats {self.definition.path}`",
                )
            )
        table = read_derived_table(path.parent, self.stats_kind)
        places = pc.index_in(self.definition.ids["mask_id"], value_set=table["mask_id"])
        if places.null_count:
            raise StoreCorrupt(explain(f"{path} lacks {places.null_count:,} masks of its collection", do="delete it"))
        return table.take(places)

    @property
    def stats_kind(self) -> str:
        """Kind of derived table that holds the statistics: the collection's own, unless the split changes pixels."""
        return SPLIT_STATS if self.definition.changes_pixels else STATS

    def stats_file(self) -> Path | None:
        """Table of statistics of at least the split's masks, as read; None if it is not computed yet."""
        found = all_derived(self.folder, self.stats_kind)
        if self.definition.changes_pixels:
            found = [(index, folder) for index, folder in found if index["split_digest"] == self.digest]
        return found[-1][1] / table_file(self.stats_kind) if found else None

    def to_hf(self) -> "datasets.Dataset":
        """Open the same files with Hugging Face ``datasets``: a selection of rows, no pixel copied.

        Where the split changes pixels or takes some masks of an image only, rows are changed when they are read, by a
        transform that needs the column ``sample_id``.
        """
        whole = self.collection.to_hf().select(self.positions)
        changes = self._chosen.partial or self.definition.changes_pixels
        return whole.with_transform(AsRead(self)) if changes else whole


def open_view(path: Path | str, collection: Collection | None = None) -> SplitView:
    """Open a split to read it.

    Args:
        path: its file, ``NAME.split.json``.
        collection: what it was made of, if not where the split says.

    Raises:
        StoreCorrupt: it is no split, damaged, made from another content, or its collection is not there.
    """
    definition = read_split(Path(path))
    if collection is None:
        collection = Collection(collection_folder(definition))
    whole = collection.collection if isinstance(collection, SplitView) else collection
    return SplitView(definition, whole)


def reopen_view(path: Path, collection: Collection, digest: str) -> SplitView:
    """Open a view again, in another process.

    Raises:
        StoreCorrupt: the split was replaced in the meantime.
    """
    view = open_view(path, collection)
    if view.digest != digest:
        raise StoreCorrupt(
            explain(f"{path} was replaced while it was in use", expected=digest[:12], got=view.digest[:12])
        )
    return view
