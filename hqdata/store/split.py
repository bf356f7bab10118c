"""The file of a split: which masks of one collection, how they are read, and everything that led to them.

A split is ``NAME.split.json`` with ``NAME.ids.parquet`` beside it and, where single masks have a story,
``NAME.notes.parquet``. It lies anywhere and names its collection by a relative path and by the content digest, so that
it moves together with the collection and never silently means another one.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from hqdata.errors import StoreCorrupt, UsageError, explain
from hqdata.fsio.atomic import atomic_file, write_bytes
from hqdata.fsio.digest import canonical_json, digest_of
from hqdata.fsio.fault import fault_point
from hqdata.store.index import index_bytes, read_index
from hqdata.store.writer import file_row

SUFFIX = ".split.json"
FORMAT = 1
SAM = "sam"
"""Kind of degradation for which a model made the masks beforehand."""

IDS_SCHEMA = pa.schema(
    [
        ("mask_id", pa.string()),
        ("weight", pa.float64()),
        ("scale", pa.float64()),
    ]
)
"""One row a mask, sorted by ``mask_id``. ``weight``: how often it is drawn in training, relative to the mean of 1; null
where all are drawn alike. ``scale``: by which width and height of the image are multiplied when it is read, at most 1;
null where images are read as they are."""

NOTES_SCHEMA = pa.schema(
    [
        ("mask_id", pa.string()),
        ("what", pa.string()),
        ("why", pa.string()),
        ("level", pa.string()),
        ("other_mask_id", pa.string()),
        ("against", pa.string()),
        ("reason", pa.string()),
    ]
)
"""What is to be known of single masks, sorted. ``what``: ``removed`` (not in the split) or ``leak`` (in it all the
same). ``why``: the option that removed it, or ``allowed`` or ``warned`` for a leak. ``level``, ``other_mask_id``,
``against``: of a finding; else null. ``reason``: a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Degradation:
    """How the masks of a split are made worse when they are read."""

    kind: str
    """A word of :data:`hqdata.masks.degrade.KINDS`, or :data:`SAM`."""
    seed: int
    strengths: Mapping[str, float]
    """By source, relative to the image's diagonal; empty for ``sam``."""
    name: str | None = None
    """Which of the collection's materialised masks, for ``sam``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A split as it was read from disk, whole and intact."""

    path: Path
    """Of its JSON file."""
    facts: Mapping[str, Any]
    """All that the JSON file says."""
    ids: pa.Table
    """:data:`IDS_SCHEMA`."""

    @property
    def name(self) -> str:
        """Name of the split, which is its files' name, too."""
        return str(self.facts["name"])

    @property
    def content_digest(self) -> str:
        """Content digest of the collection that it was made from."""
        return str(self.facts["collection"]["content_digest"])

    @property
    def digest(self) -> str:
        """Digest of everything but where the collection lies: equal for equal splits."""
        return str(self.facts["digest"])

    @property
    def folder(self) -> Path:
        """Where the collection should lie."""
        return self.path.parent / str(self.facts["collection"]["folder"])

    @property
    def mask_ids(self) -> list[str]:
        """Sorted."""
        return list(self.ids["mask_id"].to_pylist())

    @property
    def scaled(self) -> bool:
        """Whether images and masks are read at another size."""
        return self.facts["scale"] is not None

    @property
    def degradation(self) -> Degradation | None:
        """How masks are made worse; None if they are read as they are."""
        row = self.facts["degrade"]
        if row is None:
            return None
        strengths = {source: float(item["strength"]) for source, item in row["sources"].items()}
        return Degradation(kind=row["kind"], seed=row["seed"], strengths=strengths, name=row["name"])

    @property
    def changes_pixels(self) -> bool:
        """Whether what is read differs from what the collection holds."""
        return self.scaled or self.degradation is not None


def split_files(folder: Path, name: str) -> tuple[Path, Path, Path]:
    """Paths of the three files of a split: facts, ids, notes."""
    return folder / f"{name}{SUFFIX}", folder / f"{name}.ids.parquet", folder / f"{name}.notes.parquet"


def is_split(path: Path) -> bool:
    """Whether a path names a split, rather than a collection's folder."""
    return path.name.endswith(SUFFIX)


