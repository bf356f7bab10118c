"""What a mask's contours tell: how many there are, how large the parts are, how few straight segments explain them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import numpy as np

from hqdata.arrays import UInt8Array

Contour: TypeAlias = np.ndarray[Any, np.dtype[np.int32]]
"""Pixel centres along a contour, ``int32[N, 1, 2]``, x before y."""
DOMINANT = 2.0
"""Tolerance of dominant points in pixels, as in the released code of the DIS5K paper's HCE."""
FINE, COARSE = 1.0, 4.0
"""The two tolerances of the polygon trace, in pixels."""
LEAST_POINTS = 40
"""Contours with fewer points altogether say nothing of how they were drawn."""


@dataclass(frozen=True, slots=True)
class Contours:
    """Outer contours of the components (8-connected) and contours of the holes (4-connected)."""

    outer: tuple[Contour, ...]
    inner: tuple[tuple[Contour, int], ...]
    """With the position of the component in ``outer`` that a hole lies in."""

    def __len__(self) -> int:
        return len(self.outer) + len(self.inner)

    @property
    def all(self) -> list[Contour]:
        """Every contour."""
        return [*self.outer, *(contour for contour, _ in self.inner)]

    @property
    def points(self) -> int:
        """Points on all contours together."""
        return sum(len(contour) for contour in self.all)


def trace(mask: UInt8Array) -> Contours:
    """Trace a mask ``uint8[H, W]``; anything but 0 is foreground."""
    found, tree = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    if tree is None:
        return Contours((), ())
    contours = [np.asarray(contour, np.int32) for contour in found]
    parents = tree[0, :, 3].tolist()
    outer = [number for number, parent in enumerate(parents) if parent < 0]
    place = {number: position for position, number in enumerate(outer)}
    inner = [(contours[number], place[parent]) for number, parent in enumerate(parents) if parent >= 0]
    return Contours(tuple(contours[number] for number in outer), tuple(inner))


def component_areas(contours: Contours) -> list[int]:
    """Pixels of each component, by Pick's theorem: the contours run through pixel centres."""
    areas = [_lattice(contour, hole=False) for contour in contours.outer]
    for contour, position in contours.inner:
        areas[position] -= _lattice(contour, hole=True)
    return areas


def _lattice(contour: Contour, *, hole: bool) -> int:
    """Pixels on and inside an outer contour, or only inside that of a hole."""
    steps = len(contour) if len(contour) > 1 else 0
    twice = round(2 * cv2.contourArea(contour))
    return (twice + (-steps if hole else steps)) // 2 + 1


def dominant_points(contours: Sequence[Contour], tolerance: float = DOMINANT) -> int:
    """Corners left on all contours after Ramer, Douglas and Peucker's simplification to ``tolerance`` pixels."""
    return sum(len(cv2.approxPolyDP(contour, tolerance, True)) for contour in contours)


def polygon_trace(contours: Contours) -> float | None:
    """How well few straight segments explain the contours: corners at the coarse tolerance over those at the fine one.

    A polygon keeps its corners, so 1. The error of a chord goes with its length squared, so that a smooth curve needs
    half of its corners at four times the tolerance, whatever its radius; a rough one needs fewer.

    Returns:
        None below :data:`LEAST_POINTS` contour points.
    """
    if contours.points < LEAST_POINTS:
        return None
    return dominant_points(contours.all, COARSE) / dominant_points(contours.all, FINE)


def hull_area(contours: Contours) -> float:
    """Area of the convex hull of a mask's pixels, each a unit square; 0 for an empty mask."""
    if not contours.outer:
        return 0.0
    points = np.concatenate([contour[:, 0] for contour in contours.outer])
    # A hull grown by a unit square gains its extents and 1, by the mixed area of the two.
    extent = np.ptp(points, axis=0)
    return float(cv2.contourArea(cv2.convexHull(points))) + float(extent.sum()) + 1.0
