"""Outlines against images whose edges are known: drawn disks, ramps of known direction, noise; SciPy as the oracle."""

import math

import cv2
import numpy as np
import pytest
from scipy import signal

from hqdata.arrays import UInt8Array
from hqdata.masks.fit import (
    SHIFT_SIDE,
    SIDE,
    ComplexArray,
    Edges,
    _largest_run,
    cross_fits,
    edges,
    outline,
    placement,
    trim,
)

HEIGHT, WIDTH = 300, 400
DIAGONAL = math.hypot(HEIGHT, WIDTH)


def disk(radius: float, right: float = 0, down: float = 0) -> UInt8Array:
    """A disk of 255 in the middle of 300 x 400, moved."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return (np.hypot(y - 149.5 - down, x - 199.5 - right) <= radius).astype(np.uint8) * np.uint8(255)


def picture(mask: UInt8Array, noisy: int = 30) -> UInt8Array:
    """An image in which the mask is an object: another colour, and noise everywhere."""
    noise = np.random.default_rng(0).integers(0, noisy, (*mask.shape, 3), np.uint8)
    return noise + np.where(mask[..., None] > 0, np.array([150, 80, 60], np.uint8), np.array([60, 120, 90], np.uint8))


@pytest.mark.parametrize("angle", [0, 30, 45, 90, 150])
def test_the_angle_of_an_edge_is_twice_that_of_its_gradient(angle: int) -> None:
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    across = x * math.cos(math.radians(angle)) + y * math.sin(math.radians(angle))
    image = np.repeat((across > 0.25)[..., None], 3, axis=2).astype(np.uint8) * np.uint8(200)
    for found in (edges(image).fine, edges(255 - image).small):
        mean = found.sum() / np.abs(found).sum()
        assert abs(mean - np.exp(2j * math.radians(angle))) < 0.1
        assert np.abs(found).max() > 0.9
        assert np.count_nonzero(found) < 0.05 * found.size


def placed(image: UInt8Array, mask: UInt8Array) -> tuple[float, float, float]:
    drawn = outline(mask)
    assert drawn is not None
    place = placement(edges(image), drawn)
    return place.fit / place.spread, round(place.right * DIAGONAL), round(place.down * DIAGONAL)


@pytest.mark.parametrize("moved", [(0, 0), (10, 0), (-20, 0), (0, 25), (-30, -15), (60, 40)])
def test_a_moved_mask_is_sent_back(moved: tuple[int, int]) -> None:
    fit, right, down = placed(picture(disk(80)), disk(80, *moved))
    assert abs(right + moved[0]) <= 2
    assert abs(down + moved[1]) <= 2
    assert (fit > 8) == (moved == (0, 0))


@pytest.mark.parametrize("seed", range(4))
def test_an_outline_fits_noise_as_chance_would(seed: int) -> None:
    noise = np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    assert abs(placed(noise, disk(80))[0]) < 4


def random_field(height: int, width: int, seed: int) -> ComplexArray:
    parts = np.random.default_rng(seed).normal(size=(2, height, width))
    return np.asarray(parts[0] + 1j * parts[1], np.complex64)


@pytest.mark.parametrize("size", [(40, 60), (61, 33), (1, 50)])
def test_placement_is_a_correlation(size: tuple[int, int]) -> None:
    image, drawn = random_field(*size, seed=1), random_field(*size, seed=2)
    want = signal.correlate(image.astype(np.complex128), drawn, "full").real
    reach = max(1, int(0.2 * math.hypot(*size)))
    rows, columns = (np.arange(-reach, reach + 1) + side - 1 for side in size)
    padded = np.pad(want, 2 * reach)
    window = padded[np.ix_(rows + 2 * reach, columns + 2 * reach)]
    place = placement(Edges(image, image), drawn)
    assert place.fit == pytest.approx(want[size[0] - 1, size[1] - 1], rel=1e-4, abs=1e-4)
    assert place.moved_fit == pytest.approx(window.max(), rel=1e-4)
    assert place.spread == pytest.approx(window.std(), rel=1e-4)
    row, column = np.unravel_index(window.argmax(), window.shape)
    shift = (place.down * math.hypot(*size), place.right * math.hypot(*size))
    assert shift == pytest.approx((row - reach, column - reach), abs=1e-6)


def test_cross_fits_are_those_at_no_shift() -> None:
    masks = [disk(60), disk(90), disk(40, 30, 20)]
    found = [edges(picture(mask)) for mask in masks]
    drawn = [line for line in map(outline, masks) if line is not None]
    fits = cross_fits([image.small for image in found], drawn)
    want = [[placement(image, line).fit for image in found] for line in drawn]
    assert fits == pytest.approx(np.array(want), abs=1e-5)
    assert fits.argmax(axis=1).tolist() == [0, 1, 2]


@pytest.mark.parametrize(("radius", "inside"), [(80, 0), (86, 6), (92, 12), (74, -6)])
def test_the_edge_beside_the_outline_is_found(radius: int, inside: int) -> None:
    close = trim(edges(picture(disk(80))), disk(radius))
    assert close is not None
    assert close.offset * DIAGONAL == pytest.approx(inside, abs=1)
    assert (close.sharpness > 0.5) == (inside == 0)
    assert (close.offset_gain > 0.5) == (inside != 0)


@pytest.mark.parametrize("axis", [0, 1])
def test_half_a_disk_misses_an_edge_along_its_straight_side(axis: int) -> None:
    image, half = edges(picture(disk(80), noisy=1)), disk(80)
    half[(slice(150, None), slice(None))[axis], (slice(None), slice(200, None))[axis]] = 0
    whole, close = trim(image, disk(80)), trim(image, half)
    assert whole is not None
    assert close is not None
    # Pixels of a contour count a diagonal step once: 160 along the chord, 2 x 80 x sqrt(2) / 2 on each quarter.
    assert close.gap == pytest.approx(160 / (160 + 160 * math.sqrt(2)), abs=0.06)
    assert whole.gap < 0.05


def test_where_the_mask_leaves_the_image_no_edge_is_missed() -> None:
    mask = disk(120, 200)
    close = trim(edges(picture(mask)), mask)
    assert close is not None
    assert close.gap < 0.05


@pytest.mark.parametrize("value", [0, 255])
def test_no_outline_no_figures(value: int) -> None:
    mask = np.full((HEIGHT, WIDTH), value, np.uint8)
    assert outline(mask) is None
    assert trim(edges(picture(disk(80))), mask) is None


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (1, 900), (700, 2), (5, 5)])
def test_images_of_any_size_have_edges(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    image, mask = rng.integers(0, 256, (*size, 3), np.uint8), rng.integers(0, 2, size, np.uint8) * np.uint8(255)
    mask.flat[0] = 255
    found, drawn = edges(image), outline(mask)
    assert max(found.fine.shape) == SIDE
    assert max(found.small.shape) == SHIFT_SIDE
    assert drawn is None or math.isfinite(placement(found, drawn).moved_fit)
    trim(found, mask)


def test_a_plain_image_is_evidence_of_nothing() -> None:
    plain = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    drawn = outline(disk(80))
    assert drawn is not None
    place = placement(edges(plain), drawn)
    assert (place.fit, place.spread, place.moved_fit) == (0, 0, 0)


def test_a_thin_bright_line_counts_on_both_its_sides() -> None:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.line(mask, (40, 40), (350, 260), 255, 3)
    fit, right, down = placed(picture(mask), mask)
    assert fit > 5
    assert (right, down) == (0, 0)


def test_the_largest_run_on_a_circle() -> None:
    rng = np.random.default_rng(0)
    for length in range(1, 12):
        values = rng.normal(-0.2, 1, length)
        runs = [np.take(values, range(a, a + n), mode="wrap").sum() for a in range(length) for n in range(length + 1)]
        assert _largest_run(values) == pytest.approx(max(runs))