def write_split(
    folder: Path,
    name: str,
    collection: Path,
    facts: Mapping[str, Any],
    ids: pa.Table,
    notes: Sequence[Mapping[str, Any]] = (),
    *,
    replace: bool = False,
) -> Split:
    """Write a split; the JSON file last, so that a split is whole or not there.

    Args:
        folder: where the files go; made if need be.
        name: of the split.
        collection: the collection's folder.
        facts: what the JSON file says beside name, digests and files; no ``folder`` in ``facts["collection"]``.
        ids: :data:`IDS_SCHEMA`, sorted by ``mask_id``.
        notes: rows of :data:`NOTES_SCHEMA`, sorted.
        replace: whether another split of that name may be overwritten.

    Returns:
        The split as it is on disk; an equal one that is there already stays as it is.

    Raises:
        UsageError: another split of that name is there, or ``folder`` lies in the collection; nothing was changed.
    """
    if collection.resolve() in (folder.resolve(), *folder.resolve().parents):
        what = f"a split cannot lie in its collection, {collection}: collections never change"
        raise UsageError(explain(what, got=f"--out {folder}", did="nothing was written", do="choose another folder"))
    path, ids_path, notes_path = split_files(folder, name)
    body: dict[str, Any] = {"format": FORMAT, "name": name, **facts}
    body["rows"] = {"ids": _rows_digest(ids), "notes": digest_of(list(notes))}
    body["digest"] = digest_of(body)
    if path.exists() and not replace:
        held = read_split(path)
        if held.digest == body["digest"]:
            return held
        raise UsageError(
            explain(
                f"{path} is there already, and it is another split",
                did="nothing was changed",
                do="choose another name, or say --replace (`hqdata split diff` tells what differs)",
            )
        )
    folder.mkdir(parents=True, exist_ok=True)
    where = Path(os.path.relpath(collection.resolve(), folder.resolve())).as_posix()
    body["collection"] = {**body["collection"], "folder": where}
    # Without its JSON file a split is not there: of two versions, files are never mixed.
    path.unlink(missing_ok=True)
    notes_path.unlink(missing_ok=True)
    _write_table(ids_path, ids.cast(IDS_SCHEMA))
    names = [ids_path.name]
    if notes:
        _write_table(notes_path, pa.Table.from_pylist([dict(row) for row in notes], NOTES_SCHEMA))
        names.append(notes_path.name)
    body["files"] = [file_row(folder, item) for item in names]
    fault_point("split-files")
    write_bytes(path, index_bytes(body))
    return read_split(path)


def _rows_digest(ids: pa.Table) -> str:
    """Digest of the rows, whatever file they are written to; a line a mask, so that millions take no more memory."""
    digest = hashlib.sha256()
    for batch in ids.to_batches():
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            digest.update((canonical_json(row) + "\n").encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _write_table(path: Path, table: pa.Table) -> None:
    with atomic_file(path) as sink:
        pq.write_table(table, sink, compression="zstd", write_page_checksum=True)


def read_split(path: Path) -> Split:
    """Read a split and check it against its digests; its collection is not looked at.

    Raises:
        StoreCorrupt: there is none, or a file of it is missing or not what was written.
    """
    if not path.is_file():
        raise StoreCorrupt(
            explain(f"{path} is no split", expected=f"a file NAME{SUFFIX}", do="`hqdata split list FOLDER` names them")
        )
    raw = path.read_bytes()
    try:
        facts: dict[str, Any] = json.loads(raw)
        intact = index_bytes(facts) == raw
        version = facts["format"]
    except (ValueError, AttributeError, KeyError, TypeError):
        intact, version = False, None
    if not intact:
        raise _damaged(path)
    if version != FORMAT:
        raise StoreCorrupt(explain(f"{path} has another format", expected=FORMAT, got=version))
    for row in facts["files"]:
        held = path.parent / row["name"]
        if not held.is_file() or file_row(path.parent, row["name"]) != row:
            raise _damaged(held)
    return Split(path=path, facts=facts, ids=_read_table(path.parent / facts["files"][0]["name"]))


def read_notes(split: Split) -> pa.Table:
    """What is to be known of single masks, in :data:`NOTES_SCHEMA`; empty where there is nothing.

    Raises:
        StoreCorrupt: the file is damaged.
    """
    files = split.facts["files"]
    return _read_table(split.path.parent / files[1]["name"]) if len(files) > 1 else NOTES_SCHEMA.empty_table()


def _read_table(path: Path) -> pa.Table:
    try:
        return pq.read_table(path, page_checksum_verification=True)
    except (OSError, pa.ArrowException) as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> StoreCorrupt:
    return StoreCorrupt(
        explain(
            f"{path} is damaged, or not of this split",
            did="nothing was read",
            do="make the split again: its JSON file says under `request` how it was made",
        )
    )


def collection_folder(split: Split, folder: Path | None = None) -> Path:
    """Folder of the split's collection, checked to hold what the split was made from.

    Args:
        split: the split.
        folder: where the collection lies, if not where the split says.

    Raises:
        StoreCorrupt: no collection is there, or one of another content.
    """
    place = split.folder if folder is None else folder
    try:
        found = read_index(place)["content_digest"]
    except StoreCorrupt as error:
        raise StoreCorrupt(
            explain(
                f"the collection of split {split.name} cannot be opened at {place}",
                expected=f"content {split.content_digest[:12]} of recipe {split.facts['collection']['recipe']}",
                got=str(error).partition("\n")[0],
                do="put it there; or say where it is: --from DIR where a command has it, hqdata.open(DIR).split(PATH)",
            )
        ) from error
    if found != split.content_digest:
        raise StoreCorrupt(
            explain(
                f"split {split.name} was made from another content than {place} holds",
                expected=split.content_digest[:12],
                got=found[:12],
                did="nothing was read",
                do=f"`hqdata split diff {split.path} --from {place}` says what would change; then make it again",
            )
        )
    return place
