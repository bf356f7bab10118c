"""``hqdata export`` as a user types it."""

import json
import shutil

import pytest
from typer.testing import CliRunner

from hqdata.cli.main import app
from tests.helpers import hqdata, snapshot


def run(*words, code=0):
    done = CliRunner().invoke(app, ["export", *map(str, words)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done.stdout


@pytest.fixture(scope="module")
def collection(hqseg, tmp_path_factory):
    return shutil.copytree(hqseg.folder, tmp_path_factory.mktemp("export") / "hqseg")


def test_samhq(hqseg, drawn, tmp_path):
    text = run(hqseg.folder, "--to", "samhq", "--out", tmp_path / "a", "--link-from", drawn.archives("folders"))
    assert text.startswith(f"{tmp_path / 'a'}: {len(hqseg)} pairs, ")
    done = json.loads(run(hqseg.folder, "--to", "samhq", "--out", tmp_path / "b", "--json"))
    assert (done["samples"], done["linked"], done["folder"]) == (len(hqseg), 0, str(tmp_path / "b"))
    assert snapshot(tmp_path / "a") == snapshot(tmp_path / "b")


def test_coco(hqseg, tmp_path):
    text = run(hqseg.folder, "--to", "coco", "--out", tmp_path / "a")
    assert text.startswith(f"{tmp_path / 'a'}: annotations.json with ")
    assert text.count("\n") == 1
    done = json.loads(run(hqseg.folder, "--to", "coco", "--out", tmp_path / "b", "--no-images", "--json"))
    assert (done["images"], done["annotations"] + done["empty_masks"]) == (len(hqseg), len(hqseg))
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["annotations.json"]
    assert f"{done['annotations']} masks of {len(hqseg)} images, {done['empty_masks']} empty masks" in text


def test_hub(collection, drawn, tmp_path):
    out = tmp_path / "a"
    text = run(collection, "--to", "hub", "--out", out, "--manifests", drawn.manifests, "--leave-out", "dis5k")
    for word in ("without dis5k", "SYNTHETIC", "wants --repo and --published", "nothing was uploaded"):
        assert word in text
    assert text.endswith(f"`hf upload OWNER/NAME {out} . --repo-type dataset` does that\n")
    assert text.count("\n") == 1
    more = ["--repo", "me/mine", "--published", "2026-01-31", "--splits", "part", "--allow", "ecssd", "--json"]
    done = json.loads(run(collection, "--to", "hub", "--out", tmp_path / "b", *more))
    assert done["upload"] == f"hf upload me/mine {tmp_path / 'b'} . --repo-type dataset"
    assert (done["synthetic"], done["allowed"], done["configs"]) == (True, [], ["default", "rejects"])
    assert "dis5k_tr" in done["splits"]
    assert 'load_dataset("me/mine"' in (tmp_path / "b" / "README.md").read_text()


ERRORS = {
    "no such target": (["--to", "voc"], "samhq, coco, hub"),
    "link-from with coco": (["--to", "coco", "--link-from", "."], "--link-from (for --to samhq)"),
    "no-images with hub": (["--to", "hub", "--no-images"], "--no-images (for --to coco)"),
    "leave-out with samhq": (
        ["--to", "samhq", "--leave-out", "a", "--allow", "b"],
        "--allow (for --to hub), --leave-out",
    ),
    "splits": (["--to", "hub", "--splits", "thirds"], "expected: train or part"),
    "a name that is none": (["--to", "hub", "--leave-out", "dis5"], 'did you mean "dis5k"?'),
    "a date that is none": (["--to", "hub", "--published", "today"], "expected: YYYY-MM-DD"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_wrong_usage(collection, tmp_path, case):
    words, text = ERRORS[case]
    done = hqdata("export", collection, "--out", tmp_path / "OUT", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert text in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_help_has_an_example_for_each_target():
    text = " ".join(run("--help").replace("│", " ").split())
    for target in ("samhq", "coco", "hub"):
        assert f"--to {target} --out" in text
