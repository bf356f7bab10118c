"""``hqdata pictures`` as a user types it."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from hqdata.cli.main import app
from hqdata.errors import UsageError
from tests.helpers import hqdata, need_training, snapshot
from tests.splits import make

if TYPE_CHECKING:
    from tests.training.runs import Place


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> "Place":
    """Runs one and two of a SAM, a run of another SAM, one that was stopped, and a split of ten masks."""
    need_training()
    import torch

    from hqdata.store.reader import Collection
    from hqdata.training.sam import save_sam
    from tests.training.oracles import random_sam
    from tests.training.runs import make_place

    torch.set_num_threads(1)  # small tensors on busy cores: threads would wait for one another
    made = make_place(tmp_path_factory.mktemp("place"))
    save_sam(random_sam(seed=1), made.root / "other.safetensors")
    few = ("iterations=2",)
    for name in ("one", "two", "elsewhere/one"):
        made.train(name, seed=len(name), changes=few)
    made.train("of-another", sam=str(made.root / "other.safetensors"), changes=few)
    made.train("stopped", stop_after=1, changes=few)
    make(Collection(made.data), made.root, "ten", size=10)
    return made


def run(*words: object, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["pictures", *map(str, words)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done.stdout


def test_two_runs(place: "Place", tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = (place.root / "one", place.root / "two", "--on", place.data, "--out", out, "--count", 3)
    text = run(*words)
    done = json.loads(run(*words, "--replace", "--json"))
    assert done["folder"] == str(out)
    assert [one["run"] for one in done["summaries"]] == ["base", "one", "two"]
    assert [one["output"] for one in done["summaries"]] == ["sam_plain", "head", "head"]
    assert [one["overall"]["masks"] for one in done["summaries"]] == [24] * 3
    assert len(done["pictures"]) == 3
    plain = " ".join(text.split())
    for one in done["summaries"]:
        shown = [f"{100 * one['overall'][name]:.1f}" for name in ("iou", "boundary_iou")]
        assert f"{one['run']} {one['output']} 24 {' '.join(shown)}" in plain
        cherry = one["sources"]["cherry"]
        assert f"cherry {one['run']} 10 {100 * cherry['iou']:.1f} {100 * cherry['boundary_iou']:.1f}" in plain
    base, first, second = (f"{100 * one['overall']['boundary_iou']:.1f}" for one in done["summaries"])
    last = f"{out / 'index.html'}: 3 pictures; mBIoU of SAM alone {base}, one {first}, two {second}"
    assert text.splitlines()[-1] == last
    page = (out / "index.html").read_text()
    for name in ("one", "two"):
        run_id = json.loads((place.root / name / "run.json").read_text())["run_id"]
        assert f"<dt>run {name}</dt><dd><code>hq-sam, {run_id}</code></dd>" in page
    assert str(place.root) not in page


def test_a_split_by_name_in_the_papers_protocol(place: "Place", tmp_path: Path) -> None:
    split = place.root / "ten.split.json"
    ids = json.loads(run(place.root / "one", "--on", split, "--out", tmp_path / "a", "--count", 1, "--json"))
    chosen = ids["pictures"][0]["mask_id"]
    words = ("--protocol", "paper", "--output", "sum", "--ids", chosen, "--device", "cpu", "--json")
    done = json.loads(run(place.root / "one", "--on", split, "--out", tmp_path / "b", *words))
    assert [one["mask_id"] for one in done["pictures"]] == [chosen]
    assert [(one["output"], one["overall"]["masks"]) for one in done["summaries"]] == [("sam_plain", 10), ("sum", 10)]
    assert done["summaries"][0]["overall"] != ids["summaries"][0]["overall"]


def test_the_same_command_gives_the_same_bytes(place: "Place", tmp_path: Path) -> None:
    for name in ("a", "b"):
        run(place.root / "one", "--on", place.data, "--out", tmp_path / name, "--count", 2)
    assert snapshot(tmp_path / "a") == snapshot(tmp_path / "b")


def test_a_file_beside_the_pictures_is_not_replaced(place: "Place", tmp_path: Path) -> None:
    words = (place.root / "one", "--on", place.data, "--out", tmp_path / "out", "--count", 1)
    run(*words)
    (tmp_path / "out" / "notes.txt").write_text("mine")
    before = snapshot(tmp_path)
    with pytest.raises(UsageError, match="not an empty folder"):
        run(*words, "--replace")
    assert snapshot(tmp_path) == before


ERRORS = {
    "runs of two SAMs": (["one", "of-another"], [], "the runs were trained on different SAMs"),
    "two runs of one name": (["one", "elsewhere/one"], [], "two runs have one name"),
    "the same run twice": (["one", "one"], [], "two runs have one name"),
    "a run that is not finished": (["stopped"], [], "stopped is not finished"),
    "no run": (["fruit"], [], "fruit is no run"),
    "no such mask": (["one"], ["--ids", "apple/all/9999#0"], "no mask or sample 'apple/all/9999#0'"),
    "an output that has no pictures": (["one"], ["--output", "sam_inside"], "--output"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_wrong_usage(place: "Place", tmp_path: Path, case: str) -> None:
    runs, words, text = ERRORS[case]
    out = tmp_path / "out"
    done = hqdata("pictures", *(place.root / name for name in runs), "--on", place.data, "--out", out, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert text in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_help_has_an_example() -> None:
    assert "hqdata pictures runs/exact runs/sa1b --on hq-eval" in " ".join(run("--help").replace("│", " ").split())
