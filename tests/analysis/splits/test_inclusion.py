"""Chances of being drawn: the most even ones that meet the target, as solvers by others find them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import LinearConstraint, linprog, minimize
from scipy.special import expit, logsumexp, xlogy

from hqdata.analysis.splits.inclusion import RIDGE, allows, chances


def pool(masks: int, moments: int, seed: int, shift: float = 0.3) -> np.ndarray:
    """How far masks are off a target that lies ``shift`` standard deviations away."""
    return np.random.default_rng(seed).normal(shift, 1, (masks, moments)).astype(np.float32)


def scipy_chances(off: np.ndarray, size: int) -> np.ndarray:
    """Minimum of the same dual by L-BFGS."""
    off = off.astype(float)

    def dual(x: np.ndarray) -> tuple[float, np.ndarray]:
        score = x[0] + off @ x[1:]
        value = np.logaddexp(0, score).sum() - size * x[0] + RIDGE * size * (x[1:] ** 2).sum() / 2
        gradient = expit(score) @ off + RIDGE * size * x[1:]
        return value / size, np.concatenate([[expit(score).sum() - size], gradient]) / size

    start = np.zeros(1 + off.shape[1])
    found = minimize(dual, start, jac=True, method="L-BFGS-B", options={"ftol": 1e-15, "gtol": 1e-10, "maxiter": 5000})
    return expit(found.x[0] + off @ found.x[1:])


@pytest.mark.parametrize(
    ("masks", "moments", "size"), [(50, 2, 5), (50, 2, 25), (400, 6, 100), (400, 6, 390), (60_000, 4, 20_000)]
)
def test_chances_are_those_of_another_solver(masks: int, moments: int, size: int) -> None:
    off = pool(masks, moments, masks)
    np.testing.assert_allclose(chances(off, size), scipy_chances(off, size), atol=2e-5)


def test_chances_have_the_largest_entropy_of_all_that_meet_the_target() -> None:
    off, size = pool(24, 2, 3), 8

    def entropy(p: np.ndarray) -> float:
        return float((xlogy(p, p) + xlogy(1 - p, 1 - p)).sum())

    rules = LinearConstraint(np.vstack([np.ones(24), off.T]), [size, 0, 0], [size, 0, 0])
    best = minimize(entropy, np.full(24, 1 / 3), bounds=[(1e-9, 1 - 1e-9)] * 24, constraints=rules, method="SLSQP")
    assert best.success
    # The ridge lets the moments be missed by a few thousandths.
    np.testing.assert_allclose(chances(off, size), best.x, atol=0.01)
    assert abs(chances(off, size) @ off / size).max() < 0.01


def test_few_of_many_are_weighted_as_by_entropy_balancing() -> None:
    off = pool(20_000, 3, 5).astype(float)
    hainmueller = minimize(lambda x: logsumexp(off @ x), np.zeros(3), method="BFGS").x
    weights = np.exp(off @ hainmueller - logsumexp(off @ hainmueller))
    found = chances(off.astype(np.float32), 20)
    np.testing.assert_allclose(found / 20, weights, rtol=0.05, atol=1e-7)


@given(st.integers(2, 60), st.integers(1, 5), st.integers(0, 99), st.floats(0, 3), st.data())
def test_chances_are_chances_and_sum_to_the_size(masks: int, moments: int, seed: int, shift: float, data) -> None:
    size = data.draw(st.integers(1, masks))
    found = chances(pool(masks, moments, seed, shift), size)
    assert found.sum() == pytest.approx(size, abs=1e-9)
    assert found.min() >= 0
    assert found.max() <= 1 + 1e-12


def test_the_order_of_masks_does_not_matter() -> None:
    off = pool(500, 5, 7)
    order = np.random.default_rng(8).permutation(500)
    np.testing.assert_allclose(chances(off[order], 100), chances(off, 100)[order], rtol=1e-13)


def test_moments_twice_and_without_variation_change_nothing() -> None:
    off = pool(300, 2, 9)
    more = np.column_stack([off, off[:, 0], np.zeros(300, np.float32)])
    np.testing.assert_allclose(chances(more, 60), chances(off, 60), atol=0.002)


def test_what_cannot_be_met_is_missed_by_the_least() -> None:
    # Ten masks of a hundred lie near the target: of ten they are all, of twenty some have to lie far off.
    off = np.concatenate([np.zeros(10), np.full(90, 2.0)])[:, None].astype(np.float32)
    assert chances(off, 10)[:10].min() > 0.99
    assert chances(off, 20) @ off[:, 0] / 20 == pytest.approx(1, abs=0.01)


def lp_allows(off: np.ndarray, size: int, slack: float) -> bool:
    """Whether a linear program finds chances."""
    rules = np.vstack([off.T, -off.T]).astype(float)
    found = linprog(
        np.zeros(len(off)),
        A_ub=rules,
        b_ub=np.full(len(rules), size * slack),
        A_eq=np.ones((1, len(off))),
        b_eq=[size],
        bounds=(0, 1),
    )
    return bool(found.status == 0)


def test_what_is_possible_is_what_a_linear_program_says() -> None:
    rng, seen = np.random.default_rng(11), {True: 0, False: 0}
    for seed in range(150):
        off, size = pool(40, 4, seed, rng.uniform(0, 1.5)), int(rng.integers(5, 40))
        said = allows(off, size, np.full(4, 0.1))
        seen[said] += 1
        if said:
            assert lp_allows(off, size, 0.1)
        else:
            # A no may be wrong close to the limit, nowhere else.
            assert not lp_allows(off, size, 0.04)
    assert min(seen.values()) > 30


@pytest.mark.parametrize(("size", "possible"), [(10, True), (11, False), (12, False)])
def test_all_masks_or_more(size: int, possible: bool) -> None:
    off = np.linspace(-1, 1, 10, dtype=np.float32)[:, None]
    assert allows(off, size, np.array([0.1])) == possible
    assert chances(off, 10).tolist() == [1] * 10
