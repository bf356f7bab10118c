"""The loss against transformers' Mask2Former, for the same random numbers, points and masks."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from hqdata.training.losses import IMPORTANCE, OVERSAMPLE, POINTS, candidates, mask_loss, sample, unsure_points

mask2former: Any = pytest.importorskip(
    "transformers.models.mask2former.modeling_mask2former",
    reason="transformers is not installed: pip install transformers",
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def blurred(masks: int, side: int, seed: int) -> Tensor:
    """Smooth noise, ``[masks, 1, side, side]``."""
    noise = torch.randn(masks, 1, 8, 8, generator=generator(seed))
    return torch.nn.functional.interpolate(noise, size=(side, side), mode="bicubic")


@pytest.fixture(scope="module")
def logits() -> Tensor:
    return 4 * blurred(3, 64, seed=1)


@pytest.fixture(scope="module")
def truth() -> Tensor:
    """An object with soft edges, another, and an empty mask."""
    masks = (blurred(3, 256, seed=2) * 8).clamp(0, 1)
    masks[2] = 0
    return masks


def official_points(logits: Tensor, points: int, seed: int) -> Tensor:
    """Mask2Former draws from the global generator."""
    chooser = mask2former.Mask2FormerLoss.sample_points_using_uncertainty
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        found: Tensor = chooser(SimpleNamespace(), logits, lambda values: -values.abs(), points, OVERSAMPLE, IMPORTANCE)
    return found


@pytest.mark.parametrize("points", [POINTS, 101, 1])
def test_points_are_the_official_ones_for_the_same_random_numbers(logits: Tensor, points: int) -> None:
    drawn = candidates(3, generator(9), points)
    ours, theirs = unsure_points(logits, drawn, points), official_points(logits, points, seed=9)
    assert ours.shape == (3, points, 2)
    # Points that are equally unsure may come in any order.
    assert torch.equal(*(one.sort(dim=1).values for one in (ours, theirs)))
    assert torch.equal(ours[:, int(IMPORTANCE * points) :], theirs[:, int(IMPORTANCE * points) :])


def test_most_points_are_unsure(logits: Tensor) -> None:
    drawn = candidates(3, generator())
    points = unsure_points(logits, drawn)
    sure = sample(logits, points).abs().mean()
    assert points.shape == (3, 12_544, 2)
    assert drawn.shape == (3, 3 * 12_544 + 3_136, 2)
    assert sure < 0.6 * sample(logits, drawn).abs().mean()


def test_loss_and_gradient_are_the_official_ones(logits: Tensor, truth: Tensor) -> None:
    points = unsure_points(logits, candidates(3, generator()))
    ours, theirs = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    loss = mask_loss(ours, truth, points)
    wanted = mask2former.sample_point(truth, points, align_corners=False).squeeze(1)
    predicted = mask2former.sample_point(theirs, points, align_corners=False).squeeze(1)
    bce = mask2former.sigmoid_cross_entropy_loss(predicted, wanted, 3)
    dice = mask2former.dice_loss(predicted, wanted, 3)
    torch.testing.assert_close(loss.bce.mean(), bce, rtol=0, atol=1e-6)
    torch.testing.assert_close(loss.dice.mean(), dice, rtol=0, atol=1e-6)
    loss.total.backward()
    (bce + dice).backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=1e-7)


def test_each_mask_has_the_loss_that_it_has_alone(logits: Tensor, truth: Tensor) -> None:
    points = unsure_points(logits, candidates(3, generator()))
    together = mask_loss(logits, truth, points)
    for row in range(3):
        one = slice(row, row + 1)
        alone = mask_loss(logits[one], truth[one], points[one])
        torch.testing.assert_close(together.bce[one], alone.bce)
        torch.testing.assert_close(together.dice[one], alone.dice)


# logit everywhere, grey everywhere, BCE, Dice; N points
SURE = {
    "empty, and so predicted": (-40.0, 0.0, 0.0, 0.0),
    "empty, but predicted full": (40.0, 0.0, 40.0, 1 - 1 / (POINTS + 1)),
    "full, and so predicted": (40.0, 1.0, 0.0, 0.0),
    "half grey, predicted half": (0.0, 0.5, 0.693147, 1 - (POINTS / 2 + 1) / (POINTS + 1)),
    "grey 1 of 255: masks of 0 and 1 that were not scaled": (-40.0, 1 / 255, 40 / 255, 1 - 1 / (POINTS / 255 + 1)),
}


@pytest.mark.parametrize(("logit", "grey", "bce", "dice"), SURE.values(), ids=SURE)
def test_losses_that_can_be_worked_out(logit: float, grey: float, bce: float, dice: float) -> None:
    # A margin, because beyond the border everything is 0.
    points = 0.25 + candidates(1, generator())[:, :POINTS] / 2
    loss = mask_loss(torch.full((1, 1, 64, 64), logit), torch.full((1, 1, 256, 256), grey), points)
    assert loss.bce.item() == pytest.approx(bce, abs=1e-4)
    assert loss.dice.item() == pytest.approx(dice, abs=1e-4)


def test_half_precision_is_computed_in_float32(logits: Tensor, truth: Tensor) -> None:
    points = unsure_points(logits, candidates(3, generator()))
    rough = logits.bfloat16()
    assert torch.equal(mask_loss(rough, truth, points).total, mask_loss(rough.float(), truth, points).total)


def test_random_numbers_come_from_the_generator_alone() -> None:
    before = torch.random.get_rng_state()
    one, same, other = (candidates(2, generator(seed), 16) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
