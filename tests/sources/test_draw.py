"""Seeded draws: uniform, the same whatever the order, extendable, disjoint where asked for, in bounded memory."""

import tracemalloc
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chisquare

from hqdata.catalog import load_catalog
from hqdata.errors import ManifestError, UsageError
from hqdata.manifest import Family
from hqdata.recipe import Draw
from hqdata.sources.draw import choose_tars, eligible, lowest, rank

TARS = Family(first="sa_000000.tar", count=1000).names
BROKEN = {"sa_000014.tar", "sa_000016.tar", "sa_000017.tar", "sa_000019.tar"}


def names(count: int, start: int = 1) -> list[str]:
    return [f"sa_{number}" for number in range(start, start + count)]


def take(found: list[str], size: int, seed: int = 1) -> list[str]:
    return list(lowest(((name, None) for name in found), seed, size).taken)


def orders(found: list[str]) -> list[list[str]]:
    """Five orders of the same names."""
    shuffled = [[found[k] for k in np.random.default_rng(seed).permutation(len(found))] for seed in range(3)]
    return [found, found[::-1], *shuffled]


def test_ranks_are_the_first_bytes_of_a_sha256():
    assert [rank(44320, name) for name in ("sa_1", "sa_000020.tar")] == [0x966EBBA576E482B9, 0xF4D273CC3A14B092]
    assert len({rank(1, f"sa_{number}") for number in range(10_000)}) == 10_000


@pytest.mark.parametrize("size", [1, 7, 200, 500, 501, 10_000])
def test_the_lowest_are_what_sorting_gives_in_every_order(size):
    found = names(500)
    expected = sorted(found, key=lambda name: rank(1, name))[:size]
    assert [take(order, size) for order in orders(found)] == [expected] * 5


def test_more_names_give_what_one_pass_over_all_gives():
    first, second, third = names(300), names(300, 301), names(400, 601)
    so_far = take(first, 100)
    so_far = take(so_far + second, 100)
    assert take(so_far + third, 100) == take(first + second + third, 100)


def test_a_larger_draw_holds_the_smaller_one():
    found = names(1000)
    assert take(found, 300)[:100] == take(found, 100)


def test_images_are_drawn_with_equal_chances():
    # 400 draws of 100 among 1,000 names: each name comes 40 times, with the variance of a draw without replacement.
    counts = Counter(name for seed in range(400) for name in take(names(1000), 100, seed))
    held = np.array([counts[name] for name in names(1000)])
    assert chisquare(held).statistic / (1 - 100 / 1000) < 1145  # one in a thousand at 999 degrees of freedom


def test_ranks_fall_evenly():
    held = np.histogram([rank(44320, name) / 2**64 for name in names(20_000)], bins=50, range=(0, 1))[0]
    assert chisquare(held).pvalue > 0.001


