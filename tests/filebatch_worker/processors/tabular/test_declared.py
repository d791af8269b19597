"""What a feed declares about its table, and what happens to a file that doesn't keep to it."""

import datetime as dt
from decimal import Decimal

import pytest

from filebatch_worker.processor import ConfigurationError
from filebatch_worker.processors.tabular import check_options


@pytest.mark.parametrize(
    ("declared", "text", "stored"),
    [
        ("string", "00123", "00123"),
        ("integer", "00123", 123),
        ("integer", "+5", 5),
        ("integer", "5.00", 5),
        ("float", "1e3", 1000.0),
        ("float", "5", 5.0),
        ("decimal(10,2)", "1.50", Decimal("1.50")),
        ("decimal(10,2)", "1.5000", Decimal("1.50")),
        ("decimal(5, 0)", "12345", Decimal(12345)),
        ("boolean", "yes", True),
        ("boolean", "0", False),
        ("date", "2012/01/31", dt.date(2012, 1, 31)),
        ("date", "2012-01-31", dt.date(2012, 1, 31)),
        ("date(%d.%m.%Y)", "31.01.2012", dt.date(2012, 1, 31)),
        ("date(%m/%d/%Y)", "01/02/2012", dt.date(2012, 1, 2)),
        ("timestamp", "2012-01-31T10:11", dt.datetime.fromisoformat("2012-01-31 10:11")),
        ("timestamp(%d.%m.%Y %H:%M)", "31.01.2012 10:11", dt.datetime.fromisoformat("2012-01-31 10:11")),
    ],
)
def test_a_value_is_stored_as_declared(run, declared, text, stored):
    assert run(f"id,value\na,{text}\nb,\n", columns={"value": declared}).column("value") == [stored, None]


@pytest.mark.parametrize(
    ("declared", "text"),
    [
        ("integer", "1.5"),
        ("integer", "1e3"),
        ("integer", "0x10"),
        ("integer", "1_000"),
        ("integer", "9223372036854775808"),
        ("float", "1,5"),
        ("float", "1e999"),
        ("float", "n/a"),
        ("decimal(5,2)", "1.239"),
        ("decimal(5,2)", "12345.00"),
        ("boolean", "2"),
        ("date", "31.01.2012"),
        ("date", "2012-02-30"),
        ("date", "2012-01-31 10:00:00"),
        ("date(%d.%m.%Y)", "2012-01-31"),
        ("timestamp", "2012-01-31"),
        ("timestamp", "2012-01-31 10:00:00Z"),
        ("timestamp", "2012-01-31 24:00:00"),
        ("timestamptz", "2012-01-31 10:00:00"),
    ],
)
def test_a_value_that_is_not_as_declared_is_refused_by_place(refuse, declared, text):
    error = refuse(f'id,value\n"a\nb",\nb,"{text}"\nc,x\n', columns={"id": "string", "value": declared})
    assert error.code == "type-mismatch"
    expected = declared.replace(" ", "")
    place = {"line": 4, "column": "value", "expected": expected, "found": text, "bad_rows": 2}
    assert error.where == place
    assert error.message.startswith("line 4, column 'value': expected")
    assert "2 bad rows in all" in error.message
    shape = f"found text of {len(text)} character{'s' if len(text) > 1 else ''}"
    assert error.summary == f"line 4, column 'value': expected {expected}, {shape}; 2 bad rows in all, 0 allowed"
    assert error.message == f"{error.summary}: {text!r}"


@pytest.mark.parametrize(
    ("text", "seen"),
    [("x" * 200, "text of 200 characters"), ("x" * 201, "text of more than 200 characters")],
)
def test_of_a_long_value_the_beginning_is_kept_for_quarantine(refuse, text, seen):
    error = refuse(f"id,value\na,{text}\n", columns={"value": "integer"})
    assert error.summary == f"line 2, column 'value': expected integer, found {seen}"
    assert error.where["found"] == "x" * 200


def test_an_instant_is_stored_in_utc(run):
    result = run("at\n2012-01-31T10:00:00+02:00\n2012-01-31 10:00:00Z\n", columns={"at": "timestamptz"})
    assert result.profile["columns"][0]["min"] == "2012-01-31 08:00:00+00"


def test_a_missing_column_is_named_with_those_there_are(refuse):
    error = refuse("a,b\n1,2\n", columns={"price": "float"})
    assert (error.code, error.where["column"], error.where["found"]) == ("missing-column", "price", ["a", "b"])
    assert error.summary == "there is no column 'price' among the file's 2"
    assert error.message == f"{error.summary}: 'a', 'b'"


def test_a_missing_required_column_is_refused_too(refuse):
    assert refuse("a,b\n1,2\n", required=["c"]).code == "missing-column"


@pytest.mark.parametrize("empty", ["", '""', "   "])
def test_a_required_value_that_is_missing_is_refused_by_place(refuse, empty):
    error = refuse(f"a,b\n1,x\n{empty},y\n", required=["a"])
    assert (error.code, error.where["line"], error.where["column"]) == ("missing-value", 3, "a")
    assert error.summary == error.message == "line 3, column 'a': expected a value, found nothing"


def test_columns_that_are_not_declared_are_kept_with_the_type_they_have(run):
    assert run("a,b\n1,2\n", columns={"a": "string"}).types == {"a": "string", "b": "integer"}


def test_columns_that_are_not_declared_are_refused_where_the_feed_says_so(refuse):
    error = refuse("a,b\n1,2\n", columns={"a": "string"}, extra_columns="error")
    assert (error.code, error.where["column"]) == ("extra-column", "b")
    assert error.summary == "column 2 is none of those declared: 'a'"
    assert error.message == f"{error.summary}: 'b'"


