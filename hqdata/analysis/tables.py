"""The tables that SQL reaches: Arrow datasets over a collection's own files, and what their columns mean.

Nothing is loaded here. ``samples`` is memory-mapped and holds no column with pixels, so that no query can read any; the
others are Parquet files of which a query reads the columns that it names. A split counts as a collection.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset as ds
from pyarrow.fs import LocalFileSystem

from hqdata.analysis import stats_table
from hqdata.analysis.findings import COLUMNS, DUPLICATES, LEAKS, SCHEMAS, SUSPECTS
from hqdata.analysis.split_tables import SPLITS, SPLITS_SCHEMA, of_splits, splits_table
from hqdata.errors import QueryError, UsageError, explain
from hqdata.schema import REJECT_SCHEMA, SAMPLE_SCHEMA
from hqdata.store.derived import newest_derived, table_file
from hqdata.store.reader import STATS, Collection
from hqdata.store.split import is_split
from hqdata.store.view import SplitView, open_view
from hqdata.store.writer import REJECTS

CollectionLike: TypeAlias = Collection | str | PathLike[str]
Attachments: TypeAlias = Mapping[str, str | PathLike[str]]

PIXEL_COLUMNS = frozenset({"image", "mask", "masks"})
"""Columns of a collection that SQL does not see: encoded images and masks, run-length codes."""
DERIVED = {
    STATS: "hqdata stats {}",
    DUPLICATES: "hqdata audit {}",
    LEAKS: "hqdata audit {} --against EVALUATION_DIR",
    SUSPECTS: "hqdata audit {}",
}
"""Tables that are there once they are computed, and the command that does it."""
WORDS = ("source", "part")
"""Columns of few different words, which are read as dictionaries: a group-by over 4.4 million rows takes 3/5 of the
time that it takes with plain strings."""
TAR = pa.field("tar", pa.string())
"""Column of ``samples`` that no shard holds: the index knows it."""
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a column holds."""

    unit: str
    """Empty for words and counts of nothing in particular."""
    text: str


