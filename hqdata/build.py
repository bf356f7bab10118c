"""Plan -> shards -> counts -> publish: the last steps of every build, whatever the recipe.

A build works in ``OUT.partial-<plan digest>/`` beside its destination. Shards that were finished from the same inputs
are taken over from there, from unfinished builds of another plan, and from the collection that is to be replaced.
"""

import os
import secrets
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import partial as bind
from pathlib import Path
from typing import Any

from hqdata.catalog import manifest_digest
from hqdata.counts import count_parts, drawn_sources, require_counts
from hqdata.engine.local import run_local
from hqdata.errors import DiskFull, StoreCorrupt, UsageError, explain
from hqdata.fsio.atomic import free_bytes
from hqdata.fsio.lock import locked
from hqdata.plan import Plan, SourcePlan, library_versions
from hqdata.recipe import Draw
from hqdata.reuse import adopt_shards
from hqdata.shard import ShardReport, ShardSpec, arrow_path, build_shard, finished_shard
from hqdata.sources.listing import LISTING, write_listing
from hqdata.store.index import FORMAT, INDEX, content_digest, index_bytes, read_index, unfinished
from hqdata.store.writer import REJECTS, file_row, publish, write_dataset_files, write_rejects

OnRows = Callable[[int], None]
_TRIES = 3
_REPLACED = "-replaced"


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What a build left behind."""

    folder: Path
    index: dict[str, Any]
    fresh: bool
    """False if the same collection was there already."""
    reused_shards: int


def build_collection(
    plan: Plan,
    out: Path,
    *,
    workers: int = 1,
    partial: bool = False,
    replace: bool = False,
    grow: bool = False,
    on_rows: OnRows = lambda _: None,
) -> Built:
    """Build a plan into ``out``.

    Args:
        plan: what to build.
        out: the collection's folder; it must not exist, or hold this very collection, or ``replace`` must be set.
        workers: processes; the bytes do not depend on it.
        partial: whether counts may differ from the recipe's.
        replace: whether a collection in ``out`` may be replaced.
        grow: the same, but this very collection is left as it is.
        on_rows: is told how many candidates were dealt with.

    Raises:
        CountMismatch, UsageError, DiskFull, StoreCorrupt: see their texts. What was finished is kept for the next try.
    """
    ids = [candidate.sample_id for source in plan.sources for candidate in source.candidates]
    counts = count_parts(plan.recipe, [source.source for source in plan.sources], ids, ids)
    short = [count for count in counts if count.missing > 0]
    drawn = drawn_sources(plan.recipe)
    require_counts(short, partial=partial, did="only listings were read, nothing was built", drawn=drawn)
    if not ids:
        raise UsageError(explain(f"no sample of {plan.recipe.name} is at hand", do="see `hqdata build --plan`"))
    out.parent.mkdir(parents=True, exist_ok=True)
    with locked(_lock_of(out)):
        tries = 0
        while True:
            there = _already_there(plan, out, partial=partial, replace=replace, grow=grow)
            if there is not None:
                # A build that was killed after its last rename has left its folder.
                shutil.rmtree(partial_folder(plan, out), ignore_errors=True)
                return there
            try:
                return _build(plan, out, workers, partial, replace or grow, on_rows)
            except FileNotFoundError:
                # Where the lock is a no-op, a faster builder of the same plan may have published and cleared up.
                tries += 1
                if tries == _TRIES:
                    raise


def _lock_of(out: Path) -> Path:
    return out.parent / f".{out.name}.hqdata-lock"


def _already_there(plan: Plan, out: Path, *, partial: bool, replace: bool, grow: bool) -> Built | None:
    """The finished collection in ``out`` if it is the plan's; None if ``out`` is free."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return None
    try:
        index = read_index(out)
    except StoreCorrupt as error:
        raise UsageError(
            explain(
                f"{out} exists and is no intact collection",
                got=error,
                did="it was left alone",
                do="choose another --out",
            )
        ) from error
    wanted = {f"{spec.name}.arrow": spec.digest for spec in plan.shards}
    held = {item["name"]: item["spec"] for item in index["files"] if "spec" in item}
    same = wanted == held and index["recipe"]["digest"] == manifest_digest(plan.recipe)
    allowed = partial or {row["source"] for row in index["shortfall"]} <= drawn_sources(plan.recipe)
    if same and not replace and allowed:
        return Built(folder=out, index=index, fresh=False, reused_shards=len(held))
    if not replace and not grow:
        raise UsageError(
            explain(
                f"{out} holds another collection",
                expected=f"{plan.recipe.name} from the files at hand",
                got=f"{index['recipe']['name']}, {index['rows']:,} samples",
                did="it was left alone",
                do="choose another --out, or replace it with --replace (shards that stay the same are taken over)",
            )
        )
    return None


