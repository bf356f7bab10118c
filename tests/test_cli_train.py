"""``hqdata train`` as a user types it."""

import importlib.util
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from hqdata.cli.main import app
from hqdata.cli.progress import StepBar
from hqdata.cli.watch import Watch
from hqdata.errors import UsageError
from tests.helpers import hqdata, need_training, snapshot

if TYPE_CHECKING:
    from tests.training.runs import Place


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> "Place":
    need_training()
    from tests.training.runs import make_place

    return make_place(tmp_path_factory.mktemp("place"))


def words(place: "Place", name: str, *more: str | Path) -> list[str]:
    given = ["--data", place.data, "--sam", place.sam, "--out", place.root / name, "--recipe", "mini", "--threads", "1"]
    small = ["--set", "iterations=8", "--set", "loss_points=64", "--save-every", "3", "--device", "cpu"]
    return [str(word) for word in ("train", *given, *small, *more)]


def run(*given: str | Path, code: int = 0) -> str:
    done = CliRunner().invoke(app, [str(word) for word in given])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done.stdout


def flat(text: str) -> str:
    return " ".join(text.split())


def test_the_help_has_an_example() -> None:
    text = flat(run("train", "--help"))
    assert "hqdata train --data clean.split.json --sam sam-mini --recipe mini --out runs/clean" in text
    for option in ("--data", "--variant", "--sam", "--out", "--recipe", "--set", "--resume", "--plan", "--precision"):
        assert option in text


def test_a_run(place: "Place") -> None:
    text = flat(run(*words(place, "run")))
    for part in (
        "steps 8",
        "visits 32",
        "empty crops 0",
        "dropped point prompts 0",
        "median mask pixels",
        "images a second",
        f"{place.root / 'run'}: trained 8 steps; head.safetensors, metrics.parquet, visits.parquet",
    ):
        assert part in text
    before = snapshot(place.root / "run")
    again = flat(run("train", "--out", place.root / "run", "--resume"))
    assert "this run was finished before; nothing was changed" in again
    assert snapshot(place.root / "run") == before


def test_json(place: "Place") -> None:
    made = json.loads(run(*words(place, "json", "--json")))
    assert (made["finished"], made["step"], made["taken"], made["images"]) == (True, 8, 8, 32)
    assert made["summary"]["visits"] == 32
    assert made["seconds"].keys() == {"data", "encoder", "head", "steps"}
    assert made["images_a_second"] == pytest.approx(32 / made["seconds"]["steps"])


def test_a_plan(place: "Place") -> None:
    before = snapshot(place.root)
    text = flat(run(*words(place, "planned", "--plan")))
    for part in ("visits 32 (1.33 epochs)", "encoder passes 32", "trained parameters 8,768", "nothing was written"):
        assert part in text
    plan = json.loads(run(*words(place, "planned", "--plan", "--json")))
    assert (plan["steps"], plan["trained_parameters"], plan["device_bytes"]) == (8, 8768, None)
    assert snapshot(place.root) == before


