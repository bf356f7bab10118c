"""What a training is asked to do, looked up and checked: nothing is written yet.

When a run goes on, what is not asked for anew is what the run says; what is asked for must agree with it.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hqdata.errors import UsageError, explain
from hqdata.store.reader import Collection
from hqdata.store.split import is_split
from hqdata.store.view import SplitView, open_view
from hqdata.training.ahead import one_ahead
from hqdata.training.batches import Batch, batches
from hqdata.training.parallel import CUDA, Team, device_of
from hqdata.training.recipe import Recipe, changed, load_recipe, recipe_of
from hqdata.training.run import FACTS, differences, facts_of, place_of, read_facts, relative_place
from hqdata.training.sam import FrozenSam, find_sam
from hqdata.training.variants.registry import find_variant, weights_of
from hqdata.training.visits import Visits, visits_of

RELEASED, HQ_SAM = "released", "hq-sam"
_MICRO = 8
"""Images in flight, at most, unless it is said."""
_WORKERS = 8
"""Processes that load data for a GPU, at most, unless it is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The options of ``hqdata train``. None stands for what the run says, if it goes on, or else for the default."""

    out: Path
    data: Path | None = None
    """A split or a collection."""
    variant: str | None = None
    sam: str | None = None
    """A checkpoint, or a name that :func:`~hqdata.training.sam.find_sam` knows."""
    recipe: str | None = None
    changes: tuple[str, ...] = ()
    """Of the recipe: ``key=value``."""
    seed: int | None = None
    resume: bool = False
    device: str = "auto"
    precision: str | None = None
    micro: int | None = None
    threads: int | None = None
    workers: int | None = None
    save_every: int = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """What a run's numbers depend on in their last digits, but not in their meaning."""

    device: str
    precision: str
    micro: int
    """Images in flight at a time."""
    threads: int
    """Of torch on the CPU: sums are cut by them."""
    world: int
    """Processes."""
    hqdata: str = version("hqdata")
    torch: str = torch.__version__


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Job:
    """A training that can begin."""

    asked: Asked
    facts: dict[str, Any]
    """Of ``run.json``: what it says, or will say."""
    how: How
    samples: Collection
    visits: Visits
    sam: FrozenSam
    head: nn.Module
    """With its first weights."""
    recipe: Recipe
    steps: int
    workers: int

    @property
    def out(self) -> Path:
        """Folder of the run."""
        return self.asked.out

    def batches(self, team: Team, first: int, last: int) -> Iterator[Batch]:
        """This process's share of the steps from ``first`` to before ``last``; for a GPU, each while it is busy."""
        made = batches(
            self.samples,
            # Of its own: it looks further ahead, and in a thread.
            visits_of(self.samples, self.visits.seed),
            self.recipe,
            self.sam.size,
            first=first,
            last=last,
            rank=team.rank,
            world=team.world,
            workers=self.workers,
        )
        # On a CPU the thread would take a core from the step.
        return one_ahead(batch.pin() for batch in made) if team.device.type == CUDA else made


def device_for(asked: Asked) -> str:
    """Where a training will run: a run that goes on stays where it was, unless told otherwise."""
    held = _held(asked)
    return device_of(held["how"]["device"] if held and asked.device == "auto" else asked.device)


def prepare(asked: Asked, team: Team) -> Job:
    """Look up everything that is asked for.

    Raises:
        UsageError: something is missing or does not fit together; or the run is there already and is not to go on, or
            is another one.
        HQDataError: split, collection or checkpoint cannot be read.
    """
    held = _held(asked)
    samples, place = _samples(asked, held)
    recipe = _recipe(asked, held)
    sam_place = asked.sam if asked.sam is not None else held and place_of(held["sam"]["path"], asked.out)
    if not sam_place:
        raise UsageError(explain("no SAM was given", do="--sam CHECKPOINT, or --sam sam-mini"))
    variant = find_variant(asked.variant or (held["identity"]["variant"] if held else HQ_SAM))
    seed = asked.seed if asked.seed is not None else held["identity"]["seed"] if held else 0
    sam = find_sam(sam_place)
    head = variant.make(sam.size, seed)
    split = samples if isinstance(samples, SplitView) else None
    visits = visits_of(samples, seed)
    # Refuses what processes cannot share.
    batches(samples, visits, recipe, sam.size, first=0, last=0, rank=team.rank, world=team.world)
    how = _how(asked, held, team, recipe)
    identity = {
        "data": {"digest": samples.digest, "content_digest": _whole(samples).digest, "masks": len(visits)},
        "variant": variant.name,
        "recipe": recipe.to_dict(),
        "seed": seed,
        "sam": {"sha256": sam.sha256, "size": _plain(asdict(sam.size))},
    }
    _require_same(held, identity, asked.out)
    steps = recipe.steps(len(visits))
    more = {
        "data": {"name": split.definition.name if split else samples.index["recipe"]["name"]}
        | {"kind": "split" if split else "collection", "path": relative_place(place, asked.out)},
        "sam": {"path": relative_place(sam_place, asked.out), "published": sam.published},
        "steps": steps,
        "trained_parameters": weights_of(head),
        "how": asdict(how),
    }
    return Job(
        asked=asked,
        facts=held or facts_of(identity, more),
        how=how,
        samples=samples,
        visits=visits,
        sam=sam,
        head=head,
        recipe=recipe,
        steps=steps,
        workers=_workers(how) if asked.workers is None else asked.workers,
    )


