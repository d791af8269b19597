"""JSON in one pass: the same comes out as of passes that look at everything first."""

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from filebatch_worker.processor import InvalidFile
from filebatch_worker.processors.tabular import json_at_once, json_file, measure
from tables import process

NUMBERS = st.sampled_from(
    [
        *(
            "0",
            "-0",
            "-0.0",
            "0.0",
            "7",
            "-7",
            "1.5",
            "1.50",
            "-0.25",
            "1e5",
            "1E2",
            "1e-7",
            "1.5e+3",
            "1e-400",
            "1e400",
        ),
        *(
            "9" * 15,
            "9" * 16,
            "9" * 18,
            "9" * 19,
            "9" * 23,
            "999999999999.25",
            "9007199254740993",
            "9007199254740993.0",
        ),
        *("0.1234567890123456", "0.12345678901234567890123", "51.123456789012345", "0.00001", "123456789012345.6"),
        *("1.100000000000000000", "0.30000000000000004", "1.7976931348623157e308", "5e-324", "12345678.123456789"),
    ]
) | st.floats(allow_nan=False, allow_infinity=False).map(json.dumps)
TEXTS = st.sampled_from(
    [
        *('""', '" "', '"x"', '"1"', '"1.10"', '"true"', '"null"', '"2024-02-01"', '"2024-02-30"', '"0000-01-01"'),
        *('"2024-02-01T10:11:12"', '"2024-02-01 24:00:00"', '"2024-02-01T10:11:12Z"', '"2024-02-01 10:11:12.123"'),
        *('"1.2.2024"', '"31/12/2024"', '"1/2/2024"', r'"a\"b"', r'"\\"', r'"\u0061\n"', r'"\"v\":1.5,"', '"é"', '"{"'),
        *('"v"', '"id"', r'"\/"', '"\u2028"', '"1e5"', '"-0"', '"01-Feb-2024"', r'"\u0000"', '"😀"'),
    ]
)
NESTED = st.sampled_from(
    [
        *("[]", "{}", "[1, 2.5]", "[1.10]", '{"v": 1.1}', '{"v":1.10}', '{"v": {"id": 1.5}}', '["]", "{"]', "[-0]"),
        *('{"x": [1, {"y": "1.5"}]}', "[[[[[[[[[[1]]]]]]]]]]", '[{"v":1.5},{"v":1.50}]', "[ 0.00001 ]", "[1e5]"),
        *('["a b", 1.5]', '{"a": 1, "a": 2.5}', "[12345678901234567890123, 1.5]", '["\\u00e9", 1.5]', "[true,null]"),
    ]
)
WORDS = st.sampled_from(["true", "false", "null"])
VALUES = NUMBERS | TEXTS | NESTED | WORDS
COLUMNS = st.sampled_from([NUMBERS, TEXTS, NESTED, WORDS, VALUES, NUMBERS | WORDS]).flatmap(
    lambda kind: st.lists(kind, min_size=1, max_size=6)
)
BLANKS = st.sampled_from(["", " ", "\t"])
TYPES = st.sampled_from(
    [
        *("integer", "float", "boolean", "date", "timestamp", "timestamptz", "decimal(12,2)", "decimal(38,0)"),
        *("decimal(5,5)", "date(%d.%m.%Y)", "string"),
    ]
)


def outcome(content: str, name: str, options: dict) -> object:
    with tempfile.TemporaryDirectory() as workdir:
        try:
            result = process(Path(workdir), content.encode(), name, **options)
        except InvalidFile as error:
            return error.code, error.message, error.where
    return result.columns, repr(result.rows), result.profile, result.rejects


def both(content: str, name: str, options: dict) -> tuple[object, object]:
    """Return what becomes of a file in one pass, and measured first."""
    quick = outcome(content, name, options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_file, "write_at_once", lambda *_: None)
        return quick, outcome(content, name, options)


@st.composite
def objects(draw) -> list[str]:
    """The texts of objects: `v` in each, other keys in some, in any order, some twice."""
    found = []
    for at, value in enumerate(draw(COLUMNS) + draw(st.lists(VALUES, max_size=2))):
        fields = [("v", value)]
        if draw(st.booleans()):
            fields.append(("id", str(at)))
        if draw(st.integers(0, 9)) == 0:
            fields.append(draw(st.tuples(st.sampled_from(["id", "w", "V", "", 'q"', "é", "x.*"]), VALUES)))
        blank, colon = draw(BLANKS), draw(BLANKS)
        pairs = (
            f"{json.dumps(key, ensure_ascii=draw(st.booleans()))}:{colon}{text}"
            for key, text in draw(st.permutations(fields))
        )
        found.append("{" + f"{blank},{blank}".join(pairs) + blank + "}")
    return found


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    found=objects(),
    lines=st.booleans(),
    sample=st.integers(1, 12),
    options=st.fixed_dictionaries(
        {},
        optional={
            "columns": TYPES.map(lambda declared: {"v": declared}),
            "required": st.just(["v"]),
            "max_bad_rows": st.integers(1, 2),
        },
    ),
)
@example(found=['{"v": 0.5}', '{"v": 0.12345678901234567890123}'], lines=True, sample=1, options={})
@example(found=['{"v":{"v":1.5}}', '{"v":{"v":1.10,"w":{"v":1.1}}}'], lines=True, sample=2, options={})
@example(found=['{"v": 51.123456789012345}', '{"v": 9007199254740993}'], lines=True, sample=1, options={})
@example(found=['{"v": 1}', '{"v": 1, "v": 2}'], lines=True, sample=1, options={})
def test_whatever_the_objects_one_pass_makes_what_measuring_first_makes(found, lines, sample, options):
    content = "\n".join(found) + "\n" if lines else "[" + ",\n ".join(found) + "]"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "SAMPLE_ROWS", sample)
        patch.setattr(json_at_once, "SAMPLE_ROWS", sample)
        quick, exact = both(content, "t.ndjson" if lines else "t.json", options)
    assert quick == exact


