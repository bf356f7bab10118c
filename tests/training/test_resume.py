"""A training that was stopped, killed or torn, wherever that may be, leaves the bytes of one that was not."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch

from hqdata.errors import StoreCorrupt
from hqdata.training.checkpoint import CheckpointError
from hqdata.training.loop import train
from hqdata.training.run import LOG, read_result
from hqdata.training.run import STEPS as SNAPSHOTS
from tests.faults.test_disk_full import COMMANDS, allowed
from tests.helpers import snapshot
from tests.training.child import start
from tests.training.runs import FILES, STEPS, Place, StopAfter, finished, make_place


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return make_place(tmp_path_factory.mktemp("place"))


@pytest.fixture(scope="module")
def whole(place: Place) -> dict[str, str]:
    """What a run leaves that was never stopped."""
    place.train("whole", threads=1)
    return finished(place.root / "whole")


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


POINTS = (
    "train_begun",
    "train_log_metrics",
    "train_log_visits",
    "snapshot_files_written",
    "snapshot_whole",
    "snapshot_published",
    "train_snapshot",
    "train_files",
    "train_result",
)


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_every_point(place: Place, whole: dict[str, str], point: str) -> None:
    name = f"killed-{point}"
    process = start(place.asked(name, threads=1), point)
    process.join(60)
    assert process.exitcode == 137
    assert (place.root / name / "result.json").exists() == (point == "train_result")
    place.train(name, threads=1, resume=True)
    assert finished(place.root / name) == whole
    assert {path.name for path in (place.root / name).iterdir()} == {*FILES, SNAPSHOTS}


def kill_at_random(place: Place, whole: dict[str, str], seed: int) -> int:
    """Kill a run again and again, a random time after it got on, until it is finished; return how often."""
    rng, asked, kills = random.Random(seed), place.asked(f"random-{seed}", threads=1, save_every=2, resume=True), 0
    while True:
        known, end = newest(asked.out), time.monotonic() + 60
        process = start(asked)
        while process.is_alive() and newest(asked.out) == known:
            assert time.monotonic() < end
            time.sleep(0.001)
        process.join(rng.uniform(0, 0.08))
        if not process.is_alive():
            break
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
        kills += 1
    assert process.exitcode == 0
    assert finished(asked.out) == whole, f"seed {seed}, {kills} kills"
    return kills


def newest(run: Path) -> str:
    return max((path.name for path in (run / SNAPSHOTS).glob("step-*")), default="")


def test_killed_at_random_moments(place: Place, whole: dict[str, str]) -> None:
    """How many kills a run takes depends on the machine: runs go on until there were three."""
    kills, seeds = 0, iter(range(20))
    while kills < 3:
        kills += kill_at_random(place, whole, next(seeds))


@pytest.mark.slow
def test_killed_at_many_random_moments(place: Place, whole: dict[str, str]) -> None:
    kills, seeds = 0, iter(range(100, 200))
    while kills < 30:
        kills += kill_at_random(place, whole, next(seeds))


@pytest.fixture(scope="module")
def stopped(place: Place) -> Path:
    """A run that was stopped after five steps, with snapshots of three and of five."""
    place.train("stopped", threads=1, stop_after=5)
    return place.root / "stopped"


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


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


def test_a_moved_run_goes_on_with_what_it_names_by_content(place: Place, stopped: Path, tmp_path: Path) -> None:
    shutil.copytree(stopped, tmp_path / "deep" / "moved")
    asked = place.asked("x", resume=True)
    outcome = train(type(asked)(out=tmp_path / "deep" / "moved", data=asked.data, sam=asked.sam, resume=True))
    assert outcome.finished


def test_it_goes_on_with_nothing_but_its_folder(place: Place, whole: dict[str, str], stopped: Path) -> None:
    shutil.copytree(stopped, place.root / "alone")
    asked = place.asked("alone")
    train(type(asked)(out=asked.out, resume=True, save_every=3))
    assert finished(asked.out) == whole


FULL = """
import json, os, subprocess, sys
from pathlib import Path
from hqdata.errors import DiskFull
from hqdata.training.job import Asked
from hqdata.training.loop import train

disk, data, sam, free = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], check=True)
filler, state = disk / "filler", os.statvfs(disk)
filler.write_bytes(bytes(state.f_bavail * state.f_frsize - free))
asked = Asked(
    out=disk / "run", data=data, sam=sam, recipe="mini", changes=("iterations=8", "loss_points=64"),
    save_every=1, threads=1, resume=True,
)
said = {}
try:
    train(asked)
except DiskFull as error:
    said["error"] = str(error)
said["left"] = sorted(path.name for path in (disk / "run" / "steps").iterdir())
filler.unlink()
outcome = train(asked)
said |= {"taken": outcome.taken, "finished": outcome.finished}
sys.path.insert(0, sys.argv[5])
from tests.training.runs import finished
print(json.dumps(said | {"whole": finished(disk / "run")}))
"""


@pytest.mark.parametrize("how", COMMANDS)
def test_a_full_disk_leaves_the_last_snapshot_good(
    place: Place, whole: dict[str, str], tmp_path: Path, how: str
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if not allowed(COMMANDS[how], disk):
        pytest.skip(f"a tmpfs cannot be mounted here by {' '.join(COMMANDS[how])}")
    words = [sys.executable, "-c", FULL, disk, place.data, place.sam, "400000", Path(__file__).parents[2]]
    done = subprocess.run([*COMMANDS[how], *map(str, words)], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert str(disk) in said["error"]
    assert said["left"], "a snapshot was written before the disk was full"
    assert not [name for name in said["left"] if name.startswith(".")]
    assert said["taken"] == STEPS - int(said["left"][-1].removeprefix("step-"))
    assert said["finished"]
    # It says where the data lie, as seen from the run.
    assert said["whole"] | {"run.json": ""} == whole | {"run.json": ""}
