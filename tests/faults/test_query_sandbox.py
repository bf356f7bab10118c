"""Hostile and mistaken SQL: every statement is refused with a reason, and no file anywhere has changed."""

import time
from pathlib import Path

import duckdb
import pytest

import hqdata
from hqdata.analysis.sandbox import TABLE_FUNCTIONS
from hqdata.errors import QueryError, QueryRefused
from hqdata.limits import MIB, QueryLimits
from tests.helpers import hqdata as run_hqdata
from tests.helpers import snapshot

HOSTILE = [
    # writes to files
    "COPY samples TO 'DECOY/stolen.csv'",
    "COPY (SELECT * FROM samples) TO 'SHARD' (FORMAT parquet)",
    "COPY samples FROM 'DECOY/secret.csv'",
    "EXPORT DATABASE 'DECOY/all'",
    "IMPORT DATABASE 'DECOY'",
    "ATTACH 'DECOY/new.db' AS other",
    "ATTACH 'DECOY/new.db' (READ_ONLY)",
    "DETACH memory",
    "CHECKPOINT",
    "FROM force_checkpoint()",
    # reads of files
    "SELECT * FROM 'DECOY/secret.csv'",
    'SELECT * FROM "DECOY/secret.csv"',
    "SELECT * FROM read_csv('DECOY/secret.csv')",
    "SELECT * FROM read_csv_auto('DECOY/secret.csv')",
    "SELECT * FROM read_parquet('DECOY/*.parquet')",
    "SELECT * FROM parquet_scan('REJECTS')",
    "SELECT * FROM parquet_metadata('REJECTS')",
    "SELECT * FROM read_json('DECOY/secret.csv')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('SHARD')",
    "SELECT * FROM sniff_csv('DECOY/secret.csv')",
    "SELECT * FROM glob('/etc/*')",
    "SELECT (SELECT content FROM read_text('/etc/passwd')) AS text",
    "SELECT * FROM samples WHERE sample_id IN (SELECT content FROM read_text('/etc/passwd'))",
    "WITH t AS (FROM read_text('/etc/passwd')) SELECT * FROM t",
    "SELECT 1 UNION ALL SELECT 2 FROM read_text('/etc/passwd')",
    # network and extensions
    "SELECT * FROM read_csv('http://127.0.0.1:9/x.csv')",
    "SELECT * FROM 'https://127.0.0.1:9/x.parquet'",
    "SELECT * FROM 's3://bucket/x.parquet'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "LOAD 'DECOY/evil.duckdb_extension'",
    "FORCE INSTALL spatial FROM community",
    "CREATE SECRET s (TYPE s3, KEY_ID 'a', SECRET 'b')",
    "SELECT * FROM which_secret('s3://x', 's3')",
    # settings
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "SET GLOBAL memory_limit = '100GB'",
    "RESET memory_limit",
    "SET VARIABLE x = 1",
    "PRAGMA enable_profiling",
    "PRAGMA database_list",
    "CALL enable_logging('QueryLog', storage := 'file', storage_path := 'DECOY/log')",
    "SELECT * FROM enable_logging('QueryLog', storage = 'file', storage_path = 'DECOY/log')",
    "SELECT * FROM enable_profiling(save_location = 'DECOY/profile.json')",
    "SELECT write_log('x')",
    # changes of tables
    "CREATE TABLE t AS SELECT * FROM samples",
    "CREATE VIEW v AS SELECT 1",
    "CREATE MACRO f(x) AS x + 1",
    "CREATE SEQUENCE s",
    "SELECT nextval('s')",
    "DROP VIEW samples",
    "ALTER VIEW samples RENAME TO s",
    "INSERT INTO samples VALUES (1)",
    "UPDATE samples SET width = 1",
    "DELETE FROM samples",
    "TRUNCATE samples",
    "MERGE INTO samples USING rejects ON false WHEN MATCHED THEN DELETE",
    "VACUUM",
    "ANALYZE",
    "BEGIN TRANSACTION",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "WITH t AS (DELETE FROM samples RETURNING *) SELECT * FROM t",
    "WITH t AS (INSERT INTO mine VALUES (9) RETURNING *) SELECT * FROM t",
    "WITH t AS (UPDATE mine SET a = 9 RETURNING *) SELECT * FROM t",
    "WITH a AS (SELECT 1), t AS (DELETE FROM mine RETURNING *) SELECT * FROM a, t",
    # several statements, or none
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP VIEW samples",
    "SELECT 1;;DELETE FROM samples",
    "",
    "  -- nothing",
    # explanations of something else
    "EXPLAIN DELETE FROM mine",
    "EXPLAIN ANALYZE DELETE FROM mine",
    "EXPLAIN ANALYZE COPY samples TO 'DECOY/stolen.csv'",
    "EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1",
    "EXPLAIN /* x */ ANALYZE DELETE FROM mine",
    "EXPLAIN ANALYZE SELECT * FROM read_text('/etc/passwd')",
    # ways round
    "SELECT * FROM query('SELECT * FROM read_text(''/etc/passwd'')')",
    "SELECT * FROM query_table('samples')",
    "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
    "SELECT * FROM arrow_scan(1, 2, 3)",
    "SELECT * FROM pandas_scan(1)",
    "SELECT * FROM python_arrow_scan(1, 2)",
    "SELECT getenv('HOME')",
    "SELECT 'HOME'.getenv()",
    "SELECT current_setting('secret_directory')",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM duckdb_settings()",
    "PIVOT samples ON source USING count(*)",
    "SELECT * FROM " + "(SELECT * FROM " * 3000 + "samples" + ")" * 3000,
    "SELECT '" + "x" * 300_000 + "'",
    "SELECT 1 \0",
]


