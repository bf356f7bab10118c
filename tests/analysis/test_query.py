"""SQL over collections: what the tables hold, that no pixel is read, names, attachments, limits of what is said."""

import shutil
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import hqdata
from hqdata.analysis.findings import SCHEMAS, publish_findings
from hqdata.analysis.query import schema
from hqdata.analysis.stats import compute_stats
from hqdata.analysis.stats_table import STATS_SCHEMA
from hqdata.analysis.tables import MEANINGS, PIXEL_COLUMNS, open_tables
from hqdata.errors import QueryError, StoreCorrupt, UsageError
from hqdata.fsio.digest import sha256_file
from hqdata.schema import REJECT_SCHEMA, SAMPLE_SCHEMA


@pytest.fixture(scope="module")
def measured(hqseg, tmp_path_factory):
    """A copy with statistics."""
    copy = shutil.copytree(hqseg.folder, tmp_path_factory.mktemp("measured") / "hqseg")
    compute_stats(hqdata.open(copy))
    return hqdata.open(copy)


@pytest.fixture(scope="module")
def bare(hqseg, tmp_path_factory):
    """A copy without statistics, under the same folder name."""
    return hqdata.open(shutil.copytree(hqseg.folder, tmp_path_factory.mktemp("bare") / "hqseg"))


def one(sql, *collections, **options):
    [row] = hqdata.sql(sql, *collections, **options).to_pylist()
    return next(iter(row.values())) if len(row) == 1 else row


def test_samples_are_the_collection_without_pixels(hqseg):
    table = hqdata.sql("SELECT * FROM samples", hqseg)
    names = [name for name in SAMPLE_SCHEMA.names if name not in PIXEL_COLUMNS]
    assert table.column_names == ["collection", *names, "tar"]
    assert table.select(names).to_pylist() == hqseg.table.select(names).to_pylist()
    assert set(table.column("collection").to_pylist()) == {hqseg.folder.name}
    assert set(table.column("tar").to_pylist()) == {None}


def test_rejects_are_the_collections(hqseg):
    table = hqdata.sql("SELECT * EXCLUDE (collection) FROM rejects", hqseg)
    assert table.to_pylist() == hqseg.rejects.to_pylist()


def test_stats_are_the_files(measured):
    table = hqdata.sql("SELECT * EXCLUDE (collection) FROM stats", measured)
    assert table.equals(measured.stats.cast(table.schema))
    assert one("SELECT count(*) FROM samples JOIN stats USING (collection, sample_id)", measured) == 109


PIXELS = """
import ctypes, mmap, sys
import hqdata
from hqdata.analysis.tables import open_tables

collection = hqdata.open(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
page = mmap.PAGESIZE
hidden = 0
for name in ("image", "mask"):
    for chunk in collection.table.column(name).chunks:
        data = chunk.field("bytes").buffers()[2]
        start = -(-data.address // page) * page
        size = (data.address + data.size) // page * page - start
        if size > 0:
            assert libc.mprotect(ctypes.c_void_p(start), ctypes.c_size_t(size), 0) == 0
            hidden += size
assert hidden > 1_000_000, hidden
{body}
print("alive", hidden)
"""


def in_child(collection, body):
    """Run code in a process in which reading any whole page of encoded pixels is a segmentation fault."""
    code = PIXELS.format(body=body)
    words = [sys.executable, "-c", code, str(collection.folder)]
    return subprocess.run(words, check=False, capture_output=True, text=True)


def test_no_query_reads_a_pixel(measured):
    body = "\n".join(
        [
            "assert hqdata.sql('SELECT * FROM samples', collection).num_rows == 109",
            "assert hqdata.sql('SUMMARIZE samples', collection).num_rows == 12",
            "hqdata.sql('SELECT source, avg(width), max(len(flags)) FROM samples GROUP BY ALL', collection)",
            "hqdata.sql('SELECT * FROM samples JOIN stats USING (collection, sample_id)', collection)",
        ]
    )
    done = in_child(measured, body)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("alive")


def test_the_test_above_would_see_it(measured):
    assert in_child(measured, "collection[0].image").returncode == -11


def test_opening_reads_next_to_nothing(hqseg):
    before = pa.total_allocated_bytes()
    tables = open_tables([hqseg])
    assert pa.total_allocated_bytes() - before < 200_000
    assert set(tables.datasets) >= {"samples", "rejects"}


