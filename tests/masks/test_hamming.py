"""Pairs of near hashes against two plain loops over Python's own count of bits."""

from itertools import combinations, product

import numpy as np
import pytest

from hqdata.arrays import HashArray
from hqdata.masks.hamming import pairs_within

RADII = [0, 1, 4, 8, 12, 31, 32, 63, 64]


def random_hashes(count: int, seed: int) -> HashArray:
    return np.random.default_rng(seed).integers(0, 1 << 64, count, np.uint64)


def planted_hashes(count: int, seed: int) -> HashArray:
    """Copies of a few hashes with 0 to 20 bits changed."""
    rng = np.random.default_rng(seed)
    hashes = rng.choice(random_hashes(5, seed), count)
    for position in range(count):
        for bit in rng.choice(64, rng.integers(0, 21), replace=False):
            hashes[position] ^= np.uint64(1) << np.uint64(bit)
    return hashes


def skewed_hashes(count: int, seed: int) -> HashArray:
    """Nearly all bits alike, as of flat images; many are equal, none and all bits set among them."""
    rng = np.random.default_rng(seed)
    bits = (rng.random((count - 2, 64)) < 0.02).astype(np.uint8)
    return np.append(np.packbits(bits, axis=1).view(np.uint64).ravel(), np.array([0, (1 << 64) - 1], np.uint64))


MADE = {"random": random_hashes, "planted": planted_hashes, "skewed": skewed_hashes}


def apart(one: int, two: int) -> int:
    return (one ^ two).bit_count()


@pytest.mark.parametrize("radius", RADII)
@pytest.mark.parametrize("kind", MADE)
def test_within_one_set_each_pair_is_given_once(kind: str, radius: int) -> None:
    hashes = MADE[kind](60, 1)
    numbers = hashes.tolist()
    want = [[i, j] for i, j in combinations(range(60), 2) if apart(numbers[i], numbers[j]) <= radius]
    found = pairs_within(hashes, radius)
    assert found.tolist() == want
    assert (found.dtype, found.shape[1]) == (np.int64, 2)


@pytest.mark.parametrize("radius", RADII)
@pytest.mark.parametrize("kind", MADE)
def test_between_two_sets_both_orders_count(kind: str, radius: int) -> None:
    left, right = MADE[kind](35, 1), np.concatenate([MADE[kind](20, 2), MADE[kind](35, 1)[:7]])
    one, two = left.tolist(), right.tolist()
    want = [[i, j] for i, j in product(range(35), range(27)) if apart(one[i], two[j]) <= radius]
    assert pairs_within(left, radius, right).tolist() == want
    swapped = [[i, j] for j, i in pairs_within(right, radius, left).tolist()]
    assert sorted(swapped) == want


@pytest.mark.parametrize(("count", "others"), [(0, None), (1, None), (0, 0), (3, 0), (0, 3)])
def test_nothing_to_compare_gives_no_pairs(count: int, others: int | None) -> None:
    right = None if others is None else random_hashes(others, 2)
    assert pairs_within(random_hashes(count, 1), 64, right).shape == (0, 2)