@pytest.fixture
def decoy(tmp_path: Path) -> Path:
    folder = tmp_path / "decoy"
    folder.mkdir()
    (folder / "secret.csv").write_text("word\nswordfish\n")
    (folder / "evil.duckdb_extension").write_bytes(b"\x7fELF")
    (folder / "schema.sql").write_text("CREATE TABLE t (a INT);")
    return folder


@pytest.fixture
def mine(tmp_path: Path) -> dict[str, Path]:
    path = tmp_path / "mine.csv"
    path.write_text("a\n1\n2\n")
    return {"mine": path}


def test_there_are_enough_of_them():
    assert len(set(HOSTILE)) == len(HOSTILE) > 31


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_hostile_statement_is_refused_and_changes_nothing(hqseg, decoy, mine, tmp_path, monkeypatch, number):
    monkeypatch.chdir(decoy)
    before = snapshot(tmp_path), snapshot(hqseg.folder)
    statement = HOSTILE[number].replace("DECOY", str(decoy)).replace("SHARD", str(hqseg.folder / "ecssd-00000.arrow"))
    with pytest.raises(QueryRefused) as refused:
        hqdata.sql(statement.replace("REJECTS", str(hqseg.folder / "rejects.parquet")), hqseg, attach=mine)
    assert "swordfish" not in str(refused.value)
    assert "to do:" in str(refused.value)
    assert len(str(refused.value)) < 1000
    assert (snapshot(tmp_path), snapshot(hqseg.folder)) == before


@pytest.mark.parametrize("statement", [text for text in HOSTILE if "DECOY" in text or "/etc/" in text])
def test_the_lock_alone_keeps_files_out(hqseg, decoy, statement):
    """The second layer without the first: an open connection runs whatever it is given."""
    before = snapshot(decoy), snapshot(hqseg.folder)
    with hqdata.connect(hqseg) as connection, pytest.raises(duckdb.Error):
        connection.execute(statement.replace("DECOY", str(decoy))).fetchall()
    assert (snapshot(decoy), snapshot(hqseg.folder)) == before


@pytest.mark.parametrize(
    "statement",
    [
        "SET enable_external_access = true",
        "SET lock_configuration = false",
        "SET memory_limit = '100GB'",
        "SET temp_directory = '/tmp'",
        "SET python_enable_replacements = true",
        "SET autoload_known_extensions = true",
        "SET threads = 64",
        "PRAGMA enable_profiling",
        "RESET ALL",
        "INSTALL httpfs",
        "LOAD httpfs",
    ],
)
def test_nothing_reopens_an_open_connection(hqseg, statement):
    with hqdata.connect(hqseg) as connection:
        with pytest.raises(duckdb.Error):
            connection.execute(statement)
        with pytest.raises(duckdb.Error):
            connection.execute("SELECT * FROM read_text('/etc/passwd')")


def test_a_connection_may_make_things_in_its_memory(hqseg):
    with hqdata.connect(hqseg) as connection:
        connection.execute("CREATE TABLE wide AS SELECT * FROM samples WHERE width > 600")
        [[count]] = connection.execute("SELECT count(*) FROM wide").fetchall()
    assert count > 0


def test_python_variables_are_not_tables(hqseg):
    import pyarrow as pa

    loose = pa.table({"a": [1]})
    with pytest.raises(QueryError, match='no table "loose"'):
        hqdata.sql("SELECT * FROM loose", hqseg)
    with hqdata.connect(hqseg) as connection, pytest.raises(duckdb.CatalogException):
        connection.execute("SELECT * FROM loose")
    assert loose.num_rows == 1


def test_every_table_function_let_through_exists_and_harmless_ones_work(hqseg):
    known = {name for (name,) in duckdb.connect().execute("SELECT function_name FROM duckdb_functions()").fetchall()}
    assert known >= TABLE_FUNCTIONS
    table = hqdata.sql("SELECT sum(range) AS s FROM range(10), (SELECT unnest([1, 2]) AS u)", hqseg)
    assert table.to_pylist() == [{"s": 90}]


