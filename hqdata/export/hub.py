"""A collection as a folder that the Hugging Face Hub takes as it is: Parquet shards, a dataset card, Croissant.

Nothing is uploaded. Sources whose terms forbid redistribution are refused unless they are left out; sources of unknown
terms unless the user states to have the right (:mod:`hqdata.export.rights`).
"""

import datetime
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hqdata.catalog import Catalog, manifest_digest
from hqdata.errors import ManifestError, StoreCorrupt, UsageError, explain
from hqdata.export.card import card_text, terms_text
from hqdata.export.croissant import croissant
from hqdata.export.folder import new_folder
from hqdata.export.release import Config, File, Release, Split, count
from hqdata.export.rights import Selection, select_sources
from hqdata.export.shards import GROUP_BYTES, SHARD_BYTES, plan_shards, row_sizes, write_shard
from hqdata.fetch.progress import SILENT, Progress
from hqdata.fsio.atomic import atomic_file, write_bytes, write_json
from hqdata.fsio.digest import sha256_file
from hqdata.fsio.fault import fault_point
from hqdata.store.derived import find_derived
from hqdata.store.index import content_digest
from hqdata.store.reader import STATS, Collection
from hqdata.store.terms import source_terms
from hqdata.store.verify import verify
from hqdata.store.writer import file_row

Splits = Literal["train", "part"]
INDEX = "hqdata.json"
FORMAT = 1
_SAMPLES = "one row an image with its mask or masks"
_REJECTS = "one row a member of an archive that did not become a sample, and why"
_FROM_INDEX = ("content_digest", "index_digest", "rows", "shortfall", "unverified", "versions")
_FACTS = ["sample_id", "source", "part", "image_sha256", "pixels_sha256", "flags", "errata"]
_STATS = "one row a mask: figures of its shape, edge and image, keyed by mask_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class HubExported:
    """What an export for the Hub wrote."""

    samples: int
    bytes_written: int
    splits: dict[str, int]
    """Rows of each split."""
    configs: tuple[str, ...]
    left_out: tuple[str, ...]
    allowed: tuple[str, ...]
    """Sources of unknown terms that the user allowed."""
    content_digest: str
    synthetic: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HubOptions:
    """What the user decides."""

    leave_out: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    splits: Splits | None = None
    """``train``: one split of that name; ``part``: one for each part of each source. None: ``part`` where every source
    serves for evaluation, by its manifest, else ``train``."""
    repo: str | None = None
    """``OWNER/NAME`` on the Hub, if that is decided; the card and the Croissant file name it."""
    published: str | None = None
    """ISO date of publication, which Croissant asks for; nothing else here knows it."""
    group_bytes: int = GROUP_BYTES
    shard_bytes: int = SHARD_BYTES

    def command(self) -> str:
        """The command that these options stand for."""
        words = ["hqdata export DIR --to hub --out OUT"]
        words += [f"--leave-out {name}" for name in sorted(self.leave_out)]
        words += [f"--allow {name}" for name in sorted(self.allow)]
        words += [f"--splits {self.splits}"] if self.splits else []
        words += [f"--repo {self.repo}"] if self.repo else []
        words += [f"--published {self.published}"] if self.published else []
        return " ".join(words)


