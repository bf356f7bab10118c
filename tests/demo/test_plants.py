"""What the demo plants: each change does what its name says, each plant is there at every scale, the truth lists it."""

import functools
import io

import cv2
import numpy as np
import pytest
import skimage.exposure
from PIL import Image, ImageOps
from skimage.metrics import structural_similarity

from hqdata.analysis.findings import CHANGES, KINDS, LEVELS
from hqdata.catalog import load_catalog
from hqdata.demo import plants
from hqdata.demo.draw import render
from hqdata.demo.items import Item, make_item, specs
from hqdata.demo.plants import Picture, before, changed, spoilt
from hqdata.demo.spec import EVALUATION, Plant, Spec
from hqdata.demo.truth import Truth, read_truth, together, truth, write_truth
from hqdata.errors import UsageError
from hqdata.pipelines.demo import run_demo
from hqdata.pipelines.recipe import Options
from hqdata.store.reader import Collection

ITEMS = specs(0.15)
PLANTS = {spec.sample_id: spec for spec in ITEMS if spec.plant}
TRAINING = {(take.source, part) for take in load_catalog().recipe("hqseg-44k").take for part in take.parts}
GREY = np.array([[10, 20, 30, 40], [50, 60, 70, 80]], np.uint8)
MASK = np.array([[0, 255, 255, 0], [0, 0, 255, 0]], np.uint8)
TINY = Picture(np.repeat(GREY[..., None], 3, axis=2), MASK)


def pixels(item: Item) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(item.image)).convert("RGB"))


def mask(item: Item) -> np.ndarray:
    """Foreground, bool[H, W]."""
    assert item.mask
    stored = np.asarray(Image.open(io.BytesIO(item.mask)).convert("L"))
    return stored > (0 if item.spec.coding == "rgb01" else 127)


def iou(one: np.ndarray, two: np.ndarray) -> float:
    return float((one & two).sum() / (one | two).sum())


def own(spec: Spec) -> np.ndarray:
    """The mask that belongs to a plant's image."""
    assert spec.plant
    return mask(make_item(spec.plant.of))


@pytest.mark.parametrize(
    ("step", "image", "foreground"),
    [
        (("mirrored",), [[40, 30, 20, 10], [80, 70, 60, 50]], [[0, 255, 255, 0], [0, 255, 0, 0]]),
        (("rescaled", 0.5), [[35, 55]], [[64, 128]]),
        (("limited", 2), [[35, 55]], [[64, 128]]),
        (("cropped", 0.5), [[20, 30]], [[255, 255]]),
        (("squared", 2), [[20, 30], [60, 70]], [[255, 255], [0, 255]]),
        (("greyed",), GREY, MASK),
        (("recoloured", 1.0, 1.0, 5), GREY + 5, MASK),
        (("recoloured", 1.0, 2.0, 0), [[0, 0, 0, 0], [0, 0, 12, 32]], MASK),
    ],
)
def test_changes(step, image, foreground):
    found = changed(TINY, [step])
    np.testing.assert_allclose(found.image[..., 0], image, atol=1)
    np.testing.assert_allclose(found.mask, foreground, atol=1)
    assert found.image.dtype == found.mask.dtype == np.uint8
    assert found.image.flags.c_contiguous


def test_changes_as_libraries_make_them():
    picture = Picture(
        np.random.default_rng(0).integers(0, 256, (40, 30, 3)).astype(np.uint8), np.zeros((40, 30), np.uint8)
    )
    bent = changed(picture, [("recoloured", 0.75, 1.0, 0)]).image
    np.testing.assert_allclose(bent, skimage.exposure.adjust_gamma(picture.image, 0.75), atol=1)
    grey = changed(picture, [("greyed",)]).image[..., 1]
    np.testing.assert_allclose(grey, ImageOps.grayscale(Image.fromarray(picture.image)), atol=1)


