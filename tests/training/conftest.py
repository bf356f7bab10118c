"""Training is an extra: without its packages these tests skip, and say so."""

import importlib.util
from pathlib import Path

import pytest

MISSING = [name for name in ("torch", "safetensors", "segment_anything") if importlib.util.find_spec(name) is None]


class WithoutTraining(pytest.Module):
    """A test file that would fail on its imports."""

    def collect(self) -> list[pytest.Item]:
        pytest.skip(f"{', '.join(MISSING)} not installed: pip install 'hqdata[train]'", allow_module_level=True)


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    return WithoutTraining.from_parent(parent, path=module_path) if MISSING else None


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Small tensors on busy cores: threads would wait for one another."""
    import torch

    torch.set_num_threads(1)
