"""Shards that need not be built again: another build of the same destination finished them from the same inputs."""

import os
import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from hqdata.schema import Reject
from hqdata.shard import ShardReport, ShardSpec, arrow_path, finished_shard, sidecar_path, write_sidecar
from hqdata.store.index import INDEX, unfinished
from hqdata.store.reader import Collection


def adopt_shards(specs: Iterable[ShardSpec], folder: Path, out: Path) -> None:
    """Take over shards that other builds of the same destination finished from the same inputs.

    Args:
        specs: shards of the build that is about to start.
        folder: where it works.
        out: its destination: unfinished builds beside it and the collection in it are looked at.
    """
    wanted = [spec for spec in specs if not sidecar_path(folder, spec.name).exists()]
    for other in unfinished(out):
        for spec in wanted:
            report = finished_shard(spec, other) if other != folder else None
            if report is not None:
                _link(arrow_path(other, spec.name), arrow_path(folder, spec.name))
                write_sidecar(report, folder)
    if not (out / INDEX).is_file():
        return
    collection = Collection(out)
    held = {item["name"]: item for item in collection.index["files"] if "spec" in item}
    for spec in wanted:
        item = held.get(f"{spec.name}.arrow")
        from_files = all(container.sha256 for container in spec.containers)
        if item and from_files and item["spec"] == spec.digest:
            _link(out / item["name"], arrow_path(folder, spec.name))
            write_sidecar(_report_of(collection, item, spec), folder)


def _link(source: Path, target: Path) -> None:
    """Hard-link, or copy where links are not to be had."""
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _report_of(collection: Collection, item: dict[str, Any], spec: ShardSpec) -> ShardReport:
    """Rebuild the sidecar of a published shard from the collection that holds it."""
    ids = [candidate.sample_id for candidate in spec.candidates]
    table = collection.table.select(["sample_id", "image_sha256", "pixels_sha256", "flags", "errata"])
    rows = table.filter(pc.is_in(table["sample_id"], pa.array(ids))).to_pylist()
    members = {
        (spec.containers[ref.container].label, ref.member.name)
        for c in spec.candidates
        for ref in (c.image, c.mask)
        if ref
    }
    rejects = (Reject(**row) for row in collection.rejects.to_pylist() if row["stage"] not in {"list", "pair"})
    return ShardReport(
        name=spec.name,
        spec=spec.digest,
        stamped=spec.stamped,
        rows=item["rows"],
        bytes=item["bytes"],
        sha256=item["sha256"],
        content=tuple((row["sample_id"], row["image_sha256"], row["pixels_sha256"]) for row in rows),
        flags=dict(sorted(Counter(flag for row in rows for flag in row["flags"]).items())),
        errata=dict(sorted(Counter(kind for row in rows for kind in row["errata"]).items())),
        rejects=tuple(sorted(row for row in rejects if (row.archive, row.member) in members)),
    )
