"""Masks of a collection that look wrong, ranked, found without any model.

Every kind has one simple measure and one score; ``docs/suspects.md`` says what each can and cannot see, and how often
it was right on planted faults. A suspect is a place to look at, not a verdict: only what is certain is put forward for
removal.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from hqdata.analysis.findings import KINDS, SUSPECTS, findings_folder, publish_findings
from hqdata.analysis.looks import LOOKS, Masks, compute_looks
from hqdata.analysis.looks import VERSION as LOOKS_VERSION
from hqdata.analysis.measure import OnSamples, library_versions
from hqdata.analysis.stats import compute_stats
from hqdata.analysis.stats_table import VERSION as STATS_VERSION
from hqdata.arrays import BoolArray, FloatArray
from hqdata.masks.fit import cross_fits, edges, outline
from hqdata.sources.decode import to_rgb
from hqdata.store.derived import read_derived_index, read_derived_table
from hqdata.store.reader import STATS, Collection

VERSION = 1
"""To be raised whenever a rule changes."""
LIMIT, LIMIT_SHARE = 100, 0.02
"""Suspects listed of an uncertain kind: the larger of this number and this share of the masks."""
CERTAIN = frozenset({"erratum", "empty", "full"})
"""Kinds that are listed whole, whatever the limit."""
CHANCE = 3.0
"""A fit below this many standard deviations of its own shifts cannot be told from chance."""
PEAK = 5.0
"""A fit above this many is none of chance, even as the best of some ten thousand places."""
CLEAR = 6.0
"""A fit above this many, some way off, says that the mask belongs to this image."""
LEAST_SHIFT = 0.0075
"""Shifts below this share of the diagonal are matters of style and of rounding: 4 px of an image of 400 x 300."""
LEAST_GAIN = 1.25
"""How many times better a shifted mask must fit elsewhere."""
ISLAND = 0.05
"""Share of the outline that counts as missing anyway: the outline of a part that lies apart has an edge everywhere."""
UNLABELLED_SCORE = 0.03
"""Least score for a part to count as missing; one good mask in twenty of real photographs has more."""
COARSE_SCORE = 5.0
"""Spreads of its group by which a mask must be looser and straighter than is usual, together."""
LOOSE_WEIGHT, STEPS_WEIGHT = 2.0, 4.0
"""Looseness counts twice, for it tells coarse masks better than straightness; twice as long steps count as much."""
SUPPLE = -1.0
"""A mask far less straight than is usual may be loose all the same: it counts as this many spreads only."""
LEAST_OFFSET = 0.004
"""Edges beside the outline count from this share of the diagonal on: 2 px of an image of 400 x 300."""
BLOCKS = 2.0
"""Steps of this many pixels are enlargement, whatever the outline."""
COMPARED = 400
"""Masks, the worst fitting ones, that are held against each other's images."""

ERRATA: dict[str, tuple[str, bool]] = {
    "wrong_mask": ("the source reports a wrong mask", True),
    "mislabelled": ("the source or its users report a mislabelled mask", True),
    "unlabelled": ("the source or its users report that the image was never labelled", True),
    "mismatch": ("the source or its users report that image and mask do not belong together", True),
    "removed": ("its authors took this sample out of the source", True),
    "extra_file": ("the source held a second file of this name; harmless if image and mask are the right ones", False),
}
"""What an erratum means, and whether the sample is to be left out. An extra file beside a sample does it no harm."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """One finding, by the mask's position in the tables."""

    position: int
    kind: str
    score: float
    reason: str
    other: int | None = None
    remove: bool = False


