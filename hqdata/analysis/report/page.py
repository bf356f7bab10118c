"""Writing the report: every section's content, one template, one file."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from hqdata.analysis.findings import CHANGES, DUPLICATES, LEAKS, LEVELS, Audit
from hqdata.analysis.report.cards import Group, draw_cards
from hqdata.analysis.report.html import allow, fill
from hqdata.analysis.report.pictures import Album
from hqdata.analysis.report.rejects import errata_table, reject_counts, reject_table
from hqdata.analysis.report.relations import (
    CONSEQUENCE,
    by_present_names,
    change_table,
    duplicate_groups,
    leak_groups,
    leak_matrix,
    relation_table,
    source_matrix,
)
from hqdata.analysis.report.sources import origins, panels, quantile_table, read_figures, samples_by_part, source_table
from hqdata.analysis.report.suspects import suspect_counts, suspect_groups, suspect_table
from hqdata.analysis.report.tables import folder_name
from hqdata.catalog import Catalog
from hqdata.fsio.atomic import write_bytes
from hqdata.store.reader import Collection

PICTURE_BYTES: Final = 9_500_000
"""Pictures stop here, so that with full tables the page stays below about 15 MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a report holds."""

    path: Path
    bytes: int
    pictures: int
    """Different ones."""
    rows: int
    """Rows of findings, rejects and errata in the tables."""
    rows_left_out: int


def write_report(
    audit: Audit,
    path: Path,
    catalog: Catalog,
    *,
    on_pictures: Callable[[int], None] = lambda _: None,
    picture_bytes: int = PICTURE_BYTES,
) -> Written:
    """Write the report of an audit as one HTML page that loads nothing.

    Args:
        audit: what was found; the collection and those of ``against`` have statistics.
        path: the page.
        catalog: manifests, for terms, citations and the notes on errata.
        on_pictures: told of every picture drawn.
        picture_bytes: characters of encoded pictures after which no more are drawn.

    Returns:
        What was written; the same audit gives the same bytes.

    Raises:
        StoreCorrupt: statistics are missing, or a finding names a mask that is not there.
        UsageError: leaks into a collection that is not in ``against``.
    """
    album = Album(picture_bytes, on_pictures)
    content = _content(audit, catalog, album)
    page = _render({**content, "pictures": [item for item in album.pictures if item.uses > 1]})
    raw = page.encode("utf-8", "backslashreplace")
    write_bytes(path, raw)
    parts = [view["table"] for view in content["views"].values()]
    return Written(
        path=path,
        bytes=len(raw),
        pictures=len(album.pictures),
        rows=sum(len(table.lines) for table in parts),
        rows_left_out=sum(table.left_out for table in parts),
    )


def _content(audit: Audit, catalog: Catalog, album: Album) -> dict[str, Any]:
    """Everything that the template shows."""
    collection, folder = audit.collection, folder_name(audit.collection)
    figures = [read_figures(collection, evaluation=False)]
    figures += [read_figures(item, evaluation=True) for item in audit.against]
    duplicates = duplicate_groups(audit.duplicates, collection)
    found = by_present_names(audit.leaks, audit.against)
    leaks = leak_groups(found, collection, audit.against)
    suspects = suspect_groups(audit.suspects, collection)
    draw_cards([*suspects, *(group for _, groups in leaks for group in groups), *duplicates], album)
    masks = len(figures[0].columns["area_px"])
    return {
        "collection": collection,
        "index": collection.index,
        "against": audit.against,
        "collections": (collection, *audit.against),
        "summary": _summary(audit, masks),
        "sources": source_table(figures),
        "panels": panels(figures),
        "quantiles": quantile_table(figures),
        "changes": change_table(audit.duplicates),
        "matrix": source_matrix(audit.duplicates),
        "leak_matrix": leak_matrix(found, audit.against),
        "suspect_counts": suspect_counts(audit.suspects),
        "reject_counts": reject_counts(collection),
        "views": {
            "duplicates": _view(relation_table(audit.duplicates, DUPLICATES, folder), duplicates),
            "leaks": _view(relation_table(found, LEAKS, folder), [g for _, groups in leaks for g in groups]),
            "suspects": _view(suspect_table(audit.suspects, folder), suspects),
            "rejects": _view(reject_table(collection), []),
            "errata": _view(errata_table(collection, catalog), []),
        },
        "leaks": leaks,
        "origins": origins((collection, *audit.against), catalog),
        "command": _command(collection, audit.against),
        "LEVELS": LEVELS,
        "CHANGES": CHANGES,
        "CONSEQUENCE": CONSEQUENCE,
    }


def _view(table: Any, groups: Sequence[Group]) -> dict[str, Any]:
    rows, choices = table
    return {
        "table": rows,
        "choices": [item for item in choices if len(item.options) > 1],
        "groups": groups,
        "cards": sum(len(group.cards) for group in groups),
    }


def _summary(audit: Audit, masks: int) -> dict[str, int]:
    return {
        "samples": len(audit.collection),
        "masks": masks,
        "sources": len(audit.collection.index["sources"]),
        "parts": len(samples_by_part(audit.collection)),
        "duplicates": audit.duplicates.num_rows,
        "groups": _different(audit.duplicates, "group"),
        "duplicates_removed": _different(audit.duplicates, "remove"),
        "leaks": audit.leaks.num_rows,
        "leaks_removed": _different(audit.leaks, "remove"),
        "suspects": audit.suspects.num_rows,
        "suspects_removed": _different(audit.suspects, "remove"),
        "rejects": audit.collection.rejects.num_rows,
    }


def _different(table: pa.Table, column: str) -> int:
    """Number of different values, NULL not counted."""
    return len(set(table[column].to_pylist()) - {None})


def _command(collection: Collection, against: Sequence[Collection]) -> str:
    words = ["hqdata", "audit", folder_name(collection)]
    for item in against:
        words += ["--against", folder_name(item)]
    return shlex.join([*words, "--report", "FILE.html"])


def _render(content: dict[str, Any]) -> str:
    """Fill the template; the page may run its own script and style only."""
    files = resources.files("hqdata.analysis.report")
    template, style, script = (
        files.joinpath(name).read_text("utf-8") for name in ("template.html.jinja", "style.css", "tables.js")
    )
    policy = "; ".join(
        [
            "default-src 'none'",
            "img-src data:",
            f"style-src {allow(style)}",
            f"script-src {allow(script)}",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    filters: dict[str, Callable[..., Any]] = {"link": _link, "folder": folder_name}
    return fill(template, filters, {**content, "style": style, "script": script, "policy": policy})


def _link(address: str | None) -> str | None:
    """Address, if it is one that a browser may open."""
    return address if address and address.startswith(("https://", "http://")) else None
