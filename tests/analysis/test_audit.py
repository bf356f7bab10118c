"""A whole audit: the same bytes however it is run, resumed or read again; the drawn demo's truth, to the last plant."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from hqdata.analysis import duplicates, fingerprints, leaks, related, stats
from hqdata.analysis.audit import audit
from hqdata.analysis.findings import DUPLICATES, LEAKS, SCHEMAS, SUSPECTS, Audit
from hqdata.analysis.measure import compute
from hqdata.demo import plants
from hqdata.demo.score import score
from hqdata.demo.truth import truth
from hqdata.errors import StoreCorrupt, UsageError
from hqdata.pipelines.recipe import build_recipe
from hqdata.store.derived import find_derived
from hqdata.store.reader import Collection
from tests.conftest import Drawn
from tests.helpers import snapshot
from tests.pictures import collection, drawn, small

TABLES = (DUPLICATES, LEAKS, SUSPECTS)


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three collections that share images. Copies are audited, these never are."""
    root = tmp_path_factory.mktemp("originals")
    cut = plants.cropped(drawn(4), 0.7)
    training = {
        "a": small(1),
        "b": small(2),
        "c": plants.mirrored(small(1)),
        "d": plants.limited(cut, 200),
        "e": small(3),
    }
    collection(root, training, name="training")
    collection(root, {"x": small(4), "y": small(7)}, name="first")
    collection(root, {"x": small(2), "y": small(6)}, name="second")
    return root


Copied = Callable[[str], dict[str, Collection]]


@pytest.fixture
def copied(originals: Path, tmp_path: Path) -> Copied:
    """The three collections once more, in a folder of their own."""

    def copy(place: str) -> dict[str, Collection]:
        shutil.copytree(originals, tmp_path / place)
        return {name: Collection(tmp_path / place / name) for name in ("training", "first", "second")}

    return copy


def audited(made: dict[str, Collection], *against: str, workers: int = 1) -> Audit:
    return audit(made["training"], [made[name] for name in against], workers=workers)


def derived(made: dict[str, Collection]) -> dict[str, str]:
    """Every file beside the collections."""
    root = made["training"].folder.parent
    return {name: digest for name, digest in snapshot(root).items() if ".derived/" in name}


def test_what_it_finds(copied: Copied) -> None:
    made = copied("one")
    before = {name: snapshot(item.folder) for name, item in made.items()}
    found = audited(made, "first", "second")
    for kind in TABLES:
        assert getattr(found, kind).schema.equals(SCHEMAS[kind])
    names = ("level", "mask_id", "other_mask_id", "changes")
    assert [tuple(row[name] for name in names) for row in found.duplicates.to_pylist()] == [
        ("pair", "training/all/a#0", "training/all/c#0", ["mirrored"])
    ]
    assert sorted((row["against"], row["level"], row["mask_id"]) for row in found.leaks.to_pylist()) == [
        ("first", "pair", "training/all/d#0"),
        ("second", "pair", "training/all/b#0"),
    ]
    assert {name: snapshot(item.folder) for name, item in made.items()} == before
    assert [item.folder.name for item in found.against] == ["first", "second"]


