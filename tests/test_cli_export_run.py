"""``hqdata export RUN --to samhq``: the published package loads what is written and gives the same masks."""

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from typer.testing import CliRunner

from hqdata.cli.main import app
from tests.helpers import hqdata, need_training, snapshot

if TYPE_CHECKING:
    from tests.training.runs import Place


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> "Place":
    """A run on a SAM that the package's own loader can build, and one on a smaller SAM."""
    need_training()
    import torch

    from hqdata.training.sam import save_sam
    from tests.training.oracles import random_sam
    from tests.training.runs import make_place
    from tests.training.variants.test_hq_sam_file import THIN

    torch.set_num_threads(1)  # small tensors on busy cores: threads would wait for one another
    made = make_place(tmp_path_factory.mktemp("place"))
    save_sam(random_sam(THIN), made.root / "thin.safetensors")
    made.train("small", changes=("iterations=2",))
    made.train("stopped", changes=("iterations=2",), stop_after=1)
    made.train("thin", sam=str(made.root / "thin.safetensors"), changes=("iterations=1", "batch=1"))
    return made


def run(*words: object) -> str:
    done = CliRunner().invoke(app, ["export", *map(str, words)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_published_package_gives_the_same_masks(place: "Place", tmp_path: Path) -> None:
    import torch

    from hqdata.store.reader import Collection
    from hqdata.training.evaluate import fit_of
    from hqdata.training.predict import Predictor
    from hqdata.training.run import open_run
    from tests.training.oracles import oracle_samhq
    from tests.training.variants.test_hq_sam_file import THIN

    file = tmp_path / "thin.pth"
    run(place.root / "thin", "--to", "samhq", "--out", file)
    build = oracle_samhq("build_sam")._build_sam
    theirs = build(THIN.width, THIN.depth, THIN.heads, list(THIN.global_blocks), checkpoint=file)
    trained = open_run(place.root / "thin")
    for sample in list(Collection(place.data))[::16]:
        fit = fit_of(sample, trained.sam, "native")
        box = fit.box(sample.mask)
        assert box is not None
        ours = {
            one.output: one.mask for one in Predictor(trained.sam, {"r": trained.head}, fit, sample.image).masks(box)
        }
        boxes = torch.tensor([box])
        record = {"image": fit.image(sample.image).float(), "original_size": sample.mask.shape, "boxes": boxes}
        for output, alone in (("head", True), ("sum", False)):
            with torch.no_grad():
                (found,) = theirs([record], multimask_output=False, hq_token_only=alone)
            assert np.array_equal(found["masks"][0, 0].numpy(), ours[output])


def test_the_same_run_gives_the_same_bytes(place: "Place", tmp_path: Path) -> None:
    text = run(place.root / "small", "--to", "samhq", "--out", tmp_path / "a.pth")
    done = json.loads(run(place.root / "small", "--to", "samhq", "--out", tmp_path / "b.pth", "--json"))
    files = snapshot(tmp_path)
    assert files["a.pth"] == files["b.pth"]
    run_id = json.loads((place.root / "small" / "run.json").read_text())["run_id"]
    size = (tmp_path / "b.pth").stat().st_size
    assert done == {"file": str(tmp_path / "b.pth"), "run_id": run_id, "size": "tiny", "bytes": size}
    assert text.startswith(f"{tmp_path / 'a.pth'}: SAM and head of run {run_id[:12]}, ")
    assert "the package has no loader for the size of tiny" in text
    assert text.count("\n") == 1


ERRORS = {
    "another target": ("small", ["--to", "coco"], "expected: --to samhq --out FILE.pth"),
    "an option of collections": ("small", ["--to", "samhq", "--link-from", "."], "got: --to samhq --link-from"),
    "a run that is not finished": ("stopped", ["--to", "samhq"], "stopped is not finished"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_wrong_usage(place: "Place", tmp_path: Path, case: str) -> None:
    name, words, text = ERRORS[case]
    done = hqdata("export", place.root / name, "--out", tmp_path / "x.pth", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert text in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_is_left_alone(place: "Place", tmp_path: Path) -> None:
    (tmp_path / "x.pth").write_bytes(b"mine")
    done = hqdata("export", place.root / "small", "--to", "samhq", "--out", tmp_path / "x.pth")
    assert done.returncode == 2
    assert "is there already" in done.stderr
    assert (tmp_path / "x.pth").read_bytes() == b"mine"


def test_a_disk_that_is_full_is_told(place: "Place", tmp_path: Path) -> None:
    """torch says something else of it; no file may be larger than 100 kB here."""
    code = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)); "
    code += "from hqdata.cli.main import main; main()"
    words = ["export", str(place.root / "thin"), "--to", "samhq", "--out", str(tmp_path / "hq.pth")]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"no room to write {tmp_path / 'hq.pth'}" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
