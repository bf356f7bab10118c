"""The orientation tag: set to 1 in an image's bytes, so that every reader sees the pixels in stored order.

The tag's fields lie in EXIF and in XMP, in JPEG and in PNG; each is overwritten in place. Where fields disagree, the
original orientation is what Pillow made of them (EXIF first). The second half turns arrays, as the tag would have.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from typing import Any, TypeVar

import numpy as np
from PIL import ExifTags

from hqdata.errors import DecodeError
from hqdata.limits import DEFAULT, Limits
from hqdata.sources.decode import open_header, quiet
from hqdata.sources.segments import jpeg_segments, png_chunks

Scalar = TypeVar("Scalar", bound=np.generic)
Edits = dict[int, int]
"""New byte by position."""

_TAG = int(ExifTags.Base.Orientation)
_EXIF = b"Exif\x00\x00"
_XMP = b"http://ns.adobe.com/xap/1.0/\x00"
_XMP_FIELD = re.compile(rb"tiff:Orientation\s*(?:=\s*[\"']|>)\s*([0-9]+)")
_XMP_KEY = b"XML:com.adobe.xmp"
_PROFILES = {b"Raw profile type exif", b"Raw profile type APP1", b"Raw profile type xmp"}
_INFLATED_BYTES = 1 << 20


def neutralise(data: bytes, limits: Limits = DEFAULT) -> tuple[bytes, int]:
    """Set an image's orientation tag to 1.

    Only the tag's own bytes change (in PNG also the checksum of its chunk); the length stays. One exception: a PNG text
    chunk that carries the tag in compressed or hexadecimal form is dropped.

    Args:
        data: encoded image; anything but JPEG and PNG has no tag.
        limits: budget for the look at a tagged file.

    Returns:
        The bytes (the same object if no field asks for anything), and the original orientation, 1 to 8. Values that
        mean nothing count as 1, and are overwritten too.

    Raises:
        DecodeError: orientation_stuck; or what ``open_header`` raises, for a tagged file only.
    """
    edits: Edits = {}
    xmp: list[int] = []
    dropped: list[tuple[int, int]] = []
    if data.startswith(b"\xff\xd8\xff"):
        _edit_jpeg(data, edits, xmp)
    elif data.startswith(b"\x89PNG"):
        _edit_png(data, edits, xmp, dropped)
    if not edits and not dropped:
        return data, 1
    original = _seen(data, limits)
    if original is None and xmp:
        # Pillow misses what XML also allows: single quotes, and space around the value.
        original = xmp[0]
    changed = _apply(data, edits, dropped)
    left = _seen(changed, limits)
    if left not in {None, 1}:
        raise DecodeError("orientation_stuck", f"the tag still reads {left!r}")
    return changed, next((value for value in range(2, 9) if value == original), 1)


def to_display(array: np.ndarray[Any, np.dtype[Scalar]], orientation: int) -> np.ndarray[Any, np.dtype[Scalar]]:
    """Turn an array from stored order into the frame in which the tag would have shown it.

    Args:
        array: ``[H, W]`` or ``[H, W, C]``, any type.
        orientation: 1 to 8, as in EXIF.

    Returns:
        Contiguous array of the same type, ``[W, H]`` or ``[W, H, C]`` for orientations 5 to 8.

    Raises:
        ValueError: another orientation.

    >>> to_display(np.array([[1, 2, 3], [4, 5, 6]]), 6).tolist()
    [[4, 1], [5, 2], [6, 3]]
    """
    if orientation not in range(1, 9):
        raise ValueError(f"orientation is 1 to 8, not {orientation!r}")
    if orientation >= 5:
        array = array.swapaxes(0, 1)
    if orientation in {2, 3, 6, 7}:
        array = array[:, ::-1]
    if orientation in {3, 4, 7, 8}:
        array = array[::-1]
    return np.ascontiguousarray(array)


def to_stored(array: np.ndarray[Any, np.dtype[Scalar]], orientation: int) -> np.ndarray[Any, np.dtype[Scalar]]:
    """Turn an array from the displayed frame back into stored order: the inverse of :func:`to_display`.

    >>> to_stored(to_display(np.array([[1, 2, 3], [4, 5, 6]]), 8), 8).tolist()
    [[1, 2, 3], [4, 5, 6]]
    """
    return to_display(array, {6: 8, 8: 6}.get(orientation, orientation))


def _seen(data: bytes, limits: Limits) -> Any:
    """The tag as Pillow reads it, None without one. Where metadata are broken Pillow raises, and so would readers."""
    _, image = open_header(data, limits)
    try:
        with quiet():
            return image.getexif().get(_TAG)
    except MemoryError:
        raise
    except Exception as error:
        raise DecodeError("orientation_stuck", f"the metadata cannot be read: {error}") from error


def _apply(data: bytes, edits: Edits, dropped: list[tuple[int, int]]) -> bytes:
    changed = bytearray(data)
    for position, byte in edits.items():
        changed[position] = byte
    if data.startswith(b"\x89PNG") and edits:
        positions = np.fromiter(edits, np.int64)
        for _, start, end in png_chunks(data):
            if ((positions >= start) & (positions < end)).any():
                changed[end : end + 4] = struct.pack(">I", zlib.crc32(changed[start - 4 : end]))
    for start, end in reversed(dropped):
        del changed[start:end]
    return bytes(changed)


def _edit_jpeg(data: bytes, edits: Edits, xmp: list[int]) -> None:
    exif: list[tuple[int, int]] = []
    for marker, start, end in jpeg_segments(data):
        if marker != 0xE1:
            continue
        if data.startswith(_EXIF, start):
            exif.append((start + 6, end))
        elif data.startswith(_XMP, start):
            _edit_xmp(data, start, end, edits, xmp)
    for span in exif:
        _edit_exif(data, [span], edits)
    if len(exif) > 1:
        # Pillow joins the segments before it reads them; other readers take each by itself.
        _edit_exif(data, exif, edits)


def _edit_png(data: bytes, edits: Edits, xmp: list[int], dropped: list[tuple[int, int]]) -> None:
    for kind, start, end in png_chunks(data):
        if kind == b"eXIf":
            _edit_exif(data, [(start, end)], edits)
        elif kind in {b"tEXt", b"zTXt", b"iTXt"}:
            key, text, packed = _text_chunk(data, kind, start, end)
            if key == b"exif" and not packed:
                _edit_exif(data, [(text, end)], edits)
            elif key == _XMP_KEY and not packed:
                _edit_xmp(data, text, end, edits, xmp)
            elif (key == _XMP_KEY or key in _PROFILES) and _carries(data[text:end], key, packed, xmp):
                dropped.append((start - 8, end + 4))


def _text_chunk(data: bytes, kind: bytes, start: int, end: int) -> tuple[bytes, int, bool]:
    """Key of a PNG text chunk, where its text starts, and whether the text is compressed."""
    key = data[start:end].partition(b"\x00")[0]
    after = start + len(key) + 1
    if kind == b"tEXt" or after + 2 > end:
        return key, min(after, end), False
    if kind == b"zTXt":
        return key, after + 1, True
    language, _, rest = data[after + 2 : end].partition(b"\x00")
    translated = rest.partition(b"\x00")[0]
    return key, min(after + 2 + len(language) + 1 + len(translated) + 1, end), data[after] != 0


def _carries(text: bytes, key: bytes, packed: bool, xmp: list[int]) -> bool:
    """Whether a PNG text, compressed or hexadecimal, holds an orientation other than 1."""
    edits: Edits = {}
    try:
        if packed:
            text = zlib.decompressobj().decompress(text, _INFLATED_BYTES)
        if key in _PROFILES:
            # A line feed, the profile's name, its length, then hexadecimal lines.
            text = bytes.fromhex("".join(text.decode("latin-1").split("\n")[3:]))
    except (zlib.error, ValueError):
        return False
    _edit_xmp(text, 0, len(text), edits, xmp if key == _XMP_KEY else [])
    _edit_exif(text, [(0, len(text))], edits)
    return bool(edits)


def _edit_xmp(data: bytes, start: int, end: int, edits: Edits, xmp: list[int]) -> None:
    """Overwrite every orientation in an XMP packet, and list what they were."""
    for match in _XMP_FIELD.finditer(data, start, end):
        xmp.append(int(match[1]))
        if match[1] != b"1":
            edits.update(zip(range(*match.span(1)), b"1".ljust(len(match[1])), strict=True))


def _edit_exif(data: bytes, spans: list[tuple[int, int]], edits: Edits) -> None:
    """Overwrite the orientation entries in the first directory of the TIFF structure that ``spans`` make together."""
    tiff = b"".join(data[start:end] for start, end in spans)
    shift = 6 if tiff.startswith(_EXIF) else 0
    for offset, order in _entries(tiff[shift:]):
        at = shift + offset
        _, kind, count = struct.unpack_from(order + "HHI", tiff, at)
        (value,) = struct.unpack_from(order + ("I" if kind == 4 else "H"), tiff, at + 8)
        if kind in {3, 4} and count == 1 and value == 1:
            continue
        # Whatever the entry's type was, it becomes one SHORT: some readers take the first two bytes unasked.
        entry = struct.pack(order + "HHIHxx", _TAG, 3, 1, 1)
        edits.update((_position(spans, at + number), byte) for number, byte in enumerate(entry))


def _position(spans: list[tuple[int, int]], offset: int) -> int:
    """Position in the file of an offset into the joined spans."""
    for start, end in spans:
        if offset < end - start:
            return start + offset
        offset -= end - start
    raise IndexError(offset)


def _entries(tiff: bytes) -> Iterator[tuple[int, str]]:
    """Offset of every orientation entry of the first directory, and the byte order as struct writes it."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None or len(tiff) < 10 or tiff[2:4] not in {b"*\x00", b"\x00*"}:
        return
    (first,) = struct.unpack_from(order + "I", tiff, 4)
    if first + 2 > len(tiff):
        return
    (count,) = struct.unpack_from(order + "H", tiff, first)
    for offset in range(first + 2, min(first + 2 + 12 * count, len(tiff) - 11), 12):
        if struct.unpack_from(order + "H", tiff, offset)[0] == _TAG:
            yield offset, order
