"""Faults planted in good masks, to see which ones an audit finds. Pure functions; every random number is passed in."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from hqdata.arrays import BoolArray, UInt8Array
from hqdata.errors import UsageError, explain

How = Literal[
    "empty", "full", "inverted", "shifted", "other", "polygon", "steps", "smoothed", "grown", "cut", "component"
]
_SHARES = (0.5, 1.7)
"""A component counts as a given share of the area if its own is within these factors of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault at one strength."""

    kind: str
    """Word of :data:`hqdata.analysis.findings.KINDS` that an audit should give it."""
    how: How
    strength: float
    """Shares of the diagonal (shifted, polygon, grown), of the area (cut, component), or times smaller."""

    @property
    def name(self) -> str:
        """Such as ``shifted 4 %``."""
        if self.how in {"steps", "smoothed"}:
            return f"{self.how} 1/{self.strength:g}"
        return f"{self.how} {100 * self.strength:g} %" if self.strength else self.how


FAULTS: tuple[Fault, ...] = (
    Fault(kind="empty", how="empty", strength=0),
    Fault(kind="full", how="full", strength=0),
    Fault(kind="inverted", how="inverted", strength=0),
    *(Fault(kind="shifted", how="shifted", strength=share) for share in (0.02, 0.04, 0.08, 0.16)),
    Fault(kind="swapped", how="other", strength=0),
    Fault(kind="other_image", how="other", strength=0),
    *(Fault(kind="coarse", how="polygon", strength=share) for share in (0.01, 0.02, 0.04)),
    *(Fault(kind="coarse", how="steps", strength=times) for times in (8, 16, 32)),
    *(Fault(kind="coarse", how="smoothed", strength=times) for times in (8, 16, 32)),
    *(Fault(kind="coarse", how="grown", strength=share) for share in (0.01, 0.02, 0.04)),
    *(Fault(kind="unlabelled", how="cut", strength=share) for share in (0.1, 0.25, 0.5)),
    *(Fault(kind="unlabelled", how="component", strength=share) for share in (0.1, 0.25, 0.5)),
)
"""Every fault and strength that is tried."""


def corrupt(
    mask: UInt8Array, fault: Fault, rng: np.random.Generator, other: UInt8Array | None = None
) -> UInt8Array | None:
    """Plant a fault.

    Args:
        mask: ``uint8[H, W]``, 0 to 255.
        fault: what to plant.
        rng: draws directions and parts.
        other: another sample's mask, for the faults that put it here; brought to this one's size.

    Returns:
        A new mask ``uint8[H, W]`` of 0 and 255, or None where this fault cannot be planted in it: no component of
        the wanted size, or nothing changed or left.

    Raises:
        UsageError: ``other`` is missing.
    """
    given = np.asarray(mask > 127)
    if fault.how == "other":
        if other is None:
            raise UsageError(explain("no other mask was given", do="pass the mask to be put here"))
        height, width = given.shape
        faulty = np.asarray(cv2.resize(other, (width, height), interpolation=cv2.INTER_LINEAR) > 127)
    else:
        faulty = _WAYS[fault.how](given, fault.strength, rng)
    if np.array_equal(faulty, given) or (fault.how != "empty" and not faulty.any()):
        return None
    return faulty.view(np.uint8) * np.uint8(255)


def _shifted(mask: BoolArray, share: float, rng: np.random.Generator) -> BoolArray:
    """Move in a random direction; what leaves the image is lost, what enters is background."""
    angle = rng.uniform(0, 2 * math.pi)
    far = share * math.hypot(*mask.shape)
    moved = np.zeros_like(mask)
    down, right = round(far * math.sin(angle)), round(far * math.cos(angle))
    height, width = mask.shape
    moved[max(0, down) : height + min(0, down), max(0, right) : width + min(0, right)] = mask[
        max(0, -down) : height + min(0, -down), max(0, -right) : width + min(0, -right)
    ]
    return moved


def _polygon(mask: BoolArray, share: float, _: np.random.Generator) -> BoolArray:
    """Replace every contour by Ramer, Douglas and Peucker's polygon of that tolerance."""
    found, tree = cv2.findContours(mask.view(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    drawn = np.zeros(mask.shape, np.uint8)
    tolerance = share * math.hypot(*mask.shape)
    for contour, place in zip(found, tree[0] if found else (), strict=True):
        corners = cv2.approxPolyDP(contour, tolerance, True)
        cv2.drawContours(drawn, [corners], -1, 1 if place[3] < 0 else 0, cv2.FILLED)
    return drawn.view(np.bool_)


def _reduced(mask: BoolArray, times: float, how: int) -> BoolArray:
    """Reduce that many times by area means and enlarge again."""
    height, width = mask.shape
    size = max(1, round(width / times)), max(1, round(height / times))
    small = cv2.resize(mask.view(np.uint8) * np.uint8(255), size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=how) > 127)


def _steps(mask: BoolArray, times: float, _: np.random.Generator) -> BoolArray:
    return _reduced(mask, times, cv2.INTER_NEAREST)


def _smoothed(mask: BoolArray, times: float, _: np.random.Generator) -> BoolArray:
    return _reduced(mask, times, cv2.INTER_LINEAR)


def _grown(mask: BoolArray, share: float, _: np.random.Generator) -> BoolArray:
    radius = max(1, round(share * math.hypot(*mask.shape)))
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return np.asarray(cv2.dilate(mask.view(np.uint8), disk)).view(np.bool_)


def _cut(mask: BoolArray, share: float, rng: np.random.Generator) -> BoolArray:
    """Take away what lies beyond a straight line of random direction: that share of the area."""
    rows, columns = np.nonzero(mask)
    left = mask.copy()
    if len(rows):
        angle = rng.uniform(0, 2 * math.pi)
        along = columns * math.cos(angle) + rows * math.sin(angle)
        beyond = along > np.quantile(along, 1 - share)
        left[rows[beyond], columns[beyond]] = False
    return left


def _component(mask: BoolArray, share: float, rng: np.random.Generator) -> BoolArray:
    """Take away one component of about that share of the area."""
    count, labels, figures, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8))
    shares = figures[1:count, cv2.CC_STAT_AREA] / max(1, int(np.count_nonzero(mask)))
    fitting = np.flatnonzero((shares >= _SHARES[0] * share) & (shares <= _SHARES[1] * share)) + 1
    return mask if len(fitting) == 0 else np.asarray(mask & (labels != rng.choice(fitting)))


_WAYS: dict[How, Callable[[BoolArray, float, np.random.Generator], BoolArray]] = {
    "empty": lambda mask, _, __: np.zeros_like(mask),
    "full": lambda mask, _, __: np.ones_like(mask),
    "inverted": lambda mask, _, __: ~mask,
    "shifted": _shifted,
    "polygon": _polygon,
    "steps": _steps,
    "smoothed": _smoothed,
    "grown": _grown,
    "cut": _cut,
    "component": _component,
}
