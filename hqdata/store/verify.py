"""Whether a collection is what its index says, to the bit."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hqdata.errors import DecodeError, StoreCorrupt
from hqdata.fsio.digest import sha256_file
from hqdata.sources.decode import decode_mask_bytes, open_image
from hqdata.sources.mask_coding import pixels_digest
from hqdata.store.index import INDEX, content_digest, read_index
from hqdata.store.reader import Collection

HF_CACHE = "cache-*.arrow"
"""What Hugging Face ``datasets`` writes beside files that it opened, at every shuffle; no part of the collection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One disagreement between a collection and its index."""

    file: str
    what: str


def verify(folder: Path, *, deep: bool = False, on_bytes: Callable[[int], None] | None = None) -> list[Problem]:
    """Hold every file against the index.

    Args:
        folder: the collection.
        deep: also decode every image and mask and recompute their digests.
        on_bytes: is told of progress, in bytes.

    Returns:
        Every problem found; empty if the collection is intact.
    """
    try:
        index = read_index(folder)
    except StoreCorrupt as error:
        return [Problem(file=INDEX, what=str(error))]
    problems = list(_file_problems(folder, index["files"], on_bytes))
    if problems:
        return problems
    collection = Collection(folder)
    columns = collection.table.select(["sample_id", "image_sha256", "pixels_sha256"]).to_pydict()
    rows = list(zip(*columns.values(), strict=True))
    if len(rows) != index["rows"]:
        problems.append(Problem(file=INDEX, what=f"says {index['rows']} rows, the shards hold {len(rows)}"))
    if content_digest(rows) != index["content_digest"]:
        problems.append(Problem(file=INDEX, what="content_digest is not that of the rows"))
    if deep:
        problems.extend(_row_problems(collection))
    return problems


def _file_problems(
    folder: Path, files: list[dict[str, object]], on_bytes: Callable[[int], None] | None
) -> Iterator[Problem]:
    known = {INDEX}
    for item in files:
        name = str(item["name"])
        known.add(name)
        path = folder / name
        if not path.is_file():
            yield Problem(file=name, what="is missing")
        elif path.stat().st_size != item["bytes"]:
            yield Problem(file=name, what=f"has {path.stat().st_size:,} bytes, the index says {item['bytes']:,}")
        elif sha256_file(path, on_bytes) != item["sha256"]:
            yield Problem(file=name, what="has another sha256 than the index says")
    for path in sorted(folder.rglob("*")):
        cached = path.parent == folder and path.match(HF_CACHE)
        if path.is_file() and path.relative_to(folder).as_posix() not in known and not cached:
            yield Problem(file=path.relative_to(folder).as_posix(), what="is not in the index")


def _row_problems(collection: Collection) -> Iterator[Problem]:
    """Decode every row; image and mask must have the size that the row says, the mask its digest."""
    for sample in collection:
        row = sample.row
        try:
            decoded = open_image(row["image"]["bytes"])
            mask = decode_mask_bytes(row["mask"]["bytes"]) if row["mask"] else None
        except DecodeError as error:
            yield Problem(file=sample.sample_id, what=str(error))
            continue
        if decoded.image.size != sample.size:
            yield Problem(file=sample.sample_id, what=f"image is {decoded.image.size}, the row says {sample.size}")
        if mask is not None and mask.shape[::-1] != sample.size:
            yield Problem(file=sample.sample_id, what=f"mask is {mask.shape[::-1]}, the row says {sample.size}")
        if mask is not None and pixels_digest(np.ascontiguousarray(mask)) != row["pixels_sha256"]:
            yield Problem(file=sample.sample_id, what="mask has another digest than the row says")
