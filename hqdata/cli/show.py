"""How commands print: tables for people, JSON for machines, one summary line at the end."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from hqdata.cli.progress import DownloadBar
from hqdata.errors import UsageError, explain
from hqdata.fetch.progress import Progress, SilentProgress
from hqdata.manifest import Source

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of tables.")]


def console() -> Console:
    """Console of standard output; wide when it is no terminal, so that piped tables are not cut."""
    return Console(width=None if sys.stdout.isatty() else 200, highlight=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """Print one JSON document."""
    print(json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True))


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; columns whose name ends in ``#`` are numbers, aligned to the right."""
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold", box=None, pad_edge=False)
    for column in columns:
        numeric = column.endswith("#")
        table.add_column(column.removesuffix("#"), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(cell(value) for value in row))
    console().print(table)
    console().print()


def cell(value: object) -> str:
    """Text of a value: thousands separated, None as unknown.

    >>> cell(44320), cell(None), cell("x")
    ('44,320', 'unknown', 'x')
    """
    if value is None:
        return "unknown"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value).replace("[", "\\[")


def duration_text(hours: float) -> str:
    """A length of time as one says it.

    >>> duration_text(0.002), duration_text(0.3), duration_text(4.21)
    ('7 s', '18 min', '4.2 h')
    """
    seconds = hours * 3600
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if hours < 2 else f"{hours:.1f} h"


def size_text(count: int | None) -> str:
    """Bytes for people.

    >>> size_text(3529707387), size_text(999), size_text(None)
    ('3.53 GB', '999 B', 'unknown')
    """
    if count is None:
        return "unknown"
    size = float(count)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size < 1000 or unit == "TB":
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.3g} {unit}"


def choice(option: str, value: Any, known: Sequence[Any]) -> Any:
    """The value of an option, if it is one of those known; UsageError names them otherwise."""
    if value not in known:
        raise UsageError(explain(f"{option} {value!r}", expected=" or ".join(str(k) for k in known if k is not None)))
    return value


def progress_bars(unit: str) -> Progress:
    """Bars on a terminal, silence elsewhere."""
    return DownloadBar(unit=unit) if sys.stderr.isatty() else SilentProgress()


def ask_terms(source: Source) -> bool:
    """Show a source's terms and ask a person; False where nobody can answer."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    typer.echo(f"\n{source.title}: {source.terms.summary}", err=True)
    typer.echo(f"licence: {source.terms.licence or 'unknown'}   {source.terms.url or ''}", err=True)
    return typer.confirm("Do you accept these terms?", err=True)


def synthetic_note(index: dict[str, Any]) -> None:
    """Say on every page that shows drawn data that they are drawn."""
    if index["recipe"]["synthetic"]:
        console().print("SYNTHETIC: these images and masks were drawn by hqdata; they are not the real datasets.\n")
