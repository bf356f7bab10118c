"""Terms of the sources of a collection, and of the bundles that they were taken from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hqdata.catalog import Catalog

Redistribution = Literal["allowed", "forbidden"] | None
"""None where nobody has stated it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTerms:
    """What is known of one source of a collection: from the collection's index, and from the manifest at hand."""

    name: str
    title: str
    homepage: str | None
    licence: str | None
    summary: str
    url: str | None
    """Of the terms."""
    citation: str
    synthetic: bool
    bundles: tuple[str, ...]
    """Bundles that it was taken from, whose terms count, too."""
    redistribution: Redistribution
    """The strictest of all terms that count."""
    because: str
    """Whose terms that are."""

    @property
    def statement(self) -> str:
        """What the terms say, in words."""
        said = {"forbidden": "forbid redistribution", "allowed": "allow redistribution"}
        return f"{self.because} {said.get(self.redistribution or '', 'do not say whether it may be redistributed')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Closure:
    """What holds for data of several sources together."""

    redistribution: Redistribution
    """The strictest of all."""
    because: tuple[str, ...]
    """Sources that are the cause, sorted."""
    statements: tuple[str, ...]
    """What the terms of each of these say."""
    licences: Mapping[str, tuple[str, ...]]
    """Sources of each licence; ``unknown`` where none is stated."""


def closure(terms: Iterable[SourceTerms]) -> Closure:
    """The strictest terms among sources, and which of them cause it; nothing is strict about no source at all."""
    given = sorted(terms, key=lambda item: item.name)
    verdict: Redistribution = min((item.redistribution for item in given), key=_strictness, default="allowed")
    cause = [item for item in given if item.redistribution == verdict]
    licences: dict[str, tuple[str, ...]] = {}
    for item in given:
        licence = item.licence or "unknown"
        licences[licence] = (*licences.get(licence, ()), item.name)
    return Closure(
        redistribution=verdict,
        because=tuple(item.name for item in cause),
        statements=tuple(item.statement for item in cause),
        licences=dict(sorted(licences.items())),
    )


def _strictness(redistribution: Redistribution) -> int:
    return ("forbidden", None, "allowed").index(redistribution)


def source_terms(index: Mapping[str, Any], catalog: Catalog) -> tuple[SourceTerms, ...]:
    """Terms of every source of a collection.

    Args:
        index: the collection's.
        catalog: manifests at hand. A drawn stand-in of a source is not held to the terms of the real one.
    """
    return tuple(_terms_of(name, row, catalog) for name, row in sorted(index["sources"].items()))


def _terms_of(name: str, row: Mapping[str, Any], catalog: Catalog) -> SourceTerms:
    known = catalog.sources.get(name)
    if known is not None and known.synthetic != row["synthetic"]:
        known = None
    bundles = () if row["synthetic"] else tuple(sorted({fact["owner"] for fact in row["archives"]} - {name}))
    stated: list[tuple[str, Redistribution]] = [("its terms", row["redistribution"])]
    if known is not None:
        stated.append(("its terms", known.terms.redistribution))
    for bundle in bundles:
        of = catalog.sources.get(bundle)
        stated.append((f"the terms of {bundle}, from which it was taken,", of.terms.redistribution if of else None))
    because, verdict = min(stated, key=lambda item: _strictness(item[1]))
    return SourceTerms(
        name=name,
        title=row["title"],
        homepage=known.homepage if known else None,
        licence=row["licence"],
        summary=known.terms.summary if known else "",
        url=known.terms.url if known else None,
        citation=row["citation"],
        synthetic=row["synthetic"],
        bundles=bundles,
        redistribution=verdict,
        because=because,
    )
