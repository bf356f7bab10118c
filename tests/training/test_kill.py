"""A training that is killed, wherever that may be, or runs out of disk, goes on to the bytes of one that never was."""

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from hqdata.training.run import STEPS as SNAPSHOTS
from tests.faults.test_disk_full import COMMANDS, allowed
from tests.training.child import start
from tests.training.runs import FILES, STEPS, Place, finished

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


def newest(run: Path) -> str:
    return max((path.name for path in (run / SNAPSHOTS).glob("step-*")), default="")


def begin(place: Place, name: str) -> BaseProcess:
    """Begin a run or go on with it; return once it has saved something."""
    asked = place.asked(name, threads=1, save_every=2, resume=True)
    known, end = newest(asked.out), time.monotonic() + 60
    process = start(asked)
    while process.is_alive() and newest(asked.out) == known:
        assert time.monotonic() < end
        time.sleep(0.001)
    return process


@pytest.fixture(scope="module")
def seconds(place: Place, whole: dict[str, str]) -> float:
    """How long a run takes from its first snapshot to its end."""
    process, begun = begin(place, "timed"), time.monotonic()
    process.join(60)
    assert finished(place.root / "timed") == whole
    return time.monotonic() - begun


def kill_at_random(place: Place, whole: dict[str, str], seed: int, longest: float) -> int:
    """Kill a run again and again, a random time after it got on, until it is finished; return how often."""
    rng, name, kills = random.Random(seed), f"random-{seed}", 0
    while True:
        process = begin(place, name)
        process.join(rng.uniform(0, longest))
        if not process.is_alive():
            break
        process.kill()
        process.join()
        kills += 1
    assert process.exitcode == 0
    assert finished(place.root / name) == whole, f"seed {seed}, {kills} kills"
    return kills


def test_killed_at_random_moments(place: Place, whole: dict[str, str], seconds: float) -> None:
    """Runs go on until there were three kills, or the test's time is over."""
    kills, seeds = 0, itertools.count()
    while kills < 3:
        kills += kill_at_random(place, whole, next(seeds), seconds)


@pytest.mark.slow
def test_killed_at_many_random_moments(place: Place, whole: dict[str, str], seconds: float) -> None:
    kills, seeds = 0, itertools.count(100)
    while kills < 30:
        kills += kill_at_random(place, whole, next(seeds), seconds)


def processes(session: int) -> list[tuple[int, str]]:
    """Id and command of every process of a session that has not ended."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, of = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            command = (folder / "cmdline").read_text().replace("\0", " ")
        except OSError:  # ended meanwhile
            continue
        if int(of) == session and state not in "ZX":
            found.append((int(folder.name), command))
    return found


def wait_for(what: Callable[[], object], seconds: float, said: Callable[[], object]) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, said()
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.skipif(
    not Path("/proc/self/stat").is_file(), reason="processes are looked for in /proc, which is not here"
)
@pytest.mark.parametrize("moment", ["its loader begins", "it has a snapshot"])
def test_a_killed_training_leaves_no_process_behind(place: Place, moment: str, tmp_path: Path) -> None:
    words = [
        "--data",
        place.data,
        "--sam",
        place.sam,
        "--out",
        tmp_path / "run",
        "--recipe",
        "mini",
        "--save-every",
        "1",
    ]
    more = ["--set", "iterations=100000", "--threads", "1", "--device", "cpu", "--workers", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "hqdata", "train", *map(str, words), *more],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )

    def loaders() -> int:
        return sum("multiprocessing.spawn" in command for _, command in processes(process.pid))

    try:
        wait_for(loaders if moment == "its loader begins" else lambda: newest(tmp_path / "run"), 60, process.poll)
        assert process.poll() is None
        assert loaders()
        process.kill()
        process.wait()
        wait_for(lambda: not processes(process.pid), 20, lambda: processes(process.pid))
    finally:
        for number, _ in processes(process.pid):
            os.kill(number, signal.SIGKILL)


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
    save_every=1, device="cpu", threads=1, resume=True,
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
