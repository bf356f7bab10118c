"""A control whose columns are distributed as a target's are, drawn from a larger pool; or a refusal that says why.

Every mask of the pool gets the chance of being drawn under which the pool has the target's mean and the target's share
of each bin, in each column (:mod:`hqdata.analysis.splits.inclusion`); then as many masks as are wanted are drawn
(:mod:`hqdata.analysis.splits.cube`) and held against the target once more. What was drawn is accepted, not what was
aimed at. Masks beyond the target's range are never drawn, whatever their weight would be: a few huge values, such as
counts of thousands of parts, must not make up for what the others lack.

All depends on the masks' values, their ids and the seed; not on their order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa

from hqdata.analysis.splits.balance import Balance, effective_size
from hqdata.analysis.splits.cube import draw
from hqdata.analysis.splits.inclusion import allows, chances
from hqdata.analysis.splits.moments import Moments, moments_of
from hqdata.arrays import BoolArray, FloatArray, IntArray
from hqdata.errors import UsageError, explain
from hqdata.sources.draw import rank, ranker

FEWEST = 10
"""Masks below which there is no distribution to speak of: of a target, of a control, of a bin on average."""
TRIES = 8
"""Draws of one size; the first that is accepted is taken (rejective sampling: Fuller, Biometrika 96, 2009)."""
_NEAR = 200
"""The largest number of masks is searched to one in so many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """A control."""

    positions: IntArray
    """``int64[masks]``: rows of the pool that were drawn, ascending."""
    ids: tuple[str, ...]
    """Their ids, sorted."""
    balance: Balance
    """That was accepted."""
    missing: IntArray
    """Rows of the pool that could not be drawn because a value is missing, ascending."""


def match(
    target: pa.Table,
    pool: pa.Table,
    ids: Sequence[str],
    *,
    size: int | None = None,
    bins: int = 5,
    limit: float = 0.1,
    seed: int,
    joint: bool = False,
) -> Matched:
    """Draw a control.

    Args:
        target: the columns to match, numbers; nothing else.
        pool: the same columns of the masks to draw from.
        ids: of the pool's masks, all different.
        size: how many to draw. If None, as many as the target has, else the most that can be had with balance (to one
            in 200).
        bins: of a column; fewer where it has few values, or where there are fewer than 10 masks for each.
        limit: that every absolute standardised difference has to stay below: of means and of bins' shares, and, where
            ``joint``, of products. A bin may be off by one mask besides, for none can be cut.
        seed: of the draw.
        joint: whether columns are to go together as in the target, too: the mean product of the ranks of every two.

    Raises:
        UsageError: there is no such control; the text holds the balance table of the best there is.
    """
    names = target.column_names
    if sorted(names) != sorted(pool.column_names):
        raise ValueError(f"columns differ: {names}, {pool.column_names}")
    if size is not None and size < FEWEST:
        raise UsageError(
            explain("a control of so few masks has no distribution", expected=f"{FEWEST} or more", got=size)
        )
    wanted, offered = _numbers(target, names), _numbers(pool, names)
    known, whole = ~np.isnan(wanted).any(axis=1), ~np.isnan(offered).any(axis=1)
    _require_values(names, "target", wanted)
    _require_values(names, "pool", offered)
    # Sorted, so that even sums do not depend on the order that masks came in.
    wanted = wanted[known][np.lexsort(wanted[known].T)]
    order = _ranked(np.flatnonzero(whole), ids, seed)
    moments = moments_of(names, wanted, offered[order], _bins(bins, len(wanted), size))
    inside = ((offered[order] >= wanted.min(axis=0)) & (offered[order] <= wanted.max(axis=0))).all(axis=1)
    task = _Task(
        moments=moments,
        rows=offered[order[inside]],
        off=moments.off(offered[order[inside]], products=joint),
        target=len(wanted),
        target_missing=int((~known).sum()),
        pool=len(order),
        pool_missing=int((~whole).sum()),
        limit=limit,
        joint=joint,
        seed=seed,
    )
    _require_overlap(task, wanted, offered[order])
    drawn, balance = _largest(task) if size is None else _exactly(task, size)
    positions = np.sort(order[inside][drawn])
    return Matched(
        positions=positions,
        ids=tuple(sorted(ids[position] for position in positions.tolist())),
        balance=balance,
        missing=np.flatnonzero(~whole),
    )


