"""SQL over splits: each is a collection of its masks, and nothing of the others is reached."""

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

import hqdata
from hqdata.analysis.findings import SCHEMAS, publish_findings
from hqdata.analysis.query import schema
from hqdata.analysis.stats import compute_stats
from hqdata.cli.main import app
from hqdata.errors import QueryError, StoreCorrupt, UsageError
from hqdata.store.reader import Collection
from hqdata.store.view import SplitView
from tests.analysis.test_query import in_child
from tests.export.many import many_masks
from tests.helpers import snapshot
from tests.store.saved import degrading, save

SOURCES = ("dis5k", "duts", "ecssd", "fss1000", "msra10k", "thinobject5k")
COUNT = "SELECT collection, count(*) AS n FROM {} GROUP BY ALL ORDER BY ALL"


@pytest.fixture(scope="module")
def judged(hqseg: Collection, tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """A copy with statistics and with findings that are made up: mask n is found together with mask n + 3."""
    made = hqdata.open(shutil.copytree(hqseg.folder, tmp_path_factory.mktemp("judged") / "hq"))
    compute_stats(made)
    ids = [f"{name}#0" for name in made.sample_ids]
    for kind, facts in (("duplicates", {}), ("leaks", {"against_digest": "x"}), ("suspects", {})):
        empty = dict.fromkeys(SCHEMAS[kind].names)
        rows = [{**empty, **facts, "mask_id": a, "other_mask_id": b} for a, b in zip(ids, ids[3:], strict=False)]
        publish_findings(made, kind, 1, facts, rows)
    return made


@pytest.fixture(scope="module")
def half(judged: Collection, tmp_path_factory: pytest.TempPathFactory) -> SplitView:
    """Every second sample."""
    ids = sorted(f"{name}#0" for name in judged.sample_ids[::2])
    return judged.split(save(judged, tmp_path_factory.mktemp("splits"), ids, "half").path)


@pytest.fixture(scope="module")
def small(judged: Collection, half: SplitView) -> SplitView:
    """Every tenth sample, at half the size and dilated, measured."""
    ids = sorted(f"{name}#0" for name in judged.sample_ids[::10])
    how = degrading("dilation", {name: number / 1000 for number, name in enumerate(SOURCES)})
    split = save(judged, half.definition.path.parent, ids, "small", scales=[0.5] * len(ids), degrade=how)
    view = judged.split(split.path)
    compute_stats(view)
    return view


def counts(table: str, *given: Any) -> dict[str, int]:
    return {row["collection"]: row["n"] for row in hqdata.sql(COUNT.format(table), *given).to_pylist()}


def test_every_table_holds_the_masks_of_the_split(judged: Collection, half: SplitView) -> None:
    ids = set(half.mask_ids)
    assert len(ids) == 55
    samples = hqdata.sql("FROM samples", half)
    assert samples["sample_id"].to_pylist() == list(half.sample_ids)
    whole = hqdata.sql("FROM samples", judged).to_pylist()
    assert samples.drop(["collection"]).to_pylist() == [
        {key: value for key, value in row.items() if key != "collection"}
        for row in sorted(whole, key=lambda row: str(row["sample_id"]))
        if f"{row['sample_id']}#0" in ids
    ]
    assert set(hqdata.sql("SELECT mask_id FROM stats", half)["mask_id"].to_pylist()) == ids
    assert counts("rejects", half) == {"half": 8}


@pytest.mark.parametrize("kind", ["duplicates", "leaks", "suspects"])
def test_findings_are_those_of_its_masks_duplicates_only_among_them(
    judged: Collection, half: SplitView, kind: str
) -> None:
    frame = hqdata.sql(f"FROM {kind}", judged).select(["mask_id", "other_mask_id"]).to_pandas()
    inside = frame[frame.mask_id.isin(half.mask_ids)]
    if kind == "duplicates":
        inside = inside[inside.other_mask_id.isin(half.mask_ids)]
    found = hqdata.sql(f"FROM {kind}", half).select(["mask_id", "other_mask_id"]).to_pandas()
    assert len(found) == (0 if kind == "duplicates" else 53)
    pd.testing.assert_frame_equal(
        found.sort_values("mask_id", ignore_index=True), inside.sort_values("mask_id", ignore_index=True)
    )


def test_duplicates_of_which_both_are_in_stay(judged: Collection, tmp_path: Path) -> None:
    ids = [f"{name}#0" for name in judged.sample_ids[:5]]
    view = judged.split(save(judged, tmp_path, sorted(ids)).path)
    found = hqdata.sql("SELECT mask_id, other_mask_id FROM duplicates ORDER BY ALL", view).to_pylist()
    assert [tuple(row.values()) for row in found] == sorted([(ids[0], ids[3]), (ids[1], ids[4])])


def test_splits_stand_beside_collections_and_each_other(
    judged: Collection, half: SplitView, small: SplitView, tmp_path: Path
) -> None:
    given = [judged, half.definition.path, str(small.definition.path), half]
    names = {"half": 55, "half~2": 55, "hq": 109, "small": 11}
    assert counts("samples", *given) == counts("stats", *given) == names
    assert counts("splits", *given) == {name: n for name, n in names.items() if name != "hq"}
    assert counts("rejects", *given) == dict.fromkeys(names, 8)
    both = "SELECT b.collection, count(*) AS n FROM stats a JOIN stats b USING (mask_id) WHERE a.collection = 'hq' "
    found = hqdata.sql(both + "AND b.collection IN ('half', 'small') GROUP BY ALL ORDER BY ALL", *given).to_pylist()
    assert found == [{"collection": "half", "n": 55}, {"collection": "small", "n": 11}]


def test_filters_of_a_query_come_on_top_of_the_splits(judged: Collection, half: SplitView) -> None:
    frame = judged.stats.to_pandas()
    frame = frame[frame.mask_id.isin(half.mask_ids) & (frame.area_rel > 0.2) & (frame.source != "duts")]
    wanted = frame.groupby("source").agg(n=("mask_id", "size"), area=("area_px", "sum")).reset_index()
    sql = "SELECT source, count(*) AS n, sum(area_px) AS area FROM stats WHERE area_rel > 0.2 AND source <> 'duts' "
    found = hqdata.sql(sql + "GROUP BY ALL ORDER BY ALL", half).to_pandas()
    pd.testing.assert_frame_equal(found, wanted, check_dtype=False)
    assert len(found) == 5


def test_statistics_of_changed_pixels_are_the_splits_own(judged: Collection, small: SplitView) -> None:
    found = hqdata.sql("SELECT * EXCLUDE (collection) FROM stats ORDER BY mask_id", small)
    assert found.equals(small.stats.cast(found.schema))
    assert found["width"].to_pylist() == [round(judged[name].size[0] / 2) for name in small.sample_ids]
    sql = "SELECT width FROM samples ORDER BY sample_id"
    assert hqdata.sql(sql, small)["width"].to_pylist() == [judged[name].size[0] for name in small.sample_ids]


def test_the_table_of_splits_says_how_each_mask_is_read(half: SplitView, small: SplitView) -> None:
    rows = hqdata.sql("FROM splits ORDER BY collection, mask_id", half, small).to_pylist()
    assert [row["mask_id"] for row in rows] == [*half.mask_ids, *small.mask_ids]
    plain = {"collection": "half", "weight": None, "scale": None, "degraded": None, "strength": None}
    assert all(plain.items() <= row.items() for row in rows[:55])
    for row in rows[55:]:
        strength = SOURCES.index(row["mask_id"].partition("/")[0]) / 1000
        want = {"collection": "small", "weight": None, "scale": 0.5, "degraded": "dilation", "strength": strength}
        assert want.items() <= row.items()


def test_weights_and_masks_of_a_model_are_in_the_table(judged: Collection, tmp_path: Path) -> None:
    ids = sorted(f"{name}#0" for name in judged.sample_ids[:2])
    split = save(judged, tmp_path, ids, weights=[0.5, 1.5], degrade=degrading("sam", {}, name="x"))
    rows = hqdata.sql("SELECT weight, degraded, strength FROM splits ORDER BY mask_id", split.path).to_pylist()
    assert rows == [{"weight": weight, "degraded": "sam", "strength": None} for weight in (0.5, 1.5)]


def test_samples_with_some_of_their_masks(tmp_path: Path) -> None:
    many = many_masks(tmp_path / "many")
    compute_stats(many)
    view = many.split(save(many, tmp_path, ["sa/all/0#0", "sa/all/0#2"]).path)
    assert hqdata.sql("SELECT sample_id FROM samples", view).to_pylist() == [{"sample_id": "sa/all/0"}]
    assert hqdata.sql("SELECT k FROM stats ORDER BY k", view).to_pylist() == [{"k": 0}, {"k": 2}]


def test_a_split_of_nothing_has_empty_tables(judged: Collection, tmp_path: Path) -> None:
    view = judged.split(save(judged, tmp_path, []).path)
    for table in ("samples", "stats", "duplicates", "splits"):
        assert hqdata.sql(f"FROM {table}", view).num_rows == 0


def test_what_is_lacking_is_named_with_its_command(hqseg: Collection, half: SplitView, tmp_path: Path) -> None:
    copy = hqdata.open(shutil.copytree(hqseg.folder, tmp_path / "bare"))
    ids = [f"{hqseg.sample_ids[0]}#0"]
    plain = save(copy, tmp_path, ids, "plain").path
    scaled = save(half.collection, tmp_path, ids, "scaled", scales=[0.5]).path
    for path in (plain, scaled):
        with pytest.raises(QueryError, match="there is no table stats yet") as error:
            hqdata.sql("FROM stats", half, path)
        assert f"run `hqdata stats {path}`" in str(error.value)
    with pytest.raises(QueryError, match="there is no table suspects yet") as error:
        hqdata.sql("FROM suspects", plain)
    assert f"run `hqdata audit {copy.folder}`" in str(error.value)
    compute_stats(hqdata.open(plain))
    assert hqdata.sql("FROM stats", plain).num_rows == 1


def test_without_a_split_there_is_no_table_of_them(judged: Collection, tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="there is no table splits\n  got:      no split among what is asked"):
        hqdata.sql("FROM splits", judged)
    (tmp_path / "a.csv").write_text("a\n1\n")
    with pytest.raises(UsageError, match="cannot be attached as 'splits'"):
        hqdata.sql("SELECT 1", judged, attach={"splits": tmp_path / "a.csv"})


def test_nothing_but_its_rows_is_reachable(judged: Collection, half: SplitView) -> None:
    outside = [name for name in judged.sample_ids if f"{name}#0" not in set(half.mask_ids)]
    assert len(outside) == 54
    with hqdata.connect(half) as connection:
        views = connection.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
        tables = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        names = {"samples", "rejects", "stats", "duplicates", "leaks", "suspects", "splits"}
        assert {name for (name,) in views + tables} == names
        for name in names - {"rejects"}:
            key = "sample_id || '#0'" if name == "samples" else "mask_id"
            found = connection.table(name).filter(f"{key} IN {tuple(f'{other}#0' for other in outside)}")
            assert found.fetchall() == [], name
            assert connection.table(name).fetchall() or name == "duplicates"


def test_a_question_of_one_split_opens_only_its_file(judged: Collection, small: SplitView, tmp_path: Path) -> None:
    other = hqdata.open(shutil.copytree(judged.folder, tmp_path / "other"))
    shutil.copytree(f"{judged.folder}.derived", tmp_path / "other.derived")
    split = save(other, tmp_path, [f"{other.sample_ids[0]}#0"], "first")
    with hqdata.connect(small, split.path) as connection:
        [file] = (tmp_path / "other.derived").glob("stats-*/stats.parquet")
        file.write_bytes(b"PAR1")
        query = "SELECT count(*), sum(area_px) > 0 FROM stats WHERE collection = 'small'"
        assert connection.execute(query).fetchall() == [(11, True)]
        with pytest.raises(Exception, match="corrupt file"):
            connection.execute("SELECT sum(area_px) FROM stats").fetchall()


def test_a_damaged_split_is_said_to_be_damaged(judged: Collection, tmp_path: Path) -> None:
    split = save(judged, tmp_path, [f"{judged.sample_ids[0]}#0"])
    (tmp_path / "some.ids.parquet").write_bytes(b"PAR1")
    with pytest.raises(StoreCorrupt, match=r"some\.ids\.parquet is damaged"):
        hqdata.sql("FROM samples", split.path)


def test_questions_change_nothing(judged: Collection, half: SplitView) -> None:
    before = snapshot(judged.folder.parent), snapshot(half.definition.path.parent)
    hqdata.sql("SELECT * FROM samples JOIN stats USING (collection, sample_id)", half)
    assert (snapshot(judged.folder.parent), snapshot(half.definition.path.parent)) == before


def run(*words: object) -> str:
    done = CliRunner().invoke(app, ["sql", *map(str, words)])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_command_takes_splits(judged: Collection, half: SplitView, small: SplitView) -> None:
    text = run(COUNT.format("stats"), half.definition.path, small.definition.path, judged.folder)
    assert [line.split() for line in text.splitlines()[1:4]] == [["half", "55"], ["hq", "109"], ["small", "11"]]
    assert text.splitlines()[-1] == "3 rows; SYNTHETIC: half, small, hq was drawn by hqdata"
    listed = run("--schema", half.definition.path)
    assert "splits" in listed
    assert "degraded" in listed
    with pytest.raises(UsageError, match="give a SELECT and after it the collections"):
        CliRunner().invoke(app, ["sql", str(half.definition.path), str(judged.folder)], catch_exceptions=False)


def test_the_schema_lists_splits_where_there_are_any(judged: Collection, half: SplitView) -> None:
    listed = [row["column"] for row in schema(half).to_pylist() if row["table"] == "splits"]
    assert listed == ["collection", "mask_id", "weight", "scale", "degraded", "strength"]
    assert "splits" not in {row["table"] for row in schema(judged).to_pylist()}


def test_no_question_reads_a_pixel(half: SplitView) -> None:
    body = "\n".join(
        [
            f"view = collection.split({str(half.definition.path)!r})",
            "assert hqdata.sql('FROM samples', view).num_rows == 55",
            "assert hqdata.sql('FROM samples JOIN stats USING (collection, sample_id)', view).num_rows == 55",
            "assert hqdata.sql('SUMMARIZE splits', view).num_rows == 6",
        ]
    )
    done = in_child(half.collection, body)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("alive")
