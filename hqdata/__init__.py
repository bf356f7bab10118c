"""hqdata: build HQSeg-44K and its controls, query every mask, train HQ-SAM on any split.

>>> import hqdata
>>> collection = hqdata.open("hqseg-44k")  # doctest: +SKIP
>>> collection[0].image.shape, collection[0].mask.shape  # doctest: +SKIP
((300, 400, 3), (300, 400))
"""

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from hqdata.analysis.tables import Attachments, CollectionLike
    from hqdata.limits import QueryLimits
    from hqdata.store.reader import Collection

__version__ = "0.1.0"
__all__ = ["open", "sql", "connect"]


def open(path: "str | PathLike[str]") -> "Collection":  # noqa: A001 - `hqdata.open` reads as it should
    """Open a finished collection, or a split of one, which is read like a collection of its own.

    Args:
        path: the folder that ``hqdata build`` wrote, or a file ``NAME.split.json``.

    Returns:
        A :class:`hqdata.store.view.SplitView` for a split.

    Raises:
        StoreCorrupt: it is no finished collection or no intact split, or differs from its index; or the split's
            collection does not lie where it says (``hqdata.open(FOLDER).split(PATH)`` says where).
    """
    from hqdata.store.reader import Collection  # noqa: PLC0415 - `import hqdata` stays light
    from hqdata.store.split import is_split  # noqa: PLC0415
    from hqdata.store.view import open_view  # noqa: PLC0415

    return open_view(Path(path)) if is_split(Path(path)) else Collection(Path(path))


def sql(
    text: str,
    *collections: "CollectionLike",
    attach: "Attachments | None" = None,
    limits: "QueryLimits | None" = None,
) -> "pa.Table":
    """Answer one SELECT over the tables of one or more collections.

    They are ``samples`` and ``rejects``; ``stats`` once computed; ``duplicates``, ``leaks``, ``suspects`` once audited;
    ``splits`` where one is given.

    Args:
        text: the statement.
        collections: collections or splits, or their paths, told apart by the column ``collection``.
        attach: own tables: name to CSV, TSV or Parquet file.
        limits: time, memory, rows; :class:`hqdata.limits.QueryLimits`.

    Returns:
        An Arrow table; ``.to_pandas()`` and ``polars.from_arrow`` take it as it is.

    Raises:
        QueryRefused: the statement is no question.
        QueryError: it cannot be answered, or not within the limits.
    """
    from hqdata.analysis.query import DEFAULT, select  # noqa: PLC0415 - `import hqdata` stays light

    return select(text, *collections, attach=attach, limits=limits or DEFAULT)


def connect(
    *collections: "CollectionLike", attach: "Attachments | None" = None, limits: "QueryLimits | None" = None
) -> "duckdb.DuckDBPyConnection":
    """Open a DuckDB connection on the same tables; it reaches no file, extension or setting."""
    from hqdata.analysis import query  # noqa: PLC0415 - `import hqdata` stays light

    return query.connect(*collections, attach=attach, limits=limits or query.DEFAULT)
