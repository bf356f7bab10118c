"""Outlines as point lists: ellipses, curves, turned bodies, blobs. Pure geometry, no pixels.

Coordinates are an object's own: x to the right, y down, the object roughly within -1 to 1 and standing on y = 1.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Points: TypeAlias = npt.NDArray[np.float64]
"""float64[N, 2] of x and y."""
PointsLike: TypeAlias = Points | Sequence[tuple[float, float]]


def points(values: PointsLike) -> Points:
    """Take a list of pairs as float64[N, 2]."""
    return np.asarray(values, np.float64).reshape(-1, 2)


def arc(x: float, y: float, rx: float, ry: float, start: float, stop: float, *, count: int = 24) -> Points:
    """Sample an arc from ``start`` to ``stop`` degrees (0 right, 90 down)."""
    angle = np.radians(np.linspace(start, stop, count))
    return np.stack([x + rx * np.cos(angle), y + ry * np.sin(angle)], axis=1)


def turn(shape: PointsLike, degrees: float, *, about: tuple[float, float] = (0.0, 0.0)) -> Points:
    """Rotate points clockwise on the screen."""
    angle = np.radians(degrees)
    matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    turned: Points = (points(shape) - about) @ matrix + about
    return turned


def shift(shape: PointsLike, x: float, y: float) -> Points:
    """Move points."""
    moved: Points = points(shape) + np.array([x, y])
    return moved


def ellipse(x: float, y: float, rx: float, ry: float | None = None, *, tilt: float = 0.0, count: int = 40) -> Points:
    """Sample an ellipse."""
    ring = arc(x, y, rx, rx if ry is None else ry, 0, 360 * (1 - 1 / count), count=count)
    return turn(ring, tilt, about=(x, y)) if tilt else ring


def box(x0: float, y0: float, x1: float, y1: float, *, soft: float = 0.0) -> Points:
    """Sample an upright rectangle, its corners rounded with radius ``soft``."""
    if soft <= 0:
        return points([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    soft = min(soft, abs(x1 - x0) / 2, abs(y1 - y0) / 2)
    corners = [(x1 - soft, y0 + soft, -90), (x1 - soft, y1 - soft, 0), (x0 + soft, y1 - soft, 90)]
    corners.append((x0 + soft, y0 + soft, 180))
    return np.concatenate([arc(x, y, soft, soft, a, a + 90, count=7) for x, y, a in corners])


def curve(knots: PointsLike, *, closed: bool = False, steps: int = 8) -> Points:
    """Run a Catmull-Rom curve through the knots.

    >>> curve([(0, 0), (1, 0), (1, 1)], steps=4).shape
    (9, 2)
    """
    knot = points(knots)
    if closed:
        padded = np.concatenate([knot[-1:], knot, knot[:2]])
    else:
        padded = np.concatenate([2 * knot[:1] - knot[1:2], knot, 2 * knot[-1:] - knot[-2:-1]])
    t = np.linspace(0, 1, steps, endpoint=False)[None, :, None]
    a, b, c, d = (padded[i : len(padded) - 3 + i, None, :] for i in range(4))
    path = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    path = path.reshape(-1, 2)
    return path if closed else np.concatenate([path, knot[-1:]])


def lathe(profile: Sequence[tuple[float, float]], *, x: float = 0.0, smooth: bool = True) -> Points:
    """Outline a turned body from (half-width, y) pairs, top to bottom."""
    half = points(profile)
    side = curve(half) if smooth else half
    side = np.stack([np.maximum(side[:, 0], 0), side[:, 1]], axis=1)
    return np.concatenate([side * (1, 1) + (x, 0), side[::-1] * (-1, 1) + (x, 0)])


def mirror(half: PointsLike, *, x: float = 0.0) -> Points:
    """Close the right half of an outline, given top to bottom, with its mirror image."""
    side = points(half)
    return np.concatenate([side, (side * (-1, 1) + (2 * x, 0))[::-1]])


def star(x: float, y: float, outer: float, inner: float, count: int, *, tilt: float = 0.0) -> Points:
    """Outline a star of ``count`` points."""
    angle = np.radians(np.arange(2 * count) * 180 / count - 90 + tilt)
    radius = np.where(np.arange(2 * count) % 2 == 0, outer, inner)
    return np.stack([x + radius * np.cos(angle), y + radius * np.sin(angle)], axis=1)


def blob(rng: np.random.Generator, x: float, y: float, rx: float, ry: float, *, rough: float = 0.12) -> Points:
    """Outline a smooth irregular ellipse."""
    count = 10
    angle = np.arange(count) * 2 * np.pi / count
    radius = 1 + rng.normal(0, rough, count).clip(-2 * rough, 2 * rough)
    return curve(np.stack([x + rx * radius * np.cos(angle), y + ry * radius * np.sin(angle)], axis=1), closed=True)


def leaf(length: float, width: float, *, tilt: float = 0.0, at: tuple[float, float] = (0.0, 0.0)) -> Points:
    """Outline a pointed leaf that starts at ``at`` and points up, turned by ``tilt``."""
    side = curve(
        [(0, 0), (width * 0.8, -length * 0.25), (width, -length * 0.5), (width * 0.5, -length * 0.82), (0, -length)]
    )
    return turn(mirror(side), tilt) + at


def limb(path: PointsLike, start: float, stop: float) -> Points:
    """Outline a line whose width runs from ``start`` to ``stop``."""
    line = points(path)
    along = np.gradient(line, axis=0)
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    half = np.linspace(start, stop, len(line))[:, None] / 2
    return np.concatenate([line + normal * half, (line - normal * half)[::-1]])


def segment(a: tuple[float, float], b: tuple[float, float], share: float) -> tuple[float, float]:
    """Find the point at ``share`` of the way from ``a`` to ``b``."""
    return (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share)
