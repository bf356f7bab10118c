"""Rejects and errata of the report."""

from collections.abc import Iterator

import pyarrow.compute as pc

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
    sql,
    text,
)
from hqdata.catalog import Catalog
from hqdata.schema import REASONS, STAGES
from hqdata.store.reader import Collection


def reject_counts(collection: Collection) -> Table:
    """Rejects by reason."""
    found = {row["values"]: row["counts"] for row in pc.value_counts(collection.rejects["reason"]).to_pylist()}
    columns = (Column("reason", "Reason"), Column("rejects", "Rejects"), Column("meaning", "Meaning"))
    lines = tuple(Line((text(word), count(found[word]), text(REASONS[word]))) for word in REASONS if word in found)
    return Table(caption="Rejects by reason", columns=columns, lines=lines, total=len(lines))


def reject_table(collection: Collection) -> tuple[Table, tuple[Choice, ...]]:
    """Rejects one by one; where there are too many, some of every reason."""
    columns = (
        Column("source", "Source"),
        Column("archive", "Archive"),
        Column("member", "Member"),
        Column("stage", "Stage", "; ".join(f"{word}: {meaning}" for word, meaning in STAGES.items())),
        Column("reason", "Reason"),
        Column("detail", "Detail"),
    )
    rows = collection.rejects.to_pylist()
    chosen = sorted(fair(enumerate(rows), lambda item: item[1]["reason"], MAX_ROWS), key=lambda item: item[0])
    lines = tuple(
        Line(
            (
                text(row["source"]),
                name(row["archive"]),
                name(row["member"]),
                text(row["stage"]),
                text(row["reason"]),
                name(row["detail"]),
            ),
            {key: (row[key],) for key in ("source", "reason")},
        )
        for _, row in chosen
    )
    query = sql(folder_name(collection), "SELECT * FROM rejects")
    table = Table(caption="Rejects, one by one", columns=columns, lines=lines, total=len(rows), query=query)
    return table, (choice("source", "Source", lines), choice("reason", "Reason", lines, REASONS))


def errata_table(collection: Collection, catalog: Catalog) -> tuple[Table, tuple[Choice, ...]]:
    """Samples with a fault that their source's authors or users have reported."""
    columns = (
        Column("sample", "Sample"),
        Column("kind", "Fault"),
        Column("note", "What is known"),
        Column("reference", "Reported in"),
    )
    lines = tuple(_errata(collection, catalog))
    shown = lines[:MAX_ROWS]
    query = sql(folder_name(collection), "SELECT sample_id, unnest(errata) AS erratum FROM samples")
    caption = "Errata, sample by sample"
    table = Table(caption=caption, columns=columns, lines=shown, total=len(lines), query=query)
    return table, (choice("kind", "Fault", shown), choice("source", "Source", shown))


def _errata(collection: Collection, catalog: Catalog) -> Iterator[Line]:
    table = collection.table.select(["sample_id", "source", "part", "errata"])
    for row in table.filter(pc.greater(pc.list_value_length(table["errata"]), 0)).to_pylist():
        manifest = catalog.sources.get(row["source"])
        stem = row["sample_id"].split("/", 2)[2]
        for kind in row["errata"]:
            known = [
                erratum
                for erratum in (manifest.errata if manifest else ())
                if (erratum.kind, erratum.part) == (kind, row["part"]) and stem in erratum.stems
            ]
            notes, references = ("; ".join(getattr(e, key) for e in known) for key in ("note", "reference"))
            words = {"kind": (kind,), "source": (row["source"],)}
            yield Line((name(row["sample_id"]), text(kind), text(notes), text(references)), words)
