"""Splits of a small collection, from the request to the files."""

import json
from pathlib import Path
from typing import Any

import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import hqdata
from hqdata.analysis.splits.create import create_split
from hqdata.analysis.splits.masks import by_source
from hqdata.analysis.splits.request import Request
from hqdata.catalog import load_catalog
from hqdata.errors import HQDataError
from hqdata.store.reader import Collection
from hqdata.store.split import Split, read_notes, read_split
from hqdata.store.view import open_view
from tests.helpers import snapshot
from tests.splits import JUDGE, NUMBERS, audit, fruit, make, mask


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """Not audited."""
    return fruit(tmp_path_factory.mktemp("plain"))


COPIES = [[mask("apple", 0), mask("banana", 0)], [mask("banana", 1), mask("banana", 2), mask("cherry", 1)]]
LEAKED = [(mask("cherry", 3), "pair"), (mask("cherry", 4), "background"), (mask("apple", 5), "mask")]


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    collection = fruit(tmp_path_factory.mktemp("audited"))
    audit(collection, COPIES, LEAKED, [mask("banana", 7)])
    return collection


def numbers(split: Split) -> dict[str, int]:
    found = {source: len(masks) for source, masks in by_source(split.mask_ids).items()}
    assert split.facts["counts"]["sources"] == found
    return found


def notes(split: Split) -> list[tuple[str, str, str]]:
    return [(row["what"], row["why"], row["mask_id"]) for row in read_notes(split).to_pylist()]


@pytest.mark.parametrize(
    ("choices", "found"),
    [
        ({}, NUMBERS),
        ({"only": ("apple", "che")}, {"apple": 6, "cherry": 10}),
        ({"without": ("banana",)}, {"apple": 6, "cherry": 10}),
        ({"without_random": ("banana",)}, {"banana": 8, "apple+cherry": 8}),
        ({"sql": "SELECT mask_id FROM stats WHERE source <> 'apple'"}, {"banana": 8, "cherry": 10}),
        ({"sql": "SELECT sample_id || '#0' AS mask_id, 1 FROM samples, range(2)"}, NUMBERS),
        ({"size": 12, "stratify": ("source",)}, {"apple": 3, "banana": 4, "cherry": 5}),
        ({"per_source": 5}, {"apple": 5, "banana": 5, "cherry": 5}),
        ({"per_source": "smallest", "only": ("banana", "cherry")}, {"banana": 8, "cherry": 8}),
        ({"best": 0.5, "by": "area_rel", "within_source": True}, {"apple": 3, "banana": 4, "cherry": 5}),
    ],
)
def test_which_masks(plain: Collection, tmp_path: Path, choices: dict[str, Any], found: dict[str, int]) -> None:
    got = numbers(make(plain, tmp_path, **choices))
    if "apple+cherry" in found:
        got["apple+cherry"] = got.pop("apple") + got.pop("cherry")
    assert got == found


def test_best_and_worst_are_those_of_sql(plain: Collection, tmp_path: Path) -> None:
    rows = hqdata.sql("SELECT mask_id FROM stats ORDER BY sharpness_px", plain)["mask_id"].to_pylist()
    for option, found in (("worst", rows[:6]), ("best", rows[-6:])):
        assert make(plain, tmp_path, option, **{option: 0.25, "by": "sharpness_px"}).mask_ids == sorted(found)


def test_an_own_table_takes_part(plain: Collection, tmp_path: Path) -> None:
    scores = pyarrow.table({"id": [mask("apple", 1), mask("cherry", 2), mask("cherry", 3)], "score": [0.9, 0.2, 0.8]})
    pyarrow.csv.write_csv(scores, tmp_path / "scores.csv")
    sql = "SELECT id AS mask_id FROM mine WHERE score > 0.5"
    split = make(plain, tmp_path, sql=sql, attach={"mine": "scores.csv"})
    assert split.mask_ids == [mask("apple", 1), mask("cherry", 3)]
    assert split.facts["inputs"].keys() == {"scores.csv"}


def test_sizes_are_nested_and_one_seed_is_one_ladder(plain: Collection, tmp_path: Path) -> None:
    ladder = [set(make(plain, tmp_path, f"s{size}", size=size).mask_ids) for size in (3, 9, 20)]
    assert ladder[0] < ladder[1] < ladder[2]
    assert set(make(plain, tmp_path, "other", size=9, seed=1).mask_ids) != ladder[1]
    assert len(make(plain, tmp_path, "same", size_of="s9.split.json").mask_ids) == 9


