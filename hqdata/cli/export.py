"""``hqdata export``: a collection in the layout of another program, or a run as a checkpoint of one."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, cast

import typer

from hqdata.catalog import Catalog, load_catalog
from hqdata.cli.catalog import Manifests
from hqdata.cli.show import Json, cell, console, print_json, progress_bars, size_text
from hqdata.cli.train import require_torch
from hqdata.errors import UsageError, explain
from hqdata.export.coco import export_coco
from hqdata.export.hub import HubOptions, Splits, export_hub
from hqdata.export.samhq import export_samhq
from hqdata.store.reader import Collection

TARGETS = ("samhq", "coco", "hub")
_RUN = "run.json"
"""What tells a run from a collection."""
_ONLY = {
    "--link-from": "samhq",
    "--no-images": "coco",
    "--leave-out": "hub",
    "--allow": "hub",
    "--splits": "hub",
    "--repo": "hub",
    "--published": "hub",
}
"""Options that mean something to one target only."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("export")(export)


def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A collection, or a finished run.")],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            help="samhq: folders for the released training code; of a run, a checkpoint for segment-anything-hq. "
            "coco: annotations.json and images. "
            "hub: Parquet, card and Croissant for the Hugging Face Hub (nothing is uploaded).",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder to write, or file of a run; it must not exist yet.")],
    link_from: Annotated[
        Path | None,
        typer.Option("--link-from", help="samhq: folder of the original files; same bytes are hard-linked."),
    ] = None,
    no_images: Annotated[bool, typer.Option("--no-images", help="coco: write the annotations only.")] = False,
    leave_out: Annotated[
        list[str] | None, typer.Option("--leave-out", metavar="SOURCE", help="hub: leave a source out. Repeatable.")
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(
            "--allow",
            metavar="SOURCE",
            help="hub: you have the right to pass on a source whose terms do not say. Repeatable.",
        ),
    ] = None,
    splits: Annotated[
        str | None,
        typer.Option(
            "--splits", help="hub: train (one split) or part (one each); by default what the sources are for."
        ),
    ] = None,
    repo: Annotated[
        str | None, typer.Option("--repo", metavar="OWNER/NAME", help="hub: where you are going to upload it.")
    ] = None,
    published: Annotated[
        str | None, typer.Option("--published", metavar="YYYY-MM-DD", help="hub: date of publication, for Croissant.")
    ] = None,
    manifests: Manifests = None,
    json: Json = False,
) -> None:
    """Write a collection in another program's layout, or a run as a checkpoint.

    Examples: `hqdata export hqseg-44k --to samhq --out sam-hq/train/data`,
    `hqdata export hqseg-44k --to coco --out coco`,
    `hqdata export hqseg-44k --to hub --out hub --leave-out dis5k --allow ecssd`,
    `hqdata export runs/exact --to samhq --out exact.pth`
    """
    given = {
        "--link-from": link_from,
        "--no-images": no_images,
        "--leave-out": leave_out,
        "--allow": allow,
        "--splits": splits,
        "--repo": repo,
        "--published": published,
    }
    _check(to, {name for name, value in given.items() if value}, splits)
    if (folder / _RUN).is_file():
        done, text = _run(folder, to, {name for name, value in given.items() if value}, out)
        if json:
            print_json({**done, "file": str(out)})
        else:
            console().print(f"{out}: {text}")
        return
    collection, catalog = Collection(folder), load_catalog(manifests or ())
    if to == "samhq":
        done, text = _samhq(collection, catalog, out, link_from)
    elif to == "coco":
        done, text = _coco(collection, catalog, out, images=not no_images)
    else:
        options = HubOptions(
            leave_out=tuple(leave_out or ()),
            allow=tuple(allow or ()),
            splits=cast("Splits | None", splits),
            repo=repo,
            published=published,
        )
        done, text = _hub(collection, catalog, out, options)
    if json:
        print_json({**done, "folder": str(out)})
    else:
        console().print(f"{out}: {text}")


