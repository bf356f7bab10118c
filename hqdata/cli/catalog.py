"""``hqdata sources`` and ``hqdata recipes``: what there is."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from hqdata.catalog import Catalog, load_catalog
from hqdata.cli.show import Json, cell, console, print_json, print_table, size_text
from hqdata.home import accepted_terms, default_archives
from hqdata.manifest import Archive, Source
from hqdata.recipe import Recipe

Manifests = Annotated[
    list[Path] | None,
    typer.Option("--manifests", help="Folder with sources/ and recipes/ that add to or override the packaged ones."),
]
Archives = Annotated[
    Path | None,
    typer.Option("--archives", help="Folder of archives or unpacked sources. Default: $HQDATA_HOME/archives."),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("sources")(sources)
    app.command("recipes")(recipes)


def sources(
    name: Annotated[str | None, typer.Argument(help="One source in full; all of them in a table if left out.")] = None,
    archives: Archives = None,
    manifests: Manifests = None,
    json: Json = False,
) -> None:
    """List the public sources: counts, sizes, terms, what is here and what is missing.

    Example: `hqdata sources dis5k`
    """
    catalog = load_catalog(manifests or ())
    folder = archives or default_archives()
    if name is not None:
        source = catalog.source(name)
        if json:
            print_json(asdict(source))
        else:
            _print_source(catalog, source, folder)
        return
    rows = [_source_row(catalog, source, folder) for source in catalog.sources.values()]
    if json:
        print_json(rows)
        return
    columns = ("name", "title", "use", "samples#", "licence", "accepted", "here")
    print_table("Sources", columns, [[row[column.removesuffix("#")] for column in columns] for row in rows])
    console().print(f"{len(rows)} sources. `hqdata sources NAME` shows one in full.")


def _owned(catalog: Catalog, source: Source) -> list[tuple[str, Archive]]:
    """Archives of every form of a source, each once, with their owner."""
    found = {archive.name: (source.name, archive) for archive in source.archives}
    for form in source.forms:
        for archive in catalog.archives(source, form):
            found[f"{archive.bundle}/{archive.name}"] = (catalog.owner(archive, source.name), archive)
    return list(found.values())


def _is_here(folder: Path, owner: str, archive: Archive) -> bool:
    path = folder / owner / archive.name
    return path.is_file() and archive.size in {None, path.stat().st_size}


def _source_row(catalog: Catalog, source: Source, folder: Path) -> dict[str, Any]:
    counts = [part.count for part in source.parts.values()]
    owned = _owned(catalog, source)
    here = sum(_is_here(folder, owner, archive) for owner, archive in owned)
    return {
        "name": source.name,
        "title": source.title,
        "use": ", ".join(source.use),
        "samples": (None if None in counts else sum(c or 0 for c in counts)) if counts else "-",
        "licence": source.terms.licence,
        "accepted": "yes" if accepted_terms().has(source) else "no",
        "here": f"{here} of {len(owned)} archives" if owned else "no archive known",
    }


def _print_source(catalog: Catalog, source: Source, folder: Path) -> None:
    out = console()
    out.print(f"[bold]{source.title}[/bold]  {source.summary}")
    out.print(f"homepage: {source.homepage or 'unknown'}")
    out.print(f"licence:  {source.terms.licence or 'unknown'}")
    accepted = "accepted" if accepted_terms().has(source) else f"not accepted (--accept-terms {source.name})"
    out.print(f"terms:    {source.terms.summary}  [{accepted}]".replace("[", "\\["))
    out.print(f"redistribution: {source.terms.redistribution or 'unknown'}\n")
    if source.parts:
        rows = [(key, part.title, part.count) for key, part in source.parts.items()]
        print_table("Parts", ("part", "title", "samples#"), rows)
    if source.forms:
        print_table("Forms", ("form", "title"), [(form.name, form.title) for form in source.forms])
    print_table(
        "Archives",
        ("archive", "size#", "sha256", "here", "mirrors"),
        [
            (
                f"{owner}/{archive.name}",
                size_text(archive.size),
                archive.sha256 and archive.sha256[:16],
                "yes" if _is_here(folder, owner, archive) else "no",
                "\n".join(archive.mirrors) or "none known",
            )
            for owner, archive in _owned(catalog, source)
        ],
    )
    if source.errata:
        faults = [(e.kind, f"{e.part}: {', '.join(e.stems)}", e.note, e.reference) for e in source.errata]
        print_table("Errata", ("kind", "samples", "what", "reference"), faults)
    questions = [*source.open, *(text for form in source.forms for text in form.open)]
    if questions:
        out.print("[bold]Open questions[/bold]")
        for text in questions:
            out.print(f"  - {text}")
    out.print(f"\n{source.citation.strip()}".replace("[", "\\["))


def recipes(
    name: Annotated[str | None, typer.Argument(help="One recipe with its arithmetic.")] = None,
    manifests: Manifests = None,
    json: Json = False,
) -> None:
    """List the recipes, or show one recipe's arithmetic. Every source is a recipe under its own name, too.

    Example: `hqdata recipes hqseg-44k`
    """
    catalog = load_catalog(manifests or ())
    if name is not None:
        recipe = catalog.recipe(name)
        if json:
            print_json({**asdict(recipe), "count": recipe.count})
        else:
            _print_recipe(catalog, recipe)
        return
    if json:
        print_json([{**asdict(recipe), "count": recipe.count} for recipe in catalog.recipes.values()])
        return
    print_table(
        "Recipes", ("name", "title", "samples#"), [(r.name, r.title, r.count) for r in catalog.recipes.values()]
    )
    names = [source.name for source in catalog.sources.values() if any(form.parts for form in source.forms)]
    console().print(f"Whole sources, each a recipe of its own: {', '.join(names)}.")


def _print_recipe(catalog: Catalog, recipe: Recipe) -> None:
    out = console()
    out.print(f"[bold]{recipe.title}[/bold]  {' '.join(recipe.summary.split())}\n")
    rows = [
        (take.source, part, catalog.source(take.source).parts[part].title, count)
        for take in recipe.take
        for part, count in take.parts.items()
    ]
    print_table("What it takes", ("source", "part", "title", "samples#"), [*rows, ("", "", "total", recipe.count)])
    if len(rows) > 1:
        out.print(f"{_arithmetic(recipe)}\n")
    for take in recipe.take:
        if take.note:
            out.print(f"{take.source}: {' '.join(take.note.split())}")
    for reading in recipe.readings:
        other = catalog.recipe(reading.recipe)
        out.print(f"\n[bold]{other.name}[/bold]: {' '.join(reading.note.split())}")
        out.print(_arithmetic(other))


def _arithmetic(recipe: Recipe) -> str:
    """The sum that gives a recipe's count, such as ``470 + 280 + 287 + 500 = 1,537``."""
    counts = [count for take in recipe.take for count in take.parts.values()]
    return f"{' + '.join(cell(count) for count in counts)} = {cell(recipe.count)}"