def test_the_files_are_the_same_bytes_wherever_they_are_made(plain: Collection, tmp_path: Path) -> None:
    for name in ("a", "b"):
        make(plain, tmp_path / name, size=7, degrade="shift:0.01", weights={"apple": 0.5})
    first, second = snapshot(tmp_path / "a"), snapshot(tmp_path / "b")
    assert first == second
    assert "some.split.json" in first
    away = make(plain, tmp_path / "c" / "d", size=7, degrade="shift:0.01", weights={"apple": 0.5})
    assert away.digest == read_split(tmp_path / "a" / "some.split.json").digest


def test_halves_keep_copies_together(audited: Collection, tmp_path: Path) -> None:
    groups = [{*group} for group in COPIES]
    for seed in range(6):
        request = Request(name=f"h{seed}", halves=True, seed=seed, allow_leaks=("all",))
        a, b = create_split(audited, request, tmp_path, load_catalog())
        assert sorted(a.mask_ids + b.mask_ids) == make(audited, tmp_path, "all", allow_leaks=("all",)).mask_ids
        assert abs(len(a.mask_ids) - len(b.mask_ids)) <= 3
        for group in groups:
            assert group <= {*a.mask_ids} or group <= {*b.mask_ids}
        assert (a.name, b.name, a.facts["part"], b.facts["part"]) == (f"h{seed}-a", f"h{seed}-b", "a", "b")


def test_a_left_out_source_takes_its_copies_along_and_the_control_is_of_equal_size(
    audited: Collection, tmp_path: Path
) -> None:
    allowed = {"allow_leaks": ("judge",)}
    split = make(audited, tmp_path, "without", without=("banana",), **allowed)
    assert numbers(split) == {"apple": 5, "cherry": 9}
    assert [row for row in notes(split) if row[1] == "copy"] == [
        ("removed", "copy", mask("apple", 0)),
        ("removed", "copy", mask("cherry", 1)),
    ]
    assert split.facts["removed"] == {"copy": 2, "without": 8}
    control = make(audited, tmp_path, "random", without_random=("banana",), **allowed)
    assert len(control.mask_ids) == len(split.mask_ids)
    assert numbers(control)["banana"] == 8
    kept = make(audited, tmp_path, "kept", without=("banana",), keep_copies=True, **allowed)
    assert numbers(kept) == {"apple": 6, "cherry": 10}


def test_clean_leaves_out_each_with_its_reason(audited: Collection, tmp_path: Path) -> None:
    split = make(audited, tmp_path, "clean", exclude_audit=("duplicates", "leaks", "suspects"))
    assert split.facts["removed"] == {"duplicates": 3, "leaks": 2, "suspects": 1}
    gone = {mask_id for what, _, mask_id in notes(split) if what == "removed"}
    assert gone | {*split.mask_ids} == {*open_view(make(audited, tmp_path, "all", allow_leaks=("all",)).path).mask_ids}
    for group in COPIES:
        assert len({*group} & {*split.mask_ids}) == 1
    assert all(row["reason"] for row in read_notes(split).to_pylist())
    (leak,) = [row for row in read_notes(split).to_pylist() if row["level"] == "background"]
    assert (leak["mask_id"], leak["other_mask_id"], leak["against"]) == (mask("cherry", 4), "judge/all/1#0", "judge")


def test_a_choice_without_the_best_copy_keeps_the_best_of_its_own(audited: Collection, tmp_path: Path) -> None:
    for source, others in (("banana", 7), ("cherry", 10)):
        split = make(audited, tmp_path, source, only=(source,), exclude_audit=("duplicates",), allow_leaks=("all",))
        assert len(split.mask_ids) == others


def test_exact_leaks_are_refused_near_ones_are_warned_of(audited: Collection, tmp_path: Path) -> None:
    with pytest.raises(HQDataError, match="cherry/all/0003#0 = judge/all/0#0"):
        make(audited, tmp_path, "refused")
    assert list(tmp_path.iterdir()) == []
    split = make(audited, tmp_path, "warned", exclude_audit=("leaks",), leak_levels=("pair",))
    assert split.facts["leaks"]["kept"] == [{"against": "judge", "level": "background", "why": "warned", "masks": 1}]
    assert notes(split)[0] == ("leak", "warned", mask("cherry", 4))
    allowed = make(audited, tmp_path, "allowed", allow_leaks=("judge",))
    assert [(row["level"], row["why"]) for row in allowed.facts["leaks"]["kept"]] == [
        ("background", "allowed"),
        ("pair", "allowed"),
    ]
    assert allowed.facts["leaks"]["checked"] == [{"name": "judge", "content_digest": JUDGE}]


def test_without_an_audit_nothing_is_claimed(plain: Collection, tmp_path: Path) -> None:
    facts = make(plain, tmp_path).facts
    assert facts["copies"] is None
    assert facts["leaks"] == {"checked": [], "tables": [], "kept": []}


