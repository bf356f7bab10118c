"""How well an audit did on the demo: what was planted against what was found.

A finding is known by its masks: by the unordered pair in ``duplicates``, by the ordered pair (training, evaluation) in
``leaks``, by the mask in ``suspects``. The word it was found under is then compared.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import pyarrow as pa

from hqdata.demo.truth import DUPLICATES, LEAKS, SUSPECTS, Truth

Key: TypeAlias = tuple[str, ...]
"""Mask ids that tell a finding from others of its table."""
Word: TypeAlias = tuple[str, str | None]
"""Level or kind, and the partner of a suspect."""

ORDER = {table: place for place, table in enumerate((DUPLICATES, LEAKS, SUSPECTS))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Score of one word of one table; ``planted`` = ``found`` + ``as_another_word`` + ``len(missed)``."""

    table: str
    word: str
    planted: int
    found: int
    """Under the planted word; for ``swapped`` with the right partner, too."""
    as_another_word: int
    """Found, but only under other words of the same table, or with another partner than the one that was planted."""
    missed: tuple[str, ...]
    """Mask ids, of a relation both with ``" = "`` between."""
    false_alarms: int
    """Findings under this word of masks or pairs that nothing was planted on."""


def score(truth: Sequence[Truth], tables: Mapping[str, pa.Table]) -> list[Row]:
    """Compare findings with what was planted.

    A second finding of something planted, under another word than the planted one, is no false alarm: an empty mask
    may well be called unlabelled, too.

    Args:
        truth: What was planted.
        tables: Tables of findings by ``duplicates``, ``leaks`` and ``suspects``; truth of a table that is not given is
            left out.

    Returns:
        A row for every table and word that was planted or found, sorted.
    """
    rows: list[Row] = []
    for table in sorted(tables, key=ORDER.__getitem__):
        found: dict[Key, set[Word]] = defaultdict(set)
        for row in tables[table].to_pylist():
            found[_key(table, row["mask_id"], row["other_mask_id"])].add(_word(table, row))
        rows += _table_rows(table, [item for item in truth if item.table == table], found)
    return rows


def _table_rows(table: str, planted: Sequence[Truth], found: Mapping[Key, set[Word]]) -> list[Row]:
    keys = {_key(table, item.mask_id, item.other_mask_id) for item in planted}
    alarms = [word for key, words in found.items() if key not in keys for word, _ in words]
    rows = []
    for word in sorted({*alarms, *(item.word for item in planted)}):
        own = [item for item in planted if item.word == word]
        words = [found.get(_key(table, item.mask_id, item.other_mask_id), set()) for item in own]
        right = [any(_agrees(item, word) for word in names) for item, names in zip(own, words, strict=True)]
        missed = [_name(table, item) for item, names in zip(own, words, strict=True) if not names]
        rows.append(
            Row(
                table=table,
                word=word,
                planted=len(own),
                found=sum(right),
                as_another_word=len(own) - sum(right) - len(missed),
                missed=tuple(sorted(missed)),
                false_alarms=alarms.count(word),
            )
        )
    return rows


def _key(table: str, mask_id: str, other: str | None) -> Key:
    if table == SUSPECTS:
        return (mask_id,)
    pair = (mask_id, other or "")
    return pair if table == LEAKS else tuple(sorted(pair))


def _word(table: str, row: Mapping[str, str | None]) -> Word:
    if table == SUSPECTS:
        return str(row["kind"]), row["other_mask_id"]
    return str(row["level"]), None


def _agrees(item: Truth, word: Word) -> bool:
    """Whether a finding says what was planted; an exchange of masks is half of the truth without its partner."""
    return item.word == word[0] and (item.word != "swapped" or item.other_mask_id == word[1])


def _name(table: str, item: Truth) -> str:
    return item.mask_id if table == SUSPECTS else f"{item.mask_id} = {item.other_mask_id}"
