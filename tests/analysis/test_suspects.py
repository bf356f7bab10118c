"""Faults planted in small collections, and which kind the audit gives them; reported errata of the drawn sources."""

import dataclasses
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hqdata.analysis import suspects as module
from hqdata.analysis.corrupt import FAULTS, corrupt
from hqdata.analysis.findings import KINDS, SCHEMAS, SUSPECTS, read_findings
from hqdata.analysis.looks import COLUMNS, LOOKS_SCHEMA, compute_looks, mask_looks, sample_looks
from hqdata.analysis.mask_row import sample_rows
from hqdata.analysis.stats_table import STATS_SCHEMA
from hqdata.analysis.suspects import ERRATA, find_suspects, suspects_of
from hqdata.arrays import UInt8Array
from hqdata.errors import StoreCorrupt
from hqdata.manifest import ErratumKind
from hqdata.masks import rle
from hqdata.masks.fit import edges
from hqdata.pipelines.recipe import build_recipe
from hqdata.store.derived import find_derived
from hqdata.store.reader import Collection, Sample
from tests.helpers import Files, encoded, snapshot, tiny_source

DOCS = Path(__file__).parents[2] / "docs" / "suspects.md"
COUNT = 32
FAULT = {fault.name: fault for fault in FAULTS if fault.kind != "swapped"}


def drawing(number: int) -> tuple[UInt8Array, UInt8Array]:
    """A wavy blob with a pattern on a ground with another, 160 x 120; each one different."""
    rng = np.random.default_rng(number)
    y, x = np.mgrid[:120, :160]
    down, right = y - rng.uniform(54, 66), x - rng.uniform(68, 92)
    angle = np.arctan2(down, right)
    reach = rng.uniform(26, 34) * (1 + 0.4 * np.sin((2 + number % 5) * angle + number))
    inside = np.hypot(down, right) < reach
    ground = cv2.GaussianBlur(rng.normal(0, 90, (120, 160, 3)), (0, 0), 3) + rng.uniform(20, 80, 3)
    thing = cv2.GaussianBlur(rng.normal(0, 90, (120, 160, 3)), (0, 0), 3) + rng.uniform(160, 220, 3)
    image = np.where(inside[..., None], thing, ground) + rng.normal(0, 3, (120, 160, 3))
    return np.clip(image, 0, 255).astype(np.uint8), inside.astype(np.uint8) * np.uint8(255)


MEASURED: dict[tuple[str, ...], tuple[list[Any], list[Any]]] = {}
DRAWN = [drawing(number) for number in range(COUNT)]


def collection(folder: Path, masks: Mapping[int, UInt8Array], count: int = COUNT) -> Collection:
    """The drawings, with other masks for some."""
    files: Files = {}
    for number, (image, mask) in enumerate(DRAWN[:count]):
        files[f"images/{number:04d}.jpg"] = encoded(image, "JPEG")
        files[f"masks/{number:04d}.png"] = encoded(masks.get(number, mask))
    build_recipe("tiny", folder / "tiny", tiny_source(folder / "source", count, files=files).options())
    return Collection(folder / "tiny")


def tables(of: Collection) -> tuple[pa.Table, pa.Table]:
    """Statistics and looks; a sample that several tests hold is measured once."""
    stats, looks = [], []
    for sample in of:
        key = (sample.sample_id, sample.row["pixels_sha256"], str(sample.row["masks"])[:200])
        if key not in MEASURED:
            MEASURED[key] = list(sample_rows(sample)), list(sample_looks(sample))
        stats += MEASURED[key][0]
        looks += MEASURED[key][1]
    return pa.Table.from_pylist(stats, STATS_SCHEMA), pa.Table.from_pylist(looks, LOOKS_SCHEMA)


def name(number: int) -> str:
    return f"tiny/all/{number:04d}#0"


def found(of: Collection, **more: Any) -> list[dict[str, Any]]:
    rows = find_suspects(of, *tables(of), **more)
    assert pa.Table.from_pylist(rows, SCHEMAS[SUSPECTS]).num_rows == len(rows)
    for kind in KINDS:
        own = [row for row in rows if row["kind"] == kind]
        assert [row["rank"] for row in own] == list(range(1, len(own) + 1))
        assert sorted(own, key=lambda row: -row["score"]) == own
    assert all(0 <= row["score"] <= 1 and row["source"] == "tiny" and row["reason"] for row in rows)
    return rows


