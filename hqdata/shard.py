"""The unit of work: some candidates of one source become one Arrow file and a sidecar. A pure function of its spec.

A shard counts as finished only with its sidecar, which is written last and holds the digest of the spec; a sidecar of
another spec is never trusted.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from hqdata.errors import DecodeError
from hqdata.fetch.archive import kept_container
from hqdata.fsio.atomic import write_bytes
from hqdata.fsio.digest import digest_of, sha256_file
from hqdata.fsio.fault import fault_point
from hqdata.limits import Limits
from hqdata.schema import Record, Reject
from hqdata.sources.layout import Candidate, MemberRef, reject
from hqdata.sources.normalize import MaskRules, NormalPair, normalize_pair
from hqdata.sources.record import RecordRules, normalize_record
from hqdata.store.reader import Collection
from hqdata.store.writer import write_shard


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerRef:
    """Where a container lies, and how rejects name it."""

    path: Path
    stamp: str
    """Changes whenever the file changes (:func:`hqdata.fetch.archive.stamp_of`)."""
    label: str
    sha256: str | None
    """None for a folder, and for a tar that a draw takes some members of."""
    listed: bool = True
    """False for a tar that need not be listed again: the plan knows where its members lie."""
    held: bool = False
    """Whether a finished collection stands in for a tar that is gone."""


@dataclass(frozen=True, kw_only=True)
class ShardSpec:
    """All that decides a shard's bytes. Without slots, so that its digests are computed once."""

    name: str
    candidates: tuple[Candidate, ...]
    containers: tuple[ContainerRef, ...]
    rules: MaskRules | RecordRules
    limits: Limits
    manifest_digest: str
    versions: tuple[tuple[str, str], ...]

    def _input(self, ref: MemberRef | None) -> list[Any] | None:
        if ref is None:
            return None
        container = self.containers[ref.container]
        return [container.label, container.sha256, ref.member.name, ref.member.size]

    @cached_property
    def digest(self) -> str:
        """Digest of everything but the stamps: equal on every machine. Files of a folder count by name and size."""
        pairs = [
            [c.sample_id, self._input(c.image), self._input(c.mask), list(c.flags), list(c.errata)]
            for c in self.candidates
        ]
        rules = [asdict(self.rules), asdict(self.limits), self.manifest_digest, list(self.versions)]
        return digest_of([self.name, pairs, rules])

    @cached_property
    def stamped(self) -> str:
        """Digest that also knows when folders were last changed: what a resume goes by."""
        used = {ref.container for c in self.candidates for ref in (c.image, c.mask) if ref}
        stamps = [item.stamp for number, item in enumerate(self.containers) if number in used and item.sha256 is None]
        return digest_of([self.digest, stamps])


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardReport:
    """What became of a shard: the content of its sidecar."""

    name: str
    spec: str
    stamped: str
    rows: int
    bytes: int
    sha256: str
    content: tuple[tuple[str, str, str], ...]
    """sample_id, image sha256, mask pixels sha256 of every row."""
    flags: dict[str, int]
    errata: dict[str, int]
    rejects: tuple[Reject, ...]

    @property
    def file(self) -> str:
        """Name of the Arrow file."""
        return self.name + ".arrow"


def build_shard(spec: ShardSpec, folder: Path) -> ShardReport:
    """Read, normalize and write one shard; skip what :func:`finished_shard` finds."""
    done = finished_shard(spec, folder)
    if done is not None:
        return done
    rejects: list[Reject] = []
    content: list[tuple[str, str, str]] = []
    flags: Counter[str] = Counter()
    errata: Counter[str] = Counter()

    def records() -> Iterator[Record]:
        for candidate in spec.candidates:
            record = _record(spec, candidate, rejects)
            if record is None:
                continue
            content.append((record.sample_id, record.image_sha256, record.pixels_sha256))
            flags.update(record.flags)
            errata.update(record.errata)
            yield record

    written = write_shard(arrow_path(folder, spec.name), records(), spec.limits.batch_bytes)
    report = ShardReport(
        name=spec.name,
        spec=spec.digest,
        stamped=spec.stamped,
        rows=written.rows,
        bytes=written.bytes,
        sha256=written.sha256,
        content=tuple(content),
        flags=dict(sorted(flags.items())),
        errata=dict(sorted(errata.items())),
        rejects=tuple(sorted(rejects)),
    )
    write_sidecar(report, folder)
    fault_point("sidecar")
    return report


def _read(spec: ShardSpec, ref: MemberRef) -> bytes:
    container = spec.containers[ref.container]
    return kept_container(container.path, container.stamp, spec.limits, container.listed).read(ref.member)


def _normalize(spec: ShardSpec, candidate: Candidate, image: bytes, mask: bytes | None) -> NormalPair:
    """Bring image and mask, or image and record, together by the rules of their source."""
    match spec.rules:
        case RecordRules():
            stem = candidate.sample_id.rpartition("/")[2]
            return normalize_record(image, mask or b"", stem, spec.rules, spec.limits)
        case MaskRules():
            return normalize_pair(image, mask, spec.rules, spec.limits)


