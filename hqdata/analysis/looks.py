"""How every mask of a collection lies on its image: one row a mask, from the pixels of both.

Statistics describe masks and images; these figures tell whether the two belong together. ``docs/suspects.md`` explains
what is concluded from them.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from hqdata.analysis.measure import PIECE_SAMPLES, Computed, Measure, OnSamples, compute
from hqdata.arrays import BoolArray, FloatArray, UInt8Array
from hqdata.errors import StoreCorrupt, explain
from hqdata.masks.colour import alike
from hqdata.masks.fit import Edges, edges, outline, placement, trim
from hqdata.store.reader import STATS, Collection, Sample

LOOKS = "looks"
VERSION = 1
"""To be raised whenever a figure changes."""

COLUMNS: list[tuple[str, pa.DataType, str, str]] = [
    ("mask_id", pa.string(), "", "sample_id#k"),
    ("edge_fit", pa.float64(), "1", "mean evidence for the outline in the image's edges, -1 to 1; 0 by chance"),
    ("edge_spread", pa.float64(), "1", "standard deviation of that fit over all shifts by up to 0.2 of the diagonal"),
    ("moved_fit", pa.float64(), "1", "fit at the best of these shifts"),
    ("moved_right", pa.float64(), "1", "the best shift to the right, over the diagonal; negative to the left"),
    ("moved_down", pa.float64(), "1", "the best shift downwards, over the diagonal; negative upwards"),
    ("edge_sharpness", pa.float64(), "1", "mean evidence up to 2 px from the outline less that from 2 to 6 px, at 512"),
    ("edge_offset", pa.float64(), "1", "how far inside the outline the image's edge lies, over the diagonal"),
    ("offset_gain", pa.float64(), "1", "mean evidence at that distance less that on the outline"),
    ("edge_gap", pa.float64(), "1", "share of the outline in its longest stretch without an edge of the image"),
    ("colour_overlap", pa.float64(), "1", "Bhattacharyya coefficient of the colours inside and outside"),
    ("alike_share", pa.float64(), "1", "largest region outside with the mask's colours, over itself and the mask"),
]
"""Name, type, unit and meaning; None where a mask has no outline, or a side too few pixels."""
LOOKS_SCHEMA = pa.schema([(name, arrow) for name, arrow, _, _ in COLUMNS])
_DECIMALS = 6
LEAST_GROUP = 30
"""A source of fewer masks has no usual values of its own; those of the whole collection stand in."""
LEAST_SPREAD = 0.15
"""Spread of a group, as a share of its median, below which it is taken as this: in a group of equals every small
difference would be an outlier."""


def compute_looks(
    collection: Collection,
    *,
    workers: int = 1,
    on_samples: OnSamples = lambda _: None,
    piece_samples: int = PIECE_SAMPLES,
) -> Computed:
    """Hold every mask against its image; the rest is as :func:`hqdata.analysis.measure.compute` says."""
    return compute(collection, MEASURE, workers=workers, on_samples=on_samples, piece_samples=piece_samples)


def sample_looks(sample: Sample) -> Iterator[dict[str, Any]]:
    """Hold one sample's masks against its image.

    Args:
        sample: of a collection.

    Yields:
        One mapping a mask, with a value (or None) for every name of :data:`LOOKS_SCHEMA`.

    Raises:
        DecodeError: image or mask cannot be decoded.
    """
    found = edges(sample.image)
    for mask_id, mask in zip(sample.mask_ids, sample.each_mask(), strict=True):
        yield {"mask_id": mask_id, **mask_looks(found, sample.image, mask)}


def mask_looks(found: Edges, image: UInt8Array, mask: UInt8Array) -> dict[str, float | None]:
    """Figures of one mask.

    Args:
        found: edges of the image.
        image: ``uint8[H, W, 3]``, RGB.
        mask: ``uint8[H, W]``, 0 to 255.
    """
    # Only what is above 127 counts anywhere in the project; a faint background must not draw an outline.
    hard = np.asarray(mask > 127).view(np.uint8) * np.uint8(255)
    figures: dict[str, float | None] = dict.fromkeys(LOOKS_SCHEMA.names[1:])
    drawn, close, colours = outline(hard), trim(found, hard), alike(image, hard)
    if drawn is not None:
        place = placement(found, drawn)
        figures |= {"edge_fit": place.fit, "edge_spread": place.spread, "moved_fit": place.moved_fit}
        figures |= {"moved_right": place.right, "moved_down": place.down}
    if close is not None:
        figures |= {"edge_sharpness": close.sharpness, "edge_offset": close.offset}
        figures |= {"offset_gain": close.offset_gain, "edge_gap": close.gap}
    if colours is not None:
        figures |= {"colour_overlap": colours.overlap, "alike_share": colours.share}
    return {name: None if value is None else _rounded(value) for name, value in figures.items()}


def _rounded(value: float) -> float:
    """Six decimals: more would only be the machine's."""
    return round(value, _DECIMALS) if math.isfinite(value) else 0.0


MEASURE = Measure(kind=LOOKS, version=VERSION, schema=LOOKS_SCHEMA, rows=sample_looks)


class Masks:
    """Statistics and looks of all masks, column by column, and what is usual in each one's source."""

    def __init__(self, collection: Collection, stats: pa.Table, looks: pa.Table) -> None:
        if stats["mask_id"] != looks["mask_id"]:
            raise StoreCorrupt(
                explain(
                    f"the tables {STATS} and {LOOKS} of {collection.folder} are of different masks", do="delete both"
                )
            )
        self.collection = collection
        self.ids: list[str] = stats["mask_id"].to_pylist()
        self.samples: list[str] = stats["sample_id"].to_pylist()
        self.sources: list[str] = stats["source"].to_pylist()
        self._tables = (stats, looks)
        samples = collection.table.select(["sample_id", "errata"]).to_pydict()
        self.errata = dict(zip(samples["sample_id"], samples["errata"], strict=True))
        single = dict(zip(samples["sample_id"], collection.table["mask"].is_valid().to_pylist(), strict=True))
        self.single: BoolArray = np.array([single[name] for name in self.samples], np.bool_)
        """Masks of samples that have one only."""
        self.area: FloatArray = self.column("area_px")
        self.pixels: FloatArray = self.column("width") * self.column("height")
        self.diagonal: FloatArray = np.hypot(self.column("width"), self.column("height"))

    def __len__(self) -> int:
        return len(self.ids)

    def column(self, name: str) -> FloatArray:
        """Values of a column as ``float64[masks]``, NaN where there is none."""
        table = next(table for table in self._tables if name in table.column_names)
        return np.asarray(table[name].cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)

    def usual(self, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Median and spread (1.4826 times the median distance from it) of each mask's source, ``float64[masks]``."""
        middle, spread = (np.full(len(self), np.nan) for _ in range(2))
        sources = np.array(self.sources, np.object_)
        for source in sorted(set(self.sources)):
            own = sources == source
            known = values[own & ~np.isnan(values)]
            if len(known) < LEAST_GROUP:
                known = values[~np.isnan(values)]
            if len(known):
                median = float(np.median(known))
                middle[own] = median
                spread[own] = max(LEAST_SPREAD * abs(median), 1.4826 * float(np.median(np.abs(known - median))), 1e-9)
        return middle, spread
