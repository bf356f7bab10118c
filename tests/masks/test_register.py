"""Maps that were planted are found or refused; tiles that are the same, others or plain, on literal small images."""

import cv2
import numpy as np
import pytest

from hqdata.masks.keypoints import Keypoints, keypoints
from hqdata.masks.register import (
    LEAST_MATCHES,
    Affine,
    agree,
    bring,
    bring_image,
    fit,
    full_frame,
    inverse,
    scale_of,
    similarity,
    turn_of,
)
from tests.masks.texture import texture

SAME = np.eye(2, 3)
CORNERS = np.array([[0, 0], [299, 0], [0, 239], [299, 239]], float)
MAPS = {
    "shift": similarity(1, 0, 12, -7),
    "half": similarity(0.5, 0, 3, 4),
    "double": similarity(2.2, 0, -150, -100),
    "turn": similarity(1, 25, 60, -40),
    "upside down": similarity(0.9, 180, 290, 230),
    "stretched": np.array([[1.2, 0.1, -20], [0, 0.9, 10]]),
}


def applied(map_: Affine, points: np.ndarray) -> np.ndarray:
    return points @ map_[:, :2].T + map_[:, 2]


@pytest.mark.parametrize("name", MAPS)
def test_the_map_of_a_warped_image_is_found(name: str) -> None:
    image, map_ = texture(240, 300), MAPS[name]
    warped = cv2.warpAffine(image, map_, (300, 240), flags=cv2.INTER_AREA)
    found = fit(keypoints(image, 400), keypoints(warped, 400))
    assert found is not None
    np.testing.assert_allclose(applied(found, CORNERS), applied(map_, CORNERS), atol=2)


def test_unrelated_and_mirrored_images_have_no_map() -> None:
    image = texture(240, 300)
    for other in (texture(240, 300, seed=1), np.ascontiguousarray(image[:, ::-1]), np.full_like(image, 9)):
        assert fit(keypoints(image, 400), keypoints(other, 400)) is None


def planted(map_: Affine, count: int = 40, wrong: int = 0) -> tuple[Keypoints, Keypoints]:
    """Keypoints of no image: places that a map takes to places, the same descriptors on both sides."""
    rng = np.random.default_rng(0)
    descriptors = rng.random((count, 128)).astype(np.float32)
    descriptors /= np.linalg.norm(descriptors, axis=1, keepdims=True)
    left = rng.uniform(0, 400, (count, 2))
    right = applied(map_, left)
    right[:wrong] = rng.uniform(0, 400, (wrong, 2))
    rest = np.ones((count, 2))
    return tuple(Keypoints(np.hstack([p, rest]).astype(np.float32), descriptors) for p in (left, right))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("map_", "accepted"),
    [
        (similarity(3, 77, 5, 6), True),
        (similarity(9, 0, 0, 0), True),
        (similarity(0.11, 0, 0, 0), True),
        (np.array([[1.5, 0, 0], [0, 1, 0]]), True),
        (np.array([[-1.0, 0, 400], [0, 1, 0]]), False),
        (np.array([[1, 0, 0], [0, -1.0, 400]]), False),
        (np.array([[1.7, 0, 0], [0, 1, 0]]), False),
        (np.array([[1, 1.0, 0], [0, 1, 0]]), False),
        (similarity(12, 0, 0, 0), False),
        (similarity(0.08, 0, 0, 0), False),
    ],
)
def test_mirrored_and_absurd_maps_are_refused(map_: Affine, accepted: bool) -> None:
    found = fit(*planted(map_))
    assert (found is not None) is accepted
    if found is not None:
        np.testing.assert_allclose(found, map_, atol=1e-2)


def test_wrong_matches_do_not_count() -> None:
    found = fit(*planted(MAPS["turn"], wrong=20))
    assert found is not None
    np.testing.assert_allclose(found, MAPS["turn"], atol=1e-2)
    assert fit(*planted(MAPS["turn"], wrong=40)) is None


@pytest.mark.parametrize("count", [0, 1, LEAST_MATCHES - 1, LEAST_MATCHES])
def test_too_few_keypoints_give_no_map(count: int) -> None:
    left, right = planted(MAPS["turn"], count=40)
    few = Keypoints(left.points[:count], left.descriptors[:count])
    assert (fit(few, right) is not None) is (count == LEAST_MATCHES)
    assert fit(few, Keypoints(right.points[:0], right.descriptors[:0])) is None


def test_a_descriptor_that_fits_twice_is_no_match() -> None:
    left, right = planted(MAPS["turn"], count=20)
    noise = np.random.default_rng(1).normal(0, 0.02, (20, 128))
    near = np.concatenate([right.descriptors + noise, right.descriptors - noise])
    near = (near / np.linalg.norm(near, axis=1, keepdims=True)).astype(np.float32)
    assert fit(left, Keypoints(right.points, near[:20])) is not None
    assert fit(left, Keypoints(np.tile(right.points, (2, 1)), near)) is None


@pytest.mark.parametrize("map_", MAPS.values(), ids=MAPS)
def test_the_way_back_scale_and_turn(map_: Affine) -> None:
    whole = np.vstack([map_, [0, 0, 1]])
    np.testing.assert_allclose(inverse(map_), np.linalg.inv(whole)[:2], atol=1e-9)
    assert scale_of(map_) == pytest.approx(np.prod(np.linalg.svd(map_[:, :2])[1]) ** 0.5)


@pytest.mark.parametrize("turn", [-179, -90, -1, 0, 1, 45, 90, 180])
def test_the_turn_of_a_similarity(turn: float) -> None:
    assert turn_of(similarity(1.7, turn, 3, 4)) == pytest.approx(turn)
    axis = similarity(1.7, turn, 0, 0)[:, :2] @ [1, 0]
    np.testing.assert_allclose(axis, 1.7 * np.array([np.cos(np.radians(turn)), np.sin(np.radians(turn))]))


