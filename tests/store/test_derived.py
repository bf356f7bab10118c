"""Tables beside a collection: found while they are of its content, passed over once they are not."""

import json
import shutil
from pathlib import Path

import pytest

from hqdata.errors import StoreCorrupt
from hqdata.pipelines.recipe import build_recipe
from hqdata.store.derived import (
    derived_digest,
    derived_folder,
    find_derived,
    publish_derived,
    read_derived_index,
    require_derived,
)
from hqdata.store.index import read_index
from tests.helpers import snapshot, tiny_source


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    tiny = tiny_source(tmp_path / "source", 3)
    build_recipe("tiny", tmp_path / "there", tiny.options())
    return tmp_path / "there"


def put(collection: Path, *, content: str | None = None, version: int = 1, text: str = "x") -> Path:
    digest = content or read_index(collection)["content_digest"]
    final = derived_folder(collection, "thing", derived_digest(digest, version, {"text": text}))
    partial = final.parent / "making"
    partial.mkdir(parents=True)
    (partial / "a.txt").write_text(text)
    publish_derived(partial, final, kind="thing", version=version, facts={"content_digest": digest})
    return final


def test_the_name_is_the_kind_and_16_digits(tmp_path: Path) -> None:
    assert derived_folder(tmp_path / "c", "stats", "0123456789abcdef" * 4) == (
        tmp_path.resolve() / "c.derived" / "stats-0123456789abcdef"
    )


def test_what_was_published_is_found(collection: Path) -> None:
    assert find_derived(collection, "thing") is None
    folder = put(collection)
    before = snapshot(collection)
    assert find_derived(collection, "thing") == folder
    assert find_derived(collection, "thin") is None
    index = read_derived_index(folder)
    assert index is not None
    assert [row["name"] for row in index["files"]] == ["a.txt"]
    assert snapshot(collection) == before


def test_the_highest_version_is_found(collection: Path) -> None:
    folders = [put(collection, version=version, text=str(version)) for version in (2, 10, 9)]
    assert find_derived(collection, "thing") == folders[1]


def test_one_of_other_content_is_stale(collection: Path) -> None:
    stale = put(collection, content="0" * 64)
    assert find_derived(collection, "thing") is None
    with pytest.raises(StoreCorrupt, match=rf"no thing yet\n.*\n.*only others: {stale.name}\n.*run `make it`"):
        require_derived(collection, "thing", "make it")


def test_a_damaged_one_is_passed_over_and_replaced(collection: Path) -> None:
    folder = put(collection)
    (folder / "a.txt").write_text("longer than before")
    assert find_derived(collection, "thing") is None
    assert put(collection) == folder
    assert find_derived(collection, "thing") == folder
    index = json.loads((folder / "index.json").read_bytes())
    (folder / "index.json").write_text(json.dumps({**index, "version": 9}))
    assert find_derived(collection, "thing") is None


def test_of_two_builders_the_first_wins(collection: Path) -> None:
    folder = put(collection)
    before = snapshot(folder)
    assert put(collection) == folder
    assert snapshot(folder) == before
    assert not (folder.parent / "making").exists()


def test_no_collection_no_table(tmp_path: Path) -> None:
    with pytest.raises(StoreCorrupt, match="not a finished collection"):
        find_derived(tmp_path, "thing")


def test_the_way_a_path_is_written_makes_no_difference(collection: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = put(collection)
    monkeypatch.chdir(collection)
    assert find_derived(Path(), "thing") == folder
    shutil.rmtree(folder)
    assert find_derived(Path(), "thing") is None
