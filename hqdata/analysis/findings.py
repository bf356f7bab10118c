"""What an audit finds: three tables, one row a finding, and the words in them.

``duplicates`` and ``leaks`` relate two masks, ``suspects`` name one. Every row says what should be removed, if
anything, and why; nothing is removed by an audit. A table is kept in ``DIR.derived/KIND-<digest>/KIND.parquet``.
"""

import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from hqdata.fsio.atomic import atomic_file
from hqdata.store.derived import derived_digest, derived_folder, publish_derived, read_derived_table, table_file
from hqdata.store.reader import Collection

DUPLICATES: Final = "duplicates"
LEAKS: Final = "leaks"
SUSPECTS: Final = "suspects"

LEVELS: dict[str, str] = {
    "pair": "the same image with the same mask",
    "image": "the same image with another mask",
    "object": "the same object before another background",
    "background": "the same background behind another object",
    "mask": "the same mask on another image",
}
"""How much two samples share, the most first."""

CHANGES: dict[str, str] = {
    "identical": "the image files are equal byte for byte",
    "re-encoded": "nearly the same pixels from other bytes",
    "rescaled": "the sizes differ by more than 2 %",
    "mirrored": "mirrored left to right",
    "turned": "turned by more than 2 degrees",
    "cropped": "one image shows a part of the other only",
    "recoloured": "brightness, contrast or colours differ",
}
"""What was done to one image to get the other; a row may have several."""

KINDS: dict[str, str] = {
    "erratum": "the source's authors or users have reported a fault of this sample",
    "empty": "no pixel is foreground",
    "full": "every pixel is foreground",
    "inverted": "foreground and background seem exchanged",
    "shifted": "the mask would fit the image better some pixels away",
    "swapped": "the mask fits another image of the collection better, and that one's mask fits here",
    "other_image": "the mask's edge lies on no edge of the image",
    "coarse": "straight segments or steps where the image has detail",
    "unlabelled": "a part of the image that looks like the object is not in the mask",
}
"""Kinds of suspect annotations, the certain ones first."""

_RELATION: list[tuple[str, pa.DataType, str, str]] = [
    ("mask_id", pa.string(), "", "mask of the audited collection"),
    ("other_mask_id", pa.string(), "", "the other mask; of the evaluation collection in `leaks`"),
    ("source", pa.string(), "", "source of mask_id"),
    ("other_source", pa.string(), "", "source of other_mask_id"),
    ("level", pa.string(), "", "what they share: pair, image, object, background or mask"),
    (
        "changes",
        pa.list_(pa.string()),
        "",
        "what was done to the image; words of `hqdata audit --help`",
    ),
    ("similarity", pa.float64(), "1", "share of the compared tiles that agree (correlation of 0.7 or more)"),
    ("overlap", pa.float64(), "1", "share of the image of mask_id that the other image covers"),
    ("other_overlap", pa.float64(), "1", "share of the other image that the image of mask_id covers"),
    ("mask_iou", pa.float64(), "1", "IoU of the masks where the images overlap, one brought onto the other"),
    ("group", pa.int64(), "", "number of the group of samples with equal images; NULL for other levels"),
    ("remove", pa.string(), "", "mask_id that the clean split leaves out; NULL if none"),
    ("reason", pa.string(), "", "why that one, or why none"),
]
_AGAINST: list[tuple[str, pa.DataType, str, str]] = [
    ("against", pa.string(), "", "folder name of the evaluation collection when the audit ran"),
    ("against_digest", pa.string(), "", "content digest of the evaluation collection"),
]
_SUSPECT: list[tuple[str, pa.DataType, str, str]] = [
    ("mask_id", pa.string(), "", "the mask"),
    ("source", pa.string(), "", "its source"),
    ("kind", pa.string(), "", "what seems wrong: a word of `hqdata audit --help`"),
    ("rank", pa.int32(), "", "place among the suspects of its kind, 1 first"),
    ("score", pa.float64(), "1", "0 to 1, comparable within a kind only; no probability"),
    ("other_mask_id", pa.string(), "", "for `swapped` and `other_image`: the mask or image that fits; else NULL"),
    ("remove", pa.string(), "", "mask_id if the clean split leaves it out; NULL if a person should look first"),
    ("reason", pa.string(), "", "what was measured, in a sentence"),
]

Columns: TypeAlias = Sequence[tuple[str, pa.DataType, str, str]]
COLUMNS: dict[str, Columns] = {
    DUPLICATES: _RELATION,
    LEAKS: [*_AGAINST, *_RELATION],
    SUSPECTS: _SUSPECT,
}
"""Name, type, unit and meaning of every column, by table."""
SCHEMAS: dict[str, pa.Schema] = {
    kind: pa.schema([(name, arrow) for name, arrow, _, _ in columns]) for kind, columns in COLUMNS.items()
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What was found in a collection, as the report shows it."""

    collection: Collection
    against: tuple[Collection, ...]
    """Evaluation collections."""
    duplicates: pa.Table
    leaks: pa.Table
    suspects: pa.Table


def publish_findings(
    collection: Collection, kind: str, version: int, facts: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]
) -> Path:
    """Write a table of findings beside a collection.

    Args:
        collection: the audited collection.
        kind: ``duplicates``, ``leaks`` or ``suspects``.
        version: of the search.
        facts: what else decides the rows, such as versions of libraries and the digest of another collection.
        rows: the findings, sorted.

    Returns:
        The derived folder; an equal one that is there already is kept.
    """
    final = findings_folder(collection, kind, version, facts)
    partial = final.with_name(f".{final.name}.{secrets.token_hex(4)}")
    partial.mkdir(parents=True)
    try:
        with atomic_file(partial / table_file(kind)) as sink:
            table = pa.Table.from_pylist([dict(row) for row in rows], SCHEMAS[kind])
            pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
        publish_derived(
            partial,
            final,
            kind=kind,
            version=version,
            facts={**facts, "content_digest": collection.digest, "rows": len(rows)},
        )
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return final


def findings_folder(collection: Collection, kind: str, version: int, facts: Mapping[str, Any]) -> Path:
    """Where a table of findings lies, or would lie."""
    return derived_folder(collection.folder, kind, derived_digest(collection.digest, version, facts))


def read_findings(folder: Path, kind: str) -> pa.Table:
    """Table of findings in a derived folder.

    Raises:
        StoreCorrupt: it cannot be read.
    """
    return read_derived_table(folder, kind)
