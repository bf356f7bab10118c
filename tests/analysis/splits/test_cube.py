"""Draws: the wanted number, every mask with its chance, and the moments that the chances promise."""

import numpy as np
import pytest
from scipy.linalg import null_space
from scipy.stats import chi2

from hqdata.analysis.splits import cube
from hqdata.analysis.splits.inclusion import chances, resized


def pool(masks: int, moments: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.2, 1, (masks, moments)).astype(np.float32)


def redundant(masks: int) -> np.ndarray:
    """Three bins, whose shares sum to 1, a moment twice, one without variation."""
    rng = np.random.default_rng(masks)
    bins = np.eye(3)[rng.integers(0, 3, masks)]
    value = rng.normal(size=masks)
    return np.column_stack([bins - 1 / 3, value, value, np.zeros(masks)]).astype(np.float32)


def heavy(masks: int) -> np.ndarray:
    return np.random.default_rng(masks).pareto(1, (masks, 3)).astype(np.float32)


@pytest.mark.parametrize("off", [pool(200, 5), pool(30, 40), redundant(200), heavy(200), np.zeros((50, 2), np.float32)])
@pytest.mark.parametrize("size", [1, 10, 29])
def test_exactly_as_many_as_are_wanted(off: np.ndarray, size: int) -> None:
    for seed in range(10):
        drawn = cube.draw(chances(off, size), off, size, np.random.default_rng(seed))
        assert (drawn.dtype, drawn.shape, drawn.sum()) == (bool, (len(off),), size)


def test_certain_masks_are_drawn_and_impossible_ones_are_not() -> None:
    chance = np.concatenate([np.ones(5), np.zeros(5), np.full(10, 0.3)])
    for seed in range(50):
        drawn = cube.draw(chance, pool(20, 2), 8, np.random.default_rng(seed))
        assert drawn[:5].all()
        assert not drawn[5:10].any()


@pytest.mark.parametrize("most", [20, 50_000])
def test_every_mask_is_drawn_with_its_chance(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chi-square over 40 masks and 600 seeds, also where the pool is thinned first."""
    monkeypatch.setattr(cube, "MOST", most)
    off = pool(40, 3)
    chance = resized(np.random.default_rng(2).uniform(0.05, 0.8, 40), 12)
    counts = sum(cube.draw(chance, off, 12, np.random.default_rng(seed)).astype(int) for seed in range(600))
    assert ((counts - 600 * chance) ** 2 / (600 * chance * (1 - chance))).sum() < chi2.ppf(0.999, 40)


@pytest.mark.parametrize(("masks", "size", "ratio"), [(300, 50, 0.35), (3000, 300, 0.2)])
def test_moments_are_kept_better_than_by_a_draw_that_does_not_look(masks: int, size: int, ratio: float) -> None:
    off = pool(masks, 6)
    chance = chances(off, size)
    expected = chance @ off / size
    missed = [
        off[cube.draw(chance, off, size, np.random.default_rng(seed))].mean(axis=0) - expected for seed in range(10)
    ]
    # Poisson sampling has this variance.
    blind = np.sqrt((chance * (1 - chance)) @ off.astype(float) ** 2) / size
    assert (np.sqrt(np.mean(np.square(missed), axis=0)) < ratio * blind).all()


def test_a_thinned_pool_keeps_its_moments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cube, "MOST", 2000)
    off = pool(20_000, 6)
    chance = chances(off, 500)
    drawn = cube.draw(chance, off, 500, np.random.default_rng(1))
    assert drawn.sum() == 500
    assert np.abs(off[drawn].mean(axis=0)).max() < 0.08


def test_more_than_are_balanced_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cube, "MOST", 100)
    off = pool(3000, 3)
    for seed in range(20):
        assert cube.draw(chances(off, 700), off, 700, np.random.default_rng(seed)).sum() == 700


@pytest.mark.parametrize(
    "moments", [pool(12, 5).astype(float), redundant(20).astype(float), np.ones((4, 1)), np.eye(3)]
)
def test_directions_are_the_null_space(moments: np.ndarray) -> None:
    ways, others = cube._null_space(moments), null_space(moments.T)
    assert ways.shape == others.shape
    np.testing.assert_allclose(moments.T @ ways, 0, atol=1e-9)
    assert np.linalg.matrix_rank(np.column_stack([ways, others])) == others.shape[1]
