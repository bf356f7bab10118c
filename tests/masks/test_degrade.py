"""Degraded masks: tiny masks drawn as text, then each kind against its definition by code from elsewhere."""

import hashlib
import math
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from skimage import draw as sk_draw
from skimage import measure as sk

from hqdata.arrays import UInt8Array
from hqdata.demo.draw import draw
from hqdata.errors import UsageError
from hqdata.masks.boundary import Banded, band_width, boundary_iou, iou
from hqdata.masks.contour import trace
from hqdata.masks.degrade import KINDS, LADDER, STRENGTHS, Solved, degrade, rng_of, solve
from tests.masks.shapes import blob, disk, random_masks, real_masks, text_mask

DOCS = Path(__file__).parents[2] / "docs" / "degrade.md"


class Halves:
    """In place of a generator: rounds everything to the nearest."""

    def random(self, size: tuple[int, ...] | int | None = None) -> float | np.ndarray:
        return 0.5 if size is None else np.full(size, 0.5)


def worse(mask: UInt8Array, kind: str, pixels: float, mask_id: str | None = None) -> UInt8Array:
    """A mask of 0 and 1, degraded by a length in pixels; 0 and 1 again. Without ``mask_id`` nothing is random."""
    rng: Any = Halves() if mask_id is None else rng_of(0, mask_id)
    return degrade(mask * np.uint8(255), kind, pixels / math.hypot(*mask.shape), rng) // np.uint8(255)


def drawn_masks() -> list[tuple[str, UInt8Array]]:
    """Drawings of every kind."""
    styles = [("intricate", "dis"), ("thin", "thinobject"), ("salient", "duts"), ("salient", "ecssd"), ("icon", "fss")]
    return [
        (f"{style}/all/{number}#0", draw(kind, np.random.default_rng([7, number]), style=style).mask)
        for number, (kind, style) in enumerate(styles * 2)
    ]


@pytest.fixture(scope="module")
def drawings() -> list[tuple[str, UInt8Array]]:
    return drawn_masks()


NOTCH = "......... .#######. .#######. .#######. .####.... .#######. .#######. .#######. ........."
# kind, length in pixels, mask, what becomes of it
TINY = {
    "a pixel dilated": ("dilation", 1, "..... ..... ..#.. ..... .....", "..... ..#.. .###. ..#.. ....."),
    "a pixel dilated by two": ("dilation", 2, "..... ..... ..#.. ..... .....", "..#.. .###. ##### .###. ..#.."),
    "a square eroded": ("erosion", 1, "..... .###. .###. .###. .....", "..... ..... ..#.. ..... ....."),
    "a pixel eroded is gone": ("erosion", 1, "... .#. ...", "... ... ..."),
    "the rim is no edge": ("erosion", 1, "##. ##. ##.", "#.. #.. #.."),
    "a full mask has no edge": ("erosion", 1, "### ### ###", "### ### ###"),
    "a hole filled": ("holes", 1, "##### #.### #####", "##### ##### #####"),
    "a larger one is not": ("holes", 1, "##### #..## #####", "##### #..## #####"),
    "unless it may be": ("holes", 1.5, "##### #..## #####", "##### ##### #####"),
    "holes end at corners": ("holes", 1, "#### #.## ##.# ####", "#### #### #### ####"),
    "a bay is no hole": ("holes", 3, "##### #...# ##.## .....", "##### #...# ##.## ....."),
    "nor is a pocket at the rim": ("holes", 3, "..... #..#. ####.", "..... #..#. ####."),
    "an island drowns with its hole": ("holes", 3, "##### #...# #.#.# #...# #####", "##### ##### ##### ##### #####"),
    "a whisker lost": ("thin", 1, "..... .#... ###.. ####. .#...", "..... .#... ###.. ###.. .#..."),
    "a line across the picture is thin": ("thin", 1, "..... ##### .....", "..... ..... ....."),
    "a thick one is cut by the rim, not thin": ("thin", 2, "..... ##### #####", "..... ##### #####"),
    "cells of two pixels": ("lowres", 2, "##.. ##.. #... ....", "##.. ##.. .... ...."),
    "cells of one pixel": ("lowres", 1, "#.#. ##.. #... ..#.", "#.#. ##.. #... ..#."),
    "a notch smoothed": (
        "smoothing",
        1,
        "....... ####### ###.### ####### #######",
        "....... ####### ####### ####### #######",
    ),
    "a spike smoothed": ("smoothing", 1, "....... ...#... ####### #######", "....... ....... ####### #######"),
    "a notch too small for the polygon": ("polygon", 3.5, NOTCH, NOTCH.replace(".####....", ".#######.")),
    "one that is not": ("polygon", 0.3, NOTCH, NOTCH),
    "a pixel is no polygon": (
        "polygon",
        1,
        "......... .#####... .#####... .#####.#. .#####... .........",
        "......... .#####... .#####... .#####... .#####... .........",
    ),
    "nor is a small hole": ("polygon", 2, "##### #.### ##### #####", "##### ##### ##### #####"),
    "binary changes no side of 127": ("binary", 0, "..... .###. .#.#. .###.", "..... .###. .#.#. .###."),
}


