"""``collection.json``: what a collection is made of. Written last: its presence is the sign of a finished build."""

import glob
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hqdata.errors import StoreCorrupt, explain
from hqdata.fsio.digest import digest_of

INDEX = "collection.json"
FORMAT = 1


def content_digest(rows: Iterable[tuple[str, str, str]]) -> str:
    """Digest of a collection's content: its sorted rows (sample_id, image sha256, sha256 of canonical mask pixels).

    Each row is hashed as its three values, each followed by a line feed.
    """
    digest = hashlib.sha256()
    for row in sorted(rows):
        digest.update("".join(f"{value}\n" for value in row).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def index_bytes(index: dict[str, Any]) -> bytes:
    """Text of an index, with a digest of all the rest, so that a flipped bit in the index itself is found."""
    body = {key: value for key, value in index.items() if key != "index_digest"}
    sealed = {**body, "index_digest": digest_of(body)}
    return (json.dumps(sealed, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def unfinished(out: Path) -> list[Path]:
    """Folders in which builds of ``out`` work, or worked until they were stopped."""
    return sorted(out.parent.glob(f"{glob.escape(out.name)}.partial-*")) if out.parent.is_dir() else []


def read_index(folder: Path) -> dict[str, Any]:
    """Read and check an index.

    Raises:
        StoreCorrupt: there is none, or its bytes are not what was written.
    """
    path = folder / INDEX
    if not path.is_file():
        begun = unfinished(folder)
        raise StoreCorrupt(
            explain(
                f"{folder} is not a finished collection",
                expected=f"a file {INDEX} in it",
                got=f"an unfinished build, {begun[0].name}" if begun else "none",
                do="run the build again; it goes on from where it stopped" if begun else "build it first",
            )
        )
    raw = path.read_bytes()
    try:
        index: dict[str, Any] = json.loads(raw)
        intact = index_bytes(index) == raw
    except (ValueError, AttributeError):
        intact = False
    if not intact:
        raise StoreCorrupt(explain(f"{path} is damaged", did="nothing was read", do="build the collection again"))
    if index["format"] != FORMAT:
        raise StoreCorrupt(explain(f"{path} has another format", expected=FORMAT, got=index["format"]))
    return index
