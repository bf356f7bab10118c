"""Sources side by side: figures, distributions, terms and citations."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from hqdata.analysis.report.plots import STATISTICS, Row, Statistic, distributions
from hqdata.analysis.report.tables import Column, Line, Table, count, folder_name, number, text
from hqdata.arrays import FloatArray
from hqdata.catalog import Catalog, manifest_digest
from hqdata.manifest import Source
from hqdata.store.reader import Collection

_FIGURES = tuple(item.column for item in STATISTICS if item.column != "long_side")
_READ = ("source", "part", "width", "height", "area_px", "boundary_rel", "soft_edge_share", *_FIGURES)
_PLACES = ("long_side", "area_rel", "thin_share_1024", "components_1024")
_MORE = ("boundary_rel", "ipq_1024", "edge_alignment_1024", "soft_edge_share")


@dataclass(frozen=True, slots=True)
class Figures:
    """Statistics of the masks of one collection, column by column."""

    collection: Collection
    evaluation: bool
    words: Mapping[str, np.ndarray[Any, Any]]
    """Source and part of every mask."""
    columns: Mapping[str, FloatArray]
    """NaN where a mask has no such figure."""

    def of(self, column: str, source: str, part: str | None = None) -> FloatArray:
        """Figures of a source, or of one part of it, missing ones left out."""
        chosen = self.words["source"] == source
        if part is not None:
            chosen &= self.words["part"] == part
        values: FloatArray = self.columns[column][chosen]
        present: FloatArray = values[~np.isnan(values)]
        return present


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One statistic of all sources."""

    statistic: Statistic
    uri: str
    alt: str


def read_figures(collection: Collection, *, evaluation: bool) -> Figures:
    """Read the statistics that the page shows.

    Raises:
        StoreCorrupt: the collection has none; the text names the command.
    """
    table = collection.stats.select(_READ)
    words = {key: np.asarray(table[key].to_pylist(), dtype=np.str_) for key in ("source", "part")}
    columns = {key: table[key].cast(pa.float64()).to_numpy(zero_copy_only=False) for key in _READ if key not in words}
    columns["long_side"] = np.maximum(columns["width"], columns["height"])
    return Figures(collection, evaluation, words, columns)


def samples_by_part(collection: Collection) -> dict[tuple[str, str], int]:
    """Number of samples of every part of every source, sorted."""
    grouped = collection.table.select(["source", "part"]).group_by(["source", "part"]).aggregate([([], "count_all")])
    rows = grouped.to_pylist()
    return dict(sorted(((row["source"], row["part"]), row["count_all"]) for row in rows))


def source_table(figures: Sequence[Figures]) -> Table:
    """Medians of every part of every source."""
    columns = (
        Column("source", "Source", "source/part"),
        Column("collection", "In", "the audited collection, or an evaluation set"),
        Column("samples", "Samples", "images"),
        Column("masks", "Masks"),
        Column("empty", "Empty", "masks without foreground"),
        Column("long_side", "Long side, px", "median of the longer side"),
        Column("area", "Area", "median share of the image that is foreground"),
        Column("thin", "Thin share", "median share of the area that is thinner than 2 % of the diagonal"),
        Column("components", "Components", "mean number of parts that do not touch"),
        Column("boundary", "Boundary", "median length of the boundary over the image's diagonal"),
        Column("ipq", "IPQ", "median complexity of the outline; 1 is a disk"),
        Column("alignment", "Edge alignment", "median; 0.64 by chance"),
        Column("soft", "Soft edge", "median share of edge pixels that are grey"),
    )
    lines = tuple(line for item in figures for line in _source_lines(item))
    return Table(caption="Sources, part by part", columns=columns, lines=lines, total=len(lines))


def _source_lines(item: Figures) -> Iterator[Line]:
    for (source, part), samples in samples_by_part(item.collection).items():
        area = item.of("area_px", source, part)
        long_side, covered, thin, components = (item.of(key, source, part) for key in _PLACES)
        boundary, ipq, alignment, soft = (_median(item.of(key, source, part)) for key in _MORE)
        yield Line(
            (
                text(f"{source}/{part}"),
                text(_whose(item)),
                count(samples),
                count(len(area)),
                count(int((area == 0).sum())),
                number(_median(long_side), 0),
                number(_median(covered)),
                number(_median(thin)),
                number(float(components.mean()) if components.size else None, 2),
                number(boundary, 2),
                number(ipq, 2),
                number(alignment, 2),
                number(soft, 2),
            )
        )


def _median(values: FloatArray) -> float | None:
    return float(np.median(values)) if values.size else None


def panels(figures: Sequence[Figures]) -> list[Panel]:
    """Distributions of every statistic, over all sources that have masks."""
    found = []
    for statistic in STATISTICS:
        rows = [
            Row(source, item.of(statistic.column, source), item.evaluation)
            for item in figures
            for source in sorted(set(item.words["source"].tolist()))
        ]
        if not rows:
            continue
        medians = ", ".join(f"{row.label} {number(_median(row.values)).text}" for row in rows)
        alt = f"{statistic.title}: histograms of {statistic.axis}, one row a source. Medians: {medians}."
        found.append(Panel(statistic=statistic, uri=distributions(statistic, rows), alt=alt))
    return found


def quantile_table(figures: Sequence[Figures]) -> Table:
    """Numbers behind the plots."""
    shares = (5, 25, 50, 75, 95)
    columns = (
        Column("statistic", "Statistic"),
        Column("source", "Source"),
        Column("collection", "In"),
        Column("masks", "Masks"),
        *(Column(f"q{share}", f"{share} %") for share in shares),
    )
    lines = []
    for statistic in STATISTICS:
        for item in figures:
            for source in sorted(set(item.words["source"].tolist())):
                values = item.of(statistic.column, source)
                cuts = np.quantile(values, [share / 100 for share in shares]) if values.size else [None] * len(shares)
                head = (text(f"{statistic.title}: {statistic.axis}"), text(source), text(_whose(item)))
                lines.append(Line((*head, count(values.size), *(number(cut) for cut in cuts))))
    return Table(caption="Quantiles of the plots", columns=columns, lines=tuple(lines), total=len(lines))


def _whose(item: Figures) -> str:
    return folder_name(item.collection) if item.evaluation else "audited"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What is known of one source."""

    name: str
    used_by: tuple[str, ...]
    facts: Mapping[str, Any]
    """What the collection's index says."""
    manifest: Source | None
    """The manifest at hand, if it is the one that the collection was built from."""


def origins(collections: Sequence[Collection], catalog: Catalog) -> list[Origin]:
    """Every source of every collection, each manifest once."""
    found: dict[tuple[str, str], tuple[Mapping[str, Any], list[str]]] = {}
    for collection in collections:
        for source, facts in collection.index["sources"].items():
            _, users = found.setdefault((source, facts["manifest"]), (facts, []))
            users.append(folder_name(collection))
    listed = []
    for (source, digest), (facts, users) in sorted(found.items()):
        manifest = catalog.sources.get(source)
        same = manifest is not None and manifest_digest(manifest) == digest
        listed.append(Origin(name=source, used_by=tuple(users), facts=facts, manifest=manifest if same else None))
    return listed
