"""Tables in four formats, read back by libraries that we did not write."""

import csv
import datetime
import decimal
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hqdata.export.table import FORMATS, write_table

TABLE = pa.table(
    {
        "text": ["plain", 'a "b", c\nd', None, ""],
        "whole": pa.array([1, -(2**63), None, 2**63 - 1], pa.int64()),
        "real": [0.1, float("nan"), float("inf"), None],
        "words": pa.array([["a", "b"], [], None, ["ü"]], pa.list_(pa.string())),
        "yes": [True, False, None, True],
        "raw": pa.array([b"\x00\xff", b"", None, b"a"]),
        "when": pa.array([datetime.datetime(2020, 1, 2, 3), None, None, None], pa.timestamp("us")),
        "exact": pa.array([decimal.Decimal("1.50"), None, None, None], pa.decimal128(5, 2)),
    }
)


def written(kind: str, table: pa.Table = TABLE) -> bytes:
    sink = io.BytesIO()
    write_table(table, sink, kind)
    return sink.getvalue()


def test_csv():
    rows = list(csv.DictReader(io.StringIO(written("csv").decode(), newline="")))
    assert [row["text"] for row in rows] == ["plain", 'a "b", c\nd', "", ""]
    assert [row["whole"] for row in rows] == ["1", "-9223372036854775808", "", "9223372036854775807"]
    assert [row["words"] for row in rows] == ['["a", "b"]', "[]", "", '["ü"]']
    assert [row["raw"] for row in rows] == ['"00ff"', '""', "", '"61"']
    assert rows[0]["exact"] == "1.50"


def test_json():
    rows = json.loads(written("json"))
    assert rows[0] == {
        "text": "plain",
        "whole": 1,
        "real": 0.1,
        "words": ["a", "b"],
        "yes": True,
        "raw": "00ff",
        "when": "2020-01-02 03:00:00",
        "exact": "1.50",
    }
    assert [row["real"] for row in rows] == [0.1, None, None, None]
    assert rows[2]["words"] is None


def test_parquet_and_arrow_keep_everything():
    assert repr(pq.read_table(io.BytesIO(written("parquet"))).to_pylist()) == repr(TABLE.to_pylist())
    with pa.ipc.open_file(io.BytesIO(written("arrow"))) as reader:
        assert reader.read_all().schema == TABLE.schema
    polars = pytest.importorskip("polars")
    assert polars.read_ipc(io.BytesIO(written("arrow"))).shape == TABLE.shape


@pytest.mark.parametrize("kind", FORMATS)
def test_no_rows(kind):
    content = written(kind, TABLE.slice(0, 0).select(["text", "words"]))
    assert content.startswith({"csv": b'"text","words"\n', "json": b"[]\n"}.get(kind, content[:4]))
    assert len(content) > 2


def test_many_rows_of_json_are_one_document():
    rows = json.loads(written("json", pa.table({"a": list(range(10_000))})))
    assert [row["a"] for row in rows] == list(range(10_000))
