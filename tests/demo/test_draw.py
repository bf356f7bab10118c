"""Drawings are deterministic, their masks fit their images, and each kind looks like its source."""

import functools
import hashlib
import subprocess
import sys

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco

from hqdata.demo.backdrop import SETTINGS
from hqdata.demo.compose import FOOTING
from hqdata.demo.draw import ICON_CLASSES, PLANS, STYLES, VOCABULARY, draw, draw_scene, render
from hqdata.errors import UsageError

# pycocotools decodes through an __array__ without the copy keyword of NumPy 2
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

KINDS = ("intricate", "thin", "salient", "icon")
AREA = {"intricate": (0.02, 0.7), "thin": (0.003, 0.5), "salient": (0.03, 0.75), "icon": (0.03, 0.8)}
RECORD_KEYS = {"id", "segmentation", "bbox", "area", "predicted_iou", "stability_score", "crop_box", "point_coords"}


def rng(*seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@functools.cache
def sample(kind: str, name: str):
    return render(kind, rng(len(name), ord(name[0])), subject=name)


def digest(*arrays: np.ndarray) -> str:
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()


def thin_share(mask: np.ndarray) -> float:
    """Share of the mask's pixels that lie within 0.6 % of the diagonal from its edge."""
    solid = (mask > 127).astype(np.uint8)
    depth = cv2.distanceTransform(solid, cv2.DIST_L2, 5)
    return float((depth[solid > 0] <= 0.006 * np.hypot(*mask.shape) + 1).mean())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_same_seed_same_bytes(kind, seed):
    one, two, other = draw(kind, rng(seed)), draw(kind, rng(seed)), draw(kind, rng(seed, 1))
    assert digest(one.image, one.mask) == digest(two.image, two.mask)
    assert digest(one.image, one.mask) != digest(other.image, other.mask)


def test_same_bytes_in_another_process():
    code = (
        "import hashlib, numpy as np; from hqdata.demo.draw import draw; d = draw('thin', np.random.default_rng(7));"
        "print(hashlib.sha256(d.image.tobytes() + d.mask.tobytes()).hexdigest())"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    here = draw("thin", np.random.default_rng(7))
    assert out.stdout.strip() == digest(here.image, here.mask)


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in KINDS for name in sorted(VOCABULARY[kind])])
def test_every_object(kind, name):
    drawing, found = sample(kind, name)
    image, mask = drawing.image, drawing.mask
    assert drawing.subject == name
    assert image.dtype == mask.dtype == np.uint8
    assert image.shape == (*mask.shape, 3)
    low, high = AREA[kind]
    assert low < (mask > 127).mean() < high
    np.testing.assert_array_equal(image[found.alpha == 0], found.backdrop[found.alpha == 0])
    differs = np.abs(image.astype(int) - found.backdrop).max(axis=2) > 12
    assert differs[mask > 127].mean() > 0.6
    border = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]]) > 127
    assert border.mean() < 0.25


@pytest.mark.parametrize(("kind", "style"), [(kind, style) for kind in KINDS for style in STYLES[kind]])
def test_styles(kind, style):
    looks = STYLES[kind][style]
    mask = draw(kind, rng(11), style=style).mask
    assert looks.long_side[0] <= max(mask.shape) <= looks.long_side[1]
    grey = ((mask > 0) & (mask < 255)).any()
    assert grey == looks.soft


def test_unknown_names_are_refused():
    with pytest.raises(UsageError, match="umbrella"):
        draw("icon", rng(0), subject="umbrela")
    with pytest.raises(UsageError, match="duts"):
        draw("salient", rng(0), style="dut")


def test_instances_of_a_class_vary():
    images = [draw("icon", rng(i), subject="key").image for i in range(10)]
    assert images[0].shape == (224, 224, 3)
    assert len({digest(image) for image in images}) == 10


def test_breadth():
    assert len(VOCABULARY["thin"]) >= 10
    assert len(VOCABULARY["intricate"]) >= 8
    assert len(VOCABULARY["salient"]) >= 12
    assert len(ICON_CLASSES) >= 24
    used = {setting for things in VOCABULARY.values() for thing in things.values() for setting in thing.settings}
    assert used <= set(SETTINGS) == set(FOOTING)


def test_thin_things_are_thin():
    shares = {kind: np.mean([thin_share(draw(kind, rng(i)).mask) for i in range(12)]) for kind in ("thin", "salient")}
    assert shares["thin"] > 2 * shares["salient"]


def test_intricate_things_have_holes():
    holes = []
    for name in VOCABULARY["intricate"]:
        mask = (sample("intricate", name)[0].mask > 127).astype(np.uint8)
        _, tree = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        holes.append(int((tree[0][:, 3] >= 0).sum()))
    assert np.median(holes) >= 10
    assert min(holes) >= 1


@pytest.mark.parametrize("plan", sorted(PLANS))
def test_scene_record(plan):
    scene = draw_scene(rng(5), 17, plan=plan)
    height, width = scene.image.shape[:2]
    entry = {"image_id": 17, "width": width, "height": height, "file_name": "sa_17.jpg"}
    assert scene.image.dtype == np.uint8
    assert scene.record["image"] == entry
    annotations = scene.record["annotations"]
    assert 8 <= len(annotations) <= 25
    assert len({item["id"] for item in annotations}) == len(annotations)
    for item in annotations:
        assert set(item) == RECORD_KEYS
        assert item["segmentation"]["size"] == [height, width]
        assert item["area"] == coco.area(item["segmentation"]) > 0
        assert item["bbox"] == (coco.toBbox(item["segmentation"]) - [0, 0, 1, 1]).tolist()
        assert item["crop_box"] == [0, 0, width, height]
        assert 0 <= item["predicted_iou"] <= 1
        assert 0 <= item["stability_score"] <= 1
        ((x, y),) = item["point_coords"]
        assert coco.decode(item["segmentation"])[int(y), int(x)] == 1


def test_scene_is_deterministic():
    one, two, other = draw_scene(rng(3), 1), draw_scene(rng(3), 1), draw_scene(rng(4), 1)
    assert digest(one.image) == digest(two.image) != digest(other.image)
    assert one.record == two.record


def test_scene_masks_are_coarse():
    scene = draw_scene(rng(2), 1, plan="workbench")
    for item in scene.record["annotations"]:
        mask = coco.decode(item["segmentation"])
        _, tree = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        assert (tree[0][:, 3] < 0).all()
