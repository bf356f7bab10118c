"""Checking an image without making its pixels gives the verdict of a full decode, whatever is wrong with the file."""

import io
import random

import numpy as np
import pytest
from PIL import Image

from hqdata.errors import DecodeError
from hqdata.sources.decode import open_image

CODINGS: dict[str, tuple[str, dict[str, object]]] = {
    "baseline": ("RGB", {}),
    "progressive": ("RGB", {"progressive": True}),
    "full colour": ("RGB", {"subsampling": 0}),
    "restart markers": ("RGB", {"restart_marker_blocks": 3}),
    "grey": ("L", {}),
    "CMYK": ("CMYK", {}),
}


def encoded(mode: str, options: dict[str, object]) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 255, (97, 131, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(stream, "JPEG", quality=80, **options)
    return stream.getvalue()


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Cut, flip bits, take bytes out, or end early by a marker."""
    changed, place = bytearray(data), rng.randrange(2, len(data))
    kind = rng.choice(["cut", "flip", "gap", "end"])
    if kind == "cut":
        return data[:place]
    if kind == "flip":
        for _ in range(rng.choice((1, 3, 10))):
            changed[rng.randrange(2, len(data))] ^= 1 << rng.randrange(8)
    elif kind == "gap":
        del changed[place : place + rng.choice((1, 2, 50))]
    else:
        changed[place : place + 2] = b"\xff\xd9"
    return bytes(changed)


def verdict(data: bytes, *, pixels: bool) -> str:
    try:
        open_image(data, pixels=pixels)
    except DecodeError as error:
        return error.reason
    return "fine"


@pytest.mark.parametrize("coding", CODINGS)
def test_a_check_agrees_with_a_decode(coding):
    data, rng = encoded(*CODINGS[coding]), random.Random(coding)
    files = [data, *(damaged(data, rng) for _ in range(150))]
    full = [verdict(file, pixels=True) for file in files]
    assert [verdict(file, pixels=False) for file in files] == full
    assert {"fine", "truncated"} <= set(full)
