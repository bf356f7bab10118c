"""The listing of a draw: which members it took from which tar, as a small table that lies in the collection.

With it the collection can stand in for a tar that is gone: what the tar had to offer to a draw of this size is there.
"""

from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from hqdata.errors import StoreCorrupt, explain
from hqdata.fsio.atomic import atomic_file

LISTING = "drawn.parquet"
LISTING_SCHEMA = pa.schema(
    [
        ("tar", pa.string()),
        ("sample_id", pa.string()),
        ("image", pa.string()),
        ("image_bytes", pa.int64()),
        ("record", pa.string()),
        ("record_bytes", pa.int64()),
        ("taken", pa.bool_()),
    ]
)


@dataclass(frozen=True, slots=True, order=True)
class Listed:
    """One image of a draw, or one of the same name in a later tar."""

    tar: str
    sample_id: str
    image: str
    """Name of the member."""
    image_bytes: int
    record: str
    record_bytes: int
    taken: bool
    """Whether it was taken, even if it became a reject; False where an earlier tar has an image of its name."""


def write_listing(folder: Path, rows: Iterable[Listed]) -> None:
    """Write the listing, sorted."""
    columns = list(zip(*map(astuple, sorted(rows)), strict=True)) or [()] * len(LISTING_SCHEMA)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, LISTING_SCHEMA, strict=True)]
    with atomic_file(folder / LISTING) as sink:
        table = pa.Table.from_arrays(arrays, schema=LISTING_SCHEMA)
        pq.write_table(table, sink, compression="zstd", write_page_checksum=True)


def read_listing(folder: Path) -> list[Listed]:
    """Read the listing of a collection.

    Raises:
        StoreCorrupt: it is damaged.
    """
    try:
        table = pq.read_table(folder / LISTING, page_checksum_verification=True)
    except (OSError, pa.ArrowException) as error:
        problem = explain(f"{folder / LISTING} is damaged", did="nothing was built", do="run `hqdata verify` on it")
        raise StoreCorrupt(problem) from error
    return [Listed(*row) for row in zip(*(table[item.name].to_pylist() for item in fields(Listed)), strict=True)]
