"""How splits are printed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hqdata.analysis.splits.diff import Difference
from hqdata.analysis.splits.removal import REFUSED
from hqdata.cli.show import cell, console, print_table, synthetic_note
from hqdata.fsio.digest import canonical_json
from hqdata.store.split import Split, read_notes

SHOWN = 40
LEAKS_SHOWN = 5


def print_summary(split: Split, notes: Sequence[Mapping[str, Any]] | None = None, sheet: Path | None = None) -> None:
    """Print what a split is, and at the end one line that says where it lies."""
    facts, out = split.facts, console()
    out.print(f"[bold]{split.name}[/bold]  of {facts['collection']['recipe']}, {split.content_digest[:12]}")
    synthetic_note({"recipe": facts["collection"]})
    chosen = "\n".join(f"  {name}: {text}" for name, text in _asked(facts))
    out.print(f"{chosen or '  every mask'}\n".replace("[", "\\["))
    counts = facts["counts"]
    drawn = facts["sampling"] or {source: n / counts["masks"] for source, n in counts["sources"].items()}
    rows = [(source, number, f"{drawn[source]:.1%}") for source, number in counts["sources"].items()]
    print_table("Masks", ("source", "masks#", "of those drawn#"), [*rows, ("total", counts["masks"], "100.0%")])
    if facts["removed"]:
        print_table("Removed", ("by", "masks#"), list(facts["removed"].items()))
    _print_leaks(split, notes)
    _print_reading(facts)
    _print_terms(facts["terms"])
    if facts["copies"] is None:
        out.print("Copies: unknown, the collection was not audited; halves and left-out sources may share images.\n")
    if notes is not None:
        _print_notes(notes)
    told = sum(facts["removed"].values()) + sum(row["masks"] for row in facts["leaks"]["kept"])
    more = f"; pictures in {sheet}" if sheet else ""
    if told and notes is None:
        more += f"; `hqdata split show {split.path} --notes` names {cell(told)} masks"
    out.print(f"{split.path}: {cell(counts['masks'])} masks of {cell(counts['images'])} images{more}")


def _print_leaks(split: Split, notes: Sequence[Mapping[str, Any]] | None) -> None:
    leaks = split.facts["leaks"]
    if not leaks["checked"]:
        console().print("Leaks: not looked for (`hqdata audit DIR --against EVALUATION_DIR`)\n")
        return
    names = ", ".join(row["name"] for row in leaks["checked"])
    if not leaks["kept"]:
        console().print(f"Leaks into {names}: none\n")
        return
    rows = [(row["against"], row["level"], row["masks"], _verdict(row["level"], row["why"])) for row in leaks["kept"]]
    print_table(f"Leaks into {names}, in the split all the same", ("into", "level", "masks#", ""), rows)
    if notes is None:
        first = _leaked(split)[:LEAKS_SHOWN]
        print_table("The first of them", ("mask_id", "level", "other mask", "what it is"), first)


def _verdict(level: str, why: str) -> str:
    if why == "allowed":
        return "allowed, and recorded"
    return "refused" if level in REFUSED else "warning"


def _leaked(split: Split) -> list[tuple[Any, ...]]:
    rows = [row for row in read_notes(split).to_pylist() if row["what"] == "leak"]
    return [(row["mask_id"], row["level"], row["other_mask_id"], row["reason"]) for row in rows]


def _print_reading(facts: Mapping[str, Any]) -> None:
    """How images and masks are read, and how well a matched control is balanced."""
    scale, degrade, balance = facts["scale"], facts["degrade"], facts["balance"]
    if scale:
        console().print(
            f"Images are reduced when read: median diagonal {scale['before']:,.0f} px before, {scale['after']:,.0f} px "
            f"after, {scale['target']:,.0f} px in {scale['to']}; {cell(scale['smaller'])} of {cell(scale['images'])} "
            "images were smaller than what was drawn for them and stay as they are\n"
        )
    if balance:
        print_balance(balance)
    if degrade:
        columns = ("source", "strength#", "boundary IoU#", "5 %#", "95 %#", "IoU#", "measured on#", "emptied#")
        rows = [
            (
                source,
                f"{row['strength']:.5f}",
                *(f"{row[key]:.3f}" for key in ("boundary_iou", "boundary_iou_5", "boundary_iou_95", "iou")),
                row["masks"],
                row["emptied"],
            )
            for source, row in degrade["sources"].items()
        ]
        wanted = f", to a mean boundary IoU of {degrade['target']:g}" if degrade["target"] else ""
        title = f"Masks are degraded when read: {degrade['kind']}{wanted}"
        if rows:
            print_table(title, columns, rows)
        else:
            console().print(f"{title} ({degrade['name']})\n")


def print_balance(balance: Mapping[str, Any], title: str = "Balance") -> None:
    """Print the table of a matched control: means, and standardised differences before and after."""
    heads = ("column", "target#", "pool#", "control#", "before#", "after#", "bins#", "before#", "after#")
    rows = [
        (
            row["name"],
            *(f"{row[key]:.4g}" for key in ("target", "pool", "control")),
            *(_difference(row[key]) for key in ("before", "after")),
            *((row["bins"], *(_difference(row[key]) for key in ("bins_before", "bins_after"))) if row["bins"] else ()),
        )
        for row in (*balance["columns"], *balance["products"])
    ]
    padded = [(*row, *[""] * (len(heads) - len(row))) for row in rows]
    print_table(f"{title}: means, and standardised differences of means and of bins' shares", heads, padded)
    left = [f"{balance[key]:,} {text}" for key, text in _LEFT_OUT.items() if balance[key]]
    console().print(
        f"{cell(balance['control'])} of {cell(balance['pool'])} masks drawn for {cell(balance['target'])}; accepted "
        f"because every difference of a column is below {balance['limit']:g}; effective sample size of the pool "
        f"{balance['effective']:,.0f}{'; ' if left else ''}{', '.join(left)}\n"
    )


_LEFT_OUT = {
    "outside": "of the pool lie outside of the target's range",
    "pool_missing": "more of it lack a value",
    "target_missing": "of the target lack a value",
}


def _difference(value: float | None) -> str:
    return "infinite" if value is None else f"{value:+.3f}"


def _print_terms(terms: Mapping[str, Any]) -> None:
    said: dict[str, list[str]] = {}
    for row in terms["because"]:
        said.setdefault(row["statement"], []).append(row["source"])
    cause = "; ".join(f"{', '.join(sources)}: {statement}" for statement, sources in said.items())
    why = f" ({cause})" if terms["redistribution"] != "allowed" else ""
    console().print(f"Redistribution: {terms['redistribution']}{why}\n".replace("[", "\\["))


def _print_notes(notes: Sequence[Mapping[str, Any]]) -> None:
    columns = ("what", "why", "mask_id", "level", "other mask", "reason")
    keys = ("what", "why", "mask_id", "level", "other_mask_id", "reason")
    print_table("Notes", columns, [[row[key] or "" for key in keys] for row in notes])


def print_splits(folder: Path, splits: Sequence[Split]) -> None:
    """Print the splits of a folder, one a line."""
    rows = []
    for split in splits:
        facts = split.facts
        asked = "; ".join(f"{name} {text}" for name, text in _asked(facts))
        counts = facts["counts"]
        recipe = facts["collection"]["recipe"]
        rows.append((split.name, recipe, counts["masks"], facts["terms"]["redistribution"], asked or "every mask"))
    print_table("Splits", ("name", "of", "masks#", "redistribution", "asked for"), rows)
    console().print(f"{folder}: {cell(len(splits))} splits")


def print_difference(found: Difference, a: str, b: str) -> None:
    """Print what differs, and at the end one line."""
    out = console()
    out.print(f"A = {a}\nB = {b}\n".replace("[", "\\["))
    if found.choices:
        rows = [(name, _text(one), _text(other)) for name, one, other in found.choices]
        print_table("Chosen differently", ("what", "in A", "in B"), rows)
    if found.changes:
        print_table("Masks", ("difference", "source", "masks#"), [(*key, n) for key, n in found.counts.items()])
        shown = [(item.what, item.mask_id, _number(item.a), _number(item.b)) for item in found.changes[:SHOWN]]
        print_table("One by one", ("difference", "mask_id", "in A#", "in B#"), shown)
        if len(found.changes) > SHOWN:
            out.print(f"... and {len(found.changes) - SHOWN:,} more; --json names all\n")
    if found:
        out.print(f"{len(found.changes):,} masks and {len(found.choices):,} choices differ")
    else:
        out.print("the same masks, read the same way")


def _asked(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was asked for; evaluation collections by the names that the audit knows."""
    names = {row["content_digest"]: row["name"] for row in facts["leaks"]["checked"]}
    found = []
    for name, value in facts["request"].items():
        if isinstance(value, list):
            found.append((name, ", ".join(names.get(item, str(item)) for item in value)))
        elif name != "name":
            found.append((name, _text(value)))
    return found


def _text(value: Any) -> str:
    return value if isinstance(value, str) else canonical_json(value)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
