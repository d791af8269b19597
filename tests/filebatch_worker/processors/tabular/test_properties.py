"""Whatever is written comes back, and whatever is sent is a table or an invalid file."""

import csv
import gzip
import io
import json
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from filebatch_worker.processor import InvalidFile
from tables import process

CALM = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])

TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12) | st.sampled_from(
    ["", " ", '"', '""', "'", ",", ";", "\n", "\r\n", "\r", "\\", '\\"', "00123", "NULL", "1e5", "2024-01-01", "\ufeff"]
)
TABLES = st.integers(2, 5).flatmap(
    lambda width: st.lists(st.lists(TEXT, min_size=width, max_size=width), min_size=1, max_size=12)
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)


def run(content: bytes, name: str = "t.csv", **options):
    with tempfile.TemporaryDirectory() as workdir:
        return process(Path(workdir), content, name, **options)


@CALM
@given(
    rows=TABLES,
    delimiter=st.sampled_from(",;\t|"),
    quote=st.sampled_from("\"'"),
    newline=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_text_comes_back_as_it_was_written(rows, delimiter, quote, newline, encoding):
    names = [f"name_{at}" for at in range(len(rows[0]))]
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, quotechar=quote, lineterminator=newline, quoting=csv.QUOTE_ALL).writerows(
        [names, *rows]
    )
    declared = {"columns": dict.fromkeys(names, "string"), "delimiter": delimiter, "quote": quote}
    result = run(out.getvalue().encode(encoding), **declared)
    assert list(result.columns) == names
    assert [list(row) for row in result.rows] == rows


@CALM
@given(
    rows=TABLES,
    delimiter=st.sampled_from(",;\t|~"),
    quote=st.sampled_from("\"'"),
    escape=st.sampled_from(["double", "backslash"]),
    newline=st.sampled_from(["\n", "\r\n", "\r", "\r\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-16"]),
    header=st.booleans(),
    before=st.lists(st.sampled_from(["", "Report, of today", '5" pipes']), max_size=2),
    behind=st.lists(st.sampled_from(["total;5", "'"]), max_size=2),
    comments=st.booleans(),
    trailer=st.booleans(),
)
def test_text_comes_back_in_any_dialect_that_a_feed_can_declare(  # noqa: PLR0913 - one argument for each option
    *, rows, delimiter, quote, escape, newline, encoding, header, before, behind, comments, trailer
):
    names = [f"name_{at}" for at in range(len(rows[0]))]
    lines = [delimiter.join(_quoted(cell, quote, escape) for cell in row) for row in [names] * header + rows]
    if comments:
        lines = [line for row in lines for line in ("# a \" comment's; line", row)]
    lines = [*before, *lines, *[f"TRL {len(rows)} {quote}"] * trailer, *behind]
    declared = {
        "columns": dict.fromkeys(names, "string"),
        "delimiter": delimiter,
        "quote": quote,
        "escape": escape,
        "header": header,
        "encoding": encoding,
        "skip_rows": len(before),
        "skip_footer": len(behind),
        **({"comment": "#"} if comments else {}),
        **({"trailer": "TRL {rows} *"} if trailer else {}),
    }
    result = run("".join(line + newline for line in lines).encode(encoding), **declared)
    assert list(result.columns) == names
    assert [list(row) for row in result.rows] == rows


def _quoted(cell: str, quote: str, escape: str) -> str:
    if escape == "backslash":
        return quote + cell.replace("\\", "\\\\").replace(quote, "\\" + quote) + quote
    return quote + cell.replace(quote, quote * 2) + quote


@CALM
@given(rows=TABLES, delimiter=st.sampled_from(",;\t|"), newline=st.sampled_from(["\n", "\r\n"]))
def test_text_comes_back_although_nothing_is_declared(rows, delimiter, newline):
    """Columns of text, so that no type is found: dialect, header and line ends are left to detection."""
    names = [f"name_{at}" for at in range(len(rows[0]))]
    rows = [["x", *row] for row in rows]
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator=newline, quoting=csv.QUOTE_ALL).writerows(
        [["id", *names], *rows]
    )
    result = run(out.getvalue().encode("utf-8"), columns=dict.fromkeys(names, "string"))
    assert [list(row) for row in result.rows] == rows


@CALM
@given(
    st.lists(
        st.integers(-(10**40), 10**40).map(str)
        | st.floats().map(repr)
        | st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str)
        | st.dates().map(str)
        | st.datetimes().map(str)
        | st.booleans().map(str)
        | st.sampled_from(["", "007", "1.50", "+1", "1e5", " 5 ", "1.", ".5", "-0", "nan", "x"]),
        min_size=1,
        max_size=5,
    )
)
def test_a_detected_type_loses_no_value(values):
    """What was empty is null, nothing else is; and numbers, dates and times print as they were or compare equal."""
    result = run("".join(f"x|{value}\n" for value in ["value", *values]).replace("x|value", "id|value").encode())
    stored = result.column("value")
    assert [value is None for value in stored] == [not value.strip() for value in values]
    kind = result.types["value"]
    for value, kept in zip(values, stored, strict=True):
        if kept is None:
            continue
        if kind == "string":
            assert kept == value
        elif kind in ("integer", "decimal(38,0)"):
            assert str(kept) == value.strip()
        elif kind == "float":
            assert repr(float(value)) == repr(kept)
        elif kind == "boolean":
            assert str(kept) == value
        else:
            assert str(kept) == str(type(kept).fromisoformat(value))


