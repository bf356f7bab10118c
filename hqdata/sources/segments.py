"""Walks the parts of a JPEG or PNG without decoding anything."""

from collections.abc import Iterator


def png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Type, start and end of the content of every whole chunk of a PNG, IEND included, nothing after it."""
    position = 8
    while position + 12 <= len(data):
        start, kind = position + 8, data[position + 4 : position + 8]
        end = start + int.from_bytes(data[position : position + 4])
        if end + 4 > len(data):
            return
        yield kind, start, end
        if kind == b"IEND":
            return
        position = end + 4


def jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of the content of every segment of a JPEG, up to and with the start of the first scan.

    Junk between segments is skipped as Pillow does, so that both see the same segments.
    """
    position = 2
    while (position := data.find(b"\xff", position)) >= 0 and position + 4 <= len(data):
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
        elif marker in {0x00, 0x01} or 0xD0 <= marker <= 0xD9:
            position += 2
        else:
            end = position + 2 + int.from_bytes(data[position + 2 : position + 4])
            yield marker, position + 4, min(end, len(data))
            if marker == 0xDA:
                return
            position = end
