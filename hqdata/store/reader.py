"""Reading a collection: a map-style dataset of numpy arrays over memory-mapped shards."""

import bisect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from hqdata.arrays import UInt8Array
from hqdata.errors import HQDataError, StoreCorrupt, explain
from hqdata.masks import rle
from hqdata.schema import SAMPLE_SCHEMA
from hqdata.sources.decode import decode_mask_bytes, open_image, to_rgb
from hqdata.sources.orientation import to_display
from hqdata.store.derived import read_derived_table, require_derived
from hqdata.store.index import read_index
from hqdata.store.writer import REJECTS

if TYPE_CHECKING:
    import datasets

    from hqdata.store.view import SplitView

STATS = "stats"


@dataclass(frozen=True)
class Sample:
    """One row of a collection. Image and mask are decoded when they are first asked for."""

    row: dict[str, Any]
    chosen: tuple[int, ...] | None = None
    """Which of the collection's masks these are, where a split took some of them only; None for all."""

    @property
    def sample_id(self) -> str:
        """``source/part/stem``."""
        return str(self.row["sample_id"])

    @property
    def source(self) -> str:
        """Name of the source."""
        return str(self.row["source"])

    @property
    def part(self) -> str:
        """Name of the part."""
        return str(self.row["part"])

    @property
    def flags(self) -> tuple[str, ...]:
        """Words of :data:`hqdata.schema.FLAGS`."""
        return tuple(self.row["flags"])

    @property
    def errata(self) -> tuple[str, ...]:
        """Known faults of the sample in its source."""
        return tuple(self.row["errata"])

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.row["width"], self.row["height"]

    @property
    def orientation(self) -> int:
        """Orientation (1 to 8) that the original image's tag asked for; pixels are in stored order."""
        return next((int(flag[-1]) for flag in self.flags if flag[:-1] == "orientation_"), 1)

    @property
    def encoded(self) -> bytes | None:
        """File of the image; None where it is read at another size than the file's."""
        return bytes(self.row["image"]["bytes"])

    def picture(self) -> Image.Image:
        """The image in its own pixel format, decoded anew at each call."""
        return open_image(self.row["image"]["bytes"]).image

    @cached_property
    def image(self) -> UInt8Array:
        """``uint8[H, W, 3]``, RGB, in stored order."""
        return to_rgb(self.picture())

    @cached_property
    def mask(self) -> UInt8Array:
        """``uint8[H, W]``, 0 to 255, in the image's order; foreground is above 127.

        Raises:
            HQDataError: the collection has many masks an image; they are in ``masks``.
        """
        if self.row["mask"] is None:
            raise HQDataError(
                explain(f"{self.sample_id} has no single mask", do="read its run-length codes in `masks`")
            )
        return decode_mask_bytes(self.row["mask"]["bytes"])

    @property
    def masks(self) -> list[dict[str, Any]]:
        """COCO run-length codes with their attributes; empty where there is a single mask."""
        return list(self.row["masks"] or []) if self.row["mask"] is None else []

    def stated(self, k: int) -> Mapping[str, Any] | None:
        """What the source states of mask number ``k`` of ``ks``, as stored: id, area, bbox, predicted_iou, ...

        None where it states nothing, as of masks that are images.
        """
        items = self.row["masks"]
        return items[self.ks.index(k)] if items else None

    @property
    def ks(self) -> tuple[int, ...]:
        """Number of each mask among those that the collection holds of the image: 0 for a single mask."""
        if self.chosen is not None:
            return self.chosen
        return tuple(range(len(self.row["masks"] or ()) if self.row["mask"] is None else 1))

    @property
    def mask_ids(self) -> tuple[str, ...]:
        """``sample_id#k`` of each mask."""
        return tuple(f"{self.sample_id}#{k}" for k in self.ks)

    def greys(self, k: int) -> UInt8Array:
        """Mask number ``k`` of ``ks``, single or not: ``uint8[H, W]``, 0 to 255."""
        if self.row["mask"] is not None:
            return self.mask
        return rle.decode(self.row["masks"][self.ks.index(k)]) * np.uint8(255)

    def original(self, k: int) -> UInt8Array:
        """Mask number ``k`` of ``ks`` before a split made it worse, if one did: ``uint8[H, W]``, 0 to 255."""
        return self.greys(k)

    def each_mask(self) -> Iterator[UInt8Array]:
        """Every mask as greys, one at a time, in the order of ``mask_ids``."""
        return (self.greys(k) for k in self.ks)

    def upright(self) -> tuple[UInt8Array, UInt8Array]:
        """Image and mask as a person would see them."""
        return to_display(self.image, self.orientation), to_display(self.mask, self.orientation)


