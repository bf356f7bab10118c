"""``hqdata audit``: duplicates, leaks and suspect annotations."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from hqdata.analysis.audit import audit as run_audit
from hqdata.analysis.findings import CHANGES, DUPLICATES, KINDS, LEAKS, LEVELS, SUSPECTS, Audit
from hqdata.catalog import load_catalog
from hqdata.cli.build import Workers
from hqdata.cli.catalog import Manifests
from hqdata.cli.show import (
    Json,
    cell,
    console,
    print_json,
    print_table,
    progress_bars,
    size_text,
    synthetic_note,
)
from hqdata.fetch.progress import staged
from hqdata.store.reader import Collection

SHOWN = 3
"""Suspects of each kind that are printed; the tables and the report have all."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("audit", epilog=_words())(audit)


def _words() -> str:
    lists = (("Levels", LEVELS), ("Changes", CHANGES), ("Kinds of suspects", KINDS))
    return "\n\n".join(f"**{title}:** " + "; ".join(f"{k}: {v}" for k, v in words.items()) for title, words in lists)


def audit(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A collection.")],
    against: Annotated[
        list[Path] | None,
        typer.Option("--against", metavar="DIR", help="An evaluation collection, to find leaks; may be repeated."),
    ] = None,
    report: Annotated[Path | None, typer.Option("--report", metavar="FILE", help="Write a page with pictures.")] = None,
    manifests: Manifests = None,
    workers: Workers = 1,
    json: Json = False,
) -> None:
    """Find duplicates, leaks into evaluation collections, and masks that look wrong. Nothing is removed: the findings
    are tables (`hqdata sql`: duplicates, leaks, suspects), each row with what to remove and why.

    Example: `hqdata audit hqseg-44k --against hq-eval --report audit.html --workers 2`
    """
    collection = Collection(folder)
    bar = progress_bars("samples")

    progress = staged(bar)
    try:
        found = run_audit(collection, [Collection(path) for path in against or ()], workers=workers, progress=progress)
        page = None if report is None else _write_report(found, report, manifests, progress)
    finally:
        bar.finish()
    if json:
        print_json({**_counts(found), "report": page and str(report)})
        return
    _print(found)
    removed = len({name for table in (found.duplicates, found.leaks, found.suspects) for name in _removed(table)})
    console().print(
        f"{folder}: {cell(found.duplicates.num_rows)} duplicates, {cell(found.leaks.num_rows)} leaks, "
        f"{cell(found.suspects.num_rows)} suspects; {cell(removed)} of {cell(len(collection))} samples proposed for "
        "removal" + (f"; {page}" if page else "; --report FILE.html shows them")
    )


def _write_report(
    found: Audit, path: Path, manifests: list[Path] | None, progress: Callable[[str, int], Callable[[int], None]]
) -> str:
    from hqdata.analysis.report.page import write_report  # noqa: PLC0415 - loads what only this option needs

    written = write_report(found, path, load_catalog(manifests or ()), on_pictures=progress("pictures", 0))
    return f"report in {path} ({size_text(written.bytes)}, {cell(written.pictures)} pictures)"


def _removed(table: Iterable[object]) -> set[str]:
    return {name.rpartition("#")[0] for name in table.column("remove").to_pylist() if name}  # type: ignore[attr-defined]


def _counts(found: Audit) -> dict[str, object]:
    """Findings by word, for machines."""
    return {
        "collection": str(found.collection.folder),
        "against": [str(item.folder) for item in found.against],
        DUPLICATES: dict(sorted(Counter(found.duplicates["level"].to_pylist()).items())),
        LEAKS: dict(sorted(Counter(found.leaks["level"].to_pylist()).items())),
        SUSPECTS: dict(sorted(Counter(found.suspects["kind"].to_pylist()).items())),
    }


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table, or that nothing was found."""
    if rows:
        print_table(title, columns, rows)
    else:
        console().print(f"[bold]{title}[/bold]: none found\n")


def _print(found: Audit) -> None:
    synthetic_note(found.collection.index)
    relations = Counter((row["level"], ", ".join(row["changes"])) for row in found.duplicates.to_pylist())
    rows = [
        (level, changes, number, LEVELS[level])
        for level in LEVELS
        for (key, changes), number in sorted(relations.items())
        if key == level
    ]
    _table("Duplicates", ("level", "changes", "number#", "meaning"), rows)
    names = ", ".join(item.folder.name for item in found.against)
    leaked = Counter((row["against"], row["level"]) for row in found.leaks.to_pylist())
    if names:
        _table(
            f"Leaks into {names}",
            ("evaluation collection", "level", "number#", "meaning"),
            [(name, level, leaked[name, level], LEVELS[level]) for name, level in sorted(leaked)],
        )
    else:
        console().print("[bold]Leaks[/bold]: not looked for; name evaluation collections with --against\n")
    kinds = Counter(found.suspects["kind"].to_pylist())
    _table("Suspects", ("kind", "number#", "meaning"), [(k, kinds[k], KINDS[k]) for k in KINDS if kinds[k]])
    first = [row for row in found.suspects.to_pylist() if row["rank"] <= SHOWN]
    if first:
        print_table(
            f"The first {SHOWN} of each kind",
            ("kind", "rank", "mask_id", "score", "reason"),
            [(row["kind"], row["rank"], row["mask_id"], f"{row['score']:.2f}", row["reason"]) for row in first],
        )