@pytest.mark.parametrize(("left", "right"), [((10, 20), (5, 10)), ((7, 5), (7, 5)), ((30, 40, 3), (61, 33))])
def test_the_full_frame_takes_corners_to_corners(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    map_ = full_frame(left, right)
    for shares in ((0, 0), (1, 0), (0, 1), (1, 1), (0.5, 0.5)):
        one, two = (np.array(shares) * (shape[1], shape[0]) - 0.5 for shape in (left, right))
        np.testing.assert_allclose(applied(map_, one), two, atol=1e-9)


def columns(*parts: np.ndarray | int) -> np.ndarray:
    """Vertical strips of 32 x 128 pixels, four tiles across, of a texture or of one grey."""
    strips = [np.full((128, 32), part, np.uint8) if isinstance(part, int) else part for part in parts]
    return np.hstack(strips)


A, B = texture(128, 32, 1), texture(128, 32, 2)
INVERTED = (255 - A).astype(np.uint8)
FAINT = (128 + (A.astype(float) - 128) / 20).astype(np.uint8)


@pytest.mark.parametrize(
    ("left", "right", "word"),
    [
        (A, A, "same"),
        (A, INVERTED, "same"),
        (A, (A // 2 + 20).astype(np.uint8), "same"),
        (A, B, "other"),
        (A, 128, "other"),
        (128, A, "other"),
        (128, 128, "plain"),
        (40, 200, "plain"),
        (FAINT, FAINT, "plain"),
    ],
)
def test_a_tile_is_the_same_another_or_plain(left: np.ndarray | int, right: np.ndarray | int, word: str) -> None:
    found = agree(columns(B, left, B, B), columns(B, right, B, B), SAME)
    assert found.tile == 8
    assert found.same.shape == found.other.shape == found.plain.shape == (16, 16)
    middle = np.zeros((16, 16), bool)
    middle[:, 5:7] = True
    shares = {name: getattr(found, name)[middle].mean() for name in ("same", "other", "plain")}
    # in tiles of 8 pixels, textures that have nothing in common are alike by chance now and then
    most = 0.7 if isinstance(right, np.ndarray) and word == "other" else 1
    assert shares.pop(word) >= most
    assert max(shares.values()) <= 1 - most
    assert found.same[:, 9:].all()
    assert not (found.same & found.other).any()
    assert found.valid.all()
    assert found.compared(middle) == (0 if word == "plain" else 32)
    assert (found.share(middle) is None) is (word == "plain")
    assert found.share() == found.same.sum() / (found.same.sum() + found.other.sum())


def test_only_what_both_images_cover_is_compared() -> None:
    image = texture(128, 128)
    found = agree(image, image[:, :64], SAME)
    assert found.valid[:, :64].all()
    assert not found.valid[:, 64:].any()
    # the blur takes something of the dark outside into the last column of tiles
    assert found.same[:, :7].all()
    assert found.compared() == found.same[:, :8].size
    assert not (found.same | found.other | found.plain)[:, 8:].any()


@pytest.mark.parametrize("name", ["shift", "turn", "upside down", "half"])
def test_a_warped_image_agrees_under_its_map_alone(name: str) -> None:
    image, map_ = texture(240, 300), MAPS[name]
    frame = cv2.warpAffine(cv2.GaussianBlur(image, (0, 0), 1), map_, (300, 240), flags=cv2.INTER_LINEAR)
    found = agree(frame, image, map_)
    assert found.compared() > 50
    assert (found.share() or 0) > 0.95
    wrong = map_ + np.array([[0, 0, 9], [0, 0, 5]])
    assert (agree(frame, image, wrong).share() or 0) < 0.3


@pytest.mark.parametrize(("height", "width", "tile"), [(40, 40, 8), (256, 256, 16), (512, 384, 24)])
def test_the_tiles_grow_with_the_image(height: int, width: int, tile: int) -> None:
    image = texture(height, width)
    found = agree(image, image, SAME)
    assert found.tile == tile
    assert found.same.shape == (height // tile, width // tile)


def test_plain_tiles_are_held_against_the_tones_of_alike_ones() -> None:
    left = columns(A, 60, 60, 180)
    right = columns((A.astype(int) // 2 + 40).astype(np.uint8), 70, 130, 130)
    found = agree(left, right, SAME)
    for strip, want in ((5, 1.0), (9, 0.0), (14, 1.0)):
        tiles = np.zeros((16, 16), bool)
        tiles[:, strip : strip + 2] = True
        assert found.share_of_tones(tiles) == want
    tiles[:] = False
    assert found.share_of_tones(tiles) is None


def test_the_mean_over_tiles() -> None:
    found = agree(texture(128, 128), texture(128, 128), SAME)
    pixels = np.zeros((128, 128), bool)
    pixels[:8, :8] = pixels[8:16, 8:12] = True
    want = np.zeros((16, 16))
    want[0, 0], want[1, 1] = 1, 0.5
    assert found.by_tile(pixels).tolist() == want.tolist()


def test_masks_and_images_are_brought_along() -> None:
    mask = np.zeros((20, 30), np.uint8)
    mask[5:10, 10:20] = 255
    moved = bring(mask, similarity(1, 0, 4, 2), (25, 40))
    assert moved.shape == (25, 40)
    assert moved[7:12, 14:24].all()
    assert moved.sum() == 50
    rgb = np.dstack([mask, mask // 2, mask // 5])
    image = bring_image(rgb, similarity(1, 0, 4, 2), (25, 40))
    assert image[7:12, 14:24].reshape(-1, 3).tolist() == [[255, 127, 51]] * 50
    assert image.sum() == rgb.sum()
