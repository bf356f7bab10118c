"""Which sources of a collection may be passed on, by their terms."""

from collections.abc import Iterable
from dataclasses import dataclass

from hqdata.errors import UsageError, explain
from hqdata.store.terms import SourceTerms
from hqdata.strict import nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What goes into an export."""

    kept: tuple[SourceTerms, ...]
    left_out: tuple[SourceTerms, ...]
    allowed: tuple[str, ...]
    """Kept sources of unknown terms; the user states to have the right to pass them on."""


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
