"""Terms of several sources together: the strictest holds, and who causes it is named."""

import dataclasses

import pytest

from hqdata.store.terms import Redistribution, SourceTerms, closure

BASE = SourceTerms(
    name="",
    title="",
    homepage=None,
    licence=None,
    summary="",
    url=None,
    citation="",
    synthetic=False,
    bundles=(),
    redistribution=None,
    because="its terms",
)


def source(name: str, redistribution: Redistribution, licence: str | None = None) -> SourceTerms:
    return dataclasses.replace(BASE, name=name, redistribution=redistribution, licence=licence)


@pytest.mark.parametrize(
    ("given", "verdict", "because"),
    [
        ({"a": "allowed", "b": "allowed"}, "allowed", ("a", "b")),
        ({"a": "allowed", "b": None}, None, ("b",)),
        ({"c": "forbidden", "a": "forbidden", "b": None}, "forbidden", ("a", "c")),
        ({}, "allowed", ()),
    ],
)
def test_the_strictest_holds(
    given: dict[str, Redistribution], verdict: Redistribution, because: tuple[str, ...]
) -> None:
    found = closure(source(name, value) for name, value in given.items())
    assert (found.redistribution, found.because) == (verdict, because)
    assert len(found.statements) == len(because)


def test_licences_are_listed_with_their_sources() -> None:
    found = closure([source("b", None, "MIT"), source("a", "allowed"), source("c", "allowed", "MIT")])
    assert found.licences == {"MIT": ("b", "c"), "unknown": ("a",)}
    assert found.statements == ("its terms do not say whether it may be redistributed",)
