"""The encoder's attention with SAM's relative positions, without a bias as large as the attention matrix.

SAM adds to the logit of query (y, x) and key (v, u) the terms ``q.H[y - v]`` and ``q.W[x - u]``. Both are linear in q:
they are the entries v and u of two vectors that belong to the query alone. So these vectors become further channels of
the query, and the key gets the one-hot vectors of v and u: the products are the same logits, and any fused kernel
computes them. At ViT-L's 4096 tokens the bias would take 1 GiB an image and block in fp32.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

_ALIGN = 8
"""Fused half-precision kernels take channels in multiples of this only."""


def attend(attention: Any, tokens: Tensor, *, pad_values: bool = True) -> Tensor:
    """Compute what the package's ``Attention.forward`` computes, by a fused kernel.

    Args:
        attention: an ``image_encoder.Attention`` of the package, with relative positions.
        tokens: ``float[B, H, W, C]``.
        pad_values: whether values get as many channels as queries and keys. Flash kernels need that; those that do not
            then multiply zeros.

    Returns:
        ``float[B, H, W, C]``.
    """
    batch, height, width, channels = tokens.shape
    packed = attention.qkv(tokens).view(batch, height, width, 3, attention.num_heads, -1)
    query, key, value = packed.permute(3, 0, 4, 1, 2, 5).unbind(0)
    rows = torch.einsum("bnhwc,hkc->bnhwk", query, _relative(attention.rel_pos_h, height))
    columns = torch.einsum("bnhwc,wkc->bnhwk", query, _relative(attention.rel_pos_w, width))
    spare = query.new_zeros(-(query.shape[-1] + height + width) % _ALIGN).expand(*query.shape[:-1], -1)
    query = torch.cat([query * attention.scale, rows, columns, spare], dim=-1).flatten(2, 3)
    key = torch.cat([key, *_places(key), spare], dim=-1).flatten(2, 3)
    value = value.flatten(2, 3)
    head = value.shape[-1]
    if pad_values:
        value = functional.pad(value, (0, query.shape[-1] - head))
    mixed = functional.scaled_dot_product_attention(query, key, value, scale=1.0)[..., :head]
    joined: Tensor = attention.proj(mixed.transpose(1, 2).reshape(batch, height, width, channels))
    return joined


def _relative(table: Tensor, side: int) -> Tensor:
    """Rows of a table of ``2 * side - 1`` offsets for every query and key: ``[side, side, C]``."""
    places = torch.arange(side, device=table.device)
    return table[places[:, None] - places[None, :] + side - 1]


def _places(key: Tensor) -> list[Tensor]:
    """One-hot row and column of every key of ``[B, heads, H, W, C]``."""
    height, width = key.shape[2:4]
    rows = torch.eye(height, dtype=key.dtype, device=key.device)[:, None, :]
    columns = torch.eye(width, dtype=key.dtype, device=key.device)[None, :, :]
    return [one.expand(*key.shape[:-1], -1) for one in (rows, columns)]
