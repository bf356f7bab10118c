"""Seeded choices: nested, proportional, equal, exact in number, whatever the order that masks come in."""

import itertools
import random
from collections import Counter

import pytest

from hqdata.analysis.splits.draw import halve, leave_out, take, take_best, take_each, take_stratified, weigh
from hqdata.analysis.splits.masks import by_source, sample_of, source_of
from hqdata.errors import UsageError

MASKS = [f"{source}/all/{n:03d}#0" for source, count in (("a", 10), ("b", 30), ("c", 60)) for n in range(count)]
SHUFFLED = random.Random(1).sample(MASKS, len(MASKS))


def numbers(masks: list[str]) -> dict[str, int]:
    return {source: len(found) for source, found in by_source(masks).items()}


def test_smaller_sizes_lie_within_larger_ones() -> None:
    sizes = [take(MASKS, size, 7) for size in range(1, 101)]
    for smaller, larger in itertools.pairwise(sizes):
        assert set(smaller) < set(larger)
    assert [len(found) for found in sizes] == list(range(1, 101))


def test_other_seeds_take_others_and_the_order_does_not_matter() -> None:
    assert take(MASKS, 20, 1) != take(MASKS, 20, 2)
    assert take(MASKS, 20, 1) == take(SHUFFLED, 20, 1)


def test_every_mask_is_as_likely() -> None:
    """Chi-square over 100 masks, 400 seeds, 25 taken each: 99 degrees of freedom, 148 at one in a thousand."""
    taken = Counter(mask for seed in range(400) for mask in take(MASKS, 25, seed))
    # Sampling without replacement: the variance of a count is 400 x 0.25 x 0.75.
    assert sum((taken[mask] - 100) ** 2 / 75 for mask in MASKS) * 99 / 100 < 148


def test_strata_keep_their_shares_at_every_size_and_sizes_are_nested() -> None:
    strata = {mask: source_of(mask) for mask in MASKS}
    sizes = [take_stratified(SHUFFLED, strata, size, 7) for size in range(1, 101)]
    for size, (smaller, larger) in enumerate(itertools.pairwise(sizes), start=1):
        assert set(smaller) < set(larger)
        for source, share in (("a", 0.1), ("b", 0.3), ("c", 0.6)):
            assert abs(numbers(smaller).get(source, 0) - size * share) <= 1
    assert numbers(sizes[49]) == {"a": 5, "b": 15, "c": 30}


@pytest.mark.parametrize(("size", "each"), [(3, 3), (10, 10), (None, 10)])
def test_as_many_of_every_source(size: int | None, each: int) -> None:
    assert numbers(take_each(MASKS, size, 0)) == {"a": each, "b": each, "c": each}


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: take(MASKS, 101, 0), "at most 100"),
        (lambda: take_stratified(MASKS, dict.fromkeys(MASKS, 0), 101, 0), "at most 100"),
        (lambda: take_each(MASKS, 11, 0), "a has 10"),
        (lambda: leave_out(MASKS, sample_of, 101, 0), "at most"),
    ],
)
def test_more_than_there_is(call: object, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        call()  # type: ignore[operator]


VALUES = {"a/x#0": 1.0, "a/y#0": 3.0, "a/z#0": None, "b/x#0": 5.0, "b/y#0": 4.0, "b/z#0": 2.0, "b/w#0": 3.0}


@pytest.mark.parametrize(
    ("share", "lowest", "each", "found"),
    [
        (0.5, False, False, ["a/y#0|b/w#0", "b/x#0", "b/y#0"]),
        (0.34, True, False, ["a/x#0", "b/z#0"]),
        (0.5, False, True, ["a/y#0", "b/x#0", "b/y#0"]),
        (0.01, True, True, ["a/x#0", "b/z#0"]),
    ],
)
def test_best_and_worst(share: float, lowest: bool, each: bool, found: list[str]) -> None:
    got, without = take_best(sorted(VALUES), VALUES, share, 0, lowest=lowest, each=each)
    assert without == ["a/z#0"]
    assert len(got) == len(found)
    assert all(one in other.split("|") for one, other in zip(got, found, strict=True))


def test_equal_values_are_decided_by_the_seed() -> None:
    same = dict.fromkeys(MASKS, 1.0)
    first, second = (take_best(MASKS, same, 0.2, seed, lowest=False, each=False)[0] for seed in (1, 2))
    assert first != second
    assert first == take(MASKS, 20, 1)


def unit(mask: str) -> str:
    """Groups of four images; c's last ten are one group."""
    number = int(mask[-5:-2])
    return "c/big" if mask[0] == "c" and number >= 50 else f"{mask[0]}/{number // 4}"


@pytest.mark.parametrize("seed", range(5))
def test_halves_never_part_what_belongs_together(seed: int) -> None:
    a, b = halve(SHUFFLED, unit, seed)
    assert sorted(a + b) == MASKS
    assert {unit(mask) for mask in a} & {unit(mask) for mask in b} == set()
    assert abs(len(a) - len(b)) <= 10
    assert halve(MASKS, unit, seed) == (a, b)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("number", [1, 3, 17, 60, 99, 100])
def test_leaving_out_is_exact_in_number_and_by_units_where_they_fit(number: int, seed: int) -> None:
    gone = leave_out(SHUFFLED, unit, number, seed)
    assert len(gone) == number
    assert gone == leave_out(MASKS, unit, number, seed)
    torn = {unit(mask) for mask in gone} & {unit(mask) for mask in set(MASKS) - set(gone)}
    assert len(torn) <= 1


def test_another_salt_leaves_out_others() -> None:
    first, second = (leave_out(MASKS, sample_of, 20, 0, salt) for salt in ("a:", "b:"))
    assert len({*first} & {*second}) < 15


def test_weights_give_sources_their_shares() -> None:
    weights = weigh(MASKS, {"a": 0.5, "b": 0.2})
    assert {source: round(sum(weights[m] for m in found), 9) for source, found in by_source(MASKS).items()} == {
        "a": 50,
        "b": 20,
        "c": 30,
    }


def test_sources_that_are_not_named_share_by_size() -> None:
    weights = weigh(MASKS, {"c": 0.2})
    assert {round(weights[m], 9) for m in MASKS if m[0] != "c"} == {2.0}
    assert weigh(MASKS, {"a": 0.0})["a/all/000#0"] == 0


@pytest.mark.parametrize(
    ("shares", "words"),
    [({"a": 0.5, "b": 0.1, "c": 0.1}, "sum to 1"), ({"a": 0.6, "b": 0.4}, "leave nothing for c")],
)
def test_weights_that_do_not_add_up(shares: dict[str, float], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        weigh(MASKS, shares)
