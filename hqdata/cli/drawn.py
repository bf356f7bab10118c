"""What commands say of draws: which tars they want, and what a draw took."""

from pathlib import Path
from typing import Annotated, Any

import typer

from hqdata.cli.show import choice, console, print_table, size_text
from hqdata.errors import UsageError, explain
from hqdata.pipelines.drawn import DrawOptions
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
    """Every tar that a draw chose: name, bytes (about as many where it is not here), whether it is here."""
    about = route.form.family.size if route.form.family else None
    here = [
        {"tar": located.archive.name, "bytes": located.path.stat().st_size, "here": True} for located in route.found
    ]
    absent = [{"tar": archive.name, "bytes": about, "here": False} for archive in route.missing]
    return sorted([*here, *absent], key=lambda row: str(row["tar"]))


def print_tars(route: Route) -> None:
    """Print the tars of a draw, and what those that are not here weigh."""
    rows = tar_rows(route)
    shown = [(row["tar"], size_text(row["bytes"]), "yes" if row["here"] else "no") for row in rows[:_SHOWN]]
    print_table(f"Tars to draw from in {route.source.title}", ("tar", "size#", "here"), shown)
    if len(rows) > _SHOWN:
        console().print(f"... and {len(rows) - _SHOWN:,} more\n")
    sizes = [row["bytes"] for row in rows if not row["here"]]
    if sizes:
        total = None if None in sizes else sum(sizes)
        console().print(
            f"{len(sizes):,} tars to get, about {size_text(total)}: put them into --archives, or fetch them with "
            "--links FILE. Without some of them the draw is made from the others."
        )


def draw_lines(index: dict[str, Any]) -> list[str]:
    """What to say of each draw of a collection that was just built."""
    lines = []
    for name, source in index["sources"].items():
        draw = source.get("draw")
        if draw is None:
            continue
        used = [tar for tar in draw["from"] if tar["taken"]]
        lines.append(
            f"{name}: {sum(tar['taken'] for tar in used):,} of {sum(tar['images'] for tar in draw['from']):,} images "
            f"drawn from {len(used)} tars, seed {draw['seed']}, masks: {draw['masks']}"
        )
        cut = [tar["name"] for tar in draw["from"] if not tar["whole"]]
        if cut:
            lines.append(f"CUT SHORT: {', '.join(cut)}; what lies before the cut was used, see the rejects")
        short = [count for count in index["shortfall"] if count["source"] == name]
        if short:
            got, wanted = (sum(count[key] for count in short) for key in ("samples", "expected"))
            absent = ", ".join(draw["missing"]) or "none"
            lines.append(f"SHORT: {got:,} of {wanted:,} samples; tars not at hand: {absent}")
    return lines
