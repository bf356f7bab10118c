"""Real files, packed as their datasets pack them: what is known of them must come out, whatever the form.

They are no part of the repository; without them these tests skip.
"""

import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hqdata
from hqdata.analysis.diff import diff
from hqdata.pipelines.own_data import build_own
from hqdata.pipelines.recipe import Options, build_recipe
from hqdata.store.reader import Collection
from hqdata.store.verify import verify
from tests.helpers import Files, write_files, write_zip

DUTS_NAMED = ("ILSVRC2014_train_00023530", "n01532829_13482", "n04442312_17818", "n07768694_21801")
Packing = dict[str, dict[str, tuple[str, str]]]

# archive: top folder in it: (folder of the real files, files)
SOURCES: dict[str, Packing] = {
    "ecssd": {
        "images.zip": {"images": ("ECSSD/images", "*.jpg")},
        "ground_truth_mask.zip": {"ground_truth_mask": ("ECSSD/ground_truth_mask", "*.png")},
    },
    "duts": {
        "DUTS-TR.zip": {
            "DUTS-TR/DUTS-TR-Image": ("DUTS/DUTS-TR/DUTS-TR-Image", "*.jpg"),
            "DUTS-TR/DUTS-TR-Mask": ("DUTS/DUTS-TR/DUTS-TR-Mask", "*.png"),
        }
    },
    "msra10k": {"MSRA10K_Imgs_GT.zip": {"MSRA10K_Imgs_GT/Imgs": ("MSRA10K/MSRA10K_Imgs_GT/Imgs", "*")}},
    "dis5k": {
        "DIS5K-drive.zip": {
            "DIS5K/DIS-VD/im": ("DIS5K/DIS-TE-sample/im", "*.jpg"),
            "DIS5K/DIS-VD/gt": ("DIS5K/DIS-TE-sample/gt", "*.png"),
        }
    },
    "fss1000": {
        "fewshot_data.zip": {
            "fewshot_data/fewshot_data/african_elephant": ("FSS-1000/african_elephant", "*"),
            "fewshot_data/fewshot_data/unlabelled": ("FSS-1000/_unlabelled", "*"),
        }
    },
}
RGB_MASKS = 3  # the three errata of DUTS-TR, as they lie in today's copies
EXPECTED = {
    # rows, counts of flags that are known, errata, rejects by reason
    "ecssd": (400, {"image_grey": 1, "mask_soft": 0, "empty_mask": 0, "mask_reencoded": 0}, {}, {}),
    "duts": (304, {"mask_rgb": RGB_MASKS, "mask_reencoded": RGB_MASKS, "full_mask": 0}, {"wrong_mask": 3}, {}),
    "msra10k": (5, {"mask_reencoded": 0}, {}, {}),
    "dis5k": (3, {"mask_reencoded": 0, "empty_mask": 0}, {}, {}),
    "fss1000": (5, {"mask_rgb": 5, "mask_channels_differ": 5, "mask_soft": 5}, {}, {"stray": 1}),
}
FIRST = 300


def chosen(paths: Iterable[Path], source: str) -> list[Path]:
    """All files; of DUTS the first few hundred, and those that something is known of."""
    paths = sorted(paths)
    return [p for n, p in enumerate(paths) if source != "duts" or n < FIRST or p.stem in DUTS_NAMED]


def pack(real: Path, source: str, folder: Path) -> None:
    """Write a source's official archives, and the same files unpacked."""
    for archive, tops in SOURCES[source].items():
        files: Files = {}
        for top, (where, pattern) in tops.items():
            files |= {f"{top}/{p.name}": p.read_bytes() for p in chosen((real / where).glob(pattern), source)}
        write_zip(folder / "zips" / source / archive, files)
        write_files(folder / "folders" / source, files)


def build(source: str, folder: Path, form: str) -> Collection:
    options = Options(archives=folder / form, offline=True, partial=True, accepted=(source, "samhq"))
    build_recipe(source, folder / f"out-{form}", options)
    return hqdata.open(folder / f"out-{form}")


