"""A draw without replacement that keeps both the chances and the moments: the cube method.

Deville and Tillé, Efficient balanced sampling (Biometrika 91, 2004), in the fast form of Chauvet and Tillé (2006):
chances are moved, a few at a time and at random, along directions that change no moment, until each is 0 or 1. Every
mask is drawn with exactly its chance. A draw that looks at chances alone misses the moments of n masks by some
1 / sqrt(n) standard deviations, too much for a few hundred; this one by about as much as a handful of masks weighs.
"""

import numpy as np

from hqdata.analysis.splits.inclusion import resized
from hqdata.arrays import BoolArray, FloatArray, IntArray

MOST = 50_000
"""Masks that are balanced one by one. Larger pools are thinned first: so many miss the moments by a two-hundredth of a
standard deviation, which need not be improved."""
_ROUNDING = 1e-9
"""Chances this near 0 or 1 are decided, numbers this small are none."""


def draw(chance: FloatArray, off: FloatArray, size: int, rng: np.random.Generator) -> BoolArray:
    """Draw masks.

    Args:
        chance: ``float64[masks]``, 0 to 1, with the sum ``size``.
        off: ``float32[masks, moments]``, the more important moments first. Their order is the order in which masks are
            looked at; it should be random.
        size: how many to draw.
        rng: source of every random number.

    Returns:
        ``bool[masks]``, with ``size`` true.
    """
    kept, chance = _thinned(chance, size, max(size, MOST), rng)
    # The first moment is the number, which is never given up.
    moments = np.column_stack([np.ones(len(kept)), off[kept]])
    for known in range(moments.shape[1], 0, -1):
        # Where masks are left, but as few as moments, nothing can move any more, unless the least moment is given up.
        chance = _flight(chance, moments[:, :known], rng)
    drawn = np.zeros(len(off), bool)
    drawn[kept[chance > 0.5]] = True
    return drawn


def _thinned(chance: FloatArray, size: int, most: int, rng: np.random.Generator) -> tuple[IntArray, FloatArray]:
    """About ``most`` masks by systematic sampling, and the chances that they still have to stand."""
    if len(chance) <= most:
        return np.arange(len(chance)), chance
    first = np.minimum(1, chance * (most / size))
    ends = rng.random() + np.concatenate([[0], np.cumsum(first)])
    kept = np.flatnonzero(np.diff(np.floor(ends)))
    return kept, resized(chance[kept] / first[kept], size)


def _flight(chance: FloatArray, moments: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Move chances to 0 or 1 until no more of them are left than there are moments."""
    chance = chance.copy()
    waiting = np.flatnonzero(~_is_decided(chance))
    window, held = 2 * moments.shape[1], waiting[:0]
    while len(waiting):
        room = window - len(held)
        held, waiting = np.concatenate([held, waiting[:room]]), waiting[room:]
        chance[held] = _settled(chance[held], moments[held], rng)
        held = held[~_is_decided(chance[held])]
    return chance


def _settled(chance: FloatArray, moments: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Move the chances of a few masks as long as there is a direction that changes no moment."""
    ways, decided = _null_space(moments), np.zeros(len(chance), bool)
    while ways.shape[1]:
        chance = _moved(chance, ways[:, -1], rng)
        fresh, decided = _is_decided(chance) & ~decided, _is_decided(chance)
        for mask in np.flatnonzero(fresh).tolist():
            ways = _without(ways, mask)
    return chance


def _without(ways: FloatArray, mask: int) -> FloatArray:
    """Directions that leave a mask where it is: one less, the steepest, for the least rounding."""
    if not ways.shape[1]:
        return ways
    steepest = int(np.abs(ways[mask]).argmax())
    if abs(ways[mask, steepest]) > _ROUNDING:
        spent = ways[:, steepest] / ways[mask, steepest]
        ways = np.delete(ways - np.outer(spent, ways[mask]), steepest, axis=1)
    ways[mask] = 0
    return ways


def _null_space(moments: FloatArray) -> FloatArray:
    """Directions ``float64[masks, directions]`` in which chances can move and no moment of them does.

    By Gauss and Jordan's elimination, always by the largest number that is left.
    """
    table, leading = moments.T.copy(), np.zeros(0, np.intp)
    for done in range(min(table.shape)):
        row, mask = divmod(int(np.abs(table[done:]).argmax()), len(moments))
        pivot = table[done + row].copy()
        if abs(pivot[mask]) < _ROUNDING:
            break
        table[done + row] = table[done]
        table -= np.outer(table[:, mask], pivot / pivot[mask])
        table[done] = pivot / pivot[mask]
        leading = np.append(leading, mask)
    free = np.setdiff1d(np.arange(len(moments)), leading)
    ways = np.zeros((len(moments), len(free)))
    ways[free, np.arange(len(free))] = 1
    ways[leading] = -table[: len(leading), free]
    return ways


def _moved(chance: FloatArray, way: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Chances moved along ``way`` or against it, until one is 0 or 1; on average where they were."""
    moves = np.abs(way) > _ROUNDING
    up, now = way[moves] > 0, chance[moves]
    ahead = (np.where(up, 1 - now, now) / np.abs(way[moves])).min()
    behind = (np.where(up, now, 1 - now) / np.abs(way[moves])).min()
    length = ahead if rng.random() * (ahead + behind) < behind else -behind
    after = chance + length * way
    return np.asarray(np.where(_is_decided(after), np.round(after), after))


def _is_decided(chance: FloatArray) -> BoolArray:
    return (chance < _ROUNDING) | (chance > 1 - _ROUNDING)
