"""Masks that a model made of a collection's images: computed once, kept as run-length codes in ``DIR.derived/``.

They are the one kind of degraded masks that cannot be computed when they are read. Where the model's mask came out too
different, the original is kept, and the table says so.
"""

import re
import secrets
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hqdata.errors import StoreCorrupt, UsageError, explain
from hqdata.fsio.atomic import atomic_file
from hqdata.fsio.digest import digest_of
from hqdata.store.chosen import masks_of_samples
from hqdata.store.derived import all_derived, derived_folder, publish_derived, read_derived_table, table_file
from hqdata.store.reader import Collection

MASKS = "masks"
VERSION = 1
MASKS_SCHEMA = pa.schema(
    [
        ("mask_id", pa.string()),
        ("size", pa.list_(pa.int32())),
        ("counts", pa.string()),
        ("kept_original", pa.bool_()),
        ("iou", pa.float64()),
    ]
)
"""One row a mask, sorted by ``mask_id``. ``size`` (height, width) and ``counts``: the model's mask as a COCO run-length
code, of the stored image's size; null where ``kept_original``. ``iou``: of the model's mask with the original, whether
it is read or not; null where there is none."""
_WORD = re.compile(r"[a-z0-9][a-z0-9._-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Materialised:
    """Masks as they were published."""

    name: str
    """Word and digest, ``WORD-1a2b3c4d``: other masks have another name. It is what a split asks for."""
    folder: Path


def publish_masks(
    collection: Collection, word: str, rows: Iterable[Mapping[str, Any]], facts: Mapping[str, Any]
) -> Materialised:
    """Write the masks that a model made beside a collection.

    Args:
        collection: whose images the model saw.
        word: first part of the name, such as ``sam-l-box``.
        rows: of :data:`MASKS_SCHEMA`, in any order; also for the masks that were not replaced.
        facts: what made them: model, prompts, limits; plain data.

    Returns:
        Their name and folder; equal ones that are there already are kept.

    Raises:
        UsageError: a row that does not fit the collection; nothing was written.
    """
    if not _WORD.fullmatch(word):
        raise UsageError(explain(f"masks cannot be named {word!r}", expected="lower-case letters, digits, . _ -"))
    listed = sorted((dict(row) for row in rows), key=lambda row: str(row["mask_id"]))
    _check(collection, listed)
    digest = digest_of({"content": collection.digest, "word": word, "facts": dict(facts), "rows": listed})
    name = f"{word}-{digest[:8]}"
    final = derived_folder(collection.folder, MASKS, digest)
    partial = final.with_name(f".{final.name}.{secrets.token_hex(4)}")
    partial.mkdir(parents=True)
    try:
        with atomic_file(partial / table_file(MASKS)) as sink:
            table = pa.Table.from_pylist(listed, MASKS_SCHEMA)
            pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
        kept = sum(bool(row["kept_original"]) for row in listed)
        own = {"content_digest": collection.digest, "name": name, "rows": len(listed), "kept_original": kept}
        publish_derived(partial, final, kind=MASKS, version=VERSION, facts={"made": dict(facts), **own})
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Materialised(name=name, folder=final)


def _check(collection: Collection, rows: list[dict[str, Any]]) -> None:
    """Hold rows against the collection: masks that there are, each once, of their image's size."""
    columns = collection.table.select(["sample_id", "width", "height"]).to_pydict().values()
    numbers = masks_of_samples(collection).tolist()
    sizes = {
        f"{name}#{k}": [height, width]
        for name, width, height, number in zip(*columns, numbers, strict=True)
        for k in range(number)
    }
    before = None
    for row in rows:
        mask_id, kept = row["mask_id"], row["kept_original"]
        size = sizes.get(mask_id)
        has_code = row["size"] is not None and row["counts"] is not None
        if size is None or mask_id == before or kept is has_code or (has_code and list(row["size"]) != size):
            raise UsageError(
                explain(
                    f"the row of mask {mask_id} does not fit {collection.folder}",
                    expected=f"one row a mask, a code of height and width {size}, or kept_original and no code",
                    got={key: row[key] for key in ("size", "kept_original")} | {"counts": row["counts"] is not None},
                    did="nothing was written",
                )
            )
        before = mask_id


def read_masks(collection: Path, name: str, mask_ids: pa.ChunkedArray) -> pa.Table:
    """Rows of some masks, in :data:`MASKS_SCHEMA`, in the order of ``mask_ids``.

    Args:
        collection: the collection's folder.
        name: as :func:`publish_masks` gave it.
        mask_ids: which ones.

    Raises:
        StoreCorrupt: there are none of that name, or they lack some of the masks.
    """
    found = {index["name"]: folder for index, folder in all_derived(collection, MASKS)}
    if name not in found:
        raise StoreCorrupt(
            explain(
                f"{collection} has no masks {name!r} that a model made",
                expected=f"{MASKS}-.../ of that name in {collection.resolve().name}.derived/",
                got=", ".join(sorted(found)) or "none",
                do="put them there; making them takes a model, and hqdata.training, which will do it, is not there yet",
            )
        )
    table = read_derived_table(found[name], MASKS)
    places = pc.index_in(mask_ids, value_set=table["mask_id"])
    if places.null_count:
        lacking = mask_ids.filter(pc.is_null(places))
        raise StoreCorrupt(
            explain(
                f"the masks {name!r} that a model made lack {len(lacking):,} of {len(mask_ids):,}",
                got=f"none for {lacking[0]}, for one",
                do="have masks made for the whole collection",
            )
        )
    return table.take(places)