def test_steps_follow_each_other():
    found = changed(TINY, [("mirrored",), ("cropped", 0.5)])
    np.testing.assert_array_equal(found.image[..., 0], [[30, 20]])
    assert set(plants.CHANGES) >= {step[0] for s in PLANTS.values() if s.plant for step in s.plant.image}
    assert set(plants.FAULTS) == {step[0] for s in PLANTS.values() if s.plant for step in s.plant.mask}


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (("empty",), np.zeros((2, 4))),
        (("full",), np.full((2, 4), 255)),
        (("inverted",), [[255, 0, 0, 255], [255, 255, 0, 255]]),
        (("shifted", 1 / np.hypot(2, 4), 0), [[0, 0, 255, 255], [0, 0, 0, 255]]),
        (("shifted", 1 / np.hypot(2, 4), 90), [[0, 0, 0, 0], [0, 255, 255, 0]]),
        (("stepped", 2), [[0, 0, 255, 255], [0, 0, 255, 255]]),
        (("halved",), [[0, 255, 0, 0], [0, 0, 0, 0]]),
    ],
)
def test_faults(step, expected):
    # the last row makes a 3 : 1 cell of `stepped`
    given = MASK if step[0] != "stepped" else np.array([[0, 255, 255, 255], [0, 0, 255, 0]], np.uint8)
    np.testing.assert_array_equal(spoilt(given, [step]), expected)


def test_half_is_cut_across_the_long_side():
    tall = np.zeros((40, 20), np.uint8)
    tall[4:36, 5:9] = 255
    expected = tall.copy()
    expected[20:] = 0
    np.testing.assert_array_equal(spoilt(tall, [("halved",)]), expected)


@pytest.mark.parametrize(("tolerance", "least", "most"), [(0.005, 0.97, 1.0), (0.03, 0.9, 0.995), (0.2, 0.3, 0.8)])
def test_polygons_are_coarser_with_tolerance(tolerance, least, most):
    disc = np.zeros((101, 101), np.uint8)
    cv2.circle(disc, (50, 50), 40, (255.0,), -1)
    found = spoilt(disc, [("polygonal", tolerance)]) > 127
    assert least <= iou(found, disc > 127) <= most


@pytest.fixture(scope="module")
def cut():
    return render("thin", np.random.default_rng(5), subject="spectacles")[1]


def test_composite_keeps_the_object_in_place(cut):
    other = render("salient", np.random.default_rng(6), style="hrsod")[1].backdrop
    ground = np.ascontiguousarray(other[: cut.alpha.shape[0], : cut.alpha.shape[1]])
    if ground.shape != cut.image.shape:
        ground = np.asarray(Image.fromarray(other).resize(cut.alpha.shape[::-1]))
    found = before(cut, ground, None)
    alpha = cut.alpha[..., None].astype(float)
    formula = cut.image + (1 - alpha) * (ground.astype(float) - cut.backdrop)
    np.testing.assert_allclose(found.image, np.clip(formula, 0, 255), atol=0.51)
    np.testing.assert_array_equal(found.image[cut.alpha == 0], ground[cut.alpha == 0])
    np.testing.assert_allclose(found.mask, cut.alpha * 255, atol=0.51)


def test_composite_on_its_own_background_changes_nothing(cut):
    np.testing.assert_array_equal(before(cut, cut.backdrop, None).image, cut.image)


@pytest.mark.parametrize(
    ("at", "box"), [((0.5, 0.5, 0.5), (0.25, 0.75)), ((1.0, 0.5, 0.5), (0, 1)), ((0.4, 0.7, 0.5), (0.5, 0.9))]
)
def test_composite_puts_the_object_where_it_should_be(cut, at, box):
    ground = np.full((300, 400, 3), 90, np.uint8)
    found = before(cut, ground, at)
    assert found.image.shape == ground.shape
    columns = np.flatnonzero((found.mask > 40).any(axis=0)) / 400
    np.testing.assert_allclose([columns.min(), columns.max()], box, atol=0.03)
    np.testing.assert_array_equal(found.image[found.mask == 0], ground[found.mask == 0])