def test_the_same_bytes_for_any_workers_and_any_order(copied: Copied, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = copied("one"), copied("two")
    audited(one, "first", "second")
    # so small that there is work for two
    monkeypatch.setattr(related, "_CHUNK", 1)
    for item in two.values():
        for measure in (stats.MEASURE, fingerprints.MEASURE):
            compute(item, measure, workers=2, piece_samples=2)
    audited(two, "second", "first", workers=2)
    assert derived(one) == derived(two)
    kinds = {name.split(".derived/")[1].split("-")[0] for name in derived(one) if name.startswith("training")}
    assert kinds >= {"stats", "fingerprints", *TABLES}


def test_a_second_audit_reads_what_the_first_has_found(copied: Copied, monkeypatch: pytest.MonkeyPatch) -> None:
    made = copied("one")
    first, before = audited(made, "first"), derived(made)
    for module in (duplicates, leaks):
        monkeypatch.setattr(module, "related", searched)
    again = audited(made, "first")
    for kind in TABLES:
        assert getattr(again, kind).equals(getattr(first, kind))
    assert derived(made) == before
    with pytest.raises(AssertionError, match="searched"):
        audited(made, "second")


def searched(*_: object, **__: object) -> None:
    raise AssertionError("searched again")


@pytest.mark.parametrize("against", [["training"], ["first", "first"], ["first", "training"], ["first", "a copy"]])
def test_a_collection_given_twice_is_refused(copied: Copied, against: list[str]) -> None:
    made = copied("one")
    if "a copy" in against:
        shutil.copytree(made["first"].folder, made["first"].folder.with_name("a copy"))
        made["a copy"] = Collection(made["first"].folder.with_name("a copy"))
    with pytest.raises(UsageError, match="the same collection is given twice"):
        audited(made, *against)
    assert derived(made) == {}


KILLED = """
import sys
from hqdata.analysis.audit import audit
from hqdata.store.reader import Collection
audit(Collection(sys.argv[1]), [Collection(sys.argv[2])])
"""


@pytest.mark.parametrize("point", ["fingerprints-piece", "derived-index"])
def test_an_audit_that_was_killed_goes_on(copied: Copied, point: str) -> None:
    whole, made = copied("whole"), copied("killed")
    audited(whole, "first")
    words = [sys.executable, "-c", KILLED, str(made["training"].folder), str(made["first"].folder)]
    env = {**os.environ, "HQDATA_FAULT": f"after:{point}"}
    killed = subprocess.run(words, check=False, timeout=60, capture_output=True, env=env)
    assert killed.returncode == 137, killed.stderr
    folder = made["training"].folder
    assert (find_derived(folder, "stats") is None) is (point == "derived-index")
    assert find_derived(folder, "fingerprints") is None
    audited(made, "first")
    assert derived(made) == derived(whole)


@pytest.mark.parametrize("kind", ["fingerprints", "stats", DUPLICATES])
def test_a_damaged_table_is_named_and_once_removed_computed_anew(copied: Copied, kind: str) -> None:
    made = copied("one")
    first, want = audited(made), derived(made)
    folder = find_derived(made["training"].folder, kind)
    assert folder is not None
    table = folder / f"{kind}.parquet"
    content = bytearray(table.read_bytes())
    content[len(content) // 8] ^= 255
    table.write_bytes(content)
    if kind != DUPLICATES:
        shutil.rmtree(find_derived(made["training"].folder, DUPLICATES) or Path())
    fresh = {"training": Collection(made["training"].folder)}
    with pytest.raises(StoreCorrupt, match=rf"{kind}\.parquet cannot be read") as error:
        audited(fresh)
    assert "remove its folder" in str(error.value)
    shutil.rmtree(folder)
    assert audited(fresh).duplicates.equals(first.duplicates)
    assert derived(made) == want


def test_statistics_of_other_content_are_not_used(copied: Copied) -> None:
    made = copied("one")
    audited(made)
    folder = made["training"].folder
    shutil.rmtree(folder)
    shutil.copytree(made["second"].folder, folder)
    changed = audit(Collection(folder))
    assert changed.duplicates.num_rows == 0
    assert {row["mask_id"].split("/")[0] for row in changed.suspects.to_pylist()} <= {"second"}


@pytest.fixture(scope="module")
def demo(drawn: Drawn, hqseg: Collection, tmp_path_factory: pytest.TempPathFactory) -> Audit:
    """The audit of the drawn sources."""
    root = tmp_path_factory.mktemp("demo")
    shutil.copytree(hqseg.folder, root / "hqseg")
    build_recipe("hq-eval", root / "eval", drawn.options("official"))
    return audit(Collection(root / "hqseg"), [Collection(root / "eval")], workers=2)


def test_everything_that_was_planted_in_the_demo_is_found(demo: Audit, drawn: Drawn) -> None:
    planted = truth(drawn.specs)
    tables = {kind: getattr(demo, kind) for kind in (DUPLICATES, LEAKS)}
    rows = score(planted, tables)
    assert sum(row.planted for row in rows) == sum(item.table != SUSPECTS for item in planted)
    assert {row.word: row.missed for row in rows if row.missed} == {}
    assert {row.word: row.as_another_word for row in rows if row.as_another_word} == {}
    assert sum(row.false_alarms for row in rows if row.table == LEAKS) == 0
    assert sum(row.false_alarms for row in rows if row.word in {"pair", "image"}) == 0


def test_what_was_done_to_planted_copies_is_told(demo: Audit, drawn: Drawn) -> None:
    for table, kind in ((demo.duplicates, DUPLICATES), (demo.leaks, LEAKS)):
        said = {frozenset((row["mask_id"], row["other_mask_id"])): row for row in table.to_pylist()}
        for item in truth(drawn.specs):
            if item.table == kind and item.word == "pair":
                row = said[frozenset((item.mask_id, item.other_mask_id))]
                assert set(row["changes"]) - {"re-encoded"} == set(item.changes) - {"re-encoded"}, item


def test_the_clean_split_keeps_one_of_each_group_of_the_demo(demo: Audit) -> None:
    groups: dict[int, set[str]] = {}
    gone: set[str] = set()
    for row in demo.duplicates.to_pylist():
        if row["group"] is not None:
            groups.setdefault(row["group"], set()).update((row["mask_id"], row["other_mask_id"]))
            gone.add(row["remove"])
    assert sorted(groups) == list(range(1, len(groups) + 1))
    assert [len(members - gone) for members in groups.values()] == [1] * len(groups)
    assert max(map(len, groups.values())) >= 3


def test_no_leaks_without_an_evaluation(copied: Copied) -> None:
    found = audited(copied("one"))
    assert found.leaks.equals(pa.Table.from_pylist([], SCHEMAS[LEAKS]))
