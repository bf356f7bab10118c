"""``hqdata split ready``: the splits that a study needs, out of one plan."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from hqdata.catalog import load_catalog
from hqdata.cli.build import Workers
from hqdata.cli.catalog import Manifests
from hqdata.cli.show import Json, cell, console, print_json, print_table, progress_bars
from hqdata.cli.split_show import print_balance
from hqdata.errors import UsageError, explain
from hqdata.fetch.progress import staged
from hqdata.pipelines.ready import Role, load_plan, make_ready, ready_plans
from hqdata.store.reader import Collection


def ready(
    name: Annotated[str | None, typer.Argument(metavar="PLAN", help="Name of a plan, or your own FILE.toml.")] = None,
    folder: Annotated[Path | None, typer.Option("--from", metavar="DIR", help="The collection to study.")] = None,
    control: Annotated[
        Path | None, typer.Option("--control", metavar="DIR", help="The control's collection, such as sa1b-44k.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Folder for the splits.")] = Path(),
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite other splits of these names.")] = False,
    manifests: Manifests = None,
    workers: Workers = 1,
    json: Json = False,
) -> None:
    """Make all splits of a plan; without PLAN, list the plans. A split that cannot be made (a level out of reach, a
    size too large) is reported, the others are made; the exit code is 1 then.

    Example: `hqdata split ready leave-one-out --from hqseg-44k --out splits`
    """
    if name is None:
        plans = ready_plans().values()
        if json:
            print_json([{"name": plan.name, "title": plan.title, "why": plan.why.strip()} for plan in plans])
            return
        print_table("Plans", ("plan", "what", "takes"), [(p.name, p.title, _options(p.roles)) for p in plans])
        console().print("`hqdata split ready PLAN` makes its splits; your own plan may be a FILE.toml")
        return
    plan = load_plan(name)
    given: dict[Role, Path | None] = {"data": folder, "control": control}
    idle = [_options([role]) for role, path in given.items() if path is not None and role not in plan.roles]
    if idle:
        raise UsageError(explain(f"plan {plan.name} takes no {', '.join(idle)}", do="leave it out"))
    bar = progress_bars("steps")
    try:
        outcomes = make_ready(
            plan,
            {role: Collection(path) for role, path in given.items() if path is not None},
            out,
            load_catalog(manifests or ()),
            workers=workers,
            progress=staged(bar),
            replace=replace,
        )
    finally:
        bar.finish()
    lost = [outcome for outcome in outcomes if outcome.problem]
    made = [split for outcome in outcomes for split in outcome.splits]
    if json:
        problems = {outcome.name: outcome.problem for outcome in lost}
        print_json({"made": [{**split.facts, "path": str(split.path)} for split in made], "problems": problems})
    else:
        rows = [(s.name, s.facts["counts"]["masks"], s.facts["terms"]["redistribution"]) for s in made]
        print_table(plan.title, ("split", "masks#", "redistribution"), rows)
        for split in made:
            if split.facts["balance"]:
                print_balance(split.facts["balance"], f"Balance of {split.name}")
        for outcome in lost:
            console().print(f"NOT MADE: {outcome.name}: {outcome.problem}\n".replace("[", "\\["))
        console().print(f"{out}: {cell(len(made))} splits made, {cell(len(lost))} not")
    if lost:
        raise typer.Exit(1)


def _options(roles: Iterable[Role]) -> str:
    return ", ".join({"data": "--from", "control": "--control"}[role] for role in roles)
