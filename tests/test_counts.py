"""Expected against found: what is short, what is over, and what an erratum excuses."""

from typing import Any

import pytest

from hqdata.counts import PartCount, count_parts, excused_ids, require_counts
from hqdata.errors import CountMismatch
from hqdata.manifest import Erratum, Part, Source, Terms
from hqdata.recipe import Recipe, Take, recipe_of_source


def source(name: str = "a", errata: tuple[Erratum, ...] = (), **parts: int | None) -> Source:
    return Source(
        name=name,
        title=name,
        kind="pairs",
        use=("train",),
        homepage=None,
        terms=Terms(licence=None, summary="", url=None, redistribution=None),
        citation="",
        parts={part: Part(title=part, count=count) for part, count in parts.items()},
        errata=errata,
    )


def erratum(*stems: str, part: str = "all", **more: Any) -> Erratum:
    return Erratum(kind="unlabelled", part=part, stems=stems, note="", reference="", **more)


def part_count(expected: int | None, samples: int, excused: int = 0) -> PartCount:
    return PartCount(source="a", part="all", expected=expected, pairs=samples, samples=samples, excused=excused)


@pytest.mark.parametrize(
    ("expected", "samples", "excused", "missing"),
    [
        (10, 10, 0, 0),
        (10, 9, 0, 1),
        (10, 0, 0, 10),
        (10, 11, 0, -1),
        (10, 9, 1, 0),
        (10, 9, 2, 0),
        (10, 8, 1, 2),
        (10, 10, 1, 0),
        (10, 11, 1, -1),
        (0, 0, 0, 0),
        (None, 0, 0, 0),
        (None, 7, 0, 0),
    ],
)
def test_what_is_missing(expected: int | None, samples: int, excused: int, missing: int) -> None:
    assert part_count(expected, samples, excused).missing == missing


def test_every_part_of_a_recipe_is_counted() -> None:
    recipe = Recipe(
        name="r",
        title="r",
        take=(Take(source="a", parts={"tr": 3, "te": None}), Take(source="b", parts={"all": 1})),
    )
    pairs = ["a/tr/1", "a/tr/2", "a/tr/3", "a/te/1", "b/all/bus/1"]
    samples = ["a/tr/1", "a/tr/3", "a/te/1", "b/all/bus/1"]
    counts = count_parts(recipe, [source(tr=3, te=None), source("b", all=1)], pairs, samples)
    assert [(c.source, c.part, c.expected, c.pairs, c.samples, c.missing) for c in counts] == [
        ("a", "tr", 3, 3, 2, 1),
        ("a", "te", None, 1, 1, 0),
        ("b", "all", 1, 1, 1, 0),
    ]


@pytest.mark.parametrize(
    ("samples", "excused", "missing"),
    [
        (["a/all/1", "a/all/2", "a/all/bus/7"], 0, 0),
        (["a/all/1", "a/all/2"], 1, 0),
        (["a/all/1", "a/all/bus/7"], 0, 1),
        (["a/all/1"], 1, 2),
    ],
    ids=["whole", "the excused one is absent", "another is absent", "both are absent"],
)
def test_an_erratum_excuses_its_own_sample_only(samples: list[str], excused: int, missing: int) -> None:
    faulty = source(errata=(erratum("bus/7", may_reject=True),), all=3)
    (count,) = count_parts(recipe_of_source(faulty), [faulty], samples, samples)
    assert (count.excused, count.missing) == (excused, missing)


def test_only_errata_that_may_reject_excuse() -> None:
    faulty = source(errata=(erratum("1"), erratum("2", "e\u0301", part="te", may_reject=True)), all=1, te=2)
    assert excused_ids(faulty) == {"a/te/2", "a/te/\u00e9"}


def test_a_difference_is_refused_with_its_table() -> None:
    counts = [part_count(10, 10), part_count(15572, 5019), part_count(7, 8)]
    with pytest.raises(CountMismatch) as caught:
        require_counts(counts, partial=False, did="nothing was written")
    text = str(caught.value)
    rows = [line.split() for line in text.splitlines() if line.startswith("  a ")]
    assert rows == [["a", "all", "15,572", "5,019", "-10,553"], ["a", "all", "7", "8", "+1"]]
    assert "done:     nothing was written" in text
    assert "--partial" in text


def test_a_difference_is_returned_where_a_part_is_enough() -> None:
    counts = [part_count(10, 10), part_count(10, 3), part_count(None, 3)]
    assert require_counts(counts, partial=True, did="") == [counts[1]]
    assert require_counts([counts[0], counts[2]], partial=False, did="") == []
