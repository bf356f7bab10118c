"""Entry of the ``hqdata`` command."""

import json
import logging
import os
import sys
from typing import NoReturn

import typer

from hqdata.cli import (
    audit,
    build,
    catalog,
    collection,
    demo,
    export,
    fetch,
    pictures,
    split,
    sql,
    stats,
    train,
    variants,
)
from hqdata.errors import HQDataError, UsageError, explain

_WAITING = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "1000"}
"""How threads of OpenMP wait for each other, unless the user says."""

app = typer.Typer(
    name="hqdata",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Build HQSeg-44K and its controls from public sources into Arrow, look into it, split it, and train HQ-SAM on "
    "any split.",
)
catalog.register(app)
fetch.register(app)
build.register(app)
collection.register(app)
export.register(app)
stats.register(app)
sql.register(app)
audit.register(app)
split.register(app)
variants.register(app)
train.register(app)
pictures.register(app)
demo.register(app)


def main() -> None:
    """Run a command; an error of ours is its text on standard error and exit code 1 (2 for wrong usage)."""
    # Read when torch is loaded. Threads that wait in a loop take the cores from those that they wait for: where another
    # process is busy, steps of a training take up to fifty times as long. A short loop is as good on a quiet machine.
    if not _WAITING.keys() & os.environ:
        os.environ.update(_WAITING)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    try:
        app()
    except HQDataError as error:
        _fail(type(error).__name__, str(error), 2 if isinstance(error, UsageError) else 1)
    except OSError as error:
        _fail("OSError", explain("the system refused", got=error, did="finished parts are kept"), 1)
    except KeyboardInterrupt:
        text = "hqdata: stopped; finished parts are kept, run the same command (train: with --resume) to go on"
        print(text, file=sys.stderr)
        sys.exit(130)


def _fail(kind: str, text: str, code: int) -> NoReturn:
    message = json.dumps({"error": kind, "message": text}) if "--json" in sys.argv else f"hqdata: {text}"
    print(message, file=sys.stderr)
    sys.exit(code)