def test_a_draw_from_all_tars_takes_evenly_from_each():
    # Tars of SA-1B hold consecutive numbers.
    taken = take(names(50 * 400), 4000, 44320)
    held = Counter((int(name[3:]) - 1) // 400 for name in taken)
    assert chisquare([held[tar] for tar in range(50)]).statistic / (1 - 0.2) < 86  # one in a thousand at 49


def test_tars_are_drawn_with_equal_chances():
    counts = Counter(name for seed in range(500) for name in choose_tars(TARS[:100], Draw(seed=seed, tars=10)))
    held = [counts[name] for name in TARS[:100]]
    assert chisquare(held).statistic / (1 - 10 / 100) < 149  # one in a thousand at 99 degrees of freedom


def test_of_equal_names_the_first_is_taken_and_the_others_are_named():
    found = [("a", 1), ("b", 2), ("a", 3), ("c", 4), ("a", 5)]
    drawn = lowest(found, 1, 3)
    assert drawn.taken == {name: item for name, item in found if item in {1, 2, 4}}
    assert drawn.doubles == [("a", 3), ("a", 5)]


def test_doubles_of_what_is_not_taken_are_not_named():
    found = names(50)
    drawn = lowest([(name, k) for k, name in enumerate(found * 2)], 1, 10)
    assert sorted(name for name, _ in drawn.doubles) == sorted(drawn.taken)
    assert list(drawn.taken) == take(found, 10)


def test_memory_is_bounded_by_the_size():
    def peak(count: int) -> int:
        stream: Iterator[tuple[str, None]] = ((f"sa_{number}", None) for number in range(count))
        tracemalloc.start()
        lowest(stream, 1, 500)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(60_000) < 1.3 * peak(6_000)


DRAW = Draw(seed=44320, tars=8)


def test_tars_are_the_lowest_ranks_whatever_their_order():
    expected = sorted(sorted(TARS, key=lambda name: rank(44320, name))[:8])
    assert [choose_tars(order, DRAW) for order in orders(list(TARS))] == [expected] * 5


def test_draws_that_skip_share_no_tar_and_join_to_the_larger_draw():
    blocks = [set(choose_tars(TARS, replace(DRAW, skip=skip))) for skip in (0, 8, 16)]
    assert set().union(*blocks) == set(choose_tars(TARS, replace(DRAW, tars=24)))
    assert sum(map(len, blocks)) == 24
    assert set(choose_tars(TARS, replace(DRAW, tars=4, skip=8))) < blocks[1]
    assert choose_tars(TARS, replace(DRAW, tars="all")) == list(TARS)


def test_more_tars_than_there_are():
    with pytest.raises(UsageError, match=r"not enough archives for 8 after the first 996\n.*1004 or more\n.*1000"):
        choose_tars(TARS, replace(DRAW, skip=996))


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"tars": 0}, "1 or more"),
        ({"skip": -1}, "0 or more"),
        ({"per_image": 0}, "per_image 1 or more"),
        ({"tars": "all", "skip": 8}, "skip 0"),
    ],
)
def test_draws_of_nothing_are_refused(values, text):
    with pytest.raises(ManifestError, match=text):
        Draw(seed=1, **values)


@pytest.mark.parametrize(
    ("rule", "most", "single"), [("uniform", 1, True), ("whole", 1, True), ("all", 1, False), ("uniform", 5, False)]
)
def test_one_mask_an_image_is_single(rule, most, single):
    assert Draw(seed=1, masks=rule, per_image=most).single == single


def packaged(name: str) -> tuple[Draw, set[str]]:
    """A packaged recipe's draw, and its tars."""
    catalog = load_catalog()
    (recipe_take,) = catalog.recipe(name).take
    source = catalog.source("sa1b")
    (form,) = source.forms
    assert form.family is not None
    assert recipe_take.draw is not None
    return recipe_take.draw, set(choose_tars(eligible(source, form.family, recipe_take.draw), recipe_take.draw))


def test_the_packaged_draws_share_no_tar():
    draws = {name: packaged(name) for name in ("sa1b-44k", "sa1b-44k-b", "sa1b-44k-c", "sa1b-eval")}
    tars = [tar for _, chosen in draws.values() for tar in chosen]
    assert [len(chosen) for _, chosen in draws.values()] == [8, 8, 8, 2]
    assert len(set(tars)) == len(tars)
    assert BROKEN.isdisjoint(tars)
    assert {draw.seed for draw, _ in draws.values()} == {44320}
    assert [draw.single for draw, _ in draws.values()] == [True, True, True, False]


def test_no_draw_for_training_ever_meets_the_tars_for_evaluation():
    source = load_catalog().source("sa1b")
    (form,) = source.forms
    assert form.family is not None
    kept = set(form.family.evaluation)
    ranked = sorted(set(TARS) - BROKEN, key=lambda name: rank(44320, name))
    assert kept == set(ranked[-8:])
    everything = eligible(source, form.family, Draw(seed=9, tars="all"))
    assert set(everything) == set(TARS) - BROKEN - kept
    assert set(eligible(source, form.family, Draw(seed=9, tars="all", evaluation=True))) == kept


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"first": "tar", "count": 2}, "holds one number"),
        ({"first": "a1b2.tar", "count": 2}, "holds one number"),
        ({"first": "../sa_0.tar", "count": 2}, "holds one number"),
        ({"first": "sa_00.tar", "count": 2, "evaluation": ("sa_02.tar",)}, "has no sa_02.tar"),
    ],
)
def test_families_that_cannot_be(values, text):
    with pytest.raises(ManifestError, match=text):
        Family(**values)
