"""The folder of a run: what it says of itself, and what is refused."""

import dataclasses
import json
import os
import platform
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from hqdata.errors import StoreCorrupt, UsageError
from hqdata.fsio.digest import sha256_file
from hqdata.store.reader import Collection
from hqdata.training.loop import train
from hqdata.training.recipe import load_recipe
from hqdata.training.run import differences, open_run, place_of, relative_place
from hqdata.training.sam import save_sam
from hqdata.training.variants.hq_sam import HQHead
from tests.helpers import flip
from tests.training.oracles import random_images, random_prompts, random_sam
from tests.training.runs import FILES, Place, make_place


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    made = make_place(tmp_path_factory.mktemp("place"))
    made.train("run", seed=3)
    made.train("stopped", stop_after=2)
    return made


@pytest.fixture
def copy(place: Place, tmp_path: Path) -> Path:
    shutil.copytree(place.root / "run", tmp_path / "copy")
    return tmp_path / "copy"


def test_what_a_run_says(place: Place) -> None:
    run = open_run(place.root / "run")
    assert (run.variant, run.seed) == ("hq-sam", 3)
    assert run.recipe == load_recipe("mini", ["iterations=8", "loss_points=64"])
    assert run.facts["identity"]["data"]["digest"] == Collection(place.data).digest
    assert run.facts["identity"]["sam"]["sha256"] == sha256_file(place.sam)
    assert run.facts["trained_parameters"] == sum(one.numel() for one in HQHead(run.sam.size, 0).parameters())
    assert (run.facts["steps"], run.facts["data"]["path"], run.facts["sam"]["path"]) == (
        8,
        "../fruit",
        "../sam.safetensors",
    )
    assert repr(run) == f"<Run run: hq-sam on fruit, {run.run_id[:12]}>"


def test_no_absolute_path_or_host(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a host whose name is no other word that a run says, as ``cpu`` would be."""
    host = "host-of-no-other-name"
    for module, name in ((socket, "gethostname"), (socket, "getfqdn"), (platform, "node")):
        monkeypatch.setattr(module, name, lambda: host)
    system, _, *rest = os.uname()
    monkeypatch.setattr(os, "uname", lambda: os.uname_result((system, host, *rest)))
    place.train("hosted")
    files = [path for path in (place.root / "hosted").rglob("*") if path.is_file()]
    assert {path.name for path in files} > {*FILES}
    for path in files:
        content = path.read_bytes()
        assert str(place.root).encode() not in content, path
        assert host.encode() not in content, path


def test_the_head_predicts(place: Place) -> None:
    run = open_run(place.root / "run")
    held = load_file(place.root / "run" / "head.safetensors")
    assert all(torch.equal(value, held[key]) for key, value in run.head.state_dict().items())
    features, prompts = run.sam.encode(random_images(2)), run.sam.prompt(random_prompts("box", 2))
    assert run.head(run.sam, features, prompts).shape == (2, 1, 32, 32)
    with safe_open(place.root / "run" / "head.safetensors", framework="pt") as file:
        assert file.metadata() == {"run_id": run.run_id}


def test_the_id_is_that_of_the_content_not_of_the_place(place: Place, tmp_path: Path) -> None:
    shutil.copytree(place.data, tmp_path / "deep" / "elsewhere")
    shutil.copy(place.sam, tmp_path / "s.safetensors")
    asked = place.asked("run", seed=3, data=tmp_path / "deep" / "elsewhere", sam=str(tmp_path / "s.safetensors"))
    train(dataclasses.replace(asked, out=tmp_path / "run", micro=2, save_every=8))
    assert open_run(tmp_path / "run").run_id == open_run(place.root / "run").run_id


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_byte_is_found(copy: Path, name: str) -> None:
    flip(copy / name)
    with pytest.raises(StoreCorrupt, match=name):
        open_run(copy)


@pytest.mark.parametrize("name", ["head.safetensors", "visits.parquet"])
def test_a_missing_file_is_found(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(StoreCorrupt, match=name):
        open_run(copy)


def test_what_is_no_run_and_what_is_not_finished(place: Place) -> None:
    with pytest.raises(UsageError, match="is no run"):
        open_run(place.data)
    with pytest.raises(UsageError, match=r"not finished(?s:.*)--resume"):
        open_run(place.root / "stopped")


def test_another_format_is_told(copy: Path) -> None:
    from hqdata.store.index import index_bytes

    facts = json.loads((copy / "run.json").read_text())
    (copy / "run.json").write_bytes(index_bytes({**facts, "format": 2}))
    with pytest.raises(StoreCorrupt, match="another format"):
        open_run(copy)


def test_the_sam_is_looked_for_where_it_is_said_to_be(copy: Path, place: Place, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no checkpoint .*sam\.safetensors"):
        _ = open_run(copy).sam
    assert open_run(copy, sam=place.sam).sam.sha256 == sha256_file(place.sam)
    save_sam(random_sam(seed=1), tmp_path / "other.safetensors")
    with pytest.raises(UsageError, match="another SAM"):
        _ = open_run(copy, sam=tmp_path / "other.safetensors").sam


@pytest.mark.parametrize(
    ("held", "asked", "said"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, ["a is 1, asked for is 2"]),
        ({"a": {"b": {"c": 1}}}, {"a": {"b": {"c": 2}}}, ["a.b.c is 1, asked for is 2"]),
        ({"epochs": 3}, {"iterations": 5}, ["epochs is 3, asked for is None", "iterations is None, asked for is 5"]),
        ({"a": [1, 2]}, {"a": [2, 1]}, ["a is [1, 2], asked for is [2, 1]"]),
        ({"a": {}}, {"a": None}, ["a is {}, asked for is None"]),
    ],
)
def test_differences(held: Any, asked: Any, said: list[str]) -> None:
    assert differences(held, asked) == said


@pytest.mark.parametrize(
    ("given", "said", "found"),
    [("sam-mini", "sam-mini", "sam-mini"), ("/a/b/sam.pth", "../../b/sam.pth", "/a/c/run/../../b/sam.pth")],
)
def test_places_are_relative_to_the_run(given: str, said: str, found: str) -> None:
    assert relative_place(given, Path("/a/c/run")) == said
    assert place_of(said, Path("/a/c/run")) == found
