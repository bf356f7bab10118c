"""Tables to dataclasses: a slip of the pen is an error that names place, key and the nearest right word."""

from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from hqdata.errors import ManifestError
from hqdata.strict import load_strict, nearest


@dataclass(frozen=True, kw_only=True)
class Mirror:
    url: str
    tries: int = 1

    def __post_init__(self) -> None:
        if " " in self.url:
            raise ManifestError("a URL holds no spaces")


@dataclass(frozen=True, kw_only=True)
class Thing:
    name: str
    size: int | None = None
    coding: Literal["grey", "alpha"] | None = "grey"
    tags: tuple[str, ...] = ()
    mirrors: tuple[Mirror, ...] = ()
    parts: dict[str, Mirror] = field(default_factory=dict)
    counts: dict[str, int | None] = field(default_factory=dict)
    share: float = 0.5
    on: bool = False
    many: int | Literal["all", "none"] = 1


@pytest.mark.parametrize(
    ("table", "thing"),
    [
        ({"name": "a"}, Thing(name="a")),
        ({"name": "unknown"}, Thing(name="unknown")),
        ({"name": "a", "many": 3}, Thing(name="a", many=3)),
        ({"name": "a", "many": "all"}, Thing(name="a", many="all")),
        ({"name": "a", "size": 3, "on": True, "share": 0.25}, Thing(name="a", size=3, on=True, share=0.25)),
        ({"name": "a", "size": "unknown", "coding": "unknown"}, Thing(name="a", size=None, coding=None)),
        ({"name": "a", "coding": "alpha", "tags": ["x", "y"]}, Thing(name="a", coding="alpha", tags=("x", "y"))),
        ({"name": "a", "mirrors": [{"url": "u"}]}, Thing(name="a", mirrors=(Mirror(url="u"),))),
        ({"name": "a", "parts": {"tr": {"url": "u"}}}, Thing(name="a", parts={"tr": Mirror(url="u")})),
        ({"name": "a", "counts": {"tr": 1, "te": "unknown"}}, Thing(name="a", counts={"tr": 1, "te": None})),
    ],
)
def test_a_right_table_becomes_a_thing(table: dict[str, Any], thing: Thing) -> None:
    assert load_strict(Thing, table, "a.toml") == thing


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, ['a.toml: missing key "name"', 'add "name"']),
        ({"name": "a", "mirors": []}, ['a.toml: unknown key "mirors"', 'did you mean "mirrors"?']),
        ({"name": "a", "xyz": 1}, ['a.toml: unknown key "xyz"', "one of: coding, counts, many, mirrors, name, on"]),
        ({"name": 3}, ["a.toml: name has the wrong type", "expected: str", "got:      3"]),
        ({"name": "a", "size": True}, ["a.toml: size has the wrong type", "expected: int", "got:      True"]),
        ({"name": "a", "size": 1.5}, ["a.toml: size has the wrong type", "expected: int"]),
        ({"name": "a", "size": "3"}, ["a.toml: size has the wrong type", "expected: int"]),
        ({"name": "a", "many": 1.5}, ["a.toml: many has the wrong type", "expected: int"]),
        ({"name": "a", "many": "some"}, ["a.toml: many has no such choice", "all | none", "'some'"]),
        ({"name": "a", "on": 1}, ["a.toml: on has the wrong type", "expected: bool"]),
        ({"name": "a", "on": "unknown"}, ["a.toml: on has the wrong type", "expected: bool"]),
        ({"name": "a", "coding": "gray"}, ["a.toml: coding has no such choice", "grey | alpha", "'gray'"]),
        ({"name": "a", "coding": ["grey"]}, ["a.toml: coding has no such choice"]),
        ({"name": "a", "tags": "x"}, ["a.toml: tags has the wrong type", "expected: a list"]),
        ({"name": "a", "tags": ["x", 2]}, ["a.toml: tags[1] has the wrong type", "expected: str"]),
        ({"name": "a", "mirrors": ["u"]}, ["a.toml: mirrors[0] has the wrong type", "expected: a table"]),
        ({"name": "a", "mirrors": [{"url": "u"}, {}]}, ['a.toml: mirrors[1]: missing key "url"']),
        ({"name": "a", "mirrors": [{"url": "a b"}]}, ["a.toml: mirrors[0]: a URL holds no spaces"]),
        ({"name": "a", "parts": []}, ["a.toml: parts has the wrong type", "expected: a table"]),
        ({"name": "a", "parts": {"tr": {"url": "u", "trys": 1}}}, ['a.toml: parts.tr: unknown key "trys"', '"tries"']),
        ({"name": "a", "counts": {"tr": "many"}}, ["a.toml: counts.tr has the wrong type", "expected: int"]),
    ],
)
def test_a_wrong_table_is_an_error_that_says_where(table: dict[str, Any], message: list[str]) -> None:
    with pytest.raises(ManifestError) as caught:
        load_strict(Thing, table, "a.toml")
    assert str(caught.value).startswith(message[0])
    assert [part for part in message if part not in str(caught.value)] == []


@pytest.mark.parametrize(
    ("word", "known", "text"),
    [
        ("hqseg-44", ["hqseg-44k", "hq-eval"], 'did you mean "hqseg-44k"?'),
        ("zzz", ["b", "a"], "one of: a, b"),
    ],
)
def test_the_nearest_word_is_offered(word: str, known: list[str], text: str) -> None:
    assert nearest(word, known) == text
