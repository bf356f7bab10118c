"""Lessons: prompts of every kind for the masks of some crops, SAM's loss, IoU."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch.nn import functional

from hqdata.arrays import FloatArray
from hqdata.training.mini.crops import whole
from hqdata.training.mini.drawn import Picture
from hqdata.training.mini.recipe import MINI, Pretraining
from hqdata.training.mini.teach import answers, iou_of, lesson, lesson_loss
from hqdata.training.prompts import FOREGROUND
from hqdata.training.sam import new_sam

RECIPE = Pretraining()


@pytest.mark.parametrize("kind", [None, "box", "points", "mask"])
def test_every_mask_gets_a_prompt(pictures: list[Picture], kind: str | None) -> None:
    crops = [whole(picture, 64) for picture in (pictures[0], pictures[-1])]
    asked = lesson(crops, 16, np.random.default_rng(0), kind)
    prompts = asked.prompts
    assert prompts.has_box is not None and prompts.has_mask is not None and prompts.labels is not None  # noqa: PT018
    pointed = (prompts.labels == FOREGROUND).any(dim=1)
    given = torch.stack([prompts.has_box, pointed, prompts.has_mask], dim=1)
    assert given.sum(dim=1).eq(1).all()
    if kind is not None:
        assert given[:, ["box", "points", "mask"].index(kind)].all()
    assert prompts.image is not None
    assert prompts.image.tolist() == [0] * len(pictures[0].codes) + [1]


def test_answers_are_four_masks_of_each_prompt(pictures: list[Picture]) -> None:
    asked = lesson([whole(pictures[-1], MINI.image)], MINI.mask_side, np.random.default_rng(0))
    logits, predicted = answers(new_sam(MINI, 0), asked)
    assert (logits.shape, predicted.shape) == ((1, 4, MINI.mask_side, MINI.mask_side), (1, 4))


@pytest.mark.parametrize(
    ("made", "right", "expected"),
    [([1, 1, 0, 0], [1, 0, 0, 0], 0.5), ([1, 0], [0, 1], 0), ([0, 0], [0, 0], 1), ([1, 1], [1, 1], 1)],
)
def test_iou(made: list[int], right: list[int], expected: float) -> None:
    logits = 2.0 * torch.tensor(made).view(1, 1, 1, -1) - 1
    assert iou_of(logits, torch.tensor(right).view(1, 1, 1, -1).float()).item() == expected


def test_the_loss_is_small_for_right_answers_only() -> None:
    masks = torch.zeros(1, 1, 32, 32, dtype=torch.uint8)
    masks[..., :16] = 255
    right = (masks.float() / 127.5 - 1)[..., ::4, ::4].expand(1, 4, 8, 8) * 10
    # Between two logits the edge has a width.
    assert lesson_loss(right, torch.ones(1, 4), masks, RECIPE).item() < 0.1
    one_of_three = torch.cat([right[:, :1], -right[:, :2], right[:, :1]], dim=1)
    predicted = torch.tensor([[1.0, 0, 0, 1]])
    assert lesson_loss(one_of_three, predicted, masks, RECIPE).item() < 0.1, "the best of the other three counts"
    assert lesson_loss(-right, torch.ones(1, 4), masks, RECIPE).item() > 1
    assert lesson_loss(right, torch.zeros(1, 4), masks, RECIPE).item() == pytest.approx(1, abs=0.1)


def test_the_loss_compares_the_canvas_and_a_window_around_the_mask() -> None:
    """Against formulas written out, with SciPy's interpolation. All four masks are the same."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(16, 16))
    mask = np.zeros((64, 64))
    mask[16:32, 8:40] = 1
    # A quarter of 32 and of 16 pixels, and one: a sixty-fourth of the canvas.
    xs, ys = np.linspace(-1, 49, 97)[1::2], np.linspace(11, 37, 97)[1::2]
    places = np.meshgrid(ys, xs, indexing="ij")
    right = ndimage.map_coordinates(mask, [place - 0.5 for place in places], order=1, mode="nearest")
    made = ndimage.map_coordinates(logits, [place / 4 - 0.5 for place in places], order=1, mode="nearest")

    def cross_entropy(logit: FloatArray, truth: FloatArray) -> FloatArray:
        return np.asarray(np.log1p(np.exp(-logit)) + (1 - truth) * logit)

    share, small = 1 / (1 + np.exp(-made)), mask.reshape(16, 4, 16, 4).mean(axis=(1, 3))
    focal = np.abs(1 / (1 + np.exp(-logits)) - small) ** 2 * cross_entropy(logits, small)
    dice = 1 - (2 * (share * right).sum() + 1) / ((share + right).sum() + 1)
    expected = 2 * (20 * focal.mean() + cross_entropy(made, right).mean() + dice)

    iou = ((made > 0) & (right >= 0.5)).sum() / ((made > 0) | (right >= 0.5)).sum()
    given = torch.from_numpy(logits).float().expand(1, 4, 16, 16)
    masks = torch.from_numpy(mask * 255).to(torch.uint8)[None, None]
    found = lesson_loss(given, torch.full((1, 4), float(iou)), masks, RECIPE)
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_a_mask_of_a_few_pixels_counts_as_much_as_a_large_one() -> None:
    """What is right and what is not differs by far more than rounding, even where a mask is smaller than a logit."""
    masks = torch.zeros(1, 1, 64, 64, dtype=torch.uint8)
    masks[..., 21:24, 33:36] = 255
    right = (functional.avg_pool2d(masks.float(), 4) / 12.75 - 5).expand(1, 4, 16, 16)
    losses = [lesson_loss(logits, torch.ones(1, 4), masks, RECIPE).item() for logits in (right, right.clamp(max=-5))]
    assert losses[1] > losses[0] + 1
