"""Parquet: types are kept, declarations checked, damage refused."""

import datetime as dt
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

EVERY_TYPE = """
    1::BIGINT AS i, 2::UTINYINT AS u, 1.5::DOUBLE AS f, 1.5::DECIMAL(10,2) AS d, 'x' AS s, true AS b,
    DATE '2024-01-31' AS day, TIMESTAMP '2024-01-31 10:00:00' AS at, TIMESTAMPTZ '2024-01-31 10:00:00Z' AS instant,
    TIMESTAMP_NS '2024-01-31 10:00:00.123456789' AS ns, TIME '10:00:00' AS t, '\\xAA'::BLOB AS blob,
    {'x': 1, 'y': [1, 2]} AS nested, [1, 2] AS list, uuid() AS id, NULL::INTEGER AS nothing
"""


@pytest.fixture
def parquet(tmp_path):
    def parquet(select: str) -> bytes:
        path: Path = tmp_path / "made.parquet"
        with duckdb.connect() as connection:
            connection.execute(f"COPY ({select}) TO '{path}' (FORMAT parquet)")
        content = path.read_bytes()
        path.unlink()
        return content

    return parquet


def test_every_type_is_kept(run, parquet):
    result = run(parquet(f"SELECT {EVERY_TYPE} UNION ALL SELECT {EVERY_TYPE}"), "t.parquet")
    assert result.columns == {
        "i": "BIGINT",
        "u": "UTINYINT",
        "f": "DOUBLE",
        "d": "DECIMAL(10,2)",
        "s": "VARCHAR",
        "b": "BOOLEAN",
        "day": "DATE",
        "at": "TIMESTAMP",
        "instant": "TIMESTAMP WITH TIME ZONE",
        "ns": "TIMESTAMP_NS",
        "t": "TIME",
        "blob": "BLOB",
        "nested": "STRUCT(x INTEGER, y INTEGER[])",
        "list": "INTEGER[]",
        "id": "UUID",
        "nothing": "INTEGER",
    }
    assert result.types["d"] == "decimal(10,2)"
    assert result.types["u"] == "integer"
    assert result.profile["format"] == "parquet"
    assert result.profile["columns"][0] == {
        "name": "i",
        "type": "integer",
        "nulls": 0,
        "min": 1,
        "max": 1,
        "distinct": 1,
    }
    assert result.profile["columns"][13]["min"] is None


def test_a_column_may_be_declared_as_another_type_that_holds_it(run, parquet):
    content = parquet("SELECT '00123' AS id, 5.0::DOUBLE AS n, DATE '2024-01-31' AS day, '1.50' AS price")
    result = run(
        content, "t.parquet", columns={"id": "integer", "n": "integer", "day": "date", "price": "decimal(5,2)"}
    )
    assert result.rows == [(123, 5, dt.date(2024, 1, 31), Decimal("1.50"))]


def test_a_column_that_is_not_as_declared_is_refused_by_its_row(refuse, parquet):
    content = parquet("SELECT * FROM (VALUES (1.0::DOUBLE), (1.5)) AS t(n)")
    error = refuse(content, "t.parquet", columns={"n": "integer"})
    assert (error.code, error.where["row"], error.where["found"]) == ("type-mismatch", 2, "1.5")
    assert refuse(content, "t.parquet", columns={"m": "integer"}).code == "missing-column"
    assert refuse(parquet("SELECT NULL::INTEGER AS n"), "t.parquet", required=["n"]).code == "missing-value"


def test_a_table_without_rows_is_a_table(run, refuse, parquet):
    content = parquet("SELECT 1 AS a LIMIT 0")
    assert run(content, "t.parquet").rows == []
    assert refuse(content, "t.parquet", allow_empty=False).code == "empty"


@pytest.mark.parametrize("name", ['a"b', "x'y", "{v}", "?", "c0", "select"])
def test_a_name_is_never_read_as_sql(run, parquet, name):
    quoted = '"' + name.replace('"', '""') + '"'
    assert run(parquet(f"SELECT 1 AS {quoted}"), "t.parquet", required=[name], columns={name: "string"}).rows == [
        ("1",)
    ]


@pytest.mark.parametrize("kept", [4, 8, 100, -1, -8])
def test_a_file_that_is_cut_is_truncated(refuse, parquet, kept):
    assert refuse(parquet("SELECT 1 AS a")[:kept], "t.parquet").code == "truncated"


def test_a_damaged_file_is_unreadable(refuse, parquet):
    content = bytearray(parquet("SELECT range AS a FROM range(10000)"))
    content[-60:-10] = b"\xff" * 50
    assert refuse(bytes(content), "t.parquet").code == "unreadable"


def test_what_unpacks_to_too_much_is_refused_before_it_is_read(refuse, parquet):
    content = parquet("SELECT repeat(range::VARCHAR, 200) AS a FROM range(100000)")
    assert refuse(content, "t.parquet", max_uncompressed_bytes=2 * len(content)).code == "too-large"


@pytest.mark.parametrize(
    ("declared", "text", "stored"),
    [
        ("string", "'Müller'", "Müller"),
        ("date", "'2024-02-29'", dt.date(2024, 2, 29)),
        ("decimal(5,2)", "'1.5'", Decimal("1.50")),
    ],
)
def test_bytes_without_the_mark_of_text_are_text_where_that_is_declared(run, parquet, declared, text, stored):
    content = parquet(f"SELECT encode({text}) AS v UNION ALL SELECT NULL")
    result = run(content, "t.parquet", columns={"v": declared})
    assert [row[0] for row in result.rows] == [stored, None]
    assert run(content, "t.parquet").columns == {"v": "BLOB"}


def test_bytes_that_are_no_text_are_refused_by_their_row_where_text_is_declared(refuse, parquet):
    content = parquet(r"SELECT encode('ü') AS v UNION ALL SELECT NULL UNION ALL SELECT '\xFC'::BLOB")
    error = refuse(content, "t.parquet", columns={"v": "string"})
    assert (error.code, error.where["row"], error.where["column"]) == ("encoding", 3, "v")


def test_a_decimal_of_more_digits_than_can_be_kept_is_refused_and_not_rounded(refuse, parquet):
    content = parquet("SELECT 1::DECIMAL(38,0) AS n").replace(b"\x15L", b"\x15N")  # 39 digits, in both its places
    error = refuse(content, "t.parquet")
    assert (error.code, error.where["column"], error.where["found"]) == ("unsupported", "n", 39)


def test_what_only_this_engine_cannot_read_is_said_to_be_so(refuse, parquet):
    content = parquet("SELECT 1 AS n").replace(b"\x01n\x15\x02", b"\x01n\x15\x06")  # LZO instead of Snappy
    error = refuse(content, "t.parquet")
    assert error.code == "unsupported"
    assert error.summary == "this uses a part of its format that can't be read here; it may be whole"
