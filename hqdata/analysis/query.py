"""SQL over collections: one SELECT, over registered Arrow datasets, on a connection that is locked before it runs.

>>> import hqdata
>>> table = hqdata.sql("SELECT source, count(*) AS masks FROM samples GROUP BY ALL", "hqseg-44k")  # doctest: +SKIP
>>> table.to_pandas()  # or polars.from_arrow(table)  # doctest: +SKIP
"""

import contextlib
import threading
from collections.abc import Iterator

import duckdb
import pyarrow as pa

from hqdata.analysis.advice import advise, too_large, too_long
from hqdata.analysis.sandbox import lock, read_question
from hqdata.analysis.tables import (
    MEANINGS,
    Attachments,
    CollectionLike,
    Meaning,
    Tables,
    empty_tables,
    open_tables,
)
from hqdata.limits import QueryLimits

DEFAULT = QueryLimits()
_BATCH_ROWS = 65_536
_INTERRUPT_AGAIN = 0.05


def connect(
    *collections: CollectionLike, attach: Attachments | None = None, limits: QueryLimits = DEFAULT
) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB connection on the tables of collections.

    It reaches no file, extension, setting or Python variable, and keeps to the memory limit; views and tables may be
    made in its memory. Time and rows are not limited: it is yours to interrupt.

    Args:
        collections: collections or splits, or their paths, told apart by the column ``collection``.
        attach: own tables: name to CSV, TSV or Parquet file.
        limits: memory and threads.

    Raises:
        StoreCorrupt: a path is no finished collection, or no intact split of one.
    """
    return _locked(open_tables(collections, attach), limits)


def select(
    sql: str, *collections: CollectionLike, attach: Attachments | None = None, limits: QueryLimits = DEFAULT
) -> pa.Table:
    """Answer one SELECT.

    Args:
        sql: the statement; ``EXPLAIN`` of one will do, too.
        collections: collections or splits, or their paths, told apart by the column ``collection``.
        attach: own tables: name to CSV, TSV or Parquet file.
        limits: time, memory, rows.

    Returns:
        The answer; ``.to_pandas()`` and ``polars.from_arrow`` take it as it is.

    Raises:
        QueryRefused: the statement is no question.
        QueryError: it cannot be answered, or not within the limits.
        StoreCorrupt: a path is no finished collection, or no intact split of one.
    """
    tables = open_tables(collections, attach)
    with contextlib.closing(_locked(tables, limits)) as connection:
        question = read_question(connection, sql, limits)
        with _deadline(connection, limits.seconds) as late:
            try:
                return _tidy(_fetch(connection, sql, limits))
            except (duckdb.Error, pa.ArrowException) as error:
                if late.is_set():
                    raise too_long(limits) from error
                raise advise(error, question, tables, limits) from error


def schema(*collections: CollectionLike, attach: Attachments | None = None) -> pa.Table:
    """Every table and column with type, unit and meaning; those of any collection if none is given."""
    tables = open_tables(collections, attach) if collections or attach else empty_tables()
    rows = []
    with contextlib.closing(_locked(tables, DEFAULT)) as connection:
        for name in tables.datasets:
            meanings = MEANINGS.get(name, {})
            described = connection.execute(f'SELECT column_name, column_type FROM (DESCRIBE "{name}")').fetchall()  # noqa: S608 - a checked word
            for column, kind in described:
                known = meanings.get(column, Meaning("", ""))
                rows.append({"table": name, "column": column, "type": kind, "unit": known.unit, "meaning": known.text})
    return pa.Table.from_pylist(rows)


def _locked(tables: Tables, limits: QueryLimits) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    try:
        for name, dataset in tables.datasets.items():
            connection.register(name, dataset)
        lock(connection, limits)
    except BaseException:
        connection.close()
        raise
    return connection


def _fetch(connection: duckdb.DuckDBPyConnection, sql: str, limits: QueryLimits) -> pa.Table:
    """Run a query batch by batch, so that a result that is too large is never held."""
    reader = connection.sql(sql).to_arrow_reader(_BATCH_ROWS)
    batches, rows, size = [], 0, 0
    for batch in reader:
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows > limits.rows or size > limits.result_bytes:
            raise too_large(limits)
        batches.append(batch)
    return pa.Table.from_batches(batches, reader.schema)


def _tidy(table: pa.Table) -> pa.Table:
    """Give every column a name of its own, and sums of whole numbers 64 bits where these are enough."""
    names: list[str] = []
    for position, name in enumerate(table.column_names):
        unique, number = name, 1
        while unique in names:
            number += 1
            unique = f"{name}_{number}"
        names.append(unique)
        kind = table.schema.field(position).type
        if pa.types.is_decimal(kind) and kind.scale == 0:
            with contextlib.suppress(pa.ArrowInvalid):
                whole = table.column(position).cast(pa.int64())
                table = table.set_column(position, name, whole)
    return table.rename_columns(names)


@contextlib.contextmanager
def _deadline(connection: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[threading.Event]:
    """Interrupt whatever still runs after ``seconds``; yields an event that is set if that happened.

    It interrupts again and again: an interrupt between two steps of a query would be lost otherwise.
    """
    done, late = threading.Event(), threading.Event()

    def watch() -> None:
        if done.wait(seconds):
            return
        late.set()
        while not done.wait(_INTERRUPT_AGAIN):
            connection.interrupt()

    watcher = threading.Thread(target=watch, name="hqdata-query-deadline", daemon=True)
    watcher.start()
    try:
        yield late
    finally:
        done.set()
        watcher.join()