@pytest.mark.parametrize("name", TINY)
def test_tiny(name: str) -> None:
    kind, pixels, given, want = TINY[name]
    assert as_text(worse(text_mask(given), kind, pixels)) == want


def as_text(mask: UInt8Array) -> str:
    return " ".join("".join("#" if pixel else "." for pixel in row) for row in mask)


# -- what holds for every kind


@pytest.mark.parametrize("kind", KINDS)
def test_foreground_is_above_127_and_comes_out_with_hard_edges(kind: str) -> None:
    soft = cv2.GaussianBlur(disk(60, 20) * np.uint8(255), (0, 0), 3)
    strength = 0.03 if kind in STRENGTHS else 0
    out = degrade(soft, kind, strength, rng_of(0, "a#0"))
    assert out.shape == soft.shape
    assert out.dtype == np.uint8
    assert set(np.unique(out)) == {0, 255}
    hard = np.where(soft > 127, 255, 0).astype(np.uint8)
    assert (out == degrade(hard, kind, strength, rng_of(0, "a#0"))).all()


@pytest.mark.parametrize("kind", STRENGTHS)
def test_no_strength_is_the_mask_itself(kind: str) -> None:
    soft = cv2.GaussianBlur(disk(60, 20) * np.uint8(255), (0, 0), 3)
    out = degrade(soft, kind, 0, rng_of(0, "a#0"))
    assert (out == soft).all()
    assert out is not soft


@pytest.mark.parametrize("kind", STRENGTHS)
def test_next_to_no_strength_is_next_to_the_mask(kind: str) -> None:
    for mask in random_masks(40, seed=5):
        assert (worse(mask, kind, 1e-4) == mask).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_mask_given_is_left_alone_and_an_empty_one_stays_empty(kind: str) -> None:
    mask = blob(80, 3) * np.uint8(255)
    before = mask.copy()
    for strength in (0.01, 0.5) if kind in STRENGTHS else (0,):
        degrade(mask, kind, strength, rng_of(0, "a#0"))
        assert (mask == before).all()
        assert not degrade(np.full((20, 30), 127, np.uint8), kind, strength, rng_of(0, "a#0")).any()


@pytest.mark.parametrize("kind", STRENGTHS)
@pytest.mark.parametrize("pixels", [0.3, 1, 2.5, 40, 1e9])
def test_every_size_is_taken(kind: str, pixels: float) -> None:
    for mask in random_masks(25, seed=11, side=70):
        length = min(pixels, math.hypot(*mask.shape))
        out = worse(mask, kind, length)
        assert out.shape == mask.shape
        assert set(np.unique(out)) <= {0, 1}


@pytest.mark.parametrize("kind", STRENGTHS)
def test_stronger_is_worse_on_average(kind: str, drawings: list[tuple[str, UInt8Array]]) -> None:
    means = []
    for strength in (0.002, 0.005, 0.012, 0.03, 0.07):
        scores = [
            boundary_iou(mask > 127, degrade(mask, kind, strength, rng_of(0, name)) > 127) for name, mask in drawings
        ]
        means.append(np.mean(scores))
    assert means == sorted(means, reverse=True)
    assert means[-1] < 0.9


