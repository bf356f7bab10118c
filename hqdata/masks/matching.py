"""Which keypoints of many images look alike, and which of these agree on one similarity transform."""

from dataclasses import dataclass

import numpy as np

from hqdata.arrays import FloatArray, HashArray, IntArray

RADIUS = 17
"""Codes of one keypoint in two copies differ by 4 of 128 bits in the median, by 14 in the worst tenth at JPEG quality
30; unrelated ones by 64, give or take 6."""
BANDS = tuple((word, shift) for word in (0, 1) for shift in (0, 21, 42))
"""Six runs of 21 bits; codes that agree in none of them are not compared. With one bit in 25 changed, 42 % of the runs
stay whole, so that 96 % of the keypoints agree in at least one."""
_BAND_BITS = 21
COMMON = 32
"""A run that this many keypoints share is a pattern found everywhere and says nothing."""
_CHUNK = 1_000_000
TOLERANCE = 8.0
"""How far, in pixels of images reduced to 512, a match may lie from where the transform puts it."""
_SCALE, _TURN = 0.35, 15.0
"""How far a match's own scale (in octaves) and angle (in degrees) may be from the transform's."""
_TRIED = 256
"""Most matches whose transform is tried; images of one texture can have thousands."""


def match_codes(index: HashArray, query: HashArray, radius: int = RADIUS) -> IntArray:
    """Pairs of codes at most ``radius`` bits apart that agree in a run of bits.

    Args:
        index: ``uint64[N, 2]``.
        query: ``uint64[M, 2]``.
        radius: bits of 128.

    Returns:
        ``int64[K, 2]``: positions in ``query`` and in ``index``, sorted, each pair once.
    """
    found = [np.empty(0, np.int64)]
    for word, shift in BANDS:
        keys = _run(index[:, word], shift)
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        wanted = _run(query[:, word], shift)
        low = np.searchsorted(ordered, wanted, side="left")
        many = np.searchsorted(ordered, wanted, side="right") - low
        many[many > COMMON] = 0
        for start in range(0, len(query), _CHUNK):
            part = slice(start, start + _CHUNK)
            left, right = _expanded(low[part], many[part])
            left += start
            right = order[right]
            apart = np.bitwise_count(query[left, 0] ^ index[right, 0])
            near = apart <= radius
            left, right, apart = left[near], right[near], apart[near]
            near = apart + np.bitwise_count(query[left, 1] ^ index[right, 1]) <= radius
            found.append(left[near] * len(index) + right[near])
    merged = np.sort(np.concatenate(found))
    merged = merged[np.diff(merged, prepend=-1) > 0]
    return np.stack([merged // max(len(index), 1), merged % max(len(index), 1)], axis=1)


def _run(words: HashArray, shift: int) -> IntArray:
    return ((words >> np.uint64(shift)) & np.uint64((1 << _BAND_BITS) - 1)).astype(np.uint32)


def _expanded(low: IntArray, many: IntArray) -> tuple[IntArray, IntArray]:
    """For each query the positions from ``low`` on, ``many`` of them: query and position."""
    query = np.repeat(np.arange(len(low)), many)
    first = np.repeat(low - np.concatenate([[0], np.cumsum(many)[:-1]]), many)
    return query, first + np.arange(len(query))


@dataclass(frozen=True, slots=True)
class Pose:
    """A similarity transform that some matches agree on: ``p -> scale * turn(p) + shift``."""

    scale: float
    turn: float
    """Degrees."""
    across: float
    down: float
    """Shift in pixels."""
    votes: int
    """Distinct keypoints that agree, counted on the side that has fewer."""


def best_pose(left: FloatArray, right: FloatArray, least: int) -> Pose | None:
    """Find the similarity transform that most matches agree on.

    Each match gives one by itself: keypoints have a place, a size and an angle.

    Args:
        left: ``float32[K, 4]``: x, y, size, angle of one side of each match.
        right: the same of the other side.
        least: votes that a transform needs.

    Returns:
        None where none has enough.
    """
    if len(left) < max(least, 1):
        return None
    tried = slice(None, None, -(-len(left) // _TRIED))
    ratio, turned = right[:, 2] / left[:, 2], right[:, 3] - left[:, 3]
    scale, turn = ratio[tried, None], turned[tried, None]
    cos, sin = np.cos(np.radians(turn)) * scale, np.sin(np.radians(turn)) * scale
    x, y = cos * left[:, 0] - sin * left[:, 1], sin * left[:, 0] + cos * left[:, 1]
    across = right[tried, 0, None] - (cos * left[tried, 0, None] - sin * left[tried, 1, None])
    down = right[tried, 1, None] - (sin * left[tried, 0, None] + cos * left[tried, 1, None])
    near = np.hypot(x + across - right[:, 0], y + down - right[:, 1]) <= TOLERANCE
    near &= np.abs(np.log2(scale / ratio)) <= _SCALE
    near &= np.abs((turn - turned + 180) % 360 - 180) <= _TURN
    counts = near.sum(axis=1)
    best = int(np.argmax(counts))
    if counts[best] < least:
        return None
    votes = min(len({(x, y) for x, y in side[near[best], :2].tolist()}) for side in (left, right))
    place = (float(scale[best, 0]), float(turn[best, 0] % 360), float(across[best, 0]), float(down[best, 0]))
    return Pose(*place, votes) if votes >= least else None
