"""``hqdata stats``: measure every mask of a collection or split."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from hqdata.analysis.measure import kind_of
from hqdata.analysis.stats import MEASURE, compute_stats, measured
from hqdata.analysis.stats_table import STATS
from hqdata.cli.build import Workers
from hqdata.cli.show import Json, cell, console, print_json, print_table, progress_bars
from hqdata.errors import UsageError, explain
from hqdata.store.derived import table_file
from hqdata.store.reader import Collection
from hqdata.store.split import is_split
from hqdata.store.view import open_view


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("stats")(stats)


def stats(
    place: Annotated[Path | None, typer.Argument(metavar="DIR", help="A collection, or a split of one.")] = None,
    workers: Workers = 1,
    describe: Annotated[
        bool, typer.Option("--describe", help="Only print the columns: unit, formula, source, comparable or not.")
    ] = False,
    json: Json = False,
) -> None:
    """Measure every mask and image of a collection: one row a mask, in DIR.derived/; the collection stays as it is.

    Of a split (NAME.split.json) that scales images or degrades masks, what is measured is what it reads; any other
    split has its collection's rows. A run that was stopped goes on where it was.
    Example: `hqdata stats hqseg-44k --workers 2`
    """
    if describe:
        _describe(json=json)
        return
    if place is None:
        raise UsageError(explain("no collection was named", do="`hqdata stats DIR`, or `hqdata stats --describe`"))
    collection = measured(open_view(place) if is_split(place) else Collection(place))
    bar = progress_bars("samples")
    bar.start(f"measuring {place.name}", len(collection))
    try:
        done = compute_stats(collection, workers=workers, on_samples=bar.advance)
    finally:
        bar.finish()
    if json:
        print_json({**asdict(done), "folder": str(done.folder)})
        return
    how = "measured" if done.fresh else "were there already"
    table = done.folder / table_file(kind_of(MEASURE, collection))
    console().print(
        f"{table}: {cell(done.rows)} masks {how}, {len(STATS)} columns; `hqdata stats --describe` explains them"
    )


def _describe(*, json: bool) -> None:
    """Print the table of columns."""
    if json:
        print_json([asdict(stat) for stat in STATS])
        return
    rows = [(stat.name, stat.dtype, stat.unit, stat.safe, stat.formula, stat.source) for stat in STATS]
    print_table("Statistics, one row a mask", ("column", "type", "unit", "safe", "formula", "source"), rows)
    console().print(f"{len(STATS)} columns; safe: may be compared between images of different resolution")