def test_weights_and_terms_are_written(plain: Collection, tmp_path: Path) -> None:
    split = make(plain, tmp_path, weights={"apple": 0.5})
    table = pq.read_table(tmp_path / "some.ids.parquet")
    weights = dict(zip(table["mask_id"].to_pylist(), table["weight"].to_pylist(), strict=True))
    assert weights[mask("apple", 0)] == pytest.approx(24 * 0.5 / 6)
    assert sum(weights.values()) == pytest.approx(24)
    assert split.facts["sampling"] == {
        "apple": pytest.approx(0.5),
        "banana": pytest.approx(2 / 9),
        "cherry": pytest.approx(2.5 / 9),
    }
    assert split.facts["terms"] == {
        "redistribution": "allowed",
        "because": [{"source": name, "statement": "its terms allow redistribution"} for name in NUMBERS],
        "licences": {"none": list(NUMBERS)},
    }


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"sql": "SELECT sample_id FROM samples"}, "does not return mask_id"),
        ({"sql": "SELECT 'x/all/1#0' AS mask_id"}, "x/all/1#0"),
        ({"sql": "SELECT mask_id FROM stats WHERE mask_id IS NULL"}, "no mask is left"),
        ({"sql": "DROP TABLE stats"}, "SELECT"),
        ({"sql": "SELECT mask_id FROM nothing"}, "nothing"),
        ({"only": ("aple",)}, 'did you mean "apple"'),
        ({"only": ("apple",), "without": ("a",)}, "no mask is left"),
        ({"size": 25}, "at most 24"),
        ({"without_random": ("banana", "cherry")}, "too few masks to leave out as many"),
        ({"size_of": "none.split.json"}, "--size-of"),
        ({"per_source": 7}, "apple has 6"),
        ({"best": 0.5, "by": "area"}, "no column"),
        ({"best": 0.5, "by": "source"}, "no column"),
        ({"size": 5, "stratify": ("sauce",)}, "no column"),
        ({"size": 5, "stratify": ("area_rel:1",)}, "2 to 100 bins"),
        ({"exclude_audit": ("duplicates",)}, "hqdata audit"),
        ({"exclude_audit": ("leaks",)}, "hqdata audit"),
        ({"exclude_audit": ("suspects",)}, "hqdata audit"),
        ({"against": ("judge",)}, "not audited against judge"),
        ({"allow_leaks": ("judge",)}, "not audited against"),
        ({"weights": {"pear": 0.5}}, 'no source "pear"'),
        ({"degrade": "holes", "to_biou": 0.5}, "apple: kind holes"),
        ({"degrade": "sam:x"}, "'x'"),
        ({"match": ("area",), "to": "none.split.json"}, "--to"),
        ({"image_scale_to": "none.split.json"}, "--image-scale-to"),
    ],
)
def test_what_cannot_be_met_changes_nothing(
    plain: Collection, tmp_path: Path, choices: dict[str, Any], words: str
) -> None:
    before = snapshot(plain.folder.parent)
    with pytest.raises(HQDataError, match=words.replace("(", r"\(")):
        make(plain, tmp_path / "out", **choices)
    assert not (tmp_path / "out").exists()
    assert snapshot(plain.folder.parent) == before


def test_degraded_masks_are_solved_for_each_source_and_read_from_the_file_alone(
    plain: Collection, tmp_path: Path
) -> None:
    split = make(plain, tmp_path, degrade="erosion", to_biou=0.7)
    rows = split.facts["degrade"]["sources"]
    assert rows.keys() == NUMBERS.keys()
    assert all(
        abs(row["boundary_iou"] - 0.7) <= 0.1 / NUMBERS[s] and row["masks"] == NUMBERS[s] for s, row in rows.items()
    )
    view = open_view(split.path)
    assert all(view[i].mask.sum() < plain[view.sample_ids[i]].mask.sum() for i in range(len(view)))
    given = make(plain, tmp_path, "given", degrade=f"erosion:{rows['apple']['strength']}", only=("apple",))
    assert given.facts["degrade"]["sources"]["apple"] == rows["apple"]


def test_the_json_is_plain_and_complete(audited: Collection, tmp_path: Path) -> None:
    split = make(audited, tmp_path, "a", only=("apple",), exclude_audit=("leaks",))
    facts = json.loads(split.path.read_text())
    assert facts["request"] == {"name": "a", "only": ["apple"], "exclude_audit": ["leaks"]}
    assert facts["collection"]["recipe"] == "fruit"
    assert not Path(facts["collection"]["folder"]).is_absolute()


@pytest.mark.parametrize("below", ["", "splits"])
def test_a_split_never_lies_in_its_collection(plain: Collection, below: str) -> None:
    before = snapshot(plain.folder)
    with pytest.raises(HQDataError, match="collections never change"):
        make(plain, plain.folder / below)
    assert snapshot(plain.folder) == before
