"""Which requests there are, and which contradict themselves."""

from typing import Any

import pytest

from hqdata.analysis.splits.request import Request
from hqdata.errors import ManifestError, UsageError
from hqdata.strict import load_strict


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"name": "a/b"}, "cannot name a split"),
        ({"name": ".a"}, "cannot name a split"),
        ({"name": "ä"}, "cannot name a split"),
        ({"size": 3, "size_of": "x"}, "--size and --size-of contradict"),
        ({"size": 3, "per_source": 2}, "--size and --per-source contradict"),
        ({"best": 0.5, "worst": 0.5, "by": "area_rel"}, "--best and --worst contradict"),
        ({"without": ("a",), "without_random": ("b",)}, "--without and --without-random contradict"),
        ({"only": ("a", "b"), "without": ("b",)}, "b both wanted"),
        ({"match": ("area",)}, "--match needs --to"),
        ({"to": "x"}, "--to needs --match"),
        ({"joint": True}, "--joint needs --match"),
        ({"match": ("area",), "to": "x", "stratify": ("source",), "size": 3}, "--match and --stratify contradict"),
        ({"attach": {"t": "t.csv"}}, "--attach needs --sql"),
        ({"to_biou": 0.8}, "--to-biou needs --degrade"),
        ({"within_source": True}, "--within-source needs --by"),
        ({"by": "area_rel"}, "--by COLUMN goes with"),
        ({"best": 0.5}, "--by COLUMN goes with"),
        ({"stratify": ("source",)}, "--stratify needs --size"),
        ({"best": 1.0, "by": "area_rel"}, "above 0 and below 1"),
        ({"to_biou": 1.5, "degrade": "polygon"}, "above 0 and below 1"),
        ({"size": 0}, "1 or more"),
        ({"per_source": 0}, "1 or more"),
        ({"balance": 0.0}, "--balance 0"),
        ({"weights": {"a": 0.7, "b": 0.4}}, "at most 1 in all"),
        ({"weights": {"a": -0.1}}, "0 to 1 each"),
        ({"exclude_audit": ("duplicate",)}, 'did you mean "duplicates"?'),
        ({"leak_levels": ("images",)}, 'did you mean "image"?'),
        ({"degrade": "polygn:0.1"}, 'did you mean "polygon"?'),
        ({"degrade": "polygon"}, "needs a strength or a level"),
        ({"degrade": "polygon:0.1", "to_biou": 0.8}, "needs a strength or a level"),
        ({"degrade": "polygon:x"}, "0 to 1"),
        ({"degrade": "polygon:2"}, "0 to 1"),
        ({"degrade": "polygon:nan"}, "0 to 1"),
        ({"degrade": "binary:0.1"}, "has no strength"),
        ({"degrade": "binary", "to_biou": 0.8}, "has no strength"),
        ({"degrade": "sam"}, "masks that a model made"),
        ({"degrade": "sam:x", "to_biou": 0.8}, "masks that a model made"),
    ],
)
def test_what_cannot_be_meant_is_refused(choices: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words.replace("(", r"\(").replace("?", r"\?")):
        Request(**{"name": "a", **choices})


@pytest.mark.parametrize(
    ("text", "level", "means"),
    [
        (None, None, None),
        ("polygon:0.01", None, ("polygon", 0.01, None)),
        ("polygon", 0.8, ("polygon", None, None)),
        ("binary", None, ("binary", 0.0, None)),
        ("sam:large-box", None, ("sam", None, "large-box")),
    ],
)
def test_degradations(text: str | None, level: float | None, means: object) -> None:
    assert Request(name="a", degrade=text, to_biou=level).degradation() == means


@pytest.mark.parametrize(
    "choices",
    [
        {},
        {"seed": 3, "sql": "SELECT 1", "attach": {"t": "t.csv"}, "only": ("a",), "against": ("b",)},
        {"best": 0.5, "by": "area_rel", "within_source": True, "size": 9, "stratify": ("source", "area_rel:3")},
        {"per_source": "smallest", "weights": {"a": 0.5}, "halves": True, "degrade": "polygon", "to_biou": 0.9},
    ],
)
def test_a_request_comes_back_from_its_file(choices: dict[str, Any]) -> None:
    request = Request(name="a", **choices)
    facts = request.facts()
    assert facts.keys() == {"name", *choices}
    assert load_strict(Request, facts, "here") == request


def test_an_unknown_choice_names_the_nearest() -> None:
    with pytest.raises(ManifestError, match='did you mean "without"'):
        load_strict(Request, {"name": "a", "witout": ["b"]}, "here")
