"""One image and its mask become one pair with one meaning: image bytes as they were, mask in the image's stored order.

The rules are listed in ``docs/normalize.md``. Nothing is resized, and what no rule covers raises
:class:`~hqdata.errors.DecodeError`, which becomes a reject row.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from hqdata.arrays import UInt8Array
from hqdata.errors import DecodeError
from hqdata.limits import DEFAULT, Limits
from hqdata.sources.decode import image_flags, open_image
from hqdata.sources.mask_coding import CodedMask, Coding, encode_mask, pixels_digest, read_mask, value_flags
from hqdata.sources.orientation import neutralise, to_display, to_stored

__all__ = ["Frame", "MaskRules", "NormalPair", "naming", "normalize_pair", "pixels_digest"]

Frame = Literal["stored", "displayed", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskRules:
    """What a manifest says about a source's masks."""

    coding: Coding = "grey"
    frame: Frame = "unknown"
    """Frame in which masks were drawn where the image carries an orientation tag."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NormalPair:
    """An image and its mask, ready to be stored."""

    image: bytes
    """The source's bytes, orientation tag neutralised."""
    image_suffix: str
    mask: bytes | None
    """8-bit grey PNG or BMP, height and width of the image; None where ``masks`` holds run-length codes."""
    mask_suffix: str
    masks: tuple[dict[str, Any], ...] | None = None
    """Run-length codes with their attributes, of an image with many masks."""
    width: int
    height: int
    image_sha256: str
    """Of the original bytes."""
    mask_sha256: str | None
    """Of the original bytes; None where there was no mask."""
    pixels_sha256: str
    """Of the mask's values, see :func:`pixels_digest`; of the canonical JSON of ``masks``."""
    flags: tuple[str, ...]
    """Sorted words of :data:`hqdata.schema.FLAGS`."""


def normalize_pair(
    image: bytes, mask: bytes | None, rules: MaskRules = MaskRules(), limits: Limits = DEFAULT
) -> NormalPair:
    """Validate an image and bring its mask to the stored coding and to the image's stored order.

    Args:
        image: encoded JPEG, PNG or BMP.
        mask: encoded mask of any supported coding; None makes an empty mask.
        rules: what the manifest says about the masks.
        limits: pixel budget of each of the two.

    Raises:
        DecodeError: the detail starts with ``image:`` or ``mask:``; size_mismatch names both sizes instead.
    """
    with naming("image"):
        stored, tag = neutralise(image, limits)
        decoded = open_image(stored, limits, pixels=False)
    width, height = decoded.size
    flags = set(image_flags(decoded))
    if tag != 1:
        flags.add(f"orientation_{tag}")
    if mask is None:
        values = np.zeros((height, width), np.uint8)
        flags.add("mask_absent")
        mask_bytes, mask_suffix = encode_mask(values), ".png"
    else:
        with naming("mask"):
            untagged, mask_tag = neutralise(mask, limits)
            coded = read_mask(untagged, rules.coding, limits)
        values = _place(coded.values, mask_tag, tag, (height, width), rules.frame, flags)
        flags |= coded.flags
        mask_bytes, mask_suffix = _mask_bytes(untagged, coded, values, flags)
    return NormalPair(
        image=stored,
        image_suffix=decoded.suffix,
        mask=mask_bytes,
        mask_suffix=mask_suffix,
        width=width,
        height=height,
        image_sha256=hashlib.sha256(image).hexdigest(),
        mask_sha256=None if mask is None else hashlib.sha256(mask).hexdigest(),
        pixels_sha256=pixels_digest(values),
        flags=tuple(sorted(flags | value_flags(values))),
    )


@contextmanager
def naming(side: str) -> Iterator[None]:
    """Say in a decode error which of the two files failed."""
    try:
        yield
    except DecodeError as error:
        raise DecodeError(error.reason, f"{side}: {error.detail}") from error


def _mask_bytes(data: bytes, coded: CodedMask, values: UInt8Array, flags: set[str]) -> tuple[bytes, str]:
    """The mask's own bytes where they already hold ``values``, else a new PNG; with the suffix."""
    if coded.keep and "mask_turned" not in flags:
        return data, coded.suffix
    flags.add("mask_reencoded")
    return encode_mask(values), ".png"


def _place(
    values: UInt8Array, mask_tag: int, image_tag: int, shape: tuple[int, int], frame: Frame, flags: set[str]
) -> UInt8Array:
    """Bring a mask into the image's stored order; adds mask_turned and orientation_ambiguous where they hold.

    Args:
        values: ``uint8[h, w]``, as the mask file stores them.
        mask_tag: orientation that the mask's own tag asked for.
        image_tag: orientation that the image's tag asked for.
        shape: height and width of the image as stored.
        frame: frame in which an untagged mask was drawn.
        flags: added to.

    Raises:
        DecodeError: size_mismatch.
    """
    placed = values
    if mask_tag != image_tag:
        if mask_tag != 1:
            placed = to_stored(to_display(values, mask_tag), image_tag)
        elif _is_displayed(values, image_tag, shape, frame, flags):
            placed = to_stored(values, image_tag)
    if placed.shape != shape and values.shape == shape:
        flags.add("orientation_ambiguous")
        placed = values
    if placed.shape != shape:
        sizes = [f"{name} {size[1]}x{size[0]}" for name, size in (("image", shape), ("mask", values.shape))]
        raise DecodeError("size_mismatch", ", ".join(sizes))
    if placed is not values:
        flags.add("mask_turned")
    return placed


def _is_displayed(values: UInt8Array, image_tag: int, shape: tuple[int, int], frame: Frame, flags: set[str]) -> bool:
    """Whether an untagged mask of a tagged image was drawn in the displayed frame."""
    if frame != "unknown":
        return frame == "displayed"
    if image_tag >= 5 and shape[0] != shape[1]:
        return bool(values.shape == shape[::-1])
    flags.add("orientation_ambiguous")
    return False
