"""A training that was stopped or torn, wherever that may be, leaves the bytes of one that was not."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch

from hqdata.errors import HQDataError, StoreCorrupt
from hqdata.store.reader import Collection
from hqdata.training.checkpoint import CheckpointError
from hqdata.training.job import Asked
from hqdata.training.loop import train
from hqdata.training.run import LOG, read_result
from hqdata.training.run import STEPS as SNAPSHOTS
from tests.helpers import cut, flip, snapshot
from tests.splits import make
from tests.training.child import start
from tests.training.runs import FILES, STEPS, Place, StopAfter, finished, make_place


def test_a_run_leaves_nothing_else(place: Place, whole: dict[str, str]) -> None:
    run = place.root / "whole"
    assert {path.name for path in run.iterdir()} == {*FILES, SNAPSHOTS}
    assert sorted(path.name for path in (run / SNAPSHOTS).iterdir()) == [f"step-{n:07d}" for n in (3, 6, STEPS)]
    assert not list(place.root.glob(".*"))


@pytest.mark.parametrize("step", range(1, STEPS))
def test_stopped_after_any_step(place: Place, whole: dict[str, str], step: int) -> None:
    name = f"stopped-{step}"
    stopped = place.train(name, threads=1, stop_after=step)
    assert (stopped.finished, stopped.step, stopped.taken) == (False, step, step)
    resumed = place.train(name, resume=True)
    assert (resumed.finished, resumed.step, resumed.taken) == (True, STEPS, STEPS - step)
    assert finished(place.root / name) == whole


def test_stopped_after_each_step(place: Place, whole: dict[str, str]) -> None:
    losses = []
    for step in range(1, STEPS + 1):
        observer = StopAfter(1)
        outcome = train(place.asked("each", threads=1, resume=True), observer)
        losses += observer.losses
        assert (outcome.step, outcome.taken, outcome.finished) == (step, 1, step == STEPS)
    assert finished(place.root / "each") == whole
    assert pq.read_table(place.root / "each" / "metrics.parquet")["loss"].to_pylist() == losses


@pytest.fixture(scope="module")
def stopped(place: Place) -> Path:
    """A run that was stopped after five steps, with snapshots of three and of five."""
    place.train("stopped", threads=1, stop_after=5)
    return place.root / "stopped"


DAMAGES: tuple[Callable[[Path], None], ...] = (cut, flip, Path.unlink)


@pytest.mark.parametrize("damage", DAMAGES, ids=("cut", "flipped", "gone"))
@pytest.mark.parametrize("file", ["head.safetensors", "adam.safetensors", "state.json", "MANIFEST.json"])
def test_a_torn_snapshot_is_passed_over(
    place: Place, whole: dict[str, str], stopped: Path, file: str, damage: Callable[[Path], None]
) -> None:
    run = place.root / "torn"
    shutil.rmtree(run, ignore_errors=True)
    shutil.copytree(stopped, run)
    damage(run / SNAPSHOTS / "step-0000005" / file)
    observer = StopAfter()
    outcome = train(place.asked("torn", resume=True), observer)
    assert outcome.taken == STEPS - 3
    assert "step-0000005 is torn" in observer.notes[0]
    assert finished(run) == whole


def test_where_all_snapshots_are_torn_nothing_is_touched(place: Place, stopped: Path) -> None:
    run = place.root / "all-torn"
    shutil.copytree(stopped, run)
    for path in (run / SNAPSHOTS).glob("*/adam.safetensors"):
        cut(path)
    before = snapshot(run)
    with pytest.raises(CheckpointError, match="2 torn"):
        train(place.asked("all-torn", resume=True))
    assert snapshot(run) == before


def test_a_damaged_piece_of_the_log_is_told(place: Place, stopped: Path) -> None:
    run = place.root / "log-torn"
    shutil.copytree(stopped, run)
    flip(run / LOG / "steps-0000000-0000003.visits.parquet")
    before = snapshot(run)
    with pytest.raises(StoreCorrupt, match=r"0000003\.visits\.parquet is damaged"):
        train(place.asked("log-torn", resume=True))
    assert snapshot(run) == before


def test_it_goes_on_with_the_threads_that_it_was_begun_with(place: Place, whole: dict[str, str], stopped: Path) -> None:
    shutil.copytree(stopped, place.root / "threads")
    torch.set_num_threads(2)
    try:
        train(place.asked("threads", resume=True))
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(1)
    assert finished(place.root / "threads") == whole


def test_other_threads_and_images_in_flight_are_told_and_recorded(place: Place) -> None:
    # One step is left: two threads on busy cores wait for each other.
    place.train("told", threads=1, stop_after=STEPS - 1)
    observer = StopAfter()
    try:
        train(place.asked("told", resume=True, threads=2, micro=2), observer)
    finally:
        torch.set_num_threads(1)
    assert "micro is 4, asked for is 2; threads is 1, asked for is 2" in observer.notes[0]
    how = read_result(place.root / "told")["how"]
    assert [(row["from_step"], row["threads"], row["micro"]) for row in how] == [(0, 1, 4), (STEPS - 1, 2, 2)]


def test_a_finished_run_stays_as_it_is(place: Place, whole: dict[str, str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in (place.root / "whole").rglob("*")}
    outcome = train(place.asked("whole", resume=True))
    assert (outcome.finished, outcome.taken, outcome.step) == (True, 0, STEPS)
    assert {path: path.stat().st_mtime_ns for path in (place.root / "whole").rglob("*")} == before


def test_a_repeated_change_agrees_with_the_run_that_goes_on(place: Place, whole: dict[str, str]) -> None:
    """The recipe that is not asked for is the run's own."""
    changes = ("batch=4",)  # as `mini` has it
    place.train("repeated", threads=1, stop_after=2, changes=changes)
    assert place.train("repeated", resume=True, recipe=None, changes=changes).finished
    assert finished(place.root / "repeated") == whole