def export_hub(
    collection: Collection,
    catalog: Catalog,
    out: Path,
    options: HubOptions = HubOptions(),
    *,
    progress: Progress = SILENT,
) -> HubExported:
    """Write a collection for the Hub.

    Args:
        collection: is verified first, so that no flipped bit is ever published.
        catalog: manifests, for the terms and citation of each source.
        out: a folder that does not exist yet, or is empty.
        options: what the user decides.
        progress: is told of bytes.

    Raises:
        UsageError: terms forbid it, options do not fit, or ``out`` holds files.
        StoreCorrupt: the collection is damaged, or a file does not read back as it was written.
    """
    _check(options)
    selection = select_sources(source_terms(collection.index, catalog), options.leave_out, options.allow)
    table = collection.table
    kept = _kept(table, selection)
    if not len(kept):
        raise UsageError(explain("the sources that are kept have no sample", did="nothing was written"))
    splits = _splits(table, kept, options.splits or _usual_splits(collection.index, catalog))
    sizes = row_sizes(table)
    needed = int(sizes[kept].sum())
    with new_folder(out, needed) as folder:
        _require_intact(collection, progress)
        progress.start(f"writing {out.name}", needed)
        try:
            samples = _write_samples(folder, table, sizes, splits, options, progress.advance)
        finally:
            progress.finish()
        facts = table.select(_FACTS).take(pa.array(kept))
        release = Release(
            index=collection.index,
            summary=_summary(collection.index, catalog),
            packaged=collection.index["recipe"]["name"] in {*catalog.recipes, *catalog.sources},
            selection=selection,
            configs=(samples, *_write_tables(folder, collection, selection)),
            counts=count(facts, _of_kept(collection.rejects, selection)),
            content_digest=_digest(facts),
            command=options.command(),
            repo=options.repo,
            published=options.published,
        )
        written = _describe(folder, release)
    return HubExported(
        samples=len(kept),
        bytes_written=written,
        splits={split.name: split.rows for split in samples.splits},
        configs=tuple(config.name for config in release.configs),
        left_out=tuple(item.name for item in selection.left_out),
        allowed=selection.allowed,
        content_digest=release.content_digest,
        synthetic=release.synthetic,
    )


def _check(options: HubOptions) -> None:
    if options.published is not None and not _is_date(options.published):
        raise UsageError(
            explain("the date of publication is no date", expected="YYYY-MM-DD", got=repr(options.published))
        )
    if options.repo is not None and not _is_repo(options.repo):
        raise UsageError(
            explain("no name of a dataset on the Hub", expected="OWNER/NAME", got=repr(options.repo), do="see --repo")
        )


def _is_date(text: str) -> bool:
    try:
        return datetime.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _is_repo(text: str) -> bool:
    from huggingface_hub.errors import HFValidationError  # noqa: PLC0415 - slow to import
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # noqa: PLC0415

    try:
        validate_repo_id(text)
    except HFValidationError:
        return False
    return "/" in text


def _kept(table: pa.Table, selection: Selection) -> npt.NDArray[np.int64]:
    """Positions of the rows of the sources that are kept."""
    return np.flatnonzero(_is_kept(table, selection).to_numpy()).astype(np.int64)


def _is_kept(table: pa.Table, selection: Selection) -> pa.ChunkedArray:
    return pc.is_in(table.column("source"), pa.array([item.name for item in selection.kept]))


def _of_kept(table: pa.Table, selection: Selection) -> pa.Table:
    return table.filter(_is_kept(table, selection))


def _usual_splits(index: Mapping[str, Any], catalog: Catalog) -> Splits:
    known = [catalog.sources.get(name) for name in index["sources"]]
    return "part" if all(source is not None and "evaluate" in source.use for source in known) else "train"


def _splits(table: pa.Table, kept: npt.NDArray[np.int64], kind: Splits) -> dict[str, npt.NDArray[np.int64]]:
    """Positions of the rows of each split."""
    if kind == "train":
        return {"train": kept}
    pairs = _pairs(table)
    found: dict[str, tuple[str, str]] = {}
    rows: dict[str, list[int]] = {}
    for position in kept.tolist():
        source, part = pairs[position]
        name = (source if part == "all" else f"{source}_{part}").replace("-", "_")
        if found.setdefault(name, (source, part)) != (source, part):
            raise UsageError(
                explain(
                    f"two parts would both be the split {name}",
                    got=[found[name], (source, part)],
                    do="add --splits train",
                )
            )
        rows.setdefault(name, []).append(position)
    return {name: np.array(positions, np.int64) for name, positions in sorted(rows.items())}


def _pairs(table: pa.Table) -> list[tuple[str, str]]:
    """Source and part of each row."""
    return list(zip(table.column("source").to_pylist(), table.column("part").to_pylist(), strict=True))


def _require_intact(collection: Collection, progress: Progress) -> None:
    progress.start(f"verifying {collection.folder.name}", sum(item["bytes"] for item in collection.index["files"]))
    try:
        problems = verify(collection.folder, on_bytes=progress.advance)
    finally:
        progress.finish()
    if problems:
        listing = "\n".join(f"  {problem.file}: {problem.what}" for problem in problems)
        raise StoreCorrupt(
            explain(f"{collection.folder} is damaged:\n{listing}", did="nothing was exported", do="build it again")
        )


