"""Prompts of a batch as the decoder takes them: boxes, points and masks, mixed freely from row to row.

SAM's own encoder takes one kind for a whole batch. Here a row that lacks a kind gets tokens all the same, which are
marked as absent and never attended to, so that a batch of any mixture is one pass of one shape.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

FOREGROUND, BACKGROUND, NOT_A_POINT, ABSENT = 1, 0, -1, -2
"""Labels of points. The official code attends to ``NOT_A_POINT``; ``ABSENT`` is ours and stands for no token at all."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prompts:
    """One prompt a row: a box, points, a mask, several of them, or none. Places are pixels of the canvas, x first."""

    boxes: Tensor | None = None
    """``float[P, 4]``: x0, y0, x1, y1."""
    has_box: Tensor | None = None
    """``bool[P]``: rows whose box counts; None for all."""
    points: Tensor | None = None
    """``float[P, N, 2]``."""
    labels: Tensor | None = None
    """``int[P, N]``: see :data:`ABSENT` and beside it; ``ABSENT`` fills up rows with fewer points."""
    masks: Tensor | None = None
    """``float[P, 1, S, S]`` at ``SamSize.mask_side``; SAM was trained on logits."""
    has_mask: Tensor | None = None
    """``bool[P]``: rows whose mask counts; None for all."""
    image: Tensor | None = None
    """``int64[P]``: which image of the batch a row belongs to; None for one row an image, in order."""

    def __post_init__(self) -> None:
        """Refuse kinds with different numbers of rows."""
        given = [self.boxes, self.has_box, self.points, self.labels, self.masks, self.has_mask, self.image]
        rows = {len(one) for one in given if one is not None}
        if len(rows) != 1:
            raise ValueError(f"the parts of a batch of prompts have {sorted(rows)} rows")
        if (self.points is None) != (self.labels is None):
            raise ValueError("points and labels come together")
        if (self.boxes is None and self.has_box is not None) or (self.masks is None and self.has_mask is not None):
            raise ValueError("has_box and has_mask say which boxes and masks count: give those too")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Encoded:
    """Prompts as the decoder takes them."""

    sparse: Tensor
    """``float32[P, T, C]``: tokens of points and boxes."""
    present: Tensor | None
    """``bool[P, T]``: tokens that are attended to; None for all."""
    dense: Tensor
    """``float32[P, C, G, G]``: masks, added to the image; its strides may be 0."""
    position: Tensor
    """``float32[1, C, G, G]``: where each cell of the image lies."""
    image: Tensor | None
    """``int64[P]``, see :class:`Prompts`."""


def encode_prompts(encoder: Any, prompts: Prompts) -> Encoded:
    """Run the package's ``PromptEncoder`` on a mixed batch.

    Nothing depends on a look at the values, which would wait for the GPU. Always in float32: in half precision
    coordinates would be off by several pixels.
    """
    device = encoder.no_mask_embed.weight.device
    with torch.autocast(device.type, enabled=False):
        sparse, present = _tokens(encoder, prompts)
        return Encoded(
            sparse=sparse,
            present=present,
            dense=_dense(encoder, prompts, len(sparse)),
            position=encoder.get_dense_pe(),
            image=prompts.image,
        )


def _tokens(encoder: Any, prompts: Prompts) -> tuple[Tensor, Tensor | None]:
    """Tokens of points and boxes, in the official order, and which of them are there."""
    tokens, present = [], []
    boxed = prompts.has_box
    if prompts.points is not None and prompts.labels is not None:
        there = prompts.labels != ABSENT
        tokens.append(_point_tokens(encoder, prompts.points, prompts.labels))
        present.append(there)
        # The official code closes a list of points by a token that is none, unless a box follows.
        if prompts.boxes is None or boxed is not None:
            closed = there.any(dim=1, keepdim=True)
            tokens.append(encoder.not_a_point_embed.weight.expand(len(there), 1, -1))
            present.append(closed if boxed is None else closed & ~boxed[:, None])
    if prompts.boxes is not None:
        corners = encoder.pe_layer.forward_with_coords(prompts.boxes.reshape(-1, 2, 2) + 0.5, encoder.input_image_size)
        kinds = torch.cat([encoder.point_embeddings[2].weight, encoder.point_embeddings[3].weight])
        tokens.append(corners + kinds)
        there = torch.ones(len(corners), dtype=torch.bool, device=corners.device) if boxed is None else boxed
        present.append(there[:, None].expand(-1, 2))
    if not tokens:
        rows = next(len(one) for one in (prompts.masks, prompts.image) if one is not None)
        return encoder.no_mask_embed.weight.new_zeros(rows, 0, encoder.embed_dim), None
    everything = prompts.points is None and boxed is None
    return torch.cat(tokens, dim=1), None if everything else torch.cat(present, dim=1)


def _point_tokens(encoder: Any, points: Tensor, labels: Tensor) -> Tensor:
    """``float32[P, N, C]``; what stands for an absent point does not matter."""
    places = encoder.pe_layer.forward_with_coords(points + 0.5, encoder.input_image_size)
    background, foreground = (encoder.point_embeddings[label].weight for label in (BACKGROUND, FOREGROUND))
    kind = labels[..., None]
    known = places + torch.where(kind == FOREGROUND, foreground, background)
    return torch.where(kind >= BACKGROUND, known, encoder.not_a_point_embed.weight)


def _dense(encoder: Any, prompts: Prompts, rows: int) -> Tensor:
    empty = encoder.no_mask_embed.weight.view(1, -1, 1, 1).expand(rows, -1, *encoder.image_embedding_size)
    if prompts.masks is None:
        return empty  # type: ignore[no-any-return]
    drawn: Tensor = encoder.mask_downscaling(prompts.masks)
    return drawn if prompts.has_mask is None else torch.where(prompts.has_mask.view(-1, 1, 1, 1), drawn, empty)
