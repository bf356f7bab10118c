"""Expected against found: the arithmetic that says whether a collection is whole."""

import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from hqdata.errors import CountMismatch, explain
from hqdata.manifest import Source
from hqdata.recipe import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class PartCount:
    """One part of one source."""

    source: str
    part: str
    expected: int | None
    pairs: int
    """Image and mask found together."""
    samples: int
    excused: int
    """Samples that are not there and that a known erratum may keep out."""

    @property
    def missing(self) -> int:
        """Samples short of the expected number, or surplus if negative; 0 if errata account for the difference."""
        if self.expected is None or self.samples <= self.expected <= self.samples + self.excused:
            return 0
        return self.expected - self.samples


def excused_ids(source: Source) -> set[str]:
    """Ids of samples that an erratum may keep out without a shortfall."""
    return {
        f"{source.name}/{erratum.part}/{unicodedata.normalize('NFC', stem)}"
        for erratum in source.errata
        if erratum.may_reject
        for stem in erratum.stems
    }


def count_parts(
    recipe: Recipe, sources: Sequence[Source], pairs: Iterable[str], samples: Iterable[str]
) -> list[PartCount]:
    """Count every part of a recipe.

    Args:
        recipe: what is expected.
        sources: manifests of the recipe's sources, for their errata.
        pairs: ids of all candidates.
        samples: ids of those that became samples.
    """
    held, drawn = set(samples), drawn_sources(recipe)
    # A draw wants few of a source's samples: one that an erratum names is hardly ever among them.
    whole = [source for source in sources if source.name not in drawn]
    excuses = set[str]().union(*(excused_ids(source) for source in whole)) - held
    by_part = [Counter(_part_of(sample_id) for sample_id in ids) for ids in (pairs, held, excuses)]
    return [
        PartCount(
            source=take.source,
            part=part,
            expected=expected,
            pairs=by_part[0][take.source, part],
            samples=by_part[1][take.source, part],
            excused=by_part[2][take.source, part],
        )
        for take in recipe.take
        for part, expected in take.parts.items()
    ]


def _part_of(sample_id: str) -> tuple[str, str]:
    source, part, _ = sample_id.split("/", 2)
    return source, part


def drawn_sources(recipe: Recipe) -> frozenset[str]:
    """Sources that the recipe draws from: what is there is built, and a shortfall is recorded, never refused."""
    return frozenset(take.source for take in recipe.take if take.draw)


def require_counts(
    counts: Sequence[PartCount], *, partial: bool, did: str, drawn: Collection[str] = ()
) -> list[PartCount]:
    """Return the parts that differ from the recipe; refuse them unless ``partial`` or ``drawn``.

    Raises:
        CountMismatch: with the table of differences.
    """
    short = [count for count in counts if count.missing]
    wrong = [count for count in short if count.source not in drawn]
    if not wrong or partial:
        return short
    lines = [f"  {'source':<16}{'part':<8}{'expected':>10}{'samples':>10}{'difference':>12}"]
    lines += [f"  {c.source:<16}{c.part:<8}{c.expected:>10,}{c.samples:>10,}{-c.missing:>+12,}" for c in wrong]
    raise CountMismatch(
        explain(
            "counts differ from the recipe:\n" + "\n".join(lines),
            did=did,
            do="complete the archives, or build what is there with --partial (the index records the shortfall)",
        )
    )