@pytest.mark.parametrize("source", SOURCES)
def test_a_source(real, tmp_path, home, source):
    pack(real, source, tmp_path)
    rows, flags, errata, rejects = EXPECTED[source]
    zipped, unpacked = build(source, tmp_path, "zips"), build(source, tmp_path, "folders")
    index = zipped.index
    assert index["rows"] == rows
    assert {flag: index["flags"].get(flag, 0) for flag in flags} == flags
    assert (index["errata"], index["rejects"]) == (errata, rejects)
    assert index["shortfall"]
    assert not index["recipe"]["synthetic"]
    assert zipped.digest == unpacked.digest
    assert diff(zipped, unpacked) == []
    assert verify(zipped.folder, deep=True) == []
    check_pixels(zipped)


def check_pixels(collection: Collection) -> None:
    """Images and masks are what Pillow sees in the stored bytes, and of one size."""
    for sample in collection:
        with Image.open(io.BytesIO(sample.row["mask"]["bytes"])) as mask:
            assert mask.mode == "L"
            np.testing.assert_array_equal(sample.mask, np.asarray(mask))
        assert sample.image.shape == (*sample.mask.shape, 3)


def test_duts_masks_are_read_above_127(real, tmp_path, home):
    """One mask has 5 as its background: not zero, and not foreground."""
    pack(real, "duts", tmp_path)
    mask = build("duts", tmp_path, "zips")["duts/tr/n07768694_21801"].mask
    assert int(np.bincount(mask.ravel()).argmax()) == 5
    assert (mask > 0).mean() > 0.9
    assert 0 < (mask > 127).mean() < 0.5


def test_pascal_s_as_own_data(real, tmp_path):
    build_own(real / "PASCAL-S" / "images", real / "PASCAL-S" / "masks", "pascal-s", tmp_path / "out", Options())
    collection = hqdata.open(tmp_path / "out")
    empty = {sample.sample_id for sample in collection if "empty_mask" in sample.flags}
    assert len(collection) == 100
    assert empty == {f"pascal-s/all/{number}" for number in (359, 408, 424, 460, 622)}
    greys = [len(np.unique(sample.mask)) for sample in collection]
    assert max(greys) <= 8
    assert collection.index["flags"]["mask_soft"] == sum(
        bool(((sample.mask > 0) & (sample.mask < 255)).any()) for sample in collection
    )
    assert verify(tmp_path / "out", deep=True) == []


def test_msra_demo_as_own_data(real, tmp_path):
    """One mask of another size, two of one bit a pixel, one with 246 grey levels."""
    folder = real / "MSRA10K" / "SMD-demo"
    build_own(folder / "INPUT_IMG", folder / "GROUND_TRUTH", "smd", tmp_path / "out", Options())
    collection = hqdata.open(tmp_path / "out")
    (row,) = collection.rejects.to_pylist()
    assert (len(collection), row["reason"], Path(row["member"]).stem) == (7, "size_mismatch", "11987")
    assert "300x212" in row["detail"]
    assert "400x283" in row["detail"]
    assert collection.index["flags"]["mask_1bit"] == 2
    assert len(np.unique(collection["smd/all/126766"].mask)) == 246


def test_fss_example_coded_0_and_1(real, tmp_path):
    folder = real / "FSS-1000" / "hkustcv_example_support"
    build_own(folder / "image", folder / "label", "example", tmp_path / "out", Options())
    collection = hqdata.open(tmp_path / "out")
    assert len(collection) == 5
    assert collection.index["flags"]["mask_01"] == 5
    assert all(set(np.unique(sample.mask)) == {0, 255} for sample in collection)


def test_matting_as_own_data(real, tmp_path):
    """Soft alphas keep their greys."""
    folder = real / "matting" / "foamliu"
    patterns = {"image_pattern": "{stem}_image.png", "mask_pattern": "{stem}_alpha.png"}
    build_own(folder, folder, "matting", tmp_path / "out", Options(), **patterns)
    collection = hqdata.open(tmp_path / "out")
    assert len(collection) == 10
    assert collection.index["flags"]["mask_soft"] == 10
    assert collection.index["rejects"] == {}
