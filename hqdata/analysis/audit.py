"""Looks for duplicates, leaks and suspect annotations, and keeps what it finds beside the collection."""

from collections.abc import Sequence

import pyarrow as pa

from hqdata.analysis.duplicates import find_duplicates
from hqdata.analysis.findings import DUPLICATES, LEAKS, SCHEMAS, SUSPECTS, Audit, read_findings
from hqdata.analysis.leaks import find_leaks
from hqdata.analysis.related import Progress, silent
from hqdata.analysis.stats import compute_stats
from hqdata.analysis.suspects import suspects_of
from hqdata.errors import UsageError, explain
from hqdata.store.reader import Collection


def audit(
    collection: Collection, against: Sequence[Collection] = (), *, workers: int = 1, progress: Progress = silent
) -> Audit:
    """Audit a collection; what an earlier audit of the same content has found is read, not searched again.

    Args:
        collection: what to audit; statistics are computed where they are missing.
        against: evaluation collections, for leaks.
        workers: processes.
        progress: is told of each stage.

    Returns:
        All findings; their tables lie in ``DIR.derived/``.

    Raises:
        UsageError: a collection is held against itself, or twice against the same.
        DecodeError, StoreCorrupt: a collection is damaged.
    """
    digests = [item.digest for item in (collection, *against)]
    if len(set(digests)) < len(digests):
        raise UsageError(
            explain(
                "the same collection is given twice",
                got=", ".join(str(item.folder) for item in (collection, *against)),
                do="give each collection once; duplicates within one are found without --against",
            )
        )
    for item in (collection, *against):
        advance = progress(f"statistics of {item.folder.name}", len(item))
        compute_stats(item, workers=workers, on_samples=advance)
    duplicates = find_duplicates(collection, workers=workers, progress=progress)
    leaks = [find_leaks(collection, item, workers=workers, progress=progress) for item in against]
    advance = progress(f"suspects in {collection.folder.name}", len(collection))
    suspects = suspects_of(collection, workers=workers, on_samples=advance)
    return Audit(
        collection=collection,
        against=tuple(against),
        duplicates=read_findings(duplicates, DUPLICATES),
        leaks=pa.concat_tables([SCHEMAS[LEAKS].empty_table(), *(read_findings(folder, LEAKS) for folder in leaks)]),
        suspects=read_findings(suspects, SUSPECTS),
    )