@pytest.mark.parametrize("kind", STRENGTHS)
@pytest.mark.parametrize("strength", [0.01, 0.03])
def test_a_quarter_of_the_resolution_degrades_alike(
    kind: str, strength: float, drawings: list[tuple[str, UInt8Array]]
) -> None:
    large, small = [], []
    for name, mask in drawings:
        height, width = mask.shape
        scale = 256 / max(mask.shape)
        size = round(width * scale), round(height * scale)
        fine = cv2.resize(mask, (4 * size[0], 4 * size[1]), interpolation=cv2.INTER_CUBIC)
        coarse = cv2.resize(fine, size, interpolation=cv2.INTER_AREA)
        for scores, one in ((large, fine), (small, coarse)):
            scores.append(boundary_iou(one > 127, degrade(one, kind, strength, rng_of(0, name)) > 127))
    # Which holes there are, and how large, changes with resolution.
    assert np.mean(large) == pytest.approx(np.mean(small), abs=0.06 if kind == "holes" else 0.03)


@pytest.mark.parametrize("kind", KINDS)
def test_real_masks(kind: str, real: Path) -> None:
    for number, grey in enumerate(real_masks(real)):
        hard = degrade(grey, "binary", 0, rng_of(0, ""))
        mild, strong = (
            degrade(grey, kind, strength if kind in STRENGTHS else 0, rng_of(0, str(number)))
            for strength in (0.001, 0.02)
        )
        assert boundary_iou(hard, mild) >= boundary_iou(hard, strong)
        assert iou(hard, mild) > 0.9


# -- each kind against its definition


@pytest.mark.parametrize("radius", [1, 2, 5, 11, 30])
def test_dilation_and_erosion_are_distances(radius: int) -> None:
    for mask in [blob(150, radius), *random_masks(30, seed=radius)]:
        assert (worse(mask, "dilation", radius) == (nearest(mask) <= radius)).all()
        assert (worse(mask, "erosion", radius) == (mask & (nearest(1 - mask) > radius))).all()


def nearest(mask: UInt8Array) -> np.ndarray:
    """Distance from each pixel to the nearest one of the mask; the rim counts for nothing."""
    return ndimage.distance_transform_edt(mask == 0) if mask.any() else np.full(mask.shape, np.inf)


def test_between_two_radii_that_share_of_the_outline_moves() -> None:
    mask = disk(200, 60)
    less, more = worse(mask, "dilation", 4, "a#0"), worse(mask, "dilation", 5, "a#0")
    before = less
    for share in (0.1, 0.25, 0.5, 0.9):
        out = worse(mask, "dilation", 4 + share, "a#0")
        assert (before <= out).all()
        assert (out <= more).all()
        assert (out.sum() - less.sum()) / (more.sum() - less.sum()) == pytest.approx(share, abs=0.01)
        assert boundary_iou(mask, out) == pytest.approx(
            (1 - share) * boundary_iou(mask, less) + share * boundary_iou(mask, more), abs=0.01
        )
        before = out
    assert (worse(mask, "dilation", 4.5, "b#0") != worse(mask, "dilation", 4.5, "a#0")).any()


@pytest.mark.parametrize("radius", [1, 2.3, 5, 9])
def test_thin_is_an_opening_of_the_mask_that_goes_on_beyond_the_rim(radius: float) -> None:
    for mask in [blob(150, 1), *random_masks(30, seed=3)]:
        beyond = 2 * math.ceil(radius)
        wide = np.pad(mask, beyond, mode="edge")
        kept = ndimage.distance_transform_edt(wide) > radius if not wide.all() else wide > 0
        opened = nearest(kept.astype(np.uint8)) <= radius
        assert (worse(mask, "thin", radius) == opened[beyond:-beyond, beyond:-beyond]).all()


def test_holes_are_those_of_scipy() -> None:
    for mask in random_masks(60, seed=4):
        assert (worse(mask, "holes", math.hypot(*mask.shape)) == ndimage.binary_fill_holes(mask)).all()
        labels, _ = ndimage.label(mask == 0)
        open_ones = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
        small = [n for n, area in enumerate(np.bincount(labels.ravel())) if n > 0 and area <= 9 and n not in open_ones]
        want = mask | np.isin(labels, small)
        if mask.any() and mask.shape[0] + mask.shape[1] > 5:
            assert (worse(mask, "holes", 3) == want).all()


@pytest.mark.parametrize("sigma", [0.8, 2, 3.9, 4.1, 7.5, 20])
def test_smoothing_is_a_gaussian(sigma: float) -> None:
    for seed in range(3):
        mask = blob(300, seed)
        want = ndimage.gaussian_filter(mask.astype(float), sigma, mode="nearest", truncate=6)
        out = worse(mask, "smoothing", sigma)
        assert np.abs(want - 0.5)[out != (want > 0.5)].max(initial=0) < 0.03
        assert boundary_iou(out, want > 0.5) > 0.97


