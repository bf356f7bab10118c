"""The loss of HQ-SAM's released training: BCE and Dice at points that are mostly chosen where the prediction is unsure.

As in PointRend and Mask2Former: 12,544 points a mask, three quarters of them the least sure of three times as many
random ones, the rest random. Three pure steps, so that the random numbers can be the visit's own:
:func:`candidates`, :func:`unsure_points`, :func:`mask_loss`.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

POINTS = 112 * 112
OVERSAMPLE = 3
"""Candidates for each point."""
IMPORTANCE = 0.75
"""Share of the points that are chosen among the candidates."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MaskLoss:
    """Losses of P masks, ``float32[P]`` each; the released loss is the mean of their sum."""

    bce: Tensor
    dice: Tensor

    @property
    def total(self) -> Tensor:
        """What is minimised: a scalar."""
        return (self.bce + self.dice).mean()


def candidates(masks: int, generator: torch.Generator, points: int = POINTS) -> Tensor:
    """Draw the random points of some masks, on the generator's device.

    Returns:
        ``float32[masks, N, 2]``, x and y as shares of the sides; the last ``points - int(IMPORTANCE * points)`` are
        taken as they are.
    """
    draws = (OVERSAMPLE * points, points - int(IMPORTANCE * points))
    # Two draws: the order in which Mask2Former draws them.
    drawn = [torch.rand(masks, count, 2, generator=generator, device=generator.device) for count in draws]
    return torch.cat(drawn, dim=1)


@torch.no_grad()
def unsure_points(logits: Tensor, drawn: Tensor, points: int = POINTS) -> Tensor:
    """Choose the points at which masks are compared.

    Args:
        logits: ``[P, 1, H, W]``, the prediction.
        drawn: ``float32[P, N, 2]``, by :func:`candidates` with the same ``points``.
        points: of each mask.

    Returns:
        ``float32[P, points, 2]``: the candidates whose logits are nearest to 0, then those that need not be.
    """
    tried, kept = drawn[:, : OVERSAMPLE * points], drawn[:, OVERSAMPLE * points :]
    unsure = sample(logits, tried).abs().topk(int(IMPORTANCE * points), dim=1, largest=False).indices
    return torch.cat([tried.take_along_dim(unsure[..., None], dim=1), kept], dim=1)


def mask_loss(logits: Tensor, truth: Tensor, points: Tensor) -> MaskLoss:
    """Compare predictions with masks at some points.

    The released code passes soft labels: ``truth`` is the grey value over 255, not a threshold of it. An empty mask is
    no special case: BCE pulls every point down, and Dice, with 1 added above and below, does so as well.

    Args:
        logits: ``[P, 1, h, w]``, the prediction; any float type, computed in float32.
        truth: ``[P, 1, H, W]``, 0 to 1; of any size, for points are shares of the sides.
        points: ``float32[P, N, 2]``, by :func:`unsure_points`.
    """
    predicted = sample(logits, points)
    with torch.no_grad():
        wanted = sample(truth, points)
    bce = functional.binary_cross_entropy_with_logits(predicted, wanted, reduction="none").mean(dim=1)
    share = predicted.sigmoid()
    dice = 1 - (2 * (share * wanted).sum(dim=1) + 1) / (share.sum(dim=1) + wanted.sum(dim=1) + 1)
    return MaskLoss(bce=bce, dice=dice)


def sample(masks: Tensor, points: Tensor) -> Tensor:
    """Read ``[P, 1, H, W]`` at ``[P, N, 2]``, bilinearly; zeros lie beyond the border. Returns ``float32[P, N]``."""
    places = 2 * points[:, :, None] - 1
    return functional.grid_sample(masks.float(), places, align_corners=False)[:, 0, :, 0]
