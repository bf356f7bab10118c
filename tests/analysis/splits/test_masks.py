"""Ids of masks, sources by their beginnings, groups of copies."""

from pathlib import Path

import pytest

from hqdata.analysis.splits.masks import all_masks, by_source, find_copies, require_sources, sample_of, source_of
from hqdata.errors import UsageError
from tests.splits import NUMBERS, audit, fruit, mask


def test_every_mask_has_an_id(tmp_path: Path) -> None:
    collection = fruit(tmp_path)
    assert all_masks(collection) == sorted(f"{name}#0" for name in collection.sample_ids)
    assert {source: len(masks) for source, masks in by_source(all_masks(collection)).items()} == NUMBERS


@pytest.mark.parametrize(
    ("mask_id", "source", "sample"),
    [("a/b/c#0", "a", "a/b/c"), ("a/b/1#Bag#2#17", "a", "a/b/1#Bag#2"), ("a/b/c/d#3", "a", "a/b/c/d")],
)
def test_parts_of_an_id(mask_id: str, source: str, sample: str) -> None:
    assert (source_of(mask_id), sample_of(mask_id)) == (source, sample)


@pytest.mark.parametrize(
    ("word", "found"),
    [("dis5k", "dis5k"), ("dis", "dis5k"), ("hrsod", "hrsod"), ("hrsod-f", "hrsod-full"), ("d", None), ("x", None)],
)
def test_a_source_is_known_by_its_beginning(word: str, found: str | None) -> None:
    known = ["dis5k", "duts", "hrsod", "hrsod-full"]
    if found:
        assert require_sources([word], known, "--only") == [found]
        return
    with pytest.raises(UsageError, match=f'--only: there is no source "{word}"'):
        require_sources([word], known, "--only")


def test_copies_of_an_audit(tmp_path: Path) -> None:
    collection = fruit(tmp_path)
    assert find_copies(collection).table is None
    three = [mask("apple", 1), mask("banana", 2), mask("cherry", 3)]
    audit(collection, [three, [mask("cherry", 4), mask("cherry", 5)]])
    copies = find_copies(collection)
    assert copies.table is not None
    assert copies.unit(mask("cherry", 3)) == copies.unit(mask("apple", 1)) == "apple/all/0001"
    assert copies.unit(mask("cherry", 5)) == "cherry/all/0004"
    assert copies.unit(mask("cherry", 6)) == "cherry/all/0006"