HARMLESS = {
    "FROM samples LIMIT 1": 1,
    "WITH RECURSIVE t(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM t WHERE a < 5) SELECT * FROM t": 5,
    "WITH a AS MATERIALIZED (SELECT 1) SELECT * FROM a": 1,
    "(SELECT 1) UNION ALL (SELECT 2) ORDER BY 1": 2,
    "SELECT 1 INTERSECT SELECT 1": 1,
    "VALUES (1), (2)": 2,
    "TABLE rejects LIMIT 2": 2,
    "FROM (SHOW TABLES) WHERE name IN ('samples', 'rejects')": 2,
    "DESCRIBE samples": 12,
    "SUMMARIZE SELECT width FROM samples": 1,
    "EXPLAIN SELECT * FROM samples": 1,
    "explain analyze select count(*) from samples": 1,
    "EXPLAIN (FORMAT json) SELECT 1": 1,
    "PIVOT (SELECT source, width FROM samples) ON source IN ('duts', 'ecssd') USING avg(width)": 1,
    "SELECT * FROM samples QUALIFY row_number() OVER (PARTITION BY source ORDER BY width DESC) = 1": 6,
    "SELECT source, (SELECT count(*) FROM rejects r WHERE r.source = s.source) FROM samples s GROUP BY 1": 6,
    "SELECT 'DELETE FROM samples; DROP TABLE x' AS text": 1,
    "SELECT 1;": 1,
    "/* a */ SELECT 1 -- b": 1,
}


@pytest.mark.parametrize("statement", HARMLESS)
def test_questions_of_every_form_are_let_through(hqseg, statement):
    assert hqdata.sql(statement, hqseg).num_rows == HARMLESS[statement]


def test_too_much_memory_is_an_error_and_no_crash(hqseg):
    limits = QueryLimits(memory_bytes=300 * MIB)
    with pytest.raises(QueryError, match="needs more memory than allowed\n  expected: at most 315 MB"):
        hqdata.sql("SELECT count(*) FROM (SELECT range r FROM range(100000000) ORDER BY hash(r))", hqseg, limits=limits)
    assert hqdata.sql("SELECT 1 AS a", hqseg, limits=limits).to_pylist() == [{"a": 1}]


def test_nothing_is_spilled_to_disk(hqseg, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(QueryError):
        hqdata.sql(
            "SELECT range FROM range(50000000) ORDER BY hash(range)", hqseg, limits=QueryLimits(memory_bytes=64 * MIB)
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT count(*) FROM range(1000000000) a, range(100000) b WHERE a.range * b.range = 7",
        "SELECT * FROM range(1000000000) a, range(100000) b WHERE a.range * b.range = -7",
        "WITH RECURSIVE t(a) AS (SELECT 1 UNION ALL SELECT a % 7 + 1 FROM t) SELECT count(*) FROM t",
    ],
)
def test_a_query_that_does_not_end_is_stopped(hqseg, statement):
    start = time.monotonic()
    with pytest.raises(QueryError, match="takes longer than allowed\n  expected: at most 1 s"):
        hqdata.sql(statement, hqseg, limits=QueryLimits(seconds=1.0))
    assert 0.9 < time.monotonic() - start < 30


def test_a_result_too_large_is_dropped_and_never_held(hqseg):
    with pytest.raises(QueryError, match="at most 1,000 rows") as large:
        hqdata.sql("SELECT * FROM range(10000000000)", hqseg, limits=QueryLimits(rows=1000))
    assert "LIMIT" in str(large.value)
    assert hqdata.sql("SELECT * FROM range(1000)", hqseg, limits=QueryLimits(rows=1000)).num_rows == 1000
    with pytest.raises(QueryError, match="and 8 MB"):
        hqdata.sql("SELECT * FROM range(10000000000)", hqseg, limits=QueryLimits(result_bytes=8_000_000))


def test_a_refusal_on_the_command_line(hqseg, decoy):
    done = run_hqdata("sql", f"COPY samples TO '{decoy}/out.csv'", hqseg.folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("hqdata: the statement must be a SELECT\n  got:      COPY\n")
    assert sorted(path.name for path in decoy.iterdir()) == ["evil.duckdb_extension", "schema.sql", "secret.csv"]


def test_the_settings_are_what_the_page_says(hqseg):
    with hqdata.connect(hqseg, limits=QueryLimits(memory_bytes=128 * MIB, threads=1)) as connection:
        rows = dict(connection.execute("SELECT name, value FROM duckdb_settings()").fetchall())
    wanted = {
        "enable_external_access": "false",
        "lock_configuration": "true",
        "temp_directory": "",
        "threads": "1",
        "memory_limit": "128.0 MiB",
        "python_enable_replacements": "false",
        "autoload_known_extensions": "false",
        "autoinstall_known_extensions": "false",
    }
    assert {name: rows[name] for name in wanted} == wanted


def test_duckdb_is_opened_in_one_module_only():
    root = Path(hqdata.__file__).parents[1]
    files = [path for name in ("hqdata", "pipelines", "training") for path in (root / name).rglob("*.py")]
    assert [path.name for path in files if "duckdb.connect(" in path.read_text()] == ["query.py"]
