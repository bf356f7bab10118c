"""Parquet shards of samples, for the Hugging Face Hub: bounded row groups, bounded files, page checksums.

Images and masks are written as they are, uncompressed: JPEG and PNG do not get smaller, and a reader that wants one
row can take its page as it lies. Every shard is read back and compared with the collection before it counts.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hqdata.errors import StoreCorrupt, explain
from hqdata.fsio.atomic import atomic_file
from hqdata.limits import DEFAULT

GROUP_BYTES = DEFAULT.batch_bytes
"""Most bytes of one row group; the Hub's viewer shows no rows of groups above 286 MiB."""
SHARD_BYTES = 480_000_000
"""Most bytes of one file, as the Hub advises: below 500 MB."""

Rows = tuple[int, int]
"""First row and the row after the last."""
_PIXELS = ("image", "mask")
_WORDS = ("source", "part", "flags", "errata")


def plan_shards(
    sizes: Sequence[int], group_bytes: int = GROUP_BYTES, shard_bytes: int = SHARD_BYTES
) -> list[list[Rows]]:
    """Cut rows into files and row groups.

    Args:
        sizes: bytes of each row, in order.
        group_bytes: most bytes of a group; a larger row is a group of its own.
        shard_bytes: most bytes of a file; a larger group is a file of its own.

    Returns:
        For each file, its row groups.

    >>> plan_shards([3, 3, 3, 9, 1], group_bytes=6, shard_bytes=10)
    [[(0, 2), (2, 3)], [(3, 4), (4, 5)]]
    """
    shards: list[list[Rows]] = []
    group = shard = 0
    for row, size in enumerate(sizes):
        if not shards or shard + size > shard_bytes:
            shards.append([(row, row)])
            group = shard = 0
        elif group + size > group_bytes:
            shards[-1].append((row, row))
            group = 0
        shards[-1][-1] = (shards[-1][-1][0], row + 1)
        group += size
        shard += size
    return shards


def row_sizes(table: pa.Table) -> npt.NDArray[np.int64]:
    """Bytes of each row; pixels are not touched, only their offsets."""
    sizes = [batch.slice(row, 1).nbytes for batch in table.to_batches() for row in range(batch.num_rows)]
    return np.array(sizes, np.int64)


def rows_of(table: pa.Table, positions: npt.NDArray[np.int64]) -> pa.Table:
    """Rows at ascending positions, as one chunk, so that the bytes written do not depend on the collection's batches.

    ``Table.take`` would join all chunks of a column first, which binary columns above 2 GiB do not survive.
    """
    breaks = np.flatnonzero(np.diff(positions) != 1) + 1
    runs = [(int(run[0]), len(run)) for run in np.split(positions, breaks) if len(run)]
    return pa.concat_tables([table.slice(start, length) for start, length in runs]).combine_chunks()


def require_pixels(table: pa.Table) -> None:
    """Refuse an image or mask that is only a path: it would load elsewhere as a missing file.

    Raises:
        StoreCorrupt: it names the first such sample.
    """
    for column in _PIXELS:
        cell = table.column(column)
        data = pc.struct_field(cell, "bytes")
        held = pc.greater(pc.fill_null(pc.binary_length(data), 0), 0)
        needed = cell.is_valid() if column == "mask" else pa.chunked_array([pa.repeat(True, len(cell))])
        bad = pc.and_(needed, pc.invert(held))
        if pc.any(bad).as_py():
            sample_id = table.column("sample_id").filter(bad)[0].as_py()
            raise StoreCorrupt(explain(f"{sample_id} has no {column} bytes", did="the export was given up"))


def write_shard(
    path: Path, table: pa.Table, groups: Sequence[npt.NDArray[np.int64]], on_bytes: Callable[[int], None]
) -> None:
    """Write row groups into one Parquet file and compare what lies there with what was meant.

    Args:
        path: the file.
        table: the collection's rows; the metadata of its schema tells ``datasets`` which columns are images.
        groups: for each row group, its rows in the table.
        on_bytes: is told of each group that is written.

    Raises:
        StoreCorrupt: image bytes are missing, or the file does not read back as what was written.
    """
    with atomic_file(path) as sink, pq.ParquetWriter(sink, table.schema, **_options(table.schema)) as writer:
        for positions in groups:
            rows = rows_of(table, positions)
            require_pixels(rows)
            writer.write_table(rows, row_group_size=len(rows))
            on_bytes(rows.nbytes)
    with pq.ParquetFile(path, page_checksum_verification=True) as written:
        for number, positions in enumerate(groups):
            if not _same(written.read_row_group(number), rows_of(table, positions)):
                raise StoreCorrupt(
                    explain(f"{path.name} does not hold what was written", did="the export was given up")
                )


def _same(one: pa.Table, other: pa.Table) -> bool:
    """Whether two tables hold the same; of run-length masks their codes are compared, whose attributes may be NaN."""
    codes = [pc.struct_field(pc.list_flatten(table.column("masks")), "counts") for table in (one, other)]
    plain = [table.drop_columns("masks") for table in (one, other)]
    return bool(plain[0].equals(plain[1]) and codes[0].equals(codes[1]))


def _options(schema: pa.Schema) -> dict[str, object]:
    """How columns are stored, by the path of their leaves."""
    sink = pa.BufferOutputStream()
    pq.write_table(schema.empty_table(), sink)
    layout = pq.read_metadata(pa.BufferReader(sink.getvalue())).schema
    leaves = [layout.column(position).path for position in range(len(layout))]
    pixels = {f"{column}.bytes" for column in _PIXELS}
    return {
        "compression": {leaf: "NONE" if leaf in pixels else "ZSTD" for leaf in leaves},
        "use_dictionary": [leaf for leaf in leaves if leaf.partition(".")[0] in _WORDS],
        "write_statistics": [leaf for leaf in leaves if leaf not in pixels],
        "write_page_index": True,
        "write_page_checksum": True,
    }
