"""How a split reads one sample: at another size, its masks made worse. Pixels change when they are asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from PIL import Image

from hqdata.arrays import UInt8Array
from hqdata.errors import StoreCorrupt, explain
from hqdata.masks import rle
from hqdata.masks.degrade import degrade, rng_of
from hqdata.masks.rescale import rescale, scaled_size
from hqdata.sources.decode import to_rgb
from hqdata.store.reader import Sample
from hqdata.store.split import SAM

_OF_STORED_PIXELS = ("area", "bbox", "crop_box", "point_coords")
"""Attributes of a run-length mask that say nothing of one that was changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What happens to image and masks of a sample, in this order: a model's mask in its stead, scale, degradation."""

    scale: float = 1.0
    kind: str | None = None
    """Of degradation; None if masks are not made worse."""
    strength: float = 0.0
    seed: int = 0
    made: Mapping[str, Mapping[str, Any]]
    """Run-length codes that replace masks, by ``mask_id``."""

    @property
    def changes_pixels(self) -> bool:
        """Whether anything is read otherwise than it is stored."""
        return self.scale != 1 or self.kind is not None

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height as read."""
        return scaled_size(width, height, self.scale)

    def picture(self, stored: Image.Image) -> Image.Image:
        """The image as read: RGB if it is scaled, else as stored."""
        return stored if self.scale == 1 else Image.fromarray(rescale(to_rgb(stored), self.scale))

    def greys(self, mask_id: str, stored: UInt8Array) -> UInt8Array:
        """A mask as read.

        Args:
            mask_id: which one; its random numbers depend on it.
            stored: ``uint8[H, W]``, 0 to 255.

        Raises:
            StoreCorrupt: a model's mask has another size than the stored one.
        """
        sized = rescale(self._replaced(mask_id, stored), self.scale)
        if self.kind is None:
            return sized
        # Soft edges are a factor of their own: the masks that a model did not better lose theirs like the others.
        kind, strength = ("binary", 0.0) if self.kind == SAM else (self.kind, self.strength)
        return degrade(sized, kind, strength, rng_of(self.seed, mask_id))

    def code(self, mask_id: str, stored: Mapping[str, Any]) -> dict[str, Any]:
        """A run-length mask as read; if it is changed, attributes that are of its stored pixels are None."""
        if not self.changes_pixels:
            return dict(stored)
        greys = self.greys(mask_id, rle.decode(stored) * np.uint8(255))
        return {**stored, **dict.fromkeys(_OF_STORED_PIXELS), **rle.encode(greys > 127)}

    def _replaced(self, mask_id: str, stored: UInt8Array) -> UInt8Array:
        if mask_id not in self.made:
            return stored
        new = rle.decode(self.made[mask_id]) * np.uint8(255)
        if new.shape != stored.shape:
            raise StoreCorrupt(
                explain(
                    f"the mask that a model made for {mask_id} has another size than the stored one",
                    expected=stored.shape,
                    got=new.shape,
                    do="have the masks made again",
                )
            )
        return new


@dataclass(frozen=True)
class ReadSample(Sample):
    """A sample whose pixels a split changes; ``row`` is as stored, but for masks that are not in the split."""

    reading: Reading = field(kw_only=True)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, as read."""
        return self.reading.size(self.row["width"], self.row["height"])

    @property
    def encoded(self) -> bytes | None:
        """File of the image; None where it is read at another size than the file's."""
        return super().encoded if self.reading.scale == 1 else None

    def picture(self) -> Image.Image:
        """The image as read, decoded anew at each call."""
        return self.reading.picture(super().picture())

    @cached_property
    def mask(self) -> UInt8Array:
        """``uint8[H, W]``, 0 to 255, as read; it may be empty where the stored one is not."""
        return self.reading.greys(self.mask_ids[0], self._stored.mask)

    @cached_property
    def masks(self) -> list[dict[str, Any]]:
        """COCO run-length codes as read."""
        pairs = zip(self.mask_ids, self._stored.masks, strict=True)
        return [self.reading.code(mask_id, code) for mask_id, code in pairs] if self.row["mask"] is None else []

    def greys(self, k: int) -> UInt8Array:
        """Mask number ``k`` of ``ks`` as read: ``uint8[H, W]``, 0 to 255."""
        if self.row["mask"] is not None:
            return self.mask
        return self.reading.greys(f"{self.sample_id}#{k}", self._stored.greys(k))

    def original(self, k: int) -> UInt8Array:
        """Mask number ``k`` of ``ks`` as stored, at the size at which the sample is read."""
        return rescale(self._stored.greys(k), self.reading.scale)

    @property
    def _stored(self) -> Sample:
        return Sample(self.row, self.chosen)
