"""Training is an extra: without its packages these tests skip, and say so."""

from pathlib import Path

import pytest

from tests.helpers import NOT_INSTALLED, need_training


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
