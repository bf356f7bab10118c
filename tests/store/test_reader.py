"""Reading a collection: rows, pixels, processes, and the same files through other libraries."""

import io
import multiprocessing
import pickle
import zipfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import skimage.io
from PIL import Image

import hqdata
from hqdata.errors import HQDataError
from hqdata.pipelines.own_data import build_own
from hqdata.pipelines.recipe import Options
from hqdata.store.reader import Collection, Sample
from tests.helpers import encoded, pair, pixels_of, sha256, write_files


def test_length_order_and_ids(hqseg):
    ids = hqseg.sample_ids
    assert len(hqseg) == len(ids) == len(set(ids)) == 109
    assert list(ids) == sorted(ids, key=lambda name: (name.split("/")[0], name))
    assert [sample.sample_id for sample in hqseg] == list(ids)
    assert hqseg[0].sample_id == ids[0]
    assert hqseg[-1].sample_id == ids[-1]
    assert hqseg[ids[40]].row == hqseg[40].row


@pytest.mark.parametrize(("key", "error"), [(109, IndexError), (-110, IndexError), ("no/such/id", KeyError)])
def test_what_is_not_there(hqseg, key, error):
    with pytest.raises(error):
        hqseg[key]


def test_open_takes_text_and_paths(hqseg):
    assert hqdata.open(str(hqseg.folder)).digest == hqdata.open(hqseg.folder).digest == hqseg.digest
    assert "HQSeg" in repr(hqseg) or "hqseg-44k" in repr(hqseg)


def test_pixels_are_those_of_the_files(hqseg):
    for sample in hqseg:
        image, mask = (sample.row[side]["bytes"] for side in ("image", "mask"))
        assert image
        assert mask
        np.testing.assert_array_equal(sample.image, np.asarray(Image.open(io.BytesIO(image)).convert("RGB")))
        np.testing.assert_array_equal(sample.mask, np.asarray(Image.open(io.BytesIO(mask))))
        np.testing.assert_array_equal(sample.mask, skimage.io.imread(io.BytesIO(mask)))
        assert sample.image.dtype == sample.mask.dtype == np.uint8
        assert sample.image.shape[:2] == sample.mask.shape == sample.size[::-1]


def test_bytes_are_the_archives_own(hqseg, drawn):
    """Every image as it lies in its archive; masks, too, unless a flag says that they were re-encoded."""
    members = set()
    for path in drawn.archives("official").rglob("*.zip"):
        with zipfile.ZipFile(path) as archive:
            members |= {sha256(archive.read(name)) for name in archive.namelist()}
    for sample in hqseg:
        assert sha256(sample.row["image"]["bytes"]) == sample.row["image_sha256"]
        assert sample.row["image_sha256"] in members
        if "mask_absent" in sample.flags:
            assert sample.row["mask_sha256"] is None
            continue
        assert sample.row["mask_sha256"] in members
        kept = sha256(sample.row["mask"]["bytes"]) == sample.row["mask_sha256"]
        assert kept != ("mask_reencoded" in sample.flags)


def test_soft_masks_keep_their_greys(hqseg):
    soft = [sample for sample in hqseg if "mask_soft" in sample.flags]
    assert len(soft) == 53
    for sample in hqseg:
        grey = bool(((sample.mask > 0) & (sample.mask < 255)).any())
        assert grey == ("mask_soft" in sample.flags)
        assert bool((sample.mask > 127).any()) == ("empty_mask" not in sample.flags)


def test_errata_and_flags_of_single_samples(hqseg):
    assert hqseg["fss1000/all/bamboo_slip/7"].errata == ("unlabelled",)
    assert hqseg["fss1000/all/bamboo_slip/7"].flags == ("empty_mask", "mask_absent")
    assert hqseg["msra10k/all/97915"].errata == ("mislabelled",)
    assert hqseg["ecssd/all/0002"].flags == ("image_grey",)
    assert hqseg["duts/tr/n04442312_17818"].errata == ("wrong_mask",)
    assert (hqseg[0].part, hqseg[0].source) == tuple(hqseg[0].sample_id.split("/")[1::-1])


def test_other_processes_read_it(hqseg):
    positions = range(0, 109, 12)
    expected = [pixels_of(hqseg, position) for position in positions]
    hqseg.table  # noqa: B018 - the memory maps are open now, and must not be sent
    assert len(pickle.dumps(hqseg)) < 20_000
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        found = list(pool.map(pixels_of, [hqseg] * len(positions), positions))
    assert found == expected


def test_as_a_map_style_dataset(hqseg):
    """What a torch DataLoader does: a shuffled sampler, batches, a collate function."""
    order = np.random.default_rng(0).permutation(len(hqseg))
    seen = []
    for start in range(0, len(order), 8):
        batch = [hqseg[int(position)] for position in order[start : start + 8]]
        areas = np.array([(sample.mask > 127).sum() for sample in batch])
        assert areas.shape == (len(batch),)
        seen += [sample.sample_id for sample in batch]
    assert sorted(seen) == sorted(hqseg.sample_ids)