def test_a_declared_column_may_not_occur_twice(refuse):
    assert refuse("a,a\n1,2\n", columns={"a": "integer"}).code == "duplicate-column"


def test_declared_columns_name_those_of_a_file_without_header(run):
    result = run("1;x\n2;y\n", header=False, columns={"id": "integer", "name": "string"})
    assert (result.types, result.rows) == ({"id": "integer", "name": "string"}, [(1, "x"), (2, "y")])


def test_a_decimal_comma_is_read_where_it_is_declared(run):
    content = "id;price;grouped;day\na;1,5;1.234,5;31.01.2012\nb;2;1;01.02.2012\n"
    result = run(content, decimal_separator=",", columns={"price": "decimal(10,2)"})
    assert result.column("price") == [Decimal("1.50"), Decimal("2.00")]
    assert result.types == {"id": "string", "price": "decimal(10,2)", "grouped": "string", "day": "date"}
    assert run("id;price\na;1,5\nb;2\n", decimal_separator=",").column("price") == [1.5, 2.0]


def test_null_values_are_nulls_before_anything_is_decided(run):
    result = run("id,n\nNA,1\nb,NA\nc,-\n", null_values=["NA", "-"])
    assert result.rows == [(None, 1), ("b", None), ("c", None)]


class TestBadRows:
    CONTENT = 'id,n\na,1\nb\nc,"x\ny",3\nd,oops\ne,5\nf,6,7\ng,\n'

    def test_none_are_allowed_by_default(self, refuse):
        error = refuse(self.CONTENT, columns={"n": "integer"})
        assert (error.code, error.where["line"], error.where["bad_rows"]) == ("ragged", 3, 3)

    def test_up_to_the_number_allowed_they_are_left_out_and_listed(self, run):
        result = run(self.CONTENT, columns={"n": "integer"}, required=["n"], max_bad_rows=5)
        assert result.rows == [("a", 1), ("e", 5)]
        assert [(row["code"], row["line"], row.get("column")) for row in result.rejects] == [
            ("ragged", 3, None),
            ("ragged", 4, None),
            ("type-mismatch", 6, "n"),
            ("ragged", 8, None),
            ("missing-value", 9, "n"),
        ]
        assert result.profile["bad_rows"] == 5
        assert result.processed.rows == 7
        assert result.rejects[2]["found"] == "oops"

    def test_one_more_is_too_many(self, refuse):
        error = refuse(self.CONTENT, columns={"n": "integer"}, required=["n"], max_bad_rows=4)
        assert "5 bad rows in all, 4 allowed" in error.message


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"colums": {}}, "option colums: expected one of .* an unknown option; did you mean 'columns'"),
        ({"columns": ["a"]}, "expected a mapping"),
        ({"columns": {"a": "int"}}, r"columns\.a: expected one of string"),
        ({"columns": {"a": "decimal(40,2)"}}, "decimal"),
        ({"columns": {"a": "decimal(2,5)"}}, "decimal"),
        ({"columns": {"a": "date(dd.mm.yyyy)"}}, "date"),
        ({"columns": {"a": "date(%Q)"}}, "%Q is not one of"),
        ({"columns": {"a": "date(%d.%m.%)"}}, "% is not one of"),
        ({"columns": {"a": "date(%H:%M)"}}, "doesn't tell year, month and day"),
        ({"columns": {"a": "timestamp(%d.%m. %H:%M)"}}, "doesn't tell year, month and day"),
        ({"columns": {"a": "date(%Y-%m-%d %Y)"}}, "twice"),
        ({"columns": {"a": 5}}, "found 5"),
        ({"required": "a"}, "list of strings"),
        ({"extra_columns": "drop"}, "'keep', 'error'"),
        ({"max_bad_rows": -1}, "at least 0"),
        ({"max_bad_rows": True}, "an integer"),
        ({"delimiter": "||"}, "one ASCII character"),
        ({"delimiter": "\n"}, "one ASCII character"),
        ({"encoding": "klingon"}, "utf-8"),
        ({"header": "yes"}, "true or false"),
        ({"quote": "`"}, "quote"),
        ({"decimal_separator": "'"}, "'.', ','"),
        ({"allow_empty": 1}, "true or false"),
        ({"skip_rows": -1}, "at least 0"),
        ({"skip_footer": "1"}, "an integer"),
        ({"trailer": "*"}, "the text of the last line"),
        ({"trailer": "{rows}{rows}"}, "the text of the last line"),
        ({"quoted_empty": None}, "'text', 'null'"),
        ({"comment": "//"}, "one ASCII character"),
        ({"comment": '"'}, "one ASCII character"),
        ({"escape": "\\"}, "'double', 'backslash'"),
        ({"columns": {"id": "string", "ID": "string"}}, "found 'id' twice"),
        ({"max_uncompressed_bytes": 0}, "at least 1"),
        ({"columns": {"a": "decimal(12.2)"}}, r"columns\.a: expected one of string"),
        ({"columns": {"a": "date"}, "required": ["b"]}, r"columns that are declared \(a\), found 'b'"),
    ],
)
def test_a_wrong_option_is_a_configuration_error_that_names_it(options, said):
    with pytest.raises(ConfigurationError, match=said):
        check_options(options)


@pytest.mark.parametrize("name", ["x'; DROP TABLE t; --", 'a"b', "ünï", "a b", "select", "c0", "{t}", "?"])
def test_names_are_never_read_as_sql(run, name):
    quoted = '"' + name.replace('"', '""') + '"'
    result = run(f"{quoted},n\nx,1\n", columns={name: "string"}, required=[name])
    assert result.rows == [("x", 1)]
    assert list(result.columns) == [name, "n"]
