"""The fast way through the commonest mask by far: a plain 8-bit grey PNG. Anything else goes the long way."""

import zlib

import cv2
import numpy as np

from hqdata.arrays import UInt8Array
from hqdata.limits import DEFAULT, Limits
from hqdata.sources.segments import png_chunks

_START = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
_EIGHT_BIT_GREY = b"\x08\x00"
_HARMLESS = {b"IHDR", b"IDAT", b"IEND", b"pHYs", b"tIME", b"tEXt", b"gAMA", b"eXIf"}


def read_grey_png(data: bytes, limits: Limits = DEFAULT) -> UInt8Array | None:
    """Decode an 8-bit grey PNG whose every chunk is whole and well known.

    Args:
        data: any bytes.
        limits: pixel budget.

    Returns:
        ``uint8[H, W]``, writable; None where Pillow has to look: another format, an odd chunk, a wrong checksum, a
        missing end, too many pixels, or pixels that do not decode.
    """
    if not data.startswith(_START) or data[24:26] != _EIGHT_BIT_GREY:
        return None
    width, height = int.from_bytes(data[16:20]), int.from_bytes(data[20:24])
    if width * height > limits.image_pixels or not _is_whole(data):
        return None
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.shape != (height, width) or pixels.dtype != np.uint8:
        return None
    return np.asarray(pixels, np.uint8)


def _is_whole(data: bytes) -> bool:
    """Whether all chunks are harmless, pass their checksums, and end with IEND."""
    kind = b""
    for kind, start, end in png_chunks(data):
        checksum = int.from_bytes(data[end : end + 4])
        if kind not in _HARMLESS or zlib.crc32(memoryview(data)[start - 4 : end]) != checksum:
            return False
    return kind == b"IEND"
