"""A split read as a collection: which samples and masks, what their pixels are, and that nothing is copied."""

import copy
import itertools
import multiprocessing
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pytest
from pycocotools import mask as coco

import hqdata
from hqdata.errors import StoreCorrupt, UsageError
from hqdata.masks.degrade import KINDS, STRENGTHS, degrade, rng_of
from hqdata.masks.rescale import rescale, scaled_size
from hqdata.pipelines.recipe import build_recipe
from hqdata.store.reader import Collection
from hqdata.store.split import Split, write_split
from hqdata.store.view import SplitView, open_view
from hqdata.store.writer import write_dataset_files
from tests.export.many import drawn_masks, many_masks
from tests.helpers import pair, pixels_of, tiny_source
from tests.store.saved import degrading, facts_of, ids_table, save

SOURCES = ("dis5k", "duts", "ecssd", "fss1000", "msra10k", "thinobject5k")


def some_masks(collection: Collection, step: int = 3) -> list[str]:
    return sorted(f"{name}#0" for name in collection.sample_ids[::step])


@pytest.fixture
def plain(hqseg: Collection, tmp_path: Path) -> SplitView:
    """Every third sample."""
    return hqseg.split(save(hqseg, tmp_path, some_masks(hqseg)).path)


@pytest.fixture
def many(tmp_path: Path) -> Collection:
    """Two images: with four masks and with none."""
    made = many_masks(tmp_path / "many")
    write_dataset_files(made.folder, "Sa", ["sa-00000.arrow"])
    return made


def test_it_behaves_as_a_collection(hqseg: Collection, plain: SplitView) -> None:
    ids = some_masks(hqseg)
    assert plain.mask_ids == ids
    assert [f"{name}#0" for name in plain.sample_ids] == ids
    assert len(plain) == len(ids) == plain.table.num_rows == 37
    assert [sample.sample_id for sample in plain] == list(plain.sample_ids)
    assert plain[-1].row == plain[len(ids) - 1].row == hqseg[ids[-1].removesuffix("#0")].row
    assert plain[plain.sample_ids[4]].row == plain[np.int64(4)].row
    assert [hqseg.sample_ids[position] for position in plain.positions] == list(plain.sample_ids)
    assert plain.folder == hqseg.folder
    assert plain.rejects.equals(hqseg.rejects)
    assert plain.digest not in {hqseg.digest, ""}
    assert repr(plain) == f"<SplitView some: 37 samples, 37 masks, {plain.digest[:12]}>"
    for key, error in ((37, IndexError), (-38, IndexError), (hqseg.sample_ids[1], KeyError)):
        with pytest.raises(error):
            plain[key]


def test_a_plain_split_reads_what_is_stored(hqseg: Collection, plain: SplitView) -> None:
    for position in range(0, len(plain), 6):
        sample, stored = plain[position], hqseg[plain.sample_ids[position]]
        assert (sample.size, sample.flags, sample.mask_ids, sample.ks) == (
            stored.size,
            stored.flags,
            (f"{stored.sample_id}#0",),
            (0,),
        )
        np.testing.assert_array_equal(sample.image, stored.image)
        np.testing.assert_array_equal(sample.mask, stored.mask)
        np.testing.assert_array_equal(next(sample.each_mask()), stored.mask)
        np.testing.assert_array_equal(plain.read_mask(plain.mask_ids[position]), stored.mask)
        assert [up.shape for up in sample.upright()] == [up.shape for up in stored.upright()]
    with pytest.raises(KeyError):
        plain.read_mask(f"{hqseg.sample_ids[1]}#0")
    with pytest.raises(KeyError):
        plain.read_mask(f"{plain.sample_ids[1]}#1")


def pixel_buffers(table: pa.Table) -> list[tuple[int, int]]:
    """First address and the one after the last of encoded pixels."""
    chunks = [chunk for name in ("image", "mask") for chunk in table.column(name).chunks]
    buffers = [chunk.field("bytes").buffers()[2] for chunk in chunks]
    return [(buffer.address, buffer.address + buffer.size) for buffer in buffers]


