"""``hqdata split create | show | list | diff | ready``: named, saved choices of masks, and controls."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from hqdata.analysis.sheet import contact_sheet
from hqdata.analysis.splits.diff import diff_splits, diff_today
from hqdata.cli.build import Workers
from hqdata.cli.show import Json, print_json, progress_bars
from hqdata.cli.split_create import create, words
from hqdata.cli.split_ready import ready
from hqdata.cli.split_show import print_difference, print_splits, print_summary
from hqdata.errors import UsageError, explain
from hqdata.fetch.progress import staged
from hqdata.store.reader import Collection
from hqdata.store.split import SUFFIX, read_notes, read_split
from hqdata.store.view import open_view

app = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown")
SplitFile = Annotated[Path, typer.Argument(metavar="SPLIT", help=f"A file NAME{SUFFIX}.")]


def register(parent: typer.Typer) -> None:
    """Add the commands."""
    app.command("create", epilog=words())(create)
    app.command("show")(show)
    app.command("list")(list_splits)
    app.command("diff")(diff)
    app.command("ready")(ready)
    parent.add_typer(app, name="split", help="Make, look at and compare splits: named, saved choices of masks.")


def show(
    path: SplitFile,
    notes: Annotated[bool, typer.Option("--notes", help="List every mask with a story: removed, leaked.")] = False,
    sheet: Annotated[Path | None, typer.Option("--sheet", help="Write a contact sheet (PNG) of what is read.")] = None,
    folder: Annotated[
        Path | None, typer.Option("--from", metavar="DIR", help="Where the collection lies, if it was moved.")
    ] = None,
    json: Json = False,
) -> None:
    """Say what a split is: masks, what was removed and why, leaks, terms, balance, degradation.

    Example: `hqdata split show splits/clean.split.json --notes --sheet clean.png`
    """
    split = read_split(path)
    if sheet is not None:
        contact_sheet(open_view(path, Collection(folder) if folder else None), sheet)
    if json:
        more = {"note_rows": read_notes(split).to_pylist()} if notes else {}
        print_json({**split.facts, "path": str(path), **more})
        return
    print_summary(split, notes=read_notes(split).to_pylist() if notes else None, sheet=sheet)


def list_splits(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder to look into.")] = Path(),
    json: Json = False,
) -> None:
    """List the splits in a folder, with what was asked for.

    Example: `hqdata split list splits`
    """
    if not folder.is_dir():
        raise UsageError(explain(f"{folder} is no folder", do="name the folder that the splits were written to"))
    found = [read_split(path) for path in sorted(folder.glob(f"*{SUFFIX}"))]
    if json:
        print_json([{**split.facts, "path": str(split.path)} for split in found])
        return
    print_splits(folder, found)


def diff(
    a: SplitFile,
    b: Annotated[Path | None, typer.Argument(metavar="SPLIT_B", help="Another split.")] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--from", metavar="DIR", help="Instead of SPLIT_B: what the same request gives there today."),
    ] = None,
    workers: Workers = 1,
    json: Json = False,
) -> None:
    """Name the masks that differ between two splits, or between a split and its collection as it is today.

    Exit code 0 if they agree, 1 if not. Example: `hqdata split diff clean.split.json --from hqseg-44k`
    """
    if (b is None) == (folder is None):
        raise UsageError(explain("give either another split, or a collection with --from"))
    if b is not None:
        found = diff_splits(read_split(a), read_split(b))
    else:
        bar = progress_bars("steps")
        try:
            found = diff_today(read_split(a), Collection(folder or Path()), workers=workers, progress=staged(bar))
        finally:
            bar.finish()
    if json:
        changes = [asdict(item) for item in found.changes]
        print_json({"choices": [list(item) for item in found.choices], "changes": changes})
    else:
        print_difference(found, str(a), str(b or f"its request, on {folder} today"))
    if found:
        raise typer.Exit(1)
