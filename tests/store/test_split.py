"""The file of a split: whole or not there, tied to one content, at home wherever it lies together with it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import hqdata
from hqdata.errors import StoreCorrupt, UsageError
from hqdata.pipelines.recipe import build_recipe
from hqdata.store.index import index_bytes
from hqdata.store.reader import Collection
from hqdata.store.split import (
    IDS_SCHEMA,
    NOTES_SCHEMA,
    Degradation,
    collection_folder,
    is_split,
    read_notes,
    read_split,
    split_files,
    write_split,
)
from tests.helpers import snapshot, tiny_source
from tests.store.saved import degrading, facts_of, ids_table, save

NOTES: list[dict[str, Any]] = [
    {**dict.fromkeys(NOTES_SCHEMA.names), "mask_id": f"tiny/all/{n:04d}#0", "what": "removed", "why": "errata"}
    for n in (1, 4)
]


@pytest.fixture
def tiny(tmp_path: Path) -> Collection:
    """Six small pairs in ``data/tiny``."""
    build_recipe("tiny", tmp_path / "data" / "tiny", tiny_source(tmp_path / "source", 6).options())
    return Collection(tmp_path / "data" / "tiny")


def masks(*numbers: int) -> list[str]:
    return [f"tiny/all/{number:04d}#0" for number in numbers]


def test_what_was_written_is_read(tiny: Collection, tmp_path: Path) -> None:
    facts = facts_of(tiny, degrade=degrading("polygon", {"tiny": 0.01}, seed=3), scale={"to": "x"})
    ids = ids_table(masks(0, 2), weights=[0.5, 1.5], scales=[0.5, None])
    split = write_split(tmp_path / "splits", "a", tiny.folder, facts, ids, NOTES)
    again = read_split(split_files(tmp_path / "splits", "a")[0])
    assert again.facts == split.facts
    assert again.ids.equals(ids)
    assert again.ids.schema.equals(IDS_SCHEMA)
    assert (again.name, again.mask_ids, again.content_digest) == ("a", masks(0, 2), tiny.digest)
    assert read_notes(again).to_pylist() == NOTES
    assert (again.scaled, again.changes_pixels) == (True, True)
    assert again.degradation == Degradation(kind="polygon", seed=3, strengths={"tiny": 0.01})
    assert sorted(path.name for path in (tmp_path / "splits").iterdir()) == [
        "a.ids.parquet",
        "a.notes.parquet",
        "a.split.json",
    ]


def test_a_plain_split_has_no_notes_and_changes_nothing(tiny: Collection, tmp_path: Path) -> None:
    split = save(tiny, tmp_path, masks(1), "plain")
    assert (split.scaled, split.degradation, split.changes_pixels) == (False, None, False)
    assert read_notes(split).num_rows == 0
    assert not split_files(tmp_path, "plain")[2].exists()


def test_equal_splits_have_equal_bytes_and_digests_wherever_they_lie(tiny: Collection, tmp_path: Path) -> None:
    one, two = (save(tiny, tmp_path / place, masks(1, 2)) for place in ("a", "b"))
    deep = save(tiny, tmp_path / "a" / "deep", masks(1, 2))
    assert one.path.read_bytes() == two.path.read_bytes() != deep.path.read_bytes()
    assert one.digest == two.digest == deep.digest
    assert split_files(tmp_path / "a", "some")[1].read_bytes() == split_files(tmp_path / "b", "some")[1].read_bytes()


@pytest.mark.parametrize(
    "change",
    [
        {"mask_ids": masks(1, 3)},
        {"name": "other"},
        {"weights": [1.0, 1.0]},
        {"scales": [0.5, 0.5]},
        {"degrade": degrading("dilation", {"tiny": 0.01})},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_differs_makes_another_digest(tiny: Collection, tmp_path: Path, change: dict[str, Any]) -> None:
    plain = save(tiny, tmp_path / "a", masks(1, 2))
    other = save(tiny, tmp_path / "b", **{"mask_ids": masks(1, 2), **change})
    assert plain.digest != other.digest


def damage_middle(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


@pytest.mark.parametrize("damage", [damage_middle, cut_short, Path.unlink])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_damage_is_an_error_and_is_named(tiny: Collection, tmp_path: Path, number: int, damage: Any) -> None:
    split = write_split(tmp_path, "a", tiny.folder, facts_of(tiny), ids_table(masks(0, 2)), NOTES)
    path = split_files(tmp_path, "a")[number]
    damage(path)
    with pytest.raises(StoreCorrupt) as error:
        read_split(split.path)
    assert str(path) in str(error.value).partition("\n")[0]


@pytest.mark.parametrize("content", [b"", b"[]", b"3", b"{}", b'{"format": 1}\n', b"\xff", b"null"])
def test_what_is_no_split_is_said_to_be_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.split.json").write_bytes(content)
    with pytest.raises(StoreCorrupt, match=r"x\.split\.json is damaged"):
        read_split(tmp_path / "x.split.json")
    with pytest.raises(StoreCorrupt, match="is no split"):
        read_split(tmp_path)


def test_another_format_is_not_read(tiny: Collection, tmp_path: Path) -> None:
    split = save(tiny, tmp_path, masks(1))
    split.path.write_bytes(index_bytes({**split.facts, "format": 2}))
    with pytest.raises(StoreCorrupt, match="another format\n  expected: 1\n  got:      2"):
        read_split(split.path)


def test_split_and_collection_move_together(tiny: Collection, tmp_path: Path) -> None:
    split = save(tiny, tmp_path / "data" / "splits", masks(1, 2))
    before = hqdata.open(split.path).digest
    shutil.move(tmp_path / "data", tmp_path / "elsewhere")
    moved = tmp_path / "elsewhere" / "splits" / split.path.name
    assert hqdata.open(moved).digest == before
    assert json.loads(moved.read_bytes())["collection"]["folder"] == "../tiny"


def test_a_split_alone_asks_where_its_collection_is(tiny: Collection, tmp_path: Path) -> None:
    split = save(tiny, tmp_path / "splits", masks(1, 2))
    shutil.move(split.path.parent, tmp_path / "far" / "away")
    alone = read_split(tmp_path / "far" / "away" / split.path.name)
    with pytest.raises(StoreCorrupt, match=r"cannot be opened at .*data/tiny") as error:
        hqdata.open(alone.path)
    assert tiny.digest[:12] in str(error.value)
    assert "--from DIR" in str(error.value)
    assert collection_folder(alone, tiny.folder) == tiny.folder
    assert tiny.split(alone.path).mask_ids == masks(1, 2)


def test_another_content_is_refused(tiny: Collection, tmp_path: Path) -> None:
    split = save(tiny, tmp_path / "splits", masks(1, 2))
    build_recipe("tiny", tmp_path / "other", tiny_source(tmp_path / "second", 6, seed=9).options())
    with pytest.raises(StoreCorrupt, match="was made from another content") as error:
        hqdata.open(tmp_path / "other").split(split.path)
    assert f"got:      {hqdata.open(tmp_path / 'other').digest[:12]}" in str(error.value)
    assert "hqdata split diff" in str(error.value)


def test_another_split_of_the_name_stays_unless_replaced(tiny: Collection, tmp_path: Path) -> None:
    first = write_split(tmp_path, "a", tiny.folder, facts_of(tiny), ids_table(masks(0, 2)), NOTES)
    before = snapshot(tmp_path)
    with pytest.raises(UsageError, match=r"it is another split\n.*nothing was changed"):
        save(tiny, tmp_path, masks(3), "a")
    same = write_split(tmp_path, "a", tiny.folder, facts_of(tiny), ids_table(masks(0, 2)), NOTES)
    assert (same.digest, snapshot(tmp_path)) == (first.digest, before)
    second = write_split(tmp_path, "a", tiny.folder, facts_of(tiny), ids_table(masks(3)), replace=True)
    assert read_split(first.path).mask_ids == second.mask_ids == masks(3)
    assert not split_files(tmp_path, "a")[2].exists()


CHILD = """
import sys
from hqdata.store.reader import Collection
from hqdata.store.split import write_split
from tests.store.saved import facts_of, ids_table
collection = Collection(sys.argv[1])
write_split(__import__("pathlib").Path(sys.argv[2]), "a", collection.folder, facts_of(collection),
            ids_table(["tiny/all/0003#0"]), replace=True)
"""


def test_killed_between_its_files_it_is_not_there(tiny: Collection, tmp_path: Path) -> None:
    old = save(tiny, tmp_path / "splits", masks(0, 2), "a")
    words = [sys.executable, "-c", CHILD, str(tiny.folder), str(old.path.parent)]
    root = Path(__file__).parents[2]
    env = {**os.environ, "HQDATA_FAULT": "after:split-files", "PYTHONPATH": str(root)}
    killed = subprocess.run(words, check=False, timeout=60, env=env, cwd=root)
    assert killed.returncode == 137
    with pytest.raises(StoreCorrupt, match="is no split"):
        read_split(old.path)
    subprocess.run(words, check=True, timeout=60, env={**env, "HQDATA_FAULT": ""}, cwd=root)
    assert read_split(old.path).mask_ids == masks(3)
    assert pq.read_table(split_files(old.path.parent, "a")[1]).equals(read_split(old.path).ids)


def test_names() -> None:
    assert is_split(Path("a/b.split.json"))
    assert not is_split(Path("a/b.json"))
    assert [path.name for path in split_files(Path("a"), "b")] == ["b.split.json", "b.ids.parquet", "b.notes.parquet"]
