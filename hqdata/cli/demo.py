"""``hqdata demo``: the whole chain on drawn data."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from hqdata.cli.build import Workers
from hqdata.cli.collection import print_info, print_rejects
from hqdata.cli.show import Json, console, print_json, print_table, progress_bars
from hqdata.pipelines.demo import audit_demo, run_demo
from hqdata.pipelines.recipe import Options
from hqdata.store.reader import Collection


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder for archives, manifests, collection, pictures.")] = Path(
        "demo"
    ),
    workers: Workers = 2,
    json: Json = False,
) -> None:
    """Draw small stand-ins of the six sources, with copies, leaks and faults planted; pack, build, verify, audit them.

    Needs no network and no real data. Example: `hqdata demo --out demo`
    """
    options = Options(workers=workers, progress=progress_bars)
    done = run_demo(out, options)
    rows = audit_demo(done, options)
    index = done.built.index
    if json:
        paths = {"evaluation": done.evaluation.folder, "sheet": done.sheet, "planted": done.planted}
        named = {name: str(path) for name, path in {**paths, "report": done.report}.items()}
        print_json({**index, "folder": str(done.built.folder), **named, "audit": [asdict(row) for row in rows]})
        return
    print_info(index)
    print_rejects(Collection(done.built.folder))
    columns = ("table", "word", "planted#", "found#", "under another word#", "missed#", "found besides#")
    shown = [(r.table, r.word, r.planted, r.found, r.as_another_word, len(r.missed), r.false_alarms) for r in rows]
    print_table("What the audit found of what was planted", columns, shown)
    console().print(
        f"{done.built.folder}: {index['rows']:,} drawn samples, verified and audited. Pictures in {done.sheet}, the "
        f"audit's report in {done.report}; evaluation samples in {done.evaluation.folder}, archives in "
        f"{done.archives}, manifests in {done.manifests}, the list of what was planted in {done.planted}"
    )