def suspects_of(collection: Collection, *, workers: int = 1, on_samples: OnSamples = lambda _: None) -> Path:
    """Find the suspects of a collection and publish their table, unless it is there already.

    Args:
        collection: to be judged; statistics and looks are computed where they are absent.
        workers: processes; the bytes do not depend on it.
        on_samples: is told how many samples were dealt with; one counts half when its statistics are there.

    Returns:
        The derived folder.
    """
    facts = {"stats": STATS_VERSION, "looks": LOOKS_VERSION, "versions": library_versions()}
    folder = findings_folder(collection, SUSPECTS, VERSION, facts)
    if read_derived_index(folder) is not None:
        on_samples(len(collection))
        return folder
    tables, halves = [], 0

    def on_halves(samples: int) -> None:
        nonlocal halves
        halves, before = halves + samples, halves
        on_samples(halves // 2 - before // 2)

    for kind, computation in ((STATS, compute_stats), (LOOKS, compute_looks)):
        done = computation(collection, workers=workers, on_samples=on_halves)
        tables.append(read_derived_table(done.folder, kind))
    return publish_findings(collection, SUSPECTS, VERSION, facts, find_suspects(collection, *tables))


def find_suspects(
    collection: Collection, stats: pa.Table, looks: pa.Table, *, limit: int | None = None
) -> list[dict[str, Any]]:
    """Rank the masks that look wrong.

    Args:
        collection: whose masks they are; pixels are read of the few that fit their image no better than chance.
        stats: its statistics.
        looks: its table of looks, in the same order.
        limit: suspects listed of each kind that is not certain, at least 1; by default the larger of :data:`LIMIT` and
            :data:`LIMIT_SHARE`.

    Returns:
        Rows of the table ``suspects``, by kind and rank. Where a limit left some out, the last row of the kind says
        how many.

    Raises:
        StoreCorrupt: the tables do not belong together.
    """
    masks = Masks(collection, stats, looks)
    found = [*_errata(masks), *_plain(masks)]
    misplaced = list(_misplaced(masks))
    # Where a mask lies wrong altogether, that its outline is loose or misses edges says nothing more.
    elsewhere = {suspect.position for suspect in misplaced}
    found += [*misplaced, *_inverted(masks), *_coarse(masks, elsewhere)]
    found += [suspect for suspect in _unlabelled(masks) if suspect.position not in elsewhere]
    most = limit if limit is not None else max(LIMIT, math.ceil(LIMIT_SHARE * len(masks)))
    return [row for kind in KINDS for row in _ranked(masks, kind, found, most)]


def _ranked(masks: Masks, kind: str, found: Iterable[Suspect], limit: int) -> Iterator[dict[str, Any]]:
    """Rows of one kind."""
    ranked = sorted((s for s in found if s.kind == kind), key=lambda s: (-s.score, masks.ids[s.position]))
    listed = ranked if kind in CERTAIN else ranked[:limit]
    left = len(ranked) - len(listed)
    if left and listed:
        listed[-1] = replace(listed[-1], reason=f"{listed[-1].reason}; {left} more of lower score are not listed")
    for rank, suspect in enumerate(listed, 1):
        yield {
            "mask_id": masks.ids[suspect.position],
            "source": masks.sources[suspect.position],
            "kind": kind,
            "rank": rank,
            "score": round(suspect.score, 6),
            "other_mask_id": None if suspect.other is None else masks.ids[suspect.other],
            "remove": masks.ids[suspect.position] if suspect.remove else None,
            "reason": suspect.reason,
        }


def _errata(masks: Masks) -> Iterator[Suspect]:
    with np.errstate(divide="ignore", invalid="ignore"):
        fits = masks.column("edge_fit") / masks.column("edge_spread")
    for position, sample in enumerate(masks.samples):
        known = [ERRATA[word] for word in masks.errata[sample]]
        if known:
            fit = fits[position]
            here = (
                ""
                if not math.isfinite(fit)
                else f"; here the outline fits the image {fit:.1f} spreads better than chance"
            )
            remove = any(leave_out for _, leave_out in known)
            reason = ", and ".join(text for text, _ in known) + here
            yield Suspect(position, "erratum", 1.0 if remove else 0.5, reason, remove=remove)


def _plain(masks: Masks) -> Iterator[Suspect]:
    """Masks without foreground, and single masks without background."""
    for position in np.flatnonzero(masks.area == 0).tolist():
        yield Suspect(position, "empty", 1.0, "no pixel is foreground", remove=True)
    for position in np.flatnonzero((masks.area == masks.pixels) & masks.single).tolist():
        yield Suspect(position, "full", 1.0, "every pixel is foreground", remove=True)


def _inverted(masks: Masks) -> Iterator[Suspect]:
    """Foreground holds the rim of the image and leaves its middle."""
    rim = masks.column("border_px") / (2 * (masks.column("width") + masks.column("height")))
    ground = 1 - masks.area / masks.pixels
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = 1 - (1 - rim) / ground
    for position in np.flatnonzero((rim > 0.5) & (ground > 0) & (scores > 0) & masks.single).tolist():
        reason = f"{rim[position]:.0%} of the image's rim is foreground, but {1 - ground[position]:.0%} of its area"
        yield Suspect(position, "inverted", float(scores[position]), reason)


def _misplaced(masks: Masks) -> Iterator[Suspect]:
    """Masks that fit their image no better than chance, or far better some way off: swapped, of others, shifted."""
    fit, moved, spread = (masks.column(name) for name in ("edge_fit", "moved_fit", "edge_spread"))
    usual, _ = masks.usual(fit)
    poor = (fit < CHANCE * spread) & (fit < usual / 2) & (usual > 0) & masks.single & ~_beside(masks)
    with np.errstate(divide="ignore", invalid="ignore"):
        order = np.argsort(np.where(poor, fit / spread, np.inf), kind="stable")[: np.count_nonzero(poor)].tolist()
    matches = _matches(masks, order[:COMPARED], spread)
    # Outlines of like objects fit each other's images a little, some way off.
    matches = {position: match for position, match in matches.items() if match[1] > moved[position]}
    yield from (suspect for suspect in _shifted(masks) if suspect.position not in matches)
    for position in order:
        if position not in matches and moved[position] >= CLEAR * spread[position]:
            continue
        score = float(np.clip(1 - fit[position] / usual[position], 0, 1))
        plain = f"the outline fits the image as chance would ({_two(fit[position])}; {_two(usual[position])} is usual)"
        other, there = matches.get(position, (None, 0.0))
        if other is None:
            more = "" if position in order[:COMPARED] else "; not held against other images, for too many fit badly"
            yield Suspect(position, "other_image", score / 2, plain + more)
        elif matches.get(other, (None, 0.0))[0] == position:
            reason = f"{plain}, but that of {masks.samples[other]} ({there:.2f}), whose mask fits here"
            yield Suspect(position, "swapped", (score + 1) / 2, reason, other)
        else:
            reason = f"{plain}, but that of {masks.samples[other]} ({there:.2f})"
            yield Suspect(position, "other_image", (score + 1) / 2, reason, other)


def _shifted(masks: Masks) -> Iterator[Suspect]:
    """The outline fits better some way off, and better than chance finds anywhere."""
    fit, moved, spread = (masks.column(name) for name in ("edge_fit", "moved_fit", "edge_spread"))
    right, down = masks.column("moved_right"), masks.column("moved_down")
    clear = (moved >= PEAK * spread) & (spread > 0) & (moved >= LEAST_GAIN * fit) & ~_beside(masks)
    for position in np.flatnonzero(clear & (np.hypot(right, down) >= LEAST_SHIFT)).tolist():
        way = _way(right[position] * masks.diagonal[position], down[position] * masks.diagonal[position])
        times = moved[position] / max(fit[position], 1e-9)
        better = f"{times:.1f} times better" if times < 10 else "far better"
        reason = (
            f"the outline fits the image {better} {way} ({_two(fit[position])} here, {_two(moved[position])} there)"
        )
        yield Suspect(position, "shifted", 1 - max(0.0, fit[position]) / moved[position], reason)


def _beside(masks: Masks) -> BoolArray:
    """Masks along whose whole outline the image's edge runs a little inside or outside: too large or too small."""
    usual, _ = masks.usual(masks.column("edge_fit"))
    return np.asarray(masks.column("offset_gain") >= usual)


def _two(value: float) -> str:
    """Two decimals, and no minus before zeros."""
    return f"{round(value, 2) + 0.0:.2f}"


def _way(right: float, down: float) -> str:
    """Such as ``14 px to the left and 3 px up``."""
    across, along = round(right), round(down)
    parts = [f"{abs(across)} px to the {'right' if across > 0 else 'left'}"] if across else []
    parts += [f"{abs(along)} px {'down' if along > 0 else 'up'}"] if along else []
    return " and ".join(parts) or "less than a pixel off"


def _matches(masks: Masks, positions: list[int], spread: FloatArray) -> dict[int, tuple[int, float]]:
    """For each of some masks, the image among theirs, of the same size, that it fits beyond chance; and how well."""
    width, height = masks.column("width"), masks.column("height")
    sizes: dict[tuple[float, float], list[int]] = {}
    for position in sorted(positions):
        sizes.setdefault((width[position], height[position]), []).append(position)
    found = {}
    for group in (group for group in sizes.values() if len(group) > 1):
        samples = [masks.collection[masks.samples[position]] for position in group]
        fields = [edges(to_rgb(sample.picture())).small for sample in samples]
        drawn = [outline(np.where(next(sample.each_mask()) > 127, np.uint8(255), np.uint8(0))) for sample in samples]
        fits = cross_fits(fields, [line for line in drawn if line is not None])
        np.fill_diagonal(fits, -np.inf)
        for number, best in enumerate(fits.argmax(axis=1).tolist()):
            if fits[number, best] >= PEAK * max(spread[group[number]], spread[group[best]]):
                found[group[number]] = (group[best], float(fits[number, best]))
    return found


def _coarse(masks: Masks, elsewhere: set[int]) -> Iterator[Suspect]:
    """Looser on the image's edges and straighter than is usual in the source, too large or too small, or of blocks.

    Masks that are listed as lying ``elsewhere`` are coarse only where their shape alone says so.
    """
    sharp, straight, blocks = (masks.column(name) for name in ("edge_sharpness", "polygon_px", "upscaling_px"))
    offset, gain = masks.column("edge_offset"), masks.column("offset_gain")
    (usual_sharp, sharp_spread), (usual_straight, straight_spread) = masks.usual(sharp), masks.usual(straight)
    usual_blocks, _ = masks.usual(blocks)
    aside = np.where(np.abs(offset) >= LEAST_OFFSET, gain, 0.0)
    loose = LOOSE_WEIGHT * (usual_sharp - sharp) / sharp_spread + aside / sharp_spread
    steps = np.log2(np.maximum(blocks, 1) / np.maximum(usual_blocks, 1))
    shape = np.maximum(np.nan_to_num((straight - usual_straight) / straight_spread), SUPPLE)
    shape += STEPS_WEIGHT * np.nan_to_num(np.where(blocks >= BLOCKS, steps, 0.0))
    total = shape + np.nan_to_num(loose)
    for position in np.flatnonzero((total >= COARSE_SCORE) & ~np.isnan(sharp)).tolist():
        if position in elsewhere and shape[position] < COARSE_SCORE:
            continue
        usual = _two(usual_sharp[position])
        parts = [f"the outline is {_two(sharp[position])} sharp on the image's edges ({usual} is usual)"]
        if aside[position] > 0:
            side = "inside" if offset[position] > 0 else "outside"
            parts += [f"they run {abs(offset[position]) * masks.diagonal[position]:.0f} px {side} of it"]
        if not math.isnan(straight[position]):
            parts += [f"{straight[position]:.0%} of its corners are coarse ones ({usual_straight[position]:.0%})"]
        if blocks[position] >= BLOCKS:
            parts += [f"its steps are {blocks[position]:.0f} px long ({usual_blocks[position]:.0f})"]
        yield Suspect(position, "coarse", float(1 - COARSE_SCORE / (COARSE_SCORE + total[position])), ", ".join(parts))


def _unlabelled(masks: Masks) -> Iterator[Suspect]:
    """A region outside has the mask's colours and not those of the rest; more so where the outline misses an edge."""
    gap, share, overlap = (masks.column(name) for name in ("edge_gap", "alike_share", "colour_overlap"))
    usual, _ = masks.usual(gap)
    scores = np.nan_to_num(np.sqrt(share * np.maximum(0, 1 - overlap)) * (np.maximum(0, gap - usual) + ISLAND))
    for position in np.flatnonzero((scores >= UNLABELLED_SCORE) & masks.single).tolist():
        size = share[position] / max(1e-9, 1 - share[position])
        reason = (
            f"a region outside, {size:.1f} times as large as the mask, has its colours, of which the rest has few; "
            f"{gap[position]:.0%} of the outline lies in one stretch on no edge ({usual[position]:.0%} is usual)"
        )
        yield Suspect(position, "unlabelled", min(1.0, float(scores[position])), reason)
