"""Training is an extra: without its packages these tests skip, and say so."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.helpers import NOT_INSTALLED, need_training

if TYPE_CHECKING:
    from tests.training.runs import Place


class WithoutTraining(pytest.Module):
    """A test file that would fail on its imports."""

    def collect(self) -> list[pytest.Item]:
        need_training(module=True)


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    return WithoutTraining.from_parent(parent, path=module_path) if NOT_INSTALLED else None


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Small tensors on busy cores: threads would wait for one another."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> "Place":
    from tests.training.runs import make_place

    return make_place(tmp_path_factory.mktemp("place"))


@pytest.fixture(scope="module")
def whole(place: "Place") -> dict[str, str]:
    """What a run leaves that was never stopped."""
    from tests.training.runs import finished

    place.train("whole", threads=1)
    return finished(place.root / "whole")
