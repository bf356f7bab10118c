"""Standardised differences, effective sample size, and the table as JSON and as text."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import ttest_ind_from_stats

from hqdata.analysis.splits.balance import Balance, Row, balance_of, effective_size, pooled_sd, smd


def one(function, *values: float) -> float:
    return float(function(*(np.array([value]) for value in values))[0])


@pytest.mark.parametrize(
    ("target", "control", "sd", "expected"),
    [
        (1.0, 1.5, 2.0, 0.25),
        (1.5, 1.0, 2.0, -0.25),
        (3.0, 3.0, 0.0, 0.0),
        (0.1, math.nextafter(0.1, 1), 0.0, 0.0),
        (0.0, 0.0, 0.0, 0.0),
        (3.0, 3.1, 0.0, math.inf),
        (3.0, 2.9, 0.0, -math.inf),
    ],
)
def test_standardised_mean_difference(target: float, control: float, sd: float, expected: float) -> None:
    assert one(smd, target, control, sd) == pytest.approx(expected)


def test_it_is_that_of_the_t_test() -> None:
    # With n of each, t is the difference in pooled standard deviations times sqrt(n / 2).
    t = ttest_ind_from_stats(5.0, 2.0, 50, 4.2, 3.0, 50).statistic
    assert one(smd, 4.2, 5.0, one(pooled_sd, 9.0, 4.0)) == pytest.approx(t / math.sqrt(25))


@pytest.mark.parametrize(
    ("weights", "size"),
    [([1, 1, 1, 1], 4), ([0.2, 0.2, 0.2], 3), ([1, 0, 0], 1), ([1, 1, 2], 16 / 6), ([1, 1, 1, 0], 3)],
)
def test_effective_size(weights: list[float], size: float) -> None:
    assert effective_size(np.array(weights, float)) == pytest.approx(size)


AREA = Row(
    name="area_rel",
    bins=5,
    target=0.25,
    pool=0.1,
    control=0.24,
    before=-0.9,
    after=-0.02,
    bins_before=0.7,
    bins_after=0.05,
)
PRODUCT = replace(AREA, name="area_rel x border_rel", bins=0, before=0.1, after=-0.6, bins_before=0.0, bins_after=0.0)
BALANCE = Balance(
    limit=0.1,
    target=400,
    pool=3000,
    control=400,
    effective=1234.5,
    target_missing=1,
    pool_missing=2,
    outside=30,
    joint=False,
    columns=(AREA, replace(AREA, name="border_rel")),
    products=(PRODUCT,),
)


@pytest.mark.parametrize(
    ("change", "worst"),
    [
        ({}, 0.05),
        ({"after": -0.06}, 0.06),
        ({"after": 0.11}, 0.11),
        ({"bins_after": 0.1}, 0.1),
        ({"after": math.inf}, math.inf),
    ],
)
def test_every_mean_and_every_bin_is_held_to_the_limit(change: dict[str, float], worst: float) -> None:
    balance = replace(BALANCE, columns=(AREA, replace(AREA, **change)))
    assert (balance.worst, balance.accepted) == (worst, worst < 0.1)


def test_products_are_held_to_it_where_they_were_asked_for() -> None:
    assert BALANCE.accepted
    assert replace(BALANCE, joint=True).worst == 0.6


@pytest.mark.parametrize("after", [0.02, math.inf, -math.inf])
def test_facts_are_plain_json_and_give_the_balance_back(after: float) -> None:
    balance = replace(BALANCE, columns=(replace(AREA, after=after),))
    facts = json.loads(json.dumps(balance.facts(), allow_nan=False))
    assert balance_of(facts) == replace(BALANCE, columns=(replace(AREA, after=abs(after)),))


def test_text_shows_products_only_where_they_matter() -> None:
    lines = BALANCE.text().splitlines()
    assert lines[1].split() == ["area_rel", "0.25", "0.1", "0.24", "-0.900", "-0.020", "5", "0.700", "0.050"]
    assert lines[3].startswith("area_rel x border_rel")
    assert "not asked for" in lines[4]
    assert lines[5] == (
        "400 of 3,000 masks, for 400; effective sample size 1,234; largest difference 0.050, to be below 0.1"
    )
    quiet = replace(BALANCE, products=(replace(PRODUCT, after=0.03),))
    assert len(quiet.text().splitlines()) == 4
    assert len(replace(quiet, joint=True).text().splitlines()) == 5
