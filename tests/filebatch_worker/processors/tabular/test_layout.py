"""The second opinion on where records end, against Python's reader."""

import csv
import io

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from filebatch_worker.processors.tabular import layout, text
from filebatch_worker.processors.tabular.dialect import Dialect

CELL = st.text(alphabet="ab\"\n\r,'é", max_size=6)
TABLE = st.integers(2, 4).flatmap(
    lambda width: st.lists(st.lists(CELL, min_size=width, max_size=width), min_size=1, max_size=8)
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "t.csv"


def write(path, rows, newline, quoting):
    out = io.StringIO()
    csv.writer(out, lineterminator=newline, quoting=quoting).writerows(rows)
    path.write_bytes(out.getvalue().encode())


@settings(max_examples=300, deadline=None)
@given(
    TABLE,
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.integers(1, 7),
    st.booleans(),
)
def test_records_are_counted_as_python_counts_them(tmp_path_factory, rows, newline, quoting, piece, careful):
    path = tmp_path_factory.mktemp("layout") / "t.csv"
    assume(quoting == csv.QUOTE_ALL or "\r" not in "".join(map("".join, rows)))  # which Python leaves unquoted
    write(path, rows, newline, quoting)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "chunks", lambda path, skip=0: text.chunks(path, piece, skip=skip))
        found = layout.scan(path, '"', careful=careful)
    assert found.records == len(rows)
    assert found.line_ends == {newline}
    assert found.ends_with_newline
    assert not found.ends_within_quotes
    assert found.quoted_line_ends == any("\n" in cell or "\r" in cell for row in rows for cell in row)


@settings(max_examples=200, deadline=None)
@given(TABLE, st.lists(st.sampled_from(["\n", "\r\n", "\r"]), min_size=8, max_size=8), st.integers(1, 7))
def test_line_ends_are_mended_outside_quotes_alone(tmp_path_factory, rows, newlines, piece):
    directory = tmp_path_factory.mktemp("layout")
    path = directory / "t.csv"
    lines = []
    for row, newline in zip(rows, newlines, strict=False):
        write(path, [row], newline, csv.QUOTE_ALL)
        lines.append(path.read_bytes())
    path.write_bytes(b"".join(lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "PIECE", piece)
        dialect, end = Dialect(",", '"', '"', header=True), path.stat().st_size
        mended = layout.normalise(path, directory / "mended", dialect, header=b"h,i\n", start=0, end=end)
    write(path, rows, "\n", csv.QUOTE_ALL)
    assert mended.read_bytes() == b"h,i\n" + path.read_bytes()


@pytest.mark.parametrize(
    ("content", "records", "empty"),
    [
        (b"", 0, 0),
        (b"\n", 0, 1),
        (b"a", 1, 0),
        (b"a\n\n\nb\n", 2, 2),
        (b'""\n\n""\n', 2, 1),
        (b"\n\na\r\n\r\nb", 2, 3),
        (b'"\n\n"\n', 1, 0),
    ],
)
def test_empty_lines_are_no_records(path, content, records, empty):
    path.write_bytes(content)
    found = layout.scan(path, '"')
    assert (found.records, found.empty_lines) == (records, empty)


def test_an_open_quote_is_seen(path):
    path.write_bytes(b'a,"b\nc,d\n')
    found = layout.scan(path, '"')
    assert found.ends_within_quotes
    assert found.records == 1


@pytest.mark.parametrize("piece", [1, 2, 3, 1000])
def test_lines_are_found_by_offset(path, monkeypatch, piece):
    path.write_bytes(b"ab\nc\n\nd")
    monkeypatch.setattr(text, "CHUNK", piece)
    chunks = text.chunks
    monkeypatch.setattr(text, "chunks", lambda path: chunks(path, piece))
    assert text.lines_of(path, range(8)) == {0: 1, 1: 1, 2: 1, 3: 2, 4: 2, 5: 3, 6: 4, 7: 4}
