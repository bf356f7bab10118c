"""What pycocotools finds in a COCO export is what the collection holds."""

import contextlib
import io
import json
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

import hqdata
from hqdata.catalog import load_catalog
from hqdata.errors import UsageError
from hqdata.export.coco import export_coco
from hqdata.pipelines.own_data import build_own
from hqdata.pipelines.recipe import Options
from tests.export.many import ATTRIBUTES, drawn_masks, many_masks
from tests.helpers import encoded, pair, snapshot, write_files

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
EMPTY = "fss1000/all/bamboo_slip/7"


def opened(out: Path) -> COCO:
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(out / "annotations.json")


def box_of(mask: np.ndarray) -> list[int]:
    """Left, top, width, height of what is set, the plain way."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return [columns[0], rows[0], columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1]


@pytest.fixture(scope="module")
def exported(hqseg, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("coco") / "out"
    done = export_coco(hqseg, load_catalog(), out)
    size = sum(len(sample.row["image"]["bytes"]) for sample in hqseg)
    empty = sum(not (sample.mask > 127).any() for sample in hqseg)
    assert 0 < empty < len(hqseg)
    assert (done.images, done.annotations, done.empty_masks) == (len(hqseg), len(hqseg) - empty, empty)
    assert done.bytes_written == size
    return out


def test_every_mask_is_the_collections(hqseg, exported):
    truth = opened(exported)
    images = {row["sample_id"]: row for row in truth.dataset["images"]}
    assert list(images) == list(hqseg.sample_ids)
    for sample in hqseg:
        row = images[sample.sample_id]
        found = truth.loadAnns(truth.getAnnIds(imgIds=row["id"]))
        assert (row["width"], row["height"]) == sample.size
        assert (tuple(row["flags"]), tuple(row["errata"])) == (sample.flags, sample.errata)
        mask = sample.mask > 127
        if not mask.any():
            assert found == []
            assert f"{sample.sample_id}#0" in truth.dataset["info"]["empty_masks"]
            continue
        (item,) = found
        np.testing.assert_array_equal(truth.annToMask(item), mask)
        assert item["area"] == mask.sum()
        assert item["bbox"] == box_of(mask)
        assert (item["iscrowd"], item["category_id"], item["mask_id"]) == (0, 1, f"{sample.sample_id}#0")


def test_image_files_are_the_collections(hqseg, exported):
    rows = opened(exported).dataset["images"]
    for row in rows:
        content = (exported / "images" / row["file_name"]).read_bytes()
        assert content == hqseg[row["sample_id"]].row["image"]["bytes"]
    files = {path.relative_to(exported / "images").as_posix() for path in (exported / "images").rglob("*.*")}
    assert files == {row["file_name"] for row in rows}


@pytest.mark.parametrize("kind", ["segm", "bbox"])
def test_the_truth_scores_one(exported, kind):
    truth = opened(exported)
    with contextlib.redirect_stdout(io.StringIO()):
        detected = truth.loadRes([{**item, "score": 1.0} for item in truth.dataset["annotations"]])
        judge = COCOeval(truth, detected, kind)
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    assert judge.stats[0] == 1.0


def test_what_the_file_says_of_itself(hqseg, exported):
    data = opened(exported).dataset
    assert data["categories"] == [{"id": 1, "name": "object", "supercategory": "object"}]
    assert data["info"]["content_digest"] == hqseg.digest
    assert f"{EMPTY}#0" in data["info"]["empty_masks"]
    assert data["info"]["description"].startswith("Drawn by hqdata; not the real datasets.")
    named = {row["id"]: row["source"] for row in data["licenses"]}
    assert {row["name"] for row in data["licenses"]} >= {"ECSSD (drawn stand-in): Apache-2.0"}
    assert all(named[row["license"]] == row["sample_id"].split("/")[0] for row in data["images"])


def test_many_masks_keep_their_attributes(tmp_path):
    done = export_coco(many_masks(tmp_path / "many"), load_catalog(), tmp_path / "out")
    assert (done.images, done.annotations, done.empty_masks) == (2, 3, 1)
    truth = opened(tmp_path / "out")
    assert truth.dataset["info"]["empty_masks"] == ["sa/all/0#3"]
    assert [row["sample_id"] for row in truth.dataset["images"]] == ["sa/all/0", "sa/all/1"]
    for k, mask in enumerate(drawn_masks()[:3]):
        item = truth.anns[k + 1]
        np.testing.assert_array_equal(truth.annToMask(item), mask)
        assert (item["area"], item["bbox"], item["mask_id"]) == (mask.sum(), box_of(mask), f"sa/all/0#{k}")
    kept = [
        set(truth.anns[k + 1]) & {*ATTRIBUTES[0], *ATTRIBUTES[1], "source_id", "source_category_id"} for k in range(3)
    ]
    always = {"id", "area", "bbox"}
    assert kept == [
        always | {"predicted_iou", "stability_score", "source_id"},
        always | {"crop_box", "point_coords", "source_id"},
        always | {"source_category_id"},
    ]
    assert [truth.anns[number]["iscrowd"] for number in (1, 2, 3)] == [0, 0, 1]
    assert (truth.anns[1]["source_id"], truth.anns[3]["source_category_id"]) == (71, 18)
    assert truth.anns[2]["point_coords"] == [[47.0, 31.0]]


NAMES = {
    "plain": (["a", "B-2", "x.y"], ["B-2", "a", "x.y"]),
    "unsafe": (["1#Bag#v 1", "a:b?", 'q"<>|*'], ["1_Bag_v_1", "a_b_", "q_"]),
    "folders": (["a/b", "a_b"], ["a_b", "a_b~2"]),
    "case": (["A", "a"], ["A", "a~2"]),
    "letters": (["空", "é"], ["é", "空"]),
    "dots": (["x...", "x"], ["x", "x~2"]),
    "nothing left": (["#"], ["_"]),
    "long": (["n" * 150, "n" * 151], ["n" * 100, "n" * 100 + "~2"]),
}


@pytest.mark.parametrize("case", NAMES)
def test_names_of_files(tmp_path, case):
    stems, expected = NAMES[case]
    for number, stem in enumerate(stems):
        image, mask = pair(number)
        write_files(tmp_path, {f"im/{stem}.jpg": image, f"gt/{stem}.png": mask})
    build_own(tmp_path / "im", tmp_path / "gt", "own", tmp_path / "built", Options())
    collection = hqdata.open(tmp_path / "built")
    export_coco(collection, load_catalog(), tmp_path / "out")
    names = [row["file_name"] for row in opened(tmp_path / "out").dataset["images"]]
    assert names == [f"own/all/{unicodedata.normalize('NFC', stem)}.jpg" for stem in expected]
    assert all((tmp_path / "out" / "images" / name).is_file() for name in names)


def test_a_file_has_the_suffix_of_its_content(tmp_path):
    picture = np.zeros((8, 9, 3), np.uint8)
    mask = np.zeros((8, 9), np.uint8)
    mask[2:4, 3:5] = 255
    write_files(
        tmp_path,
        {
            "im/a.png": encoded(picture),
            "im/b.bmp": encoded(picture, "BMP"),
            "gt/a.png": encoded(mask),
            "gt/b.png": encoded(mask),
        },
    )
    build_own(tmp_path / "im", tmp_path / "gt", "own", tmp_path / "built", Options())
    export_coco(hqdata.open(tmp_path / "built"), load_catalog(), tmp_path / "out")
    assert [row["file_name"] for row in opened(tmp_path / "out").dataset["images"]] == [
        "own/all/a.png",
        "own/all/b.bmp",
    ]


def test_annotations_alone(hqseg, exported, tmp_path):
    done = export_coco(hqseg, load_catalog(), tmp_path / "out", images=False)
    assert (done.images, done.bytes_written) == (len(hqseg), 0)
    assert snapshot(tmp_path) == {"out/annotations.json": snapshot(exported)["annotations.json"]}


def test_the_same_bytes_again(hqseg, exported, tmp_path):
    export_coco(hqseg, load_catalog(), tmp_path / "out")
    assert snapshot(tmp_path / "out") == snapshot(exported)
    assert json.loads((exported / "annotations.json").read_text())["images"]


def test_a_folder_with_files_is_refused(hqseg, tmp_path):
    write_files(tmp_path / "out", {"mine.txt": b"precious"})
    with pytest.raises(UsageError, match="is not an empty folder"):
        export_coco(hqseg, load_catalog(), tmp_path / "out")
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "mine.txt"]
