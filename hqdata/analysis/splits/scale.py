"""By how much each image is reduced when it is read, so that images have the sizes of a target's.

The size of an image is its diagonal. An image is given one of the target's sizes at random and reduced to it; one that
is smaller already stays as it is, for enlarging would add pixels that nobody has seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hqdata.arrays import FloatArray, IntArray
from hqdata.errors import UsageError, explain
from hqdata.sources.draw import ranker


@dataclass(frozen=True, slots=True, kw_only=True)
class Scales:
    """Scales of the images of some masks."""

    scale: FloatArray
    """``float64[masks]``, above 0 and at most 1: what width and height are multiplied by."""
    images: int
    """Different images among them."""
    smaller: int
    """Images that are smaller than what was drawn for them, and stay as they are."""


def assign_scales(
    sample_ids: Sequence[str], widths: IntArray, heights: IntArray, target_diagonals: FloatArray, seed: int
) -> Scales:
    """Draw a size for each image.

    Of the target's M diagonals, sorted, an image gets number floor(M r / 2^64), where r is a hash of seed and sample
    id: each is as likely as any other, and an image's scale depends on nothing but its id, its size, the seed and the
    target's sizes.

    Args:
        sample_ids: image of each mask; masks of one image share its scale.
        widths: ``int[masks]``, of the images, in pixels.
        heights: the same.
        target_diagonals: ``float64[images]``, one for each image of the target, in pixels, in any order.
        seed: of the draw.

    Raises:
        UsageError: the target holds no image.
    """
    if not len(target_diagonals):
        raise UsageError(explain("there are no image sizes to scale to", expected="a target that holds masks"))
    sizes = np.sort(target_diagonals)
    # A rank of its own: an image that another draw of that seed took for its low rank is no smaller for it.
    rank_of = ranker(seed, "scale:")
    places = {
        sample_id: int.from_bytes(rank_of(sample_id), "big") * len(sizes) >> 64
        for sample_id in dict.fromkeys(sample_ids)
    }
    wanted = sizes[[places[sample_id] for sample_id in sample_ids]]
    own = np.hypot(widths, heights)
    small = {sample_id for sample_id, is_small in zip(sample_ids, own < wanted, strict=True) if is_small}
    return Scales(scale=np.minimum(1.0, wanted / own), images=len(places), smaller=len(small))
