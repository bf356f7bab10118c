"""A folder of pictures out of runs: one PNG a mask, and a page with the means, the pictures and what they show.

Which masks: those that the first run gains most on over the frozen base, those that it loses most on, and some in the
middle, by boundary IoU; or those that were asked for. The same input gives the same bytes.
"""

import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from torch import nn

from hqdata.errors import UsageError, explain
from hqdata.export.folder import new_folder
from hqdata.fsio.atomic import publish_folder, write_bytes, write_json
from hqdata.masks.boundary import Banded
from hqdata.sources.orientation import to_display
from hqdata.store.reader import Collection
from hqdata.strict import nearest
from hqdata.training.evaluate import Summary, evaluate, fit_of, scores_of, summarise
from hqdata.training.fit import Protocol
from hqdata.training.gallery import gallery, name_of, note_of
from hqdata.training.panels import Made, draw_picture
from hqdata.training.predict import BASE, SAM_PLAIN, Predictor
from hqdata.training.sam import FrozenSam

PAGE = "index.html"
LISTING = "pictures.json"
"""What the page says, for machines; also what tells a folder of pictures from any other."""
DRAWN = ("head", "sum")
"""Of heads that pictures show."""
COUNT = 24
Stage = Callable[[str, int], Callable[[int], None]]
PREVIEW = 4000
"""Pixels: a page shows wider pictures reduced to so many, because browsers keep every pixel of what they show."""
_SLUG = 80


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparison:
    """What is held against what.

    Raises:
        UsageError: no head, one called :data:`~hqdata.training.predict.BASE`, or an output without pictures.
    """

    samples: Collection
    """A collection or split: what is scored, and drawn from."""
    sam: FrozenSam
    """The frozen base, on the device to compute on."""
    heads: Mapping[str, nn.Module]
    """Trained on it, on the same device, by name; the first one's gains decide what is drawn."""
    protocol: Protocol = "native"
    output: str = "head"
    """Of the heads: one of :data:`DRAWN`."""

    def __post_init__(self) -> None:
        """Refuse what has no pictures."""
        if self.output not in DRAWN:
            raise UsageError(explain(f"there are no pictures of {self.output!r}", expected=" or ".join(DRAWN)))
        if not self.heads or BASE in self.heads:
            expected, got = f"at least one, none of them called {BASE}", ", ".join(self.heads) or "none"
            raise UsageError(explain("pictures are of runs", expected=expected, got=got))


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One mask that was drawn."""

    mask_id: str
    group: str
    """Why it was chosen."""
    file: str
    preview: str
    """What the page shows: a smaller one, or the very same."""
    width: int
    height: int
    """Of the PNG, in pixels."""
    scores: dict[str, tuple[float, float]]
    """IoU and boundary IoU by run, the base first; none of a mask that has no box."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a folder of pictures holds."""

    folder: Path
    summaries: list[Summary]
    """The base's first."""
    pictures: list[Picture]


