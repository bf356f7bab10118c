"""docs/audit.md against the code: its tables of columns and words, and its questions, asked of a small collection."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import hqdata
from hqdata.analysis.audit import audit
from hqdata.analysis.findings import CHANGES, COLUMNS, DUPLICATES, KINDS, LEAKS, LEVELS, SUSPECTS
from hqdata.demo import plants
from hqdata.demo.plants import Picture
from hqdata.store.reader import Collection
from tests.pictures import collection, drawn, rendered

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "audit.md").read_text()
QUESTIONS = dict(re.findall(r"^### (.+?)\n.*?```sql\n(.+?)```", PAGE, re.MULTILINE | re.DOTALL))
Ask = Callable[[str], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """``a`` with a mirrored copy and one with half the mask, an object of ``z``; the evaluation has ``a`` and ``z``."""
    folder = tmp_path_factory.mktemp("audited")
    pictures = {
        "a": drawn(2),
        "b": plants.mirrored(plants.rescaled(drawn(2), 0.8)),
        "c": Picture(plants.rescaled(drawn(2), 0.9).image, plants.halved(plants.rescaled(drawn(2), 0.9).mask)),
        "d": plants.before(rendered(3)[1], drawn(4).image, None),
        "e": Picture(drawn(5).image, plants.empty(drawn(5).mask)),
        "f": drawn(6),
    }
    training = collection(folder, pictures, name="training")
    audit(training, [collection(folder, {"a": drawn(2), "z": drawn(3)}, name="judge")])
    return training


@pytest.fixture(scope="module")
def ask(audited: Collection) -> Ask:
    def run(question: str) -> list[dict[str, Any]]:
        [sql] = [sql for title, sql in QUESTIONS.items() if title.startswith(question)]
        return hqdata.sql(sql, audited).to_pylist()

    return run


def table(title: str) -> list[list[str]]:
    """Rows below a headline that begin with a name in backticks."""
    [part] = re.findall(rf"^##+ {title}\n(.+?)(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in part.splitlines() if line[:3] == "| `"]


def type_name(kind: pa.DataType) -> str:
    return "list of string" if pa.types.is_list(kind) else str(kind).replace("double", "float64")


def test_leaks_have_the_columns_of_duplicates_and_two_more() -> None:
    assert COLUMNS[LEAKS] == [*COLUMNS[LEAKS][:2], *COLUMNS[DUPLICATES]]


@pytest.mark.parametrize(
    ("name", "columns"),
    [(DUPLICATES, COLUMNS[DUPLICATES]), (LEAKS, COLUMNS[LEAKS][:2]), (SUSPECTS, COLUMNS[SUSPECTS])],
)
def test_the_page_shows_the_columns(name: str, columns: list[tuple[str, pa.DataType, str, str]]) -> None:
    want = [[f"`{column}`", type_name(kind), unit, meaning] for column, kind, unit, meaning in columns]
    assert table(f"The table `{name}`") == want


@pytest.mark.parametrize(
    ("title", "words"), [("Levels", LEVELS), ("Changes", CHANGES), ("Kinds of suspects", KINDS)], ids=str
)
def test_the_page_shows_the_words(title: str, words: dict[str, str]) -> None:
    assert {row[0]: row[1] for row in table(title)} == {f"`{word}`": meaning for word, meaning in words.items()}


def test_every_page_that_it_names_is_there() -> None:
    links = re.findall(r"\]\(([a-z./]+\.md)\)", PAGE)
    assert {"suspects.md", "report.md"} <= set(links)
    assert [link for link in links if not (DOCS / link).is_file()] == []


def test_every_question_is_asked_below() -> None:
    assert PAGE.count("```sql") == len(QUESTIONS) == 7


def test_counts(ask: Ask) -> None:
    assert ask("How many duplicates") == [{"level": "image", "rows": 2}, {"level": "pair", "rows": 1}]


def test_sources(ask: Ask) -> None:
    [row] = ask("Which sources share images")
    assert (row["one"], row["two"], row["pairs"], row["images"]) == ("training", "training", 1, 2)


def test_changes(ask: Ask) -> None:
    counts = {row["change"]: row["rows"] for row in ask("What was done to the copies")}
    assert counts["mirrored"] == 2
    assert counts["rescaled"] == 3


def test_groups(ask: Ask) -> None:
    assert [row["samples"] for row in ask("Which samples are one image")] == [
        [f"training/all/{stem}" for stem in ("a", "b", "c")]
    ]


def test_removals(ask: Ask) -> None:
    rows = {
        row["sample_id"].removeprefix("training/all/"): set(row["tables"]) for row in ask("Which samples should go")
    }
    assert {stem for stem, tables in rows.items() if "leaks" in tables} == set("abcd")
    assert sum("duplicates" in tables for stem, tables in rows.items() if stem in "abc") == 2
    assert rows["e"] == {"suspects"}


def test_leaks(ask: Ask) -> None:
    rows = {row["level"]: row for row in ask("What leaks into which evaluation collection")}
    assert {level: (row["training"], row["evaluation"]) for level, row in rows.items()} == {
        "pair": (2, 1),
        "image": (1, 1),
        "object": (1, 1),
    }
    assert {row["against"] for row in rows.values()} == {"judge"}


def test_touched_evaluation_samples(ask: Ask) -> None:
    rows = {row["other_mask_id"]: row["level"] for row in ask("Which evaluation masks are touched")}
    assert rows == {"judge/all/a#0": "pair", "judge/all/z#0": "object"}
