"""The pretraining of sam-mini: every weight of a SAM, from random ones, on drawn pictures with coarse masks.

Muon learns most of them: with AdamW it takes several times as many steps until boxes and points are heeded. It goes on
from its last snapshot after any end. A step's crops and prompts are a function of the seed and the step.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import clip_grad_norm_

from hqdata.errors import UsageError, explain
from hqdata.training.ahead import one_ahead
from hqdata.training.mini.crops import crop, whole
from hqdata.training.mini.drawn import Picture
from hqdata.training.mini.recipe import MINI, Pretraining
from hqdata.training.mini.teach import KINDS, Lesson, answers, iou_of, lesson, lesson_loss
from hqdata.training.sam import FrozenSam, new_sam
from hqdata.training.size import SamSize
from hqdata.training.snapshot import load_optimizer, newest_snapshot, optimizer_tensors, save_snapshot

SAVE_EVERY = 250

Tell = Callable[[str], None]


def pretrain(
    pictures: Sequence[Picture],
    folder: Path,
    recipe: Pretraining,
    *,
    size: SamSize = MINI,
    on_step: Callable[[int, float], None] = lambda *_: None,
    warn: Tell = lambda _: None,
) -> FrozenSam:
    """Pretrain a SAM, or go on with one.

    Args:
        pictures: to learn from.
        folder: of the snapshots.
        recipe: all the numbers.
        size: of the SAM.
        on_step: told of every step and its loss.
        warn: told of snapshots that are passed over.

    Raises:
        UsageError: the folder holds snapshots of another recipe, or torch is too old.
        CheckpointError: no snapshot in the folder is whole.
        RuntimeError: a gradient is not finite; nothing was updated by it.
    """
    sam = new_sam(size, recipe.seed)
    sam.network.train().requires_grad_(True)
    weights = dict(sam.network.named_parameters())
    optimizers = _optimizers(sam.network, recipe)
    shape = asdict(size) | {"global_blocks": list(size.global_blocks)}
    told = asdict(recipe) | {"masks": list(recipe.masks)}
    facts = {"recipe": told, "size": shape, "pictures": len(pictures)}
    first = 0
    found = newest_snapshot(folder, warn)
    if found is not None:
        if found.state != facts:
            raise UsageError(explain(f"{folder} holds snapshots of another pretraining", do="choose another folder"))
        sam.network.load_state_dict(found.tensors["model"])
        for word, optimizer in optimizers.items():
            load_optimizer(optimizer, weights, found.tensors[word])
        first = found.step
    lessons = one_ahead(_lesson_of(step, pictures, recipe, size) for step in range(first, recipe.steps))
    for step, asked in zip(range(first, recipe.steps), lessons, strict=True):
        loss = lesson_loss(*answers(sam, asked), asked.masks, recipe)
        sam.network.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        clip_grad_norm_(weights.values(), recipe.clip, error_if_nonfinite=True)
        for optimizer, rate in zip(optimizers.values(), (recipe.muon_rate, recipe.adam_rate), strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate * share_at(step, recipe)
            optimizer.step()
        on_step(step + 1, loss.item())
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == recipe.steps:
            moments = {word: optimizer_tensors(one, weights) for word, one in optimizers.items()}
            save_snapshot(folder, step + 1, {"model": sam.network.state_dict(), **moments}, facts)
    sam.network.eval().requires_grad_(False)
    return sam


def _optimizers(network: nn.Module, recipe: Pretraining) -> dict[str, torch.optim.Optimizer]:
    """Muon for the matrices of linear layers, AdamW for all else; vectors do not decay."""
    if not hasattr(torch.optim, "Muon"):
        raise UsageError(explain("this pretraining needs Muon", expected="torch 2.9 or newer", got=torch.__version__))
    linear = [module.weight for module in network.modules() if isinstance(module, nn.Linear)]
    others = [weight for weight in network.parameters() if all(weight is not one for one in linear)]
    decays = {True: recipe.weight_decay, False: 0.0}
    groups = [
        {"params": [weight for weight in others if (weight.ndim >= 2) == wide], "weight_decay": decay}
        for wide, decay in decays.items()
    ]
    # Updates as large as AdamW's: one weight decay and one scale of learning rates for both.
    muon = torch.optim.Muon(linear, weight_decay=recipe.weight_decay, adjust_lr_fn="match_rms_adamw")
    return {"muon": muon, "adam": torch.optim.AdamW(groups)}


def share_at(step: int, recipe: Pretraining) -> float:
    """Share of a learning rate that is left: it rises linearly, then falls as a half cosine to 0."""
    if step < recipe.warm_up:
        return (step + 1) / recipe.warm_up
    done = (step - recipe.warm_up) / max(1, recipe.steps - recipe.warm_up)
    return 0.5 * (1 + math.cos(math.pi * done))


def _lesson_of(step: int, pictures: Sequence[Picture], recipe: Pretraining, size: SamSize) -> Lesson:
    rng = np.random.default_rng([recipe.seed, step])
    chosen = rng.choice(len(pictures), size=recipe.batch, replace=False)
    crops = [crop(pictures[number], size.image, recipe.masks, rng) for number in chosen]
    return lesson(crops, size.mask_side, rng)


@torch.no_grad()
def judge(sam: FrozenSam, pictures: Sequence[Picture], least: int = 0, seed: int = 0) -> dict[str, float]:
    """Mean IoU with the coarse masks of whole pictures, over all masks, by kind of prompt.

    Args:
        sam: what is judged: its single mask.
        pictures: with their masks.
        least: pixels on the canvas of the smallest mask that counts.
        seed: of points and noise.
    """
    means: dict[str, float] = {}
    for kind in KINDS:
        scores: list[float] = []
        for number, picture in enumerate(pictures):
            rng = np.random.default_rng([seed, number])
            asked = lesson([whole(picture, sam.size.image)], sam.size.mask_side, rng, kind)
            logits = answers(sam, asked)[0][:, :1]
            large = functional.interpolate(logits, asked.masks.shape[-2:], mode="bilinear", align_corners=False)
            counts = (asked.masks > 127).sum(dim=(1, 2, 3)) >= least
            scores += iou_of(large, asked.masks / 255)[counts, 0].tolist()
        means[kind] = float(np.mean(scores))
    return means
