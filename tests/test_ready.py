"""Ready plans of splits: those that come with hqdata, and the user's own."""

from pathlib import Path

import pytest

from hqdata.analysis.splits.masks import by_source
from hqdata.catalog import load_catalog
from hqdata.errors import HQDataError, ManifestError, UsageError
from hqdata.pipelines.ready import Plan, load_plan, make_ready, parse_plan, ready_plans, spell_out
from hqdata.store.reader import Collection
from tests.splits import NUMBERS, fruit

HEAD = 'title = "t"\nwhy = "w"\n'
SIX = ("dis5k", "duts", "ecssd", "fss1000", "msra10k", "thinobject5k")


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    return fruit(tmp_path_factory.mktemp("fruit"))


def plan(text: str) -> Plan:
    return parse_plan(HEAD + text, "mine.toml")


def names(of: Plan, collection: Collection) -> list[str]:
    return [request.name for entry in of.entries for request in spell_out(entry, collection, of.name)]


def test_what_comes_with_hqdata(hqseg: Collection) -> None:
    plans = ready_plans()
    assert {name: item.roles for name, item in plans.items()} == {
        "clean": ("data",),
        "leave-one-out": ("data",),
        "mask-quality": ("data",),
        "paper-control": ("data", "control"),
        "sa1b-arms": ("data", "control"),
        "sizes": ("data",),
        "table-16": ("data",),
    }
    assert tuple(hqseg.index["sources"]) == SIX
    assert names(plans["leave-one-out"], hqseg) == [
        *(f"without-{source}" for source in SIX),
        *(f"without-random-{source}" for source in SIX),
    ]
    assert names(plans["sizes"], hqseg) == ["size-1000", "size-5000", "size-20000", "size-all"]
    assert len(names(plans["mask-quality"], hqseg)) == 2 + 7 * 4


def test_table_16_is_the_papers(hqseg: Collection) -> None:
    requests = [next(spell_out(entry, hqseg, "x")) for entry in ready_plans()["table-16"].entries]
    assert {request.name: request.without for request in requests} == {
        "default": (),
        "without-dis": ("dis5k",),
        "without-thin": ("thinobject5k",),
        "without-both": ("dis5k", "thinobject5k"),
    }


def test_leave_one_out_of_any_collection(collection: Collection, tmp_path: Path) -> None:
    # Without an audit there is nobody to allow leaks of; with one there is.
    text = '[[split]]\nname = "w-{source}"\neach.source = ["*"]\nwithout = ["{source}"]\n'
    made = make_ready(plan(text), {"data": collection}, tmp_path, load_catalog())
    found = {item.name: {*by_source(item.splits[0].mask_ids)} for item in made}
    assert found == {f"w-{source}": NUMBERS.keys() - {source} for source in NUMBERS}


def test_values_keep_their_type_and_combine(collection: Collection) -> None:
    text = """
    [[split]]
    name = "{kind}-{level}"
    each.kind = ["polygon", "erosion"]
    each.level = [0.9, 0.8]
    degrade = "{kind}"
    to_biou = "{level}"
    """
    (entry,) = plan(text).entries
    assert [(r.name, r.degrade, r.to_biou) for r in spell_out(entry, collection, "x")] == [
        ("polygon-0.9", "polygon", 0.9),
        ("polygon-0.8", "polygon", 0.8),
        ("erosion-0.9", "erosion", 0.9),
        ("erosion-0.8", "erosion", 0.8),
    ]


def test_a_split_that_cannot_be_made_does_not_keep_the_others(collection: Collection, tmp_path: Path) -> None:
    text = """
    [[split]]
    name = "too-many"
    size = 99
    [[split]]
    name = "like-it"
    size_of = "too-many.split.json"
    [[split]]
    name = "fine"
    size = 5
    """
    made = make_ready(plan(text), {"data": collection}, tmp_path, load_catalog())
    assert [(item.name, len(item.splits)) for item in made] == [("too-many", 0), ("like-it", 0), ("fine", 1)]
    assert "at most 24" in str(made[0].problem)
    assert "too-many.split.json" in str(made[1].problem)


def test_a_plan_refers_to_its_own_splits_and_is_made_again_without_change(
    collection: Collection, tmp_path: Path
) -> None:
    text = '[[split]]\nname = "a"\nsize = 7\n[[split]]\nname = "b"\nof = "control"\nsize_of = "a.split.json"\n'
    both = {"data": collection, "control": collection}
    first = make_ready(plan(text), both, tmp_path, load_catalog())
    again = make_ready(plan(text), both, tmp_path, load_catalog())
    assert [len(item.splits[0].mask_ids) for item in first] == [7, 7]
    assert [item.splits[0].digest for item in first] == [item.splits[0].digest for item in again]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[split]]\nname = 'a", "is no TOML"),
        ("", "asks for no split"),
        ("[[split]]\nname = 'a'\nof = 'other'", "data | control"),
        ("[[split]]\nname = 'a'\neach.x = [1]", "does not tell x apart"),
        ("[[split]]\nname = 'a-{x}'\neach.x = []", "lists of values"),
        ("sort = 1\n[[split]]\nname = 'a'", 'unknown key "sort"'),
    ],
)
def test_a_malformed_plan(text: str, words: str) -> None:
    with pytest.raises(ManifestError, match=words.replace("|", r"\|")):
        plan(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[split]]\nname = 'ok'\n[[split]]\nname = 'a'\nsise = 3", 'did you mean "size"'),
        ("[[split]]\nname = 'ok'\n[[split]]\nname = 'a'\nbest = 0.5", "--by COLUMN goes with"),
    ],
)
def test_a_request_that_there_cannot_be_is_found_before_anything_is_written(
    collection: Collection, tmp_path: Path, text: str, words: str
) -> None:
    with pytest.raises(HQDataError, match=words):
        make_ready(plan(text), {"data": collection}, tmp_path / "out", load_catalog())
    assert not (tmp_path / "out").exists()


def test_a_collection_that_is_not_given(collection: Collection, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--control DIR"):
        make_ready(load_plan("paper-control"), {"data": collection}, tmp_path, load_catalog())


def test_an_unknown_plan() -> None:
    with pytest.raises(UsageError, match='did you mean "sizes"'):
        load_plan("size")
    with pytest.raises(UsageError, match="is no file"):
        load_plan("mine.toml")
