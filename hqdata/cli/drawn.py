"""What commands say of draws: which tars they want, and what a draw took."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from hqdata.cli.show import choice, console, print_table, size_text
from hqdata.errors import UsageError, explain
from hqdata.pipelines.drawn import PASS, DrawOptions, some
from hqdata.recipe import MaskRule
from hqdata.sources.locate import Route
from hqdata.sources.sa1b import MASK_RULES

Tars = Annotated[
    str | None, typer.Option("--tars", help='How many tars to draw images from, or "all"; the recipe says 8.')
]
Links = Annotated[
    Path | None, typer.Option("--links", help="Your file of links (file_name, tab, cdn_link) to fetch tars with.")
]
_SHOWN = 24


def draw_options(tars: str | None, masks: str | None, links: Path | None, *, drop: bool = False) -> DrawOptions:
    """Choices of a draw as they were typed.

    Raises:
        UsageError: a number or a rule that there is not.
    """
    number = None
    if tars not in {None, "all"}:
        number = int(tars) if tars and tars.isdecimal() and len(tars) < 10 else 0
        if number < 1:
            raise UsageError(explain(f"--tars {tars!r}", expected='1 or more, or "all"'))
    rule: MaskRule | None = choice("--masks", masks, (*MASK_RULES, None))
    return DrawOptions(tars="all" if tars == "all" else number, masks=rule, links=links, drop=drop)


def tar_rows(route: Route) -> list[dict[str, Any]]:
    """Every tar that a draw chose: name, bytes (about as many where it is not here), and where it is.

    ``here``: on the disk; ``held``: gone, but the collection in the destination holds what the draw wants of it.
    """
    about = route.form.family.size if route.form.family else None
    rows = [
        {
            "tar": located.archive.name,
            "bytes": about if located.is_folder else located.path.stat().st_size,
            "here": not located.is_folder,
            "held": located.is_folder,
        }
        for located in route.found
    ]
    rows += [{"tar": archive.name, "bytes": about, "here": False, "held": False} for archive in route.missing]
    return sorted(rows, key=lambda row: str(row["tar"]))


def print_tars(route: Route) -> None:
    """Print the tars of a draw, and what those that are not here weigh."""
    rows = tar_rows(route)
    where = ["yes" if row["here"] else "in the collection" if row["held"] else "no" for row in rows]
    shown = [(row["tar"], size_text(row["bytes"]), place) for row, place in zip(rows[:_SHOWN], where, strict=False)]
    print_table(f"Tars to draw from in {route.source.title}", ("tar", "size#", "here"), shown)
    if len(rows) > _SHOWN:
        console().print(f"... and {len(rows) - _SHOWN:,} more\n")
    sizes = [row["bytes"] for row in rows if not row["here"] and not row["held"]]
    if sizes:
        number = "1 tar" if len(sizes) == 1 else f"{len(sizes):,} tars"
        total = None if None in sizes else sum(sizes)
        console().print(
            f"{number} to get, about {size_text(total)}: put them into --archives, or fetch them with --links FILE "
            f"(with --drop-archives {PASS} at a time). Without some of them the draw is made from the others."
        )


def draw_lines(index: dict[str, Any]) -> list[str]:
    """What to say of each draw of a collection that was just built."""
    drawn = {name: source["draw"] for name, source in index["sources"].items() if source.get("draw")}
    return [line for name, draw in drawn.items() for line in _lines(name, draw, index["shortfall"])]


def _lines(name: str, draw: dict[str, Any], shortfall: list[dict[str, Any]]) -> Iterator[str]:
    tars = draw["from"]
    taken, images = (sum(tar[key] for tar in tars) for key in ("taken", "images"))
    number = sum(1 for tar in tars if tar["taken"])
    rule = f"seed {draw['seed']}, masks: {draw['masks']}"
    yield f"{name}: {taken:,} of {images:,} images drawn from {number} tars, {rule}"
    again = "remove it, get it again and run with --replace"
    if cut := [tar["name"] for tar in tars if not tar["whole"] and tar["images"]]:
        yield f"CUT SHORT: {some(cut)}; what lies before the cut was used. To have the rest: {again}"
    if unread := [tar["name"] for tar in tars if not tar["whole"] and not tar["images"]]:
        yield f"NOT USED: {some(unread)}; see the rejects. To have it: {again}"
    if short := [count for count in shortfall if count["source"] == name]:
        got, wanted = (sum(count[key] for count in short) for key in ("samples", "expected"))
        absent = some(draw["missing"]) or "none"
        yield f"SHORT: {got:,} of {wanted:,} samples; {taken - got:,} images rejected; tars not at hand: {absent}"