@pytest.mark.parametrize("scale", [0, 0.03, 1])
def test_plants_and_originals_are_there_at_every_scale(scale):
    items = specs(scale)
    assert {s.sample_id: s for s in items if s.plant} == PLANTS
    ids = [s.sample_id for s in items]
    assert len(ids) == len(set(ids))
    for spec in PLANTS.values():
        assert spec.plant
        assert spec.plant.level is None or spec.plant.other in {*items}
        for original in (spec.plant.of, spec.plant.behind, spec.plant.mask_of):
            assert original is None or original.plant is None


def test_plants_lie_in_training_and_evaluation_stays_as_it_is():
    assert {(s.source, s.part) for s in PLANTS.values()} <= TRAINING
    takes = load_catalog().recipe("hq-eval").take
    assert {(take.source, part) for take in takes for part in take.parts} == set(EVALUATION)


def test_every_word_is_planted():
    rows = truth(ITEMS)
    words = {table: {row.word for row in rows if row.table == table} for table in ("duplicates", "leaks", "suspects")}
    assert words == {"duplicates": {*LEVELS}, "leaks": {*LEVELS} - {"mask"}, "suspects": {*KINDS}}
    assert {change for row in rows for change in row.changes} == {*CHANGES} - {"turned"}


def test_items_do_not_depend_on_anything_but_their_spec():
    spec = PLANTS["duts/te/planted_background"]
    assert make_item(spec) == make_item({s.sample_id: s for s in specs(1)}[spec.sample_id])


@pytest.mark.parametrize("sample_id", [k for k, s in PLANTS.items() if s.plant and s.plant.changes == ("identical",)])
def test_identical_files(sample_id):
    item, original = make_item(PLANTS[sample_id]), make_item(PLANTS[sample_id].plant.of)
    assert item.image == original.image
    # the noise of a soft mask's coding is each item's own
    assert iou(mask(item), mask(original)) > 0.999


@pytest.mark.parametrize("sample_id", [k for k, s in PLANTS.items() if s.plant and s.plant.level in {"pair", "image"}])
def test_copies_look_like_their_original(sample_id):
    """Undo what was said to be done, then compare: the size, the mirror, the place, the tones."""
    spec = PLANTS[sample_id]
    copy, original = pixels(make_item(spec)), pixels(make_item(spec.plant.of))
    if "mirrored" in spec.plant.changes:
        copy = copy[:, ::-1]
    if "cropped" in spec.plant.changes:
        found, copy = place_of(copy, original), cv2.cvtColor(copy, cv2.COLOR_RGB2GRAY)
    else:
        found = np.asarray(Image.fromarray(original).resize(copy.shape[1::-1], Image.Resampling.BOX).convert("L"))
        copy = cv2.cvtColor(np.ascontiguousarray(copy), cv2.COLOR_RGB2GRAY)
    assert structural_similarity(found, copy) > 0.85


