"""``hqdata train``: train a head on a split."""

import importlib.util
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from hqdata.cli.show import Json, console, duration_text, print_json, print_table, size_text
from hqdata.cli.watch import Watch
from hqdata.errors import UsageError, explain

if TYPE_CHECKING:
    from hqdata.training.cost import Cost
    from hqdata.training.job import Asked
    from hqdata.training.loop import Outcome

_NEEDED = ("torch", "safetensors", "segment_anything")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("train")(train)


def train(
    out: Annotated[Path, typer.Option("--out", metavar="RUN", help="Folder of the run.")],
    data: Annotated[
        Path | None, typer.Option("--data", metavar="SPLIT", help="A split, NAME.split.json, or a collection.")
    ] = None,
    variant: Annotated[
        str | None, typer.Option("--variant", metavar="NAME", help="What is added to SAM; hq-sam by default.")
    ] = None,
    sam: Annotated[
        str | None, typer.Option("--sam", metavar="CHECKPOINT", help="An official checkpoint, or sam-mini.")
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option("--recipe", metavar="NAME|FILE", help="released (default), fixed, mini, or a TOML file."),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change the recipe, such as epochs=3; repeat."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, max=2**63 - 1, help="Of first weights, order, crops, prompts; 0.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that is there; else begin it.")] = False,
    plan: Annotated[bool, typer.Option("--plan", help="Measure memory and hours; write nothing.")] = False,
    device: Annotated[
        Literal["auto", "cpu", "cuda"],
        typer.Option("--device", help="Where to compute; auto: where the run was begun, or the GPU if there is one."),
    ] = "auto",
    precision: Annotated[
        Literal["fp32", "bf16"] | None, typer.Option("--precision", help="Of the frozen encoder; bf16 on a GPU.")
    ] = None,
    micro: Annotated[
        int | None, typer.Option("--micro", min=1, help="Images in flight at a time: bounds memory.")
    ] = None,
    threads: Annotated[int | None, typer.Option("--threads", min=1, help="Of torch on the CPU.")] = None,
    workers: Annotated[int | None, typer.Option("--workers", min=0, help="Processes that load data.")] = None,
    save_every: Annotated[int, typer.Option("--save-every", min=1, metavar="STEPS", help="Between snapshots.")] = 500,
    json: Json = False,
) -> None:
    """Train a head on a split, or on a whole collection. May be killed at any moment: the same command with --resume
    goes on where it was. Ctrl-C stops after the step, with a snapshot.

    Example: `hqdata train --data clean.split.json --sam sam-mini --recipe mini --out runs/clean`

    Several GPUs: `torchrun --nproc-per-node 8 -m hqdata train ...`
    """
    require_torch()
    # torch takes seconds to import, and only this command needs it
    from hqdata.training.cost import plan as measure  # noqa: PLC0415 - torch is slow to import, and an extra
    from hqdata.training.job import Asked  # noqa: PLC0415 - the same
    from hqdata.training.loop import train as run  # noqa: PLC0415 - the same

    asked = Asked(
        out=out,
        data=data,
        variant=variant,
        sam=sam,
        recipe=recipe,
        changes=tuple(changes or ()),
        seed=seed,
        resume=resume,
        device=device,
        precision=precision,
        micro=micro,
        threads=threads,
        workers=workers,
        save_every=save_every,
    )
    watch = Watch()
    leads = os.environ.get("RANK", "0") == "0"
    if plan:
        with watch.shown():
            cost = measure(asked, watch)
        if leads:
            _print_cost(cost, asked, json=json)
        return
    try:
        with watch.shown(), watch.signals():
            outcome = run(asked, watch)
    except KeyboardInterrupt:
        watch.note(f"stopped at once; what came after the newest snapshot is lost. To go on: {_again(out)}")
        raise
    if leads:
        _print_outcome(outcome, json=json)
    code = 0 if outcome.finished else 128 + (watch.signal or signal.SIGINT)
    if os.environ.get("WORLD_SIZE", "1") != "1":
        _leave(code)
    if code:
        raise typer.Exit(code)


def missing_packages() -> list[str]:
    """Packages that training needs and that are not installed."""
    return [name for name in _NEEDED if importlib.util.find_spec(name) is None]


def require_torch() -> None:
    """Raise a UsageError where the packages that training needs are not installed."""
    missing = missing_packages()
    if missing:
        what = f"training needs {', '.join(missing)}"
        raise UsageError(explain(what, did="nothing was written", do="pip install 'hqdata[train]'"))


def _leave(code: int) -> NoReturn:
    """End one of several processes at once: after torch.distributed, an interpreter aborts now and then at its end."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


def _again(out: Path) -> str:
    return f"hqdata train --out {out} --resume"


def _print_outcome(outcome: "Outcome", *, json: bool) -> None:
    """A table of what the run saw, and one line; of a run that was stopped, how to go on."""
    rate = outcome.images / outcome.seconds["steps"] if outcome.taken else None
    if json:
        plain = asdict(outcome) | {"out": str(outcome.out), "finished": outcome.finished, "images_a_second": rate}
        print_json(plain)
        return
    if outcome.summary is None:
        console().print(
            f"{outcome.out}: stopped after {outcome.step:,} of {outcome.steps:,} steps, with a snapshot. To go on: "
            f"{_again(outcome.out)}"
        )
        return
    if not outcome.taken:
        console().print(f"{outcome.out}: this run was finished before; nothing was changed\n")
    seen = outcome.summary
    rows: list[tuple[str, object]] = [
        ("steps", seen["steps"]),
        ("visits", seen["visits"]),
        ("masks", seen["masks"]),
        ("prompts", ", ".join(f"{word} {count:,}" for word, count in seen["prompts"].items())),
        ("empty crops", seen["empty_crops"]),
        ("dropped point prompts", seen["dropped_point_prompts"]),
        ("median mask pixels", f"{seen['median_mask_pixels']:,.0f}"),
        ("loss at first, at last", f"{seen['first_loss']:.4f}, {seen['last_loss']:.4f}"),
    ]
    if rate:
        parts = {word: outcome.seconds.get(word, 0.0) for word in ("data", "encoder", "head", "steps")}
        rows += [
            ("images a second", f"{rate:.1f}"),
            ("seconds: data, encoder, head, all", ", ".join(f"{value:.1f}" for value in parts.values())),
        ]
    print_table("Run", ("what", "value#"), rows)
    console().print(
        f"{outcome.out}: trained {seen['steps']:,} steps; head.safetensors, metrics.parquet, visits.parquet, "
        f"run {outcome.run_id[:12]}"
    )


def _print_cost(cost: "Cost", asked: "Asked", *, json: bool) -> None:
    if json:
        print_json(asdict(cost))
        return
    how = cost.how
    place = f"on {how['device']} in {how['precision']}, {how['micro']} images at a time"
    rows = [
        ("masks", cost.masks),
        ("steps", cost.steps),
        ("visits", f"{cost.visits:,} ({cost.epochs:.2f} epochs)"),
        ("encoder passes", cost.encoder_passes),
        ("trained parameters", cost.trained_parameters),
        ("snapshots on disk", f"{size_text(cost.kept_bytes)} ({size_text(cost.snapshot_bytes)} each)"),
        ("measured here", f"{cost.measured_steps} steps {place}"),
        ("processes", how["world"]),
        ("threads of each", how["threads"]),
        ("images a second", f"{cost.images_a_second:.1f}"),
        ("time", duration_text(cost.hours)),
        ("memory of a process", size_text(cost.memory_bytes)),
        ("memory of its GPU", "none is used" if cost.device_bytes is None else size_text(cost.device_bytes)),
    ]
    print_table("Plan", ("what", "value#"), rows)
    console().print(f"{asked.out}: about {duration_text(cost.hours)} as measured on this machine; nothing was written")
