"""Groups of one image, which sample of each is kept and why; the rows of the table."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hqdata.analysis import duplicates as module
from hqdata.analysis.duplicates import Worth, duplicate_rows, find_duplicates, group, worth
from hqdata.analysis.findings import DUPLICATES, SCHEMAS, read_findings
from hqdata.analysis.related import Related
from hqdata.analysis.shared import Shared
from hqdata.analysis.stats import compute_stats
from hqdata.errors import StoreCorrupt
from hqdata.pipelines.recipe import build_recipe
from hqdata.store.reader import Collection
from tests.helpers import tiny_source, write_recipe
from tests.pictures import collection, small

Pairs = list[tuple[int, int]]


def worths(order: Sequence[int]) -> list[Worth]:
    """Samples by what they are worth: the lowest number is the best."""
    return [Worth(place / 100, -100, 0, f"s/p/{n:02d}") for n, place in enumerate(order)]


@st.composite
def graphs(draw: st.DrawFn) -> tuple[int, Pairs, list[Worth]]:
    count = draw(st.integers(2, 12))
    edge = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)).filter(lambda pair: pair[0] < pair[1])
    pairs = draw(st.lists(edge, unique=True, max_size=20))
    return count, sorted(pairs), worths(draw(st.lists(st.integers(0, 3), min_size=count, max_size=count)))


def components(pairs: Pairs) -> list[set[int]]:
    """Sets of connected samples, by merging."""
    found: list[set[int]] = []
    for pair in pairs:
        touched = [members for members in found if members & set(pair)]
        found = [members for members in found if members not in touched] + [set(pair).union(*touched)]
    return sorted(found, key=min)


@given(graphs())
def test_each_group_keeps_its_best_and_every_other_one_is_removed(made: tuple[int, Pairs, list[Worth]]) -> None:
    _, pairs, worth_of = made
    found = group(pairs, worth_of)
    groups = components(pairs)
    assert found.number == {n: place for place, members in enumerate(groups, 1) for n in members}
    assert set(found.removed) == set(pairs)
    assert all(gone in pair for pair, gone in found.removed.items())
    best = {min(members, key=worth_of.__getitem__) for members in groups}
    assert set(found.removed.values()) == set(found.number) - best


@given(graphs(), st.randoms())
def test_the_order_of_the_pairs_does_not_matter(made: tuple[int, Pairs, list[Worth]], random: Any) -> None:
    _, pairs, worth_of = made
    shuffled = pairs[:]
    random.shuffle(shuffled)
    assert group(shuffled, worth_of) == group(pairs, worth_of)


def test_the_one_on_the_way_to_the_best_is_removed() -> None:
    """0 is worse than 1, but 1 is only connected to the best sample over 0."""
    found = group([(0, 1), (0, 2)], worths([5, 1, 0]))
    assert found.removed == {(0, 1): 1, (0, 2): 0}


BEST = Worth(0.1, -120, 1, "b/p/5")


@pytest.mark.parametrize(
    "other",
    [
        Worth(0.2, -999, 0, "a/p/1"),
        Worth(0.1, -119, 0, "a/p/1"),
        Worth(0.1, -120, 2, "a/p/1"),
        Worth(0.1, -120, 1, "b/p/6"),
    ],
    ids=["finer mask", "larger image", "earlier source", "lower id"],
)
@pytest.mark.parametrize("first", [True, False])
def test_what_makes_the_better_one(other: Worth, first: bool) -> None:
    given_ = [BEST, other] if first else [other, BEST]
    assert group([(0, 1)], given_).removed == {(0, 1): given_.index(other)}


def shared(level: str, *pairs: tuple[int, int, float]) -> Shared:
    return Shared(
        level=level,
        changes=("mirrored",),
        similarity=0.9,
        overlap=0.8,
        other_overlap=0.7,
        pairs=pairs or ((0, 0, 0.95),),
    )


def rows_of(
    monkeypatch: pytest.MonkeyPatch, worth_of: list[Worth], *found: tuple[int, int, Shared]
) -> list[dict[str, Any]]:
    monkeypatch.setattr(module, "worth", lambda _: worth_of)
    fake: Any = SimpleNamespace(sample_ids=[item.sample_id for item in worth_of])
    rows = duplicate_rows(fake, [Related(*item) for item in found])
    assert pa.Table.from_pylist(rows, SCHEMAS[DUPLICATES]).to_pylist() == rows
    return rows


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (replace(BEST, misfit=0.2), "the other mask's edge follows the image better (0.90 against 0.80)"),
        (replace(BEST, fewer_pixels=-100), "the masks are equally fine; the other image is larger (120 pixels)"),
        (replace(BEST, source=2), "equally fine; the other source comes first in the recipe"),
        (replace(BEST, sample_id="b/p/6"), "equally fine, of one source; the lower id is kept"),
    ],
)
def test_the_reason_is_given(monkeypatch: pytest.MonkeyPatch, other: Worth, reason: str) -> None:
    for given_ in ([BEST, other], [other, BEST]):
        [row] = rows_of(monkeypatch, given_, (0, 1, shared("pair")))
        assert row["remove"] == f"{other.sample_id}#0"
        assert row["reason"] == reason
        assert row["group"] == 1


@pytest.mark.parametrize(
    ("hub", "leaf", "reason"),
    [
        (BEST, replace(BEST, misfit=0.05), "a third sample of the group has the better mask"),
        (BEST, replace(BEST, fewer_pixels=-121), "a third sample of the group has the larger image"),
        (BEST, replace(BEST, source=0), "a third one is kept"),
    ],
)
def test_a_better_one_may_go_for_a_third(monkeypatch: pytest.MonkeyPatch, hub: Worth, leaf: Worth, reason: str) -> None:
    """The leaf is better than the hub, over which alone it hangs together with the best one."""
    best = Worth(0.0, -999, 0, "a/p/0")
    rows = rows_of(
        monkeypatch, [hub, replace(leaf, sample_id="b/p/4"), best], (0, 1, shared("pair")), (0, 2, shared("pair"))
    )
    assert {row["remove"]: row["reason"] for row in rows if row["remove"]}["b/p/4#0"] == reason
    assert {row["remove"] for row in rows} == {"b/p/5#0", "b/p/4#0"}


@pytest.mark.parametrize("level", ["object", "background", "mask"])
def test_other_levels_remove_nothing(monkeypatch: pytest.MonkeyPatch, level: str) -> None:
    [row] = rows_of(monkeypatch, worths([0, 1]), (0, 1, shared(level)))
    assert (row["group"], row["remove"]) == (None, None)
    assert row["reason"].startswith("nothing is removed: the ")


def test_the_closest_relations_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    levels = ["mask", "background", "object", "image", "pair"]
    found = [(n, n + 5, shared(level)) for n, level in enumerate(levels)]
    rows = rows_of(monkeypatch, worths(range(10)), *found, (2, 9, shared("pair")))
    assert [row["level"] for row in rows] == ["pair", "pair", "image", "object", "background", "mask"]
    assert [row["group"] for row in rows] == [1, 1, 2, None, None, None]


def test_many_masks_have_a_row_for_each_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = rows_of(monkeypatch, worths([1, 0]), (0, 1, shared("image", (0, 2, 0.6), (1, 0, 0.7))))
    assert [(row["mask_id"], row["other_mask_id"], row["mask_iou"]) for row in rows] == [
        ("s/p/00#0", "s/p/01#2", 0.6),
        ("s/p/00#1", "s/p/01#0", 0.7),
    ]
    assert [row["remove"] for row in rows] == ["s/p/00#0", "s/p/00#1"]
    assert {(row["source"], row["other_source"], row["overlap"], row["other_overlap"]) for row in rows} == {
        ("s", "s", 0.8, 0.7)
    }


def test_what_a_sample_is_worth_is_measured(tmp_path: Path) -> None:
    source = tiny_source(tmp_path / "source", 3, name="zebra", archive="zebra.zip")
    tiny_source(tmp_path / "source", 3, name="ant", archive="ant.zip", seed=1)
    write_recipe(source.manifests, "both", {"zebra": {"all": 3}, "ant": {"all": 3}})
    build_recipe("both", tmp_path / "both", source.options())
    made = Collection(tmp_path / "both")
    compute_stats(made)
    aligned = made.stats["edge_alignment_1024"].to_pylist()
    found = worth(made)
    assert [item.sample_id for item in found] == list(made.sample_ids)
    assert [item.misfit for item in found] == [round(1 - value, 2) for value in aligned]
    assert [item.fewer_pixels for item in found] == [-(48 * 32)] * 6
    assert {item.sample_id.split("/")[0]: item.source for item in found} == {"zebra": 0, "ant": 1}


def test_a_collection_without_statistics_is_an_error_that_names_the_command(tmp_path: Path) -> None:
    made = collection(tmp_path, {"a": small(1)})
    with pytest.raises(StoreCorrupt, match="run `hqdata stats "):
        find_duplicates(made)


def test_one_sample_has_no_duplicates(tmp_path: Path) -> None:
    made = collection(tmp_path, {"a": small(1)})
    compute_stats(made)
    assert read_findings(find_duplicates(made), DUPLICATES).to_pylist() == []
