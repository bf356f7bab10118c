"""Seeded draws of names: which archives of a family, which of their images. Pure functions of names and a seed.

Every name has a rank of its own, a hash of seed and name, and the lowest are taken. So a draw depends on nothing but
the set of names: not on their order, nor on who draws, nor on what else is there; and what a larger set gives is what
one pass over all of it would have given.
"""

import hashlib
import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from hqdata.errors import UsageError, explain
from hqdata.manifest import Family, Source
from hqdata.recipe import Draw

Item = TypeVar("Item")


def rank(seed: int, name: str) -> int:
    """Place of a name in a seeded draw: the lowest are taken. The same on every machine, whatever else is there.

    >>> rank(1, "sa_1") == rank(1, "sa_1"), rank(1, "sa_1") == rank(2, "sa_1")
    (True, False)
    """
    return int.from_bytes(hashlib.sha256(f"{seed}:{name}".encode()).digest()[:8], "big")


def ranker(seed: int, head: str) -> Callable[[str], bytes]:
    """Ranks of names that begin alike, as bytes that sort alike; the beginning is hashed once.

    >>> ranker(1, "sa_1#")("7") == rank(1, "sa_1#7").to_bytes(8, "big")
    True
    """
    begun = hashlib.sha256(f"{seed}:{head}".encode())

    def rank_of(tail: str) -> bytes:
        whole = begun.copy()
        whole.update(tail.encode())
        return whole.digest()[:8]

    return rank_of


@dataclass(frozen=True, slots=True)
class Lowest(Generic[Item]):
    """What a draw took."""

    taken: dict[str, Item]
    """By name, lowest rank first."""
    doubles: list[tuple[str, Item]]
    """Later items of a name that was taken before."""


def lowest(named: Iterable[tuple[str, Item]], seed: int, size: int) -> Lowest[Item]:
    """Take the ``size`` items whose names have the lowest ranks, in memory bounded by ``size``.

    Args:
        named: names and what they stand for; of equal names the first is taken.
        seed: of the draw.
        size: how many to take, 1 or more; all of them where there are fewer.
    """
    heap: list[tuple[int, str]] = []
    taken: dict[str, Item] = {}
    doubles: list[tuple[str, Item]] = []
    for name, item in named:
        if name in taken:
            doubles.append((name, item))
            continue
        key = (-rank(seed, name), name)
        if len(heap) < size:
            heapq.heappush(heap, key)
        elif key > heap[0]:
            del taken[heapq.heapreplace(heap, key)[1]]
        else:
            continue
        taken[name] = item
    order = [name for _, name in sorted(heap, reverse=True)]
    return Lowest({name: taken[name] for name in order}, [double for double in doubles if double[0] in taken])


def eligible(source: Source, family: Family, draw: Draw) -> list[str]:
    """Archives that a draw may choose from, without those that an erratum names."""
    broken = {stem for erratum in source.errata for stem in erratum.stems}
    kept = set(family.evaluation)
    return [name for name in family.names if name not in broken and (name in kept) == draw.evaluation]


def choose_tars(names: Iterable[str], draw: Draw) -> list[str]:
    """Names of a draw's archives, sorted.

    Args:
        names: those that it may choose from, in any order.
        draw: how many to choose, and how many before them to skip.

    Raises:
        UsageError: there are not as many.
    """
    ranked = sorted(names, key=lambda name: (rank(draw.seed, name), name))
    if draw.tars == "all":
        return sorted(ranked)
    end = draw.skip + draw.tars
    if end > len(ranked):
        what = f"there are not enough archives for {draw.tars} after the first {draw.skip}"
        raise UsageError(explain(what, expected=f"{end} or more", got=len(ranked), do="ask for fewer"))
    return sorted(ranked[draw.skip : end])
