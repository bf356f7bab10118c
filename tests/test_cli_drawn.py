"""Draws on the command line: what a plan names, what choices change, what is said of what was drawn."""

import gzip
import json
from pathlib import Path

import pytest

from tests.helpers import hqdata
from tests.servers import FaultServer, Step
from tests.tars import Tars, make_tars, tar_files
from tests.test_cli import run, run_json

CHOSEN = [2, 46, 236, 327, 487, 577, 741, 894]
"""Numbers of the tars of sa1b-44k."""


@pytest.fixture
def tars(tmp_path: Path) -> Tars:
    return make_tars(tmp_path, 1, family=2)


def given(tars: Tars) -> list[str]:
    return ["--archives", str(tars.archives), "--manifests", str(tars.manifests), "--offline"]


@pytest.mark.parametrize("command", [["build", "--out", "OUT"], ["fetch"]])
def test_a_plan_names_the_tars_and_their_size(tmp_path, command):
    words = [command[0], "sa1b-44k", *command[1:], "--plan", "--archives", tmp_path / "none"]
    text = run(*words)
    for number in CHOSEN:
        assert f"sa_{number:06d}.tar  11.3 GB" in text
    assert "8 tars to get, about 90.4 GB" in text
    rows = run_json(*words)["tars"]
    assert rows == [
        {"tar": f"sa_{number:06d}.tar", "bytes": 11_300_000_000, "here": False, "held": False} for number in CHOSEN
    ]


def test_a_plan_of_all_tars_states_the_price(tmp_path):
    words = ["build", "sa1b-44k", "--plan", "--tars", "all", "--out", tmp_path / "out", "--archives", tmp_path / "none"]
    assert "988 tars to get, about 11.2 TB" in run(*words)
    assert len(run_json(*words)["tars"]) == 988


def test_what_was_drawn_is_said(tars, tmp_path):
    done = hqdata("build", "draw", "--out", tmp_path / "out", *given(tars))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "sa1b: 20 of 20 images drawn from 1 tars, seed 7, masks: uniform" in lines
    assert "SHORT: 20 of 24 samples; 0 images rejected; tars not at hand: sa_000001.tar" in lines
    assert "the draw goes without tars that are not at hand: sa_000001.tar" in done.stderr
    assert "already built" in run("build", "draw", "--out", tmp_path / "out", *given(tars))


