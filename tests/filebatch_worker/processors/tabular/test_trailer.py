"""Lines that fit a declared trailer: found without trying anything twice, as the line is a stranger's."""

import os
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws import ROOT
from filebatch_worker.processor import InvalidFile
from filebatch_worker.processors.tabular import frame

LETTERS = st.text("ab1 ", max_size=8)
TRAILERS = st.lists(st.sampled_from(["a", "b", "1", " ", "*", "**"]), min_size=1, max_size=7).map("".join)


def rows(trailer: str, line: str) -> int | None:
    return frame._trailer_rows(line.encode(), trailer)


@pytest.mark.parametrize(
    ("trailer", "line", "said"),
    [
        ("TRL|{rows}|*", "TRL|0012|x|y", 12),
        ("TRL|{rows}", "TRL|  7", 7),
        ("*{rows}", "rows of 2026: 123", 123),
        ("TRL*{rows}", "TRL 123", 123),
        ("TRL|*|{rows}|*", "TRL|a|12|x", 12),
        ("{rows} rows", "12 rows", 12),
        ("{rows}*", "0", 0),
        ("END*", "END of file", None),
        ("a*b", "a\tb", None),
    ],
)
def test_the_number_of_rows_is_read_where_it_is_declared(trailer, line, said):
    assert rows(trailer, line) == said


@given(TRAILERS, LETTERS)
def test_any_text_may_stand_for_a_star_and_nothing_else(trailer, line):
    plain = ".*".join(map(re.escape, trailer.split("*")))
    try:
        assert rows(trailer, line) is None
        fits = True
    except InvalidFile:
        fits = False
    assert fits == bool(re.fullmatch(plain, line))


SLOW = """
import itertools
from filebatch_worker.processor import InvalidFile
from filebatch_worker.processors.tabular import frame

trailers = ["a*a*a*a*a*b", "*1*{rows}*1*1*x", "* *{rows}* *x", "{rows}*0*0*0*x"]
for trailer, letters in itertools.product(trailers, ["a", "1", " ", "0", "1 "]):
    try:
        frame._trailer_rows((letters * frame.MAX_TRAILER).encode()[: frame.MAX_TRAILER], trailer)
    except InvalidFile:
        print("truncated")
"""


def test_the_longest_line_takes_no_time_whatever_the_trailer():
    """In a process of its own, as a backtracking match ends neither by itself nor by a test's time-out."""
    command, path = [sys.executable, "-c", SLOW], {"PYTHONPATH": f"{ROOT / 'worker'}:{ROOT / 'plugins'}"}
    ended = subprocess.run(command, env={**os.environ, **path}, capture_output=True, text=True, check=False, timeout=30)
    assert ended.stdout == "truncated\n" * 20, ended.stderr
