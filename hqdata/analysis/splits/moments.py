"""What a control is to share with its target: moments of the columns, each in standard deviations off the target's.

A moment is the mean of something that each mask has: a column's value; whether it lies in a bin of the column; for two
columns, the product of their ranks. Bins are cut at the target's quantiles, so that a control with the target's shares
has its distribution, and a single huge value, such as a count of parts, is one more mask in the last bin and no more.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np

from hqdata.analysis.splits.balance import Row, pooled_sd, smd
from hqdata.arrays import FloatArray, IntArray

BLOCK = 65_536
"""Masks whose moments are computed at a time: 25 MiB for 50 moments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """How a column is cut, by the target alone."""

    edges: FloatArray
    """Upper ends of its bins, which belong to them; the last bin has none."""
    ranked: FloatArray
    """The target's values, sorted: ranks are places among them."""

    @property
    def bins(self) -> int:
        """Number of bins."""
        return len(self.edges) + 1

    def text(self, number: int) -> str:
        """The range of a bin, for people."""
        ends = [f"above {self.edges[number - 1]:.4g}"] if number else []
        ends += [f"up to {self.edges[number]:.4g}"] if number < len(self.edges) else []
        return " and ".join(ends)

    def bins_of(self, values: FloatArray) -> IntArray:
        """Number of the bin that each value lies in."""
        return np.searchsorted(self.edges, values)

    def ranks_of(self, values: FloatArray) -> FloatArray:
        """Rank of each value, equal ones in the middle; mean 0, and variance 1 where all values differ."""
        both = np.searchsorted(self.ranked, values, "left") + np.searchsorted(self.ranked, values, "right")
        return np.asarray((both / len(self.ranked) - 1) * np.sqrt(3))


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Moments of columns: each column's value, then each of its bins, column by column, then each pair's product.

    ``rows`` are always ``float64[masks, columns]``, without missing values.
    """

    names: tuple[str, ...]
    cuts: tuple[Cut, ...]
    """By column."""
    target: FloatArray
    """``float64[moments]``: means of the target."""
    pool: FloatArray
    """``float64[moments]``: means of the pool."""
    sd: FloatArray
    """``float64[moments]``: standard deviation of target and pool, pooled; 0 where neither varies."""

    @property
    def bins(self) -> list[slice]:
        """By column: which moments are its bins."""
        ends = np.cumsum([len(self.names), *(cut.bins for cut in self.cuts)]).tolist()
        return [slice(start, stop) for start, stop in pairwise(ends)]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Columns of each product; products are the last moments."""
        return list(combinations(self.names, 2))

    def smd(self, means: FloatArray) -> FloatArray:
        """Standardised mean differences of some masks' means to the target's: ``float64[moments]``."""
        return smd(self.target, means, self.sd)

    def mean(self, rows: FloatArray, weights: FloatArray) -> FloatArray:
        """Weighted means of some masks: ``float64[moments]``."""
        parts = [weights[part] @ _moments(rows[part], self.cuts, products=True) for part in _blocks(len(rows))]
        return np.asarray(np.sum(parts, axis=0) / weights.sum())

    def table(self, means: FloatArray, size: int) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
        """Lines of the balance table, of columns and of products, for the means of ``size`` masks."""
        before, after = self.smd(self.pool), self.smd(means)
        # None of them can be cut: a share may be off by one mask.
        uncut = np.clip(means - self.target, -1 / size, 1 / size)
        shares = np.abs(np.stack([before, self.smd(means - uncut)]))

        def row(name: str, place: int, bins: slice) -> Row:
            return Row(
                name=name,
                bins=shares[:, bins].shape[1],
                target=float(self.target[place]),
                pool=float(self.pool[place]),
                control=float(means[place]),
                before=float(before[place]),
                after=float(after[place]),
                bins_before=float(shares[0, bins].max(initial=0)),
                bins_after=float(shares[1, bins].max(initial=0)),
            )

        columns = zip(self.names, range(len(self.names)), self.bins, strict=True)
        products = enumerate(self.pairs, len(means) - len(self.pairs))
        return (
            tuple(row(name, place, bins) for name, place, bins in columns),
            tuple(row(f"{one} x {other}", place, slice(0)) for place, (one, other) in products),
        )

    def off(self, rows: FloatArray, *, products: bool) -> FloatArray:
        """How far each mask is off the target's means, in standard deviations.

        Args:
            rows: the masks.
            products: whether pairs are wanted, too.

        Returns:
            ``float32[masks, moments]``: half the memory, and exact to a millionth of a standard deviation.
        """
        count = len(self.target) - (0 if products else len(self.pairs))
        # Where neither target nor pool varies, no choice among the pool can change anything.
        scale = np.divide(1, self.sd, out=np.zeros_like(self.sd), where=self.sd > 0)[:count]
        found = np.empty((len(rows), count), np.float32)
        for part in _blocks(len(rows)):
            found[part] = (_moments(rows[part], self.cuts, products=products) - self.target[:count]) * scale
        return found


