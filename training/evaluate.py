"""Scores: one row for each mask, run and output, and means of them; never only a mean.

IoU and boundary IoU of one mask against the truth at the image's own size, foreground above 127; the band is 0.02 of
the image's diagonal wide (:mod:`hqdata.masks.boundary`). A mask that has no box, because it has no foreground or lost
it when it was squashed, cannot be asked for: its rows are there with null scores, and counted as such. So a union is
never empty.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from torch import nn

from hqdata.analysis.splits.masks import source_of
from hqdata.arrays import BoolArray
from hqdata.masks.boundary import Banded
from hqdata.store.reader import Collection, Sample
from hqdata.training.fit import Fit, Protocol
from hqdata.training.predict import BASE, HEAD_OUTPUTS, OUTPUTS, SAM_PLAIN, Predictor
from hqdata.training.sam import FrozenSam

BOX = "box"
"""The prompt: the truth's box."""
SCORES = pa.schema(
    [
        pa.field("mask_id", pa.string(), nullable=False),
        pa.field("run", pa.string(), nullable=False),
        pa.field("output", pa.string(), nullable=False),
        pa.field("protocol", pa.string(), nullable=False),
        pa.field("prompt", pa.string(), nullable=False),
        pa.field("iou", pa.float64()),
        pa.field("boundary_iou", pa.float64()),
    ]
)
"""Rows in the order of the collection's masks; of each mask the base first, then the runs as they were given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """Means over some masks; None where there are none."""

    masks: int
    """With scores."""
    iou: float | None
    boundary_iou: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Means of one output of one run."""

    run: str
    output: str
    unscored: int
    """Masks without scores, because they have no box."""
    overall: Means
    """Means of the sources' means: the paper's mean of four sets."""
    plain: Means
    """Means over all masks, whatever their source."""
    sources: dict[str, Means]
    """By source, sorted; a source none of whose masks has scores is there with None, and is not part of ``overall``."""


def evaluate(
    samples: Collection,
    sam: FrozenSam,
    heads: Mapping[str, nn.Module],
    *,
    protocol: Protocol = "native",
    outputs: Sequence[str] = OUTPUTS,
    on_samples: Callable[[int], None] = lambda _: None,
) -> pa.Table:
    """Score every mask of a collection or split, prompted with its own box.

    Where a split makes masks worse, the masks as stored are what counts.

    Args:
        samples: what to score on, of one or many masks an image.
        sam: the frozen base, on the device to compute on.
        heads: trained on it, on the same device, by name.
        protocol: how images come onto the canvas.
        outputs: which to score.
        on_samples: is told how many samples were dealt with.

    Returns:
        A table of :data:`SCORES`. An output that a head does not have has no rows.
    """
    rows: list[dict[str, Any]] = []
    for sample in samples:
        rows += _rows(sample, sam, heads, protocol, outputs)
        on_samples(1)
    # Only a prediction tells which outputs a head has; without any prediction nothing is left out.
    there = {(row["run"], row["output"]) for row in rows if row["iou"] is not None} or set(_asked(heads, outputs))
    return pa.Table.from_pylist([row for row in rows if (row["run"], row["output"]) in there], SCORES)


def fit_of(sample: Sample, sam: FrozenSam, protocol: Protocol) -> Fit:
    """How a sample comes onto a SAM's canvas."""
    width, height = sample.size
    return Fit(protocol=protocol, side=sam.size.image, height=height, width=width)


def _rows(
    sample: Sample, sam: FrozenSam, heads: Mapping[str, nn.Module], protocol: Protocol, outputs: Sequence[str]
) -> Iterator[dict[str, Any]]:
    fit = fit_of(sample, sam, protocol)
    predictor = Predictor(sam, heads, fit, sample.image, outputs=outputs)
    for k, mask_id in zip(sample.ks, sample.mask_ids, strict=True):
        greys = sample.original(k)
        box, truth = fit.box(greys), Banded(greys > 127)
        scored: list[tuple[str, str, float | None, float | None]]
        if box is None:
            scored = [(run, output, None, None) for run, output in _asked(heads, outputs)]
        else:
            scored = [(made.run, made.output, *scores_of(truth, made.mask)) for made in predictor.masks(box)]
        shared = {"mask_id": mask_id, "protocol": protocol, "prompt": BOX}
        for run, output, iou, boundary_iou in scored:
            yield {**shared, "run": run, "output": output, "iou": iou, "boundary_iou": boundary_iou}


def _asked(heads: Mapping[str, nn.Module], outputs: Sequence[str]) -> list[tuple[str, str]]:
    """Run and output of every row that a mask may have."""
    base = [(BASE, SAM_PLAIN)] if SAM_PLAIN in outputs else []
    return base + [(run, output) for run in heads for output in HEAD_OUTPUTS if output in outputs]


def scores_of(truth: Banded, mask: BoolArray) -> tuple[float, float]:
    """IoU and boundary IoU of a mask ``bool[H, W]``."""
    made = Banded(mask, truth.width)
    return truth.iou(made), truth.boundary_iou(made)


def summarise(scores: pa.Table) -> list[Summary]:
    """Means of each run and output, in the order in which the table has them first."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in scores.to_pylist():
        groups.setdefault((row["run"], row["output"]), []).append(row)
    return [_summary(run, output, rows) for (run, output), rows in groups.items()]


def _summary(run: str, output: str, rows: Sequence[Mapping[str, Any]]) -> Summary:
    by_source: dict[str, list[Mapping[str, Any]]] = {source_of(row["mask_id"]): [] for row in rows}
    scored = [row for row in rows if row["iou"] is not None]
    for row in scored:
        by_source[source_of(row["mask_id"])].append(row)
    sources = {source: _means(by_source[source]) for source in sorted(by_source)}
    counted = [means for means in sources.values() if means.masks]
    return Summary(
        run=run,
        output=output,
        unscored=len(rows) - len(scored),
        overall=Means(
            masks=len(scored),
            iou=_mean([means.iou for means in counted]),
            boundary_iou=_mean([means.boundary_iou for means in counted]),
        ),
        plain=_means(scored),
        sources=sources,
    )


def _means(rows: Sequence[Mapping[str, Any]]) -> Means:
    iou, boundary_iou = ([row[column] for row in rows] for column in ("iou", "boundary_iou"))
    return Means(masks=len(rows), iou=_mean(iou), boundary_iou=_mean(boundary_iou))


def _mean(values: Sequence[float | None]) -> float | None:
    """Mean, whatever the order; None of nothing."""
    return math.fsum(value for value in values if value is not None) / len(values) if values else None
