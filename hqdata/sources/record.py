"""One image and its SA-1B record become one pair: a single mask as pixels, or many as run-length codes."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hqdata.errors import DecodeError
from hqdata.fsio.digest import digest_of
from hqdata.limits import DEFAULT, Limits
from hqdata.masks import rle
from hqdata.recipe import MaskRule
from hqdata.sources.decode import image_flags, open_image
from hqdata.sources.mask_coding import encode_mask, pixels_digest, value_flags
from hqdata.sources.normalize import NormalPair, naming
from hqdata.sources.orientation import neutralise
from hqdata.sources.sa1b import choose, complete, pixels_of, read_record


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRules:
    """Which masks of a record to take, and in which form."""

    masks: MaskRule
    per_image: int
    seed: int
    single: bool
    """Whether to draw the one mask as pixels instead of keeping run-length codes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Masks:
    """Masks as they are stored."""

    mask: bytes | None
    masks: tuple[dict[str, Any], ...] | None
    pixels_sha256: str
    flags: frozenset[str]


def normalize_record(
    image: bytes, record: bytes, stem: str, rules: RecordRules, limits: Limits = DEFAULT
) -> NormalPair:
    """Validate an image and its record, and take the masks that the rules ask for.

    Masks lie in the image's stored order: sizes that differ from it are errors, and nothing is turned. A tagged image
    is flagged ``orientation_ambiguous``, since nobody says in which frame SA-1B's masks of one were made.

    Args:
        image: encoded JPEG.
        record: the JSON file.
        stem: the image's name without its suffix.
        rules: see there.
        limits: budgets of pixels and of the record's bytes.

    Raises:
        DecodeError: the detail starts with ``image:`` or ``mask:``; no_mask where no mask satisfies the rule.
    """
    with naming("image"):
        stored, tag = neutralise(image, limits)
        decoded = open_image(stored, limits, pixels=False)
    width, height = decoded.size
    with naming("mask"):
        masks = read_record(record, width, height, stem, limits)
        chosen = [masks[k] for k in choose(masks, rules.masks, rules.seed, stem, rules.per_image)]
        if not chosen:
            raise DecodeError("no_mask", f"{len(masks)} masks, rule {rules.masks}")
        pixels_of(chosen)
        taken = [complete(mask) for mask in chosen]
        kept = _as_pixels(taken[0]) if rules.single else _as_codes(taken)
    turned = {f"orientation_{tag}", "orientation_ambiguous"} if tag != 1 else set()
    return NormalPair(
        image=stored,
        image_suffix=decoded.suffix,
        mask=kept.mask,
        mask_suffix=".png",
        masks=kept.masks,
        width=width,
        height=height,
        image_sha256=hashlib.sha256(image).hexdigest(),
        mask_sha256=hashlib.sha256(record).hexdigest(),
        pixels_sha256=kept.pixels_sha256,
        flags=tuple(sorted({*image_flags(decoded), *turned, *kept.flags})),
    )


def _as_pixels(code: dict[str, Any]) -> _Masks:
    values = rle.decode(code) * np.uint8(255)
    return _Masks(
        mask=encode_mask(values),
        masks=(code,),
        pixels_sha256=pixels_digest(values),
        flags=value_flags(values) | {"mask_reencoded"},
    )


def _as_codes(codes: Sequence[dict[str, Any]]) -> _Masks:
    return _Masks(mask=None, masks=tuple(codes), pixels_sha256=digest_of(list(codes)), flags=frozenset())
