"""Which mask is used when, and where the random numbers of each use come from.

A visit is (data seed, mask id, n-th use). Everything random about it is a function of these three, so that two heads
that visit one mask see the same pixels, whatever else is in their splits, in any process and any company; and the same
prompts, but for the trap ``points_by_group``.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import torch

from hqdata.analysis.splits.masks import source_of
from hqdata.analysis.splits.reference import Data, masks_in
from hqdata.arrays import FloatArray, IntArray
from hqdata.errors import UsageError, explain
from hqdata.store.view import SplitView

_KEPT = 2
"""Epochs that are kept: batches that are prepared ahead lie in the next one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One use of a mask in training."""

    seed: int
    """Data seed."""
    mask_id: str
    use: int
    """How often the mask was used before."""
    row: int = field(compare=False)
    """Of the mask among the ids of its split; not part of what the visit is."""

    def generator(self, purpose: str) -> torch.Generator:
        """Make a generator, on the CPU, of the visit's random numbers for one purpose.

        Purposes have streams of their own: drawing more for one changes nothing for another. torch keeps 32 bits of the
        seed; so one in four billion pairs of visits shares a stream, which is as harmless as it is rare.
        """
        return torch.Generator().manual_seed(_hash(f"{self.seed}:{self.use}:{purpose}:{self.mask_id}"))


class Visits:
    """The endless list of visits: ``visits[position]``, a pure function of ids, weights and seed; a resume needs none
    but the position.

    With n masks, positions 0 to n - 1 are the first epoch, and so on. Without weights each mask comes once an epoch.
    With weights it comes its weight's number of times, rounded down or up at random, n in all; each source gets its
    share, rounded down or up. The visits of an epoch come in the order of their hashes, so that splits that have masks
    in common visit them in the same order.

    Args:
        mask_ids: of the split, each once.
        weights: how often each is drawn, relative to the others; None for all alike.
        seed: data seed.

    Raises:
        UsageError: no masks, a mask twice, or weights that are no weights.
    """

    def __init__(self, mask_ids: Sequence[str], weights: Sequence[float] | FloatArray | None, seed: int) -> None:
        self.mask_ids = mask_ids
        self.seed = seed
        self._weights = None if weights is None else [float(weight) for weight in weights]
        self._epochs: dict[int, tuple[IntArray, IntArray]] = {}
        self._used = (0, np.zeros(len(mask_ids), np.int64))
        self._require()

    def __getitem__(self, position: int) -> Visit:
        """Return the visit at a position, 0 or more."""
        if position < 0:
            raise IndexError(position)
        epoch, place = divmod(position, len(self.mask_ids))
        rows, uses = self._epoch(epoch)
        row = int(rows[place])
        return Visit(seed=self.seed, mask_id=self.mask_ids[row], use=int(uses[place]), row=row)

    def __len__(self) -> int:
        """Visits of an epoch: as many as there are masks."""
        return len(self.mask_ids)

    def _require(self) -> None:
        ids, weights = self.mask_ids, self._weights
        if not ids:
            raise UsageError(explain("there is nothing to train on", expected="one mask or more", got=0))
        if len({*ids}) != len(ids):
            raise UsageError(explain("masks to train on", expected="each once", got=f"{len(ids) - len({*ids})} twice"))
        if weights is None:
            return
        if len(weights) != len(ids):
            raise UsageError(explain("weights of masks", expected=f"{len(ids):,}", got=f"{len(weights):,}"))
        if not all(0 <= weight < float("inf") for weight in weights) or not any(weights):
            raise UsageError(explain("weights of masks", expected="finite, none below 0, one above", got="others"))

    def _epoch(self, epoch: int) -> tuple[IntArray, IntArray]:
        """Row and use of each visit of an epoch, in its order."""
        if epoch not in self._epochs:
            before, counts = self._uses_before(epoch), self._counts(epoch)
            self._used = (epoch + 1, before + counts)
            rows = np.repeat(np.arange(len(self)), counts)
            # The first of a mask's visits in an epoch, counted from 0 within it, then on from its uses before.
            uses = before[rows] + np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
            order = np.argsort(self._keys(rows, uses), kind="stable")
            for old in sorted(self._epochs)[: -(_KEPT - 1)]:
                del self._epochs[old]
            self._epochs[epoch] = rows[order], uses[order]
        return self._epochs[epoch]

    def _keys(self, rows: IntArray, uses: IntArray) -> IntArray:
        pairs = zip(rows.tolist(), uses.tolist(), strict=True)
        hashes = (_hash(f"{self.seed}:{use}:order:{self.mask_ids[row]}") for row, use in pairs)
        return np.fromiter(hashes, np.uint64, len(rows))

    def _uses_before(self, epoch: int) -> IntArray:
        """``int64[masks]``: how often each mask is used in all epochs before one."""
        if self._weights is None:
            return np.full(len(self), epoch, np.int64)
        done, used = self._used
        if done > epoch:
            done, used = 0, np.zeros(len(self), np.int64)
        for earlier in range(done, epoch):
            used = used + self._counts(earlier)
        return used

    def _counts(self, epoch: int) -> IntArray:
        """``int64[masks]``: how often each mask is used in an epoch."""
        weights = self._weights
        if weights is None:
            return np.ones(len(self), np.int64)
        # By source, so that each gets its share; within one at random, or neighbours would exclude each other.
        hashes = [_hash(f"{self.seed}:{epoch}:draw:{mask_id}") for mask_id in self.mask_ids]
        sources = [source_of(mask_id) for mask_id in self.mask_ids]
        order = sorted(range(len(self)), key=lambda row: (sources[row], hashes[row], self.mask_ids[row]))
        counts = np.zeros(len(self), np.int64)
        start = _hash(f"{self.seed}:{epoch}:draw")
        counts[order] = np.diff([*_steps([weights[row] for row in order], start)])
        return counts


def _steps(weights: Sequence[float], start: int) -> Iterator[int]:
    """Systematic sampling: of n draws, one mean weight apart, from a random start, how many lie below each running sum.

    In whole numbers: with floats, a mask of weight 2 could come three times.
    """
    exact = [Fraction(weight) for weight in weights]
    scale = max(weight.denominator for weight in exact)
    whole = [weight.numerator * (scale // weight.denominator) for weight in exact]
    total, below = sum(whole), 0
    yield 0
    for weight in whole:
        below += weight
        # The k-th draw lies at (k + start / 2**64) * total / n; the number of those below is rounded up.
        yield -((start * total - ((below * len(whole)) << 64)) // (total << 64))


def _hash(text: str) -> int:
    """First 64 bits of the sha256 of a text in UTF-8."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def visits_of(samples: Data, seed: int) -> Visits:
    """List the visits of a collection, or of a split with its weights; no row is decoded."""
    weights = None
    if isinstance(samples, SplitView) and samples.definition.ids["weight"].null_count < len(samples.mask_ids):
        weights = samples.weights
    return Visits(masks_in(samples), weights, seed)