def planted(fault_name: str, number: int, seed: int = 1) -> UInt8Array:
    mask = corrupt(DRAWN[number][1], FAULT[fault_name], np.random.default_rng(seed), DRAWN[4][1])
    assert mask is not None
    return mask


@pytest.mark.parametrize("fault", ["empty", "full", "inverted", "shifted 4 %", "other", "steps 1/8", "grown 2 %"])
def test_a_planted_fault_leads_the_list_of_its_kind(tmp_path: Path, fault: str) -> None:
    rows = found(collection(tmp_path, {7: planted(fault, 7), 22: planted(fault, 22)}))
    kind = FAULT[fault].kind
    first = [row for row in rows if row["kind"] == kind][:2]
    assert {row["mask_id"] for row in first} == {name(7), name(22)}
    certain = kind in {"empty", "full"}
    assert [row["remove"] for row in first] == [row["mask_id"] if certain else None for row in first]


def test_nothing_is_said_of_good_masks(tmp_path: Path) -> None:
    assert found(collection(tmp_path, {})) == []


def test_a_shift_is_named_with_its_way_back(tmp_path: Path) -> None:
    rows = found(collection(tmp_path, {3: np.roll(DRAWN[3][1], (5, -12), (0, 1))}))
    assert [(row["mask_id"], row["kind"]) for row in rows] == [(name(3), "shifted")]
    assert "better 12 px to the right and 5 px up" in rows[0]["reason"]


def test_a_missing_half_is_told_by_outline_and_colours(tmp_path: Path) -> None:
    rows = found(collection(tmp_path, {9: planted("cut 50 %", 9)}))
    assert [row["mask_id"] for row in rows if row["kind"] == "unlabelled"] == [name(9)]
    assert "no edge" in rows[-1]["reason"]


def test_swapped_masks_name_each_other(tmp_path: Path) -> None:
    rows = found(collection(tmp_path, {5: DRAWN[17][1], 17: DRAWN[5][1]}))
    pairs = {(row["mask_id"], row["other_mask_id"]) for row in rows if row["kind"] == "swapped"}
    assert pairs == {(name(5), name(17)), (name(17), name(5))}
    assert {row["kind"] for row in rows} == {"swapped"}


def test_masks_in_a_ring_name_the_image_that_they_fit(tmp_path: Path) -> None:
    rows = found(collection(tmp_path, {5: DRAWN[17][1], 17: DRAWN[28][1], 28: DRAWN[5][1]}))
    named = {(row["mask_id"], row["other_mask_id"]) for row in rows if row["kind"] == "other_image"}
    assert named == {(name(5), name(17)), (name(17), name(28)), (name(28), name(5))}


def test_beyond_the_compared_ones_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "COMPARED", 1)
    rows = found(collection(tmp_path, {5: DRAWN[17][1], 17: DRAWN[5][1]}))
    assert {row["kind"] for row in rows} == {"other_image"}
    assert sum("not held against other images" in row["reason"] for row in rows) == 1


def test_five_samples_are_enough(tmp_path: Path) -> None:
    rows = found(collection(tmp_path, {1: planted("shifted 8 %", 1), 3: planted("full", 3)}, count=5))
    assert {(row["mask_id"], row["kind"]) for row in rows} == {(name(1), "shifted"), (name(3), "full")}


def test_a_limit_says_what_it_left_out(tmp_path: Path) -> None:
    moved = {number: planted("shifted 8 %", number) for number in (2, 4, 6)}
    empty = {number: np.zeros((120, 160), np.uint8) for number in (8, 10)}
    rows = found(collection(tmp_path, {**moved, **empty}), limit=1)
    assert [row["kind"] for row in rows] == ["empty", "empty", "shifted"]
    assert rows[-1]["reason"].endswith("; 2 more of lower score are not listed")
    assert "not listed" not in rows[0]["reason"] + rows[1]["reason"]


def test_tables_of_other_masks_are_refused(tmp_path: Path) -> None:
    of = collection(tmp_path, {}, count=5)
    stats, looks = tables(of)
    with pytest.raises(StoreCorrupt, match="of different masks"):
        find_suspects(of, stats, looks.slice(1))


