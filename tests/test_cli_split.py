"""``hqdata split`` as a user types it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hqdata.cli.main import app
from hqdata.store.reader import Collection
from hqdata.store.split import read_split
from tests.helpers import hqdata, snapshot
from tests.splits import audit, fruit, mask


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    made = fruit(tmp_path_factory.mktemp("fruit"))
    copies = [[mask("apple", 0), mask("banana", 0)]]
    audit(made, copies, [(mask("cherry", 3), "pair"), (mask("cherry", 4), "background")])
    return made


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "splits"


def run(*words: str | Path, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["split", *map(str, words)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done.stdout


def words(text: str) -> str:
    return " ".join(text.split())


def test_a_split_is_made_shown_and_listed(collection: Collection, out: Path) -> None:
    clean = ("create", "clean", "--from", collection.folder, "--out", out, "--exclude-audit", "duplicates, leaks")
    text = words(run(*clean))
    for line in (
        "cherry 8 38.1%",
        "total 21 100.0%",
        "duplicates 1",
        "leaks 2",
        "Leaks into judge: none",
        "Redistribution: allowed",
        "clean.split.json: 21 masks of 21 images",
        "names 3 masks",
    ):
        assert line in text
    path = out / "clean.split.json"
    shown = words(run("show", path, "--notes", "--sheet", out / "sheet.png"))
    assert "removed duplicates" in shown
    assert "removed leaks cherry/all/0004#0 background judge/all/1#0" in shown
    assert (out / "sheet.png").read_bytes().startswith(b"\x89PNG")
    assert words(run("list", out)).endswith(f"{out}: 1 splits")
    listed: list[dict[str, Any]] = json.loads(run("list", out, "--json"))
    assert [(row["name"], row["counts"]["masks"]) for row in listed] == [("clean", 21)]
    assert len(json.loads(run("show", path, "--notes", "--json"))["note_rows"]) == 3


def test_leaks_that_are_allowed_are_named(collection: Collection, out: Path) -> None:
    text = words(run("create", "all", "--from", collection.folder, "--out", out, "--allow-leaks", "judge"))
    assert "judge pair 1 allowed, and recorded" in text
    assert "cherry/all/0004#0 background judge/all/1#0" in text


def test_what_was_typed_is_what_is_asked_for(collection: Collection, out: Path) -> None:
    (out.parent / "mine.csv").write_text(f"id\n{mask('apple', 1)}\n{mask('banana', 1)}\n")
    (made,) = json.loads(
        run(
            *("create", "two", "--from", collection.folder, "--out", out, "--seed", 3, "--json"),
            *("--sql", "SELECT id AS mask_id FROM mine", "--attach", "mine=mine.csv", "--size", 2),
            *("--allow-leaks", "all", "--weights", "apple=0.7", "--degrade", "shift:0.01"),
        )
    )
    assert made["request"] == {
        "name": "two",
        "seed": 3,
        "sql": "SELECT id AS mask_id FROM mine",
        "attach": {"mine": "../mine.csv"},
        "allow_leaks": ["all"],
        "size": 2,
        "weights": {"apple": 0.7},
        "degrade": "shift:0.01",
    }
    assert made["path"] == str(out / "two.split.json")


def test_a_name_is_taken_only_with_replace(collection: Collection, out: Path) -> None:
    base = ("create", "some", "--from", collection.folder, "--out", out, "--only", "apple")
    run(*base)
    before = snapshot(out)
    run(*base)
    assert snapshot(out) == before
    done = hqdata("split", *base, "--size", "3")
    assert (done.returncode, snapshot(out)) == (2, before)
    assert "is there already" in done.stderr
    run(*base, "--size", 3, "--replace")
    assert len(read_split(out / "some.split.json").mask_ids) == 3


def test_differences(collection: Collection, out: Path) -> None:
    for name, option in (("a", "--only"), ("b", "--without")):
        run("create", name, "--from", collection.folder, "--out", out, option, "apple", "--allow-leaks", "all")
    a, b = out / "a.split.json", out / "b.split.json"
    assert words(run("diff", a, "--from", collection.folder)).endswith("the same masks, read the same way")
    text = words(run("diff", a, b, code=1))
    assert "only in A apple 6" in text
    assert text.endswith("23 masks and 2 choices differ")
    assert len(json.loads(run("diff", a, b, "--json", code=1))["changes"]) == 23


def test_a_split_and_its_collection_move_together(collection: Collection, out: Path, tmp_path: Path) -> None:
    whole = tmp_path / "here"
    shutil.copytree(collection.folder, whole / "fruit")
    run("create", "a", "--from", whole / "fruit", "--out", whole / "splits", "--only", "apple")
    whole.rename(tmp_path / "there")
    moved = tmp_path / "there" / "splits" / "a.split.json"
    assert "6 masks" in run("show", moved, "--sheet", tmp_path / "sheet.png")
    alone = tmp_path / "alone" / "a.split.json"
    shutil.copytree(moved.parent, alone.parent)
    assert "--from DIR" in hqdata("split", "show", str(alone), "--sheet", "x.png").stderr
    run("show", alone, "--sheet", tmp_path / "sheet.png", "--from", collection.folder)


def test_plans_are_listed_and_made(collection: Collection, out: Path) -> None:
    assert "leave-one-out" in run("ready")
    assert len(json.loads(run("ready", "--json"))) == 7
    text = words(run("ready", "leave-one-out", "--from", collection.folder, "--out", out))
    assert "without-random-cherry" in text
    assert text.endswith(f"{out}: 6 splits made, 0 not")
    done = words(run("ready", "sizes", "--from", collection.folder, "--out", out, code=1))
    assert "NOT MADE: size-1000: 1,000 masks are wanted" in done
    assert done.endswith(f"{out}: 1 splits made, 3 not")


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        (("create", "a"), "--from"),
        (("create", "a", "--from", "nowhere"), "not a finished collection"),
        (("create", "a", "--from", "COLLECTION", "--weights", "apple"), "NAME=VALUE"),
        (("create", "a", "--from", "COLLECTION", "--weights", "apple=x"), "a share such as 0.3"),
        (("create", "a", "--from", "COLLECTION", "--per-source", "few"), "a number, or `smallest`"),
        (("create", "a/b", "--from", "COLLECTION"), "cannot name a split"),
        (("show", "nowhere.split.json"), "is no split"),
        (("list", "nowhere"), "is no folder"),
        (("diff", "nowhere.split.json"), "give either another split"),
        (("ready", "clean", "--from", "COLLECTION", "--control", "COLLECTION"), "takes no --control"),
        (("ready", "paper-control", "--from", "COLLECTION"), "--control DIR"),
    ],
)
def test_mistakes(collection: Collection, out: Path, typed: tuple[str, ...], text: str) -> None:
    done = hqdata("split", *(str(collection.folder) if word == "COLLECTION" else word for word in typed))
    assert done.returncode in {1, 2}
    assert text in words(done.stderr)
    assert list(out.parent.iterdir()) == []
