"""``hqdata verify | info | diff``: commands about collections."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from hqdata.analysis.diff import diff as diff_collections
from hqdata.analysis.sheet import contact_sheet
from hqdata.cli.show import Json, console, print_json, print_table, progress_bars, size_text, synthetic_note
from hqdata.errors import StoreCorrupt, explain
from hqdata.schema import FLAGS, REASONS
from hqdata.store.index import read_index
from hqdata.store.reader import Collection
from hqdata.store.verify import verify as verify_collection

Dir = Annotated[Path, typer.Argument(metavar="DIR", help="A collection.")]
SHOWN_REJECTS = 40


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("verify")(verify)
    app.command("info")(info)
    app.command("diff")(diff)


def verify(
    folder: Dir,
    deep: Annotated[bool, typer.Option("--deep", help="Also decode every image and mask.")] = False,
    json: Json = False,
) -> None:
    """Check every file of a collection against its index, to the bit.

    Example: `hqdata verify hqseg-44k --deep`
    """
    bar = progress_bars("B")
    total = sum(path.stat().st_size for path in folder.glob("*") if path.is_file()) if folder.is_dir() else 0
    bar.start(f"verifying {folder.name}", total)
    try:
        problems = verify_collection(folder, deep=deep, on_bytes=bar.advance)
    finally:
        bar.finish()
    if json:
        print_json({"intact": not problems, "problems": [asdict(problem) for problem in problems]})
        if problems:
            raise typer.Exit(1)
        return
    if problems:
        listing = "\n".join(f"  {problem.file}: {problem.what}" for problem in problems)
        raise StoreCorrupt(explain(f"{folder} is damaged:\n{listing}", do="build it again into another folder"))
    index = read_index(folder)
    how = "every file, image and mask" if deep else "every file"
    console().print(f"{folder}: intact ({how}), {index['rows']:,} samples, content {index['content_digest']}")


def info(
    folder: Dir,
    rejects: Annotated[bool, typer.Option("--rejects", help="List the rejects one by one.")] = False,
    sheet: Annotated[Path | None, typer.Option("--sheet", help="Write a contact sheet (PNG) of samples here.")] = None,
    json: Json = False,
) -> None:
    """Say what a collection is: counts by source and part, form, sizes, rejects by reason, digest.

    Example: `hqdata info hqseg-44k --rejects --sheet sheet.png`
    """
    collection = Collection(folder)
    if sheet is not None:
        contact_sheet(collection, sheet)
    if json:
        rows = collection.rejects.to_pylist() if rejects else []
        print_json({**collection.index, "reject_rows": rows} if rejects else collection.index)
        return
    print_info(collection.index)
    if rejects:
        print_rejects(collection)
    size = size_text(sum(item["bytes"] for item in collection.index["files"]))
    console().print(f"{folder}: {len(collection):,} samples, {size}" + (f"; pictures in {sheet}" if sheet else ""))


def print_info(index: dict[str, Any]) -> None:
    """Print what an index says."""
    out = console()
    out.print(f"[bold]{index['recipe']['title']}[/bold]  ({index['recipe']['name']})")
    synthetic_note(index)
    if index["unverified"]:
        out.print("UNVERIFIED: built from archives whose hash differs from the published one.\n")
    sources = index["sources"]
    rows = [(c["source"], c["part"], c["expected"], c["samples"], c["pairs"] - c["samples"]) for c in index["counts"]]
    total = ("total", "", "", index["rows"], sum(row[4] for row in rows))
    print_table("Samples", ("source", "part", "expected#", "samples#", "lost#"), [*rows, total])
    described = [
        (name, s["title"], _form(s), size_text(s["bytes"]), s["licence"], s["redistribution"])
        for name, s in sources.items()
    ]
    print_table("Sources", ("source", "title", "form", "size#", "licence", "redistribution"), described)
    archives = [
        (f"{fact['owner']}/{fact['name']}", size_text(fact["size"]), fact["verified"], fact["sha256"][:16])
        for _, fact in sorted({(f["owner"], f["name"]): f for s in sources.values() for f in s["archives"]}.items())
    ]
    if archives:
        print_table("Archives", ("archive", "size#", "hash is", "sha256"), archives)
    for title, counts, words in (("Flags", index["flags"], FLAGS), ("Rejects", index["rejects"], REASONS)):
        if counts:
            listed = [(key, number, words[key]) for key, number in counts.items()]
            print_table(title, (title[:-1].lower(), "number#", "meaning"), listed)
    if index["errata"]:
        print_table("Errata", ("kind", "samples#"), list(index["errata"].items()))
    if index["shortfall"]:
        out.print("PARTIAL: counts differ from the recipe's, and --partial allowed it.")
    out.print(f"content digest {index['content_digest']}\n")


def _form(source: dict[str, Any]) -> str:
    return str(source["form"]) + (" (folder)" if source["packed"] == "folder" else "")


def print_rejects(collection: Collection) -> None:
    """Print the reject table, or its beginning."""
    rows = collection.rejects.to_pylist()
    columns = ("source", "archive", "member", "stage", "reason", "detail")
    shown = [[row[column] for column in columns] for row in rows[:SHOWN_REJECTS]]
    print_table("Rejects, one by one", columns, shown)
    if len(rows) > SHOWN_REJECTS:
        console().print(f"... and {len(rows) - SHOWN_REJECTS:,} more in {collection.folder / 'rejects.parquet'}\n")


def diff(
    a: Annotated[Path, typer.Argument(metavar="DIR_A", help="A collection.")],
    b: Annotated[Path, typer.Argument(metavar="DIR_B", help="Another collection.")],
    json: Json = False,
) -> None:
    """Name the samples that differ between two collections; renamed ones are matched by image.

    Exit code 0 if they agree, 1 if not. Example: `hqdata diff from-official from-bundle`
    """
    differences = diff_collections(Collection(a), Collection(b))
    if json:
        print_json([asdict(item) for item in differences])
    elif differences:
        print_table(
            f"A = {a}, B = {b}",
            ("difference", "sample", "other id"),
            [(item.kind, item.sample_id, item.other_id) for item in differences],
        )
        console().print(f"{len(differences):,} samples differ")
    else:
        console().print(f"{a} and {b} hold the same samples")
    if differences:
        raise typer.Exit(1)
