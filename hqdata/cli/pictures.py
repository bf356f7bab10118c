"""``hqdata pictures``: what runs make of a collection, beside the frozen SAM and the truth."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from hqdata.cli.show import Json, cell, console, print_json, print_table, progress_bars, synthetic_note
from hqdata.cli.train import require_torch
from hqdata.errors import UsageError, explain
from hqdata.fetch.progress import staged
from hqdata.store.reader import Collection
from hqdata.store.split import is_split
from hqdata.store.view import open_view

if TYPE_CHECKING:
    from hqdata.training.evaluate import Means, Summary
    from hqdata.training.run import Run


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("pictures")(pictures)


def pictures(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of finished runs, of one SAM.")],
    on: Annotated[Path, typer.Option("--on", metavar="DIR", help="A collection, or a split of one.")],
    out: Annotated[
        Path, typer.Option("--out", metavar="FOLDER", help="Folder to write; it must not exist yet, or be empty.")
    ],
    count: Annotated[int, typer.Option("--count", min=1, help="Masks to draw.")] = 24,
    ids: Annotated[
        list[str] | None, typer.Option("--ids", metavar="ID", help="Draw this mask or sample instead; repeat.")
    ] = None,
    protocol: Annotated[
        Literal["native", "paper"],
        typer.Option("--protocol", help="Images padded as SAM does, or squashed as the paper's code does."),
    ] = "native",
    output: Annotated[
        Literal["head", "sum"], typer.Option("--output", help="The trained mask alone, or added to SAM's own.")
    ] = "head",
    device: Annotated[
        Literal["auto", "cpu", "cuda"], typer.Option("--device", help="Where to compute; the GPU if there is one.")
    ] = "auto",
    replace: Annotated[bool, typer.Option("--replace", help="Replace pictures of an earlier call in --out.")] = False,
    json: Json = False,
) -> None:
    """Score runs on a collection with the truth's boxes, and draw masks at native resolution: image, truth, SAM, each
    run, and what is wrong. By default those with the largest gains and losses in boundary IoU and some in the middle.

    Example: `hqdata pictures runs/exact runs/sa1b --on hq-eval --out pictures`
    """
    require_torch()
    # torch takes seconds to import, and is an extra
    from hqdata.training.parallel import device_of  # noqa: PLC0415
    from hqdata.training.pictures import Comparison, write_pictures  # noqa: PLC0415
    from hqdata.training.run import open_run  # noqa: PLC0415

    samples = open_view(on) if is_split(on) else Collection(on)
    opened = _named([open_run(path) for path in runs])
    place = device_of(device)
    sam = next(iter(opened.values())).sam
    for run in opened.values():
        run.sam = sam  # the same by its hash: one copy is enough
    compared = Comparison(
        samples=samples,
        sam=sam.to(place),
        heads={name: run.head.to(place) for name, run in opened.items()},
        protocol=protocol,
        output=output,
    )
    facts = {f"run {name}": f"{run.variant}, {run.run_id}" for name, run in opened.items()}
    bar = progress_bars("samples")
    try:
        done = write_pictures(
            compared, out, count=count, ids=ids or (), facts=facts, replace=replace, stage=staged(bar)
        )
    finally:
        bar.finish()
    if json:
        print_json({**asdict(done), "folder": str(done.folder)})
        return
    synthetic_note(samples.index)
    print_means(done.summaries)
    base, *others = done.summaries
    gains = ", ".join(f"{item.run} {_percent(item.overall.boundary_iou)}" for item in others)
    console().print(
        f"{out / 'index.html'}: {cell(len(done.pictures))} pictures; mBIoU of SAM alone "
        f"{_percent(base.overall.boundary_iou)}, {gains}"
    )


def _named(runs: Sequence["Run"]) -> dict[str, "Run"]:
    """Runs by the names of their folders.

    Raises:
        UsageError: two of one name, or of different SAMs.
    """
    named = {run.path.resolve().name: run for run in runs}
    if len(named) < len(runs):
        twice = ", ".join(str(run.path) for run in runs)
        raise UsageError(explain("two runs have one name", expected="folders of different names", got=twice))
    sams = {name: run.facts["identity"]["sam"]["sha256"] for name, run in named.items()}
    if len(set(sams.values())) > 1:
        got = ", ".join(f"{name}: {digest[:12]}" for name, digest in sams.items())
        do = "make pictures of each SAM's runs by themselves"
        raise UsageError(explain("the runs were trained on different SAMs", expected="one", got=got, do=do))
    return named


def print_means(summaries: Sequence["Summary"]) -> None:
    """Means of the base and each run, over all and by source; scores in percent."""
    base = summaries[0]
    columns = ("run", "output", "masks#", "mIoU#", "mBIoU#", "change of mBIoU#", "of all masks: IoU#", "boundary IoU#")
    rows = [
        (item.run, item.output, *_cells(item.overall), _change(item.overall, base.overall), *_cells(item.plain)[1:])
        for item in summaries
    ]
    print_table("Means of the sources' means, in percent; base is the frozen SAM alone", columns, rows)
    by_source = [
        (source, item.run, *_cells(item.sources[source]), _change(item.sources[source], base.sources[source]))
        for source in base.sources
        for item in summaries
    ]
    print_table("By source", ("source", "run", "masks#", "IoU#", "boundary IoU#", "change#"), by_source)
    if base.unscored:
        console().print(
            f"masks without foreground on SAM's canvas, so without a box: {cell(base.unscored)}; in no mean\n"
        )


def _cells(means: "Means") -> tuple[object, str, str]:
    return means.masks, _percent(means.iou), _percent(means.boundary_iou)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"


def _change(means: "Means", base: "Means") -> str:
    if means is base or means.boundary_iou is None or base.boundary_iou is None:
        return ""
    return f"{100 * (means.boundary_iou - base.boundary_iou):+.1f}"
