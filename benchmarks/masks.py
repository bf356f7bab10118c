"""Mask statistics and Boundary IoU against the usual library calls, side by side in one process and on one thread.

Run: ``python benchmarks/masks.py [--side 1024] [--masks 6] [--repeats 5]``. Only the ratios mean anything: absolute
times differ from machine to machine and from run to run.

What was chosen, and why. Everything is OpenCV, numpy on words of 64 pixels, and pycocotools; nothing is compiled here.
Compiled kernels would be some three times faster still, at the price of a compiler on every machine that installs the
package and of a second implementation to prove. The time goes into the exact distance transform, so it is not computed:
OpenCV's 5 x 5 chamfer transform bounds every distance within 2 and 4 per cent, and only pixels that might be the
maximum are measured exactly. The package ``edt`` would do without that, but it is LGPL.

Before anything is timed, both sides must give the same figures.
"""

import argparse
import math
import statistics
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco
from scipy import ndimage
from scipy.spatial import ConvexHull
from skimage import measure as sk

from hqdata.masks import rle
from hqdata.masks.bits import count, erode_square, pack, quads
from hqdata.masks.boundary import Banded, band_width, boundary_iou
from hqdata.masks.contour import component_areas, trace
from hqdata.masks.shape import Shape, measure, thin_radius
from hqdata.masks.width import largest_square


def ragged(side: int, seed: int) -> np.ndarray:
    """A ragged blob with holes and thin lines: ``uint8[side, side]``, 0 and 1."""
    rng = np.random.default_rng(seed)
    noise = cv2.GaussianBlur(rng.standard_normal((side, side)).astype(np.float32), (0, 0), side / 25)
    y, x = np.mgrid[:side, :side]
    far = np.hypot(y - side / 2, x - side / 2) / side
    mask = (noise / noise.std() * 0.12 + rng.uniform(0.2, 0.4) - far > 0).astype(np.uint8)
    for _ in range(12):
        ends = rng.integers(0, side, 4).tolist()
        cv2.line(mask, ends[:2], ends[2:], 1, int(rng.integers(1, 6)))
    return mask


def library_core(mask: np.ndarray) -> dict[str, float]:
    """Area, box, components, holes, boundary, band, widest place, run-length code."""
    padded = np.pad(mask, 1)
    rows, columns = np.where(mask)
    labels, components = sk.label(mask, connectivity=2, return_num=True)
    euler = sk.euler_number(mask, connectivity=2)
    d = band_width(*mask.shape)
    inner = ndimage.minimum_filter(mask, 2 * d + 1, mode="constant", cval=0)
    distance = ndimage.distance_transform_edt(padded)
    coco.encode(np.asfortranarray(mask))
    return {
        "area": int(mask.sum()),
        "box_x": int(columns.min()),
        "box_y": int(rows.min()),
        "box_w": int(np.ptp(columns)) + 1,
        "box_h": int(np.ptp(rows)) + 1,
        "components": components,
        "holes": components - euler,
        "largest_share": np.bincount(labels.ravel())[1:].max() / mask.sum(),
        "boundary": sk.perimeter_crofton(mask, directions=4),
        "band_share": 1 - inner.sum() / mask.sum(),
        "width_max": 2 * distance.max() - 1,
    }


def library_all(mask: np.ndarray) -> dict[str, float]:
    """The above, thin share and solidity; contour corners are left out, for the libraries trace other contours."""
    core = library_core(mask)
    padded = np.pad(mask, 1)
    square = math.floor(thin_radius(*mask.shape) ** 2 + 1e-9)
    kept = np.rint(ndimage.distance_transform_edt(padded) ** 2) > square
    opened = np.rint(ndimage.distance_transform_edt(~kept) ** 2) <= square if kept.any() else kept
    edge = mask - ndimage.binary_erosion(mask)
    rows, columns = np.nonzero(edge)
    corners = np.concatenate([np.c_[columns + x, rows + y] for x in (0, 1) for y in (0, 1)])
    return {
        **core,
        "thin_share": 1 - (opened & (padded > 0)).sum() / mask.sum(),
        "solidity": mask.sum() / ConvexHull(corners).volume,
    }


def plain_boundary_iou(a: np.ndarray, b: np.ndarray) -> float:
    """Boundary IoU as its authors' published code has it, in cv2 and numpy."""
    bands = []
    for mask in (a, b):
        padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
        eroded = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=band_width(*mask.shape))
        bands.append(mask - eroded[1:-1, 1:-1])
    intersection = ((bands[0] * bands[1]) > 0).sum()
    union = ((bands[0] + bands[1]) > 0).sum()
    return float(intersection / union)


def ours_core(mask: np.ndarray) -> None:
    """The eight usual figures alone, by the same calls as in :func:`hqdata.masks.shape.measure`."""
    framed = np.pad(mask, 1)
    cv2.boundingRect(mask)
    words = pack(framed)
    assert quads(words).perimeter > 0
    component_areas(trace(framed))
    count(erode_square(words, band_width(*mask.shape)))
    largest_square(framed)
    rle.encode(mask)


def ours(mask: np.ndarray) -> Shape:
    """Every figure of shape, and the run-length code."""
    rle.encode(mask)
    return measure(mask)


def timed(repeats: int, *calls: Callable[[], Any]) -> list[float]:
    """Median seconds of each call, taken in turns."""
    for call in calls:
        call()
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(repeats):
        for row, call in zip(times, calls, strict=True):
            start = time.perf_counter()
            call()
            row.append(time.perf_counter() - start)
    return [statistics.median(row) for row in times]


def check(mask: np.ndarray) -> None:
    mine = measure(mask)
    for name, value in library_all(mask).items():
        assert math.isclose(getattr(mine, name), value, rel_tol=1e-9), (name, getattr(mine, name), value)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--side", type=int, default=1024)
    options.add_argument("--masks", type=int, default=6)
    options.add_argument("--repeats", type=int, default=5)
    given = options.parse_args()
    cv2.setNumThreads(1)
    masks = [ragged(given.side, seed) for seed in range(given.masks)]
    print(f"{given.masks} masks of {given.side} x {given.side}; ratios, then milliseconds of this run")
    core, everything, pair, kept = [], [], [], []
    for mask, other in zip(masks, [*masks[1:], masks[0]], strict=True):
        check(mask)
        assert boundary_iou(mask, other) == plain_boundary_iou(mask, other)
        core.append(timed(given.repeats, lambda m=mask: library_core(m), lambda m=mask: ours_core(m)))
        everything.append(timed(given.repeats, lambda m=mask: library_all(m), lambda m=mask: ours(m)))
        truth = Banded(mask)
        truth.boundary_iou(other)
        times = timed(
            3 * given.repeats,
            lambda m=mask, o=other: plain_boundary_iou(m, o),
            lambda m=mask, o=other: boundary_iou(m, o),
            lambda t=truth, o=other: t.boundary_iou(o),
        )
        pair.append(times[:2])
        kept.append([times[0], times[2]])
    for name, rows in (
        ("the eight usual figures: area, box, components, holes, boundary, band, widest place, run-length code", core),
        ("all figures of shape; the libraries' side without contour corners and polygon trace", everything),
        ("boundary IoU of a pair", pair),
        ("boundary IoU of a pair, truth's band kept", kept),
    ):
        slow, fast = (sum(column) / len(rows) * 1e3 for column in zip(*rows, strict=True))
        print(f"{slow / fast:6.1f}x  {slow:8.2f} -> {fast:6.2f} ms  {name}")


if __name__ == "__main__":
    main()
