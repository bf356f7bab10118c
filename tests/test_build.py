"""Every recipe from every form: the samples, counts, rejects, flags and errata that were drawn, and nothing else."""

import shutil
from pathlib import Path

import pytest

import hqdata
from hqdata.analysis.diff import diff
from hqdata.errors import ArchiveError, ChecksumMismatch, CountMismatch, TermsNotAccepted
from hqdata.pipelines.recipe import build_recipe
from hqdata.store.reader import Collection
from hqdata.store.verify import verify
from tests.conftest import Drawn
from tests.helpers import snapshot, tiny_source

FORMS = ("official", "bundle", "folders")
COUNTS = {
    "dis5k/tr": (8, 8),
    "thinobject5k/train": (15, 15),
    "fss1000/all": (23, 23),
    "duts/tr": (21, 21),
    "duts/te": (11, 11),
    "ecssd/all": (11, 11),
    "msra10k/all": (21, 20),
}
FLAGS = {
    "empty_mask": 2,
    "full_mask": 1,
    "image_grey": 1,
    "mask_01": 22,
    "mask_1bit": 1,
    "mask_absent": 1,
    "mask_reencoded": 26,
    "mask_rgb": 25,
    "mask_soft": 53,
}
ERRATA = {"extra_file": 2, "mislabelled": 1, "unlabelled": 1, "wrong_mask": 3}
LOST = ("msra10k", "11987.jpg", "normalize", "size_mismatch")
OFFICIAL_REJECTS = {
    ("duts", "ILSVRC2012_test_00036002.jpg", "pair", "second_mask"),
    ("duts", "ILSVRC2014_train_00023530.jpg", "pair", "second_mask"),
    ("duts", "n01532829_13482.jpg", "pair", "second_mask"),
    ("duts", "n04442312_17818.jpg", "pair", "second_mask"),
    ("duts", "sun_bcogaqperiljqupq.jpg", "pair", "second_mask"),
    ("ecssd", "Thumbs.db", "pair", "system_file"),
    ("thinobject5k", "listed_but_absent", "list", "listed_absent"),
    LOST,
}
REJECTS = {
    "official": OFFICIAL_REJECTS,
    "folders": OFFICIAL_REJECTS,
    "bundle": {
        ("fss1000", ".DS_Store", "pair", "system_file"),
        ("fss1000", "Thumbs.db", "pair", "system_file"),
        ("fss1000", "abacus_3_old.gif", "pair", "stray"),
        ("fss1000", "class_list.txt", "pair", "stray"),
        ("fss1000", "readme.html", "pair", "stray"),
        ("fss1000", "untitled", "pair", "stray"),
        LOST,
    },
}


@pytest.fixture(scope="module")
def built(drawn: Drawn, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Collection]:
    """``hqseg-44k`` from each form."""
    out = tmp_path_factory.mktemp("forms")
    return {form: Collection(build_recipe("hqseg-44k", out / form, drawn.options(form)).folder) for form in FORMS}


@pytest.mark.parametrize("form", FORMS)
def test_hqseg_is_what_was_drawn(built, drawn, form):
    collection = built[form]
    index = collection.index
    counts = {f"{c['source']}/{c['part']}": (c["pairs"], c["samples"]) for c in index["counts"]}
    rows = collection.rejects.to_pylist()
    rejects = {(r["source"], r["member"].rpartition("/")[2], r["stage"], r["reason"]) for r in rows}
    expected = {s.sample_id for s in drawn.specs if f"{s.source}/{s.part}" in COUNTS and s.erratum != "mismatch"}
    assert counts == COUNTS
    assert index["rows"] == len(collection) == 109
    assert set(collection.sample_ids) == expected
    assert (index["flags"], index["errata"], index["shortfall"]) == (FLAGS, ERRATA, [])
    assert rejects == REJECTS[form]
    assert len(rows) == len(REJECTS[form]) == sum(index["rejects"].values())
    assert index["recipe"]["synthetic"]
    assert not index["unverified"]
    assert verify(collection.folder, deep=True) == []


