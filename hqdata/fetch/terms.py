"""Terms of sources: shown, accepted once, recorded with a digest of what was accepted."""

import json
from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict
from pathlib import Path

from hqdata.errors import HQDataError, TermsNotAccepted, explain
from hqdata.fsio.atomic import write_json
from hqdata.fsio.digest import digest_of
from hqdata.fsio.lock import locked
from hqdata.manifest import Source

Ask = Callable[[Source], bool]
"""Shows a source's terms to a person and returns whether they were accepted."""


class AcceptedTerms:
    """Record of accepted terms, by source; changed terms have to be accepted anew."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def _load(self) -> dict[str, str]:
        if not self.path.exists():
            return {}
        try:
            return dict(json.loads(self.path.read_text()))
        except (ValueError, TypeError) as error:
            do = "mend it, or remove it and accept the terms anew"
            raise HQDataError(explain(f"{self.path} is no record of terms", got=error, do=do)) from error

    def has(self, source: Source) -> bool:
        """Whether these very terms need no acceptance or were accepted."""
        return not source.terms.accept or self._load().get(source.name) == digest_of(asdict(source.terms))

    def accept(self, source: Source) -> None:
        """Record that the user accepted the source's terms as they stand."""
        with locked(self.path.with_name(self.path.name + ".lock")):
            write_json(self.path, {**self._load(), source.name: digest_of(asdict(source.terms))})

    def require(self, sources: Iterable[Source], accepted: Collection[str] = (), ask: Ask | None = None) -> None:
        """Make sure that the terms of every source are accepted.

        Args:
            sources: sources about to be used.
            accepted: names given with ``--accept-terms``.
            ask: asks a person, where there is one.

        Raises:
            TermsNotAccepted: names every source that is left, its terms, and the option that accepts them.
        """
        missing = []
        for source in sources:
            if self.has(source):
                continue
            if source.name in accepted or (ask is not None and ask(source)):
                self.accept(source)
            else:
                missing.append(source)
        if missing:
            texts = "\n".join(
                f"  {source.title}: {source.terms.summary} {source.terms.url or ''}" for source in missing
            )
            options = " ".join(f"--accept-terms {source.name}" for source in missing)
            raise TermsNotAccepted(explain(f"terms not accepted yet:\n{texts}", do=f"read them, then add {options}"))