def _build(plan: Plan, out: Path, workers: int, partial: bool, replace: bool, on_rows: OnRows) -> Built:
    """Build in ``OUT.partial-*``: shards and sidecars at its top, the collection in a folder of this process alone."""
    folder = partial_folder(plan, out)
    folder.mkdir(parents=True, exist_ok=True)
    adopt_shards(plan.shards, folder, out)
    reports: dict[str, ShardReport] = {}
    waiting = []
    for spec in plan.shards:
        report = finished_shard(spec, folder)
        if report is None:
            waiting.append(spec)
        else:
            reports[spec.name] = report
            on_rows(len(spec.candidates))
    _require_room(waiting, folder)
    sizes = {spec.name: len(spec.candidates) for spec in waiting}
    for report in run_local(bind(build_shard, folder=folder), waiting, workers):
        reports[report.name] = report
        on_rows(sizes[report.name])
    collection = folder / f"collection-{os.getpid()}-{secrets.token_hex(4)}"
    index = _finish(plan, collection, [reports[spec.name] for spec in plan.shards], partial)
    _swap(collection, out, index, replace)
    _clear(out)
    return Built(folder=out, index=read_index(out), fresh=True, reused_shards=len(plan.shards) - len(waiting))


def _clear(out: Path) -> None:
    """Remove what unfinished builds of ``out`` left."""
    for stale in unfinished(out):
        shutil.rmtree(stale, ignore_errors=True)


def partial_folder(plan: Plan, out: Path) -> Path:
    """Where an unfinished build of this plan works."""
    return out.with_name(f"{out.name}.partial-{plan.digest[:16]}")


def _require_room(specs: Iterable[ShardSpec], folder: Path) -> None:
    """Refuse before the first byte what cannot fit: members are stored as they are, so their sizes tell."""
    needed = sum(candidate.size for spec in specs for candidate in spec.candidates)
    free = free_bytes(folder)
    if needed > free:
        raise DiskFull(
            explain(f"not enough room in {folder.parent}", expected=f"{needed:,} bytes", got=f"{free:,} bytes free")
        )


def _gather(source: Path, target: Path) -> None:
    """Hard-link a finished shard, so that it outlives this process; move it where links are not to be had."""
    try:
        os.link(source, target)
    except OSError:
        source.rename(target)


def _finish(plan: Plan, folder: Path, reports: list[ShardReport], partial: bool) -> dict[str, Any]:
    """Gather the shards, write the small files beside them, and return the index."""
    pairs = [candidate.sample_id for source in plan.sources for candidate in source.candidates]
    samples = [sample_id for report in reports for sample_id, _, _ in report.content]
    counts = count_parts(plan.recipe, [source.source for source in plan.sources], pairs, samples)
    did = f"finished shards are kept in {folder.parent.name}"
    shortfall = require_counts(counts, partial=partial, did=did, drawn=drawn_sources(plan.recipe))
    rejects = {row for source in plan.sources for row in source.rejects}
    rejects |= {row for report in reports for row in report.rejects}
    folder.mkdir()
    for report in reports:
        _gather(arrow_path(folder.parent, report.name), folder / report.file)
    write_rejects(folder, rejects)
    shards = [report.file for report in reports]
    write_dataset_files(folder, plan.recipe.title, shards)
    small = [REJECTS, "dataset_info.json", "state.json"]
    tars = _tars(plan)
    if tars:
        write_listing(folder, (row for source in plan.sources for row in source.listed))
        small.append(LISTING)
    return {
        "format": FORMAT,
        "recipe": {
            "name": plan.recipe.name,
            "title": plan.recipe.title,
            "digest": manifest_digest(plan.recipe),
            "synthetic": plan.recipe.synthetic or any(source.source.synthetic for source in plan.sources),
        },
        "sources": {source.source.name: _source_row(source, reports) for source in plan.sources},
        "counts": [asdict(count) for count in counts],
        "shortfall": [asdict(count) for count in shortfall],
        "unverified": any(fact.verified == "unverified" for source in plan.sources for fact in source.archives),
        "rows": sum(report.rows for report in reports),
        "rejects": dict(sorted(Counter(row.reason for row in rejects).items())),
        "flags": _sum(report.flags for report in reports),
        "errata": _sum(report.errata for report in reports),
        "versions": dict(library_versions()),
        "files": sorted(
            [*(_shard_row(report, tars) for report in reports), *(file_row(folder, name) for name in small)],
            key=lambda row: str(row["name"]),
        ),
        "content_digest": content_digest(row for report in reports for row in report.content),
    }


