"""Chances of being drawn under which a pool has, on average, the moments of a target.

Of all such chances, the most even ones: with ``p`` the chance of a mask, ``d`` how far it is off the target (see
:mod:`hqdata.analysis.splits.moments`) and ``n`` the number to draw, they have the largest entropy
-sum p log p + (1 - p) log (1 - p) of all with sum p = n and sum p d = 0, so ``p = 1 / (1 + exp(-a - b d))``. Where n is
small beside the pool, they are the weights of entropy balancing (Hainmueller, Political Analysis 20, 2012) times n; the
second term keeps every chance below 1, so that no mask would have to be drawn twice. ``a`` and ``b`` are the minimum of
the convex dual sum log(1 + exp(a + b d)) - n a, found by Newton's method with halved steps.

A small ridge keeps ``b`` finite. What cannot be met is thereby missed by as little as can be, and shows in the balance.
"""

from collections.abc import Iterator

import numpy as np

from hqdata.arrays import FloatArray

RIDGE = 1e-3
"""Each moment is missed by this times its ``b``, a few at most: a thousandth of a standard deviation."""
_STEPS = 60
_BLOCK = 16_384
_LARGE, _PART = 40_000, 8
"""A pool larger than this begins where one mask in so many ends."""
_GRID = 2.0**20


def chances(off: FloatArray, size: int) -> FloatArray:
    """Find the chances.

    Args:
        off: ``float32[masks, moments]``, how far each mask is off the target.
        size: how many are to be drawn, at most as many as there are masks.

    Returns:
        ``float64[masks]``, 0 to 1, with the sum ``size``.
    """
    if size == len(off):
        return np.ones(size)
    slope = _solve(off, size, None)
    if slope is None:
        raise AssertionError("only a search with slack ends early")
    return _chances(off, slope, size)


def allows(off: FloatArray, size: int, slack: FloatArray) -> bool:
    """Whether there are chances that miss each moment by less than its slack, in standard deviations.

    What is looked at are the chances that miss all moments by least, so that a yes is always right, and a no may be
    wrong where others, that miss each by nearly its slack, would just have done.

    Args:
        off: ``float32[masks, moments]``.
        size: how many are to be drawn.
        slack: ``float64[moments]``.
    """
    if size >= len(off):
        return size == len(off) and bool((np.abs(off.mean(axis=0, dtype=np.float64)) < slack).all())
    slope = _solve(off, size, slack)
    return slope is not None and bool((np.abs(_chances(off, slope, size) @ off) < size * slack).all())


def resized(chance: FloatArray, size: int) -> FloatArray:
    """Chances whose sum is nearly ``size``, changed so that it is: all towards 1 or all towards 0."""
    missing = size - chance.sum()
    if missing > 0:
        return np.asarray(chance + (1 - chance) * (missing / (len(chance) - chance.sum())))
    return np.asarray(chance * (size / chance.sum()))


def _chances(off: FloatArray, slope: FloatArray, size: int) -> FloatArray:
    score = _times(off, slope)
    return resized(_logistic(score + _level(score, size)), size)


def _solve(off: FloatArray, size: int, slack: FloatArray | None) -> FloatArray | None:
    """``b``; None as soon as it is proved that no chances miss the moments by less than the slack."""
    slope = _start(off, size)
    score = _times(off, slope)
    level = _level(score, size)
    value = _value(score, level, slope, size)
    for _ in range(_STEPS):
        if slack is not None and _is_impossible(score, slope, size, slack):
            return None
        gradient, hessian = _derivatives(off, score + level, slope, size)
        step = -np.linalg.solve(hessian, gradient)
        gain, moved, length = float(-gradient @ step), _times(off, step), 1.0
        while True:
            level = _level(score + length * moved, size, level)
            after = _value(score + length * moved, level, slope + length * step, size)
            # A gain this small drowns in the rounding of the sum.
            if after <= value - 1e-4 * length * gain or gain < 1e-8 * size or length < 1e-9:
                break
            length /= 4
        slope, score, value = slope + length * step, score + length * moved, after
        if gain < 1e-12 * size:
            break
    # On a grid, so that the last bits, which depend on the machine's linear algebra, decide nothing.
    return np.asarray(np.round(slope * _GRID) / _GRID)


def _start(off: FloatArray, size: int) -> FloatArray:
    """Where to begin: what a part of a large pool says, else that all masks are alike."""
    if len(off) > _LARGE and size >= _PART:
        part = _solve(off[::_PART], size // _PART, None)
        if part is not None:
            return part
    return np.zeros(off.shape[1])


def _is_impossible(score: FloatArray, slope: FloatArray, size: int, slack: FloatArray) -> bool:
    """Whether even the masks that lie farthest along ``b`` are, on the whole, farther off than may be.

    If chances miss each moment by its slack at most, then sum p (b d) >= -n sum |b| slack. No chances give more on the
    left than the n largest values of b d do (Farkas' lemma).
    """
    most = np.partition(score, len(score) - size)[len(score) - size :].sum()
    return bool(most < -size * (np.abs(slope) @ slack))


def _level(score: FloatArray, size: int, near: float = 0.0) -> float:
    """``a`` that makes the chances sum to ``size``: Newton's method, or halving where that leads astray."""
    even = np.log(size / (len(score) - size))
    low, high, level = even - score.max(), even - score.min(), near
    while high - low > 1e-12 * max(1, abs(low), abs(high)):
        if not low < level < high:
            level = (low + high) / 2
        chance = _logistic(score + level)
        excess, steepness = chance.sum() - size, (chance * (1 - chance)).sum()
        if abs(excess) < 1e-10 * size:
            break
        low, high = (low, level) if excess > 0 else (level, high)
        level = level - excess / steepness if steepness > 1e-12 * size else low
    return float(level)


def _value(score: FloatArray, level: float, slope: FloatArray, size: int) -> float:
    return float(np.logaddexp(0, score + level).sum() - size * level + RIDGE * size * (slope @ slope) / 2)


def _derivatives(off: FloatArray, score: FloatArray, slope: FloatArray, size: int) -> tuple[FloatArray, FloatArray]:
    """Gradient and Hessian of the dual by ``b``, ``a`` being always the best for it."""
    chance = _logistic(score)
    spread = chance * (1 - chance)
    count = len(slope)
    gradient, hessian, cross = RIDGE * size * slope, RIDGE * size * np.eye(count), np.zeros(count)
    for part in _blocks(len(off)):
        block = off[part].astype(np.float64)
        weighted = block * spread[part, None]
        gradient += chance[part] @ block
        hessian += block.T @ weighted
        cross += weighted.sum(axis=0)
    return gradient, hessian - np.outer(cross, cross) / max(spread.sum(), 1e-300)


def _times(off: FloatArray, slope: FloatArray) -> FloatArray:
    """Score of every mask: b d."""
    return np.concatenate([off[part].astype(np.float64) @ slope for part in _blocks(len(off))])


def _logistic(score: FloatArray) -> FloatArray:
    return np.asarray(np.exp(-np.logaddexp(0, -score)))


def _blocks(count: int) -> Iterator[slice]:
    return (slice(start, start + _BLOCK) for start in range(0, count, _BLOCK))
