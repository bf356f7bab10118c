"""Two processes see what one sees, and learn the same."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from hqdata.errors import HQDataError, UsageError
from hqdata.training.parallel import Team, device_of, joined
from tests.helpers import snapshot
from tests.training.runs import STEPS, Place, finished, make_place

RECIPE = ("--recipe", "released", "--set", f"iterations={STEPS}", "--set", "batch=8", "--set", "loss_points=64")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    made = make_place(tmp_path_factory.mktemp("place"))
    made.train("one", recipe="released", changes=("batch=8",), micro=4)
    return made


def torchrun(place: Place, name: str, *more: str, fault: str = "") -> subprocess.Popen[str]:
    """Two processes, as the documentation starts them; the first ends at a fault point if one is named."""
    words = ["--data", place.data, "--sam", place.sam, "--out", place.root / name, "--threads", "1", "--device", "cpu"]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "hqdata"]
    return subprocess.Popen(
        [*launch, "train", *map(str, words), *RECIPE, *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "HQDATA_FAULT": fault},
    )


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    try:
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
    return process.returncode, out + err


@pytest.fixture(scope="module")
def two(place: Place) -> str:
    """What two processes said that trained from beginning to end."""
    code, said = end(torchrun(place, "two"))
    assert code == 0, said
    return said


def compare(place: Place, name: str) -> None:
    ours, theirs = (pd.read_parquet(place.root / run / "visits.parquet") for run in (name, "one"))
    pd.testing.assert_frame_equal(ours.drop(columns="loss"), theirs.drop(columns="loss"))
    assert (ours["loss"] - theirs["loss"]).abs().max() < 1e-5
    ours, theirs = (pd.read_parquet(place.root / run / "metrics.parquet") for run in (name, "one"))
    pd.testing.assert_frame_equal(ours, theirs, rtol=0, atol=1e-5)
    held, wanted = (load_file(place.root / run / "head.safetensors") for run in (name, "one"))
    for key, value in wanted.items():
        torch.testing.assert_close(held[key], value, rtol=0, atol=1e-4, msg=key)


def test_two_processes_are_one(place: Place, two: str) -> None:
    assert two.count("trained 8 steps") == 1
    compare(place, "two")
    before = snapshot(place.root / "two")
    code, said = end(torchrun(place, "two"))
    assert code != 0
    assert "is there already" in said
    assert snapshot(place.root / "two") == before


def test_what_one_began_two_go_on_with(place: Place) -> None:
    place.train("handed", recipe="released", changes=("batch=8",), micro=4, stop_after=3, threads=1)
    code, said = end(torchrun(place, "handed", "--resume"))
    assert code == 0, said
    assert "world is 1, asked for is 2" in said
    compare(place, "handed")


@pytest.mark.slow
def test_two_processes_that_were_killed_go_on_to_the_bit(place: Place, two: str) -> None:
    save, first = ("--save-every", "3"), place.root / "killed" / "steps" / "step-0000003"
    code, said = end(torchrun(place, "killed", *save, fault="after:train_snapshot"))
    assert code != 0, said
    assert [*first.parent.glob("step-*")] == [first], said
    saved = first.stat().st_mtime_ns
    code, said = end(torchrun(place, "killed", *save, "--resume"))
    assert code == 0, said
    assert first.stat().st_mtime_ns == saved, "begun anew"
    assert finished(place.root / "killed") == finished(place.root / "two")


@pytest.mark.parametrize("workers", [0, 1])
def test_two_processes_stop_after_the_same_step(place: Place, workers: int) -> None:
    """``torchrun`` tells the processes that load data as well: they go on until the last step has its batch."""
    name = f"stopped-{workers}"
    process = torchrun(place, name, "--save-every", "50", "--set", "iterations=100000", "--workers", str(workers))
    deadline = time.monotonic() + 60
    while not list((place.root / name / "steps").glob("step-*")):
        assert time.monotonic() < deadline, end(process)
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    code, said = end(process)
    assert code != 0
    assert "with a snapshot" in said
    last = max(path.name for path in (place.root / name / "steps").glob("step-*"))
    assert f"stopped after {int(last.removeprefix('step-'))} of" in said
    assert not (place.root / name / "result.json").exists()


@pytest.mark.parametrize("world", [3, 4])
def test_a_batch_that_cannot_be_shared_is_told(place: Place, monkeypatch: pytest.MonkeyPatch, world: int) -> None:
    from hqdata.training.job import prepare

    team = Team(device=torch.device("cpu"), world=world)
    with pytest.raises(UsageError, match="a multiple of"):
        prepare(place.asked("never", recipe="released", changes=("batch=8",)), team)


def test_alone_there_is_nobody_to_ask() -> None:
    with joined("cpu") as team:
        assert (team.rank, team.world, team.leads) == (0, 1, True)
        rows = torch.arange(6.0).view(3, 2)
        assert torch.equal(team.gather(rows), rows)
        assert torch.equal(team.add(rows.clone()), rows)
        done: list[int] = []
        team.lead(lambda: done.append(1))
        assert done == [1]
        with pytest.raises(HQDataError, match="no room"):
            team.lead(_fail)


def test_processes_that_see_different_folders_are_refused(place: Place, tmp_path: Path) -> None:
    """As on two machines without a common disk: one would go on from a snapshot, the other start anew."""
    place.train("apart", stop_after=3)
    shutil.copytree(place.root / "apart", tmp_path / "0" / "apart")
    script = tmp_path / "script.py"
    script.write_text(
        "import os\n"
        "from pathlib import Path\n"
        "from hqdata.training.job import Asked\n"
        "from hqdata.training.loop import train\n"
        f"out = Path({str(tmp_path)!r}) / os.environ['RANK'] / 'apart'\n"
        f"changes = ('iterations={STEPS}', 'loss_points=64')\n"
        f"asked = Asked(out=out, data=Path({str(place.data)!r}), sam={str(place.sam)!r}, recipe='mini',\n"
        "              changes=changes, resume=True, device='cpu', threads=1)\n"
        "train(asked)\n"
    )
    before = snapshot(tmp_path / "0" / "apart")
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    done = subprocess.run(launch, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode != 0
    assert "the processes do not see the same run" in done.stderr
    assert "steps 3, 0" in done.stderr
    assert snapshot(tmp_path / "0" / "apart") == before


def _fail() -> Any:
    raise HQDataError("no room")


def test_a_broken_environment_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "two")
    with pytest.raises(UsageError, match="WORLD_SIZE=two"), joined("cpu"):
        pass


@pytest.mark.skipif(torch.cuda.is_available(), reason="torch sees a GPU here")
def test_devices() -> None:
    assert device_of("auto") == device_of("cpu") == "cpu"
    with pytest.raises(UsageError, match="no GPU"):
        device_of("cuda")


def test_where_the_first_process_fails_all_do(tmp_path: Path) -> None:
    code = (
        "from hqdata.errors import HQDataError\n"
        "from hqdata.training.parallel import joined\n"
        "def fail(): raise HQDataError('no room')\n"
        "with joined('cpu') as team:\n"
        "    try:\n        team.lead(fail)\n"
        "    except HQDataError as error:\n        print(f'{team.rank} {error}\\n', end='', flush=True)\n"
    )
    script = tmp_path / "script.py"
    script.write_text(code)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    done = subprocess.run(launch, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == ["0 no room", "1 the first process failed; its message says why"]


ALONE_FAILS = """
import os, sys
from pathlib import Path
from hqdata.errors import HQDataError
from hqdata.training.job import Asked
from hqdata.training.loop import train
from hqdata.training.variants.hq_sam import HQHead

plain = HQHead.forward
def forward(self, *given):
    if os.environ["RANK"] == "1":
        raise HQDataError("this one cannot go on")
    return plain(self, *given)
HQHead.forward = forward
root = Path(sys.argv[1])
changes = ("iterations=8", "loss_points=64")
train(Asked(out=root / "alone", data=root / "fruit", sam=str(root / "sam.safetensors"), recipe="mini", changes=changes,
            device="cpu", threads=1))
"""


def test_where_another_process_fails_nobody_waits_for_it(place: Place, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(ALONE_FAILS)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    done = subprocess.run([*launch, place.root], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode != 0
    assert "this one cannot go on" in done.stderr
    assert not (place.root / "alone" / "result.json").exists()