def _check(to: str, given: set[str], splits: str | None) -> None:
    if to not in TARGETS:
        raise UsageError(explain(f"--to {to!r}", expected=", ".join(TARGETS)))
    strange = sorted(name for name in given if _ONLY[name] != to)
    if strange:
        said = ", ".join(f"{name} (for --to {_ONLY[name]})" for name in strange)
        raise UsageError(explain(f"options that --to {to} does not have: {said}", do="leave them out"))
    if splits not in {None, "train", "part"}:
        raise UsageError(explain(f"--splits {splits!r}", expected="train or part"))


def _run(folder: Path, to: str, given: set[str], out: Path) -> tuple[dict[str, object], str]:
    """Write a run as a checkpoint.

    Raises:
        UsageError: another target or options of collections, ``out`` is there already, or no head of HQ-SAM's.
    """
    if to != "samhq" or given:
        asked = " ".join([f"--to {to}", *sorted(given)])
        raise UsageError(explain(f"{folder} is a run", expected="--to samhq --out FILE.pth", got=asked))
    if out.exists() or out.is_symlink():
        raise UsageError(explain(f"{out} is there already", did="it was left alone", do="choose another --out"))
    require_torch()
    # torch takes seconds to import, and is an extra
    from hqdata.training.run import open_run  # noqa: PLC0415
    from hqdata.training.size import SIZES  # noqa: PLC0415
    from hqdata.training.variants.hq_sam import HQHead  # noqa: PLC0415
    from hqdata.training.variants.hq_sam_file import export_samhq as export_checkpoint  # noqa: PLC0415

    run = open_run(folder)
    if not isinstance(run.head, HQHead):
        raise UsageError(explain(f"{folder} holds no HQ-SAM", expected="hq-sam", got=run.variant))
    export_checkpoint(run.sam, run.head, out)
    size = run.sam.size
    how = f"sam_model_registry[{size.name!r}](checkpoint={str(out)!r}) loads it"
    if SIZES.get(size.name) != size:
        how = f"the package has no loader for the size of {size.name}: put its classes together for it"
    done = {"run_id": run.run_id, "size": size.name, "bytes": out.stat().st_size}
    return done, f"SAM and head of run {run.run_id[:12]}, {size_text(out.stat().st_size)}; segment-anything-hq: {how}"


def _samhq(
    collection: Collection, catalog: Catalog, out: Path, link_from: Path | None
) -> tuple[dict[str, object], str]:
    done = export_samhq(collection, catalog, out, link_from=link_from)
    return asdict(done), (
        f"{cell(done.samples)} pairs, {size_text(done.bytes_written)} written, {cell(done.linked)} files linked; "
        "names.csv maps file names to ids, datasets.json is for train.py"
    )


def _coco(collection: Collection, catalog: Catalog, out: Path, *, images: bool) -> tuple[dict[str, object], str]:
    bar = progress_bars("samples")
    bar.start(f"writing {out.name}", len(collection))
    try:
        done = export_coco(collection, catalog, out, images=images, on_samples=bar.advance)
    finally:
        bar.finish()
    files = f"{size_text(done.bytes_written)} of images" if images else "no image files"
    empty = f", {cell(done.empty_masks)} empty masks listed in its `info`" if done.empty_masks else ""
    return asdict(done), (
        f"annotations.json with {cell(done.annotations)} masks of {cell(done.images)} images{empty}; {files}"
    )


def _hub(collection: Collection, catalog: Catalog, out: Path, options: HubOptions) -> tuple[dict[str, object], str]:
    done = export_hub(collection, catalog, out, options, progress=progress_bars("B"))
    splits = ", ".join(f"{name} {cell(rows)}" for name, rows in done.splits.items())
    lacks = f", without {', '.join(done.left_out)}" if done.left_out else ""
    drawn = " (SYNTHETIC: drawn by hqdata)" if done.synthetic else ""
    upload = f"hf upload {options.repo or 'OWNER/NAME'} {out} . --repo-type dataset"
    missing = [name for name, value in (("--repo", options.repo), ("--published", options.published)) if not value]
    croissant = f"; croissant.json wants {' and '.join(missing)}, too" if missing else ""
    text = f"{cell(done.samples)} samples{lacks}{drawn} ({splits}), {size_text(done.bytes_written)}{croissant}; "
    return {**asdict(done), "upload": upload}, f"{text}nothing was uploaded: `{upload}` does that"
