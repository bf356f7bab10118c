"""Visits: each mask as often as it should come, in an order and with random numbers that nothing else moves."""

import subprocess
import sys
from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hqdata.analysis.splits.masks import source_of
from hqdata.errors import UsageError
from hqdata.store.reader import Collection
from hqdata.training.visits import Visit, Visits, visits_of
from tests import splits

IDS = [f"{source}/all/{number:02d}#0" for source in ("apple", "fig", "plum") for number in range(8)]


def epoch(visits: Visits, number: int) -> list[Visit]:
    return [visits[number * len(visits) + place] for place in range(len(visits))]


def used(visits: Visits, number: int) -> Counter[str]:
    """How often each mask comes in an epoch."""
    return Counter(visit.mask_id for visit in epoch(visits, number))


def test_each_mask_comes_once_an_epoch_and_counts_its_uses() -> None:
    visits = Visits(IDS, None, seed=3)
    for number in range(4):
        assert sorted(visit.mask_id for visit in epoch(visits, number)) == IDS
        assert {visit.use for visit in epoch(visits, number)} == {number}
    assert all(IDS[visit.row] == visit.mask_id and visit.seed == 3 for visit in epoch(visits, 2))


def test_orders_differ_by_epoch_and_by_seed() -> None:
    orders = [tuple(v.row for v in epoch(Visits(IDS, None, seed), number)) for seed in (0, 1) for number in (0, 1)]
    assert len({*orders, tuple(range(len(IDS)))}) == 5


def test_orders_are_random() -> None:
    """A mask's place is uniform: over 400 epochs of 24, its mean is 11.5, within 5 standard errors of 0.35."""
    visits = Visits(IDS, None, seed=0)
    places = np.array([np.argsort([v.row for v in epoch(visits, number)]) for number in range(400)])
    assert np.abs(places.mean(axis=0) - 11.5).max() < 5 * np.sqrt((24**2 - 1) / 12 / 400)


def test_a_position_needs_no_history() -> None:
    weights = [0.5, 1.5, 1.0] * 8
    there = Visits(IDS, weights, seed=1)
    forward = [there[position] for position in range(150)]
    assert [Visits(IDS, weights, seed=1)[position] for position in range(140, 150)] == forward[140:]
    assert [there[position] for position in range(149, -1, -1)] == forward[::-1]


def test_a_visit_depends_on_neither_ids_order_nor_company() -> None:
    """A split that has some of the masks visits them in the same order, with the same random numbers."""
    every, backwards, some = (Visits(ids, None, seed=5) for ids in (IDS, IDS[::-1], IDS[::3]))
    assert epoch(every, 2) == epoch(backwards, 2)
    assert [visit for visit in epoch(every, 2) if visit.mask_id in IDS[::3]] == epoch(some, 2)
    one, other = epoch(every, 2)[4], epoch(backwards, 2)[4]
    assert one.row == len(IDS) - 1 - other.row
    assert torch.equal(torch.rand(9, generator=one.generator("x")), torch.rand(9, generator=other.generator("x")))


FIRST = [
    "[(2, 2), (2, 1), (1, 0), (4, 0), (8, 0), (1, 1), (2, 0), (0, 0), (7, 0), (0, 1), (6, 0), (8, 1)]",
    "[0.8795270323753357, 0.020469367504119873]",
]


def test_the_first_visits_never_change() -> None:
    """Runs of other versions, machines and processes must see the same."""
    code = (
        "import torch; from hqdata.training.visits import Visits\n"
        "v = Visits([f'a/b/{n}#0' for n in range(9)], [1, 2, 3, 0, 0.5, 0.5, 0.5, 0.5, 1], 7)\n"
        "print([(v[p].row, v[p].use) for p in range(12)])\n"
        "print(torch.rand(2, generator=v[4].generator('jitter')).tolist())"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.splitlines() == FIRST


def test_generators_differ_by_all_that_a_visit_is_and_by_purpose() -> None:
    visits = [
        Visit(seed=seed, mask_id=mask_id, use=use, row=0)
        for seed in (0, 1)
        for mask_id in ("a/b/1#0", "a/b/1#1")
        for use in (0, 1, 10)
    ]
    drawn = {tuple(torch.rand(2, generator=v.generator(p)).tolist()) for v in visits for p in ("jitter", "prompt")}
    assert len(drawn) == len(visits) * 2
    again = visits[0].generator("jitter"), visits[0].generator("jitter")
    assert torch.equal(*(torch.rand(5, generator=generator) for generator in again))


# weights of a, b, c, d: how often each comes in an epoch
WEIGHTS = {
    "all alike": ([1, 1, 1, 1], [{1}, {1}, {1}, {1}]),
    "alike on another scale": ([0.3, 0.3, 0.3, 0.3], [{1}, {1}, {1}, {1}]),
    "whole numbers": ([2, 0, 1, 1], [{2}, {0}, {1}, {1}]),
    "only one": ([0, 0, 5, 0], [{0}, {0}, {4}, {0}]),
    "halves": ([0.5, 1.5, 0.5, 1.5], [{0, 1}, {1, 2}, {0, 1}, {1, 2}]),
    "a tiny one": ([1e-300, 1, 1, 1], [{0}, {1, 2}, {1, 2}, {1, 2}]),
}


@pytest.mark.parametrize("case", WEIGHTS)
def test_weights(case: str) -> None:
    weights, counts = WEIGHTS[case]
    ids = ["s/p/a#0", "s/p/b#0", "s/p/c#0", "s/p/d#0"]
    visits = Visits(ids, weights, seed=0)
    seen = [used(visits, number) for number in range(40)]
    assert [{count[mask_id] for count in seen} for mask_id in ids] == counts


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.floats(0, 8), min_size=1, max_size=24).filter(lambda weights: sum(weights) > 0),
    st.integers(0, 5),
    st.integers(0, 4),
)
def test_an_epoch_differs_from_the_weights_by_less_than_one(weights: list[float], seed: int, number: int) -> None:
    ids = IDS[: len(weights)]
    visits = Visits(ids, weights, seed)
    counts, total = used(visits, number), sum(map(Fraction, weights))
    expected = {mask_id: Fraction(weight) * len(ids) / total for mask_id, weight in zip(ids, weights, strict=True)}
    assert sum(counts.values()) == len(ids)
    assert all(abs(counts[mask_id] - expected[mask_id]) < 1 for mask_id in ids)
    by_source: Counter[str] = Counter()
    for mask_id in ids:
        by_source[source_of(mask_id)] += counts[mask_id] - expected[mask_id]
    assert all(abs(difference) < 1 for difference in by_source.values())


