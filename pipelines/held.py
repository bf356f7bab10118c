"""A finished draw stands in for tars that are gone: so draws grow, and tars can be deleted once they were used.

Of the tars that it was drawn from, a collection holds everything that a draw from more of them can take: the images of
lowest rank among them. Its listing (:mod:`hqdata.sources.listing`) says from which tar each one came.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hqdata.catalog import manifest_digest
from hqdata.errors import StoreCorrupt, UsageError, explain
from hqdata.pipelines.drawn import some
from hqdata.plan import library_versions
from hqdata.recipe import Draw, Recipe, Take
from hqdata.schema import Reject
from hqdata.sources.listing import LISTING, Listed, read_listing
from hqdata.sources.locate import Located, Route
from hqdata.sources.tars import Held, HeldTar, TarFact
from hqdata.store.index import read_index
from hqdata.store.reader import Collection


def stand_in(recipe: Recipe, routes: Sequence[Route], out: Path) -> tuple[list[Route], dict[str, Held]]:
    """Let the finished collection in ``out`` stand in for tars that are gone, where it was drawn in the same way.

    Of the tars that it was drawn from it holds all that this draw can take, so that more of them, or other ones, make
    the collection that all of them together would have made.

    Returns:
        The routes, and what was found, by source.
    """
    takes = list(zip(recipe.take, routes, strict=True))
    earlier = {take.source: _earlier_draw(take, take.draw, route, out) for take, route in takes if take.draw}
    held = {name: draw for name, draw in earlier.items() if draw is not None}
    return [_with_held(route, held[take.source], out) if take.source in held else route for take, route in takes], held


def _with_held(route: Route, held: Held, out: Path) -> Route:
    gone = [archive for archive in route.missing if archive.name in held.tars]
    stand_ins = [Located(archive=item, owner=route.source.name, path=out, is_folder=True) for item in gone]
    return replace(
        route,
        found=tuple(sorted([*route.found, *stand_ins], key=lambda located: located.archive.name)),
        missing=tuple(archive for archive in route.missing if archive not in gone),
    )


def _earlier_draw(take: Take, draw: Draw, route: Route, out: Path) -> Held | None:
    """The draw of the collection in ``out``, if one pass over its tars would take the same from them again."""
    index = _index_of(out)
    row = index["sources"].get(route.source.name, {}) if index else {}
    drawn = row.get("draw")
    if index is None or drawn is None:
        return None
    names, missing = {tar["name"] for tar in drawn["from"]}, {archive.name for archive in route.missing}
    chosen = missing | {located.archive.name for located in route.found}
    parts = {count["part"] for count in index["counts"] if count["source"] == route.source.name}
    same = (
        bool(names & missing)
        and row["manifest"] == manifest_digest(route.source)
        and all(drawn[key] == getattr(draw, key) for key in ("seed", "masks", "per_image"))
        and drawn["size"] == take.count
        and parts == set(take.parts)
        and names <= chosen
        and index["versions"] == dict(library_versions())
        and LISTING in {file["name"] for file in index["files"]}
    )
    return _held_of(out, index, route.source.name) if same else None


def _held_of(out: Path, index: dict[str, Any], source: str) -> Held:
    """All that a collection holds of the tars of a source.

    Raises:
        StoreCorrupt: it is damaged.
    """
    listed: dict[str, list[Listed]] = defaultdict(list)
    for item in read_listing(out):
        if item.sample_id.startswith(f"{source}/"):
            listed[item.tar].append(item)
    doubles = {(item.tar, item.image) for items in listed.values() for item in items if not item.taken}
    lost: dict[str, list[Reject]] = defaultdict(list)
    for row in (Reject(**values) for values in Collection(out).rejects.to_pylist()):
        # Doubles are told anew: which ones count depends on what is taken.
        if row.source == source and row.stage in {"list", "pair"} and (row.archive, row.member) not in doubles:
            lost[row.archive].append(row)
    tars = {
        tar["name"]: HeldTar(fact=TarFact(**tar), listed=tuple(listed[tar["name"]]), rejects=tuple(lost[tar["name"]]))
        for tar in index["sources"][source]["draw"]["from"]
    }
    return Held(stamp=index["index_digest"], tars=tars)


def _index_of(out: Path) -> dict[str, Any] | None:
    """Index of the finished collection in ``out``; None if there is none."""
    try:
        return read_index(out)
    except StoreCorrupt:
        return None


def require_kept(routes: Iterable[Route], out: Path) -> None:
    """Make sure that a collection is not replaced by one that lacks what nobody can draw again.

    Raises:
        UsageError: images in ``out`` come from tars that are gone, and it cannot stand in for them.
    """
    index = _index_of(out)
    for route in routes:
        row = index["sources"].get(route.source.name, {}) if index else {}
        used = {tar["name"] for tar in row.get("draw", {}).get("from", ()) if tar["taken"]}
        lost = sorted(used - {located.archive.name for located in route.found})
        if lost:
            raise UsageError(
                explain(
                    f"{out} holds images of tars that are gone: {some(lost)}",
                    got="it cannot stand in for them: another draw, manifest or version of a library made it",
                    did="it was left alone",
                    do="choose another --out, or bring those tars back",
                )
            )