def moments_of(names: Sequence[str], target: FloatArray, pool: FloatArray, bins: int) -> Moments:
    """Measure target and pool.

    Args:
        names: of the columns.
        target: ``float64[masks, columns]``.
        pool: the same of every mask of the pool.
        bins: of a column that has many values.
    """
    cuts = tuple(Cut(edges=bin_edges(column, bins), ranked=np.sort(column)) for column in target.T)
    mean, _ = _measure(target, cuts, np.zeros(1))
    _, variance = _measure(target, cuts, mean)
    pool_mean, pool_variance = _measure(pool, cuts, mean)
    sd = pooled_sd(variance, pool_variance)
    # The mean of equal numbers is off by a rounding, which is no variation.
    sd[sd <= 1e-12 * np.abs(mean)] = 0
    return Moments(names=tuple(names), cuts=cuts, target=mean, pool=pool_mean, sd=sd)


def bin_edges(values: FloatArray, bins: int) -> FloatArray:
    """Upper ends of all bins but the last: values that occur, and belong to the bin below.

    A column of few values has a bin for each. Otherwise quantiles are taken, and a value that fills more than a bin by
    itself, such as a share of 0, has one of its own.

    >>> bin_edges(np.array([0, 1, 1, 1, 1, 1, 2, 3, 4.0]), 3)
    array([0., 1.])
    """
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) <= bins:
        return distinct[:-1]
    quantiles = np.searchsorted(np.cumsum(counts), np.arange(1, bins) * values.size / bins)
    heavy = quantiles[counts[quantiles] * bins > values.size]
    cuts = np.unique(np.concatenate([quantiles, heavy - 1]))
    return np.asarray(distinct[cuts[(cuts >= 0) & (cuts < len(distinct) - 1)]])


def _blocks(count: int) -> Iterator[slice]:
    return (slice(start, start + BLOCK) for start in range(0, count, BLOCK))


def _moments(rows: FloatArray, cuts: Sequence[Cut], *, products: bool) -> FloatArray:
    """``float64[masks, moments]``."""
    found = [*rows.T]
    for column, cut in zip(rows.T, cuts, strict=True):
        found += [cut.bins_of(column) == number for number in range(cut.bins)]
    if products:
        ranks = [cut.ranks_of(column) for column, cut in zip(rows.T, cuts, strict=True)]
        found += [one * other for one, other in combinations(ranks, 2)]
    return np.asarray(np.stack(found, axis=1, dtype=np.float64))


def _measure(rows: FloatArray, cuts: Sequence[Cut], near: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Means and variances of all moments, in one pass; variances are exact where ``near`` is near the means."""
    sums = squares = np.zeros(1)
    for part in _blocks(len(rows)):
        away = _moments(rows[part], cuts, products=True) - near
        sums, squares = sums + away.sum(axis=0), squares + (away**2).sum(axis=0)
    mean = sums / len(rows)
    variance = (squares - len(rows) * mean**2) / max(1, len(rows) - 1)
    return near + mean, np.maximum(variance, 0)
