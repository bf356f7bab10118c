"""Why a query failed and what to do about it, in the project's words; wrong names get the nearest right one."""

import re

import duckdb

from hqdata.analysis.sandbox import Question, first_lines
from hqdata.analysis.split_tables import SPLITS
from hqdata.analysis.tables import DERIVED, Tables
from hqdata.errors import QueryError, QueryRefused, explain
from hqdata.limits import QueryLimits
from hqdata.strict import nearest

_TABLE = re.compile(r"(?:Table with name|Referenced table) \"?(?P<name>[^\"\n]+?)\"?(?: does not exist| not found)")
_COLUMN = re.compile(
    r"Referenced column \"(?P<a>[^\"]+)\" not found"
    r"|does not have a column named \"(?P<b>[^\"]+)\""
    r"|Cannot extract field '(?P<c>[^']+)' from expression"
)
_SEE = "`hqdata sql --schema DIR` lists every table and column"


def advise(error: Exception, question: Question, tables: Tables, limits: QueryLimits) -> QueryError:
    """Turn DuckDB's error into ours."""
    text = str(error)
    if isinstance(error, duckdb.OutOfMemoryException):
        return QueryError(
            explain(
                "the query needs more memory than allowed",
                expected=f"at most {limits.memory_bytes / 1e6:,.0f} MB",
                did="it was stopped; nothing is spilled to disk",
                do="filter or group earlier, or raise `memory_bytes` in QueryLimits",
            )
        )
    if isinstance(error, duckdb.PermissionException):
        return QueryRefused(
            explain(
                "a query reads the registered tables only, no files",
                got=first_lines(error, 1),
                did="nothing was read",
                do="attach your own files with --attach NAME=FILE",
            )
        )
    if "reading the stream registered as" in text:
        return QueryError(
            explain(
                "the file of a table cannot be read",
                got=first_lines(error, 1),
                do="`hqdata verify DIR` says whether it is the collection's; remove the folder of a table in "
                "DIR.derived/, and it is computed again",
            )
        )
    if wrong := _TABLE.search(text):
        return _wrong_table(wrong["name"], tables)
    if wrong := _COLUMN.search(text):
        return _wrong_column(wrong["a"] or wrong["b"] or wrong["c"], question, tables)
    return QueryError(explain("the query cannot be answered", got=first_lines(error, 5), do=_SEE))


def too_long(limits: QueryLimits) -> QueryError:
    """The query was stopped at its time limit."""
    return QueryError(
        explain(
            "the query takes longer than allowed",
            expected=f"at most {limits.seconds:g} s",
            did="it was stopped",
            do="look for a join without a condition, or raise `seconds` in QueryLimits (--seconds)",
        )
    )


def too_large(limits: QueryLimits) -> QueryError:
    """The result is larger than allowed."""
    return QueryError(
        explain(
            "the result is larger than allowed",
            expected=f"at most {limits.rows:,} rows and {limits.result_bytes / 1e6:,.0f} MB",
            did="it was stopped and dropped: a part of an answer is no answer",
            do="group or filter, add a LIMIT, or raise `rows` in QueryLimits (--rows)",
        )
    )


def _wrong_table(name: str, tables: Tables) -> QueryError:
    kind = name.lower()
    if kind in tables.without:
        folders = tables.without[kind]
        return QueryError(
            explain(
                f"there is no table {kind} yet",
                got=f"none of {' '.join(str(folder) for folder in folders)}",
                do="\n            ".join(f"run `{DERIVED[kind].format(folder)}`" for folder in folders),
            )
        )
    if kind == SPLITS and kind not in tables.datasets:
        return QueryError(
            explain(
                f"there is no table {SPLITS}",
                got="no split among what is asked",
                do='name splits, too: `hqdata sql "SELECT ..." NAME.split.json`',
            )
        )
    return QueryError(explain(f'no table "{name}"', do=f"{nearest(name, sorted(tables.datasets))}; {_SEE}"))


def _wrong_column(name: str, question: Question, tables: Tables) -> QueryError:
    """Name the table that has the column, else the nearest column of the tables in the query."""
    columns = tables.columns()
    used = {table.lower() for table in question.tables}
    here = sorted({column for table in columns if table.lower() in used for column in columns[table]})
    there = [table for table in sorted(columns) if table.lower() not in used and name in columns[table]]
    hints = [_SEE]
    if there:
        hints = [f'"{name}" is a column of {", ".join(there)}', _SEE]
    elif here:
        hints = [nearest(name, here), _SEE]
    where = ", ".join(sorted(used)) or "the query"
    return QueryError(explain(f'no column "{name}" in {where}', do="; ".join(hints)))