class Collection:
    """A finished collection; ``collection[i]`` and ``collection[sample_id]`` are :class:`Sample`.

    Raises:
        StoreCorrupt: no index, a damaged one, or a shard whose size differs from it.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.index = read_index(self.folder)
        self._shards = [item for item in self.index["files"] if item["name"].endswith(".arrow")]
        for item in self._shards:
            path = self.folder / item["name"]
            size = path.stat().st_size if path.is_file() else None
            if size != item["bytes"]:
                raise StoreCorrupt(
                    explain(f"{path} differs from the index", expected=f"{item['bytes']} bytes", got=size or "no file")
                )

    @cached_property
    def table(self) -> pa.Table:
        """Every row as an Arrow table over memory-mapped shards; nothing is decoded or copied."""
        parts = []
        for item in self._shards:
            with pa.memory_map(str(self.folder / item["name"])) as source, pa.ipc.open_stream(source) as stream:
                parts.append(stream.read_all())
        return pa.concat_tables(parts) if parts else SAMPLE_SCHEMA.empty_table()

    @cached_property
    def _batches(self) -> tuple[list[pa.RecordBatch], list[int]]:
        """Record batches, and the row at which each one starts."""
        batches, starts, total = self.table.to_batches(), [], 0
        for batch in batches:
            starts.append(total)
            total += batch.num_rows
        return batches, starts

    @cached_property
    def sample_ids(self) -> tuple[str, ...]:
        """Ids in stored order."""
        return tuple(self.table.column("sample_id").to_pylist())

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {sample_id: position for position, sample_id in enumerate(self.sample_ids)}

    def __len__(self) -> int:
        return int(self.index["rows"])

    def __getitem__(self, key: int | str) -> Sample:
        """Return a sample by position or id; IndexError or KeyError where there is none."""
        if isinstance(key, str):
            key = self._positions[key]
        position = range(len(self))[key]
        batches, starts = self._batches
        which = bisect.bisect_right(starts, position) - 1
        row = batches[which].slice(position - starts[which], 1).to_pylist()[0]
        return Sample(row)

    def __iter__(self) -> Iterator[Sample]:
        return (self[position] for position in range(len(self)))

    def __getstate__(self) -> dict[str, Any]:
        """Pickle the place, not the memory maps: data loaders send collections to their workers."""
        return {"folder": self.folder, "index": self.index, "_shards": self._shards}

    def __repr__(self) -> str:
        return f"<Collection {self.index['recipe']['name']}: {len(self):,} samples, {self.digest[:12]}>"

    @property
    def digest(self) -> str:
        """Content digest."""
        return str(self.index["content_digest"])

    @cached_property
    def rejects(self) -> pa.Table:
        """Members that did not become samples: source, archive, member, stage, reason, detail."""
        return pq.read_table(self.folder / REJECTS, page_checksum_verification=True)

    @cached_property
    def stats(self) -> pa.Table:
        """Statistics, one row a mask, keyed by ``mask_id``; docs/statistics.md has every column.

        Raises:
            StoreCorrupt: they cannot be read, or have not been computed for what the collection now holds; the text
                names the command.
        """
        folder = require_derived(self.folder, STATS, f"hqdata stats {self.folder}")
        return read_derived_table(folder, STATS)

    def split(self, path: Path | str) -> "SplitView":
        """Open a split that was made of this collection; it is read like a collection of its own.

        Args:
            path: its file, ``NAME.split.json``.

        Raises:
            StoreCorrupt: it is no split, damaged, or made from another content.
        """
        from hqdata.store.view import open_view  # noqa: PLC0415 - a view is a collection, too

        return open_view(path, self)

    def to_hf(self) -> "datasets.Dataset":
        """Open the same files with Hugging Face ``datasets``."""
        from datasets import load_from_disk  # noqa: PLC0415 - slow to import, and only this method needs it

        return load_from_disk(str(self.folder))
