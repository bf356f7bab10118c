"""What an export for the Hub holds, as its card, its Croissant file and its index tell it."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from hqdata.export.rights import Selection


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One Parquet file."""

    name: str
    """Path inside the export, with slashes."""
    bytes: int
    sha256: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Rows that ``load_dataset`` gives under one name."""

    name: str
    parts: tuple[tuple[str, str], ...]
    """Sources and their parts."""
    files: tuple[File, ...]
    nbytes: int
    """Bytes in memory."""

    @property
    def rows(self) -> int:
        """Rows in all files."""
        return sum(file.rows for file in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """One table of the export: ``default``, ``rejects`` or ``stats``."""

    name: str
    description: str
    folder: str
    schema: pa.Schema
    splits: tuple[Split, ...]

    @property
    def files(self) -> tuple[File, ...]:
        """Files of all splits."""
        return tuple(file for split in self.splits for file in split.files)

    @property
    def rows(self) -> int:
        """Rows of all splits."""
        return sum(split.rows for split in self.splits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What the exported rows hold."""

    parts: Mapping[tuple[str, str], int]
    """Samples by source and part."""
    flags: Mapping[str, int]
    errata: Mapping[str, int]
    rejects: Mapping[str, int]
    """Members that did not become samples, by reason."""


def count(samples: pa.Table, rejects: pa.Table) -> Counts:
    """Count what rows hold.

    Args:
        samples: columns ``source``, ``part``, ``flags`` and ``errata`` of the exported rows.
        rejects: of the same sources.
    """
    rows = samples.select(["source", "part", "flags", "errata"]).to_pydict()
    return Counts(
        parts=_tally(zip(rows["source"], rows["part"], strict=True)),
        flags=_tally(word for words in rows["flags"] for word in words),
        errata=_tally(word for words in rows["errata"] for word in words),
        rejects=_tally(rejects.column("reason").to_pylist()),
    )


def _tally(words: Iterable[Any]) -> dict[Any, int]:
    return dict(sorted(Counter(words).items()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """An export, complete but for the files that describe it."""

    index: Mapping[str, Any]
    """Of the collection."""
    summary: str
    """Of the recipe, where it is at hand."""
    packaged: bool
    """Whether the recipe is one that hqdata brings along, or was read from ``--manifests``."""
    selection: Selection
    configs: tuple[Config, ...]
    counts: Counts
    content_digest: str
    """Of the exported rows: the collection's own, unless a source is left out."""
    command: str
    """What wrote it."""
    repo: str | None
    """``OWNER/NAME`` on the Hub, once that is decided."""
    published: str | None
    """ISO date."""

    @property
    def title(self) -> str:
        """Title of the recipe."""
        return str(self.index["recipe"]["title"])

    @property
    def name(self) -> str:
        """Name of the recipe."""
        return str(self.index["recipe"]["name"])

    @property
    def synthetic(self) -> bool:
        """Whether anything in it was drawn by hqdata."""
        return bool(self.index["recipe"]["synthetic"]) or any(item.synthetic for item in self.selection.kept)

    @property
    def samples(self) -> Config:
        """The table of images and masks."""
        return self.configs[0]