def test_numpy_positions_are_positions(hqseg):
    assert hqseg[np.int64(3)].sample_id == hqseg[3].sample_id


def test_rows_are_memory_mapped(hqseg):
    import pyarrow as pa

    before = pa.total_allocated_bytes()
    collection = Collection(hqseg.folder)
    table = collection.table
    assert table.nbytes > 2_000_000
    assert pa.total_allocated_bytes() - before < table.nbytes // 10
    assert collection[5].image.any()


def test_no_file_stays_open(hqseg):
    descriptors = Path("/proc/self/fd")
    if not descriptors.is_dir():
        pytest.skip("open files are counted in /proc, which is not here")
    before = len(list(descriptors.iterdir()))
    held = [Collection(hqseg.folder) for _ in range(20)]
    assert all(len(collection.table) == 109 for collection in held)
    assert len(list(descriptors.iterdir())) - before < 20


def test_rejects_are_a_table(hqseg):
    assert hqseg.rejects.column_names == ["source", "archive", "member", "stage", "reason", "detail"]
    assert hqseg.rejects.num_rows == 8


def turned(quarter_turns: int) -> tuple[bytes, np.ndarray]:
    """A JPEG that is stored turned and tagged so that it shows upright, with the mask as it shows."""
    rng = np.random.default_rng(4)
    shown = np.kron(rng.integers(0, 256, (3, 4, 3), np.uint8), np.ones((16, 16, 1), np.uint8))
    picture = Image.fromarray(np.ascontiguousarray(np.rot90(shown, quarter_turns)))
    exif = Image.Exif()
    exif[0x0112] = {1: 6, 3: 8}[quarter_turns]
    stream = io.BytesIO()
    picture.save(stream, "JPEG", exif=exif, quality=95)
    return stream.getvalue(), shown


@pytest.mark.parametrize("quarter_turns", [1, 3])
def test_upright(tmp_path, quarter_turns):
    image, shown = turned(quarter_turns)
    mask = np.where(shown[..., 0] > 127, 255, 0).astype(np.uint8)
    write_files(tmp_path, {"im/a.jpg": image, "gt/a.png": encoded(mask)})
    build_own(tmp_path / "im", tmp_path / "gt", "mine", tmp_path / "out", Options())
    sample = hqdata.open(tmp_path / "out")[0]
    assert sample.orientation in {6, 8}
    assert sample.flags == ("mask_reencoded", "mask_turned", f"orientation_{sample.orientation}")
    assert sample.image.shape == (64, 48, 3)
    assert sample.size == (48, 64)
    assert len(sample.row["image"]["bytes"]) == len(image)
    up, up_mask = sample.upright()
    np.testing.assert_array_equal(up_mask, mask)
    assert np.abs(up.astype(int) - shown).mean() < 12
    assert Image.open(io.BytesIO(sample.row["image"]["bytes"])).getexif().get(0x0112, 1) == 1


def test_a_sample_without_single_mask_says_so():
    row = {"sample_id": "a/b/c", "mask": None, "masks": None, "flags": []}
    assert Sample(row).masks == []
    with pytest.raises(HQDataError, match="has no single mask"):
        Sample(row).mask  # noqa: B018


def test_one_pair_is_a_collection(tmp_path):
    image, mask = pair(1)
    write_files(tmp_path, {"im/a.jpg": image, "gt/a.png": mask})
    build_own(tmp_path / "im", tmp_path / "gt", "mine", tmp_path / "out", Options())
    assert [sample.row["mask"]["bytes"] for sample in hqdata.open(tmp_path / "out")] == [mask]


def test_hugging_face_opens_the_folder_as_it_lies(hqseg):
    import datasets

    files = {path: path.stat().st_mtime_ns for path in hqseg.folder.iterdir()}
    found = datasets.load_from_disk(str(hqseg.folder))
    assert len(found) == len(hqseg.to_hf()) == 109
    assert isinstance(found.features["image"], datasets.Image)
    for row, sample in zip(found, hqseg, strict=True):
        assert row["sample_id"] == sample.sample_id
        assert row["image"].size == row["mask"].size == sample.size
        np.testing.assert_array_equal(np.asarray(row["image"].convert("RGB")), sample.image)
        np.testing.assert_array_equal(np.asarray(row["mask"]), sample.mask)
    assert {path: path.stat().st_mtime_ns for path in hqseg.folder.iterdir()} == files


def test_hugging_face_filters_and_keeps_features(hqseg):
    found = hqseg.to_hf().select_columns(["sample_id", "source", "flags", "width"])
    assert found.features["flags"].feature.dtype == "string"
    ecssd = [row["sample_id"] for row in found if row["source"] == "ecssd"]
    assert ecssd == [f"ecssd/all/{number:04d}" for number in (*range(1, 5), *range(901, 908))]
