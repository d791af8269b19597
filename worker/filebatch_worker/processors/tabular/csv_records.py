"""Reads the records of a CSV file one by one, with Python's reader: where a file is bad, and in which lines rows stand.

It is slower than the engine but exact about lines, holds one record at a time however many are bad, and has its own
opinion where the engine and the layout of the file don't agree.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from filebatch_worker.processors.tabular.dialect import Dialect
from filebatch_worker.processors.tabular.layout import Layout
from filebatch_worker.processors.tabular.table import BadRow

_CUT = "a quote opened here is never closed: the file was cut short, or a quote is missing"


@dataclass(frozen=True)
class CsvFile:
    """A CSV file in a form that the engine reads reliably.

    `lines_before` is the number of lines that stand before the first line of `path` in the original (it may be
    negative: a header of ours stands for the original's). `told_rows` is how many rows its trailer says it has. `fill`
    is whether rows may lack cells at their end.
    """

    path: Path
    dialect: Dialect
    raw_names: tuple[str, ...]
    has_header_line: bool
    lines_before: int
    layout: Layout
    told_rows: int | None = None
    fill: bool = False

    @property
    def width(self) -> int:
        """The number of columns."""
        return len(self.raw_names)

    @property
    def expected_rows(self) -> int:
        """How many records must come out, good or bad."""
        empty = self.layout.empty_lines if self.width == 1 else 0  # there an empty line is an empty value
        return self.layout.records - self.has_header_line + empty


@dataclass(frozen=True)
class Survey:
    """How many rows of a file are good and how many bad, and the first of the latter."""

    good: int
    bad: int
    first_bad: tuple[BadRow, ...]


def survey(file: CsvFile, limit: int) -> Survey:
    """Return what is good and bad in a file, with at most `limit` bad rows in detail."""
    good = bad = 0
    first_bad: list[BadRow] = []
    last: BadRow | None = None
    for line, record in _records(file):
        last = _fault(file, line, record)
        good += last is None
        bad += last is not None
        if last is not None and len(first_bad) < limit:
            first_bad.append(last)
    if last is not None and last is first_bad[-1] and _is_cut(file, last):
        first_bad[-1] = replace(last, code="truncated", reason=f"{last.reason}; the file was cut short here")
    return Survey(good, bad, tuple(first_bad))


def locate(file: CsvFile, rows: Sequence[int]) -> dict[int, int]:
    """Return the lines at which the good rows of these numbers, from 1, start."""
    wanted, found = set(rows), dict[int, int]()
    row = 0
    for line, record in _records(file):
        row += _fault(file, line, record) is None
        if row in wanted and row not in found:
            found[row] = line
        if len(found) == len(wanted):
            break
    return found


def _records(file: CsvFile) -> Iterator[tuple[int, list[str] | csv.Error]]:
    """Yield the line of the original at which each record after the header starts, and the record or its error."""
    with file.path.open(encoding="utf-8", newline="\n") as lines:
        reader = file.dialect.reader(lines, strict=True)
        is_header = file.has_header_line
        while True:
            line = reader.line_num + 1 + file.lines_before
            try:
                record = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield line, error
                is_header = False
                continue
            if not is_header and (record or file.width == 1):
                yield line, record
            is_header = False


def _fault(file: CsvFile, line: int, record: list[str] | csv.Error) -> BadRow | None:
    if isinstance(record, csv.Error):
        if "end of data" in str(record):
            return BadRow("truncated", _CUT, line)
        return BadRow("bad-quoting", "quotes and delimiters don't fit", line)
    width = max(len(record), 1)
    if width == file.width or (file.fill and width < file.width):
        return None
    expected, found = f"{file.width} columns", f"{width} columns"
    return BadRow("ragged", f"expected {expected}, found {width}", line, expected=expected, found=found)


def _is_cut(file: CsvFile, last: BadRow) -> bool:
    """Whether the last row of a file lacks columns and a line end."""
    too_few = last.code == "ragged" and int((last.found or "0").split()[0]) < file.width
    return too_few and not file.layout.ends_with_newline