def test_no_pixel_is_copied(hqseg: Collection, tmp_path: Path) -> None:
    """Every buffer of the view's table lies within a buffer of the collection's, which is memory-mapped."""
    split = save(hqseg, tmp_path, some_masks(hqseg, 2))
    assert hqseg.table.nbytes > 2_000_000
    before = pa.total_allocated_bytes()
    view = hqseg.split(split.path)
    table = view.table
    assert pa.total_allocated_bytes() - before < 200_000
    mapped = pixel_buffers(hqseg.table)
    held = pixel_buffers(table)
    assert len(held) > 50
    assert all(any(low <= start and end <= high for low, high in mapped) for start, end in held)
    assert table.column("sample_id").to_pylist() == list(view.sample_ids)
    assert table.slice(7, 1).to_pylist()[0] == view[7].row


def test_it_opens_by_its_path_alone(hqseg: Collection, tmp_path: Path) -> None:
    split = save(hqseg, tmp_path, some_masks(hqseg, 20))
    opened = hqdata.open(str(split.path))
    assert isinstance(opened, SplitView)
    assert opened.sample_ids == hqseg.split(str(split.path)).sample_ids
    assert opened.split(split.path).sample_ids == opened.sample_ids
    assert isinstance(hqdata.open(hqseg.folder), Collection)
    assert not isinstance(hqdata.open(hqseg.folder), SplitView)


def test_other_processes_read_it(hqseg: Collection, tmp_path: Path) -> None:
    ids = some_masks(hqseg, 15)
    split = save(
        hqseg, tmp_path, ids, scales=[0.5] * len(ids), degrade=degrading("shift", dict.fromkeys(SOURCES, 0.03))
    )
    view = hqseg.split(split.path)
    view.table  # noqa: B018 - the memory maps are open now, and must not be sent
    assert len(pickle.dumps(view)) < 20_000
    expected = [pixels_of(view, position) for position in range(len(view))]
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert list(pool.map(pixels_of, [view] * len(view), range(len(view)))) == expected


def test_a_split_that_was_replaced_is_no_longer_the_one_that_was_sent(hqseg: Collection, tmp_path: Path) -> None:
    view = hqseg.split(save(hqseg, tmp_path, some_masks(hqseg, 20)).path)
    write_split(tmp_path, "some", hqseg.folder, facts_of(hqseg), ids_table(some_masks(hqseg, 30)), replace=True)
    with pytest.raises(StoreCorrupt, match="was replaced while it was in use"):
        copy.copy(view)  # by the same way as to another process


def test_weights_are_of_the_ids(hqseg: Collection, tmp_path: Path, plain: SplitView) -> None:
    ids = some_masks(hqseg, 40)
    view = hqseg.split(save(hqseg, tmp_path / "w", ids, weights=[0.25, 0.5, 2.25]).path)
    assert view.weights.tolist() == [0.25, 0.5, 2.25]
    assert set(plain.weights.tolist()) == {1.0}


@pytest.mark.parametrize(
    ("mask_ids", "example"),
    [
        (["ecssd/all/0001#0", "ecssd/all/nothing#0"], "ecssd/all/nothing#0"),
        (["ecssd/all/0001#1"], "ecssd/all/0001#1"),
        (["ecssd/all/0001"], "ecssd/all/0001"),
        (["ecssd/all/0001#x"], "ecssd/all/0001#x"),
        ([""], "such as \n"),
    ],
)
def test_masks_that_are_not_there_are_named(
    hqseg: Collection, tmp_path: Path, mask_ids: list[str], example: str
) -> None:
    split = save(hqseg, tmp_path, mask_ids)
    with pytest.raises(StoreCorrupt, match=f"1 of {len(mask_ids)}, such as") as error:
        hqseg.split(split.path)
    assert example in str(error.value)


def test_what_cannot_be_read_is_found_when_it_is_opened(hqseg: Collection, many: Collection, tmp_path: Path) -> None:
    short = save(hqseg, tmp_path / "a", some_masks(hqseg), degrade=degrading("dilation", {"duts": 0.01}))
    with pytest.raises(StoreCorrupt, match="no strength for dis5k, ecssd, fss1000, msra10k, thinobject5k"):
        hqseg.split(short.path)
    for number, scale in enumerate((1.5, 0.0)):
        split = save(hqseg, tmp_path / f"b{number}", some_masks(hqseg)[:1], scales=[scale])
        with pytest.raises(StoreCorrupt, match="a scale that is not above 0 and at most 1"):
            hqseg.split(split.path)
    unequal = save(many, tmp_path / "c", ["sa/all/0#0", "sa/all/0#2"], scales=[0.5, 0.25])
    with pytest.raises(StoreCorrupt, match="or two of one image"):
        many.split(unequal.path)


