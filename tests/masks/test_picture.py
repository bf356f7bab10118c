"""Figures of an image against SciPy and Pillow; edges planted in images."""

import io
from pathlib import Path

import imagehash
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from hqdata.masks.hashes import dhash, phash, phash_both
from hqdata.masks.picture import common_size, edge_figures, gradient, jpeg_quality, sharpness, to_common
from tests.masks.shapes import disk, real_greys


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (80, 90)])
def test_sharpness_is_the_variance_of_the_laplacian(size: tuple[int, int]) -> None:
    grey = noise(*size)
    want = ndimage.laplace(grey.astype(float), mode="mirror").var()
    assert sharpness(grey) == pytest.approx(want) or min(size) == 1


def test_sharpness_of_a_flat_image_is_0() -> None:
    assert sharpness(np.full((20, 30), 77, np.uint8)) == 0


@pytest.mark.parametrize("quality", range(1, 101))
def test_the_quality_that_pillow_wrote_is_read(quality: int) -> None:
    stream = io.BytesIO()
    Image.fromarray(noise(16, 16)).save(stream, "JPEG", quality=quality)
    assert jpeg_quality(getattr(Image.open(stream), "quantization", {})) == quality


def test_no_table_no_quality() -> None:
    assert jpeg_quality({}) is None


@pytest.mark.parametrize(("size", "want"), [((300, 400), (768, 1024)), ((1024, 1), (1024, 1)), ((5000, 2), (1024, 1))])
def test_the_common_size(size: tuple[int, int], want: tuple[int, int]) -> None:
    assert common_size(*size) == want
    assert to_common(np.zeros(size, np.uint8)).shape == want


def test_an_image_of_the_common_size_is_left_alone() -> None:
    grey = noise(1024, 8)
    assert to_common(grey) is grey


def test_a_mask_on_the_objects_edge_is_aligned_and_one_beside_it_is_not() -> None:
    image = disk(200, 60) * np.uint8(120) + noise(200, 200) // 40
    there, strength = edge_figures(disk(200, 60), gradient(image))
    beside, weak = edge_figures(np.roll(disk(200, 30), 25, axis=1), gradient(image))
    assert there is not None
    assert beside is not None
    assert strength is not None
    assert weak is not None
    assert there > 0.98
    assert strength > 5
    assert beside < 0.75
    assert weak < 1


def test_chance_is_two_over_pi() -> None:
    alignment, strength = edge_figures(disk(400, 150), gradient(noise(400, 400)))
    assert alignment == pytest.approx(2 / np.pi, abs=0.03)
    assert strength == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("mask", [np.zeros((40, 40), np.uint8), np.ones((40, 40), np.uint8)], ids=["empty", "full"])
def test_no_edge_no_figures(mask: np.ndarray) -> None:
    assert edge_figures(mask, gradient(noise(40, 40))) == (None, None)
    assert edge_figures(mask, gradient(np.zeros((40, 40), np.uint8))) == (None, None)


def check_hashes(grey: np.ndarray) -> None:
    image = Image.fromarray(grey)
    assert f"{dhash(grey):016x}" == str(imagehash.dhash(image))
    assert f"{phash(grey):016x}" == str(imagehash.phash(image))
    mirrored = np.ascontiguousarray(grey[:, ::-1])
    assert phash_both(grey) == (phash(grey), phash(mirrored))


@pytest.mark.parametrize("size", [(8, 9), (32, 32), (40, 100), (300, 401)])
def test_hashes_are_those_of_imagehash(size: tuple[int, int]) -> None:
    check_hashes(noise(*size))
    check_hashes(ndimage.gaussian_filter(noise(*size, seed=1).astype(float), 3).astype(np.uint8))


def test_hashes_of_real_images_are_those_of_imagehash(real: Path) -> None:
    for grey in real_greys(real, "ECSSD/images/*.jpg", 25):
        check_hashes(grey)


def test_a_flat_image_has_a_hash_without_rounding_errors() -> None:
    flat = np.full((50, 70), 200, np.uint8)
    assert (dhash(flat), phash(flat)) == (0, 1 << 63)
