"""Pairs worth a look: by bytes, hashes, tiles and keypoints, in a mirror too, within one collection and between two."""

from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from hqdata.analysis.candidates import (
    HASH_RADIUS,
    LEAST_TILES,
    LEAST_VOTES,
    TILE_RADIUS,
    Candidate,
    Images,
    find_candidates,
    images_of,
)
from hqdata.analysis.fingerprints import Fingerprints
from hqdata.masks.hashes import mirrored_tiles
from hqdata.masks.keypoints import mirrored, mirrored_points

WIDTH, HEIGHT = 400, 300
SCALE, TURN, SHIFT = 0.5, 20.0, (120.0, -30.0)


def numbers(count: int, *seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 1 << 64, count, np.uint64)


def flipped(value: Any, bits: int) -> Any:
    """With the lowest bits changed."""
    return value ^ np.uint64((1 << bits) - 1)


def points(count: int, *seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    parts = [rng.uniform(20, 280, (count, 2)), rng.uniform(4, 20, (count, 1)), rng.uniform(0, 360, (count, 1))]
    return np.hstack(parts).astype(np.float32)


def moved(given: np.ndarray) -> np.ndarray:
    """Scaled, turned and shifted."""
    cos, sin = SCALE * np.cos(np.radians(TURN)), SCALE * np.sin(np.radians(TURN))
    out = given.copy()
    out[:, :2] = given[:, :2] @ np.array([[cos, sin], [-sin, cos]]) + SHIFT
    out[:, 2] *= SCALE
    out[:, 3] = (given[:, 3] + TURN) % 360
    return out


def images(count: int, seed: int, **more: Any) -> Images:
    """Images that have nothing in common, but for what is given: by field and position."""
    keypoints = more.pop("keypoints", {})
    codes = [numbers(24, seed, 0, n).reshape(-1, 2) for n in range(count)]
    places = [points(12, seed, 1, n) for n in range(count)]
    for position, (code, place) in keypoints.items():
        codes[position], places[position] = code, place
    prints = Fingerprints(
        codes=np.concatenate([np.zeros((0, 2), np.uint64), *codes]),
        points=np.concatenate([np.zeros((0, 4), np.float32), *places]),
        image=np.repeat(np.arange(count, dtype=np.int32), [len(code) for code in codes]),
        sizes=np.tile([WIDTH, HEIGHT], (count, 1)),
        tiles=numbers(16 * count, seed, 2).reshape(count, 16),
    )
    for position, tiles in more.pop("tiles", {}).items():
        prints.tiles[position] = tiles
    hashes = {name: numbers(count, seed, 3, place) for place, name in enumerate(("phash", "phash_mirror"))}
    for name, values in hashes.items():
        for position, value in more.pop(name, {}).items():
            values[position] = value
    sha256 = [f"{seed} {n}" for n in range(count)]
    for position, digest in more.pop("sha256", {}).items():
        sha256[position] = digest
    assert not more
    return Images(prints=prints, sha256=tuple(sha256), **hashes)


def pairs(found: list[Candidate]) -> list[tuple[int, int, bool]]:
    return [(item.left, item.right, item.mirrored) for item in found]


def test_images_that_share_nothing_are_not_looked_at() -> None:
    assert find_candidates(images(30, 1)) == []
    assert find_candidates(images(30, 1), images(20, 2)) == []


@pytest.mark.parametrize(("left", "right"), [(0, None), (1, None), (0, 0), (0, 5), (5, 0)])
def test_no_images_no_candidates(left: int, right: int | None) -> None:
    assert find_candidates(images(left, 1), None if right is None else images(right, 2)) == []


def test_equal_bytes() -> None:
    same = images(5, 1, sha256={1: "x", 3: "x", 4: "x"})
    assert pairs(find_candidates(same)) == [(1, 3, False), (1, 4, False), (3, 4, False)]
    assert pairs(find_candidates(images(2, 2, sha256={0: "x"}), same)) == [(0, n, False) for n in (1, 3, 4)]


@pytest.mark.parametrize(("bits", "near"), [(0, True), (HASH_RADIUS, True), (HASH_RADIUS + 1, False)])
def test_near_hashes(bits: int, near: bool) -> None:
    hash_ = numbers(1, 9)[0]
    for name in ("phash", "phash_mirror"):
        one, two = images(3, 1, **{name: {2: hash_}}), images(3, 2, phash={0: flipped(hash_, bits)})
        assert pairs(find_candidates(one, two)) == [(2, 0, name == "phash_mirror")] * near
    inside = images(4, 1, phash={1: hash_, 3: flipped(hash_, bits)})
    assert pairs(find_candidates(inside)) == [(1, 3, False)] * near
    turned = images(4, 1, phash={3: hash_}, phash_mirror={1: flipped(hash_, bits)})
    assert pairs(find_candidates(turned)) == [(1, 3, True)] * near


@pytest.mark.parametrize("value", [0, 1 << 63], ids=["unknown", "plain"])
def test_images_whose_hash_says_nothing_are_not_near_each_other(value: int) -> None:
    unknown = images(5, 1, phash=dict.fromkeys(range(4), value), phash_mirror=dict.fromkeys(range(4), value))
    assert find_candidates(unknown) == []
    assert find_candidates(unknown, images(2, 2, phash={0: value}, phash_mirror={0: value})) == []


def test_an_image_is_not_its_own_mirror_image() -> None:
    hash_ = numbers(1, 9)[0]
    assert find_candidates(images(3, 1, phash={1: hash_}, phash_mirror={1: hash_})) == []


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize(("many", "bits", "near"), [(16, 0, True), (3, 12, True), (2, 0, False), (16, 13, False)])
def test_tiles_that_agree_in_place(many: int, bits: int, near: bool, flip: bool) -> None:
    assert (LEAST_TILES, TILE_RADIUS) == (3, 12)
    tiles, other = numbers(16, 9), numbers(16, 10)
    other[:many] = flipped(tiles[:many], bits)
    shown = mirrored_tiles(other[None])[0] if flip else other
    assert pairs(find_candidates(images(4, 1, tiles={1: tiles, 3: shown}))) == [(1, 3, flip)] * near
    left, right = images(4, 1, tiles={1: tiles}), images(2, 2, tiles={0: shown})
    assert pairs(find_candidates(left, right)) == [(1, 0, flip)] * near


def test_tiles_in_other_places_and_plain_ones_say_nothing() -> None:
    tiles = numbers(16, 9)
    assert find_candidates(images(2, 1, tiles={0: tiles, 1: np.roll(tiles, 1)})) == []
    plain = np.zeros(16, np.uint64)
    assert find_candidates(images(3, 1, tiles=dict.fromkeys(range(3), plain))) == []


@pytest.mark.parametrize("flip", [False, True])
def test_keypoints_that_agree_on_a_transform(flip: bool) -> None:
    code, place = numbers(40, 9).reshape(-1, 2), points(20, 9)
    seen = (mirrored(code), mirrored_points(place, WIDTH)) if flip else (code, place)
    theirs = (code, moved(place))
    [found] = find_candidates(images(4, 1, keypoints={1: seen, 3: theirs}))
    assert (found.left, found.right, found.mirrored, found.votes) == (1, 3, flip, 20)
    assert found.pose == pytest.approx((SCALE, TURN, *SHIFT), abs=0.05)
    [found] = find_candidates(images(4, 1, keypoints={2: seen}), images(2, 2, keypoints={0: theirs}))
    assert (found.left, found.right, found.mirrored, found.votes) == (2, 0, flip, 20)


@pytest.mark.parametrize(("many", "near"), [(LEAST_VOTES - 1, False), (LEAST_VOTES, True)])
def test_fewer_keypoints_than_it_takes(many: int, near: bool) -> None:
    code, place = numbers(2 * many, 9).reshape(-1, 2), points(many, 9)
    found = find_candidates(images(2, 1, keypoints={0: (code, place), 1: (code, moved(place))}))
    assert pairs(found) == [(0, 1, False)] * near


def test_keypoints_that_agree_on_nothing() -> None:
    code = numbers(40, 9).reshape(-1, 2)
    assert find_candidates(images(2, 1, keypoints={0: (code, points(20, 9)), 1: (code, points(20, 10))})) == []


def test_each_pair_is_given_once_with_the_pose_that_most_agree_on() -> None:
    code, place, hash_ = numbers(40, 9).reshape(-1, 2), points(20, 9), numbers(1, 9)[0]
    same = images(
        3,
        1,
        sha256=dict.fromkeys(range(2), "x"),
        phash=dict.fromkeys(range(2), hash_),
        tiles=dict.fromkeys(range(2), numbers(16, 9)),
        keypoints={0: (code, place), 1: (code, place)},
    )
    [found] = find_candidates(same)
    assert (found.left, found.right, found.votes) == (0, 1, 20)
    assert found.pose == pytest.approx((1, 0, 0, 0), abs=0.05)


def test_a_collection_against_itself_is_half_of_it_against_a_copy() -> None:
    code, place, hash_ = numbers(40, 9).reshape(-1, 2), points(20, 9), numbers(1, 9)[0]
    made = images(
        6,
        1,
        sha256={0: "x", 5: "x"},
        phash={1: hash_, 2: flipped(hash_, 5)},
        keypoints={3: (code, place), 4: (code, moved(place))},
    )
    inside, between = find_candidates(made), pairs(find_candidates(made, made))
    assert pairs(inside) == [(0, 5, False), (1, 2, False), (3, 4, False)]
    both = {(a, b) for (a, b), _ in product([(0, 5), (1, 2), (3, 4)], [0])}
    assert {(a, b) for a, b, flip in between if not flip} == both | {(b, a) for a, b in both} | {
        (n, n) for n in range(6)
    }
    assert inside == sorted(inside)


def test_tables_are_joined_by_sample() -> None:
    samples = pa.table({"sample_id": ["b", "a", "c"], "image_sha256": ["2", "1", "3"]})
    stats = pa.table(
        {
            "sample_id": ["a", "b", "b"],
            "image_phash": pa.array([11, 1 << 63, 1 << 63], pa.uint64()),
            "image_phash_mirror": pa.array([12, 22, 22], pa.uint64()),
        }
    )
    prints = images(3, 1).prints
    found = images_of(samples, stats, prints)
    assert found.sha256 == ("2", "1", "3")
    assert found.phash.tolist() == [1 << 63, 11, 0]
    assert found.phash_mirror.tolist() == [22, 12, 0]
    assert found.prints is prints
