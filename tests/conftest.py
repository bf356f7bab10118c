"""What every test shares: a home of its own, the drawn archives (made once), collections built from them."""

import dataclasses
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hqdata.demo.items import Spec, specs
from hqdata.fetch.progress import SILENT
from hqdata.fsio.lock import locked
from hqdata.pipelines.demo import draw_archives
from hqdata.pipelines.recipe import Options, build_recipe
from hqdata.store.reader import Collection

SCALE = 0.15
REAL = Path(__file__).parents[1].parent / "shared" / "data"
"""Real files; absent on most machines."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """The demo's archives in all three forms, with the manifests that describe them. Nobody writes below ``root``."""

    root: Path
    specs: tuple[Spec, ...]

    @property
    def manifests(self) -> Path:
        return self.root / "manifests"

    def archives(self, form: str) -> Path:
        """``official``, ``bundle`` or ``folders``."""
        return self.root / {"official": "archives"}.get(form, form)

    def options(self, form: str = "official", **changes: Any) -> Options:
        plain = Options(archives=self.archives(form), manifests=(self.manifests,), offline=True)
        return dataclasses.replace(plain, **changes)


@pytest.fixture(scope="session", autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home for the session, so that no test reads or writes the user's."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HQDATA_HOME", str(folder))
        patch.setenv("HF_HOME", str(folder / "hf"))
        patch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
        patch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
        yield folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home for one test, where terms and locks matter."""
    folder = tmp_path / "home"
    monkeypatch.setenv("HQDATA_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    root = base / "drawn"
    with locked(base / ".drawn.lock"):
        if not (root / "done").exists():
            draw_archives(root, workers=1, progress=SILENT, scale=SCALE, forms=("official", "bundle", "folders"))
            (root / "done").touch()
    return Drawn(root, tuple(specs(SCALE)))


@pytest.fixture(scope="session")
def hqseg(drawn: Drawn, tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """``hqseg-44k``, drawn, from the official archives; read only."""
    out = tmp_path_factory.mktemp("built") / "hqseg"
    build_recipe("hqseg-44k", out, drawn.options("official"))
    return Collection(out)


@pytest.fixture
def real() -> Path:
    """Folder of the real files."""
    if not REAL.is_dir():
        pytest.skip(f"real images and masks are not here: no folder {REAL}")
    return REAL