def test_weights_hold_on_average_and_neighbours_are_drawn_independently() -> None:
    weights = np.array([0.3, 0.7, 1.25, 1.75, 0.5, 0.5, 1.5, 1.5] * 3)
    visits = Visits(IDS, weights, seed=2)
    counts = np.array([[used(visits, number)[mask_id] for mask_id in IDS] for number in range(600)])
    standard_error = np.sqrt((weights % 1) * (1 - weights % 1) / 600)
    assert (np.abs(counts.mean(axis=0) - weights) < 4.5 * standard_error).all()
    correlations = np.corrcoef(counts.T)[np.triu_indices(len(IDS), 1)]
    # In a fixed order, two neighbours of weight 0.5 would exclude each other: -1.
    assert correlations.min() > -0.4


def test_uses_count_on_from_epoch_to_epoch() -> None:
    visits = Visits(IDS, [0.4, 2.1, 0.5] * 8, seed=4)
    seen: dict[str, list[int]] = {}
    for number in range(6):
        for visit in epoch(visits, number):
            seen.setdefault(visit.mask_id, []).append(visit.use)
    assert all(sorted(uses) == list(range(len(uses))) for uses in seen.values())
    assert max(map(len, seen.values())) > 6


# ids, weights: part of the error
REFUSED: dict[str, tuple[list[str], list[float] | None, str]] = {
    "no masks": ([], None, "nothing to train on"),
    "a mask twice": (["a/b/1#0", "a/b/1#0"], None, "each once\n.*1 twice"),
    "too few weights": (["a/b/1#0", "a/b/2#0"], [1.0], "expected: 2\n.*1"),
    "below 0": (["a/b/1#0", "a/b/2#0"], [-1.0, 2.0], "none below 0"),
    "no number": (["a/b/1#0", "a/b/2#0"], [float("nan"), 2.0], "none below 0"),
    "without end": (["a/b/1#0", "a/b/2#0"], [float("inf"), 2.0], "finite"),
    "none above 0": (["a/b/1#0", "a/b/2#0"], [0.0, 0.0], "one above"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_visited_is_refused(case: str) -> None:
    ids, weights, message = REFUSED[case]
    with pytest.raises(UsageError, match=f"(?s){message}"):
        Visits(ids, weights, seed=0)


def test_there_is_no_position_below_0() -> None:
    with pytest.raises(IndexError):
        Visits(IDS, None, seed=0)[-1]


@pytest.fixture(scope="module")
def fruit(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    return splits.fruit(tmp_path_factory.mktemp("fruit"))


def test_of_a_collection_and_of_splits(fruit: Collection, tmp_path: Path) -> None:
    every = visits_of(fruit, seed=0)
    assert every.mask_ids == sorted(f"{name}#0" for name in fruit.sample_ids)
    assert len(used(every, 0)) == 24
    some = visits_of(fruit.split(splits.make(fruit, tmp_path, only=("apple", "cherry")).path), seed=0)
    assert {source_of(visit.mask_id) for visit in epoch(some, 0)} == {"apple", "cherry"}
    assert epoch(some, 0) == [visit for visit in epoch(every, 0) if source_of(visit.mask_id) != "banana"]


def test_of_a_weighted_split(fruit: Collection, tmp_path: Path) -> None:
    split = splits.make(fruit, tmp_path, weights={"apple": 0.5, "banana": 0.25, "cherry": 0.25})
    counts = used(visits_of(fruit.split(split.path), seed=0), 0)
    by_source = Counter({source_of(mask_id): 0 for mask_id in counts})
    for mask_id, count in counts.items():
        by_source[source_of(mask_id)] += count
    assert by_source == {"apple": 12, "banana": 6, "cherry": 6}
