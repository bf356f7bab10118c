"""Keypoints and their codes: the same in a mirror, the same twice, spread over image and object."""

import cv2
import numpy as np
import pytest

from hqdata.masks.keypoints import (
    codes,
    keypoints,
    mirror_order,
    mirrored,
    mirrored_keypoints,
    mirrored_points,
)
from hqdata.masks.matching import RADIUS
from tests.masks.texture import texture


def descriptors(count: int, seed: int = 0) -> np.ndarray:
    """Such as SIFT's: no number is negative, length 1."""
    drawn = np.random.default_rng(seed).random((count, 128))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def apart(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Bits by which rows of codes differ."""
    return np.bitwise_count(one ^ two).sum(axis=1)


def test_the_mirror_is_a_permutation_that_undoes_itself() -> None:
    order = mirror_order()
    assert sorted(order) == list(range(128))
    assert order[order].tolist() == list(range(128))


def test_swapped_words_are_the_codes_of_the_mirror_image() -> None:
    given = descriptors(200)
    assert mirrored(codes(given)).tolist() == codes(given[:, mirror_order()]).tolist()


def test_a_mirrored_image_gives_mirrored_codes() -> None:
    image = cv2.GaussianBlur(texture(200, 300), (0, 0), 1)
    found = keypoints(image, 150)
    other = keypoints(np.ascontiguousarray(image[:, ::-1]), 1000)
    expected = mirrored_keypoints(found, 300)
    # OpenCV places keypoints a quarter of a pixel to the right and below, in a mirror as well.
    off = expected.points[:, None] - other.points[None] + np.array([0.5, 0, 0, 0])
    off[..., 3] = ((off[..., 3] + 180) % 360 - 180) / 20
    distance = np.linalg.norm(off, axis=2)
    nearest, same = distance.argmin(axis=1), distance.min(axis=1) < 0.5
    assert same.mean() > 0.8
    plain, there = codes(found.descriptors), codes(other.descriptors[nearest])
    bits = apart(mirrored(plain), there)[same]
    assert np.median(bits) <= 4
    assert (bits <= RADIUS).mean() > 0.95
    assert np.median(apart(plain, there)) > 40


def test_what_all_descriptors_have_in_common_does_not_count() -> None:
    """Each projection sums to 0, so that a constant added to all bins changes no sign."""
    given = descriptors(200).astype(np.float64)
    assert apart(codes(given), codes(given + 0.5)).mean() < 0.01


def test_codes_of_unrelated_descriptors_differ_in_half_of_their_bits() -> None:
    bits = apart(codes(descriptors(500, 1)), codes(descriptors(500, 2)))
    assert bits.mean() == pytest.approx(64, abs=2)
    assert bits.min() > 30


def test_the_same_image_gives_the_same_twice() -> None:
    first, again = (keypoints(texture(150, 150), 100) for _ in range(2))
    assert first.points.tobytes() == again.points.tobytes()
    assert first.descriptors.tobytes() == again.descriptors.tobytes()


def test_descriptors_are_the_square_roots_of_sifts() -> None:
    image = texture(150, 150)
    found = keypoints(image, 10_000)
    want, raw = cv2.SIFT_create(nfeatures=40_000).detectAndCompute(image, None)
    assert len(found.points) == len(want)
    np.testing.assert_allclose(np.linalg.norm(found.descriptors, axis=1), 1, atol=1e-3)
    of = {(*p.pt, p.size, p.angle): row for p, row in zip(want, np.asarray(raw), strict=True)}
    for point, row in zip(found.points.astype(float), found.descriptors, strict=True):
        key = min(of, key=lambda k: np.abs(np.subtract(k, point)).sum())
        np.testing.assert_allclose(row**2, of[key] / of[key].sum(), atol=1e-5)


def cells(points: np.ndarray, side: int) -> np.ndarray:
    """Number of keypoints in each of 4 x 4 cells of a square image."""
    return np.histogram2d(points[:, 1], points[:, 0], bins=4, range=[[0, side], [0, side]])[0]


def test_keypoints_come_from_weak_parts_too() -> None:
    image = texture(240, 240).astype(float)
    image[:, 60:] = 128 + (image[:, 60:] - 128) * 0.25
    few, all_ = (cells(keypoints(image.astype(np.uint8), count).points, 240) for count in (48, 100_000))
    assert few.sum() == 48
    assert (few >= np.minimum(all_, 3)).all()
    strongest = cv2.SIFT_create(nfeatures=48).detect(image.astype(np.uint8), None)
    assert cells(np.array([point.pt for point in strongest]), 240)[:, 1:].sum() < 12


def test_a_small_object_has_its_share() -> None:
    image = texture(240, 240)
    mask = np.zeros((240, 240), np.uint8)
    mask[100:140, 100:140] = 255

    def inside(points: np.ndarray) -> int:
        x, y = points[:, :2].astype(int).T
        return int((mask[y, x] > 127).sum())

    with_mask, without = keypoints(image, 60, mask).points, keypoints(image, 60).points
    assert len(with_mask) == len(without) == 60
    assert inside(with_mask) >= 7 > 2 * inside(without)


@pytest.mark.parametrize("value", [0, 127, 128, 255])
def test_a_mask_of_one_value_changes_nothing(value: int) -> None:
    image = texture(120, 160)
    same = keypoints(image, 30, np.full((120, 160), value, np.uint8))
    assert same.points.tolist() == keypoints(image, 30).points.tolist()


@pytest.mark.parametrize("size", [(1, 1), (1, 30), (100, 120)])
def test_a_plain_image_has_none(size: tuple[int, int]) -> None:
    found = keypoints(np.full(size, 90, np.uint8), 50)
    assert (found.points.shape, found.descriptors.shape) == ((0, 4), (0, 128))
    assert codes(found.descriptors).shape == (0, 2)


@pytest.mark.parametrize(
    ("point", "want"),
    [((10, 5, 3, 30), (89, 5, 3, 150)), ((0, 0, 1, 270), (99, 0, 1, 270)), ((99, 7, 2, 180), (0, 7, 2, 0))],
)
def test_places_and_angles_in_a_mirror(point: tuple[int, ...], want: tuple[int, ...]) -> None:
    given = np.array([point], np.float32)
    assert mirrored_points(given, 100).tolist() == [list(map(float, want))]
    assert mirrored_points(mirrored_points(given, 100), 100).tolist() == given.tolist()
