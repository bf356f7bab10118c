"""A few drawn pictures, drawn once."""

from pathlib import Path

import pytest

from hqdata.fetch.progress import SILENT
from hqdata.training.mini.drawn import Picture, draw_pictures, read_pictures

SCENES, OBJECTS = range(6), range(8)


@pytest.fixture(scope="session")
def tar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mini") / "held.tar"
    draw_pictures(path, SCENES, OBJECTS, 1, SILENT)
    return path


@pytest.fixture(scope="session")
def pictures(tar: Path) -> list[Picture]:
    return read_pictures(tar)
