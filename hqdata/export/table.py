"""A table as CSV, JSON, Parquet or Arrow."""

import json
import math
from collections.abc import Callable
from typing import IO, Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

FORMATS = ("csv", "json", "parquet", "arrow")
SUFFIXES = {".csv": "csv", ".json": "json", ".parquet": "parquet", ".arrow": "arrow", ".feather": "arrow"}
BINARY = frozenset({"parquet", "arrow"})


def write_table(table: pa.Table, sink: IO[bytes], kind: str) -> None:
    """Write a table.

    Args:
        table: with names of columns that differ.
        sink: where to.
        kind: ``csv`` (lists and structs as JSON in a cell), ``json`` (an array of one object a row, NaN as null),
            ``parquet`` (zstd, page checksums) or ``arrow`` (IPC file, which Polars and pandas read as Feather).
    """
    _WRITERS[kind](table, sink)


def _csv(table: pa.Table, sink: IO[bytes]) -> None:
    for position, field in enumerate(table.schema):
        if not _fits_csv(field.type):
            texts = [None if value is None else json_text(value) for value in table.column(position).to_pylist()]
            table = table.set_column(position, field.name, pa.array(texts, pa.string()))
    pyarrow.csv.write_csv(table, sink)


def _fits_csv(kind: pa.DataType) -> bool:
    return not (pa.types.is_nested(kind) or pa.types.is_interval(kind) or pa.types.is_binary(kind))


def _json(table: pa.Table, sink: IO[bytes]) -> None:
    """Write row by row, so that a large result is not held as Python objects."""
    sink.write(b"[")
    separator = "\n  "
    for batch in table.to_batches(max_chunksize=4096):
        for row in batch.to_pylist():
            sink.write((separator + json_text(row)).encode())
            separator = ",\n  "
    sink.write(b"\n]\n" if table.num_rows else b"]\n")


def json_text(value: Any) -> str:
    """JSON of a value out of a table; what JSON has no word for becomes text, NaN and infinities null.

    >>> json_text({"a": float("nan"), "b": [b"AB"]})
    '{"a": null, "b": ["4142"]}'
    """
    return json.dumps(_plain(value), ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.hex() if isinstance(value, bytes) else str(value)


def _parquet(table: pa.Table, sink: IO[bytes]) -> None:
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)


def _arrow(table: pa.Table, sink: IO[bytes]) -> None:
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


_WRITERS: dict[str, Callable[[pa.Table, IO[bytes]], None]] = {
    "csv": _csv,
    "json": _json,
    "parquet": _parquet,
    "arrow": _arrow,
}
