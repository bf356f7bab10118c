"""The questions of docs/sql.md, run on the drawn collection; those whose answer can be known have it here."""

import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

import hqdata
from hqdata.analysis.stats import compute_stats

PAGE = (Path(__file__).parents[2] / "docs" / "sql.md").read_text()
QUESTIONS = dict(re.findall(r"^### (.+?)\n.*?```sql\n(.+?)```", PAGE, re.MULTILINE | re.DOTALL))


@pytest.fixture(scope="module")
def measured(hqseg, tmp_path_factory):
    """A copy with statistics, so that they do not lie beside the collection that all tests share."""
    copy = shutil.copytree(hqseg.folder, tmp_path_factory.mktemp("measured") / "hqseg")
    compute_stats(hqdata.open(copy))
    return hqdata.open(copy)


@pytest.fixture
def ask(measured):
    def run(question: str):
        [sql] = [sql for title, sql in QUESTIONS.items() if title.startswith(question)]
        return hqdata.sql(sql, measured).to_pylist()

    return run


def test_the_page_has_a_dozen_questions():
    assert len(QUESTIONS) >= 12
    assert PAGE.count("```sql") == len(QUESTIONS)


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_question_has_an_answer(ask, question):
    rows = ask(question)
    assert rows or question.startswith(("Do two samples", "Which images have nearly"))


def test_counts(ask, hqseg):
    rows = {(row["source"], row["part"]): row["masks"] for row in ask("How many masks are there")}
    assert rows == Counter((sample.source, sample.part) for sample in hqseg)
    assert (rows["duts", "tr"], rows["fss1000", "all"], sum(rows.values())) == (21, 23, 109)


def test_largest_images(ask, hqseg):
    rows = ask("Which images are the largest")
    assert [row["width"] * row["height"] for row in rows] == sorted(
        (sample.size[0] * sample.size[1] for sample in hqseg), reverse=True
    )[:10]
    assert rows[0]["sample_id"].startswith("dis5k/tr/")


def test_empty_and_full_masks(ask, hqseg):
    rows = {row["source"]: row for row in ask("How many masks are empty")}
    assert sum(row["empty"] for row in rows.values()) == sum("empty_mask" in sample.flags for sample in hqseg)
    assert {name: row["full"] for name, row in rows.items() if row["full"]} == {"ecssd": 1}


def test_errata(ask, hqseg):
    rows = ask("Which known errata")
    assert Counter(row["erratum"] for row in rows) == Counter(word for sample in hqseg for word in sample.errata)
    assert "wrong_mask" in {row["erratum"] for row in rows}


def test_losses(ask, hqseg):
    rows = ask("Where were samples lost")
    assert sum(row["members"] for row in rows) == hqseg.rejects.num_rows == 8
    assert {row["reason"] for row in rows} == {"second_mask", "size_mismatch", "listed_absent", "system_file"}
    assert rows[0]["reason"] == "second_mask"


def test_thinnest_source_is_one_of_the_two_thin_ones(ask):
    assert ask("Which source has the thinnest masks")[0]["source"] in {"dis5k", "thinobject5k"}


def test_soft_edges_are_where_the_drawn_masks_are_soft(ask, hqseg):
    rows = {row["source"]: row for row in ask("What share of boundary pixels is soft")}
    for source, row in rows.items():
        soft = any("mask_soft" in sample.flags for sample in hqseg if sample.source == source)
        assert (row["soft_share"] or 0) == 0 or soft
    assert sum(row["masks"] for row in rows.values()) == 109


def test_ten_masks_look_drawn_by_polygon(ask):
    rows = ask("Which ten masks look drawn")
    assert len(rows) == 10
    assert [row["polygon"] for row in rows] == sorted((row["polygon"] for row in rows), reverse=True)


def test_small_masks_are_nearly_all_boundary(ask):
    shares = {row["size"]: row["band_share"] for row in ask("How much of the mask lies in the boundary band")}
    assert shares["small"] > shares["large"]


def test_intricate_masks_come_first(ask):
    rows = ask("Which masks are intricate")
    assert rows[0]["source"] in {"dis5k", "thinobject5k"}
    assert all(low <= middle <= high for low, middle, high in (row["ipq_5_50_95"] for row in rows))