def test_forms_agree(built):
    ids = {collection.sample_ids for collection in built.values()}
    digests = {collection.digest for collection in built.values()}
    assert len(ids) == len(digests) == 1
    for form in ("bundle", "folders"):
        assert diff(built["official"], built[form]) == []


def test_index_says_where_samples_come_from(built):
    forms = {form: {k: (s["form"], s["packed"]) for k, s in c.index["sources"].items()} for form, c in built.items()}
    assert set(forms["bundle"].values()) == {("bundle", "archives")}
    assert {packed for _, packed in forms["folders"].values()} == {"folder"}
    assert forms["official"]["ecssd"] == ("official", "archives")
    facts = [fact for source in built["official"].index["sources"].values() for fact in source["archives"]]
    assert {fact["verified"] for fact in facts} == {"published"}
    assert built["folders"].index["sources"]["duts"]["archives"] == []


@pytest.mark.parametrize(
    ("recipe", "form", "rows", "per_source"),
    [
        ("hq-eval", "bundle", 12, {"dis5k": 3, "coift": 3, "hrsod": 3, "thinobject5k": 3}),
        ("hq-eval", "folders", 12, {"dis5k": 3, "coift": 3, "hrsod": 3, "thinobject5k": 3}),
        (
            "hqseg-44k-omron",
            "official",
            80,
            {"dis5k": 8, "thinobject5k": 15, "fss1000": 23, "dut-omron": 3, "ecssd": 11, "msra10k": 20},
        ),
        (
            "demo",
            "official",
            112,
            {"dis5k": 8, "thinobject5k": 18, "fss1000": 23, "duts": 32, "ecssd": 11, "msra10k": 20},
        ),
        ("duts", "folders", 32, {"duts": 32}),
        ("hrsod", "official", 3, {"hrsod": 3}),
    ],
)
def test_other_recipes(drawn, tmp_path, recipe, form, rows, per_source):
    built = build_recipe(recipe, tmp_path / "out", drawn.options(form))
    found: dict[str, int] = {}
    for count in built.index["counts"]:
        found[count["source"]] = found.get(count["source"], 0) + count["samples"]
    assert built.index["rows"] == rows
    assert found == per_source
    assert built.index["shortfall"] == []


def test_evaluation_sets_from_their_homes(drawn, tmp_path):
    assert build_recipe("hq-eval", tmp_path / "out", drawn.options("official")).index["rows"] == 12


def test_evaluation_sets_agree_between_codings(drawn, tmp_path):
    """The bundle's ``masks_max255`` and the home's instance ids of HRSOD mean the same masks."""
    official = build_recipe("hq-eval", tmp_path / "a", drawn.options("official", prefer="official"))
    bundle = build_recipe("hq-eval", tmp_path / "b", drawn.options("bundle"))
    assert official.index["content_digest"] == bundle.index["content_digest"]
    assert (official.index["flags"]["mask_instances"], bundle.index["flags"]) == (3, {"mask_soft": 6})
    differences = diff(hqdata.open(tmp_path / "a"), hqdata.open(tmp_path / "b"))
    kinds = {(item.kind, item.sample_id.partition("/")[0]) for item in differences}
    assert kinds == {("mask file", "hrsod")}


def test_counts_that_differ_are_refused(tmp_path):
    tiny = tiny_source(tmp_path, 7, expected=9)
    with pytest.raises(CountMismatch) as caught:
        build_recipe("tiny", tmp_path / "out", tiny.options())
    line = next(line for line in str(caught.value).splitlines() if "tiny" in line)
    assert line.split() == ["tiny", "all", "9", "7", "-2"]
    assert "--partial" in str(caught.value)
    assert not (tmp_path / "out").exists()
    index = build_recipe("tiny", tmp_path / "out", tiny.options(partial=True)).index
    assert [(c["expected"], c["samples"]) for c in index["shortfall"]] == [(9, 7)]
    assert index["rows"] == 7


