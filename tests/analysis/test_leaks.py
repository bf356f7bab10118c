"""Leaks: from the evaluation into the training, never the other way; a table for each evaluation's content."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

import hqdata
from hqdata.analysis import leaks as module
from hqdata.analysis.duplicates import find_duplicates
from hqdata.analysis.findings import DUPLICATES, LEAKS, SCHEMAS, read_findings
from hqdata.analysis.leaks import find_leaks
from hqdata.analysis.stats import compute_stats
from hqdata.demo import plants
from hqdata.demo.plants import Picture
from hqdata.store.derived import all_derived
from hqdata.store.reader import Collection
from tests.pictures import collection, drawn, rendered, small

Rows = list[tuple[str, str, str, str | None]]


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """Of the evaluation: an image twice, its object elsewhere, its background with another object, its mask."""
    stolen = plants.before(rendered(2)[1], rendered(52)[1].backdrop, None)
    covered = plants.before(rendered(55)[1], drawn(2).image, (0.6, 0.5, 0.5))
    less = plants.rescaled(drawn(2), 0.9)
    items = {
        "a": small(2),
        "b": plants.mirrored(drawn(2)),
        "c": stolen,
        "d": covered,
        "e": drawn(3),
        "f": Picture(less.image, plants.halved(less.mask)),
    }
    made = collection(tmp_path_factory.mktemp("training"), items, name="training")
    compute_stats(made)
    return made


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    made = collection(tmp_path_factory.mktemp("judge"), {"x": drawn(2), "y": drawn(4)}, name="judge")
    compute_stats(made)
    return made


@pytest.fixture(scope="module")
def found(training: Collection, judge: Collection) -> Path:
    return find_leaks(training, judge)


def test_training_is_on_the_left_and_goes(training: Collection, judge: Collection, found: Path) -> None:
    table = read_findings(found, LEAKS)
    assert table.schema.equals(SCHEMAS[LEAKS])
    x = "judge/all/x#0"
    rows: Rows = [(r["level"], r["mask_id"], r["other_mask_id"], r["remove"]) for r in table.to_pylist()]
    assert rows == [
        (level, f"training/all/{name}#0", x, f"training/all/{name}#0")
        for level, name in (("pair", "a"), ("pair", "b"), ("image", "f"), ("object", "c"), ("background", "d"))
    ]
    assert {(r["source"], r["other_source"]) for r in table.to_pylist()} == {("training", "judge")}
    assert found.parent == training.folder.with_name("training.derived")


def test_each_row_names_the_evaluation_and_a_reason(judge: Collection, found: Path) -> None:
    rows = read_findings(found, LEAKS).to_pylist()
    assert {(row["against"], row["against_digest"], row["group"]) for row in rows} == {("judge", judge.digest, None)}
    assert [row["reason"] for row in rows] == [
        "an evaluation sample, image and mask",
        "an evaluation sample, image and mask",
        "an evaluation image, with another mask",
        "the object of an evaluation image, before another background",
        "an evaluation image is its background",
    ]
    assert [row["changes"] for row in rows[:2]] == [["rescaled"], ["mirrored"]]


def test_held_the_other_way_round_the_sides_change_places(training: Collection, judge: Collection, found: Path) -> None:
    there = read_findings(found, LEAKS).to_pylist()
    back = read_findings(find_leaks(judge, training), LEAKS).to_pylist()
    assert {(row["other_mask_id"], row["mask_id"], row["level"]) for row in back} == {
        (row["mask_id"], row["other_mask_id"], row["level"]) for row in there
    }


def test_a_table_that_is_there_is_not_searched_again(
    training: Collection, judge: Collection, found: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "related", fail)
    assert find_leaks(training, judge) == found
    monkeypatch.setattr("hqdata.analysis.duplicates.related", fail)
    with pytest.raises(AssertionError, match="searched"):
        find_duplicates(judge)


def fail(*_: object, **__: object) -> None:
    raise AssertionError("searched")


def test_another_content_of_the_evaluation_has_its_own_table(training: Collection, found: Path, tmp_path: Path) -> None:
    other = collection(tmp_path, {"x": drawn(2)}, name="judge")
    compute_stats(other)
    second = find_leaks(training, other)
    try:
        assert second != found
        assert {index["against_digest"] for index, _ in all_derived(training.folder, LEAKS)} >= {other.digest}
        rows = hqdata.sql("SELECT against, against_digest, count(*) AS n FROM leaks GROUP BY ALL", training).to_pylist()
        assert {row["against"] for row in rows} == {"judge"}
        assert {row["against_digest"]: row["n"] for row in rows}[other.digest] == 5
        assert len(rows) == 2
    finally:
        shutil.rmtree(second)


def test_nothing_leaks_from_strangers(training: Collection, tmp_path: Path) -> None:
    stranger = collection(tmp_path, {"x": drawn(7), "y": drawn(6)}, name="stranger")
    compute_stats(stranger)
    assert read_findings(find_leaks(training, stranger), LEAKS).num_rows == 0


def test_the_mask_of_an_evaluation_sample_on_another_image_stays(tmp_path: Path) -> None:
    """Masks of 24 corners or more are compared whatever the images show."""
    judge = collection(tmp_path / "judge", {"x": drawn(7)}, name="judge")
    height, width = drawn(7).mask.shape
    stranger = Picture(np.asarray(cv2.resize(drawn(3).image, (width, height))), drawn(7).mask)
    training = collection(tmp_path / "training", {"a": stranger}, name="training")
    for item in (judge, training):
        compute_stats(item)
    [row] = read_findings(find_leaks(training, judge), LEAKS).to_pylist()
    assert (row["level"], row["remove"], row["changes"]) == ("mask", None, [])
    assert row["reason"] == "nothing is removed: the masks are the same, the images differ"
    assert row["mask_iou"] == 1
    assert read_findings(find_duplicates(training), DUPLICATES).num_rows == 0
