"""From a request to the masks of a split: one step after the other, in the order of the request's fields."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from hqdata.analysis.findings import DUPLICATES, LEAKS
from hqdata.analysis.related import Progress, silent
from hqdata.analysis.splits import removal
from hqdata.analysis.splits.control import Control, matched, scaled
from hqdata.analysis.splits.draw import halve, leave_out, take, take_best, take_each, take_stratified, weigh
from hqdata.analysis.splits.masks import Copies, all_masks, by_source, find_copies, require_sources, source_of
from hqdata.analysis.splits.reference import Data, masks_in, open_reference, place_of
from hqdata.analysis.splits.removal import Leaks, Note
from hqdata.analysis.splits.request import ALL, Request
from hqdata.analysis.splits.values import strata, values_of
from hqdata.errors import QueryError, UsageError, explain
from hqdata.fsio.digest import sha256_file
from hqdata.store.reader import Collection

_LISTED = 5


@dataclass(slots=True, kw_only=True)
class Choice:
    """Masks on their way through the steps."""

    collection: Collection
    request: Request
    folder: Path
    """That paths of the request are relative to."""
    workers: int
    progress: Progress
    copies: Copies
    leaks: Leaks
    masks: list[str]
    """Sorted."""
    notes: list[Note] = field(default_factory=list)
    inputs: dict[str, str] = field(default_factory=dict)
    """Digest of every other split, collection or file that took part, by its path in the request."""
    scales: Mapping[str, float] = field(default_factory=dict)
    """By mask; empty if images are read as they are."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What steps have to tell."""

    def remove(self, notes: Iterable[Note]) -> None:
        """Take masks out, each with its note."""
        listed = list(notes)
        gone = removal.removed(listed)
        self.notes += listed
        self.masks = [mask_id for mask_id in self.masks if mask_id not in gone]

    def open(self, option: str, path: str) -> Data:
        """Another split or collection that the request names."""
        data = open_reference(self.folder, path, option)
        self.inputs[path] = data.digest
        return data


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Masks of one split to be written."""

    name: str
    part: str | None
    """Which half it is."""
    masks: tuple[str, ...]
    """Sorted."""
    weights: Mapping[str, float]
    """By mask; empty if all are drawn alike."""
    leaked: tuple[Note, ...]
    """Leaks that it holds all the same."""


def choose(
    collection: Collection, request: Request, folder: Path, *, workers: int = 1, progress: Progress = silent
) -> tuple[Choice, tuple[Chosen, ...]]:
    """Choose the masks of a split, or of its two halves.

    Args:
        collection: to choose from.
        request: what is asked for.
        folder: that paths of the request are relative to.
        workers: processes, where pixels are looked at.
        progress: is told of each stage.

    Raises:
        UsageError, QueryError: the request cannot be met.
        StoreCorrupt: statistics or an audit are missing; the text names the command.
    """
    choice = Choice(
        collection=collection,
        request=request,
        folder=folder,
        workers=workers,
        progress=progress,
        copies=find_copies(collection),
        leaks=removal.read_leaks(collection, request.against),
        masks=all_masks(collection),
    )
    removal.require_known(request.allow_leaks, choice.leaks)
    for step in (_sql, _only, _exclude, _without, _without_random, _best, _scale, _match, _size, _per_source):
        step(choice)
        if not choice.masks:
            what = f"no mask is left for {request.name} after {step.__name__.strip('_').replace('_', ' ')}"
            raise UsageError(explain(what, did="nothing was written"))
    return choice, tuple(_parts(choice))


def _sql(choice: Choice) -> None:
    request = choice.request
    if request.sql is None:
        return
    from hqdata.analysis.query import select  # noqa: PLC0415 - loads DuckDB, which no other step needs

    attached = {name: place_of(choice.folder, file) for name, file in request.attach.items()}
    answer = select(request.sql, choice.collection, attach=attached)
    choice.inputs |= {request.attach[name]: sha256_file(path) for name, path in attached.items()}
    if "mask_id" not in answer.column_names:
        raise QueryError(
            explain(
                "the query does not return mask_id",
                expected="SELECT mask_id FROM stats WHERE ..., or sample_id || '#0' AS mask_id FROM samples",
                got=", ".join(answer.column_names),
                did="nothing was written",
            )
        )
    wanted = {str(value) for value in answer["mask_id"].to_pylist()}
    unknown = sorted(wanted - {*choice.masks})
    if unknown:
        raise QueryError(
            explain(
                f"{len(unknown):,} of the {len(wanted):,} ids that the query returns are no masks of the collection",
                expected="ids such as " + choice.masks[0],
                got=", ".join(unknown[:_LISTED]) + (", ..." if len(unknown) > _LISTED else ""),
                did="nothing was written",
            )
        )
    choice.masks = sorted(wanted)


def _sources(choice: Choice, option: str, words: Sequence[str]) -> list[str]:
    return require_sources(words, choice.collection.index["sources"], option)


def _only(choice: Choice) -> None:
    names = _sources(choice, "--only", choice.request.only)
    if names:
        choice.masks = [mask_id for mask_id in choice.masks if source_of(mask_id) in names]


def _exclude(choice: Choice) -> None:
    request, collection = choice.request, choice.collection
    steps: dict[str, Callable[[], list[Note]]] = {
        "errata": lambda: removal.remove_errata(collection, choice.masks),
        "suspects": lambda: removal.remove_suspects(collection, choice.masks),
        LEAKS: lambda: removal.remove_leaks(choice.leaks, choice.masks, request.leak_levels),
        # Last, so that the best of those is kept that are to stay.
        DUPLICATES: lambda: removal.remove_duplicates(collection, choice.copies, choice.masks),
    }
    if LEAKS in request.exclude_audit and not choice.leaks.against:
        what = f"{collection.folder} was not audited against any evaluation collection"
        do = f"run `hqdata audit {collection.folder} --against DIR`"
        raise UsageError(explain(what, did="nothing was written", do=do))
    for word, step in steps.items():
        if word in request.exclude_audit:
            choice.remove(step())


def _without(choice: Choice) -> None:
    names = _sources(choice, "--without", choice.request.without)
    if names:
        kept = choice.request.keep_copies
        choice.remove(removal.remove_sources(choice.copies, choice.masks, names, keep_copies=kept))


def _without_random(choice: Choice) -> None:
    request = choice.request
    names = _sources(choice, "--without-random", request.without_random)
    if not names:
        return
    as_many = removal.remove_sources(choice.copies, choice.masks, names, keep_copies=request.keep_copies)
    others = [mask_id for mask_id in choice.masks if source_of(mask_id) not in names]
    number = len(removal.removed(as_many))
    if number >= len(others):
        raise UsageError(
            explain(
                f"--without-random {' '.join(names)}: the other sources have too few masks to leave out as many",
                expected=f"more than {number:,}",
                got=f"{len(others):,}",
                did="nothing was written",
            )
        )
    # Controls of different sources are draws of their own, so that chance does not strike all of them alike.
    gone = leave_out(others, choice.copies.unit, number, request.seed, salt=f"{','.join(names)}:")
    reason = f"drawn at random, in place of {', '.join(names)}"
    choice.remove(removal.note(mask_id, "removed", "without_random", reason) for mask_id in gone)


def _best(choice: Choice) -> None:
    request = choice.request
    share = request.best or request.worst
    if share is None or request.by is None:
        return
    values = values_of(choice.collection, request.by, "--by")
    found, without = take_best(
        choice.masks, values, share, request.seed, lowest=request.best is None, each=request.within_source
    )
    choice.remove(removal.note(mask_id, "removed", "by", f"it has no {request.by}") for mask_id in without)
    choice.masks = found


def _scale(choice: Choice) -> None:
    request = choice.request
    if request.image_scale_to is not None:
        target = choice.open("--image-scale-to", request.image_scale_to)
        choice.scales, choice.facts["scale"] = scaled(choice.collection, choice.masks, target, request)


def _match(choice: Choice) -> None:
    request = choice.request
    if request.to is None:
        return
    size = _wanted(choice)
    pool = Control(
        collection=choice.collection,
        masks=choice.masks,
        scales=choice.scales,
        workers=choice.workers,
        progress=choice.progress,
    )
    found = matched(pool, choice.open("--to", request.to), request, size)
    choice.remove(removal.note(m, "removed", "match", "it lacks a value of a matched column") for m in found.without)
    choice.masks = list(found.masks)
    choice.facts["balance"] = found.facts


def _wanted(choice: Choice) -> int | None:
    """Number of masks that is asked for."""
    request = choice.request
    if request.size_of is not None:
        return len(masks_in(choice.open("--size-of", request.size_of)))
    return request.size


def _size(choice: Choice) -> None:
    request = choice.request
    size = _wanted(choice)
    if size is None or request.match:
        return
    if request.stratify:
        groups = strata(choice.collection, choice.masks, request.stratify)
        choice.masks = take_stratified(choice.masks, groups, size, request.seed)
    else:
        choice.masks = take(choice.masks, size, request.seed)


def _per_source(choice: Choice) -> None:
    wanted = choice.request.per_source
    if wanted is not None:
        choice.masks = take_each(choice.masks, None if wanted == "smallest" else wanted, choice.request.seed)


def _parts(choice: Choice) -> Iterable[Chosen]:
    """The split, or its halves, with weights and leaks."""
    request = choice.request
    parts: dict[str | None, Sequence[str]] = {None: choice.masks}
    if request.halves:
        parts = dict(zip("ab", halve(choice.masks, choice.copies.unit, request.seed), strict=True))
    allowed = partial(_allowed, request.allow_leaks)
    for part, masks in parts.items():
        known = by_source(masks)
        shares = {require_sources([word], known, "--weights")[0]: value for word, value in request.weights.items()}
        yield Chosen(
            name=request.name if part is None else f"{request.name}-{part}",
            part=part,
            masks=tuple(masks),
            weights=weigh(masks, shares) if shares else {},
            leaked=tuple(removal.check_leaks(choice.leaks, masks, allowed)),
        )


def _allowed(words: Sequence[str], name: str) -> bool:
    return name in words or ALL in words


def counts(notes: Iterable[Note], what: str) -> dict[str, int]:
    """Number of masks by why, sorted."""
    found = {(row["why"], row["mask_id"]) for row in notes if row["what"] == what}
    return dict(sorted(Counter(why for why, _ in found).items()))
