"""Statistics of splits: the collection's rows, or, where pixels change, figures of what is read."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import hqdata
from hqdata.analysis.stats import compute_stats
from hqdata.analysis.stats_table import STATS_SCHEMA
from hqdata.errors import StoreCorrupt
from hqdata.masks import rle
from hqdata.pipelines.recipe import build_recipe
from hqdata.store.derived import find_derived, read_derived_index
from hqdata.store.materialised import publish_masks
from hqdata.store.reader import Collection
from hqdata.store.view import SplitView
from tests.export.many import drawn_masks, many_masks
from tests.helpers import encoded, snapshot, tiny_source
from tests.helpers import hqdata as run
from tests.store.saved import degrading, save

OF_FILES = ("image_bytes", "jpeg_quality")


@pytest.fixture
def tiny(tmp_path: Path) -> Collection:
    """Twelve small pairs."""
    build_recipe("tiny", tmp_path / "tiny", tiny_source(tmp_path / "source", 12).options())
    return Collection(tmp_path / "tiny")


def mask_ids(collection: Collection, step: int = 1) -> list[str]:
    return [f"{name}#0" for name in collection.sample_ids[::step]]


@pytest.fixture
def changed(tiny: Collection, tmp_path: Path) -> SplitView:
    """Ten samples, some scaled, all degraded."""
    ids = mask_ids(tiny)[1:11]
    how = degrading("smoothing", {"tiny": 0.02})
    return tiny.split(save(tiny, tmp_path / "splits", ids, scales=[0.5, 0.7, *[1.0] * 8], degrade=how).path)


def test_a_plain_split_has_the_rows_of_its_collection_in_the_order_of_its_ids(tiny: Collection, tmp_path: Path) -> None:
    ids = mask_ids(tiny, 5)[::-1]
    view = tiny.split(save(tiny, tmp_path / "splits", ids).path)
    done = compute_stats(view)
    assert (done.rows, done.folder) == (12, find_derived(tiny.folder, "stats"))
    assert view.stats["mask_id"].to_pylist() == ids
    assert view.stats.schema.equals(STATS_SCHEMA)
    frame = tiny.stats.to_pandas().set_index("mask_id")
    assert frame.loc[ids].reset_index().equals(view.stats.to_pandas()[["mask_id", *frame.columns]])


def test_changed_pixels_are_measured_as_they_are_read(changed: SplitView, tmp_path: Path) -> None:
    """What is read is built into a collection of its own; all figures that are not of files must agree."""
    done = compute_stats(changed)
    assert (done.rows, done.fresh) == (10, True)
    files = {}
    for sample in changed:
        stem = sample.sample_id.rpartition("/")[2]
        files |= {f"images/{stem}.jpg": encoded(sample.image), f"masks/{stem}.png": encoded(sample.mask)}
    source = tiny_source(tmp_path / "read", 10, files=files)
    build_recipe("tiny", tmp_path / "built", source.options())
    built = Collection(tmp_path / "built")
    compute_stats(built)
    assert changed.stats["mask_id"].to_pylist() == changed.mask_ids
    assert changed.stats.drop(OF_FILES).equals(built.stats.drop(OF_FILES))


def test_only_a_scaled_image_has_no_file(changed: SplitView, tiny: Collection) -> None:
    compute_stats(changed)
    sizes = [None, None, *(len(tiny[number].row["image"]["bytes"]) for number in range(3, 11))]
    assert changed.stats["image_bytes"].to_pylist() == sizes
    assert [quality is None for quality in changed.stats["jpeg_quality"].to_pylist()] == [True] * 2 + [False] * 8


@pytest.mark.parametrize(("workers", "piece"), [(2, 3), (2, 1), (1, 64)])
def test_the_same_bytes_whatever_the_workers_and_pieces(changed: SplitView, workers: int, piece: int) -> None:
    first = compute_stats(changed)
    want = snapshot(first.folder)
    shutil.rmtree(first.folder.parent)
    again = compute_stats(changed, workers=workers, piece_samples=piece)
    assert (again.folder, snapshot(again.folder)) == (first.folder, want)
    assert [path.name for path in again.folder.parent.iterdir()] == [again.folder.name]
    assert not compute_stats(changed).fresh


@pytest.mark.parametrize("point", ["stats-piece", "derived-files", "derived-index"])
def test_a_killed_run_goes_on_where_it_was(changed: SplitView, point: str) -> None:
    want = snapshot(compute_stats(changed).folder)
    shutil.rmtree(changed.folder.with_name("tiny.derived"))
    code = (
        "import sys, hqdata; from hqdata.analysis.stats import compute_stats; "
        "compute_stats(hqdata.open(sys.argv[1]), piece_samples=4)"
    )
    words = [sys.executable, "-c", code, str(changed.definition.path)]
    killed = subprocess.run(words, check=False, timeout=60, env={**os.environ, "HQDATA_FAULT": f"after:{point}"})
    assert killed.returncode == 137
    assert changed.stats_file() is None
    told: list[int] = []
    done = compute_stats(changed, piece_samples=4, on_samples=told.append)
    assert done.reused == (1 if point == "stats-piece" else 3)
    assert (sum(told), snapshot(done.folder)) == (10, want)


def test_they_are_never_taken_for_the_collections_or_another_splits(changed: SplitView, tmp_path: Path) -> None:
    done = compute_stats(changed)
    assert find_derived(changed.folder, "stats") is None
    other = changed.split(
        save(changed.collection, tmp_path / "splits", changed.mask_ids, "other", scales=[0.9] * 10).path
    )
    assert (changed.stats_file(), other.stats_file()) == (done.folder / "split_stats.parquet", None)
    index = read_derived_index(done.folder)
    assert index is not None
    wanted = {"kind": "split_stats", "split": "some", "split_digest": changed.digest, "rows": 10}
    assert wanted.items() <= index.items()
    assert index["content_digest"] == changed.collection.digest
    again = compute_stats(other)
    assert again.folder != done.folder
    assert other.stats["width"].to_pylist() != changed.stats["width"].to_pylist()


def test_run_length_masks_are_measured_as_read(tmp_path: Path) -> None:
    many = many_masks(tmp_path / "many")
    ids = ["sa/all/0#0", "sa/all/0#2"]
    compute_stats(many)
    plain = many.split(save(many, tmp_path, ids, "plain").path)
    assert plain.stats["k"].to_pylist() == [0, 2]
    wide = many.split(save(many, tmp_path, ids, "wide", degrade=degrading("dilation", {"sa": 0.03})).path)
    compute_stats(wide)
    areas = [int((mask > 127).sum()) for mask in wide[0].each_mask()]
    assert wide.stats["area_px"].to_pylist() == areas
    assert all(area > drawn_masks()[k].sum() for area, k in zip(areas, (0, 2), strict=True))
    assert wide.stats["mask_id"].to_pylist() == ids


def test_masks_of_a_model_are_measured(tiny: Collection, tmp_path: Path) -> None:
    square = np.zeros((32, 48), bool)
    square[4:9, 10:20] = True
    rows = [{"mask_id": name, **rle.encode(square), "kept_original": False, "iou": 0.5} for name in mask_ids(tiny)]
    made = publish_masks(tiny, "square", rows, {})
    view = tiny.split(save(tiny, tmp_path, mask_ids(tiny, 4), degrade=degrading("sam", {}, name=made.name)).path)
    compute_stats(view)
    assert view.stats["area_px"].to_pylist() == [50] * 3


def test_what_is_not_there_is_named_with_its_command(tiny: Collection, changed: SplitView, tmp_path: Path) -> None:
    plain = tiny.split(save(tiny, tmp_path, mask_ids(tiny), "plain").path)
    for view in (plain, changed):
        with pytest.raises(StoreCorrupt, match="has no statistics yet") as error:
            _ = view.stats
        assert f"run `hqdata stats {view.definition.path}`" in str(error.value)
    compute_stats(plain)
    with pytest.raises(StoreCorrupt, match="has no statistics yet"):
        _ = changed.stats


def test_the_command_measures_splits(tiny: Collection, changed: SplitView, tmp_path: Path) -> None:
    done = run("stats", changed.definition.path, "--json", "--workers", "2")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["rows"], answer["fresh"]) == (10, True)
    again = run("stats", changed.definition.path)
    assert f"{answer['folder']}/split_stats.parquet: 10 masks were there already" in again.stdout
    plain = run("stats", save(tiny, tmp_path, mask_ids(tiny, 6), "plain").path)
    assert "stats.parquet: 12 masks measured" in plain.stdout
    assert hqdata.open(tmp_path / "plain.split.json").stats.num_rows == 2
