"""Leaks: what a training collection shares with an evaluation collection."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hqdata.analysis.duplicates import relation_rows
from hqdata.analysis.findings import LEAKS, LEVELS, findings_folder, publish_findings
from hqdata.analysis.related import Progress, Related, related, search_facts, silent
from hqdata.store.derived import read_derived_index
from hqdata.store.reader import Collection

VERSION = 1
_REASONS = {
    "pair": "an evaluation sample, image and mask",
    "image": "an evaluation image, with another mask",
    "object": "the object of an evaluation image, before another background",
    "background": "an evaluation image is its background",
    "mask": "nothing is removed: the masks are the same, the images differ",
}


def find_leaks(collection: Collection, against: Collection, *, workers: int = 1, progress: Progress = silent) -> Path:
    """Find what two collections share and write the table, unless it is there already.

    Args:
        collection: for training; with statistics.
        against: for evaluation; with statistics.
        workers: processes.
        progress: is told of each stage.

    Returns:
        The derived folder, beside ``collection``.

    Raises:
        StoreCorrupt: a collection lacks statistics.
    """
    facts = {**search_facts(), "against": against.folder.resolve().name, "against_digest": against.digest}
    final = findings_folder(collection, LEAKS, VERSION, facts)
    if read_derived_index(final) is None:
        found = related(collection, against, workers=workers, progress=progress)
        publish_findings(collection, LEAKS, VERSION, facts, leak_rows(collection, against, found))
    return final


def leak_rows(collection: Collection, against: Collection, found: Sequence[Related]) -> list[dict[str, Any]]:
    """Rows of the table: the closest relations first, then by id."""
    same = {"against": against.folder.resolve().name, "against_digest": against.digest, "group": None}
    rows = [
        {
            **row,
            **same,
            "remove": None if item.shared.level == "mask" else row["mask_id"],
            "reason": _REASONS[item.shared.level],
        }
        for item in found
        for row in relation_rows(collection, against, item)
    ]
    order = list(LEVELS)
    return sorted(rows, key=lambda row: (order.index(row["level"]), row["mask_id"], row["other_mask_id"]))
