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
    dual = _solve(off, size, None)
    if dual is None:
        raise AssertionError("only a search with slack ends early")
    return resized(_logistic(_times(off, dual)), size)


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
    dual = _solve(off, size, slack)
    if dual is None:
        return False
    missed = resized(_logistic(_times(off, dual)), size) @ off
    return bool((np.abs(missed) < size * slack).all())


def resized(chance: FloatArray, size: int) -> FloatArray:
    """Chances whose sum is nearly ``size``, changed so that it is: all towards 1 or all towards 0."""
    missing = size - chance.sum()
    if missing > 0:
        return np.asarray(chance + (1 - chance) * (missing / (len(chance) - chance.sum())))
    return np.asarray(chance * (size / chance.sum()))


def _solve(off: FloatArray, size: int, slack: FloatArray | None) -> FloatArray | None:
    """``a`` and ``b``; None as soon as it is proved that no chances miss the moments by less than the slack."""
    dual = _start(off, size)
    ridge = np.full(len(dual), RIDGE * size)
    # Next to nothing, for where all chances are 0 or 1 the slope alone leaves ``a`` open.
    ridge[0] = 1e-12 * size
    score = _times(off, dual)
    value = _value(score, dual, size, ridge)
    for _ in range(_STEPS):
        if slack is not None and _is_impossible(score - dual[0], dual[1:], size, slack):
            return None
        gradient, hessian = _derivatives(off, score, dual, size, ridge)
        step = -np.linalg.solve(hessian, gradient)
        gain = float(-gradient @ step)
        moved, length = _times(off, step), 1.0
        while True:
            after = _value(score + length * moved, dual + length * step, size, ridge)
            # A gain this small drowns in the rounding of the sum.
            if after <= value - 1e-4 * length * gain or gain < 1e-8 * size or length < 1e-6:
                break
            length /= 2
        dual, score, value = dual + length * step, score + length * moved, after
        if gain < 1e-12 * size:
            break
    # On a grid, so that the last bits, which depend on the machine's linear algebra, decide nothing.
    return np.asarray(np.round(dual * _GRID) / _GRID)


def _start(off: FloatArray, size: int) -> FloatArray:
    """Where to begin: what a part of a large pool says, else that all masks are alike."""
    if len(off) > _LARGE and size >= _PART:
        part = _solve(off[::_PART], size // _PART, None)
        if part is not None:
            return part
    return np.concatenate([[np.log(size / (len(off) - size))], np.zeros(off.shape[1])])


def _is_impossible(gained: FloatArray, slope: FloatArray, size: int, slack: FloatArray) -> bool:
    """Whether even the masks that lie farthest along ``b`` are, on the whole, farther off than may be.

    If chances miss each moment by its slack at most, then sum p (b d) >= -n sum |b| slack. No chances give more on the
    left than the n largest values of b d do (Farkas' lemma).
    """
    most = np.partition(gained, len(gained) - size)[len(gained) - size :].sum()
    return bool(most < -size * (np.abs(slope) @ slack))


def _value(score: FloatArray, dual: FloatArray, size: int, ridge: FloatArray) -> float:
    return float(np.logaddexp(0, score).sum() - size * dual[0] + (ridge * dual**2).sum() / 2)


def _derivatives(
    off: FloatArray, score: FloatArray, dual: FloatArray, size: int, ridge: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Gradient and Hessian of the dual."""
    gradient, hessian = ridge * dual, np.diag(ridge)
    gradient[0] -= size
    for part in _blocks(len(off)):
        chance = _logistic(score[part])
        block = np.column_stack([np.ones(len(chance)), off[part]])
        gradient += chance @ block
        hessian += block.T @ (block * (chance * (1 - chance))[:, None])
    return gradient, hessian


def _times(off: FloatArray, dual: FloatArray) -> FloatArray:
    """A + b d of every mask."""
    parts = [dual[0] + off[part].astype(np.float64) @ dual[1:] for part in _blocks(len(off))]
    return np.concatenate(parts)


def _logistic(score: FloatArray) -> FloatArray:
    return np.asarray(np.exp(-np.logaddexp(0, -score)))


def _blocks(count: int) -> Iterator[slice]:
    return (slice(start, start + _BLOCK) for start in range(0, count, _BLOCK))
