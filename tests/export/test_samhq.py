"""The released training code must find in an export the very pairs that the collection holds."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hqdata
from hqdata.catalog import load_catalog
from hqdata.errors import UsageError
from hqdata.export.samhq import export_samhq
from hqdata.pipelines.own_data import build_own
from hqdata.pipelines.recipe import Options, build_recipe
from tests.helpers import pair, snapshot, write_files

LAYOUT = {
    "dis5k-tr": ("DIS5K/DIS-TR/im", "DIS5K/DIS-TR/gt"),
    "duts-te": ("cascade_psp/DUTS-TE", "cascade_psp/DUTS-TE"),
    "duts-tr": ("cascade_psp/DUTS-TR", "cascade_psp/DUTS-TR"),
    "ecssd-all": ("cascade_psp/ecssd", "cascade_psp/ecssd"),
    "fss1000-all": ("cascade_psp/fss_all", "cascade_psp/fss_all"),
    "msra10k-all": ("cascade_psp/MSRA_10K", "cascade_psp/MSRA_10K"),
    "thinobject5k-train": (
        "thin_object_detection/ThinObject5K/images_train",
        "thin_object_detection/ThinObject5K/masks_train",
    ),
}


def released_pairs(top: Path, dataset: dict[str, str]) -> list[tuple[Path, Path]]:
    """What ``get_im_gt_name_dict`` does: glob the images, cut names at the first suffix, add the masks' one."""
    images, masks = (top / dataset[key].removeprefix("./data/") for key in ("im_dir", "gt_dir"))
    names = sorted(path.name for path in images.glob("*" + dataset["im_ext"]))
    return [(images / name, masks / (name.split(dataset["im_ext"])[0] + dataset["gt_ext"])) for name in names]


def read(out: Path) -> dict[str, tuple[Path, Path]]:
    """Pairs by sample id, as the released loader finds them."""
    found = [
        pair for dataset in json.loads((out / "datasets.json").read_text()) for pair in released_pairs(out, dataset)
    ]
    with (out / "names.csv").open(newline="") as stream:
        ids = {row["image"]: row["sample_id"] for row in csv.DictReader(stream)}
    assert len(found) == len(ids)
    return {ids[image.relative_to(out).as_posix()]: (image, mask) for image, mask in found}


