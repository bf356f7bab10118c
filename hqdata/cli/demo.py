"""``hqdata demo``: the whole chain on drawn data."""

from pathlib import Path
from typing import Annotated

import typer

from hqdata.cli.build import Workers
from hqdata.cli.collection import print_info, print_rejects
from hqdata.cli.show import Json, console, print_json, progress_bars
from hqdata.pipelines.demo import run_demo
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
    """Draw small stand-ins of the six sources, pack them as the real archives, build and verify a collection.

    Needs no network and no real data. Example: `hqdata demo --out demo`
    """
    done = run_demo(out, Options(workers=workers, progress=progress_bars))
    index = done.built.index
    if json:
        print_json({**index, "folder": str(done.built.folder), "sheet": str(done.sheet)})
        return
    print_info(index)
    print_rejects(Collection(done.built.folder))
    console().print(
        f"{done.built.folder}: {index['rows']:,} drawn samples, verified. Archives in {done.archives}, manifests in "
        f"{done.manifests}, pictures in {done.sheet}"
    )
