"""The bars of a profile: how a column's numbers and dates spread."""

from datetime import date, timedelta

import duckdb
import pytest

from filebatch_worker.processors.tabular import histogram

MANY = 100_000


@pytest.fixture
def counted(monkeypatch):
    """Each row is counted of a table that is as small as those of most tests here."""
    monkeypatch.setattr(histogram, "LEAST_ROWS", 100)
    monkeypatch.setattr(histogram, "MOST_ROWS", 1_000)


def bars(result, name="x"):
    (found,) = [column.get("histogram") for column in result.profile["columns"] if column["name"] == name]
    return found


def table(values, name="x"):
    return f"id,{name}\n" + "".join(f"{at},{value}\n" for at, value in enumerate(values))


@pytest.mark.parametrize(
    "values",
    [
        range(-50, 150),
        [f"{number / 4}" for number in range(200)],
        [date(2026, 1, 1) + timedelta(days=number) for number in range(200)],
        [f"2026-01-01 00:{number // 60:02}:{number % 60:02}" for number in range(200)],
    ],
    ids=["integers", "floats", "dates", "timestamps"],
)
def test_values_that_spread_evenly_have_equal_bars(counted, run, values):
    assert bars(run(table(values))) == [20] * 10


def test_decimals_are_counted_as_they_are_declared(counted, run):
    found = run(table([f"{number}.50" for number in range(200)]), columns={"id": "integer", "x": "decimal(9,2)"})
    assert bars(found) == [20] * 10


def test_moments_with_a_zone_are_counted(counted, run):
    moments = [f"2026-01-01T00:{number // 60:02}:{number % 60:02}+02:00" for number in range(200)]
    assert bars(run(table(moments), columns={"id": "integer", "x": "timestamptz"})) == [20] * 10


def test_each_value_is_in_one_bar_and_the_greatest_in_the_last(counted, run):
    assert bars(run(table([0] * 150 + [10] * 49 + [9.99]))) == [150, 0, 0, 0, 0, 0, 0, 0, 0, 50]


def test_a_value_beyond_the_rounded_ends_is_counted_in_the_last_bar(counted, run, tmp_path):
    path = tmp_path / "rounded.parquet"
    sql = "make_timestamp(253000000000004989 - 60 * (i % 2))"  # microseconds of the year 9987, too many for a double
    duckdb.execute(f"COPY (SELECT {sql} AS x FROM range(120) t(i)) TO '{path}'")
    assert bars(run(path.read_bytes(), "rounded.parquet")) == [60, *[0] * 8, 60]


def test_what_is_no_value_is_not_counted(counted, run):
    assert bars(run(table(["", "nan", *(number / 2 for number in range(200))]))) == [20] * 10


def test_a_table_of_few_rows_has_none(run):
    assert bars(run(table(range(999)))) is None
    assert bars(run(table(range(1000)))) == [50] * 10  # every other row is counted


@pytest.mark.parametrize(
    "values",
    [["7"] * 200, [""] * 200, ["a", "b"] * 100, ["true", "false"] * 100, ["inf", *["1.5"] * 199], ["nan"] * 200],
    ids=["one value", "no value", "text", "booleans", "infinity", "no number"],
)
def test_a_column_with_nothing_to_show_has_none(counted, run, values):
    assert bars(run(table(values))) is None


def test_of_a_large_table_a_part_is_counted_that_has_all_of_a_sorted_one(run):
    found = bars(run(table(range(MANY))))
    assert 256 < sum(found) <= 512
    assert max(found) - min(found) <= 1


def test_a_column_that_has_no_value_in_the_rows_that_are_counted_has_none(run):
    values = [""] * 1000
    values[1], values[3] = "5", "7"
    assert bars(run(table(values))) is None
    values[2] = "6"
    assert sum(bars(run(table(values)))) == 1


def test_long_numbers_that_are_near_to_each_other_are_told_apart(counted, run):
    assert bars(run(table(range(9 * 10**17, 9 * 10**17 + 200)))) == [20] * 10


def test_a_column_that_is_called_as_the_engine_calls_a_rows_place_is_a_column(run):
    found = run(table(["x"] * MANY, name="File_Row_Number"))
    assert found.processed.rows == MANY
    assert bars(found, "id") is None


@pytest.mark.parametrize(
    "sql",
    [
        "DATE '2026-01-01' + CAST(i AS INTEGER)",
        "TIMESTAMP_NS '2026-01-01 00:00:00.123456789' + to_days(CAST(i AS INTEGER))",
        "CAST(i AS UBIGINT)",
        "CAST(i AS FLOAT)",
        "CAST(i AS DECIMAL(38,0))",
    ],
)
def test_types_that_only_parquet_has_are_counted_too(counted, run, tmp_path, sql):
    path = tmp_path / "typed.parquet"
    duckdb.execute(f"COPY (SELECT {sql} AS x FROM range(200) t(i)) TO '{path}'")
    assert bars(run(path.read_bytes(), "typed.parquet")) == [20] * 10


@pytest.mark.parametrize(
    "odd",
    [
        "DATE 'infinity'",
        "TIMESTAMP '-infinity'",
        "DATE '0044-03-15 (BC)'",
        "DATE '10000-01-01'",
        "CAST(1.7e308 AS DOUBLE)",
        "CAST(5e-324 AS DOUBLE)",
    ],
)
def test_odd_ends_of_a_range_keep_no_file_from_its_profile(counted, run, tmp_path, odd):
    """Some have bars and some don't: whoever can't be shown has none, and the file SUCCEEDED."""
    path = tmp_path / "odd.parquet"
    usual = "DATE '2026-01-01'" if "DATE" in odd else "TIMESTAMP '2026-01-01'" if "TIME" in odd else f"-{odd}"
    duckdb.execute(f"COPY (SELECT CASE WHEN i = 7 THEN {odd} ELSE {usual} END AS x FROM range(200) t(i)) TO '{path}'")
    found = run(path.read_bytes(), "odd.parquet")
    assert bars(found) in (None, [199, *[0] * 8, 1])
