"""``hqdata sql`` as a user types it."""

import csv
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from hqdata.cli.main import app
from tests.helpers import hqdata

COUNT = "SELECT source, count(*) AS n FROM samples GROUP BY ALL ORDER BY ALL"
EXPECTED = {"dis5k": 8, "duts": 32, "ecssd": 11, "fss1000": 23, "msra10k": 20, "thinobject5k": 15}


def run(*words, code=0):
    done = CliRunner().invoke(app, ["sql", *map(str, words)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done.stdout


def test_table(hqseg):
    lines = run(COUNT, hqseg.folder).splitlines()
    assert lines[0].split() == ["source", "n"]
    assert {line.split()[0]: int(line.split()[1]) for line in lines[1:7]} == EXPECTED
    assert lines[-1] == "6 rows; SYNTHETIC: hqseg was drawn by hqdata"


def test_table_of_odd_values(hqseg):
    text = run("SELECT NULL AS a, 1/3 AS b, 1234567 AS c, ['x'] AS d, '[red]' AS e, true AS f", hqseg.folder)
    assert text.splitlines()[1].split() == ["NULL", "0.333333", "1,234,567", '["x"]', "[red]", "True"]


def test_long_table_is_cut_and_says_so(hqseg):
    text = run("SELECT * FROM range(130)", hqseg.folder)
    assert "... and 30 rows more; --out FILE or --format csv gives all of them" in text
    assert text.splitlines()[-1].startswith("130 rows")


@pytest.mark.parametrize("text", ["SELECT " + "1 + " * 300 + "1 AS n", "SELECT 301 AS n -- " + "x" * 5000])
def test_a_statement_may_be_longer_than_any_path(hqseg, text):
    assert json.loads(run(text, hqseg.folder, "--json")) == [{"n": 301}]


def test_json_and_csv_are_pure(hqseg):
    rows = json.loads(run(COUNT, hqseg.folder, "--json"))
    assert {row["source"]: row["n"] for row in rows} == EXPECTED
    assert rows == json.loads(run(COUNT, hqseg.folder, "--format", "json"))
    rows = csv.DictReader(io.StringIO(run(COUNT, hqseg.folder, "--format", "csv")))
    assert {row["source"]: int(row["n"]) for row in rows} == EXPECTED


@pytest.mark.parametrize("name", ["out.csv", "out.json", "out.parquet", "out.arrow", "out.feather"])
def test_files_by_their_suffix(hqseg, tmp_path, name):
    path = tmp_path / name
    text = run(COUNT, hqseg.folder, "--out", path)
    assert text == f"6 rows written to {path}; SYNTHETIC: hqseg was drawn by hqdata\n"
    readers = {
        ".csv": lambda: [row | {"n": int(row["n"])} for row in csv.DictReader(io.StringIO(path.read_text()))],
        ".json": lambda: json.loads(path.read_text()),
        ".parquet": lambda: pq.read_table(path).to_pylist(),
    }
    rows = readers.get(path.suffix, lambda: pa.ipc.open_file(path).read_all().to_pylist())()
    assert {row["source"]: row["n"] for row in rows} == EXPECTED


def test_format_overrules_the_suffix(hqseg, tmp_path):
    run(COUNT, hqseg.folder, "--out", tmp_path / "out.txt", "--format", "json")
    assert len(json.loads((tmp_path / "out.txt").read_text())) == 6


def test_schema_with_and_without_a_collection(hqseg):
    text = run("--schema")
    for word in ("samples", "rejects", "stats", "duplicates", "leaks", "suspects", "thin_share_1024", "px^2"):
        assert word in text
    assert "rows more" not in text
    rows = json.loads(run("--schema", hqseg.folder, "--json"))
    assert {"table": "samples", "column": "width", "type": "INTEGER", "unit": "px"}.items() <= rows[4].items()


def test_attach_and_two_collections(hqseg, tmp_path):
    (tmp_path / "mine.csv").write_text(f"sample_id,score\n{hqseg.sample_ids[0]},7\n")
    sql = "SELECT collection, score FROM samples JOIN mine USING (sample_id) ORDER BY ALL"
    rows = json.loads(run(sql, hqseg.folder, hqseg.folder, "--attach", f"mine={tmp_path / 'mine.csv'}", "--json"))
    assert rows == [{"collection": "hqseg", "score": 7}, {"collection": "hqseg~2", "score": 7}]


def test_help_gives_an_example():
    text = " ".join(run("--help").split())
    assert 'Example: hqdata sql "SELECT source' in text
    assert "--json" in text


ERRORS = {
    "no collection": (["SELECT 1"], 2, 'hqdata sql "SELECT ..." DIR...'),
    "nothing": ([], 2, "give a SELECT and after it the collections"),
    "the wrong way round": (["DIR", "SELECT 1"], 2, "give a SELECT and after it the collections"),
    "no such collection": (["SELECT 1", "nowhere"], 1, "is not a finished collection"),
    "no stats": (["SELECT 1 FROM stats", "DIR"], 1, "run `hqdata stats"),
    "no audit": (["SELECT 1 FROM leaks", "DIR"], 1, " --against EVALUATION_DIR`"),
    "wrong column": (["SELECT souce FROM samples", "DIR"], 1, 'did you mean "source"?'),
    "not a SELECT": (["DROP VIEW samples", "DIR"], 1, "the statement must be a SELECT"),
    "unknown format": (["SELECT 1", "DIR", "--format", "xml"], 2, "table, csv, json, parquet, arrow"),
    "two formats": (["SELECT 1", "DIR", "--format", "csv", "--json"], 2, "leave one of them out"),
    "unknown suffix": (["SELECT 1", "DIR", "--out", "x.dat"], 2, "needs a format"),
    "binary to the terminal": (["SELECT 1", "DIR", "--format", "parquet"], 2, "name a file with --out"),
    "bad attachment": (["SELECT 1", "DIR", "--attach", "x"], 2, "NAME=FILE"),
    "too many rows": (["FROM range(99)", "DIR", "--rows", "9"], 1, "at most 9 rows"),
    "too long": (["FROM range(9999999999) WHERE range < 0", "DIR", "--seconds", "0.2"], 1, "longer than allowed"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors_have_a_code_and_a_text(hqseg, tmp_path, case):
    words, code, text = ERRORS[case]
    done = hqdata("sql", *[hqseg.folder if word == "DIR" else word for word in words], cwd=tmp_path)
    assert (done.returncode, text in done.stderr, done.stdout) == (code, True, ""), done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
