"""What differs between two splits, and between a split and its collection as it is today."""

from pathlib import Path

import pytest

from hqdata.analysis.splits.diff import diff_splits, diff_today
from hqdata.errors import HQDataError
from hqdata.pipelines.recipe import build_recipe
from hqdata.store.reader import Collection
from tests.helpers import Tiny, tiny_source, write_recipe
from tests.splits import fruit, make, mask


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    return fruit(tmp_path_factory.mktemp("fruit"))


def test_equal_splits_differ_in_nothing(collection: Collection, tmp_path: Path) -> None:
    one, other = (make(collection, tmp_path / name, size=9) for name in "ab")
    assert not diff_splits(one, other)
    assert not diff_today(one, collection)


def test_masks_weights_and_choices(collection: Collection, tmp_path: Path) -> None:
    a = make(collection, tmp_path, "a", only=("apple", "banana"), weights={"apple": 0.5})
    b = make(collection, tmp_path, "b", only=("banana", "cherry"), weights={"banana": 0.5}, degrade="binary")
    found = diff_splits(a, b)
    assert found.counts == {
        ("only in A", "apple"): 6,
        ("only in B", "cherry"): 10,
        ("weight", "banana"): 8,
    }
    assert [name for name, _, _ in found.choices] == ["request.degrade", "request.only", "request.weights", "degrade"]
    assert found.changes[0].mask_id == mask("apple", 0)
    last = found.changes[-1]
    assert (last.what, last.a, last.b) == ("weight", pytest.approx(14 * 0.5 / 8), pytest.approx(18 * 0.5 / 8))


def grown(root: Path, count: int) -> Collection:
    """A collection of one source, built again into the same folder."""
    tiny: Tiny = tiny_source(root, count, name="pear")
    write_recipe(tiny.manifests, "pears", {"pear": {"all": count}})
    build_recipe("pears", root / "pears", tiny.options(replace=True))
    return Collection(root / "pears")


def test_a_collection_that_has_changed_is_noticed_and_told_apart(tmp_path: Path) -> None:
    split = make(grown(tmp_path, 6), tmp_path / "splits", "some", size=4)
    today = grown(tmp_path, 12)
    with pytest.raises(HQDataError, match=r"another content than .* holds"):
        today.split(split.path)
    found = diff_today(split, today)
    assert [name for name, _, _ in found.choices] == ["collection.content_digest"]
    new = make(today, tmp_path / "splits", "new", size=4)
    assert {item.mask_id for item in found.changes if item.what == "only in B"} == {*new.mask_ids} - {*split.mask_ids}
    assert {item.mask_id for item in found.changes if item.what == "only in A"} == {*split.mask_ids} - {*new.mask_ids}


def test_a_request_that_cannot_be_met_any_more(tmp_path: Path) -> None:
    split = make(grown(tmp_path, 6), tmp_path / "splits", "some", size=5)
    with pytest.raises(HQDataError, match="at most 4"):
        diff_today(split, grown(tmp_path, 4))


def test_a_half_is_compared_with_the_same_half(collection: Collection, tmp_path: Path) -> None:
    from hqdata.analysis.splits.create import create_split
    from hqdata.analysis.splits.request import Request
    from hqdata.catalog import load_catalog

    a, b = create_split(collection, Request(name="h", halves=True), tmp_path, load_catalog())
    assert not diff_today(b, collection)
    assert diff_splits(a, b).counts
