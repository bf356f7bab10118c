"""``hqdata build``: from archives to a verified collection."""

from pathlib import Path
from typing import Annotated, Any

import typer

from hqdata.build import Built
from hqdata.cli.catalog import Archives, Manifests
from hqdata.cli.collection import print_info
from hqdata.cli.drawn import Links, Tars, draw_lines, draw_options, print_tars, tar_rows
from hqdata.cli.fetch import AcceptTerms, Prefer, accepted_names, print_fetch_plan
from hqdata.cli.show import Json, ask_terms, cell, choice, console, print_json, print_table, progress_bars, size_text
from hqdata.errors import UsageError, explain
from hqdata.fsio.atomic import free_bytes
from hqdata.manifest import Coding, Frame
from hqdata.pipelines.own_data import build_own
from hqdata.pipelines.recipe import Options, Situation, build_recipe, make_plan, spool_folder, survey

Out = Annotated[Path, typer.Option("--out", help="Folder of the collection; made by the build.")]
Workers = Annotated[int, typer.Option("--workers", min=1, help="Processes; the bytes do not depend on the number.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("build")(build)


def build(
    out: Out,
    recipe: Annotated[str | None, typer.Argument(help="A recipe or a source; see `hqdata recipes`.")] = None,
    archives: Archives = None,
    accept_terms: AcceptTerms = None,
    prefer: Prefer = None,
    partial: Annotated[bool, typer.Option("--partial", help="Build what is there; record the shortfall.")] = False,
    unverified: Annotated[bool, typer.Option("--unverified", help="Build from archives whose hash differs.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Never fetch; say what is missing.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Replace another collection in --out.")] = False,
    workers: Workers = 1,
    plan: Annotated[bool, typer.Option("--plan", help="Say what the build would do; write nothing.")] = False,
    manifests: Manifests = None,
    tars: Tars = None,
    links: Links = None,
    drop_archives: Annotated[
        bool, typer.Option("--drop-archives", help="Delete each tar of a draw once the collection is verified.")
    ] = False,
    images: Annotated[Path | None, typer.Option("--images", help="Your own images (instead of a recipe).")] = None,
    masks: Annotated[
        str | None,
        typer.Option(
            "--masks",
            help="Your own masks; may be the same folder. With a draw, which masks of an image to take: "
            "uniform, largest, whole or all.",
        ),
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="Name of your own data in every sample id.")] = None,
    image_pattern: Annotated[str | None, typer.Option("--image-pattern", help="Such as {stem}_im.jpg.")] = None,
    mask_pattern: Annotated[str | None, typer.Option("--mask-pattern", help="Such as {stem}_gt.png.")] = None,
    mask_coding: Annotated[str, typer.Option("--mask-coding", help="grey, alpha or instances.")] = "grey",
    mask_frame: Annotated[
        str | None, typer.Option("--mask-frame", help="stored or displayed: the frame of masks of tagged images.")
    ] = None,
    json: Json = False,
) -> None:
    """Build a recipe, a source, or your own images and masks into a verified Arrow collection.

    Examples: `hqdata build hqseg-44k --out hqseg-44k --accept-terms samhq ...`,
    `hqdata build --images im/ --masks gt/ --name mine --out mine`
    """
    options = Options(
        archives=archives,
        manifests=tuple(manifests or ()),
        accepted=accepted_names(accept_terms),
        prefer=choice("--prefer", prefer, ("official", "bundle", None)),
        partial=partial,
        unverified=unverified,
        replace=replace,
        offline=offline,
        workers=workers,
        draw=draw_options(tars, None if recipe is None else masks, links, drop=drop_archives),
        ask=ask_terms,
        progress=progress_bars,
    )
    own = (images, masks, name)
    if (recipe is None and None in own) or (recipe is not None and (images or name)):
        raise UsageError(
            explain(
                "give either a recipe or your own data", expected="RECIPE, or --images, --masks and --name together"
            )
        )
    if plan and recipe is None:
        raise UsageError(
            explain("--plan is for recipes", do="build your own data without it; nothing is fetched for it")
        )
    if recipe is not None and plan:
        with spool_folder(out) as spool:
            print_plan(survey(recipe, options, spool, out), options, out, as_json=json)
        return
    if recipe is not None:
        if links and not offline and not json:
            with spool_folder(out) as spool:
                for route in survey(recipe, options, spool, out).drawn():
                    print_tars(route)
        built = build_recipe(recipe, out, options)
    else:
        coding: Coding = choice("--mask-coding", mask_coding, ("grey", "alpha", "instances"))
        frame: Frame | None = choice("--mask-frame", mask_frame, ("stored", "displayed", None))
        assert images is not None and masks is not None and name is not None  # noqa: S101, PT018 - checked above
        built = build_own(
            images,
            Path(masks),
            name,
            out,
            options,
            image_pattern=image_pattern,
            mask_pattern=mask_pattern,
            coding=coding,
            frame=frame,
        )
    report(built, as_json=json)


def report(built: Built, *, as_json: bool) -> None:
    """Print what a build made."""
    if as_json:
        print_json({**built.index, "folder": str(built.folder), "fresh": built.fresh, "reused": built.reused_shards})
        return
    print_info(built.index)
    size = size_text(sum(item["bytes"] for item in built.index["files"]))
    verb = "built and verified" if built.fresh else "already built, verified"
    for line in draw_lines(built.index):
        console().print(line)
    reused = f", {built.reused_shards} shards taken over" if built.fresh and built.reused_shards else ""
    console().print(f"{built.folder}: {built.index['rows']:,} samples, {size}, {verb}{reused}")


def print_plan(situation: Situation, options: Options, out: Path, *, as_json: bool) -> None:
    """Print forms, counts, what has to be fetched, and the room that the collection needs."""
    planned = make_plan(situation, options)
    found = {source.source.name: source for source in planned.sources}
    rows: list[dict[str, Any]] = []
    for take, route in zip(situation.recipe.take, situation.routes, strict=True):
        source = found.get(take.source)
        pairs = source.pairs() if source else {}
        rows.extend(
            {
                "source": take.source,
                "part": part,
                "form": route.form.name,
                "expected": expected,
                "pairs": pairs.get(part, 0),
                "rejects": len(source.rejects) if source else 0,
                "missing": [archive.name for archive in route.missing],
            }
            for part, expected in take.parts.items()
        )
    room = sum(candidate.size for source in planned.sources for candidate in source.candidates)
    free = free_bytes(out)
    if as_json:
        missing = [{"owner": owner, "archive": archive.name} for owner, archive in situation.missing()]
        tars = [row for route in situation.drawn() for row in tar_rows(route)]
        print_json({"parts": rows, "missing": missing, "tars": tars, "collection_bytes": room, "bytes_free": free})
        return
    columns = ("source", "part", "form", "expected#", "pairs#", "missing")
    table = [[row[c.removesuffix("#")] if c != "missing" else ", ".join(row[c][:8]) for c in columns] for row in rows]
    print_table(f"Plan of {situation.recipe.name}", columns, table)
    for route in situation.drawn():
        print_tars(route)
    if situation.missing():
        print_fetch_plan(situation.catalog, situation.missing(), options.folder, as_json=False)
    console().print(
        f"{cell(sum(row['pairs'] for row in rows))} pairs at hand; the collection of them takes "
        f"{size_text(room)}; {size_text(free)} free"
    )
    if situation.missing():
        console().print("What is still to be fetched takes its size once more in the collection, at most.")
