"""The prompts of a training step, drawn from the masks that are trained: box, points or noisy mask, one a row.

All of it is batched and stays on the masks' device. The random numbers are the visits' own and are passed in; what they
are applied to is the mask. Rules and their faults are those of the released code (``train/train.py`` and
``train/utils/misc.py``), each fault behind its switch in :class:`~hqdata.training.recipe.Traps`.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from hqdata.training.prompts import ABSENT, FOREGROUND, Prompts
from hqdata.training.recipe import Recipe

BOX, POINTS, MASK = "box", "points", "mask"
NO_BOX = (1e8, 1e8, 0.0, 0.0)
"""What the released code makes of a mask without foreground."""
LOGIT = 10.0
"""Size of the logits that stand for a certain mask: about those of SAM's own predictions."""
_DOWN = 8
"""A noisy mask is noisy where reducing it by this factor loses something."""
_LOST = 0.01


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Drawn:
    """Prompts of a batch, and what has to be logged of them."""

    prompts: Prompts
    kind: Tensor
    """``int64[B]``: index into ``recipe.prompts``."""
    dropped: Tensor
    """``bool[B]``: points were drawn, but the mask, or one of its group, has too few pixels: another kind was taken."""
    empty: Tensor
    """``bool[B]``: masks without foreground."""
    pixels: Tensor
    """``int64[B]``: foreground of each mask."""

    def part(self, rows: slice) -> Prompts:
        """Prompts of some rows."""
        return Prompts(**{name: value[rows] for name, value in _parts(self.prompts).items()})


def _parts(prompts: Prompts) -> dict[str, Tensor]:
    names = ("boxes", "has_box", "points", "labels", "masks", "has_mask")
    return {name: value for name in names if (value := getattr(prompts, name)) is not None}


def draw_prompts(masks: Tensor, choice: Tensor, order: Tensor, noise: Tensor, recipe: Recipe) -> Drawn:
    """Draw one prompt a mask.

    Args:
        masks: ``uint8[B, 1, S, S]``, 0 to 255, on the canvas.
        choice: ``float32[B]``, uniform: which kind.
        order: ``float32[B, K]``, uniform: which K points.
        noise: ``float32[B, 1, M, M]``, normal: of noisy masks; M is ``SamSize.mask_side``.
        recipe: kinds and faults.
    """
    inside = masks > recipe.traps.above
    pixels = inside.flatten(1).sum(dim=1)
    few = pixels < order.shape[1]
    if recipe.traps.points_by_group:
        few = few.view(-1, recipe.group).any(dim=1).repeat_interleave(recipe.group)
    kind, dropped = _kinds(choice, few, recipe.prompts)
    there = pixels > 0
    boxed = torch.ones_like(there) if recipe.traps.empty_crops else there
    chosen = {word: kind == index for index, word in enumerate(recipe.prompts)}
    given: dict[str, Tensor] = {}
    if BOX in chosen:
        given |= {"boxes": boxes_of(inside, inclusive=recipe.traps.inclusive_boxes), "has_box": chosen[BOX] & boxed}
    if POINTS in chosen:
        labels = torch.where((chosen[POINTS] & there)[:, None], FOREGROUND, ABSENT).expand_as(order)
        given |= {"points": points_of(inside, order), "labels": labels}
    if MASK in chosen:
        noisy = noisy_masks(masks, noise)
        prompt = noisy * 255 if recipe.traps.prompt_masks_255 else (2 * noisy - 1) * LOGIT
        given |= {"masks": prompt, "has_mask": chosen[MASK]}
    return Drawn(prompts=Prompts(**given), kind=kind, dropped=dropped, empty=~there, pixels=pixels)


def _kinds(choice: Tensor, few: Tensor, words: tuple[str, ...]) -> tuple[Tensor, Tensor]:
    """Choose uniformly among the kinds, another than points for masks that have too ``few`` pixels for them.

    Returns:
        The kinds, and which of them stand in the place of points.
    """
    kind = (choice * len(words)).long().clamp(max=len(words) - 1)
    if POINTS not in words or len(words) == 1:
        return kind, torch.zeros_like(few)
    others = torch.tensor([index for index, word in enumerate(words) if word != POINTS], device=kind.device)
    other = others[(choice * len(others)).long().clamp(max=len(others) - 1)]
    return torch.where(few, other, kind), few & (kind == words.index(POINTS))


def boxes_of(inside: Tensor, *, inclusive: bool = False) -> Tensor:
    """Boxes around foreground.

    Args:
        inside: ``bool[B, 1, H, W]``.
        inclusive: whether a box ends at its last pixel, instead of after it.

    Returns:
        ``float32[B, 4]``: x0, y0, x1, y1 in pixels; :data:`NO_BOX` where there is no foreground.
    """
    columns, rows = inside.flatten(1, 2).any(dim=1), inside.flatten(1, 2).any(dim=2)
    end = 0 if inclusive else 1
    # argmax of a bool finds the first true one
    edges = [_first(columns), _first(rows), _last(columns) + end, _last(rows) + end]
    boxes = torch.stack(edges, dim=1).float()
    return torch.where(columns.any(dim=1, keepdim=True), boxes, boxes.new_tensor(NO_BOX))


def _first(line: Tensor) -> Tensor:
    return line.int().argmax(dim=1)


def _last(line: Tensor) -> Tensor:
    return line.shape[1] - 1 - line.int().flip(1).argmax(dim=1)


def points_of(inside: Tensor, order: Tensor) -> Tensor:
    """Different foreground pixels, each as likely as any other.

    Args:
        inside: ``bool[B, 1, H, W]``.
        order: ``float32[B, K]``, uniform.

    Returns:
        ``float32[B, K, 2]``: x and y in pixels. A mask with fewer than K pixels gets some of them twice; what stands
        for one without any does not matter.
    """
    width = inside.shape[-1]
    count = inside.flatten(1).cumsum(dim=1, dtype=torch.int32)
    total = count[:, -1:]
    places = torch.searchsorted(count, _ranks(order, total) + 1).clamp(max=count.shape[1] - 1)
    return torch.stack([places % width, places // width], dim=-1).float()


def _ranks(order: Tensor, total: Tensor) -> Tensor:
    """Draw K different numbers below ``int[B, 1]`` totals: the i-th of those that are left, each time."""
    ranks: list[Tensor] = []
    for index in range(order.shape[1]):
        left = (total[:, 0] - index).clamp(min=1)
        rank = torch.minimum((order[:, index].double() * left).int(), left - 1)
        for taken in torch.stack(ranks, dim=1).sort(dim=1).values.unbind(1) if ranks else ():
            rank = rank + (rank >= taken).int()
        ranks.append(rank)
    return torch.stack(ranks, dim=1).clamp(max=(total - 1).clamp(min=0))


def noisy_masks(masks: Tensor, noise: Tensor) -> Tensor:
    """Masks that are wrong near fine detail, as HQ-SAM's mask prompts are (``masks_noise`` of the released code).

    Args:
        masks: ``uint8[B, 1, S, S]``, 0 to 255.
        noise: ``float32[B, 1, M, M]``, normal.

    Returns:
        ``float32[B, 1, M, M]``, 0 or 1.
    """
    side = noise.shape[-1]
    small = functional.interpolate(masks.float() / 255, (side, side), mode="bilinear")
    reduced = functional.interpolate(small, (side // _DOWN, side // _DOWN), mode="bilinear")
    lost = (small - functional.interpolate(reduced, (side, side), mode="bilinear")).abs() >= _LOST
    return (small + noise * lost > 0.5).float()
