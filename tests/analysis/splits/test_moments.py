"""Bins at the target's quantiles, ranks, and moments in standard deviations."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata, spearmanr

from hqdata.analysis.splits.moments import BLOCK, Cut, bin_edges, moments_of

RNG = np.random.default_rng(1)


@pytest.mark.parametrize(
    ("values", "bins", "edges"),
    [
        (range(10), 5, [1, 3, 5, 7]),
        (range(10), 1, []),
        ([3, 3, 3], 5, []),
        ([1, 2, 2, 9], 5, [1, 2]),
        ([0] * 6 + [1, 2, 3, 4], 4, [0, 2]),
        ([0] * 6 + [1, 2, 3, 4, 5, 6], 4, [0, 3]),
        # The value 1 fills most of the column: what lies below it is kept apart, as is what lies above.
        ([0] + [1] * 8 + [2, 3, 4, 5], 4, [0, 1, 2]),
        # A heavy value at the upper end.
        ([0.2, 0.4, 0.6, 0.8] + [1] * 8, 4, [0.6, 0.8]),
    ],
)
def test_bin_edges(values: list[float], bins: int, edges: list[float]) -> None:
    assert bin_edges(np.array(values, float), bins).tolist() == edges


def test_bins_of_different_values_are_those_of_pandas() -> None:
    values = RNG.permutation(1000) ** 2.0
    cut = Cut(edges=bin_edges(values, 5), ranked=np.sort(values))
    assert np.bincount(cut.bins_of(values)).tolist() == [200] * 5
    assert cut.bins_of(values).tolist() == pd.qcut(values, 5, labels=False).tolist()


@given(
    st.lists(st.sampled_from([0.0, 0.1, 0.2, 1.0, 2.0, 3.5, 4.0, 50.0, 1e9]), min_size=1, max_size=60),
    st.integers(1, 8),
)
def test_no_bin_of_the_target_is_empty_and_heavy_values_have_their_own(values: list[float], bins: int) -> None:
    column = np.array(values)
    cut = Cut(edges=bin_edges(column, bins), ranked=np.sort(column))
    held = cut.bins_of(column)
    assert np.bincount(held, minlength=cut.bins).min() > 0
    assert cut.bins <= 2 * bins
    for value, count in zip(*np.unique(column, return_counts=True), strict=True):
        if count * bins > len(values):
            assert (column[held == cut.bins_of(np.array([value]))[0]] == value).all()


@pytest.mark.parametrize(("number", "text"), [(0, "up to 0.25"), (1, "above 0.25 and up to 2"), (2, "above 2")])
def test_text_of_a_bin(number: int, text: str) -> None:
    assert Cut(edges=np.array([0.25, 2.0]), ranked=np.zeros(1)).text(number) == text


def test_ranks_are_those_of_scipy() -> None:
    values = RNG.integers(0, 20, 200).astype(float)
    cut = Cut(edges=np.zeros(0), ranked=np.sort(values))
    expected = ((2 * rankdata(values) - 1) / 200 - 1) * np.sqrt(3)
    np.testing.assert_allclose(cut.ranks_of(values), expected, atol=1e-12)


def test_the_mean_product_of_ranks_is_spearmans_correlation() -> None:
    target = RNG.normal(size=(300, 2)) @ np.array([[1, 0.7], [0, 0.5]])
    moments = moments_of("ab", target, target, 5)
    rho = spearmanr(target).statistic
    assert moments.target[-1] == pytest.approx(rho * (1 - 1 / 300**2))


def columns(count: int) -> np.ndarray:
    """Skewed, with many zeros, few values, constant."""
    rng = np.random.default_rng(count)
    return np.column_stack(
        [
            rng.lognormal(size=count),
            np.maximum(0, rng.normal(size=count)),
            rng.integers(1, 4, count),
            np.full(count, 0.1),
        ]
    )


def test_places_of_moments() -> None:
    moments = moments_of(["skewed", "zeros", "few", "constant"], columns(500), columns(2000), 5)
    assert [cut.bins for cut in moments.cuts] == [5, 4, 3, 1]
    assert moments.bins == [slice(4, 9), slice(9, 13), slice(13, 16), slice(16, 17)]
    assert moments.pairs[:4] == [("skewed", "zeros"), ("skewed", "few"), ("skewed", "constant"), ("zeros", "few")]
    assert len(moments.target) == 17 + 6
    for bins in moments.bins:
        assert moments.target[bins].sum() == pytest.approx(1)


def test_means_and_deviations_are_those_of_pandas() -> None:
    # More masks than are looked at together.
    target, pool = columns(5000), columns(BLOCK + 3000)
    moments = moments_of(["skewed", "zeros", "few", "constant"], target, pool, 5)
    wanted, offered = pd.DataFrame(target), pd.DataFrame(pool)
    np.testing.assert_allclose(moments.target[:4], wanted.mean(), rtol=1e-12)
    np.testing.assert_allclose(moments.pool[:4], offered.mean(), rtol=1e-12)
    expected = np.sqrt((wanted.var() + offered.var()) / 2)
    np.testing.assert_allclose(moments.sd[:3], expected[:3], rtol=1e-10)
    assert moments.sd[3] == 0
    off = moments.off(pool, products=True)
    np.testing.assert_allclose(off.mean(axis=0, dtype=float), moments.smd(moments.pool), atol=1e-5)
    assert (off[:, 3] == 0).all()
    assert moments.off(pool, products=False).shape[1] == off.shape[1] - 6


def test_weighted_means() -> None:
    rows, weights = columns(100), RNG.uniform(size=100)
    moments = moments_of(["skewed", "zeros", "few", "constant"], columns(50), rows, 3)
    np.testing.assert_allclose(moments.mean(rows, weights)[:4], np.average(rows, axis=0, weights=weights))


def test_a_share_may_be_off_by_one_mask() -> None:
    target = np.arange(20.0)[:, None]
    moments = moments_of(["number"], target, target, 2)

    def bins_after(drawn: list[int]) -> float:
        rows = target[drawn]
        return moments.table(moments.mean(rows, np.ones(len(rows))), len(rows))[0][0].bins_after

    assert bins_after([0, 1, 2, 3, 4, 11, 12, 13, 14, 15]) == 0
    assert bins_after([0, 1, 2, 3, 10, 11, 12, 13, 14, 15]) == 0
    # Two masks too many in a bin, less one that cannot be cut, are a tenth of the masks.
    assert bins_after([0, 1, 2, 10, 11, 12, 13, 14, 15, 16]) == pytest.approx(0.1 / moments.sd[1])
