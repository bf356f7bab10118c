"""Binary masks packed 64 pixels to a word: erosion, opening and counts by shifts, ANDs and popcounts.

Everything outside a mask counts as background, also beyond the image's edge.
"""

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from hqdata.arrays import BoolArray, UInt8Array

Words: TypeAlias = np.ndarray[Any, np.dtype[np.uint64]]
"""``uint64[H, ceil(W / 64)]``; the lowest bit of a row's first word is its first pixel, bits beyond the width are 0."""


def pack(mask: BoolArray | UInt8Array) -> Words:
    """Pack ``bool[H, W]`` (or ``uint8[H, W]``, where anything but 0 counts)."""
    height, width = mask.shape
    packed = np.packbits(mask, axis=1, bitorder="little")
    spare = -packed.shape[1] % 8
    if spare:
        whole = np.zeros((height, packed.shape[1] + spare), np.uint8)
        whole[:, : packed.shape[1]] = packed
        packed = whole
    return np.ascontiguousarray(packed).view("<u8").astype(np.uint64, copy=False).reshape(height, -1 if width else 0)


def unpack(words: Words, width: int) -> BoolArray:
    """Unpack to ``bool[H, width]``."""
    raw = np.ascontiguousarray(words.astype("<u8", copy=False)).view(np.uint8)
    return np.unpackbits(raw, axis=1, count=width, bitorder="little").view(np.bool_)


def count(words: Words) -> int:
    """Number of pixels that are set."""
    return int(np.bitwise_count(words).sum(dtype=np.int64))


