"""Reading, checking and writing in one pass makes what measuring first makes, of any table."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from filebatch_worker.processor import InvalidFile
from filebatch_worker.processors.tabular import at_once, csv_file, measure
from tables import process

NUMBERS = st.integers(-(10**20), 10**20).map(str) | st.floats(allow_nan=False).map(repr) | st.just("12.50")
TIMES = st.dates().map(str) | st.datetimes().map(str) | st.datetimes().map(lambda each: each.isoformat(sep="T"))
ODD = st.sampled_from(
    [
        *("", " ", '""', '" "', "NA", "nan", "-inf", "x", "true", "FALSE", "yes", " 7", "7 ", "07", "+7", "1_000"),
        *("0x10", "-0", "-0.0", ".5", "5.", "00.5", "1e5", "1e-400", "1.5e+3", "1.234", "0.1234567890123456", "1,5"),
        *("999999999999999.5", "1234567890123456.5", "12345678901.1", "1234567890.12", "0.00000000000001", "-1,25"),
        *("10" * 19, "9" * 18, "1" * 16, "2024-02-30", "2024-2-1", "0024-01-01", "2024/2/1", "1.2.2024", "13/2/2024"),
        *("2/13/2024", "1/2/2024", "01-Feb-2024", "2024-02-01T10:11:12Z", "2024-02-01 24:00:00", "2024-02-01T10:11:12"),
        *("2024-02-01 10:11:12.123", "2024-02-01 10:11:60", "0000-01-01 00:00:00"),
    ]
)
KINDS = (
    NUMBERS,
    TIMES,
    ODD,
    st.integers(0, 9).map(str),
    st.floats(0, 9).map(lambda each: f"{each:.2f}"),
    st.booleans().map(str),
)
VALUES = st.one_of(*KINDS)
COLUMNS = st.sampled_from(KINDS).flatmap(lambda kind: st.lists(kind, min_size=1, max_size=8))
TYPES = st.sampled_from(
    [
        *("integer", "float", "boolean", "date", "timestamp", "timestamptz", "decimal(12,2)", "decimal(38,0)"),
        *("decimal(5,5)", "date(%d.%m.%Y)", "string"),
    ]
)


def outcome(content: bytes, options: dict) -> object:
    with tempfile.TemporaryDirectory() as workdir:
        try:
            result = process(Path(workdir), content, **options)
        except InvalidFile as error:
            return error.code, error.message, error.where
    return result.columns, repr(result.rows), result.profile, result.rejects


def both(content: str, options: dict) -> tuple[object, object]:
    """Return what becomes of a file in one pass, and measured first."""
    quick = outcome(content.encode(), options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_file, "write_at_once", lambda *_: None)
        return quick, outcome(content.encode(), options)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    first=COLUMNS,
    others=st.lists(VALUES, max_size=2),
    sample=st.integers(1, 12),
    options=st.fixed_dictionaries(
        {"header": st.just(True)},
        optional={
            "columns": TYPES.map(lambda declared: {"value": declared}),
            "decimal_separator": st.just(","),
            "null_values": st.just(["NA"]),
            "required": st.just(["value"]),
            "max_bad_rows": st.integers(1, 2),
            "quoted_empty": st.just("null"),
        },
    ),
)
@example(first=["0.5"], others=["1234567890123456.7"], sample=1, options={"header": True})
@example(first=["0.5"], others=["123456789012345678"], sample=1, options={"header": True})
@example(first=["2024-02-01 10:00:00"], others=["2024-02-01 24:00:00"], sample=1, options={"header": True})
def test_whatever_the_values_one_pass_makes_what_measuring_first_makes(first, others, sample, options):
    lines = "".join(f"{at}|{value}\n" for at, value in enumerate([*first, *others]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "SAMPLE_ROWS", sample)
        patch.setattr(at_once, "SAMPLE_ROWS", sample)
        patch.setattr(csv_file, "SAMPLE_ROWS", sample)
        quick, exact = both(f"id|value\n{lines}", {**options, "delimiter": "|"})
    assert quick == exact
    assert quick == outcome(f"id|value\n{lines}".encode(), {**options, "delimiter": "|"})  # every value is classed


@pytest.mark.parametrize(
    ("content", "options", "once"),
    [
        ("a|b\n1|x\n2|y\n", {}, True),
        ("a|b\n1.50|2024-01-01\n\n\n2|\n", {}, True),
        ("a|b\n1|x\n2.5|y\n", {}, False),
        ("a|b\n1|x\ny|y\n", {"columns": {"a": "integer"}}, False),
        ("a|b\n1|x\n |y\n", {"columns": {"a": "integer"}}, True),
        ("a|b\n1|x\n|y\n", {"required": ["a"]}, False),
        ('a|b\n1|"x\ny"\n2|y\n', {}, True),
        ("a|b\n1|x\n2\n", {"max_bad_rows": 1}, False),
    ],
)
def test_one_pass_suffices_unless_a_value_speaks_against_the_first_rows(monkeypatch, content, options, once):
    monkeypatch.setattr(measure, "SAMPLE_ROWS", 1)
    monkeypatch.setattr(at_once, "SAMPLE_ROWS", 1)
    monkeypatch.setattr(csv_file, "SAMPLE_ROWS", 1)
    measured = []
    monkeypatch.setattr(csv_file, "measure", lambda *given: measured.append(1) or measure.measure(*given))
    outcome(content.encode(), {"header": True, "delimiter": "|", **options})
    assert bool(measured) is not once
