"""Degraded masks for the mask-quality ladder: worse by a known amount, in a known way, the same at every reading.

>>> mask = np.zeros((60, 80), np.uint8)
>>> mask[20:40, 20:60] = 255
>>> degrade(mask, "dilation", 0.02, rng_of(0, "demo/all/1#0")).nonzero()[0].min()
np.int64(18)
"""

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from hqdata.arrays import UInt8Array
from hqdata.errors import UsageError, explain
from hqdata.masks import degrade_kinds as ways
from hqdata.masks.boundary import Banded

KINDS: dict[str, str] = {
    "polygon": "the outline becomes straight segments; parts and holes too narrow for any are lost",
    "dilation": "the outline lies too far out",
    "erosion": "the outline lies too far in",
    "smoothing": "the outline is rounded; thin parts and small holes are lost",
    "holes": "holes are filled",
    "thin": "thin parts are lost",
    "lowres": "the mask is reduced to a coarse grid and enlarged again",
    "shift": "the mask lies beside its object, in a random direction",
    "binary": "soft edges are removed, nothing else",
}
"""Every kind of degradation by its word, and what it does."""
STRENGTHS: dict[str, str] = {
    "polygon": "tolerance of Ramer, Douglas and Peucker's polygon",
    "dilation": "radius of the disk that the mask is dilated by",
    "erosion": "radius of the disk that the mask is eroded by",
    "smoothing": "standard deviation of the Gaussian",
    "holes": "side of a square as large as the largest hole that is filled",
    "thin": "radius of the disk that the mask is opened by",
    "lowres": "side of a pixel of the coarse grid",
    "shift": "distance that the mask is moved by",
}
"""The length that is meant by a kind's strength, over the image's diagonal; ``binary`` has none."""
LADDER = (0.95, 0.9, 0.8, 0.7)
"""Levels of the ladder: mean boundary IoU of the degraded masks against the originals."""
STRONGEST = 1.0
"""Strength beyond which none is taken or tried: the whole diagonal."""
_FIRST = 0.005
_NARROW = 1e-4
"""Search ends where two strengths, one on either side of the target, differ by no more than this share."""

_WAYS: dict[str, Callable[[UInt8Array, float, np.random.Generator], UInt8Array]] = {
    "polygon": ways.polygon,
    "dilation": ways.dilation,
    "erosion": ways.erosion,
    "smoothing": ways.smoothing,
    "holes": ways.holes,
    "thin": ways.thin,
    "lowres": ways.lowres,
    "shift": ways.shift,
    "binary": lambda mask, _, __: mask,
}


def rng_of(seed: int, mask_id: str) -> np.random.Generator:
    """Make the generator of one mask's random numbers: PCG64 seeded by the sha256 of ``SEED:MASK_ID`` in UTF-8.

    It depends on nothing else, so that a mask is degraded alike in any order, process and company.
    """
    return np.random.default_rng(int.from_bytes(hashlib.sha256(f"{seed}:{mask_id}".encode()).digest(), "big"))


def degrade(mask: UInt8Array, kind: str, strength: float, rng: np.random.Generator) -> UInt8Array:
    """Degrade a mask.

    Foreground is above 127; what comes out has hard edges, whatever the kind, so that kinds differ in nothing else. The
    original to hold them against is therefore ``binary``. A mask may come out empty: nothing is put in its stead, and
    the caller is to flag it.

    Args:
        mask: ``uint8[H, W]``, 0 to 255.
        kind: a word of :data:`KINDS`.
        strength: see :data:`STRENGTHS`, 0 to 1; at 0 the mask comes back as it is, soft edges and all, but for
            ``binary``, which takes no other.
        rng: source of every random number, usually :func:`rng_of`; a fresh one for each call.

    Returns:
        A new array ``uint8[H, W]``, 0 and 255.

    Raises:
        UsageError: no such kind, or a strength that it does not take.
        ValueError: the array is no mask.
    """
    _check(kind, strength)
    if mask.ndim != 2 or mask.dtype != np.uint8:
        raise ValueError(f"a mask is uint8[H, W], not {mask.dtype}{list(mask.shape)}")
    if strength == 0 and kind in STRENGTHS:
        return mask.copy()
    return _degraded(_binary(mask), kind, strength, rng) * np.uint8(255)


def _check(kind: str, strength: float) -> None:
    if kind not in KINDS:
        raise UsageError(explain("no such kind of degradation", expected=", ".join(KINDS), got=kind))
    if kind not in STRENGTHS and strength != 0:
        raise UsageError(explain(f"kind {kind} has no strength", expected=0, got=strength))
    if not 0 <= strength <= STRONGEST:
        raise UsageError(explain("strength is a share of the diagonal", expected="0 to 1", got=strength))


def _binary(mask: UInt8Array) -> UInt8Array:
    """``uint8[H, W]``, 0 and 1, contiguous."""
    return np.ascontiguousarray(mask > 127).view(np.uint8)


def _degraded(binary: UInt8Array, kind: str, strength: float, rng: np.random.Generator) -> UInt8Array:
    """Degrade ``uint8[H, W]`` of 0 and 1; an empty mask stays empty."""
    if strength == 0 or not binary.any():
        return binary
    return _WAYS[kind](binary, strength * math.hypot(*binary.shape), rng)