def _tars(plan: Plan) -> dict[str, str]:
    """Name of the one tar that a drawn shard reads, by shard."""
    drawn = drawn_sources(plan.recipe)
    firsts = [(spec, spec.candidates[0]) for spec in plan.shards]
    return {spec.name: spec.containers[first.image.container].label for spec, first in firsts if first.source in drawn}


def _shard_row(report: ShardReport, tars: Mapping[str, str]) -> dict[str, Any]:
    row = {
        "name": report.file,
        "bytes": report.bytes,
        "sha256": report.sha256,
        "rows": report.rows,
        "spec": report.spec,
    }
    return {**row, "tar": tars[report.name]} if report.name in tars else row


def _sum(tables: Iterable[dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for table in tables:
        total.update(table)
    return dict(sorted(total.items()))


def _source_row(plan: SourcePlan, reports: Iterable[ShardReport]) -> dict[str, Any]:
    source = plan.source
    row = {
        "bytes": sum(report.bytes for report in reports if report.name.rpartition("-")[0] == source.name),
        "title": source.title,
        "manifest": manifest_digest(source),
        "form": plan.form,
        "packed": plan.packed,
        "archives": [asdict(fact) for fact in plan.archives],
        "licence": source.terms.licence,
        "redistribution": source.terms.redistribution,
        "citation": source.citation.strip(),
        "synthetic": source.synthetic,
    }
    return {**row, "draw": _draw_row(plan, plan.take.draw)} if plan.take.draw else row


def _draw_row(plan: SourcePlan, draw: Draw) -> dict[str, Any]:
    """Which sample was asked for, and which tars it came from."""
    tars = [asdict(fact) for fact in plan.tars]
    return {**asdict(draw), "size": plan.take.count, "from": tars, "missing": list(plan.missing)}


def recover(out: Path) -> bool:
    """Put a collection back that stood aside for another one when a build was killed; whether there was one.

    For draws only: nothing but that collection may hold the images of tars that are gone. Other builds go on from their
    finished shards.
    """
    if out.exists() or not _aside(out):
        return False
    with locked(_lock_of(out)):
        aside = _aside(out)
        if out.exists() or not aside:
            return False
        aside[0].rename(out)
    return True


def _aside(out: Path) -> list[Path]:
    """Finished collections that stand aside; one at most, as the next build puts it back or removes it."""
    return [path.parent for folder in unfinished(out) for path in sorted(folder.glob(f"*{_REPLACED}/{INDEX}"))]


def _swap(folder: Path, out: Path, index: dict[str, Any], replace: bool) -> None:
    """Give the finished folder its name; with ``replace`` an old collection steps aside first.

    It steps into the folder of the unfinished build, which goes last: no other name is ever taken or removed.
    """
    if replace and out.exists() and not _holds(out, index):
        out.rename(folder.with_name(f"{folder.name}{_REPLACED}"))
    if not publish(folder, out, index) and read_index(out)["content_digest"] != index["content_digest"]:
        raise StoreCorrupt(explain(f"another process published another collection to {out}", did="it was left alone"))


def _holds(out: Path, index: dict[str, Any]) -> bool:
    """Whether ``out`` holds this very collection."""
    try:
        return (out / INDEX).read_bytes() == index_bytes(index)
    except OSError:
        return False
