"""Statistics of whole collections: one table, one schema, the same bytes however they are computed."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pycocotools import mask as coco

import hqdata
from hqdata.analysis import measure as module
from hqdata.analysis.mask_row import mask_figures, sample_rows
from hqdata.analysis.stats import compute_stats
from hqdata.analysis.stats_table import STATS, STATS_SCHEMA
from hqdata.errors import StoreCorrupt
from hqdata.masks import rle
from hqdata.pipelines.recipe import build_recipe
from hqdata.schema import Record
from hqdata.store.derived import find_derived
from hqdata.store.index import FORMAT, content_digest
from hqdata.store.reader import Collection, Sample
from hqdata.store.writer import file_row, publish, write_rejects, write_shard
from tests.helpers import hqdata as run
from tests.helpers import pair, snapshot, tiny_source
from tests.masks.shapes import disk

DOCS = Path(__file__).parents[2] / "docs" / "statistics.md"


@pytest.fixture
def tiny(tmp_path: Path) -> Collection:
    """Twelve small pairs."""
    build_recipe("tiny", tmp_path / "tiny", tiny_source(tmp_path / "source", 12).options())
    return Collection(tmp_path / "tiny")


def test_the_table_is_the_schema() -> None:
    assert STATS_SCHEMA.names == [stat.name for stat in STATS]
    assert len(set(STATS_SCHEMA.names)) == len(STATS)
    assert all(STATS_SCHEMA.field(stat.name).type == stat.arrow for stat in STATS)
    assert all(stat.formula and stat.source and stat.safe in {"yes", "roughly", "no", "-"} for stat in STATS)


def test_scales_are_named_as_they_are_compared() -> None:
    by_name = {stat.name: stat for stat in STATS}
    for name, stat in by_name.items():
        if name.endswith("_rel"):
            assert (stat.safe in {"yes", "roughly"}, stat.unit) == (True, "1"), name
            assert {name[:-4] + "_px", name[:-4] + "_1024"} <= by_name.keys()
        if name.endswith("_px") and stat.unit.startswith("px"):
            assert stat.safe == "no", name


def test_the_page_shows_the_table() -> None:
    rows = [line.strip("| ").split(" | ") for line in DOCS.read_text().splitlines() if line.startswith("| `")]
    want = [[f"`{s.name}`", s.dtype, s.unit, s.safe, s.formula.replace("|", "\\|"), s.source] for s in STATS]
    assert [[cell.strip() for cell in row] for row in rows] == want


def test_every_mask_of_the_drawn_sources_is_a_row(hqseg: Collection) -> None:
    done = compute_stats(hqseg, workers=2)
    try:
        table = Collection(hqseg.folder).stats
    finally:
        shutil.rmtree(done.folder.parent)
    assert table.schema.equals(STATS_SCHEMA)
    assert table["mask_id"].to_pylist() == [f"{name}#0" for name in hqseg.sample_ids]
    rows = table.to_pylist()
    for position in range(0, len(rows), 9):
        sample, row = hqseg[position], rows[position]
        assert (row["source"], row["part"], row["width"], row["height"]) == (sample.source, sample.part, *sample.size)
        binary = np.asfortranarray((sample.mask > 127).astype(np.uint8))
        assert row["area_px"] == binary.sum()
        assert row["rle_bytes"] == len(coco.encode(binary)["counts"])
    assert {row["area_px"] == 0 for row in rows if row["ipq_px"] is None} <= {True}
    safe = [stat.name for stat in STATS if stat.name.endswith("_rel") and not stat.name.startswith(("box", "b"))]
    assert all(row[name] >= 0 for row in rows for name in safe if row[name] is not None)


@pytest.mark.parametrize(("workers", "piece"), [(1, 5), (2, 5), (2, 1), (1, 64)])
def test_the_same_bytes_whatever_the_workers_and_pieces(tiny: Collection, workers: int, piece: int) -> None:
    first = compute_stats(tiny)
    assert (first.rows, first.fresh) == (12, True)
    want = snapshot(first.folder)
    shutil.rmtree(first.folder.parent)
    again = compute_stats(tiny, workers=workers, piece_samples=piece)
    assert again.folder == first.folder
    assert snapshot(again.folder) == want
    assert [path.name for path in again.folder.parent.iterdir()] == [again.folder.name]


def test_the_collection_stays_as_it_is_and_a_second_run_finds_the_first(tiny: Collection) -> None:
    before = snapshot(tiny.folder)
    first = compute_stats(tiny)
    again = compute_stats(tiny)
    assert (again.fresh, again.rows, again.folder) == (False, 12, first.folder)
    assert snapshot(tiny.folder) == before
    assert find_derived(tiny.folder, "stats") == first.folder


@pytest.mark.parametrize("point", ["stats-piece", "derived-files", "derived-index"])
def test_a_killed_run_goes_on_where_it_was(tiny: Collection, point: str) -> None:
    want = snapshot(compute_stats(tiny).folder)
    shutil.rmtree(tiny.folder.with_name("tiny.derived"))
    code = (
        "import sys; from hqdata.store.reader import Collection; from hqdata.analysis.stats import compute_stats; "
        "compute_stats(Collection(sys.argv[1]), piece_samples=4)"
    )
    killed = run_python(code, tiny.folder, env={"HQDATA_FAULT": f"after:{point}"})
    assert killed.returncode == 137
    assert find_derived(tiny.folder, "stats") is None
    told: list[int] = []
    done = compute_stats(tiny, piece_samples=4, on_samples=told.append)
    assert done.reused == (1 if point == "stats-piece" else 3)
    assert sum(told) == 12
    assert snapshot(done.folder) == want


def run_python(code: str, folder: Path, env: dict[str, str]) -> Any:
    return subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        check=False,
        timeout=60,
        capture_output=True,
        env={**os.environ, **env},
    )


def test_a_script_without_a_guard_fails_and_says_so(tiny: Collection, tmp_path: Path) -> None:
    """Its workers would import it, and with it wait for the table that waits for them."""
    code = (
        "import sys; from hqdata.store.reader import Collection; from hqdata.analysis.stats import compute_stats\n"
        "compute_stats(Collection(sys.argv[1]), workers=2, piece_samples=4)\n"
    )
    (tmp_path / "script.py").write_text(code)
    words = [sys.executable, str(tmp_path / "script.py"), str(tiny.folder)]
    done = subprocess.run(words, check=False, timeout=60, capture_output=True, text=True)
    assert done.returncode == 1
    assert "HQDataError: a worker process imports the script that started it, and runs its calls again" in done.stderr
    assert "put the script's calls below `if __name__ == " in done.stderr
    assert "HQDataError: a worker process was killed" in done.stderr.splitlines()[-3]
    assert find_derived(tiny.folder, "stats") is None
    (tmp_path / "script.py").write_text(code.replace("\ncompute", "\nif __name__ == '__main__': compute"))
    subprocess.run(words, check=True, timeout=60)
    assert find_derived(tiny.folder, "stats") is not None


def test_a_damaged_piece_is_measured_again(tiny: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    want = snapshot(compute_stats(tiny).folder)
    shutil.rmtree(tiny.folder.with_name("tiny.derived"))
    monkeypatch.setattr(module, "_join", fail)
    with pytest.raises(OSError, match="stopped"):
        compute_stats(tiny, piece_samples=4)
    monkeypatch.undo()
    pieces = sorted(tiny.folder.with_name("tiny.derived").glob("*.partial/piece-*"))
    assert len(pieces) == 3
    content = bytearray(pieces[1].read_bytes())
    content[len(content) // 3] ^= 1
    pieces[1].write_bytes(content)
    pieces[2].write_bytes(content[:50])
    done = compute_stats(tiny, piece_samples=4)
    assert done.reused == 1
    assert snapshot(done.folder) == want


def fail(*_: object) -> int:
    raise OSError("stopped")


def test_statistics_of_other_content_are_not_read(tmp_path: Path, tiny: Collection) -> None:
    compute_stats(tiny)
    assert tiny.stats.num_rows == 12
    shutil.rmtree(tiny.folder)
    build_recipe("tiny", tiny.folder, tiny_source(tmp_path / "other", 4, seed=7).options())
    with pytest.raises(StoreCorrupt, match="run `hqdata stats "):
        _ = Collection(tiny.folder).stats
    done = compute_stats(Collection(tiny.folder))
    assert (done.fresh, Collection(tiny.folder).stats.num_rows) == (True, 4)


def many_masks(folder: Path) -> Collection:
    """Two images, with three masks and with none."""
    height, width = 60, 90
    drawn = [np.pad(disk(50, radius), ((5, 5), (20, 20))) for radius in (5, 12, 24)]
    item = dict.fromkeys(["id", "area", "bbox", "category_id", "iscrowd", "predicted_iou", "stability_score"])
    records = []
    for number, masks in enumerate((drawn, [])):
        image, _ = pair(number, width, height)
        records.append(
            Record(
                sample_id=f"sa/all/{number}",
                source="sa",
                part="all",
                image=image,
                image_suffix=".jpg",
                mask=None,
                mask_suffix=".png",
                masks=tuple({**item, **rle.encode(mask)} for mask in masks),
                width=width,
                height=height,
                image_sha256=str(number),
                mask_sha256=None,
                pixels_sha256=str(number),
                flags=(),
                errata=(),
            )
        )
    partial = folder.with_name("making")
    partial.mkdir()
    write_shard(partial / "sa-00000.arrow", records, 1 << 20)
    write_rejects(partial, [])
    index = {
        "format": FORMAT,
        "rows": 2,
        "recipe": {"name": "sa"},
        "content_digest": content_digest((r.sample_id, r.image_sha256, r.pixels_sha256) for r in records),
        "files": [file_row(partial, name) for name in ("rejects.parquet", "sa-00000.arrow")],
    }
    publish(partial, folder, index)
    return Collection(folder)


def test_run_length_masks_get_a_row_each(tmp_path: Path) -> None:
    collection = many_masks(tmp_path / "many")
    compute_stats(collection)
    rows = collection.stats.to_pylist()
    assert [row["mask_id"] for row in rows] == ["sa/all/0#0", "sa/all/0#1", "sa/all/0#2"]
    assert [row["k"] for row in rows] == [0, 1, 2]
    assert [row["area_px"] for row in rows] == [int(disk(50, radius).sum()) for radius in (5, 12, 24)]
    assert len({row["image_phash"] for row in rows}) == 1
    assert {row["soft_px"] for row in rows} == {0}


def test_a_mask_of_another_size_than_its_image_is_an_error(tmp_path: Path) -> None:
    row = many_masks(tmp_path / "many")[0].row
    row["masks"][1].update(rle.encode(disk(50, 9)))
    with pytest.raises(StoreCorrupt, match="mask 1 of sa/all/0 has another size"):
        list(sample_rows(Sample(row)))


def test_one_shape_at_two_resolutions_agrees_in_the_scales_that_are_safe() -> None:
    small, large = (mask_figures(disk(side, 0.35 * side) * np.uint8(255)) for side in (256, 1024))
    assert large["area_px"] == large["area_1024"]
    assert large["area_px"] == pytest.approx(16 * small["area_px"], rel=0.01)
    for name in ("boundary", "width_max", "width_mean", "box_w", "area"):
        whole = 256 * 256 if name == "area" else np.hypot(256, 256)
        assert small[f"{name}_rel"] == pytest.approx(small[f"{name}_px"] / whole)
        assert small[f"{name}_rel"] == pytest.approx(large[f"{name}_rel"], rel=0.03)
        assert small[f"{name}_1024"] == pytest.approx(large[f"{name}_1024"], rel=0.06)
    for name in ("solidity", "band_share", "largest_share"):
        assert small[f"{name}_1024"] == pytest.approx(large[f"{name}_1024"], rel=0.02)


@pytest.mark.parametrize("value", [0, 255])
def test_empty_and_full_masks_have_rows_too(value: int) -> None:
    figures = mask_figures(np.full((20, 30), value, np.uint8))
    assert figures["area_rel"] == value // 255
    assert (figures["ipq_px"] is None) is (value == 0)
    assert figures["soft_width_px"] is None
    types = {stat.name: stat.arrow for stat in STATS}
    assert all(pa.scalar(held, types[name]).is_valid is (held is not None) for name, held in figures.items())


def test_the_command_measures_and_describes(tiny: Collection) -> None:
    done = run("stats", tiny.folder, "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["rows"], answer["fresh"]) == (12, True)
    assert pq.read_schema(Path(answer["folder"]) / "stats.parquet").names == STATS_SCHEMA.names
    again = run("stats", tiny.folder)
    assert "12 masks were there already, " in again.stdout
    described = json.loads(run("stats", "--describe", "--json").stdout)
    assert [row["name"] for row in described] == STATS_SCHEMA.names
    assert run("stats").returncode == 2
    assert hqdata.open(tiny.folder).stats.num_rows == 12
