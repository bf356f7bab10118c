"""Tables of the report, and which rows and cards are shown where not all can be."""

import shlex
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from hqdata.store.reader import Collection

T = TypeVar("T")

MAX_ROWS = 2000
"""Most rows of a table."""


@dataclass(frozen=True, slots=True)
class Column:
    """Head of a column."""

    key: str
    label: str
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell; ``value`` is what a number is sorted by."""

    text: str
    kind: Literal["", "n", "id"] = ""
    """Empty: words; ``n``: a number; ``id``: a name out of the data."""
    value: float | int | None = None
    link: str = ""
    """Place on the page, such as ``suspects?kind=shifted``."""


@dataclass(frozen=True, slots=True)
class Line:
    """One row, with the words by which it is filtered."""

    cells: tuple[Cell, ...]
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Choice:
    """A filter on a column of few different words."""

    key: str
    label: str
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table; with a ``query`` it may be a part of all rows."""

    caption: str
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    total: int = 0
    """Rows that there are, shown or not."""
    query: str = ""
    """Command that shows all of them."""

    @property
    def left_out(self) -> int:
        """Rows that are not shown."""
        return max(0, self.total - len(self.lines))


def text(value: str | None) -> Cell:
    """Words."""
    return Cell(value or "")


def name(value: str | None) -> Cell:
    """Name out of the data."""
    return Cell(value or "", "id")


def count(value: int, link: str = "") -> Cell:
    """Whole number, which may lead to what was counted.

    >>> count(44320).text
    '44,320'
    """
    return Cell(f"{value:,}", "n", value, link)


def number(value: float | None, digits: int = 3) -> Cell:
    """Number with so many digits behind the point; a dash where there is none.

    >>> number(0.12345).text, number(None).text
    ('0.123', '-')
    """
    if value is None or value != value:  # noqa: PLR0124 - only NaN differs from itself
        return Cell("-", "n")
    return Cell(f"{value:,.{digits}f}", "n", value)


def fair(items: Iterable[T], key: Callable[[T], Hashable], limit: int) -> list[T]:
    """Choose the first of every kind, then the second of every kind, and so on, until ``limit``.

    >>> fair(["a1", "a2", "a3", "b1"], lambda word: word[0], 3)
    ['a1', 'b1', 'a2']
    """
    seen: Counter[Hashable] = Counter()
    ranked = []
    for position, item in enumerate(items):
        kind = key(item)
        ranked.append((seen[kind], position, item))
        seen[kind] += 1
    return [item for _, _, item in sorted(ranked, key=lambda entry: entry[:2])[:limit]]


def choice(key: str, label: str, lines: Sequence[Line], order: Iterable[str] = ()) -> Choice:
    """Filter by the words that rows have, in the order given, other words behind them."""
    present = {word for line in lines for word in line.words.get(key, ())}
    known = [word for word in order if word in present]
    return Choice(key, label, (*known, *sorted(present - set(known))))


def folder_name(collection: Collection) -> str:
    """Name of a collection's folder, however its path is written."""
    return collection.folder.resolve().name


def sql(folder: str, *words: str) -> str:
    """Command line that answers a query, which is given in pieces.

    >>> sql("my data", "SELECT *", "FROM leaks")
    "hqdata sql 'SELECT * FROM leaks' 'my data'"
    """
    return shlex.join(["hqdata", "sql", " ".join(words), folder])
