"""What a build does for draws alone: another size or rule, tars from links, tars deleted after their use.

Run it as ``hqdata build sa1b-44k --out DIR --archives TARS [--links FILE] [--tars all] [--masks whole]``.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from hqdata.catalog import manifest_digest
from hqdata.errors import ArchiveError, UsageError, explain
from hqdata.fetch.links import fetch_linked, read_links
from hqdata.fetch.progress import Progress
from hqdata.fsio.fault import fault_point
from hqdata.limits import Limits
from hqdata.recipe import Draw, MaskRule, Recipe, Take
from hqdata.sources.locate import Route
from hqdata.store.index import INDEX, read_index
from hqdata.store.reader import Collection

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawOptions:
    """Choices that only recipes with a draw know; None leaves the recipe's."""

    tars: int | Literal["all"] | None = None
    masks: MaskRule | None = None
    links: Path | None = None
    """The user's file of signed links."""
    drop: bool = False
    """Whether to delete tars once a verified collection holds what it takes from them."""


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


def fetch_tars(routes: Iterable[Route], links: Path, folder: Path, limits: Limits, progress: Progress) -> list[Path]:
    """Fetch the tars that draws chose and that are not at hand into ``folder/SOURCE/``.

    Raises:
        UsageError: the file of links lacks one of them.
        StaleLink: a link has expired.
    """
    known = read_links(links)
    wanted = [(route.source.name, archive.name) for route in routes for archive in route.missing]
    absent = sorted({name for _, name in wanted} - known.keys())
    if absent:
        raise UsageError(explain(f"{links} has no link for {', '.join(absent)}", do="get a complete file of links"))
    paths = []
    for source, name in dict.fromkeys(wanted):
        fetched = fetch_linked(name, known[name], folder / source / name, limits=limits, progress=progress)
        paths.append(fetched.path)
    return paths


def require_tars(routes: Iterable[Route], folder: Path) -> None:
    """Make sure that a draw has a tar to draw from, and say which ones it goes without.

    Raises:
        ArchiveError: it has none; names those that it wants.
    """
    for route in routes:
        names = ", ".join(archive.name for archive in route.missing)
        if not route.found:
            raise ArchiveError(
                explain(
                    f"no tar of the draw from {route.source.title} is at hand",
                    expected=names,
                    got=f"none that begins like one of its tars in {folder}",
                    do="put one or more of them there, or give your file of links with --links",
                )
            )
        if route.missing:
            log.warning("the draw goes without tars that are not at hand: %s", names)


def built_before(recipe: Recipe, routes: Sequence[Route], out: Path) -> dict[str, Any] | None:
    """Index of the finished collection in ``out`` if it is this recipe's and some of its tars are gone since.

    None unless every tar at hand took part in it: others may make it another collection.
    """
    if not routes or len(routes) < len(recipe.take) or not (out / INDEX).is_file():
        return None
    index = read_index(out)
    if index["recipe"]["digest"] != manifest_digest(recipe):
        return None
    for route in routes:
        row = index["sources"].get(route.source.name, {})
        used = {(tar["name"], tar["size"]) for tar in row.get("draw", {}).get("from", ())}
        held = {(located.archive.name, located.path.stat().st_size) for located in route.found}
        if row.get("manifest") != manifest_digest(route.source) or not held < used:
            return None
    return index


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
            if located.path.stat().st_size == sizes.get(located.archive.name):
                located.path.unlink()
                fault_point("drop")