def test_a_split_of_nothing_is_empty(hqseg: Collection, many: Collection, tmp_path: Path) -> None:
    for number, collection in enumerate((hqseg, many)):
        view = collection.split(save(collection, tmp_path / str(number), []).path)
        assert (len(view), view.sample_ids, view.mask_ids, list(view)) == (0, (), [], [])
        assert view.table.equals(collection.table.slice(0, 0))
        assert len(view.to_hf()) == 0


# pixels as read


@pytest.mark.parametrize(
    ("size", "scale", "want"),
    [((400, 300), 0.5, (200, 150)), ((5, 3), 0.1, (1, 1)), ((2250, 1500), 0.2, (450, 300)), ((7, 7), 1, (7, 7))],
)
def test_sizes_are_rounded_and_never_nothing(size: tuple[int, int], scale: float, want: tuple[int, int]) -> None:
    assert scaled_size(*size, scale) == want
    assert rescale(np.zeros(size[::-1], np.uint8), scale).shape == want[::-1]


@pytest.mark.parametrize("scale", [0, -1, 1.01, float("nan")])
def test_images_are_never_enlarged(scale: float) -> None:
    with pytest.raises(UsageError, match="only ever read smaller"):
        scaled_size(4, 4, scale)


def test_halving_is_the_mean_of_four() -> None:
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    means = pixels.reshape(4, 2, 4, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(rescale(pixels, 0.5), means, atol=0.51)


def test_scaled_samples_are_those_that_opencv_makes(hqseg: Collection, tmp_path: Path) -> None:
    ids = some_masks(hqseg, 12)
    scales: list[float | None] = [1.0 / (1 + number % 3 * 0.7) for number in range(len(ids))]
    scales[1] = None
    view = hqseg.split(save(hqseg, tmp_path, ids, scales=scales).path)
    for sample, scale in zip(view, scales, strict=True):
        stored = hqseg[sample.sample_id]
        width, height = (round(side * (scale or 1)) for side in stored.size)
        assert sample.size == (width, height) == sample.image.shape[1::-1] == sample.mask.shape[::-1]
        for pixels, original in ((sample.image, stored.image), (sample.mask, stored.mask)):
            wanted = cv2.resize(original, (width, height), interpolation=cv2.INTER_AREA)
            np.testing.assert_array_equal(pixels, original if scale in {1, None} else wanted)
        assert (sample.encoded is None) is (scale not in {1, None})
        assert sample.picture().size == (width, height)


@pytest.mark.parametrize("kind", KINDS)
def test_masks_are_degraded_as_their_source_asks(hqseg: Collection, tmp_path: Path, kind: str) -> None:
    ids = some_masks(hqseg, 7)
    strengths = {source: 0.004 * number if kind in STRENGTHS else 0.0 for number, source in enumerate(SOURCES, start=1)}
    view = hqseg.split(save(hqseg, tmp_path, ids, degrade=degrading(kind, strengths, seed=8)).path)
    changed = 0
    for sample in view:
        stored = hqseg[sample.sample_id]
        wanted = degrade(stored.mask, kind, strengths[sample.source], rng_of(8, f"{sample.sample_id}#0"))
        np.testing.assert_array_equal(sample.mask, wanted)
        np.testing.assert_array_equal(view.read_mask(f"{sample.sample_id}#0"), wanted)
        np.testing.assert_array_equal(sample.image, stored.image)
        assert (sample.size, sample.encoded) == (stored.size, stored.row["image"]["bytes"])
        changed += bool((wanted != stored.mask).any())
    assert changed > 3


def test_scale_comes_before_degradation(hqseg: Collection, tmp_path: Path) -> None:
    ids = some_masks(hqseg, 16)
    how = degrading("erosion", dict.fromkeys(SOURCES, 0.02))
    view = hqseg.split(save(hqseg, tmp_path, ids, scales=[0.5] * len(ids), degrade=how).path)
    for mask_id in ids:
        small = rescale(hqseg[mask_id.removesuffix("#0")].mask, 0.5)
        np.testing.assert_array_equal(view.read_mask(mask_id), degrade(small, "erosion", 0.02, rng_of(5, mask_id)))


def test_an_emptied_mask_stays_empty(hqseg: Collection, tmp_path: Path) -> None:
    how = degrading("erosion", dict.fromkeys(SOURCES, 1.0))
    view = hqseg.split(save(hqseg, tmp_path, some_masks(hqseg, 10), degrade=how).path)
    assert {int(sample.mask.max()) for sample in view} == {0}


def test_pixels_are_decoded_when_they_are_asked_for(hqseg: Collection, tmp_path: Path) -> None:
    view = hqseg.split(save(hqseg, tmp_path, some_masks(hqseg)[:1], scales=[0.5]).path)
    sample = view[0]
    assert sample.size
    assert not {"image", "mask", "masks"} & vars(sample).keys()
    assert sample.mask is sample.mask
    assert "image" not in vars(sample)


# many masks an image


def test_a_sample_holds_the_selected_masks_and_knows_their_numbers(many: Collection, tmp_path: Path) -> None:
    view = many.split(save(many, tmp_path, ["sa/all/0#0", "sa/all/0#2"]).path)
    (sample,) = view
    whole = many[0]
    assert (whole.ks, sample.ks, sample.mask_ids) == ((0, 1, 2, 3), (0, 2), ("sa/all/0#0", "sa/all/0#2"))
    assert sample.masks == [whole.masks[0], whole.masks[2]]
    for k, found in zip((0, 2), sample.each_mask(), strict=True):
        np.testing.assert_array_equal(found, drawn_masks()[k] * np.uint8(255))
        np.testing.assert_array_equal(view.read_mask(f"sa/all/0#{k}"), found)
    with pytest.raises(KeyError):
        view.read_mask("sa/all/0#1")
    assert many[1].ks == ()


@pytest.mark.parametrize("scale", [None, 0.5])
def test_run_length_masks_are_degraded_too(many: Collection, tmp_path: Path, scale: float | None) -> None:
    ids = [f"sa/all/0#{k}" for k in (0, 1, 3)]
    how = degrading("dilation", {"sa": 0.04})
    view = many.split(save(many, tmp_path, ids, scales=[scale] * 3 if scale else None, degrade=how).path)
    (sample,) = view
    assert sample.image.shape[:2] == sample.size[::-1]
    for mask_id, code, found in zip(ids, sample.masks, sample.each_mask(), strict=True):
        k = int(mask_id[-1])
        stored = drawn_masks()[k] * np.uint8(255)
        wanted = degrade(rescale(stored, scale or 1), "dilation", 0.04, rng_of(5, mask_id))
        np.testing.assert_array_equal(found, wanted)
        again = coco.encode(np.asfortranarray(wanted // 255))
        assert (code["size"], code["counts"]) == (list(again["size"]), again["counts"].decode())
        assert (code["area"], code["bbox"], code["id"]) == (None, None, many[0].masks[k]["id"])


def test_the_order_is_that_of_the_ids_the_masks_of_an_image_together(many: Collection, tmp_path: Path) -> None:
    """Ids are sorted as text, so that other samples may stand between two masks of one; k rises all the same."""
    view = many.split(save(many, tmp_path, ["sa/all/0#3", "sa/all/0#1"]).path)
    assert view[0].ks == (1, 3)
    assert view.mask_ids == ["sa/all/0#3", "sa/all/0#1"]


# through Hugging Face datasets


def as_arrays(row: dict[str, Any]) -> tuple[str, np.ndarray, np.ndarray]:
    return row["sample_id"], np.asarray(row["image"].convert("RGB")), np.asarray(row["mask"])


def test_hugging_face_selects_rows_of_a_plain_split(hqseg: Collection, plain: SplitView) -> None:
    found = plain.to_hf()
    assert found.features == hqseg.to_hf().features
    assert found.format["type"] is None
    assert found._indices is not None
    for row, sample in zip(found, plain, strict=True):
        name, image, mask = as_arrays(row)
        assert name == sample.sample_id
        np.testing.assert_array_equal(image, sample.image)
        np.testing.assert_array_equal(mask, sample.mask)


@pytest.fixture
def changed(hqseg: Collection, tmp_path: Path) -> SplitView:
    ids = some_masks(hqseg, 9)
    how = degrading("polygon", dict.fromkeys(SOURCES, 0.02))
    return hqseg.split(save(hqseg, tmp_path, ids, scales=[0.4, *[None] * (len(ids) - 1)], degrade=how).path)


def test_hugging_face_gives_pixels_as_read(hqseg: Collection, changed: SplitView) -> None:
    found = changed.to_hf()
    assert found.features == hqseg.to_hf().features
    for row, sample in zip(found, changed, strict=True):
        name, image, mask = as_arrays(row)
        assert (name, row["width"], row["height"]) == (sample.sample_id, *sample.size)
        assert row["image"].size == row["mask"].size == sample.size
        assert row["flags"] == list(sample.flags)
        np.testing.assert_array_equal(image, sample.image)
        np.testing.assert_array_equal(mask, sample.mask)
    few = found.shuffle(seed=3).select([0, 4]).select_columns(["sample_id", "mask"])
    for row in few:
        np.testing.assert_array_equal(np.asarray(row["mask"]), changed[row["sample_id"]].mask)
    with pytest.raises(UsageError, match="keep the column sample_id"):
        found.select_columns(["mask"])[0]


def hf_pixels(found: Any, position: int) -> tuple[str, int, int]:
    name, image, mask = as_arrays(found[position])
    return name, int(image.sum()), int(mask.sum())


def test_hugging_face_reads_it_in_other_processes(changed: SplitView) -> None:
    found = changed.to_hf()
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        seen = list(pool.map(hf_pixels, [found] * len(found), range(len(found))))
    assert seen == [(item.sample_id, int(item.image.sum()), int(item.mask.sum())) for item in changed]


@pytest.mark.parametrize("how", [None, degrading("dilation", {"sa": 0.04})], ids=["plain", "degraded"])
def test_hugging_face_gives_the_selected_masks(many: Collection, tmp_path: Path, how: Any) -> None:
    ids = ["sa/all/0#0", "sa/all/0#2"]
    view = many.split(save(many, tmp_path, ids, degrade=how).path)
    (row,) = view.to_hf()
    assert row["mask"] is None
    assert [code["counts"] for code in row["masks"]] == [code["counts"] for code in view[0].masks]
    assert [code["id"] for code in row["masks"]] == [71, None]
    every = many.split(save(many, tmp_path, [f"sa/all/0#{k}" for k in range(4)], "every").path)
    assert every.to_hf().format["type"] is None


def test_every_column_survives_the_transform(changed: SplitView) -> None:
    whole = changed.collection.to_hf().select(changed.positions)
    for name in set(whole.column_names) - {"image", "mask", "width", "height"}:
        assert [row[name] for row in changed.to_hf()] == [row[name] for row in whole], name


def opened_by(view: SplitView) -> list[Callable[[], SplitView]]:
    return [
        lambda: open_view(view.definition.path),
        lambda: open_view(view.definition.path, view.collection),
        lambda: SplitView(view.definition, view.collection),
        lambda: copy.copy(view),
    ]


def test_all_ways_of_opening_give_the_same(changed: SplitView) -> None:
    views = [opened() for opened in opened_by(changed)]
    for one, other in itertools.pairwise([changed, *views]):
        assert (one.digest, one.sample_ids) == (other.digest, other.sample_ids)
        np.testing.assert_array_equal(one[0].mask, other[0].mask)


def test_a_definition_is_all_that_the_files_say(changed: SplitView) -> None:
    assert isinstance(changed.definition, Split)
    assert changed.definition.changes_pixels
    assert changed.index == changed.collection.index


def test_names_may_hold_the_sign_that_parts_them(tmp_path: Path) -> None:
    stems = ["1#Cup#2#Wide#7", "1#Cup", "1", "0#0"]
    files = {}
    for number, stem in enumerate(stems):
        image, mask = pair(number)
        files |= {f"images/{stem}.jpg": image, f"masks/{stem}.png": mask}
    build_recipe("tiny", tmp_path / "tiny", tiny_source(tmp_path / "source", 4, files=files).options())
    collection = Collection(tmp_path / "tiny")
    ids = sorted(f"tiny/all/{stem}#0" for stem in stems)
    view = collection.split(save(collection, tmp_path, ids).path)
    assert [sample.mask_ids for sample in view] == [(mask_id,) for mask_id in ids]
    for mask_id in ids:
        np.testing.assert_array_equal(view.read_mask(mask_id), collection[mask_id.removesuffix("#0")].mask)