def test_surplus_is_no_match_either(tmp_path):
    tiny = tiny_source(tmp_path, 7, expected=5)
    with pytest.raises(CountMismatch, match=r"5\s+7\s+\+2"):
        build_recipe("tiny", tmp_path / "out", tiny.options())
    assert not (tmp_path / "out").exists()


def test_partial_builds_what_is_there(drawn, tmp_path):
    (tmp_path / "some" / "ecssd").mkdir(parents=True)
    for path in (drawn.archives("official") / "ecssd").iterdir():
        shutil.copy(path, tmp_path / "some" / "ecssd")
    options = drawn.options(archives=tmp_path / "some")
    with pytest.raises(ArchiveError, match=r"samhq/cascade_psp\.zip"):
        build_recipe("hqseg-44k", tmp_path / "out", options)
    index = build_recipe("hqseg-44k", tmp_path / "out", drawn.options(archives=tmp_path / "some", partial=True)).index
    assert index["rows"] == 11
    assert {c["source"] for c in index["shortfall"]} == {"dis5k", "thinobject5k", "fss1000", "duts", "msra10k"}


def damaged_copy(drawn: Drawn, folder: Path) -> Path:
    """ECSSD's archives, one bit of a stored image flipped: sizes and members stay."""
    (folder / "ecssd").mkdir(parents=True)
    for path in (drawn.archives("official") / "ecssd").iterdir():
        content = bytearray(path.read_bytes())
        if path.name == "images.zip":
            content[len(content) // 2] ^= 1
        (folder / "ecssd" / path.name).write_bytes(content)
    return folder


def test_another_hash_is_refused_unless_allowed(drawn, tmp_path):
    options = drawn.options(archives=damaged_copy(drawn, tmp_path / "bad"))
    with pytest.raises(ChecksumMismatch, match=r"images.zip is not the published") as caught:
        build_recipe("ecssd", tmp_path / "out", options)
    assert "--unverified" in str(caught.value)
    assert not (tmp_path / "out").exists()
    allowed = drawn.options(archives=tmp_path / "bad", unverified=True, partial=True)
    index = build_recipe("ecssd", tmp_path / "out", allowed).index
    facts = {fact["name"]: fact["verified"] for fact in index["sources"]["ecssd"]["archives"]}
    assert index["unverified"]
    assert facts == {"images.zip": "unverified", "ground_truth_mask.zip": "published"}
    assert index["rejects"]["corrupt_member"] == 1


def test_terms_are_asked_for_once(tmp_path, home):
    tiny = tiny_source(tmp_path / "a", 3, accept=True)
    before = snapshot(tmp_path)
    with pytest.raises(TermsNotAccepted, match="--accept-terms tiny"):
        build_recipe("tiny", tmp_path / "out", tiny.options())
    assert snapshot(tmp_path) == before
    build_recipe("tiny", tmp_path / "out", tiny.options(accepted=("tiny",)))
    build_recipe("tiny", tmp_path / "again", tiny.options())
    text = tiny.manifest.read_text().replace("made by a test", "made by a test, and changed")
    tiny.manifest.write_text(text)
    with pytest.raises(TermsNotAccepted, match="made by a test, and changed"):
        build_recipe("tiny", tmp_path / "third", tiny.options())


def test_a_person_may_be_asked(tmp_path, home):
    tiny = tiny_source(tmp_path, 3, accept=True)
    asked = []
    with pytest.raises(TermsNotAccepted):
        build_recipe("tiny", tmp_path / "out", tiny.options(ask=lambda source: asked.append(source.name)))
    built = build_recipe("tiny", tmp_path / "out", tiny.options(ask=lambda source: asked.append(source.name) is None))
    assert (asked, built.index["rows"]) == (["tiny", "tiny"], 3)


def test_damaged_archives_are_named(tmp_path):
    tiny = tiny_source(tmp_path, 5, published=False)
    tiny.archive.write_bytes(tiny.archive.read_bytes()[:-40])
    with pytest.raises(ArchiveError, match=r"tiny.zip is cut short or damaged"):
        build_recipe("tiny", tmp_path / "out", tiny.options())
