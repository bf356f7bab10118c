"""Seeded choices among masks: nested sizes, strata, equal numbers, best and worst, halves, weights. Pure functions.

Every choice ranks masks (or images with all their copies) by a hash of seed and name, as :mod:`hqdata.sources.draw`
does, so that it depends on nothing but the masks that there are.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from hqdata.analysis.splits.masks import by_source, source_of
from hqdata.errors import UsageError, explain
from hqdata.sources.draw import rank


def take(mask_ids: Iterable[str], size: int, seed: int) -> list[str]:
    """The ``size`` masks of the lowest ranks, sorted: of one seed, a smaller size lies within every larger one.

    Raises:
        UsageError: there are not as many.
    """
    return sorted(_require(_ranked(mask_ids, seed), size))


def take_stratified(mask_ids: Iterable[str], strata: Mapping[str, object], size: int, seed: int) -> list[str]:
    """As many masks, each stratum by its share; nested as :func:`take` is.

    The n-th mask of a stratum of N stands at (n - 1/2) / N, and those that stand lowest are taken: every stratum is
    within one mask of its share, and a larger size only adds masks.

    Args:
        mask_ids: to take from.
        strata: stratum of each mask.
        size: how many.
        seed: of the draw.

    Raises:
        UsageError: there are not as many.
    """
    members: dict[object, list[str]] = {}
    for mask_id in _ranked(mask_ids, seed):
        members.setdefault(strata[mask_id], []).append(mask_id)
    standing = [
        ((place + 0.5) / len(masks), rank(seed, mask_id), mask_id)
        for masks in members.values()
        for place, mask_id in enumerate(masks)
    ]
    return sorted(_require([mask_id for _, _, mask_id in sorted(standing)], size))


def take_each(mask_ids: Iterable[str], size: int | None, seed: int) -> list[str]:
    """As many masks of every source; as many as the smallest one has where ``size`` is None.

    Raises:
        UsageError: a source has fewer.
    """
    sources = by_source(mask_ids)
    wanted = min(map(len, sources.values()), default=0) if size is None else size
    poor = {name: len(masks) for name, masks in sources.items() if len(masks) < wanted}
    if poor:
        got = ", ".join(f"{name} has {count:,}" for name, count in poor.items())
        raise UsageError(explain(f"not every source has {wanted:,} masks", got=got, do="leave it out or take fewer"))
    return sorted(mask_id for masks in sources.values() for mask_id in _ranked(masks, seed)[:wanted])


def take_best(
    mask_ids: Sequence[str], values: Mapping[str, float | None], share: float, seed: int, *, lowest: bool, each: bool
) -> tuple[list[str], list[str]]:
    """The share of masks with the highest (or lowest) values, and the masks without a value.

    Args:
        mask_ids: to take from.
        values: of each mask; None where there is none, which is in neither the best nor the worst.
        share: of the masks that have a value, rounded to the nearest number, at least one.
        seed: decides between equal values.
        lowest: whether the lowest ones are wanted.
        each: whether to take the share of each source.
    """
    valued = [mask_id for mask_id in mask_ids if values.get(mask_id) is not None]
    sign = 1 if lowest else -1
    found: list[str] = []
    for masks in by_source(valued).values() if each else [valued]:
        order = sorted(masks, key=lambda mask_id: (sign * (values[mask_id] or 0.0), rank(seed, mask_id), mask_id))
        found += order[: max(1, round(share * len(order)))]
    return sorted(found), sorted({*mask_ids} - {*valued})


def halve(mask_ids: Iterable[str], unit: Callable[[str], str], seed: int) -> tuple[list[str], list[str]]:
    """Two random halves; what belongs together is never torn apart.

    Args:
        mask_ids: to part.
        unit: name of what a mask belongs to.
        seed: of the draw.

    Returns:
        Both halves, sorted. In number they differ by no more than the largest unit.
    """
    members: dict[str, list[str]] = {}
    for mask_id in mask_ids:
        members.setdefault(unit(mask_id), []).append(mask_id)
    halves: tuple[list[str], list[str]] = ([], [])
    for name in _ranked(members, seed):
        min(halves, key=len).extend(members[name])
    return sorted(halves[0]), sorted(halves[1])


def leave_out(mask_ids: Iterable[str], unit: Callable[[str], str], number: int, seed: int, salt: str = "") -> list[str]:
    """As many masks at random, whole units where they fit into the number; sorted. Another salt is another draw.

    Raises:
        UsageError: there are not as many.
    """
    members: dict[str, list[str]] = {}
    for mask_id in sorted(mask_ids):
        members.setdefault(unit(mask_id), []).append(mask_id)
    found: list[str] = []
    rest: list[str] = []
    for name in _ranked(members, seed, salt):
        fits = len(found) + len(members[name]) <= number
        (found if fits else rest).extend(members[name])
    missing = number - len(found)
    # What is still missing has to come from units that are too large: only where there are no smaller ones left.
    return sorted(found + _require(rest, missing)) if missing else sorted(found)


def weigh(mask_ids: Sequence[str], shares: Mapping[str, float]) -> dict[str, float]:
    """Weight of each mask, 1 on average, so that sources have the given shares of what is drawn.

    Args:
        mask_ids: of the split.
        shares: by source; the sources that are not named share the rest by their numbers of masks.

    Raises:
        UsageError: shares that leave something over with no source to take it, or leave nothing for one.
    """
    numbers = {name: len(masks) for name, masks in by_source(mask_ids).items()}
    others = sum(number for name, number in numbers.items() if name not in shares)
    rest = 1 - sum(shares.values())
    if not others and abs(rest) > 1e-9:
        raise UsageError(explain("--weights names every source", expected="shares that sum to 1", got=f"{1 - rest:g}"))
    if others and rest < 1e-9:
        left = ", ".join(sorted(numbers.keys() - shares.keys()))
        raise UsageError(explain(f"--weights leave nothing for {left}", do="leave these out with --without instead"))
    each = {name: shares.get(name, rest * number / others if others else 0.0) for name, number in numbers.items()}
    return {mask_id: len(mask_ids) * each[source_of(mask_id)] / numbers[source_of(mask_id)] for mask_id in mask_ids}


def _ranked(names: Iterable[str], seed: int, salt: str = "") -> list[str]:
    return sorted(names, key=lambda name: (rank(seed, salt + name), name))


def _require(masks: Sequence[str], size: int) -> list[str]:
    """The first ``size`` masks."""
    if size > len(masks):
        raise UsageError(
            explain(
                f"{size:,} masks are wanted",
                expected=f"at most {len(masks):,}, which is what there is",
                did="nothing was written",
                do="ask for fewer, or widen the choice",
            )
        )
    return list(masks[:size])
