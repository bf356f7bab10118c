"""``hqdata sql``: questions about collections."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hqdata.cli.show import console, print_table
from hqdata.errors import UsageError, explain
from hqdata.export.table import BINARY, FORMATS, SUFFIXES, json_text, write_table
from hqdata.fsio.atomic import atomic_file
from hqdata.limits import QueryLimits
from hqdata.store.index import read_index
from hqdata.store.split import is_split, read_split

if TYPE_CHECKING:
    import pyarrow as pa

SHOWN_ROWS = 100
_DEFAULT = QueryLimits()
Attach = Annotated[
    list[str] | None, typer.Option("--attach", metavar="NAME=FILE", help="Your own CSV, TSV or Parquet file, a table.")
]
Json = Annotated[bool, typer.Option("--json", help="The same as --format json.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("sql")(sql)


def sql(
    query: Annotated[str | None, typer.Argument(metavar="SELECT", help="One SELECT, in quotes.")] = None,
    folders: Annotated[
        list[Path] | None, typer.Argument(metavar="DIR...", help="One or more collections, or splits of them.")
    ] = None,
    attach: Attach = None,
    kind: Annotated[
        str | None, typer.Option("--format", help="table, csv, json, parquet or arrow; else by --out's suffix.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write the answer to this file.")] = None,
    schema: Annotated[
        bool, typer.Option("--schema", help="List every table and column with type, unit and meaning; no SELECT then.")
    ] = False,
    seconds: Annotated[float, typer.Option("--seconds", min=0.1, help="Longest run.")] = _DEFAULT.seconds,
    rows: Annotated[int, typer.Option("--rows", min=1, help="Most rows of an answer.")] = _DEFAULT.rows,
    json: Json = False,
) -> None:
    """Ask a collection, or several, one question in SQL (DuckDB's). Tables: samples, rejects, stats (after `hqdata
    stats`), duplicates, leaks, suspects (after `hqdata audit`); a column `collection` tells collections apart. A split
    (NAME.split.json) counts as a collection of its masks, and there is a table splits. Nothing is ever written.

    Example: `hqdata sql "SELECT source, count(*) AS masks FROM samples GROUP BY ALL" hqseg-44k`
    """
    from hqdata.analysis import query as questions  # noqa: PLC0415 - loads DuckDB, which no other command needs

    chosen = _format(kind, out, as_json=json)
    attached = dict(_split(item) for item in attach or ())
    if schema:
        where = [Path(word) for word in [query, *(folders or [])] if word]
        listed = questions.schema(*where, attach=attached)
        _give(listed, chosen, out, where, most=listed.num_rows)
        return
    if query is None or not folders or _names_data(query):
        raise UsageError(
            explain("give a SELECT and after it the collections", expected='hqdata sql "SELECT ..." DIR...', got=query)
        )
    limits = replace(_DEFAULT, seconds=seconds, rows=rows)
    _give(questions.select(query, *folders, attach=attached, limits=limits), chosen, out, folders)


def _names_data(query: str) -> bool:
    """Whether what stands in the place of a statement is a collection or a split."""
    try:
        return Path(query).is_dir() or is_split(Path(query))
    except (OSError, ValueError):
        # A statement may be longer than any path, or hold what no path can.
        return False


def _format(kind: str | None, out: Path | None, *, as_json: bool) -> str:
    by_name = SUFFIXES.get(out.suffix.lower()) if out else None
    chosen = kind or ("json" if as_json else by_name or "table")
    if chosen not in {"table", *FORMATS}:
        raise UsageError(explain(f"--format {chosen!r}", expected="table, " + ", ".join(FORMATS)))
    if as_json and chosen != "json":
        raise UsageError(explain("--json and another --format", do="leave one of them out"))
    if out is not None and chosen == "table":
        raise UsageError(explain(f"--out {out} needs a format", expected="--format " + " or ".join(FORMATS)))
    if out is None and chosen in BINARY:
        raise UsageError(explain(f"{chosen} is not for a terminal", do="name a file with --out"))
    return chosen


def _split(item: str) -> tuple[str, str]:
    name, equals, file = item.partition("=")
    if not (name and equals and file):
        raise UsageError(explain(f"--attach {item!r}", expected="NAME=FILE, such as --attach mine=scores.csv"))
    return name, file


def _give(table: "pa.Table", kind: str, out: Path | None, folders: list[Path], most: int = SHOWN_ROWS) -> None:
    """Print or write an answer, ``most`` rows of it as a table, and say at the end what it was."""
    if out is not None:
        with atomic_file(out) as sink:
            write_table(table, sink, kind)
    elif kind == "table":
        _show(table, most)
    else:
        write_table(table, sys.stdout.buffer, kind)
        sys.stdout.buffer.flush()
        return
    facts = [_facts(folder) for folder in folders]
    drawn = [name for name, synthetic in facts if synthetic]
    note = f"; SYNTHETIC: {', '.join(drawn)} was drawn by hqdata" if drawn else ""
    where = f" written to {out}" if out else ""
    console().print(f"{table.num_rows:,} rows{where}{note}".replace("[", "\\["))


def _facts(path: Path) -> tuple[str, bool]:
    """Name of a collection or split, and whether its images were drawn."""
    if is_split(path):
        split = read_split(path)
        return split.name, bool(split.facts["collection"]["synthetic"])
    return path.resolve().name, bool(read_index(path)["recipe"]["synthetic"])


def _show(table: "pa.Table", most: int) -> None:
    head = table.slice(0, most)
    columns = [field.name + ("#" if _is_number(str(field.type)) else "") for field in head.schema]
    shown = zip(*([_text(value) for value in column.to_pylist()] for column in head.columns), strict=True)
    print_table("", columns, shown)
    if table.num_rows > most:
        more = table.num_rows - most
        console().print(f"... and {more:,} rows more; --out FILE or --format csv gives all of them")


def _is_number(kind: str) -> bool:
    return kind.startswith(("int", "uint", "double", "float", "half", "decimal"))


def _text(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | dict | bytes):
        return json_text(value)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
