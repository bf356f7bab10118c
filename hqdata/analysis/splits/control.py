"""Controls of another split: images at its sizes, masks with its distribution of some statistics."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hqdata.analysis.related import Progress
from hqdata.analysis.splits.columns import resolve_columns
from hqdata.analysis.splits.draft import drafted
from hqdata.analysis.splits.masks import sample_of
from hqdata.analysis.splits.match import match
from hqdata.analysis.splits.reference import Data
from hqdata.analysis.splits.request import Request
from hqdata.analysis.splits.scale import assign_scales
from hqdata.analysis.stats import compute_stats
from hqdata.arrays import FloatArray
from hqdata.store.reader import Collection


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """Masks that a control is drawn from."""

    collection: Collection
    masks: Sequence[str]
    scales: Mapping[str, float]
    """By mask; empty if images are read as they are."""
    workers: int
    progress: Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Masks of a control."""

    masks: tuple[str, ...]
    """Sorted."""
    without: tuple[str, ...]
    """Masks that could not be drawn because a value is missing."""
    facts: Mapping[str, Any]
    """The balance table."""


def scaled(
    collection: Collection, masks: Sequence[str], target: Data, request: Request
) -> tuple[dict[str, float], dict[str, Any]]:
    """Scale of every mask's image, and what the split's file says of it."""
    columns = collection.table.select(["sample_id", "width", "height"]).to_pydict()
    sizes = {name: (w, h) for name, w, h in zip(*columns.values(), strict=True)}
    samples = [sample_of(mask_id) for mask_id in masks]
    widths, heights = np.array([sizes[name] for name in samples]).T
    wanted = _diagonals(target)
    found = assign_scales(samples, widths, heights, wanted, request.seed)
    # Medians are over images, of which each may have many masks.
    images = np.unique(samples, return_index=True)[1]
    own = np.hypot(widths, heights)[images]
    read = own * found.scale[images]
    facts = {
        "to": request.image_scale_to,
        "images": found.images,
        "smaller": found.smaller,
        "before": float(np.median(own)),
        "after": float(np.median(read)),
        "target": float(np.median(wanted)),
    }
    return dict(zip(masks, found.scale.tolist(), strict=True)), facts


def _diagonals(data: Data) -> FloatArray:
    """``float64[images]``: diagonals in pixels of images as they are read."""
    return np.array([math.hypot(*sample.size) for sample in data])


def matched(control: Control, target: Data, request: Request, size: int | None) -> Drawn:
    """Draw masks that have the target's distribution.

    Args:
        control: to draw from.
        target: whose distribution it is.
        request: names columns, bins, the limit and the seed.
        size: how many masks; as many as can be had, at most as the target has, if None.

    Raises:
        UsageError: no such column, or no balance can be had; the text holds the table.
        StoreCorrupt: statistics of the target, or of the collection, are missing; the text names the command.
    """
    columns = resolve_columns(request.match)
    pool = _statistics(control, columns)
    ids = pool["mask_id"].to_pylist()
    found = match(
        target.stats.select(columns),
        pool.select(columns),
        ids,
        size=size,
        bins=request.bins,
        limit=request.balance,
        seed=request.seed,
        joint=request.joint,
    )
    return Drawn(
        masks=found.ids,
        without=tuple(ids[place] for place in found.missing.tolist()),
        facts=found.balance.facts(),
    )


def _statistics(control: Control, columns: Sequence[str]) -> pa.Table:
    """Statistics of the masks that may be drawn, as they will be read."""
    if not control.scales:
        table = control.collection.stats.select(["mask_id", *columns])
        return table.filter(pc.is_in(table["mask_id"], pa.array(control.masks)))
    with drafted(control.collection, control.masks, control.scales) as view:
        advance = control.progress("statistics at the scaled size", len(view))
        compute_stats(view, workers=control.workers, on_samples=advance)
        return view.stats.select(["mask_id", *columns])
