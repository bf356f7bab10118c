"""Duplicates and leaks of the report: pairs of masks that share an image, an object or a mask."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias
from urllib.parse import quote

import pyarrow as pa

from hqdata.analysis.findings import CHANGES, DUPLICATES, LEAKS, LEVELS
from hqdata.analysis.report.cards import CARDS, Card, Draw, Figure, Group
from hqdata.analysis.report.pictures import Album
from hqdata.analysis.report.tables import (
    MAX_ROWS,
    Choice,
    Column,
    Line,
    Table,
    choice,
    count,
    fair,
    folder_name,
    name,
    number,
    sql,
    text,
)
from hqdata.errors import UsageError, explain
from hqdata.store.reader import Collection

MEMBERS = 6
"""Most pictures of one group of duplicates."""
CONSEQUENCE: dict[str, str] = {
    "pair": "training sees the test image with its very answer",
    "image": "training sees the test image, with another answer",
    "object": "training sees the object that is tested, before another background",
    "background": "training sees the scene that is tested, with another object",
    "mask": "an annotation that was copied, or a plain shape that is alike by chance",
}
"""What a leak of each level means for a score."""
_ORDER = {level: position for position, level in enumerate(LEVELS)}
Finding: TypeAlias = Mapping[str, Any]


def relation_table(table: pa.Table, kind: str, folder: str) -> tuple[Table, tuple[Choice, ...]]:
    """Findings one by one, some of every level, with the filters on them."""
    leaks = kind == LEAKS
    columns = (
        *((Column("against", "Evaluation set"),) if leaks else ()),
        Column("level", "Level", "; ".join(f"{word}: {meaning}" for word, meaning in LEVELS.items())),
        Column("changes", "Changes", "; ".join(f"{word}: {meaning}" for word, meaning in CHANGES.items())),
        Column("mask", "Training mask" if leaks else "Mask"),
        Column("other", "Evaluation mask" if leaks else "Other mask"),
        *(() if leaks else (Column("group", "Group", "number of the group of samples with equal images"),)),
        Column("similarity", "Similarity", "share of the compared tiles on which both images agree"),
        Column("iou", "Mask IoU", "overlap of the masks where the images overlap"),
        Column("remove", "Left out", "which mask the clean split leaves out"),
        Column("reason", "Why"),
    )
    chosen = _some(table)
    lines = tuple(Line(tuple(_cells(row, kind)), _words(row)) for row in chosen)
    choices = (
        *((choice("against", "Evaluation set", lines),) if leaks else ()),
        choice("level", "Level", lines, LEVELS),
        choice("changes", "Changes", lines, CHANGES),
        choice("source", "Source", lines),
        choice("remove", "Left out", lines),
    )
    caption = "Leaks, one by one" if leaks else "Duplicates, one by one"
    query = sql(folder, "SELECT * FROM", kind)
    return Table(caption=caption, columns=columns, lines=lines, total=table.num_rows, query=query), choices


def _some(table: pa.Table) -> list[Finding]:
    """Rows that are shown, the levels that share most first."""
    rows = [(_ORDER[row["level"]], position, row) for position, row in enumerate(table.to_pylist())]
    return [row for _, _, row in sorted(fair(rows, lambda item: item[0], MAX_ROWS), key=lambda item: item[:2])]


def _cells(row: Finding, kind: str) -> list[Any]:
    cells = [name(row["against"])] if kind == LEAKS else []
    cells += [text(row["level"]), text(", ".join(row["changes"])), name(row["mask_id"]), name(row["other_mask_id"])]
    if kind == DUPLICATES:
        cells.append(count(row["group"]) if row["group"] is not None else number(None))
    cells += [number(row["similarity"]), number(row["mask_iou"]), text(_removes(row)), text(row["reason"])]
    return cells


def _removes(row: Finding) -> str:
    if row["remove"] is None:
        return "none"
    return "mask" if row["remove"] == row["mask_id"] else "other mask"


def _words(row: Finding) -> dict[str, tuple[str, ...]]:
    words = {
        "level": (row["level"],),
        "changes": tuple(row["changes"]),
        "source": tuple(sorted({row["source"], row["other_source"]})),
        "remove": (_removes(row),),
    }
    return {"against": (row["against"],), **words} if "against" in row else words


def change_table(table: pa.Table) -> Table:
    """Findings by level and by what was done to the image."""
    columns = (
        Column("level", "Level"),
        Column("findings", "Findings"),
        *(Column(word, word, meaning) for word, meaning in CHANGES.items()),
        Column("meaning", "They share"),
    )
    counts: dict[tuple[str, str], int] = {}
    for row in table.select(["level", "changes"]).to_pylist():
        for word in ("", *row["changes"]):
            counts[row["level"], word] = counts.get((row["level"], word), 0) + 1
    lines = tuple(
        Line(
            (
                text(level),
                count(counts.get((level, ""), 0), f"duplicates?level={level}" if (level, "") in counts else ""),
                *(count(counts.get((level, word), 0)) for word in CHANGES),
                text(LEVELS[level]),
            )
        )
        for level in LEVELS
    )
    return Table(caption="Findings by level and change (one may have several changes)", columns=columns, lines=lines)


def source_matrix(table: pa.Table) -> Table:
    """Duplicates within each source (the diagonal) and across sources."""
    pairs = table.select(["source", "other_source"]).to_pylist()
    present = sorted({word for row in pairs for word in row.values()})
    counts: dict[tuple[str, str], int] = {}
    for row in pairs:
        for key in {(row["source"], row["other_source"]), (row["other_source"], row["source"])}:
            counts[key] = counts.get(key, 0) + 1
    columns = (Column("source", "Source"), *(Column(word, word) for word in present))
    lines = tuple(Line((name(one), *(count(counts.get((one, two), 0)) for two in present))) for one in present)
    return Table(caption="Pairs within a source (diagonal) and across sources", columns=columns, lines=lines)


def leak_matrix(table: pa.Table, against: Sequence[Collection]) -> Table:
    """Leaks of every evaluation collection by level."""
    rows = table.select(["against_digest", "level", "other_mask_id"]).to_pylist()
    own = {item.digest: [row for row in rows if row["against_digest"] == item.digest] for item in against}
    columns = (
        Column("level", "Level"),
        *(Column(item.digest, folder_name(item)) for item in against),
        Column("meaning", "They share"),
    )
    lines = []
    for level, meaning in LEVELS.items():
        cells = []
        for item in against:
            found = sum(row["level"] == level for row in own[item.digest])
            cells.append(count(found, leak_anchor(item, level) if found else ""))
        lines.append(Line((text(level), *cells, text(meaning))))
    touched = [count(len({row["other_mask_id"] for row in own[item.digest]})) for item in against]
    lines.append(Line((text("masks touched"), *touched, text("evaluation masks with any leak, each once"))))
    return Table(caption="Leaks by level and evaluation set", columns=columns, lines=tuple(lines))


def leak_anchor(evaluation: Collection, level: str) -> str:
    """Address of the leaks of one level into one evaluation collection."""
    return f"leaks?against={quote(folder_name(evaluation), safe='')}&level={level}"


def duplicate_groups(table: pa.Table, collection: Collection) -> list[Group]:
    """Cards by level: a group of samples with equal images is one card, any other pair a card of its own."""
    bundles: dict[object, list[Finding]] = {}
    for position, row in enumerate(table.to_pylist()):
        key = ("pair", position) if row["group"] is None else ("group", row["group"])
        bundles.setdefault(key, []).append(row)
    by_level: dict[str, list[Sequence[Finding]]] = {level: [] for level in LEVELS}
    for rows in bundles.values():
        by_level[min((row["level"] for row in rows), key=_ORDER.__getitem__)].append(rows)
    found = []
    for level, members in by_level.items():
        draws: list[Draw] = [partial(_duplicate_card, rows, collection) for rows in _various(members)]
        found.append(
            Group(
                anchor=f"duplicates?level={level}",
                title=level,
                meaning=LEVELS[level],
                total=sum(row["level"] == level for rows in bundles.values() for row in rows),
                cards_total=len(members),
                query=sql(folder_name(collection), "SELECT * FROM duplicates WHERE", f"level = '{level}'"),
                words={"level": (level,)},
                draws=draws,
            )
        )
    return [group for group in found if group.cards_total]


def _various(bundles: Sequence[Sequence[Finding]]) -> list[Sequence[Finding]]:
    """Bundles to draw: some of every combination of changes and sources."""

    def kind(rows: Sequence[Finding]) -> tuple[object, ...]:
        return tuple(rows[0]["changes"]), rows[0]["source"], rows[0]["other_source"]

    return fair(bundles, kind, CARDS)


def _duplicate_card(rows: Sequence[Finding], collection: Collection, album: Album) -> Card:
    dropped = {row["remove"] for row in rows if row["remove"] is not None}
    members = sorted(
        {row[key] for row in rows for key in ("mask_id", "other_mask_id")}, key=lambda m: (m in dropped, m)
    )
    figures = tuple(
        Figure(
            shown=album.overview(collection, member),
            name=member,
            role="",
            mark="would be left out" if member in dropped else "kept",
            dropped=member in dropped,
        )
        for member in members[:MEMBERS]
    )
    group = rows[0]["group"]
    words: dict[str, tuple[str, ...]] = {}
    for row in rows:
        words = {key: tuple(sorted({*words.get(key, ()), *new})) for key, new in _words(row).items()}
    return Card(
        title=f"Group {group}: {len(members)} masks" if group is not None else "Two masks",
        facts=_facts(rows[0]) if len(rows) == 1 else _joint_facts(rows),
        figures=figures,
        reasons=tuple(dict.fromkeys(row["reason"] for row in rows))[:MEMBERS],
        more=f"and {len(members) - MEMBERS} more masks of this group" if len(members) > MEMBERS else "",
        words=words,
    )


def _facts(row: Finding) -> tuple[tuple[str, str], ...]:
    return (
        ("changes", ", ".join(row["changes"]) or "none"),
        ("similarity", number(row["similarity"]).text),
        ("overlap", f"{number(row['overlap'], 2).text} / {number(row['other_overlap'], 2).text}"),
        ("mask IoU", number(row["mask_iou"]).text),
    )


def _joint_facts(rows: Sequence[Finding]) -> tuple[tuple[str, str], ...]:
    """What the pairs of a group have in common, and the range of the rest."""
    changes = {word for row in rows for word in row["changes"]}
    facts = [("pairs", str(len(rows))), ("changes", ", ".join(word for word in CHANGES if word in changes) or "none")]
    for label, key in (("similarity", "similarity"), ("mask IoU", "mask_iou")):
        values = [row[key] for row in rows if row[key] is not None]
        if values:
            facts.append((label, f"{number(min(values)).text} to {number(max(values)).text}"))
    return tuple(facts)


def by_present_names(leaks: pa.Table, against: Sequence[Collection]) -> pa.Table:
    """Leaks with the names that the evaluation collections have now, which are told by their digests.

    Raises:
        UsageError: leaks into a collection that was not given.
    """
    names = {item.digest: folder_name(item) for item in against}
    missing = sorted({row["against"] for row in leaks.to_pylist() if row["against_digest"] not in names})
    if missing:
        raise UsageError(
            explain(f"leaks into {', '.join(missing)} cannot be shown", do="give that evaluation collection as well")
        )
    present = pa.array([names[digest] for digest in leaks["against_digest"].to_pylist()], pa.string())
    return leaks.set_column(leaks.schema.get_field_index("against"), "against", present)


def leak_groups(
    table: pa.Table, collection: Collection, against: Sequence[Collection]
) -> list[tuple[Collection, list[Group]]]:
    """Cards by evaluation collection and level."""
    rows = table.to_pylist()
    return [
        (item, _levels([row for row in rows if row["against_digest"] == item.digest], collection, item))
        for item in against
    ]


def _levels(rows: Sequence[Finding], collection: Collection, evaluation: Collection) -> list[Group]:
    label = folder_name(evaluation)
    found = []
    for level in LEVELS:
        own = [[row] for row in rows if row["level"] == level]
        where = f"level = '{level}' AND against_digest = '{evaluation.digest}'"
        found.append(
            Group(
                anchor=leak_anchor(evaluation, level),
                title=level,
                meaning=f"{LEVELS[level]}: {CONSEQUENCE[level]}",
                total=len(own),
                cards_total=len(own),
                query=sql(folder_name(collection), "SELECT * FROM leaks WHERE", where),
                words={"level": (level,), "against": (label,)},
                draws=[partial(_leak_card, row, collection, evaluation) for (row,) in _various(own)],
            )
        )
    return [group for group in found if group.total]


def _leak_card(row: Finding, collection: Collection, evaluation: Collection, album: Album) -> Card:
    dropped = row["remove"] == row["mask_id"]
    figures = (
        Figure(
            shown=album.overview(collection, row["mask_id"]),
            name=row["mask_id"],
            role="training",
            mark="would be left out" if dropped else "kept",
            dropped=dropped,
        ),
        Figure(shown=album.overview(evaluation, row["other_mask_id"]), name=row["other_mask_id"], role="evaluation"),
    )
    title = f"{row['source']} to {row['other_source']}"
    return Card(title=title, facts=_facts(row), figures=figures, reasons=(row["reason"],), words=_words(row))
