"""Writing: one Arrow stream file a shard, then the small files that make the folder a collection.

A collection's files hold no time, host or path, so that equal inputs give equal bytes.
"""

import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from hqdata.fsio.atomic import atomic_file, publish_folder, write_bytes, write_json
from hqdata.fsio.digest import digest_of, sha256_file
from hqdata.fsio.fault import fault_point
from hqdata.schema import FEATURES, REJECT_SCHEMA, SAMPLE_SCHEMA, Record, Reject, batch_of
from hqdata.store.index import INDEX, index_bytes

REJECTS = "rejects.parquet"
_BATCH_ROWS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """An Arrow file, as it was meant to be written: its digest is that of the bytes on their way to the disk."""

    rows: int
    bytes: int
    sha256: str


class _HashingSink(io.RawIOBase):
    """Passes bytes on to a file and hashes them on the way, so that verifying later compares intent with disk."""

    def __init__(self, sink: IO[bytes]) -> None:
        self._sink, self._digest = sink, hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._digest.update(data)
        self.size += len(data)
        return self._sink.write(data)

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


def write_shard(path: Path, records: Iterable[Record], batch_bytes: int) -> Written:
    """Write records as one Arrow IPC stream; memory stays near ``batch_bytes``."""
    rows = 0
    with atomic_file(path) as stream:
        sink = _HashingSink(stream)
        with pa.ipc.new_stream(pa.PythonFile(sink, mode="w"), SAMPLE_SCHEMA) as arrow:
            for batch in _batches(records, batch_bytes):
                arrow.write_batch(batch_of(batch))
                rows += len(batch)
    fault_point("shard")
    return Written(rows=rows, bytes=sink.size, sha256=sink.hexdigest())


def _batches(records: Iterable[Record], batch_bytes: int) -> Iterator[list[Record]]:
    batch: list[Record] = []
    held = 0
    for record in records:
        batch.append(record)
        held += len(record.image) + len(record.mask or b"") + sum(len(code["counts"]) for code in record.masks or ())
        if held >= batch_bytes or len(batch) == _BATCH_ROWS:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def write_rejects(folder: Path, rejects: Iterable[Reject]) -> int:
    """Write the reject table, sorted. Returns the number of rows."""
    rows = sorted(rejects)
    table = pa.table({name: [getattr(row, name) for row in rows] for name in REJECT_SCHEMA.names}, schema=REJECT_SCHEMA)
    with atomic_file(folder / REJECTS) as sink:
        pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    return len(rows)


def write_dataset_files(folder: Path, title: str, shards: Sequence[str]) -> None:
    """Write the two JSON files that let ``datasets.load_from_disk`` open the folder as it lies."""
    state: dict[str, Any] = {
        "_data_files": [{"filename": name} for name in shards],
        "_fingerprint": digest_of(list(shards))[:16],
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": None,
    }
    write_json(folder / "state.json", state)
    info = {"citation": "", "description": title, "features": FEATURES, "homepage": "", "license": ""}
    write_bytes(folder / "dataset_info.json", (json.dumps(info, indent=2) + "\n").encode())


def file_row(folder: Path, name: str) -> dict[str, Any]:
    """Describe one small file of a collection for its index."""
    path = folder / name
    return {"name": name, "bytes": path.stat().st_size, "sha256": sha256_file(path)}


def publish(partial: Path, final: Path, index: dict[str, Any]) -> bool:
    """Write the index last and rename the folder. False if another process had published ``final`` before."""
    fault_point("files")
    write_bytes(partial / INDEX, index_bytes(index))
    fault_point("index")
    published = publish_folder(partial, final)
    fault_point("publish")
    return published
