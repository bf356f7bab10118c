"""Real photographs through the real command path: on sam-mini, and at ViT-B's true size."""

import dataclasses
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from hqdata.pipelines.own_data import build_own
from hqdata.pipelines.recipe import Options
from hqdata.store.reader import Collection
from hqdata.training.evaluate import evaluate, summarise
from hqdata.training.job import Asked
from hqdata.training.loop import train
from hqdata.training.run import open_run
from hqdata.training.sam import SAM_MINI, new_sam, save_sam
from hqdata.training.size import SIZES
from tests.helpers import hqdata


@pytest.fixture
def photographs(real: Path, tmp_path: Path) -> Path:
    """Twenty pairs of ECSSD."""
    for folder in ("images", "ground_truth_mask"):
        (tmp_path / folder).mkdir()
        for path in sorted((real / "ECSSD" / folder).iterdir())[:20]:
            (tmp_path / folder / path.name).symlink_to(path)
    build_own(tmp_path / "images", tmp_path / "ground_truth_mask", "ecssd", tmp_path / "ecssd", Options())
    return tmp_path / "ecssd"


def typed(*words: str | Path) -> str:
    """Output of a command that succeeds."""
    done = hqdata(*words, timeout=1000)
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)


def test_a_run_on_sam_mini(photographs: Path, tmp_path: Path) -> None:
    asked = Asked(out=tmp_path / "run", data=photographs, sam=SAM_MINI, recipe="mini", changes=("iterations=5",))
    assert train(dataclasses.replace(asked, device="cpu")).finished
    run = open_run(tmp_path / "run")
    base, head = summarise(evaluate(Collection(photographs), run.sam, {"run": run.head}, outputs=("sam_plain", "head")))
    assert (base.plain.masks, head.plain.masks, head.unscored) == (20, 20, 0)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_learning_on_duts_and_scoring_on_ecssd(real: Path, tmp_path: Path) -> None:
    """A thousand steps; ``pytest -s`` shows the figures, which say nothing about either dataset: the base is a toy."""
    own = {
        "duts": ("DUTS/DUTS-TR/DUTS-TR-Image", "DUTS/DUTS-TR/DUTS-TR-Mask"),
        "ecssd": ("ECSSD/images", "ECSSD/ground_truth_mask"),
    }
    for name, (images, masks) in own.items():
        build_own(real / images, real / masks, name, tmp_path / name, Options())
    few = ["--recipe", "mini", "--set", "iterations=1000", "--device", "cpu"]
    typed("train", "--data", tmp_path / "duts", "--sam", SAM_MINI, "--out", tmp_path / "run", *few)
    more = ["--out", tmp_path / "page", "--device", "cpu", "--json"]
    told = typed("pictures", tmp_path / "run", "--on", tmp_path / "ecssd", *more)
    base, head = json.loads(told)["summaries"]
    print(f"\n{base}\n{head}")
    counts = [item["overall"]["masks"] + item["unscored"] for item in (base, head)]
    assert counts == [len(Collection(tmp_path / "ecssd"))] * 2
    assert (tmp_path / "page" / "index.html").is_file()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_step_at_the_true_size(photographs: Path, tmp_path: Path) -> None:
    """1024 pixels, random weights, the released recipe."""
    save_sam(new_sam(SIZES["vit_b"], 0), tmp_path / "vit_b.safetensors")
    changes = ("iterations=1", "batch=4")
    asked = Asked(out=tmp_path / "run", data=photographs, sam=str(tmp_path / "vit_b.safetensors"), changes=changes)
    assert train(dataclasses.replace(asked, device="cpu")).finished
    visits = pq.read_table(tmp_path / "run" / "visits.parquet")
    assert visits.num_rows == 4
    assert max(visits["pixels"].to_pylist()) > 10_000
