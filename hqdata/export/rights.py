"""Which sources of a collection may be passed on: the terms of each, and of the bundle that it was taken from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hqdata.catalog import Catalog
from hqdata.errors import UsageError, explain
from hqdata.strict import nearest

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
class Selection:
    """What goes into an export."""

    kept: tuple[SourceTerms, ...]
    left_out: tuple[SourceTerms, ...]
    allowed: tuple[str, ...]
    """Kept sources of unknown terms; the user states to have the right to pass them on."""


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
    because, verdict = min(stated, key=lambda item: ("forbidden", None, "allowed").index(item[1]))
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


def select_sources(terms: Iterable[SourceTerms], leave_out: Iterable[str] = (), allow: Iterable[str] = ()) -> Selection:
    """Choose what may be passed on.

    Args:
        terms: of every source.
        leave_out: sources that the export shall lack.
        allow: sources of unknown terms that the user has the right to pass on; never lifts a prohibition.

    Raises:
        UsageError: a name that is no source, nothing is left, or sources that may not be passed on: all of them are
            named, with the options to add.
    """
    by_name = {item.name: item for item in terms}
    out, allowed = set(leave_out), set(allow)
    for name in sorted(out | allowed):
        if name not in by_name:
            raise UsageError(explain(f'the collection has no source "{name}"', do=nearest(name, list(by_name))))
    if out & allowed:
        raise UsageError(explain(f"both left out and allowed: {', '.join(sorted(out & allowed))}", do="choose one"))
    kept = [item for item in by_name.values() if item.name not in out]
    _require_rights(kept, allowed)
    if not kept:
        raise UsageError(explain("every source is left out", did="nothing was written"))
    return Selection(
        kept=tuple(kept),
        left_out=tuple(by_name[name] for name in sorted(out)),
        allowed=tuple(item.name for item in kept if item.redistribution is None),
    )


def _require_rights(kept: Iterable[SourceTerms], allowed: set[str]) -> None:
    forbidden = [item for item in kept if item.redistribution == "forbidden"]
    unknown = [item for item in kept if item.redistribution is None and item.name not in allowed]
    if not forbidden and not unknown:
        return
    lines = [f"  {item.name}: {item.statement}" for item in (*forbidden, *unknown)]
    do = ["add " + " ".join(f"--leave-out {item.name}" for item in (*forbidden, *unknown))]
    if unknown:
        rights = " ".join(f"--allow {item.name}" for item in unknown)
        do.append(f"or, where you have the right to pass them on, {rights} instead")
    if any(item.because != "its terms" for item in forbidden):
        do.append("or build them from their own archives (`hqdata build --prefer official`)")
    raise UsageError(
        explain("these sources may not be passed on:\n" + "\n".join(lines), did="nothing was written", do="; ".join(do))
    )
