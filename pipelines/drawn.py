"""What a build does for draws alone: another size or rule, tars from links, tars deleted after their use.

Run it as ``hqdata build sa1b-44k --out DIR --archives TARS [--links FILE] [--tars all] [--masks whole]``.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from hqdata.errors import ArchiveError, DiskFull, UsageError, explain
from hqdata.fetch.links import fetch_linked, read_links
from hqdata.fetch.partial import Part
from hqdata.fetch.progress import Progress
from hqdata.fsio.atomic import free_bytes
from hqdata.fsio.fault import fault_point
from hqdata.limits import Limits
from hqdata.recipe import Draw, MaskRule, Recipe, Take
from hqdata.sources.locate import Route
from hqdata.sources.tars import Held
from hqdata.store.reader import Collection

PASS = 8
"""Tars that lie on the disk at a time where they are fetched to be deleted after use: 90 GB of SA-1B's."""
log = logging.getLogger(__name__)
_SOME = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawOptions:
    """Choices that only recipes with a draw know; None leaves the recipe's."""

    tars: int | Literal["all"] | None = None
    masks: MaskRule | None = None
    links: Path | None = None
    """The user's file of signed links."""
    drop: bool = False
    """Whether to delete tars once a verified collection holds what it takes from them."""

    @property
    def in_passes(self) -> bool:
        """Whether tars are fetched a few at a time, each deleted before the next ones come."""
        return self.drop and self.links is not None


NO_CHOICE = DrawOptions()


def redraw(recipe: Recipe, options: DrawOptions) -> Recipe:
    """The recipe with the user's choices; another choice makes another recipe digest.

    Raises:
        UsageError: the recipe has no draw, and a choice is there for one.
    """
    if not any(take.draw for take in recipe.take):
        if options != NO_CHOICE:
            what = f"{recipe.name} draws from no tars"
            raise UsageError(explain(what, do="leave out --tars, --masks, --links and --drop-archives"))
        return recipe
    return replace(recipe, take=tuple(_redrawn(take, take.draw, options) for take in recipe.take))


def _redrawn(take: Take, draw: Draw | None, options: DrawOptions) -> Take:
    if draw is None:
        return take
    tars = draw.tars if options.tars is None else options.tars
    if tars == "all" and draw.skip:
        raise UsageError(explain("all tars hold those of other draws too", do="draw from all of them with sa1b-44k"))
    return replace(take, draw=replace(draw, tars=tars, masks=options.masks or draw.masks))


def wanted_tars(route: Route, held: Held | None = None) -> list[str]:
    """Tars that a draw chose and that are not at hand, but for those of which a collection holds all it wants."""
    cut = [item.archive.name for item in route.found if item.is_folder and held and not held.whole(item.archive.name)]
    return sorted([*(archive.name for archive in route.missing), *cut])


def fetch_tars(
    routes: Iterable[Route],
    links: Path,
    folder: Path,
    limits: Limits,
    progress: Progress,
    *,
    held: Mapping[str, Held] | None = None,
    most: int | None = None,
) -> list[Path]:
    """Fetch the tars that draws want into ``folder/SOURCE/``.

    Args:
        routes: of draws.
        links: the user's file of links.
        folder: of archives.
        limits: of the transfers.
        progress: told of the bytes.
        held: earlier draws by source, of whose tars only those are fetched that were cut short.
        most: how many to fetch at most; all of them if None.

    Raises:
        UsageError: the file of links lacks one of them.
        DiskFull: they do not fit together.
        StaleLink: a link has expired.
    """
    known = read_links(links)
    wanted = [(route, name) for route in routes for name in wanted_tars(route, (held or {}).get(route.source.name))]
    absent = sorted({name for _, name in wanted} - known.keys())
    if absent:
        raise UsageError(explain(f"{links} has no link for {some(absent)}", do="get a complete file of links"))
    targets = {folder / route.source.name / name: route for route, name in wanted[:most]}
    _require_room(targets, folder)
    return [fetch_linked(path.name, known[path.name], path, limits=limits, progress=progress).path for path in targets]


def _require_room(targets: Mapping[Path, Route], folder: Path) -> None:
    """Say before the first byte that tars do not fit, as far as their size is known."""
    about = [(path, route.form.family.size) for path, route in targets.items() if route.form.family]
    needed = sum(size - Part(path.name, path).size() for path, size in about if size)
    free = free_bytes(folder)
    if needed > free:
        raise DiskFull(
            explain(
                f"{len(about):,} tars do not fit into {folder}",
                expected=f"about {needed:,} bytes free",
                got=f"{free:,} bytes",
                did="nothing was fetched",
                do="free some space, or draw from fewer with --tars",
            )
        )


def require_useful(fetched: Iterable[Path], wanted: Iterable[str]) -> None:
    """Make sure that what was fetched are the tars that were wanted.

    Raises:
        ArchiveError: one of them is a tar of something else.
    """
    for path in sorted(path for path in fetched if path.name in set(wanted)):
        do = "remove it, and get a new file of links"
        raise ArchiveError(explain(f"{path} is a tar, but does not begin like one that the draw wants", do=do))


def require_tars(routes: Iterable[Route], folder: Path) -> None:
    """Make sure that a draw has a tar to draw from, and say which ones it goes without.

    Raises:
        ArchiveError: it has none; names those that it wants.
    """
    for route in routes:
        names = some([archive.name for archive in route.missing])
        if not route.found:
            raise ArchiveError(
                explain(
                    f"no tar of the draw from {route.source.title} is at hand",
                    expected=names,
                    got=f"none that begins like one of its tars in {folder}",
                    do="put one or more of them there, or give your file of links with --links",
                )
            )
        for row in route.rejects:
            log.warning("%s: %s", row.archive, row.detail)
        if route.missing:
            log.warning("the draw goes without tars that are not at hand: %s", names)


def some(names: Sequence[str]) -> str:
    """The first names of a list that may be long.

    >>> some(["a", "b"]), some([str(number) for number in range(20)])
    ('a, b', '0, 1, 2, 3, 4, 5, 6, 7 and 12 more')
    """
    more = f" and {len(names) - _SOME:,} more" if len(names) > _SOME else ""
    return ", ".join(names[:_SOME]) + more


def drop_tars(routes: Iterable[Route], out: Path) -> None:
    """Delete the tars that a published and verified collection was drawn from.

    One that is cut short, or some of whose members could not be read, stays: it did not give all that was wanted of it.
    So does one that has changed since it was listed.
    """
    collection = Collection(out)
    unread = {row["archive"] for row in collection.rejects.to_pylist() if row["stage"] == "read"}
    for route in routes:
        used = collection.index["sources"][route.source.name]["draw"]["from"]
        sizes = {tar["name"]: tar["size"] for tar in used if tar["whole"] and tar["name"] not in unread}
        for located in route.found:
            if not located.is_folder and located.path.stat().st_size == sizes.get(located.archive.name):
                located.path.unlink()
                fault_point("drop")
