"""Tables computed from every sample of a collection or split: in parallel, resumable, kept in ``DIR.derived/``.

The samples are cut into pieces. A finished piece is a file of its own, so that a computation that was stopped goes on
where it was; at the end the pieces are joined in the collection's order and published by one rename.
"""

import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib import metadata
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import features

from hqdata.engine.local import run_local
from hqdata.fsio.atomic import atomic_file
from hqdata.fsio.fault import fault_point
from hqdata.fsio.lock import locked
from hqdata.store.derived import derived_digest, derived_folder, publish_derived, read_derived_index, table_file
from hqdata.store.reader import Collection, Sample
from hqdata.store.view import SplitView, reopen_view

PIECE_SAMPLES = 64
"""Samples of one piece: what a stop may cost, and what a worker holds."""
_ROW_GROUP = 65_536
_FLUSH = 512

OnSamples = Callable[[int], None]
Piece = tuple[int, int]
"""First sample, and the one after the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A table that has some rows for each sample."""

    kind: str
    """Name of the table and of its derived folder."""
    version: int
    """To be raised whenever a figure changes."""
    schema: pa.Schema
    rows: Callable[[Sample], Iterator[dict[str, Any]]]
    """From one sample to the rows of the table; a function that a worker can import."""
    words: Sequence[str] = ()
    """Columns of few different words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Computed:
    """What a computation left behind."""

    folder: Path
    rows: int
    fresh: bool
    """False if the table was there already."""
    reused: int
    """Pieces that an earlier, stopped computation had finished."""


def compute(
    collection: Collection,
    measure: Measure,
    *,
    workers: int = 1,
    on_samples: OnSamples = lambda _: None,
    piece_samples: int = PIECE_SAMPLES,
) -> Computed:
    """Measure every sample of a collection, or of a split as it is read.

    Args:
        collection: what to measure. The table of a split is of the kind ``split_KIND``, and of the split's digest.
        measure: what to measure of it.
        workers: processes; the bytes do not depend on it.
        on_samples: is told how many samples were dealt with.
        piece_samples: samples of one piece; the bytes do not depend on it either.

    Returns:
        Where ``KIND.parquet`` and its index lie.

    Raises:
        DecodeError, StoreCorrupt: the collection is damaged.
        DiskFull: finished pieces are kept for the next try.
    """
    digest = derived_digest(collection.digest, measure.version, library_versions())
    final = derived_folder(collection.folder, kind_of(measure, collection), digest)
    with locked(final.with_name(f".{final.name}.lock")):
        index = read_derived_index(final)
        if index is not None:
            on_samples(len(collection))
            return Computed(folder=final, rows=index["rows"], fresh=False, reused=0)
        return _compute(collection, measure, final, workers, on_samples, piece_samples)


def _compute(
    collection: Collection, measure: Measure, final: Path, workers: int, on_samples: OnSamples, size: int
) -> Computed:
    """Measure what no earlier run has measured, join the pieces and publish."""
    work = final.with_name(f"{final.name}.partial")
    work.mkdir(parents=True, exist_ok=True)
    pieces = [(start, min(start + size, len(collection))) for start in range(0, len(collection), size)]
    waiting = [piece for piece in pieces if not _is_finished(_piece_path(work, piece), measure.schema)]
    done = set(pieces) - set(waiting)
    on_samples(sum(stop - start for start, stop in done))
    measured = partial(_measure, measure=measure, place=_Place.of(collection), work=work)
    for start, stop in run_local(measured, waiting, workers):
        on_samples(stop - start)
    table, kind = work / f"table-{secrets.token_hex(4)}", kind_of(measure, collection)
    rows = _join([_piece_path(work, piece) for piece in pieces], table / table_file(kind), measure)
    facts = {"content_digest": collection.index["content_digest"], "versions": library_versions(), "rows": rows}
    if isinstance(collection, SplitView):
        facts |= {"split": collection.definition.name, "split_digest": collection.digest}
    publish_derived(table, final, kind=kind, version=measure.version, facts=facts)
    shutil.rmtree(work, ignore_errors=True)
    return Computed(folder=final, rows=rows, fresh=True, reused=len(done))


def kind_of(measure: Measure, collection: Collection) -> str:
    """Kind of the derived table: a split's is never taken for the collection's."""
    return f"split_{measure.kind}" if isinstance(collection, SplitView) else measure.kind


def library_versions() -> dict[str, str]:
    """Versions of the libraries that decide the figures."""
    return {
        "jpg": features.version("jpg") or "",
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "pillow": PIL.__version__,
        "pyarrow": pa.__version__,
        "pycocotools": metadata.version("pycocotools"),
    }


def _piece_path(work: Path, piece: Piece) -> Path:
    return work / f"piece-{piece[0]:09d}-{piece[1]:09d}.parquet"


def _is_finished(path: Path, schema: pa.Schema) -> bool:
    """Whether a piece is there, whole, and of the present schema."""
    try:
        return bool(pq.read_table(path, page_checksum_verification=True).schema.equals(schema))
    except (OSError, pa.ArrowException):
        return False


@dataclass(frozen=True, slots=True)
class _Place:
    """What is measured as a worker finds it; the digest keeps a replaced one apart."""

    folder: Path
    split: Path | None
    digest: str

    @classmethod
    def of(cls, collection: Collection) -> "_Place":
        split = collection.definition.path if isinstance(collection, SplitView) else None
        return cls(collection.folder, split, collection.digest)


@lru_cache(maxsize=1)
def _opened(place: _Place) -> Collection:
    """The collection or split, opened once in each worker."""
    collection = Collection(place.folder)
    return collection if place.split is None else reopen_view(place.split, collection, place.digest)


def _measure(piece: Piece, *, measure: Measure, place: _Place, work: Path) -> Piece:
    """Measure one piece and write its file."""
    collection = _opened(place)
    threads = cv2.getNumThreads()
    # One process is one core: parallelism is the number of workers, and nothing else.
    cv2.setNumThreads(1)
    try:
        batches = _batches(collection, piece, measure)
        with atomic_file(_piece_path(work, piece)) as sink:
            pq.write_table(pa.Table.from_batches(batches, measure.schema), sink, **table_options(measure))
    finally:
        cv2.setNumThreads(threads)
    fault_point(f"{measure.kind}-piece")
    return piece


def _batches(collection: Collection, piece: Piece, measure: Measure) -> Iterator[pa.RecordBatch]:
    rows: list[dict[str, Any]] = []
    for position in range(*piece):
        for row in measure.rows(collection[position]):
            rows.append(row)
            if len(rows) == _FLUSH:
                yield pa.RecordBatch.from_pylist(rows, measure.schema)
                rows = []
    yield pa.RecordBatch.from_pylist(rows, measure.schema)


def table_options(measure: Measure) -> Mapping[str, Any]:
    """How the Parquet files of a table are written."""
    # A dictionary of measured numbers only makes them slower to read; split bytes compress better and read faster.
    split = {field.name: "BYTE_STREAM_SPLIT" for field in measure.schema if pa.types.is_floating(field.type)}
    return {
        "compression": "zstd",
        "write_page_checksum": True,
        "use_dictionary": list(measure.words),
        "column_encoding": split,
    }


def _join(pieces: list[Path], target: Path, measure: Measure) -> int:
    """Join pieces into one file, a row group at a time, whatever the pieces' sizes. Returns the number of rows."""
    held: list[pa.Table] = []
    rows = waiting = 0
    with atomic_file(target) as sink, pq.ParquetWriter(sink, measure.schema, **table_options(measure)) as writer:
        for path in pieces:
            held.append(pq.read_table(path, page_checksum_verification=True))
            waiting += held[-1].num_rows
            rows += held[-1].num_rows
            while waiting >= _ROW_GROUP:
                joined = pa.concat_tables(held)
                writer.write_table(joined.slice(0, _ROW_GROUP).combine_chunks(), row_group_size=_ROW_GROUP)
                held, waiting = [joined.slice(_ROW_GROUP)], waiting - _ROW_GROUP
        if waiting:
            writer.write_table(pa.concat_tables(held).combine_chunks(), row_group_size=_ROW_GROUP)
    return rows