@dataclass(frozen=True, slots=True, kw_only=True)
class Solved:
    """What a strength does to masks, on average; :func:`solve` looks for the one that brings them to a target."""

    kind: str
    target: float | None
    """Mean boundary IoU that was wanted; None where the strength was given."""
    strength: float
    boundary_iou: float
    """Mean over the masks at that strength."""
    iou: float
    """Mean over the masks at that strength."""
    spread: tuple[float, float, float]
    """Boundary IoU of single masks: 5th, 50th and 95th percentile."""
    masks: int
    """Masks that were degraded."""
    left_out: int
    """Masks without foreground, which say nothing."""
    emptied: int
    """Masks that came out without foreground."""
    least: float
    """Least mean boundary IoU at any strength that was tried."""
    converged: bool
    """Whether the mean is within the tolerance of the target."""

    def required(self) -> "Solved":
        """Give itself back.

        Raises:
            UsageError: the target was not reached.
        """
        if self.converged or self.target is None:
            return self
        got = f"{self.boundary_iou:.4f} at strength {self.strength:.6g}"
        why = (
            "the least that it can do" if self.least > self.target else "the nearest, for the mean jumps over the level"
        )
        raise UsageError(
            explain(
                f"kind {self.kind} does not bring these {self.masks} masks to the level",
                expected=f"mean boundary IoU of {self.target:g}",
                got=f"{got}, {why}",
                do="choose another level or another kind",
            )
        )


def solve(
    masks: Iterable[tuple[str, UInt8Array]], kind: str, target: float, seed: int, *, tolerance: float = 0.005
) -> Solved:
    """Find the strength at which the mean boundary IoU (d = 0.02 of the diagonal) of some masks is the target.

    Strengths are doubled until the mean falls to the target, then bisected: the weakest degradation that does, should
    there be several. Masks are held in memory, at about 1.3 bytes a pixel.

    Args:
        masks: ``mask_id`` and ``uint8[H, W]``, 0 to 255; all of a source or a sample of it.
        kind: a word of :data:`KINDS`.
        target: mean boundary IoU, above 0 and below 1.
        seed: for :func:`rng_of`; the same that the masks will be read with.
        tolerance: how far off the target the mean may be.

    Returns:
        What was found. Where no strength brings the mean down to the target, as may be for ``holes``, or where it jumps
        over the target, the nearest: ``converged`` is false then, and :meth:`Solved.required` raises.

    Raises:
        UsageError: no such kind, no such target, or no mask with foreground.
    """
    _check(kind, 0)
    if not 0 < target < 1:
        raise UsageError(explain("a level is a boundary IoU", expected="above 0, below 1", got=target))
    truths, left_out = _truths(masks)
    tried = _search(lambda strength: _try(truths, kind, strength, seed), target, tolerance, kind in STRENGTHS)
    # Of equally near ones the weakest: filling holes that are not there degrades nothing.
    best = min(tried, key=lambda one: (abs(one.boundary_iou - target), one.strength))
    return Solved(
        kind=kind,
        target=target,
        **asdict(best),
        masks=len(truths),
        left_out=left_out,
        least=min(one.boundary_iou for one in tried),
        converged=abs(best.boundary_iou - target) <= tolerance,
    )


def judge(masks: Iterable[tuple[str, UInt8Array]], kind: str, strength: float, seed: int) -> Solved:
    """Say what a given strength does to some masks; the arguments are those of :func:`solve`.

    Raises:
        UsageError: no such kind, a strength that it does not take, or no mask with foreground.
    """
    _check(kind, strength)
    truths, left_out = _truths(masks)
    found = _try(truths, kind, strength, seed)
    return Solved(
        kind=kind,
        target=None,
        **asdict(found),
        masks=len(truths),
        left_out=left_out,
        least=found.boundary_iou,
        converged=True,
    )


def _truths(masks: Iterable[tuple[str, UInt8Array]]) -> tuple[list[tuple[str, Banded]], int]:
    """Masks with foreground, and how many are without."""
    given = [(mask_id, _binary(mask)) for mask_id, mask in masks]
    truths = [(mask_id, Banded(mask)) for mask_id, mask in given if mask.any()]
    if not truths:
        raise UsageError(explain("no mask to degrade has a foreground pixel", got=f"{len(given)} masks"))
    return truths, len(given) - len(truths)


@dataclass(frozen=True, slots=True)
class _Tried:
    """What one strength does."""

    strength: float
    boundary_iou: float
    iou: float
    spread: tuple[float, float, float]
    emptied: int


def _try(truths: Sequence[tuple[str, Banded]], kind: str, strength: float, seed: int) -> _Tried:
    """Degrade all masks and hold them against the originals."""
    edges, areas, emptied = [], [], 0
    for mask_id, truth in truths:
        worse = Banded(_degraded(truth.mask.view(np.uint8), kind, strength, rng_of(seed, mask_id)), truth.width)
        edges.append(truth.boundary_iou(worse))
        areas.append(truth.iou(worse))
        emptied += not worse.mask.any()
    low, middle, high = np.quantile(edges, [0.05, 0.5, 0.95]).tolist()
    return _Tried(strength, math.fsum(edges) / len(edges), math.fsum(areas) / len(areas), (low, middle, high), emptied)


def _search(attempt: Callable[[float], _Tried], target: float, tolerance: float, has_strength: bool) -> list[_Tried]:
    """Every strength that was tried until one came within the tolerance or nothing was left to try."""
    low, high = 0.0, _FIRST
    tried = [attempt(high if has_strength else 0.0)]
    while has_strength and tried[-1].boundary_iou > target + tolerance and high < STRONGEST:
        low, high = high, min(STRONGEST, 2 * high)
        tried.append(attempt(high))
    if tried[-1].boundary_iou > target + tolerance:
        return tried
    while abs(tried[-1].boundary_iou - target) > tolerance and high - low > _NARROW * high:
        middle = (low + high) / 2
        tried.append(attempt(middle))
        if tried[-1].boundary_iou > target:
            low = middle
        else:
            high = middle
    return tried
