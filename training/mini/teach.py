"""What a SAM learns from a batch of crops: prompts of every kind, SAM's losses, and how good its masks are."""

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
_POINTS = 10
_BOX_NOISE = 0.1
"""A box's sides move by at most this share of its width and height."""


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
    chosen = rng.integers(len(KINDS), size=rows) if kind is None else np.full(rows, KINDS.index(kind))
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
    """SAM's loss: focal and Dice of the single mask, of the best of the other three, and the error of predicted IoU.

    The single mask is enlarged first: on its own pixels, masks of a few pixels of the canvas would have none.

    Args:
        logits: ``[P, 4, M, M]``.
        predicted: ``[P, 4]``, IoU.
        masks: ``uint8[P, 1, S, S]``, 0 to 255.
        recipe: weights of the losses.
    """
    large = functional.interpolate(logits[:, :1], scale_factor=2, mode="bilinear", align_corners=False)
    single, of_single = _errors(large, masks, recipe)
    others, of_others = _errors(logits[:, 1:], masks, recipe)
    got = torch.cat([of_single, of_others], dim=1)
    return single.mean() + others.amin(dim=1).mean() + functional.mse_loss(predicted, got)


def _errors(logits: Tensor, masks: Tensor, recipe: Pretraining) -> tuple[Tensor, Tensor]:
    """Weighted focal loss and Dice of each mask, and its IoU, ``[P, N]`` both, at the size of the logits."""
    truth = functional.adaptive_avg_pool2d(masks.float() / 255, logits.shape[-1]).expand_as(logits)
    bce = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    share = logits.sigmoid()
    focal = ((share - truth).abs() ** recipe.gamma * bce).mean(dim=(2, 3))
    dice = 1 - (2 * (share * truth).sum(dim=(2, 3)) + 1) / ((share + truth).sum(dim=(2, 3)) + 1)
    return recipe.focal * focal + dice, iou_of(logits.detach(), truth)


def iou_of(logits: Tensor, truth: Tensor) -> Tensor:
    """IoU of logits above 0 with a truth of at least a half, over the last two axes; 1 where both are empty."""
    made, right = logits > 0, truth >= 0.5
    both, either = ((one.sum(dim=(-2, -1))).float() for one in (made & right, made | right))
    return torch.where(either > 0, both / either.clamp(min=1), 1.0)
