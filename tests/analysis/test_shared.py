"""Every level and every change, on drawn images and their copies; unrelated images share nothing."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import pytest

from hqdata.analysis.findings import CHANGES, LEVELS
from hqdata.analysis.shared import picture_of, same_object, shared
from hqdata.demo import plants
from hqdata.demo.plants import Picture
from hqdata.masks.keypoints import Keypoints
from tests.pictures import drawn, rendered, row_of, turned

SEEDS = (2, 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A copy or composite of a drawing and what is to be said of the two."""

    level: str
    changes: tuple[str, ...]
    quality: int = 88
    mirrored: bool = False
    steps: tuple[tuple[str, *tuple[float, ...]], ...] = ()
    overlap: float = 1.0
    other_overlap: float = 1.0
    turn: float = 0.0


COPIES = {
    "the same file": Case(level="pair", changes=("identical",), quality=90),
    "other bytes": Case(level="pair", changes=("re-encoded",), quality=45),
    "smaller": Case(level="pair", changes=("rescaled",), steps=(("rescaled", 0.5),)),
    "in a mirror": Case(level="pair", changes=("mirrored",), mirrored=True, steps=(("mirrored",),)),
    "turned": Case(level="pair", changes=("turned", "cropped"), turn=12, overlap=0.9, other_overlap=0.9),
    "a part": Case(level="pair", changes=("cropped",), steps=(("cropped", 0.7),), overlap=0.49),
    "other tones": Case(level="pair", changes=("recoloured",), steps=(("recoloured", 0.75, 1.2, 10),)),
    "grey": Case(level="pair", changes=("recoloured",), steps=(("greyed",),)),
    "two changes": Case(
        level="pair",
        changes=("rescaled", "mirrored"),
        mirrored=True,
        steps=(("mirrored",), ("rescaled", 0.7)),
        quality=60,
    ),
}


def copy_of(picture: Picture, case: Case) -> Picture:
    copy = plants.changed(picture, case.steps)
    return turned(copy, case.turn) if case.turn else copy


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", COPIES)
def test_a_copy_is_told_with_what_was_done_to_it(name: str, seed: int) -> None:
    case = COPIES[name]
    left = picture_of(row_of(drawn(seed)))
    right = picture_of(row_of(copy_of(drawn(seed), case), case.quality))
    found = shared(left, right, mirrored=case.mirrored)
    assert found is not None
    assert (found.level, found.changes) == (case.level, case.changes)
    assert found.similarity > 0.95
    assert found.overlap == pytest.approx(case.overlap, abs=0.03)
    assert found.other_overlap == pytest.approx(case.other_overlap, abs=0.03)
    [(one, two, iou)] = found.pairs
    assert (one, two) == (0, 0)
    assert iou > 0.96


@pytest.mark.parametrize("name", COPIES)
def test_the_other_way_round_the_same_is_said(name: str) -> None:
    case = COPIES[name]
    left = picture_of(row_of(drawn(2)))
    right = picture_of(row_of(copy_of(drawn(2), case), case.quality))
    found = shared(right, left, mirrored=case.mirrored)
    assert found is not None
    assert (found.level, found.changes) == (case.level, case.changes)
    assert found.overlap == pytest.approx(case.other_overlap, abs=0.03)
    assert found.other_overlap == pytest.approx(case.overlap, abs=0.03)


@pytest.mark.parametrize(
    ("mask", "level", "iou"), [(("halved",), "image", 0.5), (("stepped", 4), "pair", 0.96), (("empty",), "image", 0.0)]
)
def test_the_mask_makes_a_pair(mask: tuple[str, float], level: str, iou: float) -> None:
    other = Picture(drawn(2).image, plants.spoilt(drawn(2).mask, [mask]))
    found = shared(picture_of(row_of(drawn(2))), picture_of(row_of(other, 80)), mirrored=False)
    assert found is not None
    assert (found.level, found.changes) == (level, ("re-encoded",))
    assert found.pairs[0][2] == pytest.approx(iou, abs=0.04)


def composite(object_: int, ground: int, at: tuple[float, float, float] | None) -> Picture:
    """The object of one drawing before what is behind the object of another."""
    return plants.before(rendered(object_)[1], rendered(ground)[1].backdrop, at)