def place_of(copy: np.ndarray, original: np.ndarray) -> np.ndarray:
    """The part of an image that a copy shows, found by template matching at each scale that a plant has."""
    best: tuple[float, np.ndarray] = (-1.0, copy)
    for scale in (1.0, 224 / 261):
        large = cv2.resize(original, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        if large.shape[0] < copy.shape[0] or large.shape[1] < copy.shape[1]:
            continue
        _, score, _, (x, y) = cv2.minMaxLoc(cv2.matchTemplate(large, copy, cv2.TM_CCOEFF_NORMED))
        if score > best[0]:
            best = (score, large[y : y + copy.shape[0], x : x + copy.shape[1]])
    return cv2.cvtColor(np.ascontiguousarray(best[1]), cv2.COLOR_RGB2GRAY)


@pytest.mark.parametrize("sample_id", [k for k, s in PLANTS.items() if s.plant and s.plant.fault])
def test_faulty_masks_are_off_and_their_images_are_fine(sample_id):
    spec = PLANTS[sample_id]
    item, right = make_item(spec), own(spec)
    given = mask(item)
    if spec.plant.fault == "empty":
        assert not given.any()
        return
    if spec.plant.level is None:
        assert item.image == make_item(spec.plant.of).image
    right = cv2.resize(right.astype(np.uint8), given.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
    low, high = {
        "full": (0.1, 0.4),
        "inverted": (0, 0.02),
        "shifted": (0.2, 0.85),
        "swapped": (0, 0.6),
        "other_image": (0.1, 0.6),
        "coarse": (0.5, 0.96),
        "unlabelled": (0.45, 0.55),
    }[spec.plant.fault]
    assert low <= iou(given, right) <= high


def test_exchanged_masks_are_each_others():
    pairs = [s for s in PLANTS.values() if s.plant and s.plant.fault == "swapped"]
    assert len(pairs) == 4
    for spec in pairs:
        assert spec.plant
        assert spec.plant.mask_of
        other = PLANTS[spec.plant.mask_of.sample_id]
        np.testing.assert_array_equal(mask(make_item(spec)), own(other))
        assert own(spec).shape == own(other).shape


def test_a_composite_covers_much_of_a_photo():
    shares = {
        name: float(mask(make_item(PLANTS[f"thinobject5k/train/planted_{name}"])).mean())
        for name in ("whole", "crop", "mirrored", "covered")
    }
    assert shares["covered"] > 0.35
    assert all(0.02 < shares[name] < 0.2 for name in ("whole", "crop", "mirrored"))


def planted_on(sample_id: str, **plant) -> Spec:
    source, part, stem = sample_id.split("/")
    plain = Spec(source=source, part=part, captures=(("stem", stem),), kind="salient")
    return Spec(
        source=source, part=part, captures=(("stem", stem),), kind="salient", plant=Plant(**{"of": plain, **plant})
    )


A = Spec(source="duts", part="tr", captures=(("stem", "a"),), kind="salient")
E = Spec(source="coift", part="all", captures=(("stem", "e"),), kind="thin")


def test_truth_of_copies_and_of_what_follows():
    items = [
        A,
        planted_on("duts/tr/b", of=A, level="pair", changes=("mirrored",), note="n"),
        planted_on("duts/tr/c", of=A, level="image", changes=("re-encoded",), fault="coarse"),
    ]
    assert truth(items) == [
        Truth(
            table="duplicates",
            word="image",
            changes=("mirrored",),
            mask_id="duts/tr/b#0",
            other_mask_id="duts/tr/c#0",
            note="both from duts/tr/a#0",
        ),
        Truth(
            table="duplicates",
            word="image",
            changes=("re-encoded",),
            mask_id="duts/tr/c#0",
            other_mask_id="duts/tr/a#0",
        ),
        Truth(
            table="duplicates",
            word="pair",
            changes=("mirrored",),
            mask_id="duts/tr/b#0",
            other_mask_id="duts/tr/a#0",
            note="n",
        ),
        Truth(table="suspects", word="coarse", mask_id="duts/tr/c#0"),
    ]


def test_truth_of_leaks_and_partners():
    items = [
        E,
        planted_on("duts/tr/b", behind=E, level="background"),
        planted_on("duts/tr/c", mask_of=E, fault="other_image"),
        planted_on("duts/tr/d", mask_of=A, fault="other_image"),
    ]
    assert truth(items) == [
        Truth(table="leaks", word="background", mask_id="duts/tr/b#0", other_mask_id="coift/all/e#0"),
        Truth(table="suspects", word="other_image", mask_id="duts/tr/c#0", other_mask_id="coift/all/e#0"),
        Truth(table="suspects", word="other_image", mask_id="duts/tr/d#0"),
    ]


def test_truth_of_errata():
    """Every erratum that a build keeps is reported; a removed or rejected sample is no suspect."""
    found = {row.mask_id for row in truth(ITEMS) if row.word == "erratum"}
    assert found == {
        "duts/te/ILSVRC2012_test_00036002#0",
        "duts/te/sun_bcogaqperiljqupq#0",
        "duts/tr/ILSVRC2014_train_00023530#0",
        "duts/tr/n01532829_13482#0",
        "duts/tr/n04442312_17818#0",
        "fss1000/all/bamboo_slip/7#0",
        "msra10k/all/97915#0",
    }


def test_errata_in_the_truth_are_those_of_the_collection(hqseg):
    kept = {f"{sample.sample_id}#0" for sample in hqseg if sample.errata}
    assert kept == {row.mask_id for row in truth(ITEMS) if row.word == "erratum"}


@pytest.mark.parametrize(
    ("one", "two", "word"),
    [
        ("pair", "pair", "pair"),
        ("pair", "image", "image"),
        ("image", "image", "image"),
        ("pair", "mask", "mask"),
        ("image", "mask", None),
        ("pair", "background", "background"),
        ("image", "background", "background"),
        ("pair", "object", "object"),
        ("object", "object", "object"),
        ("object", "background", None),
        ("pair", None, None),
        (None, None, None),
    ],
)
def test_what_two_plants_of_one_original_share(one, two, word):
    assert together(one, two) == together(two, one) == word


def test_truth_is_written_and_read_back(tmp_path):
    rows = truth(ITEMS)
    write_truth(tmp_path / "a.csv", rows)
    write_truth(tmp_path / "b.csv", rows)
    assert (
        read_truth(tmp_path / "a.csv")
        == rows
        == sorted(rows, key=lambda r: (r.table, r.word, r.mask_id, r.other_mask_id))
    )
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_another_csv_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("mask_id,word\n")
    with pytest.raises(UsageError, match=r"a\.csv does not list what was planted"):
        read_truth(tmp_path / "a.csv")


def test_truth_names_masks_of_the_collection(hqseg, drawn):
    rows = read_truth(drawn.root / "planted.csv")
    evaluation = {spec.mask_id for spec in drawn.specs if (spec.source, spec.part) in EVALUATION}
    training = {f"{sample_id}#0" for sample_id in hqseg.sample_ids}
    assert rows == truth(drawn.specs)
    assert {row.mask_id for row in rows} <= training
    assert {row.other_mask_id for row in rows if row.table == "leaks"} <= evaluation
    assert {row.other_mask_id for row in rows if row.table != "leaks"} <= training | {""}


def test_demo_builds_training_and_evaluation_and_can_be_run_again(tmp_path, monkeypatch):
    monkeypatch.setattr("hqdata.pipelines.demo.make_item", functools.cache(make_item))
    first = run_demo(tmp_path / "demo", Options(), scale=0)
    digests = (first.built.index["content_digest"], first.evaluation.index["content_digest"])
    training, evaluation = Collection(first.built.folder), Collection(first.evaluation.folder)
    assert {(s.source, s.part) for s in evaluation} == set(EVALUATION)
    assert {(s.source, s.part) for s in training} == TRAINING | {("thinobject5k", "val")}
    assert set(PLANTS) <= set(training.sample_ids)
    assert first.sheet.stat().st_size > 0
    assert read_truth(first.planted) == truth(specs(0))
    again = run_demo(tmp_path / "demo", Options(), scale=0)
    assert (again.built.index["content_digest"], again.evaluation.index["content_digest"]) == digests


@pytest.mark.parametrize("name", ["collection", "evaluation"])
def test_demo_leaves_other_collections_alone(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(UsageError, match="not the demo's"):
        run_demo(tmp_path, Options(), scale=0)
    assert [path.name for path in tmp_path.iterdir()] == [name]
