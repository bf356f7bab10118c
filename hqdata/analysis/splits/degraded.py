"""How much the masks of a split are degraded: strengths solved or measured on each source by itself."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hqdata.analysis.related import Progress
from hqdata.analysis.splits.masks import by_source
from hqdata.analysis.splits.request import Request
from hqdata.arrays import UInt8Array
from hqdata.engine.local import run_local
from hqdata.errors import UsageError
from hqdata.masks.degrade import Solved, judge, solve
from hqdata.sources.draw import rank
from hqdata.store.materialised import read_masks
from hqdata.store.split import SAM
from hqdata.store.view import SplitView

SOLVED_ON = 256
"""Masks of a source that its strength is solved on at most: the lowest ranks, so the same ones every time."""

TOLERANCE = 0.005
"""How far off the level the mean may be."""
ONE_MASK = 0.1
"""By so much a single mask may jump between two strengths: few masks come no nearer than their share of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """One source to be solved; ``masks`` are ids of the view, which reads them undegraded."""

    view: SplitView
    source: str
    masks: tuple[str, ...]
    kind: str
    strength: float
    """0 where it is to be solved."""
    target: float | None
    seed: int


def degraded(view: SplitView, request: Request, workers: int, progress: Progress) -> dict[str, Any] | None:
    """What the split's file says of its degradation; None if there is none.

    Args:
        view: of the split before its masks are degraded, images scaled already.
        request: the split's.
        workers: processes.
        progress: is told of each source.

    Raises:
        UsageError: a source cannot be brought to the level; nothing was written.
        StoreCorrupt: masks that a model was to make beforehand are not there.
    """
    wanted = request.degradation()
    if wanted is None:
        return None
    kind, strength, name = wanted
    rows: dict[str, Any] = {}
    if kind == SAM:
        read_masks(view.folder, str(name), view.definition.ids["mask_id"])
    else:
        tasks = [
            _Task(
                view=view,
                source=source,
                masks=tuple(sorted(masks, key=lambda mask_id: rank(request.seed, mask_id))[:SOLVED_ON]),
                kind=kind,
                strength=strength or 0.0,
                target=request.to_biou,
                seed=request.seed,
            )
            for source, masks in by_source(view.mask_ids).items()
        ]
        advance = progress(f"degrading {request.name}", len(tasks))
        for source, found in run_local(_solve, tasks, workers):
            rows[source] = _row(found)
            advance(1)
    same = {"kind": kind, "seed": request.seed, "name": name, "target": request.to_biou}
    return {**same, "sources": dict(sorted(rows.items()))}


def _solve(task: _Task) -> tuple[str, Solved]:
    masks = _read(task.view, task.masks)
    try:
        if task.target is None:
            return task.source, judge(masks, task.kind, task.strength, task.seed)
        tolerance = max(TOLERANCE, ONE_MASK / len(task.masks))
        return task.source, solve(masks, task.kind, task.target, task.seed, tolerance=tolerance).required()
    except UsageError as error:
        raise UsageError(f"{task.source}: {error}") from error


def _read(view: SplitView, mask_ids: Sequence[str]) -> Iterator[tuple[str, UInt8Array]]:
    for mask_id in mask_ids:
        yield mask_id, view.read_mask(mask_id)


def _row(found: Solved) -> dict[str, Any]:
    """What is kept of a solution."""
    low, middle, high = found.spread
    return {
        "strength": found.strength,
        "boundary_iou": found.boundary_iou,
        "iou": found.iou,
        "boundary_iou_5": low,
        "boundary_iou_50": middle,
        "boundary_iou_95": high,
        "masks": found.masks,
        "left_out": found.left_out,
        "emptied": found.emptied,
    }