@pytest.mark.parametrize(("seed", "stranger"), [(2, 52), (1, 51), (5, 55)])
def test_an_object_before_another_background(seed: int, stranger: int) -> None:
    left, right = picture_of(row_of(drawn(seed))), picture_of(row_of(composite(seed, stranger, None), 92))
    for found in (shared(left, right, mirrored=False), shared(right, left, mirrored=False)):
        assert found is not None
        assert (found.level, found.changes) == ("object", ("re-encoded",))
        assert found.pairs[0][2] > 0.97


@pytest.mark.parametrize(("seed", "stranger"), [(2, 52), (1, 51), (5, 55)])
def test_a_background_behind_another_object(seed: int, stranger: int) -> None:
    photo = rendered(seed)[0]
    before = plants.before(rendered(stranger)[1], photo.image, (0.6, 0.5, 0.5))
    left, right = picture_of(row_of(photo)), picture_of(row_of(before, 92))
    for found in (shared(left, right, mirrored=False), shared(right, left, mirrored=False)):
        assert found is not None
        assert (found.level, found.changes) == ("background", ("re-encoded",))
        assert found.pairs[0][2] < 0.6


@pytest.mark.parametrize(("one", "two"), [(1, 2), (2, 52), (3, 4), (5, 7), (2, 6)])
@pytest.mark.parametrize("mirrored", [False, True])
def test_unrelated_images_share_nothing(one: int, two: int, mirrored: bool) -> None:
    assert shared(picture_of(row_of(drawn(one))), picture_of(row_of(drawn(two))), mirrored=mirrored) is None


def test_a_copy_is_not_found_without_its_mirror() -> None:
    flat = picture_of(row_of(plants.mirrored(drawn(2))))
    assert shared(picture_of(row_of(drawn(2))), flat, mirrored=False) is None


def test_the_same_plain_image_shows_nothing() -> None:
    plain = Picture(np.full((200, 300, 3), 120, np.uint8), drawn(2).mask[:200, :300])
    assert shared(picture_of(row_of(plain)), picture_of(row_of(plain)), mirrored=False) is None


def test_a_known_pose_helps_where_keypoints_do_not() -> None:
    whole = drawn(5)
    area = slice(40, 300), slice(20, 270)
    part = Picture(np.ascontiguousarray(whole.image[area]), np.ascontiguousarray(whole.mask[area]))
    left, right = picture_of(row_of(whole)), picture_of(row_of(part))
    none = Keypoints(right.points.points[:0], right.points.descriptors[:0])
    blind = replace(right, points=none)
    assert shared(left, blind, mirrored=False) is None
    found = shared(left, blind, mirrored=False, pose=(1.0, 0.0, -20.0, -40.0))
    assert found is not None
    assert (found.level, found.changes) == ("pair", ("cropped",))
    assert found.overlap == pytest.approx(part.mask.size / whole.mask.size, abs=0.01)


def enlarged(picture: Picture, width: int) -> Picture:
    height = round(width * picture.mask.shape[0] / picture.mask.shape[1])
    image, mask = (cv2.resize(side, (width, height)) for side in (picture.image, picture.mask))
    return Picture(np.asarray(image), np.asarray(mask))


@pytest.mark.parametrize(("width", "word"), [(1200, "re-encoded"), (900, "rescaled"), (385, "rescaled")])
def test_sizes_are_those_of_the_files_not_of_the_reduced_images(width: int, word: str) -> None:
    left = picture_of(row_of(enlarged(drawn(2), 1200)))
    assert max(left.grey.shape) == 512
    found = shared(left, picture_of(row_of(enlarged(drawn(2), width), 70)), mirrored=False)
    assert found is not None
    assert (found.level, found.changes) == ("pair", (word,))


OTHER_TONES = ("recoloured", 1.0, 1.0, 40)


def test_an_object_of_other_colours_is_another_object() -> None:
    """Wheels and windows look alike in grey; only copies of whole images may be recoloured."""
    same = composite(2, 52, None)
    bright = plants.changed(same, [OTHER_TONES])
    inside = drawn(2).mask[..., None] > 127
    other = Picture(np.where(inside, bright.image, same.image), same.mask)
    left = picture_of(row_of(drawn(2)))
    assert shared(left, picture_of(row_of(same)), mirrored=False) is not None
    assert shared(left, picture_of(row_of(other)), mirrored=False) is None