def test_a_query_by_collection_opens_only_its_file(measured, tmp_path):
    other = hqdata.open(shutil.copytree(measured.folder, tmp_path / "other"))
    shutil.copytree(f"{measured.folder}.derived", tmp_path / "other.derived")
    with hqdata.connect(measured, other) as connection:
        [file] = (tmp_path / "other.derived").glob("stats-*/stats.parquet")
        file.write_bytes(b"PAR1")
        query = "SELECT count(*), sum(area_px) > 0 FROM stats WHERE collection = 'hqseg'"
        assert connection.execute(query).fetchall() == [(109, True)]
        with pytest.raises(Exception, match="corrupt file"):
            connection.execute("SELECT sum(area_px) FROM stats").fetchall()


def test_a_damaged_file_is_said_to_be_damaged(measured, tmp_path):
    copy = hqdata.open(shutil.copytree(measured.folder, tmp_path / "copy"))
    content = bytearray((copy.folder / "rejects.parquet").read_bytes())
    content[60] ^= 4
    (copy.folder / "rejects.parquet").write_bytes(content)
    with pytest.raises(QueryError, match="the file of a table cannot be read") as error:
        hqdata.sql("SELECT * FROM rejects", copy)
    assert "hqdata verify DIR" in str(error.value)


def test_collections_are_told_apart(measured, bare, tmp_path):
    third = shutil.copytree(bare.folder, tmp_path / "third")
    table = hqdata.sql("SELECT collection, count(*) AS n FROM samples GROUP BY ALL ORDER BY ALL", measured, bare, third)
    assert table.to_pylist() == [{"collection": name, "n": 109} for name in ("hqseg", "hqseg~2", "third")]
    lost = "SELECT collection, count(*) AS n FROM rejects GROUP BY ALL ORDER BY ALL"
    assert hqdata.sql(lost, measured, str(third)).to_pylist() == [
        {"collection": "hqseg", "n": 8},
        {"collection": "third", "n": 8},
    ]
    both = "SELECT count(*) FROM samples a JOIN samples b USING (sample_id) WHERE a.collection < b.collection"
    assert one(both, measured, bare) == 109


def test_the_folder_gives_the_name_however_it_is_written(bare, monkeypatch):
    monkeypatch.chdir(bare.folder)
    assert one("SELECT DISTINCT collection FROM samples", ".") == "hqseg"


def test_a_collection_without_statistics_hides_the_table_and_says_so(measured, bare):
    assert one("SELECT count(*) FROM stats", measured) == 109
    for given in ([bare], [measured, bare]):
        with pytest.raises(QueryError, match="there is no table stats yet") as error:
            hqdata.sql("SELECT count(*) FROM stats", *given)
        assert f"hqdata stats {bare.folder}" in str(error.value)
        assert f"hqdata stats {measured.folder}`" not in str(error.value)


WRONG = {
    "SELECT souce FROM samples": ('no column "souce" in samples', 'did you mean "source"?'),
    "SELECT s.heigth FROM samples s": ('no column "heigth" in samples', 'did you mean "height"?'),
    "SELECT samples.widht FROM samples": ('no column "widht"', 'did you mean "width"?'),
    "SELECT count(*) FROM samples WHERE flagz = 1": ('no column "flagz"', 'did you mean "flags"?'),
    "SELECT member FROM samples": ('no column "member"', '"member" is a column of rejects'),
    "SELECT thin_share FROM stats": ('no column "thin_share" in stats', 'did you mean "thin_share_'),
    "SELECT * FROM sample": ('no table "sample"', 'did you mean "samples"?'),
    "SELECT * FROM reject": ('no table "reject"', 'did you mean "rejects"?'),
    "SELECT * FROM quite_another": ('no table "quite_another"', "one of: rejects, samples, stats"),
    "SELEC 1": ("this is no SQL that can be read", 'at or near "SELEC"'),
    "SELECT foo(1)": ("cannot be answered", "foo"),
    "SELECT width + source FROM samples": ("cannot be answered", "+(INTEGER, VARCHAR)"),
    "SELECT 'x'::INT": ("cannot be answered", "Could not convert string 'x'"),
    "SELECT ?": ("cannot be answered", "param"),
    "SELECT error('[bold]no')": ("cannot be answered", "[bold]no"),
}


