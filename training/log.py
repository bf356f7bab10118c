"""What a training notes of every step and of every visit: Parquet, in pieces while it runs and whole at its end.

A piece holds the steps between two snapshots and is written before the later one, whose state lists it with its hash.
So a training that goes on from a snapshot knows which pieces belong to its past; all others are deleted.
"""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hqdata.errors import StoreCorrupt, explain
from hqdata.fsio.atomic import atomic_file
from hqdata.fsio.fault import fault_point
from hqdata.store.writer import file_row

METRICS = pa.schema(
    [
        ("step", pa.int64()),
        ("epoch", pa.int64()),
        ("loss", pa.float64()),
        ("bce", pa.float64()),
        ("dice", pa.float64()),
        ("learning_rate", pa.float64()),
        ("gradient_norm", pa.float64()),
    ]
)
"""One row a step, which count from 0. ``loss`` is ``bce + dice``, each the mean over the step's visits."""

VISITS = pa.schema(
    [
        ("step", pa.int64()),
        ("position", pa.int64()),
        ("mask_id", pa.string()),
        ("use", pa.int64()),
        ("prompt", pa.string()),
        ("dropped", pa.bool_()),
        ("empty", pa.bool_()),
        ("pixels", pa.int64()),
        ("scale", pa.float64()),
        ("tries", pa.int64()),
        ("loss", pa.float64()),
    ]
)
"""One row a visit, in order. ``use``: how often the mask was visited before. ``dropped``: points were drawn, but there
were too few pixels, so another kind was taken. ``empty``, ``pixels``: foreground after augmentation. ``scale``: of the
jitter. ``tries``: crops that it took."""

_TENTH = 10
TABLES: dict[str, pa.Schema] = {"metrics": METRICS, "visits": VISITS}


class Log:
    """The tables of a run; rows since the last piece are held in memory.

    Args:
        folder: of the pieces.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pieces: list[dict[str, Any]] = []
        """Files of the past, with size and sha256, in the order of their steps."""
        self._first = 0
        self._rows: dict[str, list[pa.Table]] = {name: [] for name in TABLES}

    def go_on(self, step: int, pieces: Sequence[Mapping[str, Any]]) -> None:
        """Take over the pieces of a past of some steps; delete what else is there.

        Raises:
            StoreCorrupt: one of them is missing or not what was written.
        """
        for row in pieces:
            path = self.folder / row["name"]
            if not path.is_file() or file_row(self.folder, row["name"]) != row:
                raise StoreCorrupt(
                    explain(f"{path} is damaged", did="nothing was changed", do="delete the run and train it again")
                )
        self.pieces, self._first = [dict(row) for row in pieces], step
        known = {row["name"] for row in pieces}
        for path in sorted(self.folder.glob("*")):
            if path.name not in known:
                path.unlink()

    def add(self, metrics: Mapping[str, Any], visits: Mapping[str, Sequence[Any]]) -> None:
        """Note a step: a row of :data:`METRICS`, and columns of :data:`VISITS`."""
        self._rows["metrics"].append(pa.Table.from_pylist([dict(metrics)], METRICS))
        self._rows["visits"].append(pa.Table.from_pydict(dict(visits), VISITS))

    def write_piece(self, step: int) -> None:
        """Write what is held, up to a number of steps."""
        for name, rows in self._rows.items():
            if rows:
                file = f"steps-{self._first:07d}-{step:07d}.{name}.parquet"
                _write(self.folder / file, pa.concat_tables(rows))
                self.pieces.append(file_row(self.folder, file))
                rows.clear()
                fault_point(f"train_log_{name}")
        self._first = step

    def write_whole(self, out: Path) -> dict[str, pa.Table]:
        """Write ``metrics.parquet`` and ``visits.parquet`` of all pieces; return both tables."""
        whole = {name: self._read(name) for name in TABLES}
        for name, table in whole.items():
            _write(out / f"{name}.parquet", table)
        return whole

    def delete(self) -> None:
        """Delete the pieces, once the whole tables are there."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _read(self, name: str) -> pa.Table:
        files = [self.folder / row["name"] for row in self.pieces if row["name"].endswith(f".{name}.parquet")]
        tables = [pq.read_table(file, page_checksum_verification=True) for file in files]
        return pa.concat_tables([TABLES[name].empty_table(), *tables]).combine_chunks()


def _write(path: Path, table: pa.Table) -> None:
    """The same rows give the same bytes, however many pieces they came in."""
    with atomic_file(path) as sink:
        pq.write_table(table.combine_chunks(), sink, compression="zstd", write_page_checksum=True)


def summarise(metrics: pa.Table, visits: pa.Table) -> dict[str, Any]:
    """What is to be known of a run at a glance: what it saw, and whether it learned.

    ``first_loss`` and ``last_loss`` are means over the first and the last tenth of the steps.
    """
    losses = metrics["loss"].to_numpy()
    part = max(1, len(losses) // _TENTH)
    prompts: Sequence[str] = visits["prompt"].to_pylist()
    return {
        "steps": metrics.num_rows,
        "visits": visits.num_rows,
        "masks": len(visits["mask_id"].unique()),
        "prompts": {word: prompts.count(word) for word in sorted(set(prompts))},
        "empty_crops": int(visits["empty"].to_numpy().sum()),
        "dropped_point_prompts": int(visits["dropped"].to_numpy().sum()),
        "median_mask_pixels": float(np.median(visits["pixels"].to_numpy())),
        "first_loss": float(losses[:part].mean()),
        "last_loss": float(losses[-part:].mean()),
    }
