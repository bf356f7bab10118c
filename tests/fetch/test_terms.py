"""Terms are asked for once, by name, and again when they change."""

from dataclasses import replace
from pathlib import Path

import pytest

from hqdata.errors import HQDataError, TermsNotAccepted
from hqdata.fetch.terms import AcceptedTerms
from hqdata.manifest import Source, Terms


def source(name: str, *, accept: bool = True, summary: str = "research only") -> Source:
    terms = Terms(
        licence="own", summary=summary, url=f"https://{name}.org/terms", redistribution="forbidden", accept=accept
    )
    return Source(name=name, title=name.upper(), kind="pairs", use=("train",), homepage=None, terms=terms, citation="")


A, B, FREE = source("a"), source("b"), source("free", accept=False)


@pytest.fixture
def terms(tmp_path: Path) -> AcceptedTerms:
    return AcceptedTerms(tmp_path / "home" / "terms.json")


def test_nothing_is_accepted_at_first_but_what_asks_for_nothing(terms: AcceptedTerms) -> None:
    assert (terms.has(A), terms.has(FREE)) == (False, True)
    terms.require([FREE])
    assert not terms.path.exists()


def test_what_is_accepted_stays_so_for_that_source_only(terms: AcceptedTerms) -> None:
    terms.accept(A)
    again = AcceptedTerms(terms.path)
    assert (again.has(A), again.has(B)) == (True, False)
    again.require([A, FREE])


def test_changed_terms_are_asked_for_anew(terms: AcceptedTerms) -> None:
    terms.accept(A)
    changed = source("a", summary="research only, and no redistribution")
    assert (terms.has(A), terms.has(changed)) == (True, False)
    assert terms.has(replace(A, summary="another sentence about the source, same terms"))


def test_the_error_names_every_source_its_terms_and_the_options(terms: AcceptedTerms) -> None:
    terms.accept(source("done"))
    with pytest.raises(TermsNotAccepted) as caught:
        terms.require([A, source("done"), FREE, B])
    assert str(caught.value).splitlines() == [
        "terms not accepted yet:",
        "  A: research only https://a.org/terms",
        "  B: research only https://b.org/terms",
        "  to do:    read them, then add --accept-terms a --accept-terms b",
    ]


def test_an_option_accepts_by_name(terms: AcceptedTerms) -> None:
    with pytest.raises(TermsNotAccepted, match=r"--accept-terms b$"):
        terms.require([A, B], accepted=("a", "c"))
    assert (terms.has(A), terms.has(B)) == (True, False)


def test_a_person_is_asked_once_and_only_for_what_is_left(terms: AcceptedTerms) -> None:
    asked: list[str] = []

    def yes_to_a(source: Source) -> bool:
        asked.append(source.name)
        return source.name == "a"

    for _ in range(2):
        with pytest.raises(TermsNotAccepted, match=r"--accept-terms b$"):
            terms.require([A, B, FREE], ask=yes_to_a)
    assert asked == ["a", "b", "b"]
    terms.require([B], accepted=("b",), ask=yes_to_a)
    assert asked == ["a", "b", "b"]


@pytest.mark.parametrize("text", ["", "{", "[1]", "null"])
def test_a_broken_record_is_an_error_that_names_it_and_stays(terms: AcceptedTerms, text: str) -> None:
    terms.path.parent.mkdir()
    terms.path.write_text(text)
    for use in (lambda: terms.has(A), lambda: terms.accept(A), lambda: terms.require([A], accepted=("a",))):
        with pytest.raises(HQDataError, match=r"terms\.json is no record of terms"):
            use()
    assert terms.path.read_text() == text