@pytest.mark.parametrize("sql", WRONG)
def test_a_mistake_is_named_with_its_cure(measured, sql):
    with pytest.raises(QueryError) as error:
        hqdata.sql(sql, measured)
    for text in WRONG[sql]:
        assert text.lower() in str(error.value).lower()


def test_no_collection(tmp_path):
    with pytest.raises(UsageError, match="no collection to query"):
        hqdata.sql("SELECT 1")
    with pytest.raises(StoreCorrupt, match="is not a finished collection"):
        hqdata.sql("SELECT 1", tmp_path)


def test_own_tables_are_joined(hqseg, tmp_path):
    ids = hqseg.sample_ids[:3]
    rows = "".join(f'"{name}",{number}\n' for number, name in enumerate(ids))
    (tmp_path / "scores.csv").write_text("sample_id,score\n" + rows)
    (tmp_path / "odd [1].tsv").write_text("a\tb\n1\t\n")
    pq.write_table(pa.table({"sample_id": ids, "weight": [0.5, 0.25, 0.25]}), tmp_path / "w.parquet")
    attach = {"scores": tmp_path / "scores.csv", "w": str(tmp_path / "w.parquet"), "odd": tmp_path / "odd [1].tsv"}
    sql = "SELECT sum(score) AS score, sum(weight) AS weight FROM samples JOIN scores USING (sample_id) "
    sql += "JOIN w USING (sample_id)"
    assert one(sql, hqseg, attach=attach) == {"score": 3, "weight": 1.0}
    assert one("SELECT * FROM odd", hqseg, attach=attach) == {"a": 1, "b": None}


@pytest.mark.parametrize(
    ("name", "file", "error", "text"),
    [
        ("samples", "x.csv", UsageError, "cannot be attached as 'samples'"),
        ("STATS", "x.csv", UsageError, "cannot be attached as 'STATS'"),
        ("a b", "x.csv", UsageError, "choose another NAME"),
        ('x"; DROP VIEW samples; --', "x.csv", UsageError, "choose another NAME"),
        ("x", "x.xlsx", UsageError, "a .csv, .tsv or .parquet file"),
        ("x", "none.csv", QueryError, "no such file"),
        ("x", "bad.parquet", QueryError, "cannot be read as parquet"),
        ("x", "bad.csv", QueryError, "cannot be read as csv"),
    ],
)
def test_what_cannot_be_attached(hqseg, tmp_path, name, file, error, text):
    (tmp_path / "x.csv").write_text("a\n1\n")
    (tmp_path / "bad.parquet").write_text("a\n1\n")
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n1,2,3\n")
    with pytest.raises(error) as caught:
        hqdata.sql("SELECT 1", hqseg, attach={name: tmp_path / file})
    assert text in str(caught.value)


def test_whole_numbers_stay_whole_and_names_differ(hqseg):
    table = hqdata.sql("SELECT sum(width) AS s, 1 AS a, 2 AS a, sum(9223372036854775807) AS big FROM samples", hqseg)
    assert table.schema.field("s").type == pa.int64()
    assert table.schema.field("big").type == pa.decimal128(38, 0)
    assert table.column_names == ["s", "a", "a_2", "big"]


def test_an_answer_goes_on_to_pandas(hqseg):
    frame = hqdata.sql("SELECT source, count(*) AS n FROM samples GROUP BY ALL ORDER BY ALL", hqseg).to_pandas()
    assert dict(zip(frame.source, frame.n, strict=True))["fss1000"] == 23


def test_an_answer_goes_on_to_polars(hqseg):
    polars = pytest.importorskip("polars")
    frame = polars.from_arrow(hqdata.sql("SELECT sample_id, flags FROM samples", hqseg))
    assert frame.shape == (109, 2)


def test_an_answer_without_rows_has_columns(hqseg):
    table = hqdata.sql("SELECT source, width FROM samples WHERE false", hqseg)
    assert (table.num_rows, table.column_names) == (0, ["source", "width"])


def test_a_connection_is_the_users_to_ask(hqseg):
    with hqdata.connect(hqseg) as connection:
        assert connection.sql("SELECT count(*) FROM samples").fetchall() == [(109,)]
        assert connection.execute("SELECT count(*) FROM samples WHERE source = ?", ["ecssd"]).fetchall() == [(11,)]


