"""Suspect annotations of the report, by kind."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import pyarrow as pa

from hqdata.analysis.findings import KINDS
from hqdata.analysis.report.cards import CARDS, Card, Figure, Group
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
from hqdata.store.reader import Collection

_ORDER = {kind: position for position, kind in enumerate(KINDS)}
Finding: TypeAlias = Mapping[str, Any]


def suspect_counts(table: pa.Table) -> Table:
    """Suspects by kind."""
    rows = table.select(["kind", "remove"]).to_pylist()
    columns = (
        Column("kind", "Kind"),
        Column("suspects", "Suspects"),
        Column("removed", "Left out", "by the clean split; the others want a look first"),
        Column("meaning", "Meaning"),
    )
    lines = []
    for kind, meaning in KINDS.items():
        own = [row for row in rows if row["kind"] == kind]
        removed = sum(row["remove"] is not None for row in own)
        link = f"suspects?kind={kind}" if own else ""
        lines.append(Line((text(kind), count(len(own), link), count(removed), text(meaning))))
    return Table(caption="Suspects by kind", columns=columns, lines=tuple(lines))


def suspect_table(table: pa.Table, folder: str) -> tuple[Table, tuple[Choice, ...]]:
    """Suspects one by one, the first of every kind, with the filters on them."""
    columns = (
        Column("kind", "Kind", "; ".join(f"{word}: {meaning}" for word, meaning in KINDS.items())),
        Column("rank", "Rank", "place among the suspects of its kind"),
        Column("score", "Score", "0 to 1, comparable within a kind only; no probability"),
        Column("mask", "Mask"),
        Column("other", "Fits", "mask or image that fits better"),
        Column("remove", "Clean split"),
        Column("reason", "What was measured"),
    )
    rows = sorted(table.to_pylist(), key=_key)
    lines = tuple(
        Line(
            (
                text(row["kind"]),
                count(row["rank"]),
                number(row["score"]),
                name(row["mask_id"]),
                name(row["other_mask_id"]),
                text(_fate(row)),
                text(row["reason"]),
            ),
            _words(row),
        )
        for row in sorted(fair(rows, lambda row: row["kind"], MAX_ROWS), key=_key)
    )
    choices = (
        choice("kind", "Kind", lines, KINDS),
        choice("source", "Source", lines),
        choice("remove", "Clean split", lines),
    )
    query = sql(folder, "SELECT * FROM suspects ORDER BY kind, rank")
    caption = "Suspects, one by one"
    return Table(caption=caption, columns=columns, lines=lines, total=table.num_rows, query=query), choices


def _key(row: Finding) -> tuple[int, int]:
    return _ORDER[row["kind"]], row["rank"]


def _fate(row: Finding) -> str:
    return "left out" if row["remove"] is not None else "look first"


def _words(row: Finding) -> dict[str, tuple[str, ...]]:
    return {"kind": (row["kind"],), "source": (row["source"],), "remove": (_fate(row),)}


def suspect_groups(table: pa.Table, collection: Collection) -> list[Group]:
    """Cards by kind and rank; two masks that were swapped are one card."""
    rows = sorted(table.to_pylist(), key=_key)
    found = []
    for kind, meaning in KINDS.items():
        own = [row for row in rows if row["kind"] == kind]
        once = _without_mirrors(own)
        found.append(
            Group(
                anchor=f"suspects?kind={kind}",
                title=kind.replace("_", " "),
                meaning=meaning,
                total=len(own),
                cards_total=len(once),
                query=sql(folder_name(collection), "SELECT * FROM suspects WHERE", f"kind = '{kind}'", "ORDER BY rank"),
                words={"kind": (kind,)},
                draws=[partial(_card, row, collection) for row in once[:CARDS]],
            )
        )
    return [group for group in found if group.total]


def _without_mirrors(rows: Sequence[Finding]) -> list[Finding]:
    """Of a swapped pair that is listed from both sides, the first row."""
    seen: set[frozenset[str]] = set()
    kept = []
    for row in rows:
        pair = frozenset((row["mask_id"], row["other_mask_id"] or ""))
        if row["kind"] != "swapped" or pair not in seen:
            kept.append(row)
        seen.add(pair)
    return kept


def _card(row: Finding, collection: Collection, album: Album) -> Card:
    facts = (("score", number(row["score"]).text), ("clean split", _fate(row)))
    swapped = row["kind"] == "swapped" and row["other_mask_id"] is not None
    return Card(
        title=f"{row['kind'].replace('_', ' ').capitalize()} {row['rank']}",
        facts=facts,
        figures=_exchange(row, collection, album) if swapped else _closer(row, collection, album),
        reasons=(row["reason"],),
        words=_words(row),
    )


def _closer(row: Finding, collection: Collection, album: Album) -> tuple[Figure, ...]:
    """The whole image, a part at native resolution, and the image that the mask would fit, if one is known."""
    mask_id, other = row["mask_id"], row["other_mask_id"]
    whole = Figure(shown=album.overview(collection, mask_id), name=mask_id, role="whole image")
    part = Figure(shown=album.crop(collection, mask_id), name="", role="part, pixel for pixel", native=True)
    if other is None:
        return whole, part
    fits = Figure(shown=album.overview(collection, other, mask_id), name=other, role="this mask on the image that fits")
    return whole, part, fits


def _exchange(row: Finding, collection: Collection, album: Album) -> tuple[Figure, ...]:
    """Both images with their own masks, then with each other's."""
    pair = (row["mask_id"], row["other_mask_id"])
    stored = [Figure(shown=album.overview(collection, one), name=one, role="as stored") for one in pair]
    exchanged = [
        Figure(shown=album.overview(collection, one, two), name=one, role="with the other's mask")
        for one, two in (pair, pair[::-1])
    ]
    return (*stored, *exchanged)
