"""Found, missed, false alarms: what counts as what."""

import pyarrow as pa
import pytest

from hqdata.analysis.findings import COLUMNS, DUPLICATES, LEAKS, SCHEMAS, SUSPECTS
from hqdata.demo import truth as words
from hqdata.demo.items import specs
from hqdata.demo.score import Row, score
from hqdata.demo.truth import Truth, truth

WORD = {DUPLICATES: "level", LEAKS: "level", SUSPECTS: "kind"}


def findings(table: str, *rows: tuple[str, str, str | None]) -> pa.Table:
    """Rows of word, mask, other mask in the real schema; every other column is NULL."""
    empty = dict.fromkeys(name for name, *_ in COLUMNS[table])
    full = [{**empty, WORD[table]: word, "mask_id": one, "other_mask_id": two} for word, one, two in rows]
    return pa.Table.from_pylist(full, SCHEMAS[table])


def planted(table: str, *rows: tuple[str, str, str]) -> list[Truth]:
    return [Truth(table=table, word=word, mask_id=one, other_mask_id=two) for word, one, two in rows]


def row(table: str, word: str, counts: tuple[int, int, int, int], missed: tuple[str, ...] = ()) -> Row:
    """Counts: planted, found, as another word, false alarms."""
    return Row(
        table=table,
        word=word,
        planted=counts[0],
        found=counts[1],
        as_another_word=counts[2],
        missed=missed,
        false_alarms=counts[3],
    )


@pytest.mark.parametrize(
    ("table", "given", "found", "expected"),
    [
        pytest.param(DUPLICATES, [], [], [], id="nothing"),
        pytest.param(DUPLICATES, [("pair", "a", "b")], [("pair", "a", "b")], [("pair", (1, 1, 0, 0))], id="found"),
        pytest.param(DUPLICATES, [("pair", "a", "b")], [("pair", "b", "a")], [("pair", (1, 1, 0, 0))], id="unordered"),
        pytest.param(
            LEAKS,
            [("pair", "a", "b")],
            [("pair", "b", "a")],
            [("pair", (1, 0, 0, 1), ("a = b",))],
            id="leaks-are-ordered",
        ),
        pytest.param(
            DUPLICATES,
            [("pair", "a", "b"), ("pair", "a", "c"), ("pair", "b", "c")],
            [("pair", "a", "b"), ("pair", "c", "a")],
            [("pair", (3, 2, 0, 0), ("b = c",))],
            id="three-copies-are-three-pairs",
        ),
        pytest.param(
            DUPLICATES,
            [("pair", "a", "b")],
            [("image", "a", "b")],
            [("pair", (1, 0, 1, 0))],
            id="as-another-word-is-no-false-alarm",
        ),
        pytest.param(
            DUPLICATES,
            [("image", "a", "b")],
            [("image", "a", "b"), ("object", "a", "b")],
            [("image", (1, 1, 0, 0))],
            id="a-second-word-does-no-harm",
        ),
        pytest.param(
            DUPLICATES,
            [("pair", "a", "b")],
            [("pair", "a", "c"), ("mask", "d", "c")],
            [("mask", (0, 0, 0, 1)), ("pair", (1, 0, 0, 1), ("a = b",))],
            id="false-alarms-by-their-own-word",
        ),
        pytest.param(
            SUSPECTS,
            [("empty", "a", ""), ("shifted", "b", "")],
            [("empty", "a", None), ("unlabelled", "a", None), ("shifted", "c", None)],
            [("empty", (1, 1, 0, 0)), ("shifted", (1, 0, 0, 1), ("b",))],
            id="suspects-by-mask",
        ),
        pytest.param(
            SUSPECTS,
            [("swapped", "a", "b"), ("swapped", "b", "a")],
            [("swapped", "a", "b"), ("swapped", "b", "c")],
            [("swapped", (2, 1, 1, 0))],
            id="exchanged-with-the-right-one",
        ),
        pytest.param(
            SUSPECTS,
            [("other_image", "a", "b"), ("other_image", "c", "")],
            [("other_image", "a", None), ("other_image", "c", "d")],
            [("other_image", (2, 2, 0, 0))],
            id="other-image-needs-no-partner",
        ),
        pytest.param(
            SUSPECTS,
            [("erratum", "a", ""), ("erratum", "b", "")],
            [("erratum", "a", None), ("other_image", "a", None), ("other_image", "b", None)],
            [("erratum", (2, 1, 1, 0))],
            id="errata-may-be-found-by-looking",
        ),
    ],
)
def test_one_table(table, given, found, expected):
    assert score(planted(table, *given), {table: findings(table, *found)}) == [row(table, *line) for line in expected]


def test_tables_come_in_order_and_those_not_given_are_left_out():
    given = [
        *planted(SUSPECTS, ("full", "a", "")),
        *planted(LEAKS, ("pair", "a", "e")),
        *planted(DUPLICATES, ("pair", "a", "b")),
    ]
    tables = {SUSPECTS: findings(SUSPECTS), DUPLICATES: findings(DUPLICATES, ("pair", "a", "b"))}
    assert score(given, tables) == [
        row(DUPLICATES, "pair", (1, 1, 0, 0)),
        row(SUSPECTS, "full", (1, 0, 0, 0), ("a",)),
    ]


def test_a_perfect_audit_of_the_demo_has_a_perfect_score():
    given = truth(specs(0))
    tables = {
        table: findings(table, *((t.word, t.mask_id, t.other_mask_id or None) for t in given if t.table == table))
        for table in WORD
    }
    rows = score(given, tables)
    assert sum(r.planted for r in rows) == len(given)
    assert all((r.found, r.as_another_word, r.missed, r.false_alarms) == (r.planted, 0, (), 0) for r in rows)
    silent = score(given, {table: findings(table) for table in WORD})
    assert all((r.found, len(r.missed)) == (0, r.planted) for r in silent)


def test_tables_are_called_as_the_audit_calls_them():
    assert (words.DUPLICATES, words.LEAKS, words.SUSPECTS) == (DUPLICATES, LEAKS, SUSPECTS)