def _write_samples(
    folder: Path,
    table: pa.Table,
    sizes: npt.NDArray[np.int64],
    splits: Mapping[str, npt.NDArray[np.int64]],
    options: HubOptions,
    on_bytes: Callable[[int], None],
) -> Config:
    pairs = _pairs(table)
    described = []
    for split, positions in splits.items():
        plan = plan_shards(sizes[positions].tolist(), options.group_bytes, options.shard_bytes)
        files = []
        for number, groups in enumerate(plan):
            name = f"data/{split}-{number:05d}-of-{len(plan):05d}.parquet"
            write_shard(folder / name, table, [positions[start:stop] for start, stop in groups], on_bytes)
            files.append(_file(folder, name, groups[-1][1] - groups[0][0]))
            fault_point("export-shard")
        parts = tuple(sorted({pairs[position] for position in positions.tolist()}))
        nbytes = int(sizes[positions].sum())
        described.append(Split(name=split, parts=parts, files=tuple(files), nbytes=nbytes))
    return Config(name="default", description=_SAMPLES, folder="data", schema=table.schema, splits=tuple(described))


def _file(folder: Path, name: str, rows: int) -> File:
    path = folder / name
    return File(name=name, bytes=path.stat().st_size, sha256=sha256_file(path), rows=rows)


def _write_tables(folder: Path, collection: Collection, selection: Selection) -> Iterable[Config]:
    """Rejects and, where they are computed, statistics; a table without rows is left out."""
    tables = [("rejects", _REJECTS, collection.rejects)]
    if find_derived(collection.folder, STATS) is not None:
        tables.append((STATS, _STATS, collection.stats))
    for name, description, table in tables:
        rows = _of_kept(table, selection)
        if len(rows):
            path = f"{name}/{name}.parquet"
            with atomic_file(folder / path) as sink:
                pq.write_table(rows, sink, compression="zstd", write_page_checksum=True, write_page_index=True)
            files = (_file(folder, path, len(rows)),)
            split = Split(name="train", parts=(), files=files, nbytes=rows.nbytes)
            yield Config(name=name, description=description, folder=name, schema=rows.schema, splits=(split,))


def _digest(facts: pa.Table) -> str:
    columns = facts.select(["sample_id", "image_sha256", "pixels_sha256"]).to_pydict()
    return content_digest(zip(*columns.values(), strict=True))


def _summary(index: Mapping[str, Any], catalog: Catalog) -> str:
    """The recipe's summary, if the recipe at hand is the one that the collection was built from."""
    try:
        recipe = catalog.recipe(index["recipe"]["name"])
    except ManifestError:
        return ""
    return " ".join(recipe.summary.split()) if manifest_digest(recipe) == index["recipe"]["digest"] else ""


def _describe(folder: Path, release: Release) -> int:
    """Write the files that describe the others, the index last. Returns the bytes of all of them."""
    write_bytes(folder / "README.md", card_text(release).encode())
    write_bytes(folder / "LICENSE.md", terms_text(release).encode())
    write_json(folder / "croissant.json", croissant(release))
    small = [file_row(folder, name) for name in ("LICENSE.md", "README.md", "croissant.json")]
    files = [*(asdict(file) for config in release.configs for file in config.files), *small]
    index = {
        "format": FORMAT,
        "recipe": release.index["recipe"],
        "collection": {key: release.index[key] for key in _FROM_INDEX},
        "content_digest": release.content_digest,
        "rows": release.samples.rows,
        "splits": {split.name: split.rows for split in release.samples.splits},
        "sources": {item.name: release.index["sources"][item.name] for item in release.selection.kept},
        "left_out": {item.name: item.statement for item in release.selection.left_out},
        "allowed": list(release.selection.allowed),
        "files": sorted(files, key=lambda row: str(row["name"])),
    }
    write_json(folder / INDEX, index)
    return sum(int(row["bytes"]) for row in files) + (folder / INDEX).stat().st_size