def is_begun(job: Job) -> bool:
    """Look again whether the run is there, in the one process that may begin it; raises what :func:`prepare` does."""
    held = _held(job.asked)
    _require_same(held, job.facts["identity"], job.out)
    return held is not None


def _held(asked: Asked) -> dict[str, Any] | None:
    """What the run says that is to go on; None if it is to begin."""
    out = asked.out
    # Hidden files are what a kill leaves of one that was being written.
    if not out.exists() or (out.is_dir() and all(path.name.startswith(".") for path in out.iterdir())):
        return None
    if not (out / FACTS).is_file():
        raise UsageError(
            explain(f"{out} is there, and it is no run", did="nothing was changed", do="choose another --out")
        )
    if not asked.resume:
        do = "add --resume to go on with it (a finished one stays as it is), or choose another --out"
        raise UsageError(explain(f"the run {out} is there already", did="nothing was changed", do=do))
    return read_facts(out)


def _samples(asked: Asked, held: Mapping[str, Any] | None) -> tuple[Collection, Path]:
    place = asked.data if asked.data is not None else held and Path(place_of(held["data"]["path"], asked.out))
    if not place:
        if asked.resume:
            what, do = f"there is no run {asked.out} to go on with", "look at --out; --data SPLIT begins a run"
            raise UsageError(explain(what, did="nothing was changed", do=do))
        raise UsageError(explain("no data was given", do="--data SPLIT, a file NAME.split.json, or a collection"))
    return (open_view(place) if is_split(place) else Collection(place)), place


def _recipe(asked: Asked, held: Mapping[str, Any] | None) -> Recipe:
    if held and asked.recipe is None:
        return changed(recipe_of(held["identity"]["recipe"]), asked.changes)
    return load_recipe(asked.recipe or RELEASED, asked.changes)


def _how(asked: Asked, held: Mapping[str, Any] | None, team: Team, recipe: Recipe) -> How:
    before = held["how"] if held else {}
    device = team.device.type
    precision = asked.precision or before.get("precision") or ("bf16" if device == CUDA else "fp32")
    if precision != before.get("precision", precision):
        what = f"the run {asked.out} was begun with --precision {before['precision']}"
        raise UsageError(explain(what, got=precision, did="nothing was changed"))
    share = recipe.batch // team.world
    held_micro = before["micro"] if before and not share % before["micro"] else None
    micro = asked.micro or held_micro or max(n for n in range(1, _MICRO + 1) if not share % n)
    if share % micro:
        raise UsageError(explain(f"--micro {micro}", expected=f"a divisor of the {share} images of a process"))
    threads = asked.threads or before.get("threads") or torch.get_num_threads()
    return How(device=device, precision=precision, micro=micro, threads=threads, world=team.world)


def _workers(how: How) -> int:
    """Processes that load data: none on a CPU that is busy enough."""
    if how.device != CUDA:
        return 0
    return max(1, min(_WORKERS, len(os.sched_getaffinity(0)) // how.world - 1))


def _whole(samples: Collection) -> Collection:
    return samples.collection if isinstance(samples, SplitView) else samples


def _plain(table: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON has it."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in table.items()}


def _require_same(held: Mapping[str, Any] | None, identity: Mapping[str, Any], out: Path) -> None:
    if held is None:
        return
    # A value that the recipe of an older version did not have is the default.
    known = {**held["identity"], "recipe": recipe_of(held["identity"]["recipe"]).to_dict()}
    if found := differences(known, dict(identity)):
        raise UsageError(
            explain(
                f"the run {out} is another one",
                got="; ".join(found),
                did="nothing was changed",
                do="leave out what differs, or choose another --out",
            )
        )
