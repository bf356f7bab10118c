"""Tables computed from a collection lie beside it, in ``DIR.derived/<kind>-<digest>/``, each with its own index.

The collection itself never changes. A derived folder is valid while the collection still has the content digest that
the folder's ``index.json`` names; one of another content is stale and is passed over, never trusted.
"""

import glob
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from hqdata.errors import StoreCorrupt, explain
from hqdata.fsio.atomic import publish_folder, write_bytes
from hqdata.fsio.digest import digest_of
from hqdata.fsio.fault import fault_point
from hqdata.store.index import index_bytes, read_index
from hqdata.store.writer import file_row

DERIVED_INDEX = "index.json"
DERIVED_FORMAT = 1


def derived_folder(collection: Path, kind: str, digest: str) -> Path:
    """``DIR.derived/<kind>-<first 16 hexadecimal digits of digest>/``; it need not exist."""
    return _root(collection) / f"{kind}-{digest[:16]}"


def table_file(kind: str) -> str:
    """Name of the table's file inside its derived folder.

    >>> table_file("stats")
    'stats.parquet'
    """
    return f"{kind}.parquet"


def all_derived(collection: Path, kind: str) -> list[tuple[dict[str, Any], Path]]:
    """Index and folder of every valid table of a kind, sorted by version and name.

    Args:
        collection: the collection's folder.
        kind: such as ``leaks``, of which there is one for each evaluation collection.

    Raises:
        StoreCorrupt: ``collection`` is not a finished collection.
    """
    content = read_index(collection)["content_digest"]
    found = []
    for path in sorted(_root(collection).glob(f"{glob.escape(kind)}-*/{DERIVED_INDEX}")):
        index = read_derived_index(path.parent)
        if index is not None and (index["kind"], index["content_digest"]) == (kind, content):
            found.append((index, path.parent))
    return sorted(found, key=lambda item: (item[0]["version"], item[1]))


def newest_derived(collection: Path, kind: str) -> list[tuple[dict[str, Any], Path]]:
    """Index and folder of the newest table of a kind; of ``leaks``, of each evaluation collection, by its digest.

    Raises:
        StoreCorrupt: ``collection`` is not a finished collection.
    """
    newest = {str(index.get("against_digest")): (index, folder) for index, folder in all_derived(collection, kind)}
    return [newest[key] for key in sorted(newest)]


def find_derived(collection: Path, kind: str) -> Path | None:
    """Folder of the valid table of a kind; of several, the one of the highest version.

    Args:
        collection: the collection's folder.
        kind: such as ``stats``.

    Returns:
        None where there is none, or where all are of another content, damaged or cut short.

    Raises:
        StoreCorrupt: ``collection`` is not a finished collection.
    """
    found = all_derived(collection, kind)
    return found[-1][1] if found else None


def read_derived_index(folder: Path) -> dict[str, Any] | None:
    """Index of a derived folder; None unless it is intact and every file has the size that it says."""
    try:
        raw = (folder / DERIVED_INDEX).read_bytes()
        index: dict[str, Any] = json.loads(raw)
        intact = index_bytes(index) == raw and index["format"] == DERIVED_FORMAT
        sizes = [(folder / row["name"]).stat().st_size == row["bytes"] for row in index["files"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return index if intact and all(sizes) else None


def require_derived(collection: Path, kind: str, command: str) -> Path:
    """What :func:`find_derived` finds.

    Raises:
        StoreCorrupt: nothing valid is there; the text names ``command``, which computes it.
    """
    folder = find_derived(collection, kind)
    if folder is None:
        stale = sorted(path.name for path in _root(collection).glob(f"{glob.escape(kind)}-*"))
        raise StoreCorrupt(
            explain(
                f"{collection} has no {kind} yet",
                expected=f"{_root(collection).name}/{kind}-.../ of the collection's present content",
                got=f"only others: {', '.join(stale)}" if stale else "none",
                do=f"run `{command}`",
            )
        )
    return folder


def read_derived_table(folder: Path, kind: str) -> pa.Table:
    """Table of a derived folder; every page is held against its checksum.

    Raises:
        StoreCorrupt: it cannot be read.
    """
    try:
        return pq.read_table(folder / table_file(kind), page_checksum_verification=True)
    except (OSError, pa.ArrowException) as error:
        raise StoreCorrupt(
            explain(
                f"{folder / table_file(kind)} cannot be read",
                got=error,
                did="nothing was concluded from it",
                do="remove its folder and run the same command again, which computes it anew",
            )
        ) from error


def publish_derived(partial: Path, final: Path, *, kind: str, version: int, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Write the index last and rename the folder; of two builders of the same table the first one wins.

    Args:
        partial: folder that holds the table's files and nothing else, on the same file system as ``final``.
        final: what :func:`derived_folder` gave.
        kind: such as ``stats``.
        version: of the computation; a higher one is preferred.
        facts: all else that the index says; ``content_digest`` of the collection must be among it.

    Returns:
        The index as published.
    """
    files = [file_row(partial, path.name) for path in sorted(partial.iterdir()) if path.name != DERIVED_INDEX]
    index = {**facts, "format": DERIVED_FORMAT, "kind": kind, "version": version, "files": files}
    raw = index_bytes(index)
    fault_point("derived-files")
    write_bytes(partial / DERIVED_INDEX, raw)
    fault_point("derived-index")
    if final.exists() and read_derived_index(final) is None:
        shutil.rmtree(final)
    if not publish_folder(partial, final):
        shutil.rmtree(partial, ignore_errors=True)
    sealed: dict[str, Any] = json.loads(raw)
    return sealed


def derived_digest(content_digest: str, version: int, facts: Mapping[str, Any]) -> str:
    """Digest that names a derived folder: what it was computed from, by what."""
    return digest_of([content_digest, version, dict(facts)])


def _root(collection: Path) -> Path:
    """Folder beside the collection, whatever way its path is written."""
    place = collection.resolve()
    return place.with_name(f"{place.name}.derived")
