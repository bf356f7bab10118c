"""The house: imports go down only, ``import hqdata`` is light, and what could run a stranger's code is nowhere."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS: dict[str, int] = {
    "hqdata.errors": 0,
    "hqdata.limits": 0,
    "hqdata.arrays": 0,
    "hqdata.fsio": 1,
    "hqdata.schema": 2,
    "hqdata.strict": 2,
    "hqdata.manifest": 2,
    "hqdata.recipe": 2,
    "hqdata.catalog": 2,
    "hqdata.fetch": 3,
    "hqdata.masks": 3,
    "hqdata.home": 3,
    "hqdata.sources": 4,
    "hqdata.store": 5,
    "hqdata.engine": 5,
    "hqdata.shard": 6,
    "hqdata.plan": 6,
    "hqdata.reuse": 6,
    "hqdata.counts": 6,
    "hqdata.analysis": 6,
    "hqdata.export": 6,
    "hqdata.demo": 6,
    "hqdata.build": 7,
    "hqdata.pipelines": 8,
    "hqdata.training": 8,
    "hqdata.cli": 9,
    "hqdata": 9,
    "hqdata.__main__": 10,
}
SAME_FLOOR = {
    ("hqdata.recipe", "hqdata.manifest"),
    ("hqdata.catalog", "hqdata.manifest"),
    ("hqdata.catalog", "hqdata.recipe"),
    ("hqdata.catalog", "hqdata.strict"),
    ("hqdata.home", "hqdata.fetch"),
    ("hqdata.pipelines", "hqdata.training"),
    ("hqdata.plan", "hqdata.shard"),
    ("hqdata.reuse", "hqdata.shard"),
}
"""The only imports between two units of one floor."""
ONLY: dict[str, set[str]] = {
    "hqdata.counts": {"hqdata.errors", "hqdata.manifest", "hqdata.recipe"},
    "hqdata.engine": {"hqdata.errors"},
}
"""Units that know less than their floor allows."""
HEAVY = ["torch", "duckdb", "datasets", "huggingface_hub", "httpx", "typer", "rich", "skimage", "matplotlib", "jinja2"]


def module_files() -> Iterator[tuple[str, Path]]:
    for folder, package in (("hqdata", "hqdata"), ("pipelines", "hqdata.pipelines"), ("training", "hqdata.training")):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            yield ".".join([package, *(part for part in parts if part != "__init__")]), path


MODULES = dict(module_files())


def unit(module: str) -> str:
    """The floor table's name for a module: a top-level module or package of hqdata."""
    return ".".join(module.split(".")[:2])


def imported(tree: ast.AST) -> Iterator[str]:
    """Every hqdata module that is imported, at the top, in functions and under ``TYPE_CHECKING`` alike."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "hqdata")
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            if node.module.split(".")[0] == "hqdata":
                for alias in node.names:
                    full = f"{node.module}.{alias.name}"
                    yield full if full in MODULES else node.module


def edges() -> set[tuple[str, str]]:
    """Imports between two units."""
    return {
        (unit(module), unit(target))
        for module, path in MODULES.items()
        for target in imported(ast.parse(path.read_text()))
        if unit(module) != unit(target)
    }


def test_every_module_has_a_floor_and_every_floor_a_module() -> None:
    assert {unit(module) for module in MODULES} == set(FLOORS)


def test_imports_go_down() -> None:
    up = {(one, other) for one, other in edges() if FLOORS[one] < FLOORS[other]}
    assert up == set()


def test_units_of_one_floor_know_each_other_only_where_the_table_says() -> None:
    beside = {(one, other) for one, other in edges() if FLOORS[one] == FLOORS[other]}
    assert beside == SAME_FLOOR


@pytest.mark.parametrize("name", ONLY)
def test_some_units_know_less_than_they_might(name: str) -> None:
    assert {other for one, other in edges() if one == name} <= ONLY[name]


def test_the_test_sees_an_import_wherever_it_stands() -> None:
    tree = ast.parse(
        "import hqdata.build\n"
        "from hqdata import plan\n"
        "from hqdata.fetch import http\n"
        "if TYPE_CHECKING:\n    from hqdata.store.reader import Collection\n"
        "def f():\n    from hqdata.cli.main import main\n"
    )
    assert set(imported(tree)) == {
        "hqdata.build",
        "hqdata.plan",
        "hqdata.fetch.http",
        "hqdata.store.reader",
        "hqdata.cli.main",
    }


@pytest.mark.parametrize("statement", ["import hqdata", "import hqdata.store.reader", "import hqdata.catalog"])
def test_an_import_is_light(statement: str) -> None:
    code = f"import sys; {statement}; print(*(name for name in {HEAVY} if name in sys.modules))"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert child.stdout.split() == []


BARE = {"training", "pipelines", "manifests"}
FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "joblib"}
FORBIDDEN_CALLS = {"eval", "exec", "os.system", "os.popen", "extractall", "unpack_archive"}
UNSAFE_LOADS = {"yaml.load", "yaml.unsafe_load", "yaml.full_load"}


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def keyword(call: ast.Call, name: str) -> object:
    """Literal value of a keyword; a value that is not written out counts as given, None as absent."""
    for item in call.keywords:
        if item.arg == name:
            return item.value.value if isinstance(item.value, ast.Constant) else "?"
    return None


def forbidden(tree: ast.AST) -> list[str]:
    """What a module does that nothing here may do."""
    found = []
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
            found += [f"{node.module}.{a.name}" for a in node.names if f"{node.module}.{a.name}" in UNSAFE_LOADS]
        found += [f"import {name}" for name in names if name.split(".")[0] in BARE | FORBIDDEN_MODULES]
        if isinstance(node, ast.Call):
            name = dotted(node.func)
            last = name.rpartition(".")[2]
            if name in FORBIDDEN_CALLS or last in {"extractall", "unpack_archive"}:
                found.append(last)
            if name in UNSAFE_LOADS:
                found.append(name)
            if name == "torch.load" and keyword(node, "weights_only") is not True:
                found.append(name)
            if keyword(node, "shell") not in {None, False}:
                found.append("shell")
            if keyword(node, "allow_pickle") not in {None, False}:
                found.append("allow_pickle")
    return found


@pytest.mark.parametrize("module", MODULES)
def test_nothing_runs_what_a_stranger_wrote(module: str) -> None:
    assert forbidden(ast.parse(MODULES[module].read_text())) == []


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from pickle import loads",
        "def f():\n    import marshal",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "torch.load(path, weights_only=flag)",
        "yaml.load(text)",
        "from yaml import load",
        "eval(text)",
        "exec(text)",
        "os.system(text)",
        "archive.extractall()",
        "shutil.unpack_archive(path)",
        "tarfile.open(path).extractall(path, filter='data')",
        "subprocess.run(text, shell=True)",
        "subprocess.run(text, shell=flag)",
        "numpy.load(path, allow_pickle=True)",
        "import training",
        "from pipelines.recipe import build_recipe",
        "from manifests import x",
    ],
)
def test_the_test_sees_what_is_forbidden(code: str) -> None:
    assert len(forbidden(ast.parse(code))) == 1


@pytest.mark.parametrize(
    "code",
    [
        "torch.load(path, weights_only=True)",
        "subprocess.run(words, shell=False)",
        "model.eval()",
        "yaml.safe_load(text)",
        "import hqdata.training",
        "from hqdata.pipelines.recipe import build_recipe",
    ],
)
def test_the_test_lets_the_rest_pass(code: str) -> None:
    assert forbidden(ast.parse(code)) == []
