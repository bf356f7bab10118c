"""One pass through SAM's mask decoder for any number of prompts and images, with room for tokens of a variant's own.

The official decoder takes the prompts of one image. This one takes a batch of both, mixed kinds included, runs the very
same modules, and hands back what variants are built on: the output tokens and the upscaled feature.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from hqdata.training.encoder import Features
from hqdata.training.prompts import Encoded


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Decoded:
    """What the decoder makes of P prompts."""

    tokens: Tensor
    """``[P, 1 + 4 + E, C]``: output tokens for IoU, for SAM's four masks, then the extra ones."""
    upscaled: Tensor
    """``[P, C / 8, 4 G, 4 G]``: the image's feature, upscaled, which SAM's masks are products with."""


def decode(decoder: Any, features: Features, prompts: Encoded, extra: Tensor | None = None) -> Decoded:
    """Run the package's ``MaskDecoder`` up to its output tokens.

    Args:
        decoder: the module.
        features: of the batch's images.
        prompts: P of them.
        extra: ``[E, C]``, further output tokens.
    """
    own = [decoder.iou_token.weight, decoder.mask_tokens.weight, *([] if extra is None else [extra])]
    outputs = torch.cat(own).expand(len(prompts.sparse), -1, -1)
    tokens = torch.cat([outputs, prompts.sparse], dim=1)
    source = of_prompts(features.final, prompts) + prompts.dense
    mixed, image = _two_way(decoder.transformer, source, prompts.position, tokens, _seen(prompts, outputs))
    upscaled = decoder.output_upscaling(image.transpose(1, 2).view_as(source))
    return Decoded(tokens=mixed[:, : outputs.shape[1]], upscaled=upscaled)


def of_prompts(per_image: Tensor, prompts: Encoded) -> Tensor:
    """One row a prompt of a tensor with one row an image."""
    return per_image if prompts.image is None else per_image[prompts.image]


def sam_masks(decoder: Any, decoded: Decoded) -> tuple[Tensor, Tensor]:
    """Return SAM's own four masks.

    Returns:
        Logits ``[P, 4, 4 G, 4 G]``, the single mask first, then the three of ``multimask``; predicted IoU ``[P, 4]``.
    """
    heads = [mlp(decoded.tokens[:, 1 + index]) for index, mlp in enumerate(decoder.output_hypernetworks_mlps)]
    return product(torch.stack(heads, dim=1), decoded.upscaled), decoder.iou_prediction_head(decoded.tokens[:, 0])


def chosen(masks: Tensor, iou: Tensor, *, multimask: bool) -> tuple[Tensor, Tensor]:
    """Choose one of SAM's four masks: the single one, or that of the other three with the highest predicted IoU.

    Returns:
        Logits ``[P, 1, 4 G, 4 G]``; predicted IoU ``[P, 1]``.
    """
    if not multimask:
        return masks[:, :1], iou[:, :1]
    best = 1 + iou[:, 1:].argmax(dim=1, keepdim=True)
    return masks.take_along_dim(best[..., None, None], dim=1), iou.take_along_dim(best, dim=1)


def product(heads: Tensor, feature: Tensor) -> Tensor:
    """Logits ``[P, M, H, W]`` of mask vectors ``[P, M, C]`` and a feature ``[P, C, H, W]``."""
    return torch.einsum("pmc,pchw->pmhw", heads, feature)


def _seen(prompts: Encoded, outputs: Tensor) -> Tensor | None:
    """``bool[P, 1, 1, T]``: tokens that may be attended to; output tokens always are."""
    if prompts.present is None:
        return None
    always = prompts.present.new_ones(outputs.shape[:2])
    return torch.cat([always, prompts.present], dim=1)[:, None, None]


def _two_way(
    transformer: Any, image: Tensor, position: Tensor, tokens: Tensor, seen: Tensor | None
) -> tuple[Tensor, Tensor]:
    """``TwoWayTransformer.forward``, but no token is attended to that is not seen."""
    keys, places, queries = image.flatten(2).mT, position.flatten(2).mT, tokens
    for layer in transformer.layers:
        if layer.skip_first_layer_pe:
            queries = _attend(layer.self_attn, queries, queries, queries, seen)
        else:
            placed = queries + tokens
            queries = queries + _attend(layer.self_attn, placed, placed, queries, seen)
        queries = layer.norm1(queries)
        queries = queries + _attend(layer.cross_attn_token_to_image, queries + tokens, keys + places, keys)
        queries = layer.norm2(queries)
        queries = layer.norm3(queries + layer.mlp(queries))
        keys = keys + _attend(layer.cross_attn_image_to_token, keys + places, queries + tokens, queries, seen)
        keys = layer.norm4(keys)
    queries = queries + _attend(transformer.final_attn_token_to_image, queries + tokens, keys + places, keys)
    return transformer.norm_final_attn(queries), keys


def _attend(attention: Any, query: Tensor, key: Tensor, value: Tensor, seen: Tensor | None = None) -> Tensor:
    """``transformer.Attention.forward``, by a fused kernel."""
    projected = (attention.q_proj(query), attention.k_proj(key), attention.v_proj(value))
    query, key, value = (one.view(*one.shape[:2], attention.num_heads, -1).transpose(1, 2) for one in projected)
    mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=seen)
    joined: Tensor = attention.out_proj(mixed.transpose(1, 2).flatten(2))
    return joined