def start(place: "Place", name: str, *more: str) -> subprocess.Popen[str]:
    """A run that takes long, and has saved something."""
    given = words(place, name, "--set", "iterations=2000", "--save-every", "1", *more)
    process = subprocess.Popen(
        [sys.executable, "-m", "hqdata", *given],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    end = time.monotonic() + 60
    while not list((place.root / name / "steps").glob("step-*")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)
    return process


@pytest.mark.parametrize(("number", "workers"), [(signal.SIGINT, 2), (signal.SIGTERM, 0)])
def test_a_signal_stops_it_after_the_step(place: "Place", number: signal.Signals, workers: int) -> None:
    name = f"signal-{number}"
    process = start(place, name, "--workers", str(workers))
    # As a terminal does: to workers, too.
    os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number, err
    assert "Traceback" not in err
    out = flat(out)
    assert "of 2,000 steps, with a snapshot" in out
    assert f"hqdata train --out {place.root / name} --resume" in out
    newest = max(path.name for path in (place.root / name / "steps").glob("step-*"))
    assert f"stopped after {int(newest.removeprefix('step-')):,} of" in out


class Ended(Exception):
    """Stands for the end of the process by a signal."""


@pytest.fixture
def handler() -> Iterator[Any]:
    """Of both signals, instead of the system's, which would end the tests."""

    def end(number: int, _: object) -> None:
        raise Ended(number)

    before = {one: signal.signal(one, end) for one in (signal.SIGINT, signal.SIGTERM)}
    yield end
    for one, old in before.items():
        signal.signal(one, old)


def test_the_same_signal_twice_ends_and_another_does_not(handler: Any) -> None:
    watch = Watch()
    with watch.signals():
        for number in (signal.SIGINT, signal.SIGTERM):
            assert watch.signal != number
            signal.raise_signal(number)
            assert watch.signal == number
        with pytest.raises(Ended, match=str(int(signal.SIGINT))):
            signal.raise_signal(signal.SIGINT)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == (handler, handler)


WRONG: dict[str, tuple[tuple[str, ...], str]] = {
    "a number": (("--micro", "3"), "--micro 3"),
    "a recipe": (("--recipe", "fixd"), 'did you mean "fixed"?'),
    "a key": (("--set", "bach=3"), 'did you mean "batch"?'),
    "a variant": (("--variant", "hqsam"), 'did you mean "hq-sam"?'),
    "a SAM": (("--sam", "nowhere.pth"), "there is no checkpoint nowhere.pth"),
    "a rate": (("--set", "learning_rate=inf"), "above 0, finite"),
}


@pytest.mark.parametrize(("more", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told(place: "Place", more: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        run(*words(place, "wrong", *more))
    assert not (place.root / "wrong").exists()


def test_there_is_nothing_to_go_on_with(place: "Place") -> None:
    with pytest.raises(UsageError, match="there is no run nowhere to go on with"):
        run("train", "--out", "nowhere", "--resume")


def test_a_world_without_torchrun_is_told(place: "Place") -> None:
    done = hqdata(*words(place, "lonely"), env={"WORLD_SIZE": "2", "RANK": "0"})
    assert done.returncode == 2
    assert "MASTER_ADDR is not set" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("seed", ["-1", "99999999999999999999"])
def test_a_seed_that_torch_does_not_take_is_refused(place: "Place", seed: str) -> None:
    done = hqdata(*words(place, "seeded", "--seed", seed))
    assert done.returncode == 2
    assert "--seed" in done.stderr


def test_where_there_is_no_terminal_a_line_a_minute_is_printed() -> None:
    seconds, said = iter(range(0, 1000, 25)), io.StringIO()
    bar = StepBar(Console(file=said), clock=lambda: next(seconds))
    bar.start(2, 10)
    for _ in range(8):
        bar.step(1.0)
    bar.finish()
    lines = said.getvalue().splitlines()
    assert lines == [f"hqdata: step {step} of 10, loss 1.0000" for step in (5, 8)]


def test_a_run_that_is_there_is_not_overwritten(place: "Place") -> None:
    run(*words(place, "there"))
    before = snapshot(place.root / "there")
    done = hqdata(*words(place, "there", "--json"))
    assert done.returncode == 2
    assert "add --resume to go on with it" in json.loads(done.stderr)["message"]
    with pytest.raises(UsageError, match="seed is 0, asked for is 1"):
        run(*words(place, "there", "--resume", "--seed", "1"))
    assert snapshot(place.root / "there") == before


def test_without_torch_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = importlib.util.find_spec

    def find(name: str, *more: Any) -> Any:
        return None if name == "torch" else plain(name, *more)

    monkeypatch.setattr(importlib.util, "find_spec", find)
    with pytest.raises(UsageError, match=r"(?s)training needs torch.*pip install 'hqdata\[train\]'"):
        run("train", "--out", "nowhere", "--data", "nowhere")


def test_the_command_line_starts_without_torch() -> None:
    code = "import sys, hqdata.cli.main; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_threads_do_not_wait_in_a_loop() -> None:
    code = "import os, sys; sys.argv = ['hqdata', '--help']\nfrom hqdata.cli.main import main\ntry:\n    main()\n"
    code += "finally:\n    print(*(os.environ.get(name) for name in ('OMP_WAIT_POLICY', 'GOMP_SPINCOUNT')))"
    for given, wanted in (({}, "passive 1000"), ({"OMP_WAIT_POLICY": "active"}, "active None")):
        rest = {key: value for key, value in os.environ.items() if key not in {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}}
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=rest | given
        )
        assert done.stdout.splitlines()[-1] == wanted