def _record(spec: ShardSpec, candidate: Candidate, rejects: list[Reject]) -> Record | None:
    """One candidate's record; None, and a reject row, where it cannot become one."""
    ref, stage = candidate.image, "read"
    if spec.containers[ref.container].held:
        return _held_record(spec, candidate, rejects)
    try:
        image = _read(spec, candidate.image)
        ref = candidate.mask or ref
        mask = _read(spec, candidate.mask) if candidate.mask else None
        ref, stage = candidate.image, "decode"
        pair = _normalize(spec, candidate, image, mask)
    except DecodeError as error:
        if stage == "decode" and error.detail.startswith("mask:") and candidate.mask:
            ref = candidate.mask
        stage = "normalize" if error.reason == "size_mismatch" else stage
        label = spec.containers[ref.container].label
        rejects.append(reject(candidate.source, label, ref.member.name, stage, error.reason, error.detail))
        return None
    return Record(
        sample_id=candidate.sample_id,
        source=candidate.source,
        part=candidate.part,
        image=pair.image,
        image_suffix=pair.image_suffix,
        mask=pair.mask,
        mask_suffix=pair.mask_suffix,
        masks=pair.masks,
        width=pair.width,
        height=pair.height,
        image_sha256=pair.image_sha256,
        mask_sha256=pair.mask_sha256,
        pixels_sha256=pair.pixels_sha256,
        flags=tuple(sorted({*pair.flags, *candidate.flags})),
        errata=candidate.errata,
    )


@lru_cache(maxsize=2)
def _kept_collection(path: Path, stamp: str) -> tuple[Collection, dict[tuple[str, str], Reject]]:  # noqa: ARG001
    """Open a collection once a process, with what it lost while it was built, by archive and member."""
    collection = Collection(path)
    rows = [Reject(**row) for row in collection.rejects.to_pylist() if row["stage"] not in {"list", "pair"}]
    return collection, {(row.archive, row.member): row for row in rows}


def _held_record(spec: ShardSpec, candidate: Candidate, rejects: list[Reject]) -> Record | None:
    """A candidate as the collection has it that stands in for its tar: a row, or a reject."""
    container = spec.containers[candidate.image.container]
    collection, lost = _kept_collection(container.path, container.stamp)
    try:
        row = collection[candidate.sample_id].row
    except KeyError:
        names = [ref.member.name for ref in (candidate.image, candidate.mask) if ref]
        rejects.extend(lost[container.label, name] for name in names if (container.label, name) in lost)
        return None
    mask = row["mask"] or {"bytes": None, "path": f"{candidate.sample_id}.png"}
    return Record(
        sample_id=candidate.sample_id,
        source=candidate.source,
        part=candidate.part,
        image=row["image"]["bytes"],
        image_suffix=row["image"]["path"].removeprefix(candidate.sample_id),
        mask=mask["bytes"],
        mask_suffix=mask["path"].removeprefix(candidate.sample_id),
        masks=None if row["masks"] is None else tuple(row["masks"]),
        width=row["width"],
        height=row["height"],
        image_sha256=row["image_sha256"],
        mask_sha256=row["mask_sha256"],
        pixels_sha256=row["pixels_sha256"],
        flags=tuple(row["flags"]),
        errata=tuple(row["errata"]),
    )


def arrow_path(folder: Path, name: str) -> Path:
    """Arrow file of a shard in an unfinished build."""
    return folder / f"{name}.arrow"


def sidecar_path(folder: Path, name: str) -> Path:
    """Sidecar of a shard."""
    return folder / f"{name}.shard.json"


def write_sidecar(report: ShardReport, folder: Path) -> None:
    """Write the sidecar that makes a shard count as finished."""
    text = json.dumps(asdict(report), ensure_ascii=False, sort_keys=True)
    write_bytes(sidecar_path(folder, report.name), text.encode("utf-8", "surrogatepass"))


def finished_shard(spec: ShardSpec, folder: Path) -> ShardReport | None:
    """Report of a shard that was finished from the same spec and whose bytes are still those; else None.

    A shard with members that could not be read does not count: the disk may have been at fault, and may be well again.
    """
    try:
        raw = json.loads(sidecar_path(folder, spec.name).read_bytes())
        if raw["stamped"] != spec.stamped or sha256_file(arrow_path(folder, spec.name)) != raw["sha256"]:
            return None
        if any(row["stage"] == "read" for row in raw["rejects"]):
            return None
        raw["rejects"] = tuple(Reject(**row) for row in raw["rejects"])
        raw["content"] = tuple(tuple(row) for row in raw["content"])
        return ShardReport(**raw)
    except (OSError, ValueError, KeyError, TypeError):
        return None
