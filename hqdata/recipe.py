"""Which sources, parts and counts make a collection: one TOML in ``manifests/recipes/``."""

from dataclasses import dataclass
from typing import Literal

from hqdata.manifest import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """What a recipe takes from one source."""

    source: str
    parts: dict[str, int | None]
    """Part name to the number of samples expected; None where nobody has published it."""
    note: str = ""

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
