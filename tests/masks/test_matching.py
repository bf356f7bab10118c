"""Matches against a plain loop over all pairs; transforms that were planted among outliers."""

from collections import Counter

import numpy as np
import pytest

from hqdata.arrays import HashArray
from hqdata.masks.matching import BANDS, COMMON, RADIUS, best_pose, match_codes


def random_codes(count: int, seed: int) -> HashArray:
    return np.random.default_rng(seed).integers(0, 1 << 64, (count, 2), np.uint64)


def changed(codes: HashArray, share: float, seed: int) -> HashArray:
    """Codes with a share of their bits changed."""
    flips = np.random.default_rng(seed).random((len(codes), 128)) < share
    return codes ^ np.packbits(flips, axis=1).view(np.uint64)


def runs(code: list[int]) -> list[int]:
    """The six runs of 21 bits."""
    return [code[word] >> shift & (1 << 21) - 1 for word, shift in BANDS]


def slow_matches(index: HashArray, query: HashArray, radius: int) -> list[list[int]]:
    there, wanted = index.tolist(), query.tolist()
    counts = [Counter(runs(code)[band] for code in there) for band in range(len(BANDS))]
    found = []
    for q, code in enumerate(wanted):
        for i, other in enumerate(there):
            apart = sum((a ^ b).bit_count() for a, b in zip(code, other, strict=True))
            pairs = zip(runs(code), runs(other), counts, strict=True)
            if apart <= radius and any(a == b and count[b] <= COMMON for a, b, count in pairs):
                found.append([q, i])
    return found


@pytest.mark.parametrize("radius", [0, 5, RADIUS, 40, 128])
def test_pairs_that_share_a_run_and_are_near(radius: int) -> None:
    index = np.concatenate([random_codes(60, 1), changed(random_codes(30, 2), 0.02, 3)])
    query = np.concatenate([changed(random_codes(30, 2), 0.04, 4), index[::7], random_codes(20, 5)])
    found = match_codes(index, query, radius)
    assert found.tolist() == slow_matches(index, query, radius)
    assert len(found) >= len(index[::7])


def test_a_run_that_too_many_share_says_nothing() -> None:
    index = random_codes(COMMON + 1, 6)
    index[:, 0] = index[0, 0]
    assert match_codes(index, index[:1], 128).tolist() == [[0, 0]]
    assert match_codes(index[:-1], index[:1], 128).tolist() == [[0, n] for n in range(COMMON)]
    index[:, 1] = index[0, 1]
    assert match_codes(index, index[:1], 128).tolist() == []


def test_nearly_all_codes_with_one_bit_in_25_changed_are_found() -> None:
    index = random_codes(2000, 7)
    found = match_codes(index, changed(index, 0.04, 8))
    assert (found[:, 0] == found[:, 1]).all()
    assert len(found) == pytest.approx(0.963 * 2000, abs=40)


@pytest.mark.parametrize(("index", "query"), [(0, 0), (0, 4), (4, 0)])
def test_no_codes_no_matches(index: int, query: int) -> None:
    assert match_codes(random_codes(index, 1), random_codes(query, 2), 128).shape == (0, 2)


def matches(
    count: int, outliers: int, *, scale: float, turn: float, shift: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints in two images: some moved by one transform, some by none."""
    rng = np.random.default_rng(count)
    every = count + outliers
    left = np.column_stack([rng.uniform(0, 500, (every, 2)), rng.uniform(2, 30, every), rng.uniform(0, 360, every)])
    cos, sin = scale * np.cos(np.radians(turn)), scale * np.sin(np.radians(turn))
    right = left.copy()
    right[:, :2] = left[:, :2] @ np.array([[cos, sin], [-sin, cos]]) + shift
    right[:, 2] *= scale
    right[:, 3] = (left[:, 3] + turn) % 360
    right[:, :2] += rng.normal(0, 0.5, right[:, :2].shape)
    right[:, 3] += rng.normal(0, 0.2, len(right))
    right[count:, :2] = rng.uniform(0, 500, (outliers, 2))
    right[count:, 2] = rng.uniform(2, 30, outliers)
    right[count:, 3] = left[count:, 3]
    order = rng.permutation(len(left))
    return left[order].astype(np.float32), right[order].astype(np.float32)


@pytest.mark.parametrize(("scale", "turn"), [(1.0, 0.0), (0.4, 0.0), (2.5, 30.0), (0.8, 180.0), (1.0, 359.0)])
@pytest.mark.parametrize(("count", "outliers"), [(5, 20), (60, 60), (500, 300)])
def test_the_planted_transform_is_found_among_outliers(scale: float, turn: float, count: int, outliers: int) -> None:
    left, right = matches(count, outliers, scale=scale, turn=turn, shift=(30, -12))
    pose = best_pose(left, right, 3)
    assert pose is not None
    assert pose.scale == pytest.approx(scale, rel=0.01)
    assert abs((pose.turn - turn + 180) % 360 - 180) < 2
    assert 0 <= pose.turn < 360
    centre = np.array([250, 250])
    cos, sin = pose.scale * np.cos(np.radians(pose.turn)), pose.scale * np.sin(np.radians(pose.turn))
    placed = np.array([[cos, -sin], [sin, cos]]) @ centre + (pose.across, pose.down)
    cos, sin = scale * np.cos(np.radians(turn)), scale * np.sin(np.radians(turn))
    np.testing.assert_allclose(placed, np.array([[cos, -sin], [sin, cos]]) @ centre + (30, -12), atol=8)
    assert 0.8 * count <= pose.votes <= count + 0.02 * outliers


def test_too_few_votes_are_none() -> None:
    left, right = matches(5, 10, scale=1.3, turn=10, shift=(0, 0))
    assert best_pose(left, right, 5) is not None
    assert best_pose(left, right, 6) is None


def test_one_keypoint_has_one_vote_however_often_it_matches() -> None:
    left, right = matches(3, 0, scale=1, turn=0, shift=(5, 5))
    many = np.repeat(left, 10, axis=0), np.repeat(right, 10, axis=0)
    pose = best_pose(*many, 3)
    assert pose is not None
    assert pose.votes == 3
    assert best_pose(*many, 4) is None
    spread = many[1].copy()
    spread[:, 0] += np.tile(np.arange(10, dtype=np.float32) / 10, 3)
    assert best_pose(many[0], spread, 4) is None


@pytest.mark.parametrize(("column", "factor", "offset"), [(2, 1.5, 0), (3, 1, 30), (0, 1, 25)])
def test_size_angle_and_place_have_to_agree(column: int, factor: float, offset: float) -> None:
    left, right = matches(6, 0, scale=1, turn=0, shift=(0, 0))
    right[3:, column] = right[3:, column] * factor + offset
    assert best_pose(left, right, 3) is not None
    assert best_pose(left, right, 4) is None


def test_no_matches_no_pose() -> None:
    none = np.zeros((0, 4), np.float32)
    assert best_pose(none, none, 3) is None