def test_every_word_for_an_erratum_has_a_meaning() -> None:
    assert set(ERRATA) == set(ErratumKind.__args__)


def test_the_reported_errata_of_the_drawn_sources_are_listed(hqseg: Collection) -> None:
    rows = find_suspects(hqseg, *tables(hqseg))
    listed = {row["mask_id"]: row for row in rows if row["kind"] == "erratum"}
    known = {f"{sample.sample_id}#0": sample.errata for sample in hqseg if sample.errata}
    assert listed.keys() == known.keys()
    assert {word for words in known.values() for word in words} >= {"wrong_mask", "unlabelled", "extra_file"}
    for mask_id, words in known.items():
        assert listed[mask_id]["remove"] == (None if words == ("extra_file",) else mask_id)
    wrong = {mask_id for mask_id, words in known.items() if words == ("wrong_mask",)}
    seen = {row["mask_id"] for row in rows if row["kind"] in {"swapped", "other_image", "shifted", "coarse"}}
    assert wrong <= seen
    empty = {f"{sample.sample_id}#0" for sample in hqseg if not (sample.mask > 127).any()}
    assert {row["mask_id"] for row in rows if row["kind"] == "empty"} == empty


class Many:
    """The same collection, three run-length masks an image: one full, one inverted, one as it is."""

    def __init__(self, of: Collection) -> None:
        self.folder = of.folder
        self.rows = [dataclasses.replace(sample, row=self._row(sample)) for sample in of]
        nothing = pa.nulls(len(self.rows), of.table.schema.field("mask").type)
        self.table = of.table.set_column(of.table.schema.get_field_index("mask"), "mask", nothing)

    def _row(self, sample: Sample) -> dict[str, Any]:
        masks = [np.full_like(sample.mask, 255), 255 - sample.mask, sample.mask]
        return {**sample.row, "mask": None, "masks": [rle.encode(mask) for mask in masks]}

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.rows)


def test_of_many_masks_in_an_image_none_must_hold_the_object(tmp_path: Path) -> None:
    of: Any = Many(collection(tmp_path, {}, count=6))
    assert tables(of)[0].num_rows == 18
    assert [row for row in find_suspects(of, *tables(of)) if row["kind"] in {"full", "inverted", "unlabelled"}] == []


def test_faint_backgrounds_draw_no_outline() -> None:
    image, mask = DRAWN[0]
    faint = np.where(mask > 0, mask, 90).astype(np.uint8)
    assert mask_looks(edges(image), image, faint) == mask_looks(edges(image), image, mask)


def test_the_table_is_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of = collection(tmp_path, {7: planted("full", 7)}, count=12)
    told: list[int] = []
    folder = suspects_of(of, on_samples=told.append)
    assert sum(told) == 12
    table = read_findings(folder, SUSPECTS)
    assert table.schema.equals(SCHEMAS[SUSPECTS])
    assert table["mask_id"].to_pylist() == [name(7)]
    assert find_derived(of.folder, SUSPECTS) == folder
    before = snapshot(folder.parent)
    monkeypatch.setattr(module, "find_suspects", None)
    assert suspects_of(of) == folder
    assert snapshot(folder.parent) == before


def test_the_same_bytes_whatever_the_workers(tmp_path: Path) -> None:
    of = collection(tmp_path, {}, count=6)
    first = compute_looks(of)
    want = snapshot(first.folder)
    rows = pq.read_table(first.folder / "looks.parquet")
    assert rows.schema.names == LOOKS_SCHEMA.names
    assert rows["mask_id"].to_pylist() == [name(number) for number in range(6)]
    shutil.rmtree(first.folder.parent)
    assert snapshot(compute_looks(of, workers=2, piece_samples=2).folder) == want


def test_the_page_shows_the_table_and_the_kinds() -> None:
    text = DOCS.read_text()
    rows = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in text.splitlines()]
    for column, arrow, unit, meaning in COLUMNS:
        assert [f"`{column}`", {"double": "float64"}.get(str(arrow), str(arrow)), unit, meaning] in rows
    assert all(f"`{kind}`" in text for kind in KINDS)
