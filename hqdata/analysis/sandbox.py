"""What keeps a query a question: one SELECT over the registered tables, on a connection that is locked.

This is a guard rail for mistakes and casual hostility, not a sandbox for strangers: DuckDB says of itself that
untrusted SQL needs the operating system's isolation. Two layers, each enough for what it covers: the connection cannot
reach files, extensions, settings or Python variables, whatever the statement; and the statement's syntax tree may hold
only queries and functions from a list, so that what is refused is refused with a reason.
"""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb

from hqdata.errors import QueryError, QueryRefused, explain
from hqdata.limits import QueryLimits

QUERY_NODES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
TABLE_FUNCTIONS = frozenset(
    {
        *("range", "generate_series", "unnest", "repeat", "repeat_row", "json_each", "json_tree"),
        *("duckdb_columns", "duckdb_functions", "duckdb_keywords", "duckdb_tables", "duckdb_types", "duckdb_views"),
        *("pragma_table_info", "pragma_version"),
    }
)
"""Table functions that reach nothing but their arguments and the names of things."""
REFUSED_FUNCTIONS = frozenset(
    {"getenv", "write_log", "nextval", "setval", "currval", "sleep_ms", "current_setting", "json_serialize_plan"}
)
"""Functions with an effect, or that tell of the machine."""
_EXPLAIN = re.compile(r"\s*EXPLAIN\b(\s+ANALYZE\b)?(\s*\([^()]*\))?", re.IGNORECASE)
_DO = "ask with one SELECT over the tables that `hqdata sql --schema DIR` lists"


@dataclass(frozen=True, slots=True)
class Question:
    """A statement that passed, and the tables it names."""

    text: str
    tables: frozenset[str]


def lock(connection: duckdb.DuckDBPyConnection, limits: QueryLimits) -> None:
    """Close a connection to everything but what is registered; nothing reopens it."""
    threads = limits.threads or os.cpu_count() or 1
    for statement in (
        "SET autoinstall_known_extensions = false",
        "SET autoload_known_extensions = false",
        "SET allow_community_extensions = false",
        "SET allow_persistent_secrets = false",
        "SET python_enable_replacements = false",
        "SET temp_directory = ''",
        f"SET memory_limit = '{limits.memory_bytes}B'",
        f"SET threads = {threads}",
        "SET enable_external_access = false",
        "SET lock_configuration = true",  # last: after it no setting changes any more
    ):
        connection.execute(statement)


def read_question(connection: duckdb.DuckDBPyConnection, text: str, limits: QueryLimits) -> Question:
    """Check that a text is one question.

    Raises:
        QueryRefused: it is not exactly one SELECT (or EXPLAIN of one), or names a function that is not let through.
        QueryError: it is no SQL at all.
    """
    if len(text.encode("utf-8", "surrogatepass")) > limits.statement_bytes or "\0" in text:
        raise _refused("is too long or holds a NUL", f"{len(text):,} characters")
    try:
        statements = connection.extract_statements(text)
    except (duckdb.Error, UnicodeError) as error:
        raise QueryError(explain("this is no SQL that can be read", got=first_lines(error, 4), do=_DO)) from error
    if len(statements) != 1:
        raise _refused("must be exactly one", f"{len(statements)} statements")
    kind = statements[0].type
    if kind == duckdb.StatementType.MULTI:
        raise _refused("needs several steps", "a PIVOT without values", "write PIVOT ... ON column IN (values)")
    if kind not in {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN}:
        raise _refused("must be a SELECT", kind.name)
    explained = kind == duckdb.StatementType.EXPLAIN
    tree = _tree(connection, _EXPLAIN.sub("", text, count=1) if explained else text)
    return Question(text, frozenset(_judged(tree)))


def _tree(connection: duckdb.DuckDBPyConnection, query: str) -> Any:
    """Syntax tree of a SELECT; DuckDB serializes no other statement, so that an EXPLAIN of one is refused here."""
    try:
        [[serialized]] = connection.execute("SELECT json_serialize_sql(?)", [query]).fetchall()
        tree = json.loads(serialized)
    except (duckdb.Error, RecursionError) as error:
        raise _refused("cannot be judged", first_lines(error, 1)) from error
    if tree["error"]:
        raise _refused("must be a SELECT", tree.get("error_message", "something else"))
    return tree


def _judged(tree: Any) -> Iterator[str]:
    """Refuse what is not on the lists; yield the names of the tables."""
    for node in _dicts(tree):
        kind = str(node.get("type", ""))
        if kind.endswith("_NODE") and kind not in QUERY_NODES:
            raise _refused("must only read", kind.removesuffix("_NODE").replace("_", " "))
        if kind == "TABLE_FUNCTION":
            name = str(node["function"]["function_name"]).lower()
            if name not in TABLE_FUNCTIONS:
                raise _refused(
                    "may not call this table function", f"{name}()", "attach your own files with --attach NAME=FILE"
                )
        if node.get("class") == "FUNCTION" and str(node["function_name"]).lower() in REFUSED_FUNCTIONS:
            raise _refused("may not call this function", f"{node['function_name']}()")
        if kind == "BASE_TABLE":
            yield str(node["table_name"])


def _dicts(tree: Any) -> Iterator[dict[str, Any]]:
    waiting = [tree]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield item
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)


def _refused(what: str, got: str, do: str = _DO) -> QueryRefused:
    return QueryRefused(explain(f"the statement {what}", got=got, did="nothing was run", do=do))


def first_lines(error: BaseException, count: int) -> str:
    """Beginning of an error's text, without its kind."""
    text = re.sub(r"^[A-Z][A-Za-z ]* Error: ", "", str(error))
    return "\n            ".join(line for line in text.splitlines()[:count] if line.strip())
