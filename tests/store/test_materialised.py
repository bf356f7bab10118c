"""Masks that a model made beforehand: published once, checked, named by their content, read through a split."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hqdata.arrays import UInt8Array
from hqdata.errors import StoreCorrupt, UsageError
from hqdata.masks import rle
from hqdata.masks.rescale import rescale
from hqdata.pipelines.recipe import build_recipe
from hqdata.store.derived import all_derived
from hqdata.store.materialised import MASKS_SCHEMA, Materialised, publish_masks, read_masks
from hqdata.store.reader import Collection
from hqdata.store.view import SplitView
from tests.export.many import many_masks
from tests.helpers import snapshot, tiny_source
from tests.store.saved import degrading, save

FACTS = {"model": "a stand-in", "least_iou": 0.9}


@pytest.fixture
def tiny(tmp_path: Path) -> Collection:
    """Six small pairs with soft edges."""
    build_recipe("tiny", tmp_path / "tiny", tiny_source(tmp_path / "source", 6).options())
    return Collection(tmp_path / "tiny")


def stand_in(mask: UInt8Array) -> UInt8Array:
    """What a model might say: the mask without its rim."""
    return np.asarray(cv2.erode((mask > 127).astype(np.uint8), np.ones((3, 3), np.uint8)))


def rows_of(collection: Collection, kept: tuple[int, ...] = (2,)) -> list[dict[str, Any]]:
    """Rows for every mask; those at the positions ``kept`` are not replaced."""
    rows = []
    for position, sample in enumerate(collection):
        for mask_id, mask in zip(sample.mask_ids, sample.each_mask(), strict=True):
            new, old = stand_in(mask).astype(bool), mask > 127
            iou = float((new & old).sum() / max(1, (new | old).sum()))
            code = rle.encode(new) if position not in kept else {"size": None, "counts": None}
            rows.append({"mask_id": mask_id, **code, "kept_original": position in kept, "iou": iou})
    return rows


def view_of(collection: Collection, folder: Path, name: str, scale: float | None = None) -> SplitView:
    ids = [mask_id for sample in collection for mask_id in sample.mask_ids]
    scales = [scale] * len(ids) if scale else None
    split = save(collection, folder, ids, scales=scales, degrade=degrading("sam", {}, name=name))
    return collection.split(split.path)


def test_a_split_reads_them_hard_edged_and_the_original_where_it_was_kept(tiny: Collection, tmp_path: Path) -> None:
    before = snapshot(tiny.folder)
    made = publish_masks(tiny, "eroded", rows_of(tiny), FACTS)
    view = view_of(tiny, tmp_path / "splits", made.name)
    for position, sample in enumerate(view):
        stored = tiny[position].mask
        hard = (stored > 127).astype(np.uint8)
        np.testing.assert_array_equal(sample.mask, (hard if position == 2 else stand_in(stored)) * 255)
        np.testing.assert_array_equal(sample.image, tiny[position].image)
        assert set(np.unique(stored)) - {0, 255}
    assert snapshot(tiny.folder) == before


def test_a_scaled_split_reads_them_scaled(tiny: Collection, tmp_path: Path) -> None:
    made = publish_masks(tiny, "eroded", rows_of(tiny, kept=()), FACTS)
    view = view_of(tiny, tmp_path / "splits", made.name, scale=0.5)
    for position, sample in enumerate(view):
        wanted = rescale(stand_in(tiny[position].mask) * np.uint8(255), 0.5) > 127
        np.testing.assert_array_equal(sample.mask, wanted * np.uint8(255))


def test_run_length_masks_are_replaced_too(tmp_path: Path) -> None:
    many = many_masks(tmp_path / "many")
    made = publish_masks(many, "eroded", rows_of(many, kept=()), FACTS)
    sample = view_of(many, tmp_path / "splits", made.name)[0]
    for found, code, stored in zip(sample.each_mask(), sample.masks, many[0].each_mask(), strict=True):
        np.testing.assert_array_equal(found, stand_in(stored) * 255)
        assert code["counts"] == rle.encode(stand_in(stored))["counts"]


def test_the_table_and_its_index_say_what_was_made(tiny: Collection) -> None:
    made = publish_masks(tiny, "eroded", reversed(rows_of(tiny)), FACTS)
    table = pq.read_table(made.folder / "masks.parquet")
    assert table.schema.equals(MASKS_SCHEMA)
    assert table["mask_id"].to_pylist() == [f"{name}#0" for name in tiny.sample_ids]
    assert table["kept_original"].to_pylist() == [position == 2 for position in range(6)]
    assert all(0.5 < value < 1 for value in table["iou"].to_pylist())
    [(index, folder)] = all_derived(tiny.folder, "masks")
    assert folder == made.folder
    wanted = {"name": made.name, "rows": 6, "kept_original": 1, "made": FACTS, "content_digest": tiny.digest}
    assert wanted.items() <= index.items()


def test_another_content_has_another_name_an_equal_one_is_kept(tiny: Collection) -> None:
    first = publish_masks(tiny, "eroded", rows_of(tiny), FACTS)
    before = snapshot(first.folder.parent)
    assert publish_masks(tiny, "eroded", rows_of(tiny), FACTS) == first
    assert snapshot(first.folder.parent) == before
    others = [
        publish_masks(tiny, "eroded", rows_of(tiny, kept=()), FACTS),
        publish_masks(tiny, "eroded", rows_of(tiny), {**FACTS, "least_iou": 0.8}),
        publish_masks(tiny, "other", rows_of(tiny), FACTS),
    ]
    assert len({first.name, *(made.name for made in others)}) == 4
    assert [made.name.startswith("eroded-") for made in others] == [True, True, False]
    assert len(all_derived(tiny.folder, "masks")) == 4


CHANGES: dict[str, Callable[[list[dict[str, Any]]], object]] = {
    "an unknown mask": lambda rows: rows[0].update(mask_id="tiny/all/9999#0"),
    "an unknown number": lambda rows: rows[0].update(mask_id="tiny/all/0000#1"),
    "a mask twice": lambda rows: rows.append(rows[0]),
    "another size": lambda rows: rows[0].update(rle.encode(np.ones((4, 4), bool))),
    "no code": lambda rows: rows[0].update(counts=None),
    "a code that is not read": lambda rows: rows[0].update(kept_original=True),
}


@pytest.mark.parametrize("change", CHANGES)
def test_rows_that_do_not_fit_are_refused_and_nothing_is_written(tiny: Collection, change: str) -> None:
    rows = rows_of(tiny)
    CHANGES[change](rows)
    with pytest.raises(UsageError, match="does not fit"):
        publish_masks(tiny, "eroded", rows, FACTS)
    with pytest.raises(UsageError, match="cannot be named"):
        publish_masks(tiny, "../x", rows_of(tiny), FACTS)
    assert not tiny.folder.with_name("tiny.derived").exists()


def test_masks_that_are_not_there_are_an_error_that_says_who_makes_them(tiny: Collection, tmp_path: Path) -> None:
    made = publish_masks(tiny, "eroded", rows_of(tiny), FACTS)
    view = view_of(tiny, tmp_path / "splits", "sam-l-00000000")
    with pytest.raises(StoreCorrupt, match="no masks 'sam-l-00000000' that a model made") as error:
        view[0].mask  # noqa: B018
    assert f"got:      {made.name}\n" in str(error.value)
    assert "hqdata.training" in str(error.value)


def test_masks_that_lack_some_are_an_error(tiny: Collection, tmp_path: Path) -> None:
    made = publish_masks(tiny, "eroded", rows_of(tiny)[:4], FACTS)
    with pytest.raises(StoreCorrupt, match="lack 2 of 6\n  got:      none for tiny/all/0004#0"):
        view_of(tiny, tmp_path / "splits", made.name).read_mask("tiny/all/0000#0")
    ids = pa.chunked_array([["tiny/all/0003#0", "tiny/all/0001#0"]])
    assert read_masks(tiny.folder, made.name, ids)["mask_id"].to_pylist() == ids.to_pylist()


def test_a_damaged_table_is_an_error(tiny: Collection, tmp_path: Path) -> None:
    made: Materialised = publish_masks(tiny, "eroded", rows_of(tiny), FACTS)
    path = made.folder / "masks.parquet"
    content = bytearray(path.read_bytes())
    content[60] ^= 4
    path.write_bytes(content)
    with pytest.raises(StoreCorrupt, match=r"masks\.parquet cannot be read"):
        view_of(tiny, tmp_path / "splits", made.name)[0].mask  # noqa: B018
