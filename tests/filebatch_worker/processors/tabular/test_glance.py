"""A glance at a value never says anything else of it than the engine does."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from filebatch_worker.processors.tabular import at_once
from filebatch_worker.processors.tabular.column_types import literal
from filebatch_worker.processors.tabular.engine import engine
from filebatch_worker.processors.tabular.glance import kind_of
from tables import process

PIECES = st.sampled_from(
    [*"0123456789-.:T /,eE+ \t", "nan", "inf", "true", "Feb", "2024-02-", "12:30:", "é", "İ", "\u0301"]
)
DATES = st.dates().map(str) | st.datetimes().map(str) | st.datetimes().map(lambda each: each.isoformat("T", "seconds"))
NUMBERS = st.integers(-(10**16), 10**16).map(str) | st.floats().map(repr) | st.decimals().map(str)
VALUES = DATES | NUMBERS | st.text(max_size=50) | st.lists(PIECES, max_size=12).map("".join)


def kind_in_engine(value):
    with engine() as (connection, _):
        text = literal(value)
        sql = f"SELECT trimmed_kind(nullif(trim({text}, ' \t'), ''))"
        return connection.execute(sql).fetchone()[0]


@given(VALUES.filter(lambda value: "\0" not in value))
@example("False")
@example("-0")
@example("1" * 16)
@example("123456789012345.5")
@example("0000-01-01")
@example("2024-02-30")
@example("2024-02-01 24:00:00")
@example("Feb 1 2000")
@example("\u0130NF")
@example("1\u0301")
@example("x" * 41)
@example("9" * 41)
def test_it_says_what_the_engine_says_or_nothing(value):
    told = kind_of(value)
    assert told is None or told == kind_in_engine(value)


ROWS = "id,name,day,amount,at,ok\n7,Name 1,2024-02-01,1.5,2024-02-01 10:00:00,true\n8,,,.25,,\n"


def test_a_small_plain_file_is_classed_without_the_engine(monkeypatch):
    monkeypatch.setattr(at_once, "sampled", None)
    for content in (ROWS, ROWS.replace("\n", "\r\n"), ROWS.replace(",", ";")):
        with tempfile.TemporaryDirectory() as folder:
            found = process(Path(folder), content.encode())
        assert [*found.columns.values()] == ["BIGINT", "VARCHAR", "DATE", "DOUBLE", "TIMESTAMP", "BOOLEAN"]


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (ROWS.replace("Name 1", '"Name 1"'), {}),
        (ROWS.replace("Name 1", "Feb 1 2000"), {}),
        (ROWS.replace("1.5", "1,5").replace(",", ";").replace("1;5", "1,5"), {"decimal_separator": ","}),
        (ROWS, {"null_values": ["7"]}),
        (ROWS, {"thousands_separator": " "}),
    ],
)
def test_any_other_is_left_to_the_engine(monkeypatch, content, options):
    asked = []
    real = at_once.sampled
    monkeypatch.setattr(at_once, "sampled", lambda *args: asked.append(1) or real(*args))
    with tempfile.TemporaryDirectory() as folder:
        process(Path(folder), content.encode(), **options)
    assert asked