def _framed(words: Words, reach: int) -> Words:
    """The same rows with zero words after each one, so that bits shifted by up to ``reach`` never meet the next row."""
    height, columns = words.shape
    wide = np.zeros((height, columns + reach // 64 + 1), np.uint64)
    wide[:, :columns] = words
    return wide


def _earlier(words: Words, step: int) -> Words:
    """Each pixel takes the value ``step`` pixels after it; rows are one stream, so their spare words take the loss."""
    whole, part = divmod(step, 64)
    flat = words.ravel()
    out = np.zeros_like(flat)
    stop = len(flat) - whole
    if part == 0:
        out[:stop] = flat[whole:]
    else:
        np.right_shift(flat[whole:], np.uint64(part), out=out[:stop])
        out[: stop - 1] |= flat[whole + 1 :] << np.uint64(64 - part)
    return out.reshape(words.shape)


def _later(words: Words, step: int) -> Words:
    """Each pixel takes the value ``step`` pixels before it; the other way round as in :func:`_earlier`."""
    whole, part = divmod(step, 64)
    flat = words.ravel()
    out = np.zeros_like(flat)
    stop = len(flat) - whole
    if part == 0:
        out[whole:] = flat[:stop]
    else:
        np.left_shift(flat[:stop], np.uint64(part), out=out[whole:])
        out[whole + 1 :] |= flat[: stop - 1] >> np.uint64(64 - part)
    return out.reshape(words.shape)


def erode_square(words: Words, radius: int) -> Words:
    """Erode by a square of ``2 * radius + 1`` pixels: what ``radius`` erosions by 3 x 3 pixels give.

    Windows grow by doubling, so that the cost goes with the logarithm of the radius.
    """
    length = 2 * radius + 1
    height, columns = words.shape
    if height < length:
        return np.zeros_like(words)
    run, span = _framed(words, length), 1
    while span < length:
        step = min(span, length - span)
        run = run[: len(run) - step] & run[step:]
        span += step
    span = 1
    while span < length:
        step = min(span, length - span)
        run &= _earlier(run, step)
        span += step
    out = np.zeros_like(words)
    out[radius : height - radius] = _later(run, radius)[:, :columns]
    return out


def disk_rows(radius: float) -> list[int]:
    """Half-widths of the digital disk ``dx^2 + dy^2 <= radius^2`` in its rows ``dy = 0, 1, ...``.

    >>> disk_rows(2)
    [2, 1, 0]
    """
    square = math.floor(radius * radius + 1e-9)
    return [math.isqrt(square - dy * dy) for dy in range(math.isqrt(square) + 1)]


def open_disk(words: Words, radius: float) -> Words:
    """Opening by the digital disk of a real radius: all pixels that some disk inside the mask covers."""
    rows = disk_rows(radius)
    if words.shape[0] < 2 * len(rows) - 1:
        return np.zeros_like(words)
    inner = _disk(_framed(words, 2 * rows[0]), rows, grow=False)
    return _disk(inner, rows, grow=True)[:, : words.shape[1]] & words


def dilate_disk(words: Words, radius: float) -> Words:
    """Dilate by the digital disk ``dx^2 + dy^2 <= radius^2``; bits beyond the mask's width may be set."""
    rows = disk_rows(radius)[: words.shape[0]]
    return _disk(_framed(words, rows[0]), rows, grow=True)[:, : words.shape[1]]


def _disk(words: Words, rows: list[int], *, grow: bool) -> Words:
    """Erode, or dilate where ``grow``, by a disk, row by row from its narrow ends to its middle."""
    join = np.bitwise_or if grow else np.bitwise_and
    out = np.zeros_like(words) if grow else np.full_like(words, np.uint64(0xFFFFFFFFFFFFFFFF))
    height = words.shape[0]
    wide, reached = words, 0
    for dy in range(len(rows) - 1, -1, -1):
        while reached < rows[dy]:
            step = min(rows[dy] - reached, 2 * reached + 1)
            wide = join(join(_earlier(wide, step), _later(wide, step)), wide)
            reached += step
        join(out[: height - dy], wide[dy:], out=out[: height - dy])
        if dy:
            join(out[dy:], wide[: height - dy], out=out[dy:])
    if not grow:
        # Rows so near the rim that a disk there would reach beyond it.
        out[: len(rows) - 1] = 0
        out[height - len(rows) + 1 :] = 0
    return out


@dataclass(frozen=True, slots=True)
class Quads:
    """What the 2 x 2 neighbourhoods of a mask tell of it; outside is background."""

    area: int
    across: int
    """Pixels whose left neighbour is background."""
    down: int
    """Pixels whose upper neighbour is background."""
    falling: int
    """Pixels whose upper left neighbour is background."""
    rising: int
    """Pixels whose upper right neighbour is background."""
    euler: int
    """Components (8-connected) less holes (4-connected)."""
    corners: int
    """Corners of the pixels' outline; where two pixels touch over a corner, two."""

    @property
    def perimeter(self) -> float:
        """Boundary length in pixels by Crofton's formula over four directions."""
        return math.pi / 4 * (self.across + self.down + (self.falling + self.rising) / math.sqrt(2))


def quads(words: Words) -> Quads:
    """Count a mask's 2 x 2 neighbourhoods; the first and last row and column of the mask must be background."""
    a, c = words[:-1], words[1:]
    # The last column is background, so nothing comes over from the next row.
    shifted = _earlier(words, 1)
    b, d = shifted[:-1], shifted[1:]
    ab, ac, ad, bc = a & b, a & c, a & d, b & c
    n1 = count(words)
    n_ab, n_ac, n_ad, n_bc = count(ab), count(ac), count(ad), count(bc)
    triples = count(ab & c) + count(ab & d) + count(ac & d) + count(bc & d)
    full = count(ab & (c & d))
    diagonal = n_ad + n_bc - triples + 2 * full
    three = triples - 4 * full
    pairs = 2 * n_ab + 2 * n_ac + n_ad + n_bc
    one = 4 * n1 - 2 * pairs + 3 * triples - 4 * full
    return Quads(
        area=n1,
        across=n1 - n_ab,
        down=n1 - n_ac,
        falling=n1 - n_ad,
        rising=n1 - n_bc,
        euler=(one - three - 2 * diagonal) // 4,
        corners=one + three + 2 * diagonal,
    )