@pytest.fixture(scope="module")
def judged(measured, tmp_path_factory):
    """A copy with findings that are made up: leaks from two evaluation collections, from one of them twice."""
    made = hqdata.open(shutil.copytree(measured.folder, tmp_path_factory.mktemp("judged") / "judged"))
    relation = dict.fromkeys(SCHEMAS["duplicates"].names) | {"level": "pair", "changes": ["mirrored"], "group": 1}
    ids = [f"{name}#0" for name in made.sample_ids]
    publish_findings(made, "duplicates", 1, {}, [relation | {"mask_id": ids[0], "other_mask_id": ids[1]}])
    for version, name, masks in ((1, "coift", ids[:1]), (2, "coift", ids[2:5]), (1, "hrsod", ids[5:7])):
        against = {"against": name, "against_digest": name * 2}
        publish_findings(made, "leaks", version, against, [relation | against | {"mask_id": mask} for mask in masks])
    return made


def test_findings_are_tables_once_there_is_an_audit(judged):
    assert one("SELECT changes FROM duplicates WHERE level = 'pair'", judged) == ["mirrored"]
    table = hqdata.sql("SELECT * EXCLUDE (collection) FROM leaks", judged)
    assert table.column_names == SCHEMAS["leaks"].names


def test_leaks_of_every_evaluation_are_there_the_newest_of_each(judged):
    rows = hqdata.sql("SELECT against, count(*) AS n FROM leaks GROUP BY ALL ORDER BY ALL", judged).to_pylist()
    assert rows == [{"against": "coift", "n": 3}, {"against": "hrsod", "n": 2}]


def test_before_an_audit_each_table_names_the_command(judged, measured):
    commands = {
        "duplicates": "hqdata audit {}",
        "leaks": "hqdata audit {} --against EVALUATION_DIR",
        "suspects": "hqdata audit {}",
    }
    for kind, command in commands.items():
        with pytest.raises(QueryError, match=f"there is no table {kind} yet") as error:
            hqdata.sql(f"FROM {kind}", judged, measured)
        asked = str(error.value)
        assert f"run `{command.format(measured.folder)}`" in asked
        assert (f"run `{command.format(judged.folder)}`" in asked) is (kind == "suspects")


@pytest.mark.parametrize(
    ("sql", "advice"),
    [
        ("SELECT levl FROM duplicates", 'did you mean "level"?'),
        ("SELECT mask_ids FROM leaks", 'did you mean "mask_id"?'),
        ("SELECT against_digst FROM leaks", 'did you mean "against_digest"?'),
        ("SELECT against FROM duplicates", '"against" is a column of leaks'),
        ("SELECT 1 FROM duplicate", 'did you mean "duplicates"?'),
    ],
)
def test_a_mistake_about_findings_is_named_with_its_cure(judged, sql, advice):
    with pytest.raises(QueryError) as error:
        hqdata.sql(sql, judged)
    assert advice in str(error.value)


def test_every_column_is_documented_and_nothing_else(measured):
    rows = schema(measured).to_pylist()
    every = schema().to_pylist()
    listed = {name: [row["column"] for row in every if row["table"] == name] for name in MEANINGS}
    assert listed == {name: list(meanings) for name, meanings in MEANINGS.items()}
    assert [name for name in SAMPLE_SCHEMA.names if name not in PIXEL_COLUMNS] == listed["samples"][1:-1]
    assert listed["samples"][-1] == "tar"
    assert listed["rejects"][1:] == REJECT_SCHEMA.names
    assert listed["stats"][1:] == STATS_SCHEMA.names
    assert [listed[kind][1:] for kind in SCHEMAS] == [fields.names for fields in SCHEMAS.values()]
    assert all(row["meaning"] and row["type"] for row in every)
    assert rows == [row for row in every if row["table"] in {"samples", "rejects", "stats"}]
    assert {row["column"]: row["unit"] for row in rows if row["table"] == "samples"}["width"] == "px"


def test_the_collection_is_not_changed_by_questions(measured):
    before = {path: sha256_file(path) for path in measured.folder.parent.rglob("*") if path.is_file()}
    hqdata.sql("SELECT * FROM samples JOIN stats USING (collection, sample_id)", measured)
    assert {path: sha256_file(path) for path in measured.folder.parent.rglob("*") if path.is_file()} == before
