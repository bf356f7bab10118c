"""What a SAM learns from a batch of crops: prompts of every kind, its losses, and how good its masks are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from hqdata.training.decoder import decode, sam_masks
from hqdata.training.encoder import encode
from hqdata.training.mini.crops import Crop
from hqdata.training.mini.recipe import Pretraining
from hqdata.training.prompting import LOGIT, boxes_of, noisy_masks, points_of
from hqdata.training.prompts import ABSENT, FOREGROUND, Prompts, encode_prompts
from hqdata.training.sam import FrozenSam

KINDS = ("box", "points", "mask")
_CHANCES = (0.6, 0.2, 0.2)
"""Of the kinds."""
_POINTS = 10
_BOX_NOISE = 0.1
"""A box's sides move by at most this share of its width and height."""
_WINDOW = 48
"""Points on a side of the window around a mask in which it is compared."""
_MARGIN = 0.25, 1 / 64
"""Of the window, on each side: a share of the mask's own width or height, and a share of the canvas."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lesson:
    """A batch of crops and what is asked about them."""

    images: Tensor
    """``uint8[B, 3, S, S]``."""
    sizes: Tensor
    """``int64[B, 2]``."""
    masks: Tensor
    """``uint8[P, 1, S, S]``, 0 to 255."""
    prompts: Prompts
    """P of them."""


def lesson(crops: Sequence[Crop], mask_side: int, rng: np.random.Generator, kind: str | None = None) -> Lesson:
    """Gather crops and draw a prompt for each of their masks.

    Boxes are moved, most of them hardly, unless all prompts are boxes.

    Args:
        crops: B of them.
        mask_side: of mask prompts, in pixels.
        rng: source of every choice.
        kind: of all prompts; None for any.
    """
    masks = torch.from_numpy(np.concatenate([crop.masks for crop in crops]))[:, None]
    of = torch.from_numpy(np.repeat(np.arange(len(crops)), [len(crop.masks) for crop in crops]))
    rows = len(masks)
    inside = masks > 127
    chosen = rng.choice(len(KINDS), rows, p=_CHANCES) if kind is None else np.full(rows, KINDS.index(kind))
    is_kind = {word: torch.from_numpy(chosen == index) for index, word in enumerate(KINDS)}
    boxes = boxes_of(inside)
    reach = (0 if kind == "box" else _BOX_NOISE) * rng.random((rows, 1)) ** 2
    moves = torch.from_numpy((reach * rng.uniform(-1, 1, (rows, 4))).astype(np.float32))
    moved = boxes + moves * (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    order = torch.from_numpy(rng.random((rows, _POINTS), dtype=np.float32))
    count = torch.from_numpy(rng.integers(1, _POINTS + 1, size=rows))
    there = is_kind["points"][:, None] & (torch.arange(_POINTS) < count[:, None])
    noise = torch.from_numpy(rng.standard_normal((rows, 1, mask_side, mask_side), dtype=np.float32))
    prompts = Prompts(
        boxes=moved,
        has_box=is_kind["box"],
        points=points_of(inside, order),
        labels=torch.where(there, FOREGROUND, ABSENT),
        masks=(2 * noisy_masks(masks, noise) - 1) * LOGIT,
        has_mask=is_kind["mask"],
        image=of,
    )
    images = torch.from_numpy(np.stack([crop.image for crop in crops]))
    return Lesson(images=images, sizes=torch.tensor([crop.size for crop in crops]), masks=masks, prompts=prompts)


def answers(sam: FrozenSam, asked: Lesson) -> tuple[Tensor, Tensor]:
    """Logits ``[P, 4, M, M]`` of SAM's four masks and the IoU ``[P, 4]`` that it predicts for each."""
    network = sam.network
    features = encode(network.image_encoder, sam.canvas(asked.images, asked.sizes), early=sam.size.early)
    prompts = encode_prompts(network.prompt_encoder, asked.prompts)
    return sam_masks(network.mask_decoder, decode(network.mask_decoder, features, prompts))


def lesson_loss(logits: Tensor, predicted: Tensor, masks: Tensor, recipe: Pretraining) -> Tensor:
    """The loss of the single mask, of the best of the other three, and the error of predicted IoU.

    Focal loss and Dice, as in the SAM paper (appendix A), and cross-entropy, as in HQ-SAM's. Focal loss compares all of
    the canvas. The other two compare a window around each mask, at as many points whatever its size: a mask of a few
    pixels of the canvas has hardly one of the logits' own.

    Args:
        logits: ``[P, 4, M, M]``.
        predicted: ``[P, 4]``, IoU.
        masks: ``uint8[P, 1, S, S]``, 0 to 255.
        recipe: weight of the focal loss.
    """
    places = _around(masks)
    right = _seen_at(masks / 255, places).expand(-1, logits.shape[1], -1, -1)
    made = _seen_at(logits, places)
    bce = functional.binary_cross_entropy_with_logits(made, right, reduction="none").mean(dim=(2, 3))
    errors = recipe.focal * _focal(logits, masks, recipe.gamma) + bce + _dice(made.sigmoid(), right)
    of_iou = functional.mse_loss(predicted, iou_of(made.detach(), right))
    return errors[:, 0].mean() + errors[:, 1:].amin(dim=1).mean() + of_iou


def _seen_at(masks: Tensor, places: Tensor) -> Tensor:
    """Read masks bilinearly; beyond the canvas they go on as at its border."""
    return functional.grid_sample(masks, places, align_corners=False, padding_mode="border")


def _around(masks: Tensor) -> Tensor:
    """Places ``[P, 48, 48, 2]`` in a window around each mask, as ``grid_sample`` takes them."""
    side = masks.shape[-1]
    boxes = boxes_of(masks > 127)
    low, high = boxes[:, :2], boxes[:, 2:]
    margin = _MARGIN[0] * (high - low) + _MARGIN[1] * side
    steps = (torch.arange(_WINDOW) + 0.5) / _WINDOW
    x, y = ((low - margin)[..., None] + (high - low + 2 * margin)[..., None] * steps).unbind(dim=1)
    places = torch.stack([x[:, None].expand(-1, _WINDOW, -1), y[:, :, None].expand(-1, -1, _WINDOW)], dim=-1)
    return 2 * places / side - 1


def _focal(logits: Tensor, masks: Tensor, gamma: float) -> Tensor:
    """Focal loss of each mask, ``[P, N]``, at the size of the logits."""
    truth = functional.adaptive_avg_pool2d(masks.float() / 255, logits.shape[-1]).expand_as(logits)
    bce = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    return ((logits.sigmoid() - truth).abs() ** gamma * bce).mean(dim=(2, 3))


def _dice(share: Tensor, truth: Tensor) -> Tensor:
    """Dice loss of each mask, ``[P, N]``."""
    return 1 - (2 * (share * truth).sum(dim=(2, 3)) + 1) / ((share + truth).sum(dim=(2, 3)) + 1)


def iou_of(logits: Tensor, truth: Tensor) -> Tensor:
    """IoU of logits above 0 with a truth of at least a half, over the last two axes; 1 where both are empty."""
    made, right = logits > 0, truth >= 0.5
    both, either = ((one.sum(dim=(-2, -1))).float() for one in (made & right, made | right))
    return torch.where(either > 0, both / either.clamp(min=1), 1.0)