@pytest.fixture(scope="module")
def exported(hqseg, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("export") / "data"
    done = export_samhq(hqseg, load_catalog(), out)
    assert (done.samples, done.linked) == (109, 0)
    return out


def test_the_released_loader_finds_every_pair(hqseg, exported):
    found = read(exported)
    assert set(found) == set(hqseg.sample_ids)
    for sample in hqseg:
        image, mask = found[sample.sample_id]
        assert image.read_bytes() == sample.row["image"]["bytes"]
        np.testing.assert_array_equal(np.asarray(Image.open(image).convert("RGB")), sample.image)
        np.testing.assert_array_equal(np.asarray(Image.open(mask)), sample.mask)


def test_the_layout_is_the_bundles(exported):
    listing = json.loads((exported / "datasets.json").read_text())
    folders = {item["name"]: (item["im_dir"], item["gt_dir"]) for item in listing}
    assert folders == {name: (f"./data/{im}", f"./data/{gt}") for name, (im, gt) in LAYOUT.items()}
    tops = {path.relative_to(exported).parts[0] for path in exported.rglob("*.jpg")}
    assert tops == {"DIS5K", "cascade_psp", "thin_object_detection"}


def test_names_are_the_bundles(exported, drawn):
    """Sources whose bundle names equal their stems come out as the bundle's own files, byte for byte."""
    import zipfile

    with zipfile.ZipFile(drawn.archives("bundle") / "samhq" / "cascade_psp.zip") as archive:
        bundle = {name: archive.read(name) for name in archive.namelist() if "/ecssd/" in name or "/fss_all/" in name}
    ours = snapshot(exported)
    ecssd = {name for name in bundle if "/ecssd/" in name}
    assert ecssd == {name for name in ours if "/ecssd/" in name}
    assert all((exported / name).read_bytes() == bundle[name] for name in ecssd)
    images = {name for name in bundle if "/fss_all/" in name and name.endswith(".jpg")}
    assert images == {name for name in ours if "/fss_all/" in name and name.endswith(".jpg")}


def test_evaluation_sets_have_their_folders(drawn, tmp_path):
    build_recipe("hq-eval", tmp_path / "eval", drawn.options("bundle"))
    export_samhq(hqdata.open(tmp_path / "eval"), load_catalog(), tmp_path / "out")
    listing = json.loads((tmp_path / "out" / "datasets.json").read_text())
    assert {item["name"]: item["gt_dir"] for item in listing} == {
        "coift-all": "./data/thin_object_detection/COIFT/masks",
        "dis5k-vd": "./data/DIS5K/DIS-VD/gt",
        "hrsod-all": "./data/thin_object_detection/HRSOD/masks_max255",
        "thinobject5k-test": "./data/thin_object_detection/ThinObject5K/masks_test",
    }
    assert len(read(tmp_path / "out")) == 12


AWKWARD = {
    "suffix inside": ["a.jpg.b", "a.png.c", "x.JPG", "y.jpeg"],
    "flattened alike": ["a/b", "a_b"],
    "three alike": ["a/b/c", "a_b/c", "a/b_c", "a_b_c"],
    "suffix and collision": ["a.jpg", "a_jpg"],
    "plain": ["1#Bag#v1.2", "空", "with space"],
}


@pytest.mark.parametrize("case", AWKWARD)
def test_awkward_names(tmp_path, case):
    stems = AWKWARD[case]
    for number, stem in enumerate(stems):
        image, mask = pair(number)
        write_files(tmp_path, {f"im/{stem}.jpg": image, f"gt/{stem}.png": mask})
    build_own(tmp_path / "im", tmp_path / "gt", "own", tmp_path / "out", Options())
    collection = hqdata.open(tmp_path / "out")
    export_samhq(collection, load_catalog(), tmp_path / "export")
    found = read(tmp_path / "export")
    assert set(found) == {f"own/all/{stem}" for stem in stems}
    for sample in collection:
        image, mask = found[sample.sample_id]
        assert (image.read_bytes(), mask.read_bytes()) == (sample.row["image"]["bytes"], sample.row["mask"]["bytes"])


def test_originals_are_linked(hqseg, exported, drawn, tmp_path):
    originals = drawn.archives("folders")
    out = tmp_path / "out"
    if originals.stat().st_dev != tmp_path.stat().st_dev:
        pytest.skip("hard links need one file system")
    done = export_samhq(hqseg, load_catalog(), out, link_from=originals)
    inodes = {path.stat().st_ino for path in originals.rglob("*") if path.is_file()}
    linked = [path for path in out.rglob("*") if path.stat().st_ino in inodes]
    reencoded = sum("mask_reencoded" in sample.flags or "mask_absent" in sample.flags for sample in hqseg)
    assert len(linked) == done.linked == 2 * 109 - reencoded
    written = [path for path in out.rglob("*") if path.is_file() and path.suffix in {".jpg", ".png"}]
    assert done.bytes_written == sum(path.stat().st_size for path in written if path not in set(linked))
    assert snapshot(out) == snapshot(exported)


def test_a_folder_with_files_is_refused(hqseg, tmp_path):
    write_files(tmp_path / "out", {"mine.txt": b"precious"})
    with pytest.raises(UsageError, match="is not empty"):
        export_samhq(hqseg, load_catalog(), tmp_path / "out")
    assert snapshot(tmp_path) == {"out/mine.txt": snapshot(tmp_path)["out/mine.txt"]}


def test_an_empty_folder_is_taken(hqseg, tmp_path):
    (tmp_path / "out").mkdir()
    assert export_samhq(hqseg, load_catalog(), tmp_path / "out").samples == 109
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_neighbours_are_left_alone(hqseg, tmp_path):
    write_files(tmp_path, {"out.partial/mine.txt": b"precious"})
    export_samhq(hqseg, load_catalog(), tmp_path / "out")
    assert (tmp_path / "out.partial" / "mine.txt").read_bytes() == b"precious"
