"""The whole chain without network or real data: draw, plant faults, pack, build, verify, look, audit.

Run it as ``hqdata demo --out DIR``. The archives are drawn in the layouts of the real ones and take the same way.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hqdata.analysis.audit import audit
from hqdata.analysis.findings import DUPLICATES, LEAKS, SUSPECTS
from hqdata.analysis.report.page import write_report
from hqdata.analysis.sheet import contact_sheet
from hqdata.build import Built
from hqdata.catalog import load_catalog
from hqdata.demo.items import Item, make_item, specs
from hqdata.demo.pack import pack_bundle, pack_folders, pack_official
from hqdata.demo.restate import Mirrors, restate, restate_drawn
from hqdata.demo.score import Row, score
from hqdata.demo.spec import Spec
from hqdata.demo.tars import scene_members, write_links, write_tar
from hqdata.demo.truth import read_truth, truth, write_truth
from hqdata.engine.local import run_local
from hqdata.errors import UsageError, explain
from hqdata.fetch.progress import Progress, staged
from hqdata.pipelines.recipe import Options, build_recipe
from hqdata.store.reader import Collection

PLANTED = "planted.csv"
SCENES = 160
TARS = 2
_BATCH = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """What the demo left behind."""

    built: Built
    """Of the training collection."""
    evaluation: Built
    control: Built | None
    """SA-1B's draw, in miniature; None where the scale draws no scenes."""
    archives: Path
    manifests: Path
    sheet: Path
    planted: Path
    """Table of what an audit should find."""
    report: Path


def run_demo(out: Path, options: Options, *, scale: float = 1.0) -> Demo:
    """Draw the archives into ``out/archives``; build ``out/collection``, ``out/evaluation``, ``out/control`` from them.

    What was planted for an audit to find is listed in ``out/planted.csv``. Collections that an earlier demo left there
    are replaced. ``scale`` shrinks the counts.
    """
    archives, manifests = out / "archives", out / "manifests"
    for name in ("collection", "evaluation", "control"):
        if (out / name).exists() and not archives.is_dir():
            raise UsageError(explain(f"{out} holds a collection that is not the demo's", do="choose another --out"))
    draw_archives(out, workers=options.workers, progress=options.progress("drawings"), scale=scale)
    own = replace(options, archives=archives, manifests=(manifests,), offline=True, replace=True)
    demo = Demo(
        built=build_recipe("demo", out / "collection", own),
        evaluation=build_recipe("hq-eval", out / "evaluation", own),
        control=build_recipe("sa1b-44k", out / "control", own) if scale >= 1 else None,
        archives=archives,
        manifests=manifests,
        sheet=out / "contact-sheet.png",
        planted=out / PLANTED,
        report=out / "audit.html",
    )
    contact_sheet(Collection(demo.built.folder), demo.sheet, count=72, columns=9)
    return demo


def audit_demo(demo: Demo, options: Options) -> list[Row]:
    """Audit the demo's training collection against its evaluation collection, write the report, score the findings.

    Returns:
        How much of what was planted has been found, and what was found besides.
    """
    training, evaluation = Collection(demo.built.folder), Collection(demo.evaluation.folder)
    bar = options.progress("samples")
    progress = staged(bar)
    try:
        found = audit(training, [evaluation], workers=options.workers, progress=progress)
        write_report(found, demo.report, load_catalog((demo.manifests,)), on_pictures=progress("pictures", 0))
    finally:
        bar.finish()
    tables = {DUPLICATES: found.duplicates, LEAKS: found.leaks, SUSPECTS: found.suspects}
    return score(read_truth(demo.planted), tables)


def draw_archives(
    out: Path,
    *,
    workers: int,
    progress: Progress,
    scale: float = 1.0,
    forms: Sequence[str] = ("official",),
    mirrors: Mirrors = lambda *_: (),
) -> list[Spec]:
    """Draw every item, pack it, and write ``planted.csv``.

    Args:
        out: gets ``archives/`` (official), ``bundle/``, ``folders/`` (one for each of ``forms``), and ``manifests/``.
        workers: processes that draw.
        progress: told of every drawing.
        scale: shrinks the counts.
        forms: of ``official``, ``bundle`` and ``folders``.
        mirrors: addresses to write into the manifests.
    """
    wanted = specs(scale)
    scenes = [] if scale < 1 else list(range(1, SCENES + 1))
    progress.start("drawing", len(wanted) + len(scenes))
    try:
        items = _draw(wanted, workers, progress)
        packed = _pack(items, out, forms)
        if scenes:
            _pack_scenes(scenes, out / "archives" / "sa1b", workers, progress)
    finally:
        progress.finish()
    restate(load_catalog(), wanted, packed, out / "manifests", mirrors)
    if scenes:
        restate_drawn(load_catalog(), TARS, len(scenes), out / "manifests")
    write_truth(out / PLANTED, truth(wanted))
    return wanted


def _pack(items: Sequence[Item], out: Path, forms: Sequence[str]) -> list[Path]:
    catalog = load_catalog()
    packed = []
    if "official" in forms:
        packed += pack_official(catalog, items, out / "archives")
    if "bundle" in forms:
        packed += pack_bundle(catalog, items, out / "bundle")
    if "folders" in forms:
        packed += pack_folders(catalog, items, out / "folders")
    return packed


def _draw(wanted: Sequence[Spec], workers: int, progress: Progress) -> list[Item]:
    batches = [wanted[start : start + _BATCH] for start in range(0, len(wanted), _BATCH)]
    items: list[Item] = []
    for batch in run_local(_make_items, batches, workers):
        items += batch
        progress.advance(len(batch))
    return sorted(items, key=lambda item: item.spec.sample_id)


def _make_items(batch: Sequence[Spec]) -> list[Item]:
    return [make_item(spec) for spec in batch]


def _pack_scenes(scenes: Sequence[int], folder: Path, workers: int, progress: Progress) -> None:
    members: dict[str, bytes] = {}
    for drawn in run_local(scene_members, scenes, workers):
        members.update(drawn)
        progress.advance(1)
    names = []
    for number in range(TARS):
        ids = [scene for scene in scenes if scene % TARS == number]
        names.append(f"sa_{number:06d}.tar")
        write_tar(folder / names[-1], {n: b for n, b in members.items() if int(n[3:].partition(".")[0]) in ids})
    write_links(folder / "links.tsv", names, "https://example.invalid/")
