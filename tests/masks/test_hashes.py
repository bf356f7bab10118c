"""Hashes of tiles, on images whose thumbnail is the image itself: bit by bit, in a mirror, behind an object."""

from itertools import pairwise

import numpy as np
import pytest

from hqdata.arrays import HashArray, UInt8Array
from hqdata.masks.hashes import TILES, mirrored_tiles, tile_hashes
from tests.masks.texture import texture


def distinct(seed: int) -> UInt8Array:
    """32 x 36 pixels, as large as the thumbnail; neighbours in a row are never equal."""
    rng = np.random.default_rng(seed)
    return np.array([rng.permutation(256)[:36] for _ in range(32)], np.uint8)


def slow_hash(tile: UInt8Array) -> int:
    """64 letters, 1 where a pixel is darker than its right neighbour, row by row."""
    rows = tile.astype(int).tolist()
    return int("".join("01"[right > left] for row in rows for left, right in pairwise(row)), 2)


def test_each_tile_has_its_difference_hash() -> None:
    image = distinct(0)
    found = tile_hashes(image)
    assert (found.shape, found.dtype) == ((TILES * TILES,), np.uint64)
    want = [slow_hash(image[8 * y : 8 * y + 8, 9 * x : 9 * x + 9]) for y in range(4) for x in range(4)]
    assert found.tolist() == want


@pytest.mark.parametrize(
    "tile",
    [
        np.full((8, 9), 77),
        np.tile([100, 101] * 4 + [100], (8, 1)),
        np.tile(np.arange(0, 90, 10), (8, 1)),
        np.tile(np.arange(90, 0, -10), (8, 1)),
        np.tile(np.arange(0, 160, 20)[:, None], (1, 9)),
    ],
    ids=["plain", "nearly plain", "brighter to the right", "darker to the right", "brighter below"],
)
def test_plain_tiles_and_slopes_say_nothing(tile: np.ndarray) -> None:
    image = distinct(0)
    image[8:16, 18:27] = tile
    found = tile_hashes(image)
    assert found[6] == 0
    assert np.count_nonzero(found) == 15
    assert mirrored_tiles(found[None])[0, 5] == 0


@pytest.mark.parametrize("seed", range(5))
def test_in_a_mirror_they_are_computed_without_the_image(seed: int) -> None:
    image = distinct(seed)
    flat = tile_hashes(np.ascontiguousarray(image[:, ::-1]))
    assert mirrored_tiles(tile_hashes(image)[None]).tolist() == [flat.tolist()]
    assert mirrored_tiles(mirrored_tiles(flat[None])).tolist() == [flat.tolist()]


def test_in_a_mirror_images_keep_their_order() -> None:
    many = np.stack([tile_hashes(distinct(seed)) for seed in range(3)])
    assert mirrored_tiles(many).tolist() == [mirrored_tiles(one[None])[0].tolist() for one in many]
    none: HashArray = np.zeros((0, 16), np.uint64)
    assert mirrored_tiles(none).shape == (0, 16)


def test_what_an_object_does_not_touch_stays() -> None:
    image = texture(320, 360)
    covered = image.copy()
    covered[100:220, 120:250] = texture(120, 130, seed=9)
    bits = np.bitwise_count(tile_hashes(image) ^ tile_hashes(covered)).reshape(4, 4)
    # the Lanczos filter carries the object's edge a little way into the neighbours
    assert bits[[0, 3]].max() <= 4
    assert bits[1:3, 1:3].min() > 12


def test_a_copy_at_another_size_has_nearly_the_same() -> None:
    image = texture(320, 360)
    half = image.reshape(160, 2, 180, 2).mean(axis=(1, 3)).astype(np.uint8)
    assert np.bitwise_count(tile_hashes(image) ^ tile_hashes(half)).max() <= 4
