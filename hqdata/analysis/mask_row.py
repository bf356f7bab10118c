"""The statistics of one sample: a row for each of its masks, as :mod:`hqdata.analysis.stats_table` describes them."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from hqdata.analysis.stats_table import STATS
from hqdata.arrays import UInt8Array
from hqdata.errors import StoreCorrupt, explain
from hqdata.masks import rle
from hqdata.masks.hashes import dhash, phash, phash_both
from hqdata.masks.picture import (
    COMMON_SIDE,
    Gradient,
    common_size,
    edge_figures,
    gradient,
    jpeg_quality,
    sharpness,
    to_common,
)
from hqdata.masks.shape import Shape, measure
from hqdata.masks.trace import softness, upscaling
from hqdata.sources.decode import to_grey
from hqdata.store.reader import Sample

_NAMES = frozenset(stat.name for stat in STATS)
_SHAPE = tuple(field.name for field in fields(Shape))

_STATED = {"annotation_id": "id", "predicted_iou": "predicted_iou", "stability_score": "stability_score"}
"""Columns that hold what a source states of a mask, and its word for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """What all masks of an image share."""

    figures: dict[str, Any]
    native: Gradient
    common: Gradient


def sample_rows(sample: Sample) -> Iterator[dict[str, Any]]:
    """Measure one sample as it is read.

    Args:
        sample: of a collection or a split.

    Yields:
        One mapping a mask, with a value (or None) for every name of the table.

    Raises:
        DecodeError: image or mask cannot be decoded, which ``hqdata verify --deep`` would also say.
        StoreCorrupt: a mask's size is not the image's.
    """
    picture = _picture(sample)
    width, height = sample.size
    names = {"sample_id": sample.sample_id, "source": sample.source, "part": sample.part}
    for k, mask in zip(sample.ks, sample.each_mask(), strict=True):
        if mask.shape != (height, width):
            raise StoreCorrupt(
                explain(
                    f"mask {k} of {sample.sample_id} has another size than its image",
                    expected=(height, width),
                    got=mask.shape,
                    do="run `hqdata verify --deep` on the collection",
                )
            )
        key = {"mask_id": f"{sample.sample_id}#{k}", "k": k, **names, "width": width, "height": height}
        stated = sample.stated(k) or {}
        of_source = {name: stated.get(key_there) for name, key_there in _STATED.items()}
        yield {**key, **mask_figures(mask), **_edges(mask, picture), **picture.figures, **of_source}


def _picture(sample: Sample) -> _Picture:
    image, data = sample.picture(), sample.encoded
    grey = to_grey(image)
    common = to_common(grey)
    plain, mirrored = phash_both(grey)
    figures = {
        "sharpness_px": sharpness(grey),
        "sharpness_1024": sharpness(common),
        "jpeg_quality": jpeg_quality(getattr(image, "quantization", {})),
        "image_bytes": None if data is None else len(data),
        "image_dhash": dhash(grey),
        "image_phash": plain,
        "image_phash_mirror": mirrored,
    }
    native = gradient(grey)
    return _Picture(figures=figures, native=native, common=native if common is grey else gradient(common))


def mask_figures(mask: UInt8Array) -> dict[str, Any]:
    """Everything that a mask ``uint8[H, W]``, 0 to 255, tells by itself, in all scales."""
    height, width = mask.shape
    binary = _binary(mask)
    native = measure(binary)
    common = native if common_size(height, width) == mask.shape else measure(_binary(to_common(mask)))
    figures = _in_scales(native, common, height, width)
    soft = softness(mask, native.boundary - native.border)
    length = soft.soft_width
    return {
        **figures,
        "soft_px": soft.soft,
        "soft_width_px": length,
        "soft_width_rel": None if length is None else length / math.hypot(height, width),
        "soft_width_1024": None if length is None else length * COMMON_SIDE / max(height, width),
        "soft_edge_share": soft.soft_edge_share,
        "jpeg_trace": soft.jpeg_trace,
        "upscaling_px": upscaling(binary),
        "rle_bytes": len(rle.encode(binary)["counts"]),
        "mask_phash": phash(binary * np.uint8(255)),
    }


def _binary(mask: UInt8Array) -> UInt8Array:
    return np.asarray(mask > 127).view(np.uint8)


def _in_scales(native: Shape, common: Shape, height: int, width: int) -> dict[str, Any]:
    """``_px``, ``_rel`` and ``_1024`` of every figure of shape."""
    figures: dict[str, Any] = {}
    for name in _SHAPE:
        value = getattr(native, name)
        figures[f"{name}_px"] = value
        if f"{name}_1024" in _NAMES:
            figures[f"{name}_1024"] = getattr(common, name)
        if f"{name}_rel" in _NAMES:
            figures[f"{name}_rel"] = value / (height * width if name == "area" else math.hypot(height, width))
    return figures


def _edges(mask: UInt8Array, picture: _Picture) -> dict[str, float | None]:
    alignment, strength = edge_figures(_binary(mask), picture.native)
    common = (alignment, strength)
    if picture.common is not picture.native:
        common = edge_figures(_binary(to_common(mask)), picture.common)
    return {
        "edge_alignment_px": alignment,
        "edge_strength_px": strength,
        "edge_alignment_1024": common[0],
        "edge_strength_1024": common[1],
    }
