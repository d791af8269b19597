"""Which type a column gets when nothing is declared: one that gives every value back."""

import datetime as dt
import math
from decimal import Decimal

import pytest

from filebatch_worker.processors.tabular.classify import Kind, resolve

D = dt.date
T = dt.datetime


@pytest.mark.parametrize(
    ("values", "type_", "stored"),
    [
        (["1", "-2", "0"], "integer", [1, -2, 0]),
        (["9223372036854775807", "1"], "integer", [2**63 - 1, 1]),
        (["9223372036854775808", "1"], "decimal(38,0)", [Decimal(2**63), Decimal(1)]),
        (["1" * 38], "decimal(38,0)", [Decimal("1" * 38)]),
        (["1" * 39, "1"], "string", ["1" * 39, "1"]),
        (["1.5", "2", "-0.25", ".5", "5."], "float", [1.5, 2.0, -0.25, 0.5, 5.0]),
        (["1.5", "1234567890123456"], "string", ["1.5", "1234567890123456"]),
        (["0.1234567890123456789"], "string", ["0.1234567890123456789"]),
        (["0.30000000000000004", "1.50"], "float", [0.30000000000000004, 1.5]),
        (["1.5e-07", "2E+10", "1.0E5"], "float", [1.5e-07, 2e10, 1e5]),
        (["12E3", "45E1"], "string", ["12E3", "45E1"]),
        (["1.5e999"], "string", ["1.5e999"]),
        (["00123", "45678"], "string", ["00123", "45678"]),
        (["007.5"], "string", ["007.5"]),
        (["+4930123456"], "string", ["+4930123456"]),
        (["1_000"], "string", ["1_000"]),
        (["0x10"], "string", ["0x10"]),
        (["-"], "string", ["-"]),
        (["1,000"], "string", ["1,000"]),
        (["true", "False", "TRUE"], "boolean", [True, False, True]),
        (["true", "no"], "string", ["true", "no"]),
        (["NA", "1"], "string", ["NA", "1"]),
        (["inf", "nan"], "string", ["inf", "nan"]),
        (["2024-02-29", "1999-12-31"], "date", [D(2024, 2, 29), D(1999, 12, 31)]),
        (["2023-02-29"], "string", ["2023-02-29"]),
        (["2012/01/01", "2012/1/31"], "date", [D(2012, 1, 1), D(2012, 1, 31)]),
        (["31.12.2024", "1.2.2024"], "date", [D(2024, 12, 31), D(2024, 2, 1)]),
        (["01/02/2024", "03/04/2024"], "string", ["01/02/2024", "03/04/2024"]),
        (["01/02/2024", "13/04/2024"], "date", [D(2024, 2, 1), D(2024, 4, 13)]),
        (["01/02/2024", "04/13/2024"], "date", [D(2024, 1, 2), D(2024, 4, 13)]),
        (["13/04/2024", "04/13/2024"], "string", ["13/04/2024", "04/13/2024"]),
        (["Jan 1 2000", "Feb 29 2000"], "date", [D(2000, 1, 1), D(2000, 2, 29)]),
        (["01-Mar-2024"], "date", [D(2024, 3, 1)]),
        (["2024-01-01", "01.01.2024"], "string", ["2024-01-01", "01.01.2024"]),
        (["20240101"], "integer", [20240101]),
        (["2024-01-01 10:00:00", "2024-01-01T10:00"], "timestamp", [T(2024, 1, 1, 10), T(2024, 1, 1, 10)]),
        (["2024-01-01 10:00:00.123456"], "timestamp", [T(2024, 1, 1, 10, 0, 0, 123456)]),
        (["2024-01-01 10:00:00.1234567"], "string", ["2024-01-01 10:00:00.1234567"]),
        (["2024-01-01 24:00:00"], "string", ["2024-01-01 24:00:00"]),
        (["2024-01-01", "2024-01-01 10:00:00"], "string", ["2024-01-01", "2024-01-01 10:00:00"]),
        (["2024-01-01T10:00:00+02:00"], "string", ["2024-01-01T10:00:00+02:00"]),
        (["0000-01-01"], "string", ["0000-01-01"]),
        (["10:00:00"], "string", ["10:00:00"]),
    ],
)
def test_a_column_of_values(run, values, type_, stored):
    result = run("other,value\n" + "".join(f'x,"{value}"\n' for value in values))
    assert result.types["value"] == type_
    assert result.column("value") == stored


def test_an_instant_in_utc_keeps_its_zone(run):
    result = run("id,at\na,2024-01-01T10:00:00Z\nb,2024-06-01 10:00:00+00:00\n")
    assert result.types["at"] == "timestamptz"
    assert result.columns["at"] == "TIMESTAMP WITH TIME ZONE"
    assert result.profile["columns"][1]["min"] == "2024-01-01 10:00:00+00"


def test_nan_is_a_number_among_numbers(run):
    result = run("id,value\na,1.5\nb,NaN\nc,-inf\n")
    assert result.types["value"] == "float"
    assert result.column("value")[0] == 1.5
    assert math.isnan(result.column("value")[1])
    assert result.profile["columns"][1] | {"distinct": 0} == {
        "name": "value",
        "type": "float",
        "nulls": 0,
        "min": "-inf",
        "max": 1.5,
        "distinct": 0,
    }


def test_blanks_around_numbers_do_not_make_them_text(run):
    assert run("a,b\n 1 , x \n2,y\n").rows == [(1, " x "), (2, "y")]


def test_an_empty_field_is_null_and_an_empty_quoted_text_is_not(run):
    assert run('a,b\n,x\n"",y\nz,\n').rows == [(None, "x"), ("", "y"), ("z", None)]


def test_a_column_of_nothing_is_a_string_of_nulls(run):
    result = run("a,b\n1,\n2,\n")
    assert result.types == {"a": "integer", "b": "string"}
    assert result.column("b") == [None, None]


@pytest.mark.parametrize("late", ["x", "1.5", "00", ""])
def test_a_late_value_widens_the_type_of_its_column(run, late):
    rows = 60_000
    result = run("id,n\n" + "".join(f"a,{at + 1}\n" for at in range(rows)) + f"a,{late}\n")
    expected = {"x": "string", "1.5": "float", "00": "string", "": "integer"}[late]
    assert result.types["n"] == expected
    assert len(result.rows) == rows + 1
    assert str(result.column("n")[-1] or "") == late


def test_every_combination_of_two_kinds_has_a_type_that_holds_both():
    numbers = {Kind.SMALL_INTEGER, Kind.INTEGER, Kind.WIDE_INTEGER, Kind.FLOAT, Kind.NOT_FINITE}
    days = {Kind.DAY_FIRST, Kind.MONTH_FIRST, Kind.DAY_OR_MONTH}
    for one in Kind:
        for other in Kind:
            if one == other or {one, other} <= numbers or {one, other} <= days:
                continue
            assert resolve(one | other).label == "string", (one, other)
