"""The same inputs give the same tree, whoever builds it, where, and with how many processes."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from hqdata.pipelines.recipe import build_recipe
from tests.helpers import Tiny, hqdata, pairs, snapshot, tiny_source, write_files

RECIPE = "hqseg-44k"
WAYS: dict[str, tuple[list[str], dict[str, str], int]] = {
    # name: options, environment, umask
    "two workers": (["--workers", "2"], {}, 0o022),
    "three workers": (["--workers", "3"], {}, 0o022),
    "hash seed": ([], {"PYTHONHASHSEED": "1"}, 0o022),
    "another hash seed": ([], {"PYTHONHASHSEED": "4242"}, 0o022),
    "time zone": ([], {"TZ": "Pacific/Kiritimati"}, 0o022),
    "C locale": ([], {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "utf-8"}, 0o022),
    "Turkish locale": ([], {"LANG": "tr_TR.UTF-8", "LC_ALL": "tr_TR.UTF-8"}, 0o022),
    "umask": ([], {}, 0o077),
    "no threads": ([], {"OMP_NUM_THREADS": "1", "ARROW_NUM_THREADS": "1"}, 0o022),
}


@pytest.fixture(scope="module")
def expected(drawn, tmp_path_factory) -> dict[str, str]:
    out = tmp_path_factory.mktemp("expected") / "out"
    build_recipe(RECIPE, out, drawn.options("folders"))
    return snapshot(out)


def run(drawn, out: Path, *words: str, **more) -> None:
    common = ["--archives", drawn.archives("folders"), "--manifests", drawn.manifests, "--offline"]
    done = hqdata("build", RECIPE, "--out", out, *common, *words, **more)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("way", WAYS)
def test_the_way_does_not_matter(drawn, expected, tmp_path, way):
    words, env, mask = WAYS[way]
    before = os.umask(mask)
    try:
        run(drawn, tmp_path / "out", *words, env=env)
    finally:
        os.umask(before)
    assert snapshot(tmp_path / "out") == expected


def test_the_place_does_not_matter(drawn, expected, tmp_path):
    elsewhere = tmp_path / "a folder, with spaces" / "é"
    elsewhere.mkdir(parents=True)
    run(drawn, Path("out"), cwd=elsewhere)
    assert snapshot(elsewhere / "out") == expected


def test_no_path_time_or_host_is_inside(drawn, expected, tmp_path):
    run(drawn, tmp_path / "out")
    words = [str(tmp_path), str(drawn.root), os.uname().nodename]
    for path in (tmp_path / "out").iterdir():
        content = path.read_bytes()
        assert not [word for word in words if len(word) > 4 and word.encode() in content], path.name


@pytest.mark.parametrize("seed", range(3))
def test_listing_order_does_not_matter(tmp_path, monkeypatch, seed):
    """Files created in another order, and a file system that lists them in any order."""
    first = tiny_source(tmp_path / "a", 20, archive="")
    trees = [build(first, tmp_path / "first")]
    rng = np.random.default_rng(seed)
    files = pairs(20)
    second = tiny_source(tmp_path / "b", 20, archive="", files={})
    write_files(second.archive, {name: files[name] for name in rng.permutation(sorted(files))})
    walk, listdir, scandir = os.walk, os.listdir, os.scandir

    def shuffled(items):
        items = list(items)
        rng.shuffle(items)
        return items

    def walked(*args, **options):
        for folder, below, names in walk(*args, **options):
            below[:] = shuffled(below)
            yield folder, below, shuffled(names)

    class Scanned:
        def __init__(self, *args):
            with scandir(*args) as entries:
                self.entries = iter(shuffled(entries))

        def __enter__(self):
            return self.entries

        def __exit__(self, *_):
            return None

        def __iter__(self):
            return self

        def __next__(self):
            return next(self.entries)

        def close(self):
            return None

    monkeypatch.setattr(os, "walk", walked)
    monkeypatch.setattr(os, "listdir", lambda *args: shuffled(listdir(*args)))
    monkeypatch.setattr(os, "scandir", Scanned)
    trees.append(build(second, tmp_path / "second"))
    monkeypatch.undo()
    assert trees[0] == trees[1]


def build(tiny: Tiny, out: Path) -> dict[str, str]:
    built = build_recipe("tiny", out, tiny.options())
    assert built.index["rows"] == 20
    return snapshot(out)


def test_zip_order_and_compression_do_not_matter_to_the_content(tmp_path):
    files = pairs(12)
    one = tiny_source(tmp_path / "a", 12, files=files)
    two = tiny_source(tmp_path / "b", 12, files=dict(reversed(files.items())))
    digests = {
        build_recipe("tiny", tmp_path / name, tiny.options()).index["content_digest"]
        for name, tiny in (("x", one), ("y", two))
    }
    assert len(digests) == 1


def test_drawing_is_reproducible(drawn, tmp_path):
    from hqdata.fetch.progress import SILENT
    from hqdata.pipelines.demo import draw_archives

    draw_archives(tmp_path, workers=2, progress=SILENT, scale=0.15)
    assert snapshot(tmp_path / "archives") == snapshot(drawn.archives("official"))


def test_json_of_a_build_is_its_index(drawn, expected, tmp_path):
    common = ["--archives", drawn.archives("folders"), "--manifests", drawn.manifests, "--offline", "--json"]
    done = hqdata("build", RECIPE, "--out", tmp_path / "out", *common)
    index = json.loads((tmp_path / "out" / "collection.json").read_text())
    more = {"folder": str(tmp_path / "out"), "fresh": True, "reused": 0}
    assert json.loads(done.stdout) == {**index, **more}