def _numbers(table: pa.Table, names: Sequence[str]) -> FloatArray:
    """``float64[masks, columns]``; what is missing or infinite is NaN."""
    columns = [table[name].cast(pa.float64()).to_numpy() for name in names]
    rows = np.column_stack(columns)
    return np.where(np.isfinite(rows), rows, np.nan)


def _require_values(names: Sequence[str], what: str, rows: FloatArray) -> None:
    """Refuse a target or a pool of next to no masks."""
    missing = np.isnan(rows)
    whole = int((~missing.any(axis=1)).sum())
    if whole < FEWEST:
        lacking = ", ".join(
            f"{name} of {count:,}" for name, count in zip(names, missing.sum(axis=0).tolist(), strict=True) if count
        )
        raise UsageError(
            explain(
                f"the {what} holds too few masks to be matched",
                expected=f"{FEWEST} or more with a value in every column",
                got=f"{whole:,} of {len(rows):,}" + (f"; missing: {lacking}" if lacking else ""),
            )
        )


def _bins(bins: int, target: int, size: int | None) -> int:
    """Bins of a column, so that target and control have some masks in each."""
    return max(1, min(bins, (target if size is None else min(target, size)) // FEWEST))


def _ranked(positions: IntArray, ids: Sequence[str], seed: int) -> IntArray:
    """Positions in the order of their masks' ranks, which no other draw of that seed shares."""
    rank_of = ranker(seed, "match:")
    keys = {position: rank_of(ids[position]) + ids[position].encode() for position in positions.tolist()}
    order = sorted(keys, key=keys.__getitem__)
    for one, other in pairwise(order):
        if keys[one] == keys[other]:
            raise ValueError(f"{ids[one]} is in the pool twice")
    return np.array(order, np.intp)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """Target and pool as arrays; the pool in the order of its masks' ranks, without those that are never drawn."""

    moments: Moments
    rows: FloatArray
    """``float64[masks, columns]``."""
    off: FloatArray
    """``float32[masks, moments]``."""
    target: int
    target_missing: int
    pool: int
    pool_missing: int
    limit: float
    joint: bool
    seed: int

    def is_possible(self, size: int) -> bool:
        """Whether any chances have the balance, on average over draws."""
        slack = np.full(self.off.shape[1], self.limit)
        bins = slice(self.moments.bins[0].start, self.moments.bins[-1].stop)
        sd = self.moments.sd[bins]
        slack[bins] += np.divide(1 / size, sd, out=np.zeros_like(sd), where=sd > 0)
        return allows(self.off, size, slack)

    def attempt(self, size: int) -> tuple[BoolArray | None, Balance]:
        """Draw ``size`` masks; None, and the balance that was missed, if no draw is accepted."""
        chance = chances(self.off, size)
        effective = effective_size(chance)
        balance = self.balance(self.rows, chance, size, effective)
        if not balance.accepted:
            return None, balance
        rng = np.random.default_rng([rank(self.seed, "match"), size])
        for _ in range(TRIES):
            drawn = draw(chance, self.off, size, rng)
            balance = self.balance(self.rows[drawn], np.ones(size), size, effective)
            if balance.accepted:
                return drawn, balance
        return None, balance

    def balance(self, rows: FloatArray, weights: FloatArray, size: int, effective: float) -> Balance:
        """Hold masks against the target."""
        columns, products = self.moments.table(self.moments.mean(rows, weights), size)
        return Balance(
            limit=self.limit,
            target=self.target,
            pool=self.pool,
            control=size,
            effective=effective,
            target_missing=self.target_missing,
            pool_missing=self.pool_missing,
            outside=self.pool - len(self.rows),
            joint=self.joint,
            columns=columns,
            products=products,
        )


def _exactly(task: _Task, size: int) -> tuple[BoolArray, Balance]:
    """Draw as many masks as were asked for."""
    drawn, balance = task.attempt(min(size, len(task.rows)))
    if drawn is not None and balance.control == size:
        return drawn, balance
    most = _search(task, min(size - 1, len(task.rows)))
    raise _refusal(task, f"no {size:,} masks of the pool have the balance of the target", balance, most)


def _largest(task: _Task) -> tuple[BoolArray, Balance]:
    """Draw as many masks as the target has, or the most that can be had."""
    drawn, balance = task.attempt(min(task.target, len(task.rows)))
    if drawn is not None:
        return drawn, balance
    found = _search(task, balance.control - 1)
    if found is None:
        raise _refusal(task, "no masks of the pool have the balance of the target", balance, None)
    return found


def _search(task: _Task, most: int) -> tuple[BoolArray, Balance] | None:
    """The largest draw of ``most`` masks or fewer that is accepted."""
    # What a number of masks can have on average, a smaller one can, too.
    low, high = FEWEST - 1, most + 1
    while high - low > max(1, low // _NEAR):
        middle = (low + high) // 2
        if task.is_possible(middle):
            low = middle
        else:
            high = middle
    size, tries = low, 0
    while size >= FEWEST:
        drawn, balance = task.attempt(size)
        if drawn is not None:
            return drawn, balance
        tries += 1
        size -= max(1, size * tries // 100)
    return None


def _refusal(task: _Task, what: str, balance: Balance, most: tuple[BoolArray, Balance] | None) -> UsageError:
    worst = max(balance.judged, key=lambda row: max(abs(row.after), row.bins_after))
    part = "share of a bin" if worst.bins_after > abs(worst.after) else "mean"
    other = "match fewer columns, or draw from a larger pool"
    text = explain(
        what,
        expected=f"every standardised difference below {task.limit:g}",
        got=f"{balance.worst:.3f} ({part} of {worst.name}) with {balance.control:,} masks, at best",
        did="nothing was drawn",
        do=other if most is None else f"ask for {most[1].control:,} masks, {other}",
    )
    return UsageError(f"{text}\n\n{balance.text()}")


def _require_overlap(task: _Task, target: FloatArray, pool: FloatArray) -> None:
    """Refuse a pool that has no masks where the target has many."""
    names = task.moments.names
    if len(task.rows) < FEWEST:
        low, high = target.min(axis=0), target.max(axis=0)
        held = ((pool >= low) & (pool <= high)).sum(axis=0)
        each = [f"{name} {low[place]:.4g} to {high[place]:.4g}: {held[place]:,}" for place, name in enumerate(names)]
        raise UsageError(
            explain(
                "hardly a mask of the pool lies within the range of the target",
                expected=f"{FEWEST} or more of {len(pool):,}",
                got=f"{len(task.rows):,}; of single columns {'; '.join(each)}",
                did="nothing was drawn",
                do="match fewer columns, or draw from another pool",
            )
        )
    for place, (cut, bins) in enumerate(zip(task.moments.cuts, task.moments.bins, strict=True)):
        held = np.bincount(cut.bins_of(task.rows[:, place]), minlength=cut.bins)
        away = np.abs(task.moments.smd(np.zeros_like(task.moments.target))[bins])
        for number in np.flatnonzero((held == 0) & (away >= task.limit)).tolist():
            share = task.moments.target[bins][number]
            raise UsageError(
                explain(
                    f"the pool has no mask in bin {number + 1} of {cut.bins} of {names[place]}",
                    expected=f"{share:.1%} of the control, as of the target, {cut.text(number)}",
                    got=f"none of the {len(task.rows):,} within the range of the target",
                    did="nothing was drawn",
                    do="match fewer columns, take fewer bins, or draw from another pool",
                )
            )