_COLLECTION = Meaning("", "folder name of the collection, or name of the split; a second one of that name is NAME~2")
SAMPLES: dict[str, Meaning] = {
    "collection": _COLLECTION,
    "sample_id": Meaning("", "source/part/stem, the same from every form of the source"),
    "source": Meaning("", "name of the public dataset, as in `hqdata sources`"),
    "part": Meaning("", "part of the source, such as a training split"),
    "width": Meaning("px", "width of image and mask, as stored, whatever a split does"),
    "height": Meaning("px", "height of image and mask, as stored"),
    "image_sha256": Meaning("", "sha256 (hex) of the original image bytes"),
    "mask_sha256": Meaning("", "sha256 (hex) of the original mask or annotation bytes; NULL where there was none"),
    "pixels_sha256": Meaning("", "sha256 (hex) of the mask's pixels, the same for every encoding of them"),
    "flags": Meaning("", "list of properties worth knowing, words of `hqdata info`: list_contains(flags, 'mask_soft')"),
    "errata": Meaning("", "list of known faults of the sample in its source; empty for nearly all"),
    TAR.name: Meaning("", "archive that the sample was drawn from, as of SA-1B; NULL where nothing was drawn"),
}
REJECTED: dict[str, Meaning] = {
    "collection": _COLLECTION,
    "source": Meaning("", "name of the public dataset"),
    "archive": Meaning("", "archive or folder that the member lies in"),
    "member": Meaning("", "path of the file inside the archive"),
    "stage": Meaning("", "where it was lost: list, pair, read, decode or normalize"),
    "reason": Meaning("", "why, one word of hqdata.schema.REASONS"),
    "detail": Meaning("", "why, in full"),
}
MEASURED: dict[str, Meaning] = {
    "collection": _COLLECTION,
    **{stat.name: Meaning(stat.unit, f"{stat.formula} ({stat.source})") for stat in stats_table.STATS},
}
FOUND: dict[str, dict[str, Meaning]] = {
    kind: {"collection": _COLLECTION, **{name: Meaning(unit, text) for name, _, unit, text in columns}}
    for kind, columns in COLUMNS.items()
}
IN_SPLITS: dict[str, Meaning] = {
    "collection": Meaning("", "name of the split; a second one of that name is NAME~2"),
    "mask_id": Meaning("", "the mask"),
    "weight": Meaning("1", "how often it is drawn in training, relative to a mean of 1; NULL if all are drawn alike"),
    "scale": Meaning("1", "factor of width and height at reading, at most 1; NULL where images are read as they are"),
    "degraded": Meaning("", "kind of degradation, a word of `hqdata split create --help`; NULL if there is none"),
    "strength": Meaning("1", "strength of the degradation, over the diagonal; NULL if there is none, and for `sam`"),
}
MEANINGS: dict[str, dict[str, Meaning]] = {
    "samples": SAMPLES,
    "rejects": REJECTED,
    STATS: MEASURED,
    **FOUND,
    SPLITS: IN_SPLITS,
}
"""Every documented column of every table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """Datasets by the name that SQL knows them by."""

    datasets: dict[str, ds.Dataset]
    without: Mapping[str, tuple[Path, ...]]
    """Collections for which a table is not computed yet, by its name; if there is one, there is no such table: one that
    lacks a collection in silence would give wrong answers."""

    def columns(self) -> dict[str, list[str]]:
        """Names of the columns of each table."""
        return {name: list(dataset.schema.names) for name, dataset in self.datasets.items()}


def open_tables(given: Sequence[CollectionLike], attach: Attachments | None = None) -> Tables:
    """Open the tables of one or more collections and splits.

    Args:
        given: collections or splits, or their paths.
        attach: the user's own tables: name to CSV, TSV or Parquet file.

    Raises:
        StoreCorrupt: a path is no finished collection, or no intact split of one.
        UsageError: no collection, or an attachment whose name is taken or cannot be written in SQL.
        QueryError: an attachment cannot be read, or statistics of two collections do not fit together.
    """
    if not given:
        raise UsageError(explain("no collection to query", expected="one or more folders that `hqdata build` wrote"))
    collections = _named(given)
    datasets = {"samples": _samples(collections), "rejects": _rejects(collections)}
    without = {}
    for kind in DERIVED:
        found = {name: _derived(collection, kind) for name, collection in collections.items()}
        lacking = tuple(_place(collections[name], kind) for name, files in found.items() if not files)
        if lacking:
            without[kind] = lacking
        else:
            datasets[kind] = of_splits(kind, _parquet(found), collections)
    splits = splits_table(collections)
    if splits is not None:
        datasets[SPLITS] = splits
    for name, file in (attach or {}).items():
        _check_name(name, {*datasets, *DERIVED, SPLITS})
        datasets[name] = _attached(Path(file))
    return Tables(datasets=datasets, without=without)


def empty_tables() -> Tables:
    """The tables without any collection, for looking at their columns."""
    samples = pa.schema([*(field for field in SAMPLE_SCHEMA if field.name not in PIXEL_COLUMNS), TAR])
    schemas = {"samples": samples, "rejects": REJECT_SCHEMA, STATS: stats_table.STATS_SCHEMA, **SCHEMAS}
    keyed = {name: pa.schema([pa.field("collection", pa.string()), *fields]) for name, fields in schemas.items()}
    keyed[SPLITS] = SPLITS_SCHEMA
    return Tables(datasets={name: ds.dataset(item.empty_table()) for name, item in keyed.items()}, without={})


def _derived(collection: Collection, kind: str) -> list[Path]:
    """Files of a derived table: the newest one; of ``leaks`` the newest for each evaluation collection."""
    if kind == STATS and isinstance(collection, SplitView):
        file = collection.stats_file()
        return [file] if file else []
    return [folder / table_file(kind) for _, folder in newest_derived(collection.folder, kind)]


def _place(collection: Collection, kind: str) -> Path:
    """What the command that computes a table is given."""
    return collection.definition.path if kind == STATS and isinstance(collection, SplitView) else collection.folder


def _opened(item: CollectionLike) -> Collection:
    if isinstance(item, Collection):
        return item
    return open_view(Path(item)) if is_split(Path(item)) else Collection(Path(item))


def _named(given: Sequence[CollectionLike]) -> dict[str, Collection]:
    """Collections by the name of their folder, splits by their own, made unique."""
    named: dict[str, Collection] = {}
    for item in given:
        collection = _opened(item)
        folder = collection.folder.resolve().name
        base = name = collection.definition.name if isinstance(collection, SplitView) else folder
        number = 1
        while name in named:
            number += 1
            name = f"{base}~{number}"
        named[name] = collection
    return named


def _samples(collections: Mapping[str, Collection]) -> ds.Dataset:
    columns = [name for name in SAMPLE_SCHEMA.names if name not in PIXEL_COLUMNS]
    parts = []
    for name, collection in collections.items():
        whole = collection.collection if isinstance(collection, SplitView) else collection
        table = whole.table.select(columns).replace_schema_metadata(None).append_column(TAR, _tars(whole))
        if isinstance(collection, SplitView):
            # Copied, for these columns are small and slices of single rows are slow to scan.
            table = table.take(pa.array(collection.positions))
        parts.append(table.add_column(0, "collection", pa.repeat(name, table.num_rows)))
    return ds.dataset(pa.concat_tables(parts))


def _tars(collection: Collection) -> pa.ChunkedArray:
    """Tar of each sample: a shard of a draw holds images of one tar only."""
    shards = [item for item in collection.index["files"] if item["name"].endswith(".arrow")]
    if not any("tar" in item for item in shards):
        return pa.chunked_array([pa.nulls(len(collection), TAR.type)])
    return pa.chunked_array([pa.repeat(pa.scalar(item.get("tar"), TAR.type), item["rows"]) for item in shards])


def _rejects(collections: Mapping[str, Collection]) -> ds.Dataset:
    return _parquet({name: [collection.folder / REJECTS] for name, collection in collections.items()})


def _parquet(files: Mapping[str, Sequence[Path]]) -> ds.Dataset:
    """One dataset over the Parquet files of each collection, the name of the collection as a column.

    The name is a partition's value, not data: a query that filters by it opens only the files that it needs.
    """
    checked = ds.ParquetFragmentScanOptions(page_checksum_verification=True)
    words = ds.ParquetReadOptions(dictionary_columns=WORDS)
    parquet = ds.ParquetFileFormat(read_options=words, default_fragment_scan_options=checked)
    system, key = LocalFileSystem(), ds.field("collection")
    fragments = [
        parquet.make_fragment(str(path), system, partition_expression=key == name)
        for name, paths in files.items()
        for path in paths
    ]
    try:
        merged = pa.unify_schemas([fragment.physical_schema.remove_metadata() for fragment in fragments])
    except pa.ArrowException as error:
        raise QueryError(
            explain(
                "tables of these collections do not fit together",
                got=f"{error} in {', '.join(str(path) for paths in files.values() for path in paths)}",
                do="compute them again with one version of hqdata (`hqdata stats DIR`, `hqdata audit DIR`)",
            )
        ) from error
    schema = pa.schema([pa.field("collection", pa.string()), *merged])
    return ds.FileSystemDataset(fragments, schema, parquet, system)


def _check_name(name: str, taken: set[str]) -> None:
    if not _WORD.fullmatch(name) or name.lower() in {word.lower() for word in taken}:
        raise UsageError(
            explain(
                f"a table cannot be attached as {name!r}",
                expected="letters, digits and _, not beginning with a digit, and none of " + ", ".join(sorted(taken)),
                do="choose another NAME in --attach NAME=FILE",
            )
        )


def _attached(path: Path) -> ds.Dataset:
    """The user's own table. A CSV file is read now, whole; a Parquet file by the query, as it needs it."""
    suffix = path.suffix.lower()
    if suffix not in {".csv", ".tsv", ".parquet"}:
        raise UsageError(explain(f"{path} cannot be attached", expected="a .csv, .tsv or .parquet file"))
    if not path.is_file():
        raise QueryError(explain(f"{path} cannot be attached", got="no such file"))
    try:
        if suffix == ".parquet":
            return ds.dataset(str(path), format="parquet", filesystem=LocalFileSystem())
        parse = pyarrow.csv.ParseOptions(delimiter="\t" if suffix == ".tsv" else ",", newlines_in_values=True)
        return ds.dataset(pyarrow.csv.read_csv(str(path), parse_options=parse))
    except pa.ArrowException as error:
        raise QueryError(explain(f"{path} cannot be read as {suffix[1:]}", got=str(error).splitlines()[0])) from error