@pytest.mark.parametrize(
    ("first", "later", "once"),
    [
        ('{"v": 1}', '{"v": 12}', True),
        ('{"v": 1}', '{"v": 1.5}', True),  # looked at, and the guess widened
        ('{"v": null}', '{"v": "x", "w": [1, 2.5]}', True),
        ('{"v": 1, "w": 2}', '{"w": 2, "v": 1}', True),
        ('{"v": 0.5}', '{"v": 51.12345678901234}', True),
        ('{"v": 0.5}', '{"v": 0.12345678901234567890123}', False),
        ('{"v": 0.5}', '{"v": 51.1234567890123450}', False),
        ('{"v": [1.5]}', '{"v": [1.25], "w": "1.50"}', True),
        ('{"v": [1.5]}', '{"v": [1.50]}', False),
        ('{"v": {"w": 1.5}}', '{"v": {"w": 1.10}, "w": {"w": 1.1}}', False),
        ('{"v": "2024-01-31"}', '{"v": "2024-02-30"}', False),
        ('{"v": "x"}', '{"v": 1.5}', False),
        ('{"v": 1}', '{"v": 1, "v": 2}', False),
        ('{"v": 1}', '{"v": 1, "w": 2, "w": 2}', False),
        ('{"v": 1}', '{"v": 1, "V": 2}', False),
        ('{"v": 1}', '{"v": oops}', False),
        ('{"v": 1}', "[1]", False),
    ],
)
def test_one_pass_suffices_unless_the_file_has_what_the_engine_would_change(monkeypatch, first, later, once):
    monkeypatch.setattr(json_at_once, "SAMPLE_ROWS", 1)
    measured = []
    monkeypatch.setattr(json_file, "_read", lambda *_: measured.append(1) or _refuse())
    outcome(f"{first}\n{later}\n", "t.ndjson", {})
    assert bool(measured) is not once


@pytest.mark.parametrize(
    ("content", "changed"),
    [
        ('{"v": 0.12345678901234567890123, "n": {"v": 1.5}}', "v"),
        ('{"v": 0.12345678901234567890123, "n": [{"v": 0.12345678901234568}]}', "v"),
        ('{"v": 0.12345678901234567890123, "n": {"v ": 0.12345678901234568}}', "v"),
        ('{"a b": 0.12345678901234567890123, "ab": 0.12345678901234568}', "a b"),
        ('{"ab": 0.12345678901234567890123, "a b": 0.12345678901234568}', "ab"),
    ],
)
def test_no_number_is_taken_for_that_of_another_key(run, content, changed):
    assert run(content, "t.ndjson").column(changed) == ["0.12345678901234567890123"]


def test_no_number_within_a_value_is_taken_for_that_of_another_key(run):
    assert run('{"a b": [1.10], "ab": [1.1]}', "t.ndjson").rows == [("[1.10]", "[1.1]")]


@pytest.mark.parametrize("text", ['""', '" "', "null"])
def test_a_required_column_of_objects_and_arrays_has_no_blank_text(text):
    content = f'{{"v": [1]}}\n{{"v": {text}}}\n'
    quick, exact = both(content, "t.ndjson", {"required": ["v"]})
    assert quick == exact
    assert quick[0] == "missing-value"


@pytest.mark.parametrize(
    ("content", "options"),
    [
        ('{"v": 1}\n{"v": 1, "w": 2}\n', {"columns": {"w": "integer"}}),  # not among the first objects
        ('{"v": 1}\n{"w": 2}\n', {"required": ["w"], "max_bad_rows": 1}),
        ('{"w": "' + "x" * 70_000 + '", "v": 1}\n{"v": 1, "w": 2}\n', {}),  # a large one tells the order of columns
        ('{"v": 1, "W": 2}\n{"w": 2}\n', {"columns": {"w": "integer"}}),
    ],
)
def test_what_the_first_objects_lack_is_found_later(monkeypatch, content, options):
    monkeypatch.setattr(json_at_once, "SAMPLE_ROWS", 1)
    quick, exact = both(content, "t.ndjson", options)
    assert quick == exact
    assert not isinstance(quick, tuple) or quick[0] != "missing-column"


def _refuse() -> None:
    raise InvalidFile("measured", "")
