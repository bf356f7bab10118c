"""Prompts of a training step: drawn from the masks by given random numbers, with the released faults or without."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from hqdata.training.prompting import LOGIT, NO_BOX, boxes_of, draw_prompts, noisy_masks, points_of
from hqdata.training.prompts import ABSENT, FOREGROUND
from hqdata.training.recipe import PRESETS, Recipe

RELEASED, FIXED = PRESETS["released"], PRESETS["fixed"]
SIDE, MASK_SIDE, POINTS = 32, 16, 10


def mask_of(box: tuple[int, int, int, int] | None, grey: int = 255) -> Tensor:
    """A canvas whose foreground is a box: x0, y0, x1, y1, ends not included."""
    mask = torch.zeros(1, SIDE, SIDE, dtype=torch.uint8)
    if box is not None:
        mask[:, box[1] : box[3], box[0] : box[2]] = grey
    return mask


def numbers(rows: int, seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        "choice": torch.rand(rows, generator=generator),
        "order": torch.rand(rows, POINTS, generator=generator),
        "noise": torch.randn(rows, 1, MASK_SIDE, MASK_SIDE, generator=generator),
    }


def only(*words: str, recipe: Recipe = FIXED) -> Recipe:
    return replace(recipe, prompts=words)


def switched(recipe: Recipe, **traps: bool) -> Recipe:
    return replace(recipe, traps=replace(recipe.traps, **traps))


@pytest.mark.parametrize(
    ("box", "inclusive", "expected"),
    [
        ((3, 5, 10, 20), False, (3, 5, 10, 20)),
        ((3, 5, 10, 20), True, (3, 5, 9, 19)),
        ((0, 0, SIDE, SIDE), False, (0, 0, SIDE, SIDE)),
        ((0, 0, SIDE, SIDE), True, (0, 0, SIDE - 1, SIDE - 1)),
        ((7, 8, 8, 9), False, (7, 8, 8, 9)),
        (None, False, NO_BOX),
        (None, True, NO_BOX),
    ],
)
def test_a_box_surrounds_the_foreground(
    box: tuple[int, int, int, int] | None, inclusive: bool, expected: tuple[float, ...]
) -> None:
    assert boxes_of(mask_of(box)[None] > 127, inclusive=inclusive).tolist() == [list(expected)]


def test_boxes_of_random_masks_are_those_of_opencv() -> None:
    rng = np.random.default_rng(0)
    masks = (rng.random((20, SIDE, SIDE)) > 0.995).astype(np.uint8)
    masks[:, 4, 4] = 1
    expected = [(x, y, x + w, y + h) for x, y, w, h in map(cv2.boundingRect, masks)]
    assert boxes_of(torch.from_numpy(masks)[:, None] > 0).tolist() == [list(map(float, box)) for box in expected]


def test_points_are_different_pixels_of_the_foreground() -> None:
    masks = torch.stack([mask_of((3, 5, 10, 20)), mask_of((0, 0, 5, 2)), mask_of((31, 0, 32, 32))]) > 127
    for seed in range(20):
        points = points_of(masks, numbers(3, seed)["order"])
        for inside, found in zip(masks, points.long(), strict=True):
            assert inside[0, found[:, 1], found[:, 0]].all()
            assert len({tuple(point) for point in found.tolist()}) == POINTS


def test_every_pixel_is_as_likely_as_any_other_at_every_place() -> None:
    inside = mask_of((4, 4, 8, 7)).expand(6000, 1, SIDE, SIDE) > 127
    found = points_of(inside, torch.rand(6000, POINTS, generator=torch.Generator().manual_seed(1)))
    places = (found[..., 1] - 4) * 4 + found[..., 0] - 4
    for place in (0, 1, POINTS - 1):
        counts = np.bincount(places[:, place].long().numpy(), minlength=12)
        assert ((counts - 500) ** 2 / 500).sum() < 31.3, "chi square, 11 degrees of freedom, p = 0.001"


def test_a_mask_with_too_few_pixels_gives_some_of_them_twice() -> None:
    points = points_of(mask_of((2, 3, 4, 4))[None] > 127, numbers(1)["order"])
    assert {tuple(point) for point in points[0].tolist()} == {(2.0, 3.0), (3.0, 3.0)}


@pytest.mark.parametrize(("recipe", "low", "high"), [(RELEASED, 0.0, 255.0), (FIXED, -LOGIT, LOGIT)])
def test_a_mask_prompt_holds_logits_or_what_the_released_code_has(recipe: Recipe, low: float, high: float) -> None:
    masks = torch.stack([mask_of((8, 8, 24, 24))] * 4)
    drawn = draw_prompts(masks, **numbers(4), recipe=only("mask", recipe=recipe))
    assert drawn.prompts.masks is not None
    assert set(drawn.prompts.masks.unique().tolist()) == {low, high}
    assert drawn.prompts.boxes is None
    assert drawn.prompts.points is None


def test_a_mask_is_noisy_along_its_outline_only() -> None:
    masks = mask_of((0, 0, 16, SIDE))[None]
    noisy = torch.cat([noisy_masks(masks, numbers(1, seed)["noise"]) for seed in range(40)])
    exact = (masks[:, :, ::2, ::2] > 127).float()
    wrong = (noisy != exact).float().mean(dim=(0, 1, 2))
    assert (wrong[[0, 1, 2, 13, 14, 15]] == 0).all()
    assert (wrong[[6, 9]] > 0.1).all()


def test_noise_is_that_of_the_released_rule() -> None:
    """Grey over 255, reduced by 8 and enlarged: where that changed a pixel by 0.01 or more, noise is added."""
    rng = np.random.default_rng(2)
    small = cv2.GaussianBlur(rng.random((MASK_SIDE, MASK_SIDE)).astype(np.float32), (5, 5), 1)
    small = np.round((small - small.min()) / np.ptp(small) * 255)
    noise = numbers(1)["noise"]
    masks = torch.from_numpy(small.astype(np.uint8))[None, None]
    greys = (small / 255).astype(np.float32)
    shrunk = cv2.resize(greys, (MASK_SIDE // 8,) * 2, interpolation=cv2.INTER_LINEAR)
    lost = np.abs(greys - cv2.resize(shrunk, (MASK_SIDE,) * 2, interpolation=cv2.INTER_LINEAR)) >= 0.01
    expected = greys + noise[0, 0].numpy() * lost > 0.5
    assert np.array_equal(noisy_masks(masks, noise)[0, 0].numpy() == 1, expected)


def test_kinds_are_drawn_uniformly_and_every_row_has_one() -> None:
    masks = mask_of((3, 5, 20, 20)).expand(300, 1, SIDE, SIDE)
    given = numbers(300)
    given["choice"] = torch.arange(300) / 300
    drawn = draw_prompts(masks, **given, recipe=FIXED)
    prompts = drawn.prompts
    assert prompts.has_box is not None and prompts.labels is not None and prompts.has_mask is not None  # noqa: PT018
    has_points = (prompts.labels == FOREGROUND).all(dim=1)
    assert ((prompts.labels == ABSENT).all(dim=1) != has_points).all()
    assert torch.stack([prompts.has_box, has_points, prompts.has_mask], dim=1).int().sum(dim=1).eq(1).all()
    assert drawn.kind.bincount().tolist() == [100, 100, 100]


@pytest.mark.parametrize(
    ("box", "grey", "above_128", "pixels"),
    [
        (None, 255, False, 0),
        ((2, 3, 4, 5), 255, False, 4),
        ((0, 0, 8, 8), 128, False, 64),
        ((0, 0, 8, 8), 128, True, 0),
    ],
)
def test_foreground_is_counted_and_empty_masks_are_told(
    box: tuple[int, int, int, int] | None, grey: int, above_128: bool, pixels: int
) -> None:
    recipe = switched(FIXED, above_128=above_128)
    drawn = draw_prompts(mask_of(box, grey)[None], **numbers(1), recipe=recipe)
    assert (drawn.pixels.item(), drawn.empty.item()) == (pixels, pixels == 0)


@pytest.mark.parametrize(
    ("by_group", "few"),
    [(True, [True] * 4 + [False] * 4), (False, [False, True, False, False] + [False] * 4)],
)
def test_a_mask_too_small_for_points_loses_them_alone_or_with_its_group(by_group: bool, few: list[bool]) -> None:
    masks = torch.stack([mask_of((3, 3, 20, 20))] * 8)
    masks[1] = mask_of((3, 3, 6, 6))
    for seed in range(10):
        given = numbers(8, seed)
        drawn = draw_prompts(masks, **given, recipe=switched(FIXED, points_by_group=by_group))
        wanted = ((given["choice"] * 3).long() == 1).tolist()
        assert drawn.dropped.tolist() == [points and small for points, small in zip(wanted, few, strict=True)]
        assert (drawn.kind == 1).tolist() == [points and not small for points, small in zip(wanted, few, strict=True)]


def test_a_third_of_all_prompts_would_have_been_points() -> None:
    """What is dropped is what was drawn, not what could not have been."""
    drawn = draw_prompts(mask_of((3, 3, 6, 6)).expand(3000, -1, -1, -1), **numbers(3000), recipe=FIXED)
    assert 900 < int(drawn.dropped.sum()) < 1100


@pytest.mark.parametrize(
    ("recipe", "boxed"), [(FIXED, False), (RELEASED, True), (switched(FIXED, empty_crops=True), True)]
)
def test_a_mask_without_foreground_has_neither_box_nor_points(recipe: Recipe, boxed: bool) -> None:
    """Where empty crops are trained on, as released, it has the box that the released code makes of it."""
    masks = torch.stack([mask_of(None), mask_of((3, 3, 20, 20))]).repeat(2, 1, 1, 1)
    box = draw_prompts(masks, **numbers(4), recipe=only("box", recipe=recipe)).prompts
    assert box.has_box is not None and box.boxes is not None  # noqa: PT018
    assert box.has_box.tolist() == [boxed, True] * 2
    assert box.boxes[0].tolist() == [*NO_BOX]
    points = draw_prompts(masks, **numbers(4), recipe=only("points", recipe=recipe)).prompts
    assert points.labels is not None
    assert points.labels.eq(ABSENT).all(dim=1).tolist() == [True, False] * 2


def test_a_row_s_prompt_does_not_depend_on_its_company() -> None:
    masks = torch.stack([mask_of((3, 3, 6 + 2 * row, 20)) for row in range(6)])
    given = numbers(6)
    together = draw_prompts(masks, **given, recipe=FIXED)
    for row in range(6):
        one = slice(row, row + 1)
        alone = draw_prompts(masks[one], **{name: value[one] for name, value in given.items()}, recipe=FIXED)
        for name in ("boxes", "has_box", "points", "labels", "masks", "has_mask"):
            assert torch.equal(getattr(together.part(one), name), getattr(alone.prompts, name))
