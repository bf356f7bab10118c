"""``hqdata split create``: choose masks of a collection and save the choice."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from hqdata.analysis.splits.create import create_split
from hqdata.analysis.splits.request import EXCLUDED, Request
from hqdata.catalog import load_catalog
from hqdata.cli.build import Workers
from hqdata.cli.catalog import Manifests
from hqdata.cli.show import Json, print_json, progress_bars
from hqdata.cli.split_show import print_summary
from hqdata.errors import UsageError, explain
from hqdata.fetch.progress import staged
from hqdata.masks.degrade import KINDS
from hqdata.store.index import INDEX, read_index
from hqdata.store.reader import Collection

Sources = list[str] | None


def words() -> str:
    """What the words of the options mean."""
    lists = (("Audit", EXCLUDED), ("Degradations", KINDS))
    return "\n\n".join(f"**{title}:** " + "; ".join(f"{k}: {v}" for k, v in words.items()) for title, words in lists)


def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the split and its files.")],
    folder: Annotated[Path, typer.Option("--from", metavar="DIR", help="The collection.")],
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Folder for the files of the split.")] = Path(),
    sql: Annotated[
        str | None, typer.Option("--sql", metavar="SELECT", help="Take the masks whose mask_id it returns.")
    ] = None,
    attach: Annotated[
        list[str] | None, typer.Option("--attach", metavar="NAME=FILE", help="Own table for --sql: CSV, TSV, Parquet.")
    ] = None,
    only: Annotated[Sources, typer.Option("--only", metavar="SOURCE", help="Take these sources; repeat.")] = None,
    without: Annotated[
        Sources,
        typer.Option("--without", metavar="SOURCE", help="Leave out these sources, and copies of their images."),
    ] = None,
    without_random: Annotated[
        Sources,
        typer.Option("--without-random", metavar="SOURCE", help="Its control: leave out as many masks of the others."),
    ] = None,
    keep_copies: Annotated[
        bool, typer.Option("--keep-copies", help="Keep copies of a left-out source's images in other sources.")
    ] = False,
    exclude_audit: Annotated[
        str | None, typer.Option("--exclude-audit", metavar="WORDS", help="Such as errata,duplicates,leaks.")
    ] = None,
    leak_levels: Annotated[
        str | None, typer.Option("--leak-levels", metavar="WORDS", help="Levels of leaks to exclude; all by default.")
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option("--against", metavar="DIR", help="Evaluation collection to mind; all audited ones by default."),
    ] = None,
    allow_leaks: Annotated[
        list[str] | None,
        typer.Option("--allow-leaks", metavar="NAME", help="Record that its samples may be trained on; or `all`."),
    ] = None,
    best: Annotated[
        float | None, typer.Option("--best", metavar="SHARE", help="Take the masks with the highest --by.")
    ] = None,
    worst: Annotated[
        float | None, typer.Option("--worst", metavar="SHARE", help="Take the masks with the lowest --by.")
    ] = None,
    by: Annotated[
        str | None, typer.Option("--by", metavar="COLUMN", help="Column of `hqdata stats --describe`.")
    ] = None,
    within_source: Annotated[
        bool, typer.Option("--within-source", help="Take --best or --worst of each source by itself.")
    ] = False,
    image_scale_to: Annotated[
        Path | None,
        typer.Option("--image-scale-to", metavar="SPLIT", help="Reduce images, when read, to the sizes of this one."),
    ] = None,
    match: Annotated[
        str | None,
        typer.Option("--match", metavar="COLUMNS", help="Draw masks that have these distributed as in --to."),
    ] = None,
    to: Annotated[Path | None, typer.Option("--to", metavar="SPLIT", help="Split (or collection) to match.")] = None,
    bins: Annotated[int, typer.Option("--bins", help="Quantile bins of each matched column.")] = 5,
    joint: Annotated[
        bool, typer.Option("--joint", help="Every two matched columns are to go together as they do in --to.")
    ] = False,
    balance: Annotated[
        float, typer.Option("--balance", help="Largest standardised mean difference that is accepted.")
    ] = 0.1,
    size: Annotated[
        int | None, typer.Option("--size", help="Number of masks; smaller ones lie within larger ones of a seed.")
    ] = None,
    size_of: Annotated[
        Path | None, typer.Option("--size-of", metavar="SPLIT", help="As many masks as this split has.")
    ] = None,
    stratify: Annotated[
        str | None, typer.Option("--stratify", metavar="COLUMNS", help="Keep shares: source, COLUMN, COLUMN:BINS.")
    ] = None,
    per_source: Annotated[
        str | None, typer.Option("--per-source", metavar="N", help="N masks of each source, or `smallest`.")
    ] = None,
    halves: Annotated[bool, typer.Option("--halves", help="Make NAME-a and NAME-b, random halves.")] = False,
    weights: Annotated[
        str | None,
        typer.Option("--weights", metavar="SOURCE=SHARE,...", help="Shares of what is drawn in training."),
    ] = None,
    degrade: Annotated[
        str | None,
        typer.Option("--degrade", metavar="KIND:STRENGTH", help="Degrade masks when read; STRENGTH over the diagonal."),
    ] = None,
    to_biou: Annotated[
        float | None, typer.Option("--to-biou", metavar="LEVEL", help="Solve the strength for a mean boundary IoU.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of every draw.")] = 0,
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite another split of that name.")] = False,
    manifests: Manifests = None,
    workers: Workers = 1,
    json: Json = False,
) -> None:
    """Choose masks of a collection and save the choice. Options are applied in this order: --sql, --only,
    --exclude-audit, --without or --without-random, --best or --worst, --image-scale-to, --match, --size or
    --per-source, --halves, --weights, --degrade.

    Example: `hqdata split create clean --from hqseg-44k --exclude-audit errata,duplicates,leaks --against hq-eval`
    """
    attached = _pairs("--attach", attach or ())
    request = Request(
        name=name,
        seed=seed,
        sql=sql,
        attach={key: _relative(Path(file), out) for key, file in attached.items()},
        only=tuple(only or ()),
        exclude_audit=_list(exclude_audit),
        **({} if leak_levels is None else {"leak_levels": _list(leak_levels)}),
        against=tuple(_evaluation(item) for item in against or ()),
        allow_leaks=tuple(allow_leaks or ()),
        without=tuple(without or ()),
        without_random=tuple(without_random or ()),
        keep_copies=keep_copies,
        best=best,
        worst=worst,
        by=by,
        within_source=within_source,
        image_scale_to=_reference(image_scale_to, out),
        match=_list(match),
        to=_reference(to, out),
        bins=bins,
        joint=joint,
        balance=balance,
        size=size,
        size_of=_reference(size_of, out),
        stratify=_list(stratify),
        per_source=_number(per_source),
        halves=halves,
        weights={key: _share(key, value) for key, value in _pairs("--weights", _list(weights)).items()},
        degrade=degrade,
        to_biou=to_biou,
    )
    bar = progress_bars("steps")
    try:
        made = create_split(
            Collection(folder),
            request,
            out,
            load_catalog(manifests or ()),
            workers=workers,
            progress=staged(bar),
            replace=replace,
        )
    finally:
        bar.finish()
    if json:
        print_json([{**split.facts, "path": str(split.path)} for split in made])
        return
    for split in made:
        print_summary(split)


def _list(text: str | None) -> tuple[str, ...]:
    return tuple(word.strip() for word in (text or "").split(",") if word.strip())


def _pairs(option: str, items: Iterable[str]) -> dict[str, str]:
    found = {}
    for item in items:
        key, equals, value = item.partition("=")
        if not (key and equals and value) or key in found:
            raise UsageError(explain(f"{option} {item!r}", expected="NAME=VALUE, each name once"))
        found[key] = value
    return found


def _share(name: str, value: str) -> float:
    try:
        return float(value)
    except ValueError as error:
        raise UsageError(explain(f"--weights {name}={value}", expected="a share such as 0.3")) from error


def _number(text: str | None) -> Any:
    if text is None or text == "smallest":
        return text
    if not text.isdecimal() or len(text) > 9:
        raise UsageError(explain(f"--per-source {text!r}", expected="a number, or `smallest`"))
    return int(text)


def _relative(path: Path, out: Path) -> str:
    return Path(os.path.relpath(path.resolve(), out.resolve())).as_posix()


def _reference(path: Path | None, out: Path) -> str | None:
    return None if path is None else _relative(path, out)


def _evaluation(text: str) -> str:
    """An evaluation collection by its content, where a folder is named; else the name that the audit knows it by."""
    return str(read_index(Path(text))["content_digest"]) if (Path(text) / INDEX).is_file() else text
