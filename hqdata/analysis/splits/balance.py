"""How alike a control and its target are: standardised mean differences before and after, and how many masks count."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hqdata.arrays import FloatArray


def pooled_sd(target: FloatArray, pool: FloatArray) -> FloatArray:
    """Standard deviation that differences are measured in: root of the mean of both variances.

    As Austin (Statistics in Medicine 28, 2009) has it. The pool's variance is always that of the whole pool, so that a
    difference after matching is measured in the same unit as before it (Stuart, Statistical Science 25, 2010).

    Args:
        target: variances of the target.
        pool: variances of the pool.
    """
    return np.asarray(np.sqrt((target + pool) / 2))


def smd(target: FloatArray, control: FloatArray, sd: FloatArray) -> FloatArray:
    """Standardised mean differences: how far the control's means lie above the target's, in standard deviations.

    Where neither target nor pool varies (``sd`` is 0), the difference is 0 if both have the same value, else infinite.

    >>> smd(np.array([1.0, 1.0, 1.0]), np.array([1.5, 1.0, 2.0]), np.array([2.0, 0.0, 0.0]))
    array([0.25, 0.  ,  inf])
    """
    difference = control - target
    # Means of equal numbers may be off by a rounding.
    equal = np.abs(difference) <= 1e-12 * np.abs(target)
    constant = np.where(equal, 0.0, np.copysign(np.inf, difference))
    return np.divide(difference, sd, out=constant, where=sd > 0)


def effective_size(weights: FloatArray) -> float:
    """Number of equally weighted masks that say as much as weighted ones: (sum w)^2 / sum w^2 (Kish, 1965)."""
    return float(weights.sum() ** 2 / (weights**2).sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the balance table: a column, or the product of two columns' ranks."""

    name: str
    bins: int
    """Of a column; 0 for a product."""
    target: float
    """Mean of the target."""
    pool: float
    control: float
    before: float
    """Standardised mean difference of the whole pool."""
    after: float
    """Standardised mean difference of the control."""
    bins_before: float
    """Largest absolute standardised difference of a bin's share; 0 for a product."""
    bins_after: float
    """The same of the control, less what cutting one mask would be needed for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """The balance table of a control."""

    limit: float
    """Every absolute standardised mean difference has to be below it."""
    target: int
    """Masks of the target."""
    pool: int
    """Masks that could have been drawn, were it not for their values."""
    control: int
    """Masks of the control."""
    effective: float
    """Effective sample size of the pool under the chances of being drawn: never below the number of the control, and
    near it if the pool had hardly another choice to offer."""
    target_missing: int
    """Further masks of the target, left out because a value is missing."""
    pool_missing: int
    """Further masks of the pool, never drawn because a value is missing."""
    outside: int
    """Masks of the pool never drawn because a value lies outside of the target's range."""
    joint: bool
    """Whether products have to agree, too; else they are for information."""
    columns: tuple[Row, ...]
    products: tuple[Row, ...]
    """Of every two columns: whether they go together as they do in the target."""

    @property
    def judged(self) -> tuple[Row, ...]:
        """Lines that have to agree."""
        return self.columns + (self.products if self.joint else ())

    @property
    def worst(self) -> float:
        """Largest absolute standardised mean difference that is left."""
        return max(max(abs(row.after), row.bins_after) for row in self.judged)

    @property
    def accepted(self) -> bool:
        """Whether every difference is below the limit."""
        return self.worst < self.limit

    def facts(self) -> dict[str, Any]:
        """As plain JSON; an infinite difference is null."""
        return {
            **asdict(self),
            "columns": [_plain(row) for row in self.columns],
            "products": [_plain(row) for row in self.products],
        }

    def text(self) -> str:
        """The table, for people."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        # Of the many products only what somebody should know.
        shown = [row for row in self.products if self.joint or abs(row.after) >= self.limit]
        names = max(len("standardised differences"), *(len(row.name) for row in (*self.columns, *shown)))
        heads = ("target", "pool", "control", "before", "after", "bins", "before", "after")
        yield f"{'standardised differences':<{names}}" + "".join(f"{head:>10}" for head in heads)
        for row in (*self.columns, *shown):
            means = "".join(f"{value:>10.4g}" for value in (row.target, row.pool, row.control))
            bins = f"{row.bins:>10}{row.bins_before:>10.3f}{row.bins_after:>10.3f}" if row.bins else ""
            yield f"{row.name:<{names}}{means}{row.before:>10.3f}{row.after:>10.3f}{bins}"
        if not self.joint and shown:
            yield "(products of ranks: these columns do not go together as in the target, which was not asked for)"
        yield (
            f"{self.control:,} of {self.pool:,} masks, for {self.target:,}; effective sample size "
            f"{self.effective:,.0f}; largest difference {self.worst:.3f}, to be below {self.limit:g}"
        )


def balance_of(facts: Mapping[str, Any]) -> Balance:
    """The balance that :meth:`Balance.facts` gave."""
    rows = {name: tuple(_row(row) for row in facts[name]) for name in ("columns", "products")}
    return Balance(**{**facts, **rows})


_DIFFERENCES = ("before", "after", "bins_before", "bins_after")


def _plain(row: Row) -> dict[str, Any]:
    facts = asdict(row)
    return facts | {name: facts[name] if math.isfinite(facts[name]) else None for name in _DIFFERENCES}


def _row(facts: Mapping[str, Any]) -> Row:
    return Row(**{**facts, **{name: math.inf if facts[name] is None else facts[name] for name in _DIFFERENCES}})