def write_pictures(
    compared: Comparison,
    out: Path,
    *,
    count: int = COUNT,
    ids: Sequence[str] = (),
    facts: Mapping[str, str] | None = None,
    replace: bool = False,
    stage: Stage = lambda *_: lambda _: None,
) -> Written:
    """Score runs on a collection or split and draw some of its masks.

    Args:
        compared: what is held against what.
        out: folder to write; must not exist, or be empty.
        count: masks to draw, if ``ids`` names none.
        ids: masks, or samples for all their masks, to draw instead, in this order.
        facts: what else the page is to say of how it was made, by title.
        replace: whether pictures of an earlier call in ``out`` may be replaced.
        stage: progress of work in stages, each with a name and a total.

    Raises:
        UsageError: an id or count that cannot be; a head without the output; ``out`` holds something else.
    """
    if count < 1:
        raise UsageError(explain("that many pictures cannot be drawn", expected="1 or more", got=count))
    asked = _asked(compared.samples, ids)
    replaced = _is_ours(out)
    if replaced and not replace:
        what = f"{out} holds pictures of an earlier call"
        raise UsageError(explain(what, did="it was left alone", do="--replace, or choose another --out"))
    fresh = out.with_name(f".{out.name}.fresh") if replaced else out
    if replaced:
        shutil.rmtree(fresh, ignore_errors=True)
    with new_folder(fresh) as folder:
        scores = _scores(compared, stage)
        chosen = [(name, "Chosen by name") for name in asked] or choose(scores, next(iter(compared.heads)), count)
        on_picture = stage("drawing", len(chosen))
        pictures = []
        for number, (mask_id, group) in enumerate(chosen, start=1):
            pictures.append(_draw(compared, mask_id, group, folder, number))
            on_picture(1)
        summaries = summarise(scores)
        listing = _listing(compared, summaries, pictures, facts or {})
        write_json(folder / LISTING, listing)
        write_bytes(folder / PAGE, gallery(compared.samples, listing).encode("utf-8", "backslashreplace"))
    if replaced:
        old = out.with_name(f".{out.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        out.rename(old)
        publish_folder(fresh, out)
        shutil.rmtree(old)
    return Written(folder=out, summaries=summaries, pictures=pictures)


def _is_ours(out: Path) -> bool:
    """Whether a folder holds pictures of an earlier call, and nothing else."""
    try:
        listed = json.loads((out / LISTING).read_bytes())["pictures"]
        own = {PAGE, LISTING, *(one[key] for one in listed for key in ("file", "preview"))}
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return bool(out.name) and not out.is_symlink() and {path.name for path in out.iterdir()} <= own


def choose(scores: pa.Table, run: str, count: int) -> list[tuple[str, str]]:
    """Choose masks by how much boundary IoU a run gains over the base.

    Args:
        scores: of :func:`~hqdata.training.evaluate.evaluate`, with one output of each head.
        run: whose gains count.
        count: masks; a third each of the largest gains, the largest losses, and those around the middle.

    Returns:
        Mask ids, each with the name of its group; of equal gains the lower id first.
    """
    found: dict[str, dict[str, float]] = {}
    for row in scores.to_pylist():
        if row["boundary_iou"] is not None:
            found.setdefault(row["mask_id"], {})[row["run"]] = row["boundary_iou"]
    gains = {mask_id: by_run[run] - by_run[BASE] for mask_id, by_run in found.items()}
    order = sorted(gains, key=lambda mask_id: (-gains[mask_id], mask_id))
    count = min(count, len(order))
    most, least, some = -(-count // 3), (count + 1) // 3, count // 3
    gained, rest, lost = order[:most], order[most : len(order) - least], order[len(order) - least :][::-1]
    start = (len(rest) - some) // 2
    groups = (
        ("Largest gains" if all(gains[item] > 0 for item in gained) else "Largest gains, or smallest losses", gained),
        ("Largest losses" if all(gains[item] < 0 for item in lost) else "Largest losses, or smallest gains", lost),
        ("Around the middle", rest[start : start + some]),
    )
    return [(mask_id, title) for title, members in groups for mask_id in members]


def _asked(samples: Collection, ids: Sequence[str]) -> list[str]:
    """Mask ids that some ids of masks or samples mean, each once."""
    names = set(samples.sample_ids) if ids else set()
    found: dict[str, None] = {}
    for name in ids:
        owner = name if name in names else name.rpartition("#")[0]
        masks = samples[owner].mask_ids if owner in names else ()
        meant = masks if name == owner else [mask_id for mask_id in masks if mask_id == name]
        if not meant:
            raise UsageError(explain(f"there is no mask or sample {name!r}", do=_near(name, samples)))
        found |= dict.fromkeys(meant)
    return list(found)


def _near(name: str, samples: Collection) -> str:
    advice = nearest(name, list(samples.sample_ids))
    return advice if advice.startswith("did") else "`hqdata sql` lists them"


def _scores(compared: Comparison, stage: Stage) -> pa.Table:
    """Scores of the base and of one output of each head.

    Raises:
        UsageError: a head does not have that output.
    """
    scores = evaluate(
        compared.samples,
        compared.sam,
        compared.heads,
        protocol=compared.protocol,
        outputs=(SAM_PLAIN, compared.output),
        on_samples=stage("scoring", len(compared.samples)),
    )
    lacking = sorted(compared.heads.keys() - set(scores["run"].to_pylist())) if scores.num_rows else []
    if lacking:
        what = f"{', '.join(lacking)} has no output {compared.output!r}"
        raise UsageError(explain(what, did="nothing was written", do="ask for `head`"))
    return scores


def _draw(compared: Comparison, mask_id: str, group: str, folder: Path, number: int) -> Picture:
    """Predict and draw one mask. One without a box is drawn without predictions."""
    sample_id, _, k = mask_id.rpartition("#")
    sample = compared.samples[sample_id]
    fit, greys = fit_of(sample, compared.sam, compared.protocol), sample.original(int(k))
    outputs = (SAM_PLAIN, compared.output)
    predictor = Predictor(compared.sam, compared.heads, fit, sample.image, outputs=outputs)
    box, truth = fit.box(greys), Banded(greys > 127)
    predicted = predictor.masks(box) if box else []
    scores = {item.run: scores_of(truth, item.mask) for item in predicted}
    made = [
        Made(
            name=name_of(item.run),
            mask=to_display(item.mask, sample.orientation),
            iou=scores[item.run][0],
            boundary_iou=scores[item.run][1],
        )
        for item in predicted
    ]
    image, mask = (to_display(pixels, sample.orientation) for pixels in (sample.image, greys))
    page = draw_picture(image, mask > 127, made, mask_id, note_of(compared.samples, compared.protocol, compared.output))
    slug = f"{number:03d}-{re.sub('[^A-Za-z0-9._]+', '-', mask_id)[:_SLUG].strip('-')}"
    page.save(folder / f"{slug}.png")
    if page.width > PREVIEW:
        height = max(1, round(page.height * PREVIEW / page.width))
        page.resize((PREVIEW, height), reducing_gap=2.0).save(folder / f"{slug}.small.png")
    return Picture(
        mask_id=mask_id,
        group=group,
        file=f"{slug}.png",
        preview=f"{slug}.small.png" if page.width > PREVIEW else f"{slug}.png",
        width=page.width,
        height=page.height,
        scores=scores,
    )


def _listing(
    compared: Comparison, summaries: Sequence[Summary], pictures: Sequence[Picture], facts: Mapping[str, str]
) -> dict[str, Any]:
    """What the page says, as plain values."""
    device = compared.sam.network.pixel_mean.device.type
    return {
        "runs": list(compared.heads),
        "protocol": compared.protocol,
        "output": compared.output,
        "digest": compared.samples.digest,
        "sam": {"size": compared.sam.size.name, "sha256": compared.sam.sha256},
        # Sums are cut by threads: another number of them may turn single pixels.
        "computed": {"device": device, "threads": torch.get_num_threads() if device == "cpu" else None},
        "facts": dict(facts),
        "summaries": [asdict(item) for item in summaries],
        "pictures": [asdict(item) for item in pictures],
    }
