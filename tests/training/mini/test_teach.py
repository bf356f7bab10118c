"""Lessons: prompts of every kind for the masks of some crops, SAM's loss, IoU."""

import cv2
import numpy as np
import pytest
import torch

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
    assert (logits.shape, predicted.shape) == ((1, 4, 64, 64), (1, 4))


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
    assert lesson_loss(right, torch.ones(1, 4), masks, RECIPE).item() < 0.001
    one_of_three = torch.cat([right[:, :1], -right[:, :2], right[:, :1]], dim=1)
    predicted = torch.tensor([[1.0, 0, 0, 1]])
    assert lesson_loss(one_of_three, predicted, masks, RECIPE).item() < 0.001, "the best of the other three counts"
    assert lesson_loss(-right, torch.ones(1, 4), masks, RECIPE).item() > 1
    assert lesson_loss(right, torch.zeros(1, 4), masks, RECIPE).item() == pytest.approx(1, abs=0.01)


def test_the_loss_of_a_mask_is_focal_and_dice() -> None:
    """Against formulas written out; the single mask is compared at twice its size, the others at their own."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(1, 1, 4, 4, generator=generator)
    masks = (torch.rand(1, 1, 8, 8, generator=generator) > 0.5).byte() * 255

    def expected(logit: FloatArray, truth: FloatArray) -> float:
        share = 1 / (1 + np.exp(-logit))
        focal = np.abs(share - truth) ** 2 * -(truth * np.log(share) + (1 - truth) * np.log(1 - share))
        dice = 1 - (2 * (share * truth).sum() + 1) / ((share + truth).sum() + 1)
        return float(20 * focal.mean() + dice)

    small, full = logits[0, 0].double().numpy(), masks[0, 0].numpy() / 255
    means = full.reshape(4, 2, 4, 2).mean(axis=(1, 3))
    large = cv2.resize(small, (8, 8), interpolation=cv2.INTER_LINEAR)
    got = [((large > 0) & (full > 0)).sum() / ((large > 0) | (full > 0)).sum()]
    got += [((small > 0) & (means >= 0.5)).sum() / ((small > 0) | (means >= 0.5)).sum()] * 3
    found = lesson_loss(logits.expand(1, 4, 4, 4), torch.tensor([got]).float(), masks, RECIPE)
    assert found.item() == pytest.approx(expected(large, full) + expected(small, means), rel=1e-5)
