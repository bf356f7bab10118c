"""The log: however it was cut into pieces, the whole is the same bytes."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from hqdata.errors import StoreCorrupt
from hqdata.training.log import METRICS, VISITS, Log

STEPS = 7


def row(step: int) -> dict[str, Any]:
    return {name: step if name in {"step", "epoch"} else step / 7 for name in METRICS.names}


def columns(step: int) -> dict[str, list[Any]]:
    plain: dict[str, Any] = {"step": step, "mask_id": f"a/b/{step}#0", "prompt": "box", "dropped": False, "empty": True}
    return {name: [plain.get(name, step), plain.get(name, step + 1)] for name in VISITS.names}


def written(folder: Path, cuts: list[int]) -> Log:
    log = Log(folder / "log")
    for first, last in pairwise([0, *cuts]):
        for step in range(first, last):
            log.add(row(step), columns(step))
        log.write_piece(last)
    return log


def whole(folder: Path, log: Log) -> list[bytes]:
    log.write_whole(folder)
    return [(folder / f"{name}.parquet").read_bytes() for name in ("metrics", "visits")]


@pytest.mark.parametrize("cuts", [[7], [1, 2, 3, 4, 5, 6, 7], [3, 7], [3, 3, 7]])
def test_pieces_do_not_show(tmp_path: Path, cuts: list[int]) -> None:
    one = whole(tmp_path / "one", written(tmp_path / "one", [STEPS]))
    assert whole(tmp_path / "cut", written(tmp_path / "cut", cuts)) == one
    assert pq.read_table(tmp_path / "cut" / "metrics.parquet").to_pylist() == [row(step) for step in range(STEPS)]
    visits = pq.read_table(tmp_path / "cut" / "visits.parquet")
    assert visits.schema == VISITS
    assert visits["mask_id"].to_pylist() == [f"a/b/{step}#0" for step in range(STEPS) for _ in range(2)]


def test_pieces_are_named_by_their_steps(tmp_path: Path) -> None:
    log = written(tmp_path, [3, 7])
    names = [f"steps-{part}.{table}.parquet" for part in ("0000000-0000003", "0000003-0000007") for table in TABLES]
    assert [piece["name"] for piece in log.pieces] == names
    assert sorted(path.name for path in (tmp_path / "log").iterdir()) == sorted(names)


TABLES = ("metrics", "visits")


def test_going_on_from_a_past_deletes_what_came_after(tmp_path: Path) -> None:
    past = list(written(tmp_path, [3]).pieces)
    written(tmp_path, [3, 5, 6])
    (tmp_path / "log" / ".steps-0000006-0000007.visits.parquet.1.tmp").touch()
    log = Log(tmp_path / "log")
    log.go_on(3, past)
    assert sorted(path.name for path in (tmp_path / "log").iterdir()) == sorted(piece["name"] for piece in past)
    for step in range(3, STEPS):
        log.add(row(step), columns(step))
    log.write_piece(STEPS)
    assert whole(tmp_path, log) == whole(tmp_path / "one", written(tmp_path / "one", [STEPS]))


@pytest.mark.parametrize("gone", [True, False])
def test_a_piece_that_is_not_what_was_written_is_told(tmp_path: Path, gone: bool) -> None:
    pieces = written(tmp_path, [3, 7]).pieces
    path = tmp_path / "log" / pieces[1]["name"]
    if gone:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1])
    before = sorted((tmp_path / "log").iterdir())
    with pytest.raises(StoreCorrupt, match=path.name):
        Log(tmp_path / "log").go_on(7, pieces)
    assert sorted((tmp_path / "log").iterdir()) == before


def test_a_log_of_nothing_is_two_empty_tables(tmp_path: Path) -> None:
    log = Log(tmp_path / "log")
    log.go_on(0, [])
    tables = log.write_whole(tmp_path)
    assert [tables[name].num_rows for name in TABLES] == [0, 0]
