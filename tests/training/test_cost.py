"""``--plan``: what is counted must be what a training then does, and nothing is written."""

from pathlib import Path

import pytest
from safetensors.torch import load_file

from hqdata.training.cost import plan
from tests.helpers import snapshot
from tests.training.runs import STEPS, Place, make_place


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return make_place(tmp_path_factory.mktemp("place"))


def test_a_plan_is_what_the_training_does(place: Place) -> None:
    before = snapshot(place.root)
    cost = plan(place.asked("run"))
    assert snapshot(place.root) == before
    assert not [path for path in place.root.iterdir() if path.name.startswith(".") or path.name == "run"]
    outcome = place.train("run")
    run = place.root / "run"
    assert outcome.summary is not None
    assert (cost.steps, cost.visits, cost.masks) == (STEPS, outcome.summary["visits"], 24)
    assert cost.encoder_passes == outcome.images
    assert cost.epochs == pytest.approx(STEPS * 4 / 24)
    assert cost.trained_parameters == sum(one.numel() for one in load_file(run / "head.safetensors").values())
    assert cost.facts["run_id"] == outcome.run_id
    saved = sum(path.stat().st_size for path in (run / "steps" / "step-0000008").glob("*.safetensors"))
    assert cost.snapshot_bytes == pytest.approx(saved, rel=0.2)
    assert cost.kept_bytes == 3 * cost.snapshot_bytes


def test_what_is_measured(place: Place) -> None:
    cost = plan(place.asked("never", changes=("iterations=3600000",)))
    assert cost.measured_steps >= 2
    assert 0 < cost.seconds_a_step < 10
    assert cost.hours == pytest.approx(1000 * cost.seconds_a_step)
    assert cost.images_a_second == pytest.approx(4 / cost.seconds_a_step)
    assert 1e8 < cost.memory_bytes < 1e11
    assert cost.device_bytes is None


def test_a_plan_of_a_run_that_goes_on(place: Place) -> None:
    place.train("begun", stop_after=2)
    before = snapshot(place.root / "begun")
    assert plan(place.asked("begun", resume=True)).steps == STEPS
    assert snapshot(place.root / "begun") == before


def test_memory_is_counted_in_bytes() -> None:
    from hqdata.training.cost import _resident

    status = Path("/proc/self/status")
    if not status.exists():
        pytest.skip("resident memory is in /proc, which is not here")
    peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    assert _resident() == pytest.approx(int(peak.split()[1]) * 1024, rel=0.05)
