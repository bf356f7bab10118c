"""Pairs of images that may show the same: by equal bytes, near hashes, or keypoints that agree on one transform.

Hashes find copies of whole images, hashes of tiles find an image behind another object, keypoints find parts: crops,
turned copies, objects set before another background.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from hqdata.analysis.fingerprints import Fingerprints
from hqdata.arrays import HashArray, IntArray
from hqdata.masks.hamming import pairs_within
from hqdata.masks.hashes import mirrored_tiles
from hqdata.masks.keypoints import mirrored, mirrored_points
from hqdata.masks.matching import Pose, best_pose, match_codes

HASH_RADIUS = 8
"""Bits of 64: what re-encoding, rescaling and mild changes of brightness cost a perceptual hash."""
TILE_RADIUS = 12
LEAST_TILES = 3
"""Of 16 tiles; each may differ by 12 bits of 64."""
TELLS_NOTHING = np.array([0, 1 << 63], np.uint64)
"""Perceptual hashes of unknown and of plain images."""
LEAST_VOTES = 3
"""Keypoints that have to agree on a transform before two images are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """What is known of the images of one collection before any is looked at."""

    prints: Fingerprints
    sha256: tuple[str, ...]
    phash: HashArray
    """``uint64[samples]``; 0 where none is known, as of a sample without masks, which has no statistics."""
    phash_mirror: HashArray


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Candidate:
    """Two images to be looked at, by position in their collections."""

    left: int
    right: int
    mirrored: bool
    """Whether the left image is to be mirrored first."""
    votes: int
    """Keypoints that agree; 0 where only hashes or bytes do."""
    pose: tuple[float, float, float, float] | None
    """Scale, turn in degrees, shift x and y from the left (mirrored) to the right reduced image."""


def images_of(samples: pa.Table, stats: pa.Table, prints: Fingerprints) -> Images:
    """Join what the tables of a collection know of its images.

    Args:
        samples: columns ``sample_id`` and ``image_sha256``, in stored order.
        stats: statistics of the same collection, one row or more a sample.
        prints: fingerprints of the same collection.
    """
    first = {name: row for row, name in reversed(list(enumerate(stats["sample_id"].to_pylist())))}
    rows = [first.get(name) for name in samples["sample_id"].to_pylist()]
    hashes = {}
    for name in ("image_phash", "image_phash_mirror"):
        values = stats[name].to_numpy()
        hashes[name] = np.array([0 if row is None else values[row] for row in rows], np.uint64)
    return Images(
        prints=prints,
        sha256=tuple(samples["image_sha256"].to_pylist()),
        phash=hashes["image_phash"],
        phash_mirror=hashes["image_phash_mirror"],
    )


def find_candidates(left: Images, right: Images | None = None) -> list[Candidate]:
    """Pairs worth a look.

    Args:
        left: one collection.
        right: another one; None holds the first against itself, each pair once, the lower position on the left.

    Returns:
        Candidates, sorted; at most one for each pair and handedness.
    """
    best: dict[tuple[int, int, bool], Candidate] = {}
    ways = (_by_bytes, _by_hashes, _by_tiles, _by_keypoints)
    for found in (candidate for way in ways for candidate in way(left, right)):
        key = (found.left, found.right, found.mirrored)
        if key not in best or found.votes > best[key].votes:
            best[key] = found
    return [best[key] for key in sorted(best)]


def _plain(left: int, right: int, *, mirrored: bool) -> Candidate:
    return Candidate(left=left, right=right, mirrored=mirrored, votes=0, pose=None)


def _by_bytes(left: Images, right: Images | None) -> list[Candidate]:
    places: dict[str, list[int]] = {}
    for position, digest in enumerate((right or left).sha256):
        places.setdefault(digest, []).append(position)
    return [
        _plain(position, other, mirrored=False)
        for position, digest in enumerate(left.sha256)
        for other in places.get(digest, ())
        if right is not None or position < other
    ]


def _by_hashes(left: Images, right: Images | None) -> list[Candidate]:
    found = []
    other = (right or left).phash
    columns = np.flatnonzero(~np.isin(other, TELLS_NOTHING))
    for flip, hashes in ((False, left.phash), (True, left.phash_mirror)):
        rows = np.flatnonzero(~np.isin(hashes, TELLS_NOTHING))
        near = pairs_within(hashes[rows], HASH_RADIUS, other[columns])
        for one, two in zip(rows[near[:, 0]].tolist(), columns[near[:, 1]].tolist(), strict=True):
            if right is not None or one < two:
                found.append(_plain(one, two, mirrored=flip))
    return found


def _by_tiles(left: Images, right: Images | None) -> list[Candidate]:
    """Images of which some tiles agree in place: one may be the background of the other."""
    found = []
    other = (right or left).prints.tiles
    for flip in (False, True):
        tiles = mirrored_tiles(left.prints.tiles) if flip else left.prints.tiles
        keys = [np.empty(0, np.int64)]
        for place in range(tiles.shape[1]):
            rows, columns = np.flatnonzero(tiles[:, place]), np.flatnonzero(other[:, place])
            near = pairs_within(tiles[rows, place], TILE_RADIUS, other[columns, place])
            one, two = rows[near[:, 0]], columns[near[:, 1]]
            if right is None:
                one, two = one[one < two], two[one < two]
            keys.append(one * len(other) + two)
        pairs, counts = np.unique(np.concatenate(keys), return_counts=True)
        for key in pairs[counts >= LEAST_TILES].tolist():
            found.append(_plain(key // len(other), key % len(other), mirrored=flip))
    return found


def _by_keypoints(left: Images, right: Images | None) -> list[Candidate]:
    found = []
    for flip in (False, True):
        query = left.prints
        points = mirrored_points(query.points, query.sizes[query.image, 0]) if flip else query.points
        other = (right or left).prints
        matches = match_codes(other.codes, mirrored(query.codes) if flip else query.codes)
        a, b = query.image[matches[:, 0]], other.image[matches[:, 1]]
        for members in _by_pair(a, b, ordered=right is None):
            pairs = matches[members]
            pose = best_pose(points[pairs[:, 0]], other.points[pairs[:, 1]], LEAST_VOTES)
            if pose is not None:
                found.append(_posed(int(a[members[0]]), int(b[members[0]]), pose, mirrored=flip))
    return found


def _by_pair(a: IntArray, b: IntArray, *, ordered: bool) -> Iterator[IntArray]:
    """Positions of the matches between two images, for each two that have enough; with ``ordered`` only a below b."""
    width = int(b.max(initial=0)) + 1
    keys = a.astype(np.int64) * width + b
    keys = np.where(a < b, keys, -1) if ordered else keys
    order = np.argsort(keys, kind="stable")
    _, starts, counts = np.unique(keys[order], return_index=True, return_counts=True)
    for start, many in zip(starts, counts, strict=True):
        if many >= LEAST_VOTES and keys[order[start]] >= 0:
            yield order[start : start + many]


def _posed(left: int, right: int, pose: Pose, *, mirrored: bool) -> Candidate:
    place = (pose.scale, pose.turn, pose.across, pose.down)
    return Candidate(left=left, right=right, mirrored=mirrored, votes=pose.votes, pose=place)
