"""Fingerprints of images: codes of keypoints, hashes of tiles; one row a sample."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from hqdata.analysis.measure import Measure, OnSamples, compute
from hqdata.arrays import FloatArray, HashArray, IntArray, UInt8Array
from hqdata.masks.hashes import TILES, tile_hashes
from hqdata.masks.keypoints import codes, keypoints
from hqdata.masks.picture import to_common
from hqdata.sources.decode import to_grey
from hqdata.store.derived import read_derived_table
from hqdata.store.reader import Collection, Sample

SIDE = 512
"""Images are reduced to this many pixels on the long side; smaller ones are not enlarged."""
COUNT = 192
"""Keypoints of an image."""
_SCHEMA = pa.schema(
    [
        ("sample_id", pa.string()),
        ("codes", pa.binary()),
        ("points", pa.binary()),
        ("tiles", pa.binary()),
        ("width", pa.int32()),
        ("height", pa.int32()),
    ]
)


def reduced(grey: UInt8Array) -> UInt8Array:
    """``uint8[H, W]`` with at most :data:`SIDE` pixels on the long side."""
    return grey if max(grey.shape) <= SIDE else to_common(grey, SIDE)


def fingerprint_rows(sample: Sample) -> Iterator[dict[str, Any]]:
    """Fingerprint of one sample, as the table holds it."""
    grey = reduced(to_grey(sample.picture()))
    mask = None if sample.row["mask"] is None else reduced(sample.mask)
    found = keypoints(grey, COUNT, mask)
    yield {
        "sample_id": sample.sample_id,
        "codes": codes(found.descriptors).astype("<u8").tobytes(),
        "points": found.points.astype("<f2").tobytes(),
        "tiles": tile_hashes(grey).astype("<u8").tobytes(),
        "width": grey.shape[1],
        "height": grey.shape[0],
    }


MEASURE = Measure(kind="fingerprints", version=1, schema=_SCHEMA, rows=fingerprint_rows)


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """Keypoints of all images of a collection, one after the other."""

    codes: HashArray
    """``uint64[N, 2]``."""
    points: FloatArray
    """``float32[N, 4]``: x, y, size in pixels of the reduced image, angle in degrees."""
    image: IntArray
    """``int32[N]``: position of the sample in the collection."""
    sizes: IntArray
    """``int32[samples, 2]``: width and height of the reduced images."""
    tiles: HashArray
    """``uint64[samples, 16]``: hashes of tiles, 0 where a tile is plain."""


def read_fingerprints(
    collection: Collection, *, workers: int = 1, on_samples: OnSamples = lambda _: None
) -> Fingerprints:
    """Fingerprints of a collection; computed first where they are not there yet.

    Raises:
        DecodeError, StoreCorrupt: the collection or the table is damaged.
    """
    done = compute(collection, MEASURE, workers=workers, on_samples=on_samples)
    table = read_derived_table(done.folder, MEASURE.kind)
    many = [len(item) // 16 for item in table["codes"].to_pylist()]
    words = np.frombuffer(b"".join(table["codes"].to_pylist()), "<u8").astype(np.uint64)
    points = np.frombuffer(b"".join(table["points"].to_pylist()), "<f2").astype(np.float32)
    sizes = np.stack([table[name].to_numpy() for name in ("width", "height")], axis=1)
    image = np.repeat(np.arange(len(many), dtype=np.int32), many)
    tiles = np.frombuffer(b"".join(table["tiles"].to_pylist()), "<u8").astype(np.uint64).reshape(-1, TILES * TILES)
    return Fingerprints(words.reshape(-1, 2), points.reshape(-1, 4), image, sizes, tiles)