@pytest.mark.parametrize("cell", [1.5, 2, 3.7, 8, 25])
def test_lowres_is_area_means_enlarged_as_pillow_does(cell: float) -> None:
    for seed in range(3):
        mask = blob(260, seed)[:, :200]
        height, width = mask.shape
        down, across = (overlaps(side, math.floor(side / cell + 0.5)) for side in (height, width))
        small = Image.fromarray((down @ mask @ across.T).astype(np.float32))
        want = np.asarray(small.resize((width, height), Image.Resampling.BILINEAR))
        out = worse(mask, "lowres", cell)
        assert np.abs(want - 0.5)[out != (want > 0.5)].max(initial=0) < 0.01


def overlaps(many: int, few: int) -> np.ndarray:
    """How much of each of ``few`` cells each of ``many`` pixels covers: ``float64[few, many]``, rows add up to 1."""
    ends = np.linspace(0, many, few + 1)
    pixels = np.arange(many)
    shared = np.minimum(ends[1:, None], pixels + 1) - np.maximum(ends[:-1, None], pixels)
    return np.clip(shared, 0, None) * few / many


@pytest.mark.parametrize("distance", [0.4, 3, 12.6])
def test_shift_is_a_move_by_whole_pixels(distance: float) -> None:
    mask = blob(120, 2)
    moves = []
    for number in range(200):
        name = f"a/all/{number}#0"
        rng = rng_of(0, name)
        angle, up = 2 * math.pi * rng.random(), rng.random(2)
        move = np.floor(distance * np.array([math.sin(angle), math.cos(angle)]) + up)
        assert (worse(mask, "shift", distance, name) == ndimage.shift(mask, move, order=0, mode="nearest")).all()
        assert np.abs(np.hypot(*move) - distance) < math.sqrt(2)
        moves.append(move)
    assert np.mean(moves, axis=0) == pytest.approx([0, 0], abs=0.2 + distance / 10)
    assert np.mean(np.square(moves), axis=0) == pytest.approx([distance**2 / 2] * 2, abs=0.3 + distance**2 / 10)


@pytest.mark.parametrize("tolerance", [1, 2.5, 6, 15])
def test_polygons_stay_within_the_tolerance(tolerance: float) -> None:
    # The last pass of approxPolyDP may drop a corner that lies within half the squared tolerance.
    most = tolerance * (1 + math.sqrt(0.5))
    for seed in range(4):
        mask = blob(300, seed)
        contours = trace(np.pad(mask, math.ceil(tolerance) + 1, mode="edge")).all
        polygons = [cv2.approxPolyDP(contour, tolerance, True) for contour in contours]
        for contour, corners in zip(contours, polygons, strict=True):
            assert to_polygon(contour[:, 0], corners[:, 0]).max() <= most
        if min(len(corners) for corners in polygons) >= 3:
            changed = worse(mask, "polygon", tolerance) != mask
            assert changed.any()
            assert np.maximum(nearest(mask), nearest(1 - mask))[changed].max() <= most + 1


