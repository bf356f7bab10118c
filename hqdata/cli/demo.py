"""``hqdata demo``: the whole chain on drawn data."""

from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hqdata.cli.build import Workers
from hqdata.cli.collection import print_info, print_rejects
from hqdata.cli.pictures import print_means
from hqdata.cli.show import Json, console, print_json, print_table, progress_bars
from hqdata.cli.split_show import print_balance
from hqdata.cli.train import missing_packages
from hqdata.cli.watch import Watch
from hqdata.pipelines.demo import Demo, audit_demo, run_demo
from hqdata.pipelines.demo_splits import DemoSplits, split_demo
from hqdata.pipelines.recipe import Options
from hqdata.store.reader import Collection

if TYPE_CHECKING:
    from hqdata.pipelines.demo_training import DemoTraining


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
    """Draw small stand-ins of the six sources and of SA-1B, with copies, leaks and faults planted; pack, build, verify,
    audit and split them; train HQ-SAM on exact and on coarse masks, if the packages for training are installed.

    Needs no network and no real data. Example: `hqdata demo --out demo`
    """
    options = Options(workers=workers, progress=progress_bars)
    done = run_demo(out, options)
    rows = audit_demo(done, options)
    splits = split_demo(done, options)
    trained = _trained(done, splits, out, options)
    index = done.built.index
    if json:
        paths = {"folder": done.built.folder, "evaluation": done.evaluation.folder, "sheet": done.sheet}
        paths |= {"planted": done.planted, "report": done.report, "ladder": splits.ladder}
        if trained:
            paths["pictures"] = trained.page
        made = {
            "audit": [asdict(row) for row in rows],
            "splits": {split.name: split.facts for split in splits.splits},
            "trained": [asdict(item) for item in trained.means] if trained else None,
        }
        print_json({**index, **{name: str(path) for name, path in paths.items()}, **made})
        return
    print_info(index)
    print_rejects(Collection(done.built.folder))
    columns = ("table", "word", "planted#", "found#", "under another word#", "missed#", "found besides#")
    shown = [(r.table, r.word, r.planted, r.found, r.as_another_word, len(r.missed), r.false_alarms) for r in rows]
    print_table("What the audit found of what was planted", columns, shown)
    _print_splits(splits)
    if trained:
        print_means(trained.means)
        console().print(f"{trained.page}: the same masks by all three\n")
    else:
        console().print("No training: its packages are not installed (pip install 'hqdata[train]')\n")
    console().print(
        f"{done.built.folder}: {index['rows']:,} drawn samples, verified and audited. Pictures in {done.sheet} and "
        f"{splits.ladder}, the audit's report in {done.report}, splits in {splits.folder}; evaluation samples in "
        f"{done.evaluation.folder}, SA-1B's in {splits.control}, archives in {done.archives}, manifests in "
        f"{done.manifests}, the list of what was planted in {done.planted}"
    )


def _trained(done: Demo, splits: DemoSplits, out: Path, options: Options) -> "DemoTraining | None":
    """Train, where torch is installed."""
    if missing_packages():
        return None
    from hqdata.pipelines.demo_training import train_demo  # noqa: PLC0415 - torch is slow to import, and an extra

    with ExitStack() as stack:

        def watch(name: str) -> Watch:
            console().print(f"training {name}")
            observer = Watch()
            stack.enter_context(observer.shown())
            return observer

        data = (splits.folder / "clean.split.json", splits.control)
        return train_demo(data, done.evaluation.folder, out, options, observer=watch)


def _print_splits(done: DemoSplits) -> None:
    """What was chosen, how it is degraded, and how well the control is balanced."""
    chosen = [(s.name, s.facts["counts"]["masks"], ", ".join(s.facts["counts"]["sources"])) for s in done.splits]
    print_table("Splits", ("split", "masks#", "of"), chosen)
    ladder = [
        (split.name, source, f"{row['strength']:.5f}", f"{row['boundary_iou']:.3f}", f"{row['iou']:.3f}")
        for split in done.splits
        if split.facts["degrade"]
        for source, row in split.facts["degrade"]["sources"].items()
    ]
    print_table("Mask-quality ladder", ("split", "source", "strength#", "boundary IoU#", "IoU#"), ladder)
    for split in done.splits:
        if split.facts["balance"]:
            print_balance(split.facts["balance"], f"Balance of {split.name} against exact")
    for outcome in done.lost:
        console().print(f"NOT MADE: {outcome.name}: {outcome.problem}\n".replace("[", "\\["))
