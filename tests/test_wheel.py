"""The wheel holds every file of the package and nothing else, and works where the repository is not."""

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAPPED = {"hqdata": "hqdata"} | {top: f"hqdata/{top}" for top in ("manifests", "pipelines", "training")}
OFFLINE = ("Could not find a version", "No matching distribution", "Temporary failure", "Network is unreachable")


def project_files() -> list[str]:
    """What git tracks, and what it would track."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"this is no git checkout, so nothing tells which files belong to it: {done.stderr.strip()}")
    return [name for name in done.stdout.splitlines() if (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that no stale ``build/`` gets in and none is left behind."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in project_files():
        (folder / "src" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / "src" / name)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", str(folder), str(folder / "src")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    if done.returncode and any(word in done.stderr for word in OFFLINE):
        pytest.skip("no package index can be reached, so setuptools cannot be got to build a wheel")
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_holds_the_package(wheel):
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    wanted = set()
    for name in project_files():
        top, _, rest = name.partition("/")
        if top in MAPPED and rest:
            wanted.add(f"{MAPPED[top]}/{rest}")
    assert held == wanted
    assert "hqdata/py.typed" in held


def test_every_folder_of_the_package_is_listed():
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    inits = [Path(name).parent.parts for name in project_files() if name.endswith("/__init__.py")]
    packages = {"/".join([MAPPED[top], *below]).replace("/", ".") for top, *below in inits if top in MAPPED}
    assert packages == set(table["packages"])


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--target", str(target), str(wheel)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return target


def test_an_install_brings_one_name(installed):
    names = {path.name for path in installed.iterdir()}
    assert {name for name in names if not name.endswith(".dist-info")} == {"hqdata", "bin"}
    assert {path.name for path in (installed / "bin").iterdir()} == {"hqdata"}


def run(installed: Path, cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run on the installed files: ``-P`` and the target in front keep the repository and its editable install out."""
    env = {**os.environ, "PYTHONPATH": str(installed)}
    command = [sys.executable, "-P", *words]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=120)


def test_the_installed_command_finds_its_manifests(installed, tmp_path):
    code = "import hqdata, hqdata.pipelines.recipe, hqdata.training as t; print(hqdata.__file__, t.__file__)"
    done = run(installed, tmp_path, "-c", code)
    assert done.returncode == 0, done.stderr
    assert all(Path(path).is_relative_to(installed) for path in done.stdout.split())
    done = run(installed, tmp_path, "-m", "hqdata", "recipes", "hqseg-44k")
    assert done.returncode == 0, done.stderr
    assert "= 44,320" in done.stdout
    assert "33,916" in done.stdout


def test_the_console_script_runs(installed, tmp_path):
    done = run(installed, tmp_path, str(installed / "bin" / "hqdata"), "recipes")
    assert done.returncode == 0, done.stderr
    assert "hqseg-44k" in done.stdout


def test_the_installed_package_builds(installed, tmp_path):
    from tests.helpers import tiny_source

    tiny = tiny_source(tmp_path, 3)
    words = ["build", "tiny", "--archives", str(tiny.archives), "--manifests", str(tiny.manifests), "--out", "out"]
    done = run(installed, tmp_path, "-m", "hqdata", *words)
    assert done.returncode == 0, done.stderr
    assert "3 samples" in done.stdout


def test_importing_is_light(installed, tmp_path):
    code = "import sys, hqdata; print(sorted({'torch', 'duckdb', 'datasets', 'numpy', 'pyarrow'} & set(sys.modules)))"
    assert run(installed, tmp_path, "-c", code).stdout.strip() == "[]"