def to_polygon(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Distance from each point to a closed polygon."""
    sides = np.roll(corners, -1, axis=0) - corners
    away = points[:, None] - corners
    along = np.clip((away * sides).sum(-1) / np.maximum((sides**2).sum(-1), 1), 0, 1)
    return np.linalg.norm(away - along[..., None] * sides, axis=-1).min(axis=1)


def test_a_polygon_with_a_hole_is_filled_as_scikit_image_fills_it() -> None:
    outer = np.array([(20, 30), (270, 60), (240, 250), (60, 200)])
    inner = np.array([(100, 90), (200, 110), (150, 180)])
    given = sk_draw.polygon2mask((300, 300), outer) & ~sk_draw.polygon2mask((300, 300), inner)
    out = worse(given.astype(np.uint8), "polygon", 1.5)
    assert sk.euler_number(out, connectivity=2) == 0
    assert iou(out, given) > 0.98


# -- random numbers


def test_the_generator_of_a_mask_is_fixed_for_ever() -> None:
    assert rng_of(0, "ecssd/all/0001#0").integers(1 << 32, size=2).tolist() == FIXED
    assert rng_of(1, "ecssd/all/0001#0").integers(1 << 32) != FIXED[0]
    assert rng_of(0, "ecssd/all/0001#1").integers(1 << 32) != FIXED[0]


FIXED = [1048113379, 3258547726]
DIGEST = """
from tests.masks.test_degrade import digest
print(digest())
"""


def digest() -> str:
    out = hashlib.sha256()
    for kind in STRENGTHS:
        out.update(degrade(blob(200, 1) * np.uint8(255), kind, 0.017, rng_of(5, "a/all/1#0")))
    return out.hexdigest()


def test_another_process_degrades_alike() -> None:
    root = Path(__file__).parents[2]
    child = subprocess.run([sys.executable, "-c", DIGEST], cwd=root, capture_output=True, text=True, check=True)
    assert child.stdout.split() == [digest()]


@pytest.mark.parametrize("strength", [0.05, 0.02, 0.004])
def test_the_direction_of_a_shift_does_not_depend_on_its_strength(strength: float) -> None:
    mask = np.zeros((300, 300), np.uint8)
    mask[100:200, 100:200] = 255
    rows, columns = np.nonzero(degrade(mask, "shift", strength, rng_of(0, "a#0")))
    down, right = rows.mean() - 149.5, columns.mean() - 149.5
    far = strength * math.hypot(300, 300)
    angle = 2 * math.pi * rng_of(0, "a#0").random()
    assert (down, right) == pytest.approx((far * math.sin(angle), far * math.cos(angle)), abs=1)


# -- solving for a level


@pytest.mark.parametrize("kind", [kind for kind in STRENGTHS if kind != "holes"])
@pytest.mark.parametrize("target", LADDER)
def test_the_ladder_is_reached(kind: str, target: float, drawings: list[tuple[str, UInt8Array]]) -> None:
    # Ten masks have thin parts of few widths, and move by few whole pixels, so that both come in steps.
    tolerance = {"thin": 0.02, "shift": 0.01}.get(kind, 0.005)
    solved = solve(drawings, kind, target, seed=3, tolerance=tolerance).required()
    assert solved.boundary_iou == pytest.approx(target, abs=tolerance)
    pairs = [(mask > 127, degrade(mask, kind, solved.strength, rng_of(3, name)) > 127) for name, mask in drawings]
    edges = [boundary_iou(*pair) for pair in pairs]
    assert solved.boundary_iou == pytest.approx(np.mean(edges))
    assert solved.iou == pytest.approx(np.mean([iou(*pair) for pair in pairs]))
    assert solved.spread == pytest.approx(tuple(np.percentile(edges, [5, 50, 95])))
    assert (solved.masks, solved.left_out) == (len(drawings), 0)
    assert solved.emptied == sum(not out.any() for _, out in pairs)


def test_a_square_is_dilated_by_what_geometry_says() -> None:
    mask = np.zeros((1000, 1000), np.uint8)
    mask[300:700, 300:700] = 255
    d, target = band_width(1000, 1000), 0.8
    solved = solve([("a#0", mask)], "dilation", target, seed=0)
    # Bands of squares; the corners, which the disk rounds, are too small to matter.
    sides = np.linspace(0, 10, 100_001)
    score = (400**2 - (400 + 2 * sides - 2 * d) ** 2) / ((400 + 2 * sides) ** 2 - (400 - 2 * d) ** 2)
    want = sides[np.argmin(np.abs(score - solved.boundary_iou))]
    assert solved.strength * math.hypot(1000, 1000) == pytest.approx(want, abs=0.1)


def test_the_order_of_the_masks_makes_no_difference(drawings: list[tuple[str, UInt8Array]]) -> None:
    assert solve(drawings, "shift", 0.8, seed=1) == solve(iter(drawings[::-1]), "shift", 0.8, seed=1)
    assert solve(drawings, "shift", 0.8, seed=1) != solve(drawings, "shift", 0.8, seed=2)


def test_masks_without_foreground_say_nothing_and_are_counted() -> None:
    masks = [("a#0", disk(100, 30) * np.uint8(255)), ("b#0", np.full((50, 50), 90, np.uint8))]
    solved = solve(masks, "erosion", 0.8, seed=0)
    assert (solved.masks, solved.left_out) == (1, 1)
    assert solved.converged


def test_what_vanishes_is_counted() -> None:
    # The small one is gone long before the large one comes down to the level.
    masks = [("a#0", disk(400, 150) * np.uint8(255)), ("b#0", disk(400, 3) * np.uint8(255))]
    solved = solve(masks, "erosion", 0.3, seed=0)
    assert solved.emptied == 1
    assert solved.spread[0] < 0.1


@pytest.mark.parametrize(
    ("kind", "mask", "least"),
    [
        ("binary", disk(100, 30), 1.0),
        ("holes", disk(100, 30), 1.0),
        ("erosion", np.ones((40, 40), np.uint8), 1.0),
        ("holes", disk(100, 30) - disk(100, 12), None),
    ],
)
def test_a_level_out_of_reach_names_the_least(kind: str, mask: UInt8Array, least: float | None) -> None:
    solved = solve([("a#0", mask * np.uint8(255))], kind, 0.5, seed=0)
    assert not solved.converged
    assert solved.least == solved.boundary_iou
    if least is None:
        least = boundary_iou(mask, ndimage.binary_fill_holes(mask))
    assert solved.least == pytest.approx(least)
    with pytest.raises(
        UsageError, match=rf"level(?s:.)*0\.5(?s:.)*{least:.4f} at strength .* the least that it can do"
    ):
        solved.required()


def test_a_jump_over_the_level_is_no_level() -> None:
    ring = disk(100, 30) - disk(100, 12)
    over = (boundary_iou(ring, disk(100, 30)) + 1) / 2
    solved = solve([("a#0", ring * np.uint8(255))], "holes", over, seed=0)
    assert not solved.converged
    assert solved.least < over
    with pytest.raises(UsageError, match="the nearest, for the mean jumps over the level"):
        solved.required()


def test_the_hole_is_found_at_its_own_size() -> None:
    ring = disk(100, 30) - disk(100, 12)
    level = boundary_iou(ring, disk(100, 30))
    solved: Solved = solve([("a#0", ring * np.uint8(255))], "holes", level, seed=0).required()
    assert (solved.strength * math.hypot(100, 100)) ** 2 >= disk(100, 12).sum()


def test_the_bands_of_the_originals_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    computed = Counter[int]()
    plain = Banded.band_words.func

    def counted(self: Banded) -> object:
        computed[int(np.count_nonzero(self.mask))] += 1
        return plain(self)

    mask = disk(200, 60)
    monkeypatch.setattr(Banded.band_words, "func", counted)
    solve([("a#0", mask * np.uint8(255))], "dilation", 0.8, seed=0)
    assert computed.total() > 3
    assert computed[int(mask.sum())] == 1


# -- what is refused


@pytest.mark.parametrize(
    ("kind", "strength", "message"),
    [
        ("blur", 0.1, "no such kind(?s:.)*polygon, dilation(?s:.)*blur"),
        ("binary", 0.1, "binary has no strength"),
        ("shift", -0.1, "share of the diagonal(?s:.)*-0.1"),
        ("shift", 1.1, "0 to 1"),
        ("shift", math.nan, "nan"),
    ],
)
def test_kinds_and_strengths_are_checked(kind: str, strength: float, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        degrade(disk(20, 5), kind, strength, rng_of(0, ""))


@pytest.mark.parametrize("mask", [np.zeros((4, 4), bool), np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4))])
def test_anything_but_a_mask_is_refused(mask: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"uint8\[H, W\]"):
        degrade(mask, "binary", 0, rng_of(0, ""))


@pytest.mark.parametrize(
    ("masks", "kind", "target", "message"),
    [
        ([], "thin", 0.8, "foreground(?s:.)*0 masks"),
        ([("a#0", np.zeros((4, 4), np.uint8))], "thin", 0.8, "foreground(?s:.)*1 masks"),
        ([("a#0", np.full((4, 4), 255, np.uint8))], "thick", 0.8, "no such kind"),
        ([("a#0", np.full((4, 4), 255, np.uint8))], "thin", 1, "above 0, below 1"),
        ([("a#0", np.full((4, 4), 255, np.uint8))], "thin", math.nan, "above 0, below 1"),
    ],
)
def test_what_cannot_be_solved(masks: list[tuple[str, UInt8Array]], kind: str, target: float, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        solve(masks, kind, target, seed=0)


def test_the_page_says_what_the_code_does() -> None:
    page = DOCS.read_text(encoding="utf-8")
    for kind, meaning in KINDS.items():
        assert f"| `{kind}` | {meaning} | {STRENGTHS.get(kind, 'none')} |" in page
