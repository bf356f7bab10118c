"""Which sources, parts and counts make a collection: one TOML in ``manifests/recipes/``."""

from dataclasses import dataclass
from typing import Literal

from hqdata.errors import ManifestError, explain
from hqdata.manifest import Source

MaskRule = Literal["uniform", "largest", "whole", "all"]
"""Which masks of an image are taken; :data:`hqdata.sources.sa1b.MASK_RULES` says what each word means."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """A seeded sample of a source of many archives: which archives, which of their images, which masks of each.

    Archives and images are ranked by a seeded hash of their names and the lowest are taken, as many images as the take
    expects (:mod:`hqdata.sources.draw`).
    """

    seed: int
    tars: int | Literal["all"] = 8
    """How many archives; all of them make the draw uniform over the source's images."""
    skip: int = 0
    """How many archives of the ranking are left to other draws before the first one is taken."""
    masks: MaskRule = "uniform"
    per_image: int = 1
    """Most masks of an image; the rule ``all`` takes every one."""
    evaluation: bool = False
    """Whether to draw from the archives that are kept for evaluation, instead of from all others."""

    def __post_init__(self) -> None:
        """Refuse numbers that draw nothing."""
        if self.tars != "all" and self.tars < 1:
            raise ManifestError(
                explain("a draw takes one archive or more", expected='1 or more, or "all"', got=self.tars)
            )
        if self.skip < 0 or self.per_image < 1:
            raise ManifestError(explain("skip is 0 or more, per_image 1 or more", got=(self.skip, self.per_image)))
        if self.tars == "all" and self.skip:
            raise ManifestError(explain("all archives leave none to other draws", expected="skip 0", got=self.skip))

    @property
    def single(self) -> bool:
        """Whether each image gets one mask, which is then stored as pixels; else run-length codes are."""
        return self.masks != "all" and self.per_image == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """What a recipe takes from one source."""

    source: str
    parts: dict[str, int | None]
    """Part name to the number of samples expected; None where nobody has published it."""
    draw: Draw | None = None
    """Takes a sample of one part instead of all of it."""
    note: str = ""

    def __post_init__(self) -> None:
        """Hold a draw to one part of a stated size."""
        if self.draw and (len(self.parts) != 1 or not self.count):
            raise ManifestError(explain(f"a draw of {self.source} needs one part and its count", got=self.parts))

    @property
    def count(self) -> int | None:
        """Samples expected over all parts, None if one of them is unknown."""
        total = 0
        for count in self.parts.values():
            if count is None:
                return None
            total += count
        return total


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Another reading of the same published text, as a recipe of its own."""

    recipe: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A named list of takes."""

    name: str
    title: str
    take: tuple[Take, ...]
    summary: str = ""
    prefer: Literal["official", "bundle"] = "official"
    readings: tuple[Reading, ...] = ()
    synthetic: bool = False

    @property
    def count(self) -> int | None:
        """Samples expected in all, None if one count is unknown."""
        counts = [take.count for take in self.take]
        return None if None in counts else sum(count for count in counts if count is not None)


def recipe_of_source(source: Source) -> Recipe:
    """Make the recipe that takes a whole source under the source's own name."""
    parts = {name: part.count for name, part in source.parts.items()}
    return Recipe(
        name=source.name,
        title=source.title,
        take=(Take(source=source.name, parts=parts),),
        summary=f"every part of {source.title}",
        synthetic=source.synthetic,
    )
