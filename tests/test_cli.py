"""Every command as a user types it: what it prints, what it writes, its exit code and its errors."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from hqdata.cli.main import app
from tests.helpers import hqdata, pair, snapshot, tiny_source, write_files

COMMANDS = ("sources", "recipes", "fetch", "build", "verify", "info", "diff", "export", "demo")
REASON = "DUT-OMRON (5,168 images) where its own table 14 counts 15,572"


def run(*words: str | Path, code: int = 0) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done.stdout


def run_json(*words: str | Path, code: int = 0):
    return json.loads(run(*words, "--json", code=code))


@pytest.fixture
def given(drawn) -> list[str]:
    """Options that point a build at the drawn archives."""
    return ["--archives", str(drawn.archives("official")), "--manifests", str(drawn.manifests), "--offline"]


def test_sources():
    text = run("sources")
    for word in ("dis5k", "DIS5K v1", "samhq", "thinobject5k", "5,470", "not", "hqdata sources NAME"):
        assert word in text
    rows = {row["name"]: row for row in run_json("sources")}
    assert len(rows) >= 24
    assert rows["duts"]["samples"] == 15572
    assert rows["ecssd"]["accepted"] == "no"


def test_one_source(drawn):
    text = run("sources", "dis5k")
    for word in ("DIS-TR", "3,000", "drive:1O1eIuXX1hlGsV7qx4eSkjH231q7G1by1", "--accept-terms dis5k", "qin2022dis"):
        assert word in text
    assert run_json("sources", "dis5k")["parts"]["tr"]["count"] == 3000
    here = run("sources", "ecssd", "--archives", drawn.archives("official"), "--manifests", drawn.manifests)
    assert here.count("  yes  ") == 2


def test_recipes():
    text = run("recipes")
    for word in ("hqseg-44k", "44,320", "33,916", "1,537", "ecssd"):
        assert word in text
    assert {row["name"]: row["count"] for row in run_json("recipes")}["hqseg-44k"] == 44320


def test_one_recipe_does_its_arithmetic():
    text = run("recipes", "hqseg-44k")
    assert "3,000 + 4,748 + 10,000 + 10,553 + 5,019 + 1,000 + 10,000 = 44,320" in text
    assert "33,916" in text
    assert REASON in " ".join(text.split())
    assert run_json("recipes", "hqseg-44k")["count"] == 44320
    assert "44,320" in run("recipes", "hqseg-44k-omron")


def test_fetch_plan_of_the_real_bundle(tmp_path):
    text = run("fetch", "hqseg-44k", "--plan", "--archives", tmp_path)
    for word in ("samhq/DIS5K.zip", "3.53 GB", "NOT ACCEPTED", "7.34 GB to fetch", "huggingface"):
        assert word in text.replace("hf://", "huggingface ")
    plan = run_json("fetch", "hqseg-44k", "--plan", "--archives", tmp_path)
    assert plan["bytes_to_fetch"] == 3529707387 + 1365490019 + 2445237905
    assert [row["here"] for row in plan["archives"]] == [False] * 3
    assert list(tmp_path.iterdir()) == []


def test_build_plan_writes_nothing(drawn, given, tmp_path):
    text = run("build", "hqseg-44k", "--plan", "--out", tmp_path / "out", *given)
    assert "110 pairs at hand" in text
    plan = run_json("build", "hqseg-44k", "--plan", "--out", tmp_path / "out", *given)
    assert {(row["source"], row["part"]): row["pairs"] for row in plan["parts"]}["duts", "tr"] == 21
    assert plan["missing"] == []
    empty = ["--archives", str(tmp_path / "none"), "--manifests", str(drawn.manifests)]
    missing = run_json("build", "hqseg-44k", "--plan", "--out", tmp_path / "out", *empty)["missing"]
    assert [item["archive"] for item in missing] == ["DIS5K.zip", "cascade_psp.zip", "thin_object_detection.zip"]
    assert list(tmp_path.iterdir()) == []


def test_build_verify_info_diff_export(given, tmp_path, drawn):
    out, sheet = tmp_path / "hqseg-44k", tmp_path / "sheet.png"
    text = run("build", "hqseg-44k", "--out", out, "--workers", "2", *given)
    assert text.splitlines()[-1].startswith(f"{out}: 109 samples, ")
    assert text.splitlines()[-1].endswith("built and verified")
    assert "SYNTHETIC" in text
    assert "already built, verified" in run("build", "hqseg-44k", "--out", out, *given)
    assert "intact (every file, image and mask), 109 samples" in run("verify", out, "--deep")
    assert run_json("verify", out) == {"intact": True, "problems": []}
    text = run("info", out, "--rejects", "--sheet", sheet)
    words = ("size_mismatch", "11987.jpg", "second_mask", "listed_but_absent", f"pictures in {sheet}", "wrong_mask")
    for word in words:
        assert word in text
    with Image.open(sheet) as picture:
        assert picture.width > 1000
    assert len(run_json("info", out, "--rejects")["reject_rows"]) == 8
    text = run("export", out, "--to", "samhq", "--out", tmp_path / "data", "--link-from", drawn.archives("folders"))
    assert "109 pairs" in text
    assert run_json("export", out, "--to", "samhq", "--out", tmp_path / "more")["samples"] == 109
    assert snapshot(tmp_path / "data") == snapshot(tmp_path / "more")


def test_diff(given, tmp_path):
    for name in ("ecssd", "msra10k"):
        run("build", name, "--out", tmp_path / name, *given)
    assert "hold the same samples" in run("diff", tmp_path / "ecssd", tmp_path / "ecssd")
    assert "31 samples differ" in run("diff", tmp_path / "ecssd", tmp_path / "msra10k", code=1)
    found = run_json("diff", tmp_path / "ecssd", tmp_path / "msra10k", code=1)
    assert [item["kind"] for item in found] == ["only in A"] * 11 + ["only in B"] * 20


def test_replace(given, tmp_path):
    run("build", "ecssd", "--out", tmp_path / "out", *given)
    text = run("build", "hqseg-44k", "--out", tmp_path / "out", "--replace", *given)
    assert text.splitlines()[-1].endswith("built and verified, 1 shards taken over")


def test_own_data(tmp_path):
    for number in range(3):
        image, mask = pair(number)
        write_files(tmp_path, {f"im/{number}.jpg": image, f"gt/{number}.png": mask})
    words = ["build", "--images", tmp_path / "im", "--masks", tmp_path / "gt", "--name", "mine"]
    built = run_json(*words, "--out", tmp_path / "mine")
    assert (built["rows"], built["fresh"], built["folder"]) == (3, True, str(tmp_path / "mine"))


def test_partial_is_said(tmp_path):
    tiny = tiny_source(tmp_path, 4, expected=6)
    words = ["--archives", tiny.archives, "--manifests", tiny.manifests, "--offline"]
    text = run("build", "tiny", "--out", tmp_path / "out", "--partial", *words)
    assert "PARTIAL: counts differ" in text
    assert "PARTIAL" in run("info", tmp_path / "out")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_gives_an_example(command):
    text = " ".join(run(command, "--help").split())
    assert f"hqdata {command}" in text
    assert "--json" in text
    assert "xample" in text


def test_verify_names_the_damaged_file(hqseg, tmp_path):
    shutil.copytree(hqseg.folder, tmp_path / "copy")
    path = tmp_path / "copy" / "ecssd-00000.arrow"
    content = bytearray(path.read_bytes())
    content[5000] ^= 4
    path.write_bytes(content)
    found = run_json("verify", tmp_path / "copy", code=1)
    assert (found["intact"], [item["file"] for item in found["problems"]]) == (False, [path.name])
    done = hqdata("verify", tmp_path / "copy")
    assert (done.returncode, done.stdout) == (1, "")
    assert "ecssd-00000.arrow: has another sha256" in done.stderr


ERRORS = {
    # words: (exit code, what standard error says)
    "unknown recipe": (["build", "hqseg44k", "--out", "OUT"], 1, 'did you mean "hqseg-44k"?'),
    "unknown source": (["sources", "ecsd"], 1, 'did you mean "ecssd"?'),
    "unknown recipe to show": (["recipes", "hq-evel"], 1, 'did you mean "hq-eval"?'),
    "no source to fetch": (["fetch", "dutz", "--plan"], 1, 'did you mean "duts"?'),
    "no collection": (["info", "nothing"], 1, "is not a finished collection"),
    "no collection to verify": (["verify", "nothing"], 1, "is not a finished collection"),
    "neither recipe nor own data": (["build", "--out", "OUT"], 2, "give either a recipe or your own data"),
    "both": (["build", "ecssd", "--images", ".", "--out", "OUT"], 2, "give either a recipe or your own data"),
    "bad choice": (["build", "ecssd", "--prefer", "best", "--out", "OUT"], 2, "official or bundle"),
    "half of own data": (["build", "--images", ".", "--out", "OUT"], 2, "--images, --masks and --name together"),
    "bad export": (["export", "nothing", "--to", "voc", "--out", "OUT"], 2, "samhq"),
    "no manifests": (["recipes", "--manifests", "nowhere"], 1, "no manifest folder at nowhere"),
    "unknown option": (["build", "ecssd", "--outt", "OUT"], 2, "--outt"),
    "missing archives": (["build", "ecssd", "--out", "OUT", "--archives", "none", "--offline"], 1, "ccept-terms ecssd"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors_have_a_code_and_a_text(tmp_path, home, case):
    words, code, text = ERRORS[case]
    done = hqdata(*words, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert text in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "OUT").exists()


def test_what_the_system_refuses_is_said_without_a_traceback(tmp_path):
    tiny = tiny_source(tmp_path, 2)
    words = ["--archives", tiny.archives, "--manifests", tiny.manifests, "--offline"]
    done = hqdata("build", "tiny", "--out", tiny.archive / "below" / "out", *words)
    assert done.returncode == 1
    assert "Not a directory" in done.stderr or "File exists" in done.stderr
    assert "Traceback" not in done.stderr


def test_errors_as_json(tmp_path):
    done = hqdata("info", "nothing", "--json", cwd=tmp_path)
    error = json.loads(done.stderr)
    assert (done.returncode, error["error"]) == (1, "StoreCorrupt")
    assert "nothing is not a finished collection" in error["message"]


def test_no_words_is_help():
    done = hqdata()
    assert "build" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