def test_a_cut_tar_is_said(tars, tmp_path):
    content = tars.tar(0).read_bytes()
    tars.tar(0).write_bytes(content[: len(content) // 2])
    tars.put(1, {**tar_files(1, 2), "../sa_1.jpg": b""})
    text = run("build", "draw", "--out", tmp_path / "out", *given(tars))
    assert "CUT SHORT: sa_000000.tar; what lies before the cut was used." in text
    assert "NOT USED: sa_000001.tar; see the rejects." in text


def test_a_file_that_is_no_such_tar_is_said(tars, tmp_path):
    tars.tar(1).write_bytes(gzip.compress(tars.tar(0).read_bytes()))
    done = hqdata("build", "draw", "--out", tmp_path / "out", *given(tars))
    assert "sa_000001.tar: does not begin like one of its tars" in done.stderr


def test_a_plan_knows_what_a_collection_holds(tars, tmp_path):
    run("build", "draw", "--out", tmp_path / "out", "--drop-archives", *given(tars))
    words = ["build", "draw", "--out", tmp_path / "out", "--plan", *given(tars)]
    rows = run_json(*words)["tars"]
    assert [(row["tar"], row["here"], row["held"]) for row in rows] == [
        ("sa_000000.tar", False, True),
        ("sa_000001.tar", False, False),
    ]
    text = run(*words)
    assert "in the collection" in text
    assert "1 tar to get, about unknown" in text
    assert "20 pairs at hand" in text


def test_the_price_is_said_before_tars_are_fetched(tars, tmp_path, home):
    file = tmp_path / "links.tsv"
    file.write_text("file_name\tcdn_link\n")
    words = ["--archives", tars.archives, "--manifests", tars.manifests, "--links", file]
    done = hqdata("build", "draw", "--out", tmp_path / "out", *words)
    assert done.returncode == 2
    assert "1 tar to get, about unknown" in done.stdout
    assert "has no link for sa_000001.tar" in done.stderr


def test_choices_make_another_recipe(tars, tmp_path):
    def digest(name: str, *words: str) -> str:
        return str(run_json("build", "draw", "--out", tmp_path / name, *words, *given(tars))["recipe"]["digest"])

    ways = {
        "plain": digest("a"),
        "same": digest("b", "--tars", "2", "--masks", "uniform"),
        "tars": digest("c", "--tars", "1"),
        "all": digest("d", "--tars", "all"),
        "masks": digest("e", "--masks", "largest"),
    }
    assert ways["plain"] == ways["same"]
    assert len(set(ways.values())) == 4


def test_tars_are_dropped(tars, tmp_path):
    tars.put(1)
    run("build", "draw", "--out", tmp_path / "out", "--drop-archives", *given(tars))
    assert list(tars.archives.rglob("*.tar")) == []
    text = run("build", "draw", "--out", tmp_path / "out", "--drop-archives", *given(tars))
    assert "24 samples" in text.splitlines()[-1]


def test_fetch_by_links(tars, tmp_path, home):
    content = tars.tar(0).read_bytes()
    tars.tar(0).unlink()
    words = ["fetch", "draw", "--archives", tars.archives, "--manifests", tars.manifests]
    file = tmp_path / "links.tsv"
    with FaultServer() as server:
        url = server.serve("/a.tar", content, Step(status=403), Step())
        file.write_text(f"file_name\tcdn_link\nsa_000000.tar\t{url}?Signature=x1y2\n")
        incomplete = hqdata(*words, "--links", file)
        assert (incomplete.returncode, "has no link for sa_000001.tar" in incomplete.stderr) == (2, True)
        file.write_text(file.read_text() + f"sa_000001.tar\t{url}?Signature=x1y2\n")
        stale = hqdata(*words, "--links", file)
        assert (stale.returncode, "the link has expired" in stale.stderr) == (1, True)
        assert "x1y2" not in stale.stderr + stale.stdout
        paths = [item["archive"] for item in run_json(*words, "--links", file)]
    assert paths == ["sa_000000.tar", "sa_000001.tar"]
    assert run_json(*words, "--links", file) == []


ERRORS = {
    "no such number": (["build", "draw", "--tars", "0"], 2, "--tars '0'"),
    "no number": (["build", "draw", "--tars", "eight"], 2, '1 or more, or "all"'),
    "too many": (["build", "draw", "--tars", "3"], 2, "not enough archives for 3"),
    "no such rule": (["build", "draw", "--masks", "big"], 2, "uniform or largest or whole or all"),
    "no links": (["build", "draw", "--links", "none.tsv"], 2, "none.tsv cannot be read"),
    "no draw": (["build", "ecssd", "--tars", "8"], 2, "ecssd draws from no tars"),
    "all of a later draw": (["build", "sa1b-44k-b", "--tars", "all"], 2, "hold those of other draws"),
    "all of it": (["build", "sa1b"], 2, "take a draw: sa1b-44k, sa1b-44k-b, sa1b-44k-c, sa1b-eval"),
    "all of it, fetched": (["fetch", "sa1b"], 2, "take a draw: sa1b-44k,"),
    "no tars": (["build", "sa1b-44k"], 1, "sa_000894.tar"),
    "nothing to fetch with": (["fetch", "sa1b-44k"], 2, "give your file of links"),
    "nothing to draw": (["fetch", "ecssd", "--tars", "8"], 2, "nothing that is named draws"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors_have_a_code_and_a_text(tars, tmp_path, home, case):
    words, code, text = ERRORS[case]
    tars.tar(0).unlink()
    more = ["--out", "OUT", "--accept-terms", "sa1b"] if words[0] == "build" else []
    manifests = [] if words[1].startswith("sa1b") else ["--manifests", tars.manifests]
    done = hqdata(*words, *more, *manifests, "--archives", tars.archives, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert text in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "OUT").exists()


def test_many_names_are_cut(tmp_path, home):
    done = hqdata(
        "build", "sa1b-44k", "--tars", "all", "--out", "OUT", "--archives", tmp_path, "--accept-terms", "sa1b"
    )
    assert "sa_000007.tar and 980 more" in done.stderr
    assert len(done.stderr) < 1000


def test_errors_as_json_hold_no_link(tars, tmp_path, home):
    file = tmp_path / "links.tsv"
    tars.tar(0).unlink()
    with FaultServer() as server:
        rows = [f"sa_{number:06d}.tar\t{server.url('/gone')}?Signature=x1y2" for number in range(2)]
        file.write_text("\n".join(["file_name\tcdn_link", *rows]) + "\n")
        words = ["fetch", "draw", "--archives", tars.archives, "--manifests", tars.manifests, "--links", file, "--json"]
        done = hqdata(*words)
    assert json.loads(done.stderr)["error"] == "DownloadError"
    assert "x1y2" not in done.stderr