def test_a_background_of_other_colours_is_another_background() -> None:
    """The tiles of one wall look like those of another."""
    left = picture_of(row_of(drawn(2)))
    for ground, there in ((drawn(2), True), (plants.changed(drawn(2), [OTHER_TONES]), False)):
        right = plants.before(rendered(52)[1], ground.image, (0.6, 0.5, 0.5))
        assert (shared(left, picture_of(row_of(right)), mirrored=False) is not None) is there


@pytest.mark.parametrize(
    ("paper", "tones", "there"),
    [(120, 0, True), (125, 5, True), (200, 0, True), (200, 60, False), (180, 60, False)],
    ids=["the same", "hardly others", "other paper", "other paper and colours", "all brighter"],
)
def test_one_shape_on_plain_paper_needs_its_colours(paper: int, tones: int, there: bool) -> None:
    """Around it there is nothing that could tell a copy in other colours from another thing of its shape."""
    cut = rendered(5)[1]
    first, second = (plants.before(cut, np.full_like(cut.backdrop, ground), None) for ground in (120, paper))
    bright = plants.changed(second, [("recoloured", 1.0, 1.0, tones)])
    other = Picture(np.where(cut.alpha[..., None] > 0.5, bright.image, second.image), second.mask)
    found = shared(picture_of(row_of(first)), picture_of(row_of(other)), mirrored=False)
    assert (found is not None) is there


def discs(*radii: int) -> list[np.ndarray]:
    """Masks of the first drawing, one beside the other."""
    shape = drawn(2).mask.shape
    return [
        np.asarray(cv2.circle(np.zeros(shape, np.uint8), (70 + 100 * n, 120), radius, (1.0,), -1))
        for n, radius in enumerate(radii)
    ]


def test_many_masks_are_paired_by_their_overlap() -> None:
    first, second, third = discs(40, 30, 20)
    left = picture_of(row_of(drawn(2), masks=[first, second, third]))
    right = picture_of(row_of(drawn(2), 70, masks=[third, discs(1, 26, 1)[1], discs(12)[0]]))
    found = shared(left, right, mirrored=False)
    assert found is not None
    assert (found.level, found.changes) == ("pair", ("re-encoded",))
    assert [(one, two) for one, two, _ in found.pairs] == [(1, 1), (2, 0)]
    assert [iou for *_, iou in found.pairs] == pytest.approx([26**2 / 30**2, 1], abs=0.04)


@pytest.mark.parametrize(("left", "right"), [(0, 0), (3, 0), (0, 2), (2, 1)])
def test_images_with_few_masks_or_none(left: int, right: int) -> None:
    """With masks on one side only there is nothing to pair; those that do not overlap are named with the best one."""
    first, second = discs(*[30] * left), discs(1, 1, 25)[3 - right :]
    found = shared(
        picture_of(row_of(drawn(2), masks=first)), picture_of(row_of(drawn(2), 70, masks=second)), mirrored=False
    )
    assert found is not None
    assert found.level == "image"
    assert len(found.pairs) == min(left, right, 1)


def test_a_composite_of_many_masks_is_no_image() -> None:
    left = picture_of(row_of(drawn(2), masks=discs(20, 20)))
    right = picture_of(row_of(composite(2, 52, None), masks=discs(20, 20)))
    assert shared(left, right, mirrored=False) is None


def test_one_object_by_its_mask() -> None:
    left = picture_of(row_of(drawn(5)))
    assert (same_object(left, picture_of(row_of(composite(5, 55, None)))) or 0) > 0.95
    stranger = Picture(cv2.resize(drawn(7).image, drawn(5).mask.shape[::-1]), drawn(5).mask)
    assert same_object(left, picture_of(row_of(stranger))) is None
    specks = np.zeros_like(drawn(5).mask)
    specks[100:105, 100:105] = 255
    few = picture_of(row_of(Picture(drawn(5).image, specks)))
    assert same_object(few, few) is None


def test_every_word_is_tested() -> None:
    assert {word for case in COPIES.values() for word in case.changes} == set(CHANGES)
    assert set(LEVELS) == {"pair", "image", "object", "background", "mask"}
