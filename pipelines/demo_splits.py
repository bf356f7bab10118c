"""The demo's part on splits: one source less, a clean split, a matched control, a mask-quality ladder, and its picture.

The plan is ``demo-splits.toml`` beside this file, and ``leave-one-out`` of the ready plans.
"""

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from hqdata.analysis.sheet import side_by_side
from hqdata.analysis.stats import compute_stats
from hqdata.catalog import load_catalog
from hqdata.errors import UsageError, explain
from hqdata.fetch.progress import staged
from hqdata.pipelines.demo import Demo
from hqdata.pipelines.ready import Outcome, Role, load_plan, make_ready, parse_plan
from hqdata.pipelines.recipe import Options
from hqdata.store.reader import Collection
from hqdata.store.split import Split
from hqdata.store.view import open_view

PLAN = "demo-splits.toml"
SHOWN = 6
"""Samples in the ladder's picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSplits:
    """What was made."""

    folder: Path
    control: Path
    """Collection of the miniature of SA-1B."""
    outcomes: tuple[Outcome, ...]
    """In the order in which they were made."""
    ladder: Path
    """Picture of the same masks at every level."""

    @property
    def splits(self) -> tuple[Split, ...]:
        """All that could be made."""
        return tuple(split for outcome in self.outcomes for split in outcome.splits)

    @property
    def lost(self) -> tuple[Outcome, ...]:
        """Those that could not."""
        return tuple(outcome for outcome in self.outcomes if outcome.problem)


def split_demo(demo: Demo, options: Options) -> DemoSplits:
    """Make the demo's splits from its audited collection and from its control, and draw the ladder.

    Raises:
        UsageError: it was drawn too small to have a control.
    """
    if demo.control is None:
        raise UsageError(explain("a demo this small has no control", do="draw it at full scale"))
    folder, catalog = demo.built.folder.with_name("splits"), load_catalog((demo.manifests,))
    roles: dict[Role, Collection] = {
        "data": Collection(demo.built.folder),
        "control": Collection(demo.control.folder),
    }
    bar = options.progress("steps")
    progress = staged(bar)
    own = parse_plan((resources.files("hqdata.pipelines") / PLAN).read_text(encoding="utf-8"), PLAN)
    outcomes: list[Outcome] = []
    try:
        compute_stats(roles["control"], workers=options.workers, on_samples=progress("statistics", 0))
        for plan in (load_plan("leave-one-out"), own):
            outcomes += make_ready(
                plan, roles, folder, catalog, workers=options.workers, progress=progress, replace=True
            )
    finally:
        bar.finish()
    made = DemoSplits(
        folder=folder, control=demo.control.folder, outcomes=tuple(outcomes), ladder=folder / "ladder.png"
    )
    views = {split.name: open_view(split.path) for split in made.splits if split.name.startswith("masks-")}
    side_by_side(views, made.ladder, count=SHOWN)
    return made
