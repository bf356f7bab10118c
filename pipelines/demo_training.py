"""The demo's last part: one head on one frozen SAM, trained on exact and on coarse masks, beside plain SAM."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hqdata.fetch.progress import staged
from hqdata.pipelines.recipe import Options
from hqdata.store.reader import Collection
from hqdata.training.evaluate import Summary
from hqdata.training.job import Asked
from hqdata.training.loop import train
from hqdata.training.observer import NOBODY, Observer
from hqdata.training.pictures import PAGE, Comparison, write_pictures
from hqdata.training.run import open_run
from hqdata.training.sam import SAM_MINI

RECIPE = "mini"
PICTURES = 12
EXACT, COARSE = "hq-sam-exact", "hq-sam-sa1b"
"""Folders of the two runs, and what pictures call them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoTraining:
    """What was trained, and how good it is on the evaluation collection."""

    runs: tuple[Path, ...]
    means: list[Summary]
    """Of plain SAM, then of the heads alone."""
    page: Path
    """Pictures of all of them, side by side."""


def train_demo(
    data: tuple[Path, Path],
    evaluation: Path,
    out: Path,
    options: Options,
    *,
    observer: Callable[[str], Observer] = lambda _: NOBODY,
    changes: Sequence[str] = (),
) -> DemoTraining:
    """Train HQ-SAM on sam-mini twice, score both runs and plain SAM, and draw the pictures.

    Args:
        data: splits or collections: of exact masks, and of coarse ones.
        evaluation: collection to score on.
        out: gets ``runs/`` and ``pictures/``; those of an earlier demo are replaced.
        options: progress.
        observer: looks on at a run; made out of its name.
        changes: of the recipe.
    """
    folder = out / "runs"
    shutil.rmtree(folder, ignore_errors=True)
    paths = [folder / name for name in (EXACT, COARSE)]
    for path, place in zip(paths, data, strict=True):
        asked = Asked(out=path, data=place, sam=SAM_MINI, recipe=RECIPE, changes=tuple(changes))
        train(asked, observer(path.name))
    runs = [open_run(path) for path in paths]
    heads = {run.path.name: run.head for run in runs}
    compared = Comparison(samples=Collection(evaluation), sam=runs[0].sam, heads=heads)
    bar = options.progress("samples")
    try:
        written = write_pictures(compared, out / "pictures", count=PICTURES, replace=True, stage=staged(bar))
    finally:
        bar.finish()
    return DemoTraining(runs=tuple(paths), means=written.summaries, page=written.folder / PAGE)
