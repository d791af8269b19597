"""JSON: objects, one per line or in one array."""

import datetime as dt
import json
from decimal import Decimal

import pytest


@pytest.mark.parametrize("name", ["t.json", "t.ndjson", "t.jsonl", "t", "t.txt"])
def test_an_array_and_lines_give_the_same_table(run, name):
    objects = [{"id": 1, "name": "Bob"}, {"id": 2, "name": "Eve, the\nsecond"}]
    lines = "\n".join(map(json.dumps, objects)) + "\n\n"
    array = run(json.dumps(objects, indent=2), name)
    by_line = run(lines, name)
    assert array.rows == by_line.rows == [(1, "Bob"), (2, "Eve, the\nsecond")]
    assert array.types == by_line.types == {"id": "integer", "name": "string"}
    assert (array.profile["format"], by_line.profile["format"]) == ("json", "ndjson")


@pytest.mark.parametrize(
    ("values", "type_", "stored"),
    [
        (["1", "-5"], "integer", [1, -5]),
        (["1", "1.5"], "float", [1.0, 1.5]),
        (["1E2"], "float", [100.0]),
        (["12345678901234567890123"], "decimal(38,0)", [Decimal(12345678901234567890123)]),
        (["9007199254740993", "0.5"], "string", ["9007199254740993", "0.5"]),
        (['"1"', '"2"'], "string", ["1", "2"]),
        (['"00123"'], "string", ["00123"]),
        (['"true"'], "string", ["true"]),
        (["true", "false"], "boolean", [True, False]),
        (["true", '"x"'], "string", ["true", "x"]),
        (['"2024-01-31"', "null"], "date", [dt.date(2024, 1, 31), None]),
        (['"01/02/2024"'], "string", ["01/02/2024"]),
        (['"2024-01-31"', "5"], "string", ["2024-01-31", "5"]),
        (['""', "null"], "string", ["", None]),
        (["null"], "string", [None]),
        (['{"x": [1, 2.50]}', "null"], "json", ['{"x":[1,2.50]}', None]),
        (["[1]", '"[1]"'], "json", ["[1]", '"[1]"']),
        (['"\\u00fc \\ud83d\\ude00"'], "string", ["ü 😀"]),
    ],
)
def test_a_column_of_values(run, values, type_, stored):
    result = run("".join(f'{{"id": "x", "value": {value}}}\n' for value in values), "t.ndjson")
    assert (result.types["value"], result.column("value")) == (type_, stored)


def test_columns_are_all_keys_in_the_order_of_their_appearance(run):
    result = run('{"b": 1}\n{"c": 2, "a": 3}\n{"a": 4, "b": 5}\n', "t.ndjson")
    assert list(result.columns) == ["b", "c", "a"]
    assert result.rows == [(1, None, None), (None, 2, 3), (5, None, 4)]


@pytest.mark.parametrize(
    "key",
    [
        "a.b",
        'q"r',
        "x'y",
        "a/b",
        "~0",
        "a\\b",
        "{v}",
        "{t}",
        "{item}",
        "?",
        "$",
        "*",
        "[0]",
        " ",
        "ü",
        "select",
        "x" * 150,
    ],
)
def test_a_key_is_never_read_as_anything_else(run, key):
    result = run(json.dumps([{key: 1, "a": 7}, {key: 2}]), "t.json")
    assert result.rows == [(1, 7), (2, None)]
    assert result.profile["columns"][0].get("source_name", result.profile["columns"][0]["name"]) == key


def test_keys_that_differ_in_case_alone_are_two_columns(run):
    result = run('{"a": 1, "A": 2, "/": 3}\n', "t.ndjson")
    assert (list(result.columns), result.rows) == (["a", "A_2", "/"], [(1, 2, 3)])


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        ('{"a": 1}\n\n{"a": oops}\n{"a": 2}\n', "bad-json", 3),
        ('{"a": 1}\n[1]\n', "bad-json", 2),
        ('{"a": 1}\n5\n', "bad-json", 2),
        ('{"a": 0}\n{"a": 1} {"a": 2}\n', "bad-json", 2),
        ('{"a": 1}\n{"a": 2', "truncated", 2),
        ('{"a": 0}\n{\n "a": 1\n}\n', "bad-json", 2),
    ],
)
def test_a_bad_line_is_refused_by_its_number(refuse, content, code, line):
    error = refuse(content, "t.ndjson")
    assert (error.code, error.where["line"]) == (code, line)


@pytest.mark.parametrize(
    ("content", "code", "row"),
    [
        ('[{"a": 1}, {"a": 2', "truncated", 2),
        ('[{"a": 1},\n{"a": oops}]', "bad-json", 2),
        ('[{"a": 1}, 5]', "bad-json", 2),
    ],
)
def test_a_bad_value_of_an_array_is_refused_by_its_number(refuse, content, code, row):
    error = refuse(content, "t.json")
    assert (error.code, error.where["row"]) == (code, row)


@pytest.mark.parametrize("content", ['[{"a": 1}', '[{"a": 1},', '[{"a": 1}] x', '[{"a": 1}]\n[{"a": 2}]'])
def test_an_array_that_does_not_end_as_it_should_is_refused(refuse, content):
    assert refuse(content, "t.json").code in ("truncated", "bad-json")


@pytest.mark.parametrize("content", ["[]", "[ ]\n", "{}\n", "[{}]"])
def test_objects_without_keys_are_no_table(refuse, content):
    assert refuse(content, "t.json").code == "empty"


def test_a_key_that_occurs_twice_in_an_object_is_refused(refuse):
    error = refuse('{"a": 1}\n{"b": 1, "a": 1, "b": 2}\n', "t.ndjson")
    assert (error.code, error.where) == ("duplicate-key", {"row": 2, "column": "b"})


def test_declarations_hold_for_json_too(run, refuse):
    content = '{"id": "00123", "price": 1.5, "day": "31.01.2024"}\n\n{"id": "7", "price": null, "day": ""}\n'
    columns = {"id": "integer", "price": "decimal(10,2)", "day": "date(%d.%m.%Y)"}
    assert run(content, "t.ndjson", columns=columns).rows == [
        (123, Decimal("1.50"), dt.date(2024, 1, 31)),
        (7, None, None),
    ]
    error = refuse(content, "t.ndjson", columns={"price": "integer"}, required=["price"])
    assert (error.code, error.where["line"], error.where["bad_rows"]) == ("type-mismatch", 1, 2)
    assert refuse(content, "t.ndjson", required=["price"]).where["line"] == 3


def test_bad_lines_are_left_out_and_listed_where_that_is_allowed(run):
    content = '{"a": 1}\noops\n\n[1]\n{"a": "x"}\n{"a": 2}\n'
    result = run(content, "t.ndjson", columns={"a": "integer"}, max_bad_rows=3)
    assert result.rows == [(1,), (2,)]
    assert [(row["code"], row["line"]) for row in result.rejects] == [
        ("bad-json", 2),
        ("bad-json", 4),
        ("type-mismatch", 5),
    ]


def test_1000_keys_pass(run):
    result = run(json.dumps([{f"k{at}": at for at in range(1000)}] * 2), "t.json")
    assert (len(result.columns), result.rows[1][999]) == (1000, 999)


def test_a_value_of_30_mb_passes(run):
    assert len(run(json.dumps({"a": "x" * 30_000_000}) + "\n", "t.ndjson").rows[0][0]) == 30_000_000
