"""One pass through SAM's image encoder, for both features that heads are built on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from hqdata.training.attention import attend
from hqdata.training.package import modeling

Attend = Callable[[Any, Tensor], Tensor]
"""From one of the package's ``Attention`` modules and tokens ``[B, H, W, C]`` to tokens of the same shape."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Features:
    """What the encoder makes of some images."""

    early: Tensor
    """``float32[B, grid, grid, width]``: output of the first block that attends to the whole image."""
    final: Tensor
    """``float32[B, channels, grid, grid]``: output of the neck; the official code's image embedding."""


def encode(encoder: Any, canvas: Tensor, *, early: int, attention: Attend = attend) -> Features:
    """Run the package's ``ImageEncoderViT``.

    Args:
        encoder: the module.
        canvas: ``float[B, 3, S, S]``, normalised and padded to the encoder's size.
        early: index of the block whose output is the early feature.
        attention: how a block attends.
    """
    tokens = encoder.patch_embed(canvas) + encoder.pos_embed
    seen = tokens
    for index, block in enumerate(encoder.blocks):
        tokens = _through(block, tokens, attention)
        if index == early:
            seen = tokens
    return Features(early=seen.float(), final=encoder.neck(tokens.permute(0, 3, 1, 2)).float())


def _through(block: Any, tokens: Tensor, attention: Attend) -> Tensor:
    """One block, as ``Block.forward`` has it."""
    normed = block.norm1(tokens)
    if block.window_size:
        parts = modeling().image_encoder
        windows, padded = parts.window_partition(normed, block.window_size)
        mixed = attention(block.attn, windows)
        mixed = parts.window_unpartition(mixed, block.window_size, padded, tokens.shape[1:3])
    else:
        mixed = attention(block.attn, normed)
    tokens = tokens + mixed
    return tokens + block.mlp(block.norm2(tokens))  # type: ignore[no-any-return]
