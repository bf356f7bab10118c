"""Snapshots: whole or not there, torn ones passed over, Adam's state back to the bit."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from hqdata.training.checkpoint import CheckpointError
from hqdata.training.snapshot import (
    MANIFEST,
    clear_partial,
    load_optimizer,
    newest_snapshot,
    optimizer_tensors,
    save_snapshot,
)
from tests.helpers import cut, flip


def save(folder: Path, step: int, keep: int = 3) -> Path:
    return save_snapshot(folder, step, {"model": {"w": torch.full((2, 3), float(step))}}, {"step": step}, keep=keep)


def refuse(text: str) -> None:
    raise AssertionError(text)


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    tensors = {"model": {"w": torch.arange(6.0).view(2, 3)}, "optimizer": {"w.step": torch.tensor(3.0)}}
    path = save_snapshot(tmp_path, 7, tensors, {"a": [1, "x", 0.1]})
    found = newest_snapshot(tmp_path, refuse)
    assert found is not None
    assert (found.step, found.path, found.state) == (7, path, {"a": [1, "x", 0.1]})
    assert found.tensors.keys() == tensors.keys()
    assert torch.equal(found.tensors["model"]["w"], tensors["model"]["w"])
    assert found.tensors["optimizer"]["w.step"].shape == ()


def test_there_may_be_none(tmp_path: Path) -> None:
    assert newest_snapshot(tmp_path / "steps", refuse) is None


def test_the_newest_is_read_and_the_oldest_deleted(tmp_path: Path) -> None:
    for step in (1, 9, 10, 100, 20_000_000):
        save(tmp_path, step)
    found = newest_snapshot(tmp_path, refuse)
    assert found is not None
    assert found.step == 20_000_000
    names = ["step-0000010", "step-0000100", "step-20000000"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names


def test_the_same_gives_the_same_bytes(tmp_path: Path) -> None:
    one, two = save(tmp_path / "a", 4), save(tmp_path / "b", 4)
    assert {p.name: p.read_bytes() for p in one.iterdir()} == {p.name: p.read_bytes() for p in two.iterdir()}


@pytest.mark.parametrize("harm", [cut, flip, Path.unlink])
@pytest.mark.parametrize("name", ["model.safetensors", "state.json", MANIFEST])
def test_a_torn_one_is_passed_over(tmp_path: Path, name: str, harm: Callable[[Path], None]) -> None:
    save(tmp_path, 1)
    harm(save(tmp_path, 2) / name)
    told: list[str] = []
    found = newest_snapshot(tmp_path, told.append)
    assert found is not None
    assert found.step == 1
    assert len(told) == 1
    assert "step-0000002 is torn" in told[0]


def test_all_torn_is_an_error(tmp_path: Path) -> None:
    for step in (1, 2):
        cut(save(tmp_path, step) / "state.json")
    with pytest.raises(CheckpointError, match=r"no snapshot in .* is whole\n.* 2 torn"):
        newest_snapshot(tmp_path, lambda _: None)


def test_the_last_whole_one_is_never_deleted(tmp_path: Path) -> None:
    save(tmp_path, 1)
    for step in (2, 3, 4):
        cut(save(tmp_path, step) / "state.json")
    save(tmp_path, 5, keep=2)
    found = newest_snapshot(tmp_path, refuse)
    assert found is not None
    assert found.step == 5
    cut(tmp_path / "step-0000005" / "state.json")
    found = newest_snapshot(tmp_path, lambda _: None)
    assert found is not None
    assert found.step == 1


def test_a_torn_one_is_written_again(tmp_path: Path) -> None:
    cut(save(tmp_path, 2) / "state.json")
    save(tmp_path, 2)
    assert newest_snapshot(tmp_path, refuse) is not None


@pytest.mark.parametrize("point", ["snapshot_files_written", "snapshot_whole", "snapshot_published"])
def test_a_kill_leaves_the_old_or_the_new_one(tmp_path: Path, point: str) -> None:
    save(tmp_path, 1)
    code = (
        "import torch; from pathlib import Path; from hqdata.training.snapshot import save_snapshot; import sys;"
        "save_snapshot(Path(sys.argv[1]), 2, {'model': {'w': torch.full((2, 3), 2.0)}}, {'step': 2})"
    )
    child = subprocess.run([sys.executable, "-c", code, tmp_path], env={"HQDATA_FAULT": f"after:{point}"}, check=False)
    assert child.returncode == 137
    found = newest_snapshot(tmp_path, refuse)
    assert found is not None
    assert found.step == (2 if point == "snapshot_published" else 1)
    clear_partial(tmp_path)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_adam_goes_on_to_the_bit(tmp_path: Path) -> None:
    def made() -> tuple[torch.nn.Module, torch.optim.Optimizer]:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = torch.nn.Linear(3, 2)
        return model, torch.optim.Adam(model.parameters(), lr=0.1)

    def step(model: torch.nn.Module, optimizer: torch.optim.Optimizer, number: int) -> None:
        optimizer.zero_grad()
        model(torch.full((1, 3), 1.0 + number)).square().sum().backward()
        optimizer.step()

    model, optimizer = made()
    for number in range(4):
        step(model, optimizer, number)
        if number == 1:
            names = dict(model.named_parameters())
            save_snapshot(tmp_path, 2, {"model": model.state_dict(), "adam": optimizer_tensors(optimizer, names)}, {})
    other, another = made()
    found = newest_snapshot(tmp_path, refuse)
    assert found is not None
    other.load_state_dict(found.tensors["model"])
    load_optimizer(another, dict(other.named_parameters()), found.tensors["adam"])
    for number in (2, 3):
        step(other, another, number)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))
