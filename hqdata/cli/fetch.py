"""``hqdata fetch``: download archives ahead of a build."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from hqdata.catalog import Catalog, load_catalog
from hqdata.cli.catalog import Archives, Manifests
from hqdata.cli.drawn import Links, Tars, draw_options, print_tars, tar_rows
from hqdata.cli.show import Json, ask_terms, console, print_json, print_table, progress_bars, size_text
from hqdata.errors import UsageError, explain
from hqdata.fsio.atomic import free_bytes
from hqdata.home import accepted_terms, default_archives
from hqdata.limits import DEFAULT
from hqdata.manifest import Archive, Source
from hqdata.pipelines.drawn import NO_CHOICE, DrawOptions, fetch_tars, redraw
from hqdata.pipelines.recipe import Options, fetch_archive
from hqdata.sources.locate import ArchiveFolder, Route
from hqdata.sources.tars import find_tars, refuse_whole

AcceptTerms = Annotated[
    list[str] | None,
    typer.Option(
        "--accept-terms", help="Sources (A or A,B) whose terms you have read and accept; recorded, asked once."
    ),
]
Prefer = Annotated[
    str | None, typer.Option("--prefer", help="Form to prefer: official (the sources' homes) or bundle (three zips).")
]


def accepted_names(given: list[str] | None) -> tuple[str, ...]:
    """Names given with ``--accept-terms``, each alone or several with commas.

    >>> accepted_names(["duts,ecssd", "dis5k"])
    ('duts', 'ecssd', 'dis5k')
    """
    return tuple(name.strip() for item in given or () for name in item.split(","))


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("fetch")(fetch)


def fetch(
    names: Annotated[list[str], typer.Argument(metavar="SOURCE...", help="Sources, bundles, weights or recipes.")],
    archives: Archives = None,
    accept_terms: AcceptTerms = None,
    prefer: Prefer = None,
    plan: Annotated[bool, typer.Option("--plan", help="Say what would be fetched; fetch nothing.")] = False,
    tars: Tars = None,
    links: Links = None,
    manifests: Manifests = None,
    json: Json = False,
) -> None:
    """Fetch archives, verified against published hashes; an interrupted transfer is resumed.

    Example: `hqdata fetch hqseg-44k --plan`, then `hqdata fetch samhq --accept-terms samhq`. The tars of a draw come
    from your own file of links: `hqdata fetch sa1b-44k --links links.tsv --accept-terms sa1b`
    """
    catalog = load_catalog(manifests or ())
    folder = archives or default_archives()
    routes = _routes_of_draws(catalog, names, folder, draw_options(tars, None, links))
    wanted = [item for name in names for item in _wanted(catalog, name, prefer)]
    wanted = list({(owner, archive.name): (owner, archive) for owner, archive in wanted}.values())
    if plan:
        print_fetch_plan(catalog, wanted, folder, routes, as_json=json)
        return
    if links is None and any(route.missing for route in routes):
        raise UsageError(
            explain("the tars of a draw come from your own links", do="give your file of links with --links FILE")
        )
    owners = [*(catalog.source(owner) for owner, _ in wanted), *(route.source for route in routes)]
    accepted_terms().require(owners, accepted_names(accept_terms), ask_terms)
    options = Options(archives=folder, progress=progress_bars)
    paths = [fetch_archive(owner, archive, options) for owner, archive in wanted]
    paths += fetch_tars(routes, links, folder, options.limits, progress_bars("B")) if links else []
    if json:
        print_json([{"archive": path.name, "path": str(path), "bytes": path.stat().st_size} for path in paths])
        return
    total = sum(path.stat().st_size for path in paths)
    console().print(f"{len(paths)} archives, {size_text(total)}, in {folder}")


def _routes_of_draws(catalog: Catalog, names: list[str], folder: Path, options: DrawOptions) -> list[Route]:
    """Which tars the draws of the named recipes want, and where they are; options of draws need one."""
    held = ArchiveFolder(folder, DEFAULT, folder)
    recipes = [catalog.recipes[name] for name in names if name in catalog.recipes]
    drawn = [redraw(recipe, options) for recipe in recipes if any(take.draw for take in recipe.take)]
    if not drawn and options != NO_CHOICE:
        raise UsageError(explain("nothing that is named draws from tars", do="leave out --tars and --links"))
    return [
        find_tars(catalog.source(take.source), take, take.draw, held)
        for recipe in drawn
        for take in recipe.take
        if take.draw
    ]


def _wanted(catalog: Catalog, name: str, prefer: str | None) -> list[tuple[str, Archive]]:
    """Archives that a name stands for: a source's preferred form, a bundle's or weights' files, a recipe's sources."""
    if name in catalog.recipes:
        recipe = catalog.recipes[name]
        first = prefer or recipe.prefer
        takes = [take for take in recipe.take if not take.draw]
        return [item for take in takes for item in _of_source(catalog, catalog.source(take.source), first)]
    refuse_whole(catalog.source(name), catalog.recipes.values())
    return _of_source(catalog, catalog.source(name), prefer)


def _of_source(catalog: Catalog, source: Source, prefer: str | None) -> list[tuple[str, Archive]]:
    if source.archives:
        return [(source.name, archive) for archive in source.archives]
    forms = sorted(source.forms, key=lambda form: form.name != prefer)
    if not forms or not forms[0].archives:
        raise UsageError(
            explain(
                f"{source.title}: no archive is known that could be fetched",
                got="; ".join(source.open) or None,
                do=f"see `hqdata sources {source.name}`",
            )
        )
    return [(catalog.owner(archive, source.name), archive) for archive in catalog.archives(source, forms[0])]


def print_fetch_plan(
    catalog: Catalog, wanted: list[tuple[str, Archive]], folder: Path, routes: Sequence[Route] = (), *, as_json: bool
) -> None:
    """Print what will be fetched, how large, from where, under which terms, and the room it needs.

    Args:
        catalog: for the terms.
        wanted: archives and their owners.
        folder: where they go.
        routes: of draws, whose tars come from the user's links.
        as_json: print JSON.
    """
    rows: list[dict[str, Any]] = []
    for owner, archive in wanted:
        source = catalog.source(owner)
        path = folder / owner / archive.name
        rows.append(
            {
                "archive": f"{owner}/{archive.name}",
                "bytes": archive.size,
                "from": archive.mirrors[0] if archive.mirrors else None,
                "mirrors": len(archive.mirrors),
                "sha256": archive.sha256,
                "terms": source.terms.summary,
                "accepted": accepted_terms().has(source),
                "here": path.is_file() and archive.size in {None, path.stat().st_size},
            }
        )
    left = [row["bytes"] for row in rows if not row["here"]]
    known = sum(size for size in left if size is not None)
    unknown = sum(size is None for size in left)
    free = free_bytes(folder)
    if as_json:
        tars = [row for route in routes for row in tar_rows(route)]
        figures: dict[str, Any] = {"bytes_to_fetch": known, "of_unknown_size": unknown, "bytes_free": free}
        print_json({"archives": rows, **figures, **({"tars": tars} if routes else {})})
        return
    for route in routes:
        print_tars(route)
    if not rows:
        console().print(f"{size_text(free)} free in {folder}")
        return
    print_table(
        "To fetch",
        ("archive", "size#", "from", "here", "terms"),
        [
            (
                row["archive"],
                size_text(row["bytes"]),
                f"{row['from'] or 'by hand'}" + (f" (+{row['mirrors'] - 1} more)" if row["mirrors"] > 1 else ""),
                "yes" if row["here"] else "no",
                ("accepted" if row["accepted"] else "NOT ACCEPTED") + f": {row['terms']}",
            )
            for row in rows
        ],
    )
    more = f" and {unknown} of unknown size" if unknown else ""
    console().print(f"{size_text(known)} to fetch{more}; {size_text(free)} free in {folder}")
