"""Figures of shape: tiny masks drawn as text, then random and real ones against SciPy, scikit-image and pycocotools."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco
from scipy import ndimage
from scipy.spatial import ConvexHull
from skimage import measure as sk

from hqdata.arrays import UInt8Array
from hqdata.masks.contour import component_areas, dominant_points, hull_area, polygon_trace, trace
from hqdata.masks.shape import EMPTY, measure, thin_radius
from hqdata.masks.width import largest_square
from tests.masks.shapes import blob, disk, random_masks, real_masks, text_mask

# mask, then area, box, components, holes, contours, border, sides touched
DRAWN = {
    "one pixel": ("....  .#..  ....  ....", 1, (1, 1, 1, 1), 1, 0, 1, 0, 0),
    "a ring": ("#####  #...#  #...#  #####", 14, (0, 0, 5, 4), 1, 1, 2, 18, 4),
    "two over a corner": ("....  .#..  ..#.  ....", 2, (1, 1, 2, 2), 1, 0, 1, 0, 0),
    "two apart": ("....  .#.#  ....", 2, (1, 1, 3, 1), 2, 0, 2, 1, 1),
    "a hole open over a corner": (".....  .###.  .#.#.  .##..  .....", 7, (1, 1, 3, 3), 1, 1, 2, 0, 0),
    "a gap is no hole": (".....  .###.  .#...  .##..  .....", 6, (1, 1, 3, 3), 1, 0, 1, 0, 0),
    "an island in a hole": ("#####  #...#  #.#.#  #...#  #####", 17, (0, 0, 5, 5), 2, 1, 3, 20, 4),
    "full": ("####  ####  ####", 12, (0, 0, 4, 3), 1, 0, 1, 14, 4),
}


@pytest.mark.parametrize("name", DRAWN)
def test_drawn(name: str) -> None:
    text, area, box, components, holes, contours, border, sides = DRAWN[name]
    shape = measure(text_mask(text))
    assert shape.area == area
    assert (shape.box_x, shape.box_y, shape.box_w, shape.box_h) == box
    assert (shape.components, shape.holes, shape.contours) == (components, holes, contours)
    assert shape.euler == components - holes
    assert (shape.border, shape.border_sides) == (border, sides)


@pytest.mark.parametrize(
    ("text", "widest"),
    [
        ("...  .#.  ...", 1),
        (".....  .###.  .###.  .###.  .....", 3),
        ("###  ###  ###", 3),
        ("......  .####.  .####.  ......", 1),
        (".......  ..###..  .#####.  .#####.  .#####.  ..###..  .......", 2 * math.sqrt(8) - 1),
    ],
)
def test_the_widest_place(text: str, widest: float) -> None:
    assert measure(text_mask(text)).width_max == pytest.approx(widest)


def test_an_empty_mask_measures_nothing() -> None:
    assert measure(np.zeros((5, 6), np.uint8)) == EMPTY


def test_greys_count_as_foreground_and_the_frame_makes_no_difference() -> None:
    mask = blob(90, 4)
    assert measure(mask * np.uint8(255)) == measure(mask)
    inside = np.zeros((90, 90), np.uint8)
    inside[20:60, 30:70] = blob(40, 1)
    alone = measure(inside)
    assert alone == measure(np.asfortranarray(inside))
    assert measure(np.roll(inside, 7, axis=1)).ipq == alone.ipq


def check_against_libraries(mask: UInt8Array) -> None:
    shape, padded = measure(mask), np.pad(mask, 1)
    code = coco.encode(np.asfortranarray(mask))
    assert shape.area == coco.area(code)
    assert (shape.box_x, shape.box_y, shape.box_w, shape.box_h) == tuple(coco.toBbox(code).astype(int))
    if not mask.any():
        return
    labels, count = sk.label(padded, connectivity=2, return_num=True)
    sizes = np.bincount(labels.ravel())[1:]
    assert (shape.components, shape.holes) == (count, ndimage.label(padded == 0)[1] - 1)
    assert shape.largest_share == sizes.max() / mask.sum()
    assert sorted(component_areas(trace(padded))) == sorted(sizes)
    assert shape.euler == sk.euler_number(mask, connectivity=2)
    assert shape.boundary == pytest.approx(sk.perimeter_crofton(mask, directions=4))
    distance = ndimage.distance_transform_edt(padded)
    assert largest_square(padded) == round(distance.max() ** 2)
    square = math.floor(thin_radius(*mask.shape) ** 2 + 1e-9)
    kept = np.rint(distance**2) > square
    opened = np.rint(ndimage.distance_transform_edt(~kept) ** 2) <= square if kept.any() else kept
    assert shape.thin_share == pytest.approx(1 - opened.sum() / mask.sum())
    rows, columns = np.nonzero(mask)
    corners = np.concatenate([np.c_[columns + x, rows + y] for x in (0, 1) for y in (0, 1)])
    assert shape.solidity == pytest.approx(mask.sum() / ConvexHull(corners).volume)


def test_too_many_corners_are_counted_but_not_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    masks = [mask for mask in random_masks(30, seed=8) if mask.any()]
    traced = [measure(mask) for mask in masks]
    monkeypatch.setattr("hqdata.masks.shape.MOST_CORNERS", -1)
    for mask, want in zip(masks, traced, strict=True):
        assert measure(mask) == dataclasses.replace(want, dominant_points=None, polygon=None)


def test_random_masks_against_libraries() -> None:
    for mask in random_masks(120, seed=7):
        check_against_libraries(mask)


@pytest.mark.parametrize("seed", range(3))
def test_large_masks_against_libraries(seed: int) -> None:
    check_against_libraries(blob(700, seed))


def test_real_masks_against_libraries(real: Path) -> None:
    for grey in real_masks(real):
        check_against_libraries((grey > 127).astype(np.uint8))


def long_strips() -> list[UInt8Array]:
    """Shapes with as many innermost pixels as can be, and with few that chamfer distances put in the wrong order."""
    strip = np.zeros((60, 900), np.uint8)
    strip[9:50, 3:-3] = 1
    y, x = np.mgrid[:400, :400]
    slanted = ((np.abs(2 * y - x - 180) < 60) & (x > 3) & (x < 396)).astype(np.uint8)
    knight = (np.abs(0.1969 * y + x - 240) < 90).astype(np.uint8)
    return [strip, strip.T, slanted, knight, np.ones((300, 200), np.uint8), disk(401, 199.3)]


@pytest.mark.parametrize("mask", long_strips(), ids=["strip", "upright", "slanted", "knight", "full", "disk"])
def test_the_widest_place_is_exact_where_the_chamfer_distance_is_worst(mask: UInt8Array) -> None:
    padded = np.pad(mask, 1)
    assert largest_square(np.ascontiguousarray(padded)) == round(ndimage.distance_transform_edt(padded).max() ** 2)


def test_ipq_follows_the_formula_and_a_disk_has_one() -> None:
    assert measure(disk(301, 140)).ipq == pytest.approx(1, abs=0.02)
    ring = disk(301, 140) - disk(301, 100)
    assert measure(ring).ipq == pytest.approx((140 + 100) ** 2 / (140**2 - 100**2), rel=0.03)


def test_a_thin_line_is_thin_and_a_disk_is_not() -> None:
    line = np.zeros((300, 400), np.uint8)
    line[100:103, 20:380] = 1
    assert measure(line).thin_share == 1
    both = line | np.pad(disk(200, 90), ((50, 50), (100, 100)))
    assert measure(both).thin_share == pytest.approx(
        (line & ~np.pad(disk(200, 90), ((50, 50), (100, 100)))).sum() / both.sum(), abs=0.01
    )


def test_dominant_points_of_a_triangle_are_three() -> None:
    y, x = np.mgrid[:200, :200]
    contours = trace(((x < 180) & (y < x)).astype(np.uint8))
    assert dominant_points(contours.all) == 3
    assert polygon_trace(contours) == 1


def test_polygons_stand_out_from_smooth_curves() -> None:
    smooth = [polygon_trace(trace(disk(301, radius))) for radius in (40, 80, 140)]
    corners = [(30, 20), (250, 60), (210, 240), (120, 160), (40, 260)]
    drawn = polygon_trace(trace(filled(corners)))
    assert max(value for value in smooth if value) < 0.65
    assert drawn is not None
    assert drawn > 0.9


def filled(corners: list[tuple[int, int]]) -> UInt8Array:
    from skimage.draw import polygon2mask

    return polygon2mask((300, 300), np.array(corners)).astype(np.uint8)


def test_a_speck_has_no_polygon_trace() -> None:
    assert polygon_trace(trace(disk(9, 3))) is None


def test_the_hull_of_a_pixel_is_the_pixel() -> None:
    assert hull_area(trace(text_mask("...  .#.  ..."))) == 1
    assert hull_area(trace(text_mask("#..  ...  ..#"))) == 5
