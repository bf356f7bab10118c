"""All pairs of 64-bit hashes that differ in few bits: exact, by comparing every one with every other."""

import numpy as np

from hqdata.arrays import HashArray, IntArray


def pairs_within(hashes: HashArray, radius: int, others: HashArray | None = None) -> IntArray:
    """Pairs of hashes at most ``radius`` bits apart.

    Args:
        hashes: ``uint64[N]``.
        radius: 0 to 64.
        others: ``uint64[M]``; if None, ``hashes`` is held against itself and each pair is given once, the lower
            position first.

    Returns:
        ``int64[K, 2]``: positions in ``hashes`` and in ``others``, sorted.

    >>> pairs_within(np.array([0b0000, 0b0111, 0b0011], np.uint64), radius=1).tolist()
    [[1, 2]]
    """
    right = hashes if others is None else others
    found = [np.empty((0, 2), np.int64)]
    buffer, distance = np.empty_like(right), np.empty(len(right), np.uint8)
    for position, value in enumerate(hashes):
        start = position + 1 if others is None else 0
        part, bits = buffer[start:], distance[start:]
        np.bitwise_xor(right[start:], value, out=part)
        np.bitwise_count(part, out=bits)
        near = np.flatnonzero(bits <= radius)
        if near.size:
            found.append(np.stack([np.full(near.size, position), near + start], axis=1))
    return np.concatenate(found)
