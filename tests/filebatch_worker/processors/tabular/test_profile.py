"""What a profile says of each column is what stands in the table that was written."""

import duckdb
import pytest

from filebatch_worker.processors.tabular import write


@pytest.mark.parametrize(
    "sql",
    [
        "i - 3000",
        "i * 0.1::DOUBLE",
        "CAST(i AS FLOAT) / 3",
        "CAST(i AS DECIMAL(38,2)) - 7",
        "CAST(i AS HUGEINT)",
        "CAST(i % 256 AS UTINYINT)",
        "i % 2 = 0",
        "CASE WHEN i > 4096 THEN true END",
        "DATE '0044-03-15 (BC)' + CAST(i AS INTEGER)",
        "TIMESTAMP '2026-01-01 00:00:00.123456' + to_seconds(i)",
        "TIMESTAMP_NS '2026-01-01 00:00:00.123456789' + to_seconds(i)",
        "TIMESTAMPTZ '2026-01-01 00:00:00.1+02' + to_seconds(i)",
        "TIME '10:00:00.5' + to_seconds(i % 60)",
        "'é' || chr(0) || chr(1114111) || i",
        "CASE WHEN i % 2 = 0 THEN '' ELSE ' ' END",
        "CASE WHEN i < 2048 THEN 'z' || repeat('y', 300) ELSE 'm' END",
        "CASE WHEN i < 2048 THEN 'a' || repeat('y', 20000) ELSE 'm' END",
        "CASE WHEN i < 2048 THEN repeat(chr(128512), 100) ELSE 'm' END",
        "CASE WHEN i < 2048 THEN 'nan'::DOUBLE ELSE i END",
        "CASE WHEN i % 7 = 0 THEN 'nan'::DOUBLE WHEN i % 5 = 0 THEN '-inf'::DOUBLE ELSE i END",
        "'nan'::DOUBLE",
        "CASE WHEN i >= 4096 THEN i END",
        "CAST(NULL AS VARCHAR)",
    ],
)
def test_nulls_least_and_greatest_value_are_those_of_the_table(run, monkeypatch, tmp_path, sql):
    """The engine tells them as it writes, of several groups of rows, some of which may have none to tell."""
    monkeypatch.setattr(write, "ROWS_PER_GROUP", 2048)
    path = tmp_path / "given.parquet"
    value = "CAST(x AS DOUBLE)" if "FLOAT" in sql else "x"
    numbers = f"{value}) FILTER (WHERE NOT isnan(x)" if "DOUBLE" in sql or "FLOAT" in sql else value
    least, greatest = (f"left(CAST({name}({numbers}) AS VARCHAR), 100)" for name in ("min", "max"))
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"COPY (SELECT {sql} AS x FROM range(6000) t(i)) TO '{path}'")
        expected = connection.execute(f"SELECT count(*) - count(x), {least}, {greatest} FROM '{path}'").fetchone()
    (column,) = run(path.read_bytes(), "given.parquet").profile["columns"]
    assert (column["nulls"], *map(as_text, (column["min"], column["max"]))) == expected


def as_text(value):
    """Return a value of a profile as the engine casts it to text."""
    return duckdb.execute("SELECT CAST(? AS VARCHAR)", [value]).fetchone()[0]
