"""``hqdata export``: a collection in the layout of another program."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, cast

import typer

from hqdata.catalog import Catalog, load_catalog
from hqdata.cli.catalog import Manifests
from hqdata.cli.show import Json, cell, console, print_json, progress_bars, size_text
from hqdata.errors import UsageError, explain
from hqdata.export.coco import export_coco
from hqdata.export.hub import HubOptions, Splits, export_hub
from hqdata.export.samhq import export_samhq
from hqdata.store.reader import Collection

TARGETS = ("samhq", "coco", "hub")
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
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A collection.")],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            help="samhq: folders for the released training code. coco: annotations.json and images. "
            "hub: Parquet, card and Croissant for the Hugging Face Hub (nothing is uploaded).",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder to write; it must not exist yet, or be empty.")],
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
    """Write a collection in another program's layout.

    Examples: `hqdata export hqseg-44k --to samhq --out sam-hq/train/data`,
    `hqdata export hqseg-44k --to coco --out coco`,
    `hqdata export hqseg-44k --to hub --out hub --leave-out dis5k --allow ecssd`
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
