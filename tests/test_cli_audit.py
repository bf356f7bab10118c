"""``hqdata audit`` as a user types it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hqdata.analysis.findings import CHANGES, KINDS, LEVELS
from hqdata.cli.main import app
from hqdata.demo import plants
from tests.helpers import hqdata, snapshot
from tests.pictures import collection, small


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Training with a copy inside and a leak from each of two evaluation collections; one mask is empty."""
    root = tmp_path_factory.mktemp("audited")
    blank = plants.Picture(small(5).image, plants.empty(small(5).mask))
    items = {"a": small(1), "b": plants.mirrored(small(1)), "c": small(2), "d": small(3), "e": blank}
    collection(root, items, name="training")
    collection(root, {"x": small(2)}, name="first")
    collection(root, {"x": small(3), "y": small(4)}, name="second")
    return root


@pytest.fixture
def manifests(audited: Path, tmp_path: Path) -> Path:
    """Those of all three."""
    for name in ("training", "first", "second"):
        shutil.copytree(audited / f"source of {name}" / "manifests", tmp_path / "manifests", dirs_exist_ok=True)
    return tmp_path / "manifests"


def run(*words: str | Path, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["audit", *map(str, words)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done.stdout


def words(text: str) -> str:
    return " ".join(text.split())


def test_counts_for_machines(audited: Path) -> None:
    training, first, second = (audited / name for name in ("training", "first", "second"))
    before = snapshot(training)
    found: dict[str, Any] = json.loads(run(training, "--against", first, "--against", second, "--json"))
    assert snapshot(training) == before
    assert found["suspects"]["empty"] == 1
    assert {key: value for key, value in found.items() if key != "suspects"} == {
        "collection": str(training),
        "against": [str(first), str(second)],
        "duplicates": {"pair": 1},
        "leaks": {"pair": 2},
        "report": None,
    }
    assert json.loads(run(training, "--json")) == {**found, "against": [], "leaks": {}}


def test_tables_and_a_summary_for_people(audited: Path) -> None:
    text = run(audited / "training", "--against", audited / "first", "--against", audited / "second")
    for line in (
        "pair mirrored 1 the same image with the same mask",
        "first pair 1 the same image with the same mask",
        "second pair 1 the same image with the same mask",
        "empty 1 no pixel is foreground",
        "empty 1 training/all/e#0 1.00",
    ):
        assert line in words(text)
    last = text.splitlines()[-1]
    assert last.startswith(f"{audited / 'training'}: 1 duplicates, 2 leaks, ")
    assert last.endswith(" suspects; 4 of 5 samples proposed for removal; --report FILE.html shows them")


def test_a_report_is_written(audited: Path, manifests: Path, tmp_path: Path) -> None:
    page = tmp_path / "audit.html"
    options = ("--against", audited / "first", "--manifests", manifests)
    text = run(audited / "training", *options, "--report", page)
    assert f"report in {page} (" in text.splitlines()[-1]
    assert page.read_text(encoding="utf-8").lstrip().startswith("<!DOCTYPE html>")
    found = json.loads(run(audited / "training", *options, "--report", tmp_path / "again.html", "--json"))
    assert found["report"] == str(tmp_path / "again.html")
    assert (tmp_path / "again.html").read_bytes() == page.read_bytes()


def test_the_findings_are_tables(audited: Path) -> None:
    run(audited / "training", "--against", audited / "first", "--against", audited / "second")
    sql = "SELECT remove FROM (FROM duplicates SELECT remove UNION ALL FROM leaks SELECT remove) ORDER BY ALL"
    done = CliRunner().invoke(app, ["sql", sql, str(audited / "training"), "--json"])
    removed = [row["remove"] for row in json.loads(done.stdout)]
    assert removed[1:] == ["training/all/c#0", "training/all/d#0"]
    assert removed[0] in {"training/all/a#0", "training/all/b#0"}


@pytest.mark.parametrize("table", [LEVELS, CHANGES, KINDS], ids=["levels", "changes", "kinds"])
def test_help_explains_every_word(table: dict[str, str]) -> None:
    text = words(run("--help").replace("│", " "))
    assert "Example: hqdata audit hqseg-44k --against hq-eval" in text
    for word, meaning in table.items():
        assert f"{word}: {meaning}" in text


ERRORS = {
    "itself": (["training", "--against", "training"], 2, "the same collection is given twice"),
    "twice": (["training", "--against", "first", "--against", "first"], 2, "give each collection once"),
    "nowhere": (["nowhere"], 1, "is not a finished collection"),
    "no evaluation": (["training", "--against", "nowhere"], 1, "is not a finished collection"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors_have_a_code_and_a_text(audited: Path, case: str) -> None:
    given, code, text = ERRORS[case]
    done = hqdata("audit", *given, cwd=audited)
    assert (done.returncode, text in done.stderr, done.stdout) == (code, True, ""), done.stderr
    assert "Traceback" not in done.stderr
