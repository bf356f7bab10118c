"""What one item of the demo is made from: a drawing, or another item that is changed to plant a fault or a copy."""

import zlib
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from hqdata.demo.draw import Kind

Coding: TypeAlias = Literal["grey", "noisy", "binary", "rgb01", "onebit", "rgb_uneven", "dim"]
Step: TypeAlias = tuple[str, *tuple[float, ...]]
"""Name and values of a function in :mod:`hqdata.demo.plants`, such as ``("rescaled", 0.6)``."""

SEED = 44320
EVALUATION = (("coift", "all"), ("dis5k", "vd"), ("hrsod", "all"), ("thinobject5k", "test"))
"""Source and part of everything in the recipe ``hq-eval``; the demo's own recipe takes the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """One item to be made; a pure function of these values."""

    source: str
    part: str
    captures: tuple[tuple[str, str], ...]
    """Values of the layout's captures, such as ``(("stem", "0001"),)``."""
    kind: Kind
    style: str | None = None
    subject: str | None = None
    """Name of the object to draw; any of its kind if None."""
    coding: Coding = "grey"
    grey_image: bool = False
    erratum: str | None = None
    plant: "Plant | None" = None

    @property
    def stem(self) -> str:
        """Stem of the sample id."""
        return "/".join(value for _, value in self.captures)

    @property
    def sample_id(self) -> str:
        """Sample id that a build gives it."""
        return f"{self.source}/{self.part}/{self.stem}"

    @property
    def mask_id(self) -> str:
        """Mask id that statistics and audits give it."""
        return f"{self.sample_id}#0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """How an item differs from a plain drawing, and what an audit should say of it."""

    of: Spec
    """Gives image and mask, or the object where ``behind`` is set; the item's own drawing if it has the item's id."""
    behind: Spec | None = None
    """Gives what is put behind the object."""
    bare: bool = False
    """Take ``behind`` without the object on it."""
    at: tuple[float, float, float] | None = None
    """Share of the picture that the object spans and its centre, 0 to 1; None keeps its size and place."""
    image: tuple[Step, ...] = ()
    """Done to image and mask, or to what is put behind the object."""
    mask_of: Spec | None = None
    """Gives the mask, brought to this image's size."""
    mask: tuple[Step, ...] = ()
    """Done to the mask alone."""
    quality: int | None = None
    """Of the JPEG; None keeps the image file of ``of``."""
    level: str | None = None
    """What the item shares with the other one: pair, image, object, background or mask."""
    changes: tuple[str, ...] = ()
    """What was done to the other image, in the words of an audit."""
    fault: str | None = None
    """What is wrong with the mask: a kind of suspect."""
    note: str = ""

    @property
    def other(self) -> Spec | None:
        """The item that this one is to be found with."""
        if self.level == "background":
            return self.behind
        return self.of if self.level in {"pair", "image", "object"} else self.mask_of


def generator(spec: Spec) -> np.random.Generator:
    """Make the source of every choice in an item; depends on its id alone."""
    return np.random.default_rng([SEED, zlib.crc32(spec.sample_id.encode())])