@CALM
@given(st.lists(st.dictionaries(TEXT, JSON, min_size=1, max_size=4), min_size=1, max_size=6), st.booleans())
def test_json_comes_back_or_is_refused_for_its_keys(objects, as_lines):
    content = "\n".join(map(json.dumps, objects)) if as_lines else json.dumps(objects)
    try:
        result = run(content.encode(), "t.json")
    except InvalidFile as error:
        assert error.code == "nul-byte"
        return
    names = {column.get("source_name", column["name"]): column["name"] for column in result.profile["columns"]}
    assert len(result.rows) == len(objects)
    for key, name in names.items():
        stored = result.column(name)
        given_ = [found.get(key) for found in objects]
        if result.types[name] == "string":
            assert [value for value in stored if value is not None] == [
                _text(value) for value in given_ if value is not None
            ]
        assert [value is None for value in stored] == [value is None for value in given_]


def _text(value: object) -> "str | _Number":
    return value if isinstance(value, str) else _Number(value)


class _Number:
    """Equal to any text that is the same JSON value."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and json.loads(other) == self.value

    __hash__ = None


NAMES = st.sampled_from(["t", "t.csv", "t.json", "t.ndjson", "t.parquet", "t.csv.gz", "t.zst", "t.zip", "t.tsv"])
MAGIC = st.sampled_from(
    [b"", b"PAR1", b"\x1f\x8b\x08\x00", b"\x28\xb5\x2f\xfd", b"PK\x03\x04", b"{", b"[{", b'"', b"\xff\xfe", b"a,b\n"]
)


# How the engine and Python's readers say what is wrong: a supplier is told in our words.
OTHERS_WORDS = re.compile(
    r"Error|universal-newline|state machine|Expecting|Extra data|line contains|delimiter' expected"
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    MAGIC,
    st.binary(max_size=200) | st.text(alphabet="a1,;\"\n\r\\{}[]: \t'é", max_size=60).map(str.encode),
    MAGIC,
    NAMES,
)
@example(b"", b"\n,\n\n", b"", "t.csv")
@example(b"", b'a,b\n"1"x,2\n', b"", "t.csv")
@example(b"", b'{"a": 1}\n{"a" 1}\n', b"", "t.ndjson")
@example(b"PAR1", b"a,b\n", b"PAR1", "t.parquet")
@example(b"\x1f\x8b\x08\x00", b"a,b\n", b"\x00" * 30, "t.csv.gz")
def test_any_bytes_are_a_table_or_an_invalid_file(start, middle, end, name):
    try:
        run(start + middle + end, name)
    except InvalidFile as error:
        assert error.code
        assert error.message
        assert not OTHERS_WORDS.search(error.message)
        json.dumps(error.where)


SECRET = "Qx7Zk9"
HOLDERS = {
    "t.csv": f"amount,note,{SECRET}\n1,{SECRET},x\n{SECRET},y,{SECRET}\n",
    "t.tsv": f"{SECRET}\tnote\n'{SECRET}'\t{SECRET}\n",
    "t.ndjson": f'{{"amount": "{SECRET}", "note": "{SECRET}"}}\n{{"{SECRET}": "{SECRET}"}}\n',
    "t.json": f'[{{"amount": "{SECRET}"}}, {{"{SECRET}": 1, "note": ["{SECRET}"]}}]',
}
DAMAGE = st.tuples(
    st.floats(0, 1), st.integers(0, 3), st.sampled_from(["", '"', ",", "\n", "\\", "{", "]", "\x01", ":", "é"])
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(sorted(HOLDERS)),
    st.lists(DAMAGE, max_size=3),
    st.fixed_dictionaries(
        {},
        optional={
            "columns": st.sampled_from(
                [{"amount": "integer"}, {"note": "date", "amount": "float"}, {"gone": "string", "amount": "string"}]
            ),
            "extra_columns": st.just("error"),
            "required": st.just(["amount"]),
            "max_bad_rows": st.integers(0, 1),
        },
    ),
)
def test_what_is_told_of_an_invalid_file_quotes_nothing_of_it(name, damage, options):
    content = HOLDERS[name]
    for place, gone, more in damage:
        at = int(place * len(content))
        content = content[:at] + more + content[at + gone :]
    try:
        run(content.encode(), name, **options)
    except InvalidFile as error:
        assert error.summary
        assert not {SECRET[at : at + 3] for at in range(len(SECRET) - 2)} & {
            error.summary[at : at + 3] for at in range(len(error.summary))
        }


SAMPLES = Path(__file__).parents[4] / "samples"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(["wheat.json", "iowa-electricity.csv", "iowa.csv.gz", "iowa.parquet"]),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=3),
    st.floats(0, 1) | st.just(1.0),
)
def test_a_damaged_file_is_a_table_or_an_invalid_file(damaged_sources, name, flips, kept):
    content = bytearray(damaged_sources[name])
    for place, byte in flips:
        content[int(place * (len(content) - 1))] = byte
    try:
        run(bytes(content[: int(kept * len(content))]), name)
    except InvalidFile as error:
        assert error.message


@pytest.fixture(scope="module")
def damaged_sources(tmp_path_factory):
    plain = (SAMPLES / "iowa-electricity.csv").read_bytes()
    run_in = tmp_path_factory.mktemp("iowa")
    process(run_in, plain)
    return {
        "wheat.json": (SAMPLES / "wheat.json").read_bytes(),
        "iowa-electricity.csv": plain,
        "iowa.csv.gz": gzip.compress(plain),
        "iowa.parquet": (run_in / "results" / "data.parquet").read_bytes(),
    }
