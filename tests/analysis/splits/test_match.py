"""Matched controls: as a target in every column, or refused with the table that says why."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2, spearmanr

from hqdata.analysis.splits.inclusion import chances
from hqdata.analysis.splits.match import Matched, match
from hqdata.analysis.splits.moments import moments_of
from hqdata.errors import UsageError


def masks(count: int, seed: int, shift: float = 0.0, together: float = 0.0) -> pd.DataFrame:
    """Masks as the statistics show them: areas, shares that are often 0, counts with a long tail.

    Args:
        count: how many.
        seed: of the numbers.
        shift: by how much all columns lie higher.
        together: correlation of area and thin share.
    """
    rng = np.random.default_rng(seed)
    first, second, third = rng.normal(size=(3, count))
    second = together * first + np.sqrt(1 - together**2) * second
    return pd.DataFrame(
        {
            "area_rel": 1 / (1 + np.exp(1 - first - shift)),
            "thin_share_1024": np.maximum(0, np.tanh(0.5 * (second + shift))),
            "components_1024": np.floor(1 + np.exp(third + shift - 1)).astype(int),
        }
    )


def table(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame, preserve_index=False)


def names(count: int) -> list[str]:
    return [f"sa1b/all/sa_{number}#0" for number in range(count)]


def draw(target: pd.DataFrame, pool: pd.DataFrame, **options) -> Matched:
    return match(table(target), table(pool), names(len(pool)), **{"seed": 1, **options})


def differences(target: pd.DataFrame, pool: pd.DataFrame, control: pd.DataFrame) -> pd.Series:
    """Standardised mean differences by pandas."""
    return (control.mean() - target.mean()) / np.sqrt((target.var() + pool.var()) / 2)


TARGET, POOL = masks(300, 1, shift=0.6), masks(4000, 2)


def test_a_control_is_as_its_target_and_the_pool_was_not() -> None:
    found = draw(TARGET, POOL)
    control = POOL.iloc[found.positions]
    balance = found.balance
    assert (balance.target, balance.pool, balance.control) == (300, 4000, 300)
    assert differences(TARGET, POOL, POOL).abs().min() > 0.25
    assert differences(TARGET, POOL, control).abs().max() < 0.05
    assert [row.before for row in balance.columns] == pytest.approx(differences(TARGET, POOL, POOL).tolist())
    assert [row.after for row in balance.columns] == pytest.approx(differences(TARGET, POOL, control).tolist())
    assert [row.control for row in balance.columns] == pytest.approx(control.mean().tolist())
    assert found.ids == tuple(sorted(names(4000)[position] for position in found.positions))
    assert 300 < balance.effective < 4000


def test_quantile_bins_hold_the_same_shares() -> None:
    control = POOL.iloc[draw(TARGET, POOL).positions]
    ends = np.quantile(TARGET["area_rel"], [0, 0.2, 0.4, 0.6, 0.8, 1], method="inverted_cdf")
    shares = pd.cut(control["area_rel"], ends, include_lowest=True).value_counts(normalize=True)
    assert shares.tolist() == pytest.approx([0.2] * 5, abs=0.02)
    for value in (1, 2):
        assert (control["components_1024"] == value).mean() == pytest.approx(
            (TARGET["components_1024"] == value).mean(), abs=0.02
        )


@pytest.mark.parametrize("size", [10, 50, 299, 1500, 4000])
def test_a_pool_like_its_target_gives_any_number(size: int) -> None:
    found = draw(POOL, POOL, size=size, limit=0.1)
    assert len(set(found.ids)) == len(found.ids) == found.balance.control == size
    assert found.balance.accepted


def test_a_target_is_its_own_control() -> None:
    found = draw(TARGET, TARGET)
    assert found.positions.tolist() == list(range(300))
    assert found.balance.worst == pytest.approx(0, abs=1e-12)
    assert found.balance.effective == 300


def test_the_order_of_masks_and_columns_does_not_matter() -> None:
    rng = np.random.default_rng(3)
    expected = draw(TARGET, POOL, size=120)
    for _ in range(3):
        order, columns, ids = rng.permutation(len(POOL)), rng.permutation(POOL.columns), names(len(POOL))
        found = match(
            table(TARGET.sample(frac=1, random_state=1)),
            table(POOL.iloc[order][columns]),
            [ids[place] for place in order],
            size=120,
            seed=1,
        )
        assert found.ids == expected.ids
        assert found.balance == expected.balance


def test_seeds_draw_other_masks() -> None:
    one, other = (set(draw(TARGET, POOL, seed=seed).ids) for seed in (1, 2))
    assert one == set(draw(TARGET, POOL, seed=1).ids)
    assert len(one & other) < 100


def test_masks_are_drawn_as_often_as_their_chances_say() -> None:
    """Chi-square over 80 masks and 400 seeds."""
    target, pool = masks(100, 4, shift=0.3)[["area_rel"]], masks(80, 5)[["area_rel"]]
    counts = np.zeros(80)
    for seed in range(400):
        counts[draw(target, pool, size=20, seed=seed, limit=0.3).positions] += 1
    inside = ((pool >= target.min()) & (pool <= target.max())).to_numpy().all(axis=1)
    moments = moments_of(["area_rel"], target.to_numpy(), pool.to_numpy(), 2)
    chance = chances(moments.off(pool.to_numpy()[inside], products=True), 20)
    assert (counts[~inside] == 0).all()
    assert chance.max() > 2 * chance.min()
    spread = 400 * chance * (1 - chance)
    assert ((counts[inside] - 400 * chance) ** 2 / spread).sum() < chi2.ppf(0.999, inside.sum())


@settings(max_examples=40, deadline=None)
@given(
    st.integers(10, 80),
    st.integers(10, 300),
    st.floats(-1.5, 1.5),
    st.integers(0, 999),
    st.none() | st.integers(10, 60),
    st.booleans(),
)
def test_what_is_drawn_has_the_balance_or_nothing_is(
    wanted: int, offered: int, shift: float, seed: int, size: int | None, joint: bool
) -> None:
    target, pool = masks(wanted, seed, shift, 0.5), masks(offered, seed + 1)
    try:
        found = draw(target, pool, size=size, seed=seed, joint=joint)
    except UsageError:
        return
    assert len(set(found.positions.tolist())) == len(found.ids) == found.balance.control
    assert found.balance.control == size if size else found.balance.control <= wanted
    off = differences(target, pool, pool.iloc[found.positions]).fillna(0)
    assert off.abs().max() < 0.1
    assert found.balance.accepted


@pytest.mark.parametrize("count", [10, 15, 19])
def test_tiny_pools(count: int) -> None:
    pool = masks(count, 6)
    assert draw(pool, pool).balance.control == count
    with pytest.raises(UsageError, match=r"have the balance|hardly a mask"):
        draw(masks(count, 7, shift=2.5), pool)


def test_a_pool_smaller_than_its_target_gives_what_it_can() -> None:
    pool = pd.concat([TARGET.iloc[:60], masks(40, 8, shift=-1)], ignore_index=True)
    found = draw(TARGET, pool)
    assert 50 <= found.balance.control <= 100
    assert found.balance.accepted


def test_too_large_a_size_is_refused_with_the_largest_there_is() -> None:
    with pytest.raises(UsageError, match="no 3,000 masks of the pool have the balance") as caught:
        draw(TARGET, POOL, size=3000)
    text = str(caught.value)
    most = int(re.search(r"ask for ([\d,]+) masks", text)[1].replace(",", ""))
    assert "thin_share_1024" in text.partition("\n\n")[2]
    found = draw(TARGET, POOL, size=most)
    assert 300 < found.balance.control == most
    with pytest.raises(UsageError):
        draw(TARGET, POOL, size=round(most * 1.1))


def test_more_than_the_pool_holds() -> None:
    with pytest.raises(UsageError, match=r"(?s)no 301 masks.*ask for 300 masks"):
        match(table(TARGET), table(TARGET), names(300), size=301, seed=1)


def test_without_a_size_the_largest_is_drawn() -> None:
    pool = masks(4000, 2, shift=-0.8)
    found = draw(TARGET, pool)
    assert 50 < found.balance.control < 300
    with pytest.raises(UsageError, match=f"ask for {found.balance.control} masks"):
        draw(TARGET, pool, size=300)


def area(values: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"area_rel": values})


REFUSED = {
    "apart": (
        area(np.linspace(0.5, 0.9, 40)),
        area(np.linspace(0, 0.4, 400)),
        r"hardly a mask of the pool lies within the range of the target\n.*10 or more of 400\n.*area_rel 0.5 to 0.9: 0",
    ),
    "a gap": (
        area(np.linspace(0, 1, 100)),
        area([*np.linspace(0, 0.39, 300), *np.linspace(0.61, 1, 300)]),
        r"no mask in bin 3 of 5 of area_rel\n.*20.0% of the control, as of the target, above 0.3939 and up to 0.596",
    ),
    "hardly any": (
        area(np.linspace(0, 1, 100)),
        area([*np.linspace(0, 0.1, 300), 0.3, 0.5, 0.7, 0.9]),
        r"no masks of the pool have the balance of the target\n.*below 0.1\n.*of area_rel\) with 100 masks",
    ),
    "constant, and another constant": (area([0.2] * 30), area([0.3] * 300), "hardly a mask of the pool lies within"),
    "few masks": (area(np.linspace(0, 1, 9)), area(np.linspace(0, 1, 99)), "the target holds too few masks"),
    "few in the pool": (area(np.linspace(0, 1, 99)), area(np.linspace(0, 1, 9)), "the pool holds too few masks"),
    "no value": (area([np.nan] * 30), area(np.linspace(0, 1, 99)), r"0 of 30; missing: area_rel of 30"),
    "no value in the pool": (area(np.linspace(0, 1, 99)), area([np.nan] * 30), r"0 of 30; missing: area_rel of 30"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_matched_is_refused(case: str) -> None:
    target, pool, text = REFUSED[case]
    with pytest.raises(UsageError, match=text):
        draw(target, pool)


def test_so_few_have_no_distribution() -> None:
    with pytest.raises(UsageError, match="so few masks"):
        draw(TARGET, POOL, size=9)


def test_columns_without_variation_are_met_where_they_can_be() -> None:
    target, pool = TARGET.assign(border_rel=0.0), POOL.assign(border_rel=0.0)
    assert draw(target, pool).balance.columns[-1].after == 0
    # A pool that varies gives those of its masks that have the very value.
    pool["border_rel"] = np.where(np.arange(4000) % 2, 0.0, 0.1)
    found = draw(target, pool)
    assert (pool["border_rel"].iloc[found.positions] == 0).all()
    assert found.balance.outside >= 2000


def test_missing_values_are_counted_and_never_drawn() -> None:
    target, pool = TARGET.copy(), POOL.copy()
    target.loc[[3, 4], "area_rel"] = np.nan
    pool.loc[[5, 17], "thin_share_1024"] = [np.nan, np.inf]
    found = draw(target, pool)
    assert found.missing.tolist() == [5, 17]
    assert (found.balance.target, found.balance.target_missing) == (298, 2)
    assert (found.balance.pool, found.balance.pool_missing) == (3998, 2)
    assert not {5, 17} & {*found.positions.tolist()}
    nulls = table(pool).set_column(0, "area_rel", pa.array([None, *pool["area_rel"][1:]]))
    assert match(table(target), nulls, names(4000), seed=1).missing.tolist() == [0, 5, 17]


@pytest.mark.parametrize("count", [5_000, 2_000_000_000])
def test_a_huge_value_does_not_stand_in_for_many_others(count: int) -> None:
    plain = draw(TARGET, POOL)
    pool = POOL.copy()
    pool.loc[7, "components_1024"] = count
    found = draw(TARGET, pool)
    assert 7 not in found.positions
    # It makes the pool's standard deviation huge and every difference of means small; shares of bins still tell.
    control = pool.iloc[found.positions]["components_1024"]
    assert control.mean() == pytest.approx(TARGET["components_1024"].mean(), rel=0.1)
    assert found.balance.columns[2].bins_before == pytest.approx(plain.balance.columns[2].bins_before, rel=0.1)


def test_a_huge_value_of_the_target_is_not_chased() -> None:
    target = TARGET.copy()
    target.loc[7, "components_1024"] = 100_000
    found = draw(target, POOL)
    assert found.balance.control == 300
    control = POOL.iloc[found.positions]["components_1024"]
    assert (control == 1).mean() == pytest.approx((target["components_1024"] == 1).mean(), abs=0.03)


def test_identical_masks() -> None:
    target = pd.concat([area([0.1] * 30), area([0.7] * 10)], ignore_index=True)
    pool = pd.concat([area([0.1] * 50), area([0.7] * 50), area([0.4] * 50)], ignore_index=True)
    found = draw(target, pool)
    assert found.balance.control == 40
    assert pool.iloc[found.positions]["area_rel"].value_counts().to_dict() == {0.1: 30, 0.7: 10}


def test_columns_go_together_as_in_the_target_where_that_is_asked_for() -> None:
    target, pool = masks(400, 9, 0.3, together=0.6), masks(8000, 10, together=-0.3)

    def together(frame: pd.DataFrame) -> float:
        return float(spearmanr(frame["area_rel"], frame["thin_share_1024"]).statistic)

    alone, joint = (draw(target, pool, size=200, joint=asked) for asked in (False, True))
    assert abs(alone.balance.products[0].after) > 0.5
    assert "area_rel x thin_share_1024" in alone.balance.text()
    assert together(pool.iloc[alone.positions]) < 0
    assert together(pool.iloc[joint.positions]) == pytest.approx(together(target), abs=0.1)
    assert max(abs(row.after) for row in joint.balance.products) < 0.1
    with pytest.raises(UsageError, match=r"mean of area_rel x thin_share_1024"):
        draw(target, pool, size=3000, joint=True, limit=0.15)


@pytest.mark.parametrize(("size", "bins"), [(10, [1, 1, 1]), (20, [2, 2, 2]), (45, [4, 4, 3]), (200, [5, 5, 3])])
def test_few_masks_have_few_bins(size: int, bins: list[int]) -> None:
    assert [row.bins for row in draw(TARGET, POOL, size=size).balance.columns] == bins


def test_the_limit_is_the_callers() -> None:
    strict = draw(TARGET, POOL, limit=0.01)
    loose = draw(TARGET, POOL, size=strict.balance.control, limit=0.5)
    assert strict.balance.worst < 0.01
    assert replace(loose.balance, limit=0.01).target == 300


def test_ids_must_differ_and_columns_must_not() -> None:
    with pytest.raises(ValueError, match="sa_0#0 is in the pool twice"):
        match(table(TARGET), table(TARGET), [*names(299), names(1)[0]], seed=1)
    with pytest.raises(ValueError, match="columns differ"):
        match(table(TARGET), table(TARGET[["area_rel"]]), names(300), seed=1)
