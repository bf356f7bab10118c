"""Scales of images: a target's sizes, drawn by id alone, never above 1."""

import numpy as np
import pytest
from scipy.stats import chisquare, kstest

from hqdata.analysis.splits.scale import assign_scales
from hqdata.errors import UsageError
from hqdata.sources.draw import rank


def names(count: int) -> list[str]:
    return [f"sa1b/all/sa_{number}" for number in range(count)]


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


@pytest.mark.parametrize(
    ("width", "height", "target", "scale", "smaller"),
    [
        (3000, 4000, 500.0, 0.1, 0),
        (300, 400, 500.0, 1.0, 0),
        (300, 400, 501.0, 1.0, 1),
        (30, 40, 500.0, 1.0, 1),
        (2250, 1500, 1352.0814, 0.5, 0),
    ],
)
def test_an_image_is_reduced_to_the_size_and_never_enlarged(
    width: int, height: int, target: float, scale: float, smaller: int
) -> None:
    found = assign_scales(["a/b/c"], ints(width), ints(height), np.array([target]), 1)
    assert found.scale == pytest.approx([scale])
    assert (found.images, found.smaller) == (1, smaller)


def test_sizes_are_those_of_the_target() -> None:
    target = np.random.default_rng(1).lognormal(6, 0.3, 500)
    images = np.full(4000, 3000), np.full(4000, 4000)
    found = assign_scales(names(4000), *images, target, 1)
    read = found.scale * 5000
    assert np.abs(read[:, None] - target).min(axis=1).max() < 1e-9
    assert kstest(read, target).pvalue > 0.01


def test_each_image_of_the_target_is_as_likely() -> None:
    target = np.arange(1.0, 51.0)
    read = assign_scales(names(20_000), np.full(20_000, 300), np.full(20_000, 400), target, 7).scale * 500
    assert chisquare(np.bincount(np.round(read).astype(int), minlength=51)[1:]).pvalue > 0.001


def test_a_scale_depends_on_id_seed_and_the_targets_sizes_alone() -> None:
    rng = np.random.default_rng(2)
    ids, widths, heights = names(300), rng.integers(500, 2000, 300), rng.integers(500, 2000, 300)
    target = rng.uniform(100, 900, 40)
    whole = assign_scales(ids, widths, heights, target, 1).scale
    order = rng.permutation(300)[:50]
    part = assign_scales([ids[k] for k in order], widths[order], heights[order], rng.permutation(target), 1).scale
    assert part.tolist() == whole[order].tolist()
    assert (assign_scales(ids, widths, heights, target, 2).scale != whole).mean() > 0.9


def test_masks_of_an_image_share_its_scale_and_count_once() -> None:
    found = assign_scales(["a", "b", "a", "a"], ints(40, 4000, 40, 40), ints(30, 3000, 30, 30), np.array([100.0]), 1)
    assert found.scale.tolist() == [1, 0.02, 1, 1]
    assert (found.images, found.smaller) == (2, 1)


def test_images_that_a_draw_of_the_same_seed_took_are_no_smaller_for_it() -> None:
    # The lowest ranks of a draw are not the lowest quantiles of sizes.
    taken = sorted(names(4000), key=lambda name: rank(1, name))[:1000]
    target = np.linspace(100, 900, 801)
    read = assign_scales(taken, np.full(1000, 3000), np.full(1000, 4000), target, 1).scale * 5000
    assert kstest(read, target).pvalue > 0.01


def test_a_target_without_images() -> None:
    with pytest.raises(UsageError, match="no image sizes"):
        assign_scales(["a"], ints(4), ints(3), np.zeros(0), 1)