def test_a_run_in_training_is_left_to_it(place: Place) -> None:
    out, end = place.root / "both", time.monotonic() + 60
    options: dict[str, Any] = {"threads": 1, "changes": ("iterations=100000",)}
    first = start(place.asked("both", **options))
    while not (out / "run.json").exists():
        assert time.monotonic() < end
        time.sleep(0.001)
    with pytest.raises(HQDataError, match="another process works there"):
        place.train("both", resume=True, **options)
    assert first.is_alive()
    first.kill()
    first.join()


def test_weighted_visits_go_on_with_workers(place: Place) -> None:
    """Of the released recipe, in the middle of an epoch and where one ends."""
    weights = {"apple": 0.6, "banana": 0.2, "cherry": 0.2}
    split = make(Collection(place.data), place.root, name="weighed", weights=weights)
    changes = ("batch=8", "smallest_scale=0.5")
    options: dict[str, Any] = {"data": split.path, "recipe": "released", "threads": 1, "changes": changes}
    place.train("weighed", **options)
    for step in (2, 3):
        place.train(f"weighed-{step}", stop_after=step, **options)
        assert train(Asked(out=place.root / f"weighed-{step}", resume=True, workers=1)).finished
        assert finished(place.root / f"weighed-{step}") == finished(place.root / "weighed")


def test_everything_moved_together_goes_on(whole: dict[str, str], tmp_path: Path) -> None:
    make_place(tmp_path / "here").train("run", threads=1, stop_after=3)
    (tmp_path / "here").rename(tmp_path / "there")
    assert train(Asked(out=tmp_path / "there" / "run", resume=True)).finished
    assert finished(tmp_path / "there" / "run") == whole


def test_a_moved_run_goes_on_with_what_it_names_by_content(place: Place, stopped: Path, tmp_path: Path) -> None:
    shutil.copytree(stopped, tmp_path / "deep" / "moved")
    moved = Asked(out=tmp_path / "deep" / "moved", data=place.data, sam=str(place.sam), resume=True)
    assert train(moved).finished


def test_it_goes_on_with_nothing_but_its_folder(place: Place, whole: dict[str, str], stopped: Path) -> None:
    shutil.copytree(stopped, place.root / "alone")
    train(Asked(out=place.root / "alone", resume=True))
    assert finished(place.root / "alone") == whole
