"""Says which rows of a CSV file the engine left out and why, and in which lines rows stand."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filebatch_worker.processor import InvalidFile
from filebatch_worker.processors.tabular.dialect import Dialect
from filebatch_worker.processors.tabular.layout import Layout
from filebatch_worker.processors.tabular.table import BadRow
from filebatch_worker.processors.tabular.text import lines_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LINE_BYTES = 2 * 1024**2  # the engine's default; buffers are a multiple of it
LONG_LINE_BYTES = 256 * 1024**2

_EXPECTED_FOUND = re.compile(r"Expected Number of Columns: (\d+) Found: (\d+)")


@dataclass(frozen=True)
class CsvFile:
    """A CSV file in a form that the engine reads reliably.

    `lines_before` is the number of lines that stand before the first line of `path` in the original (it may be
    negative: a header of ours stands for the original's).
    """

    path: Path
    dialect: Dialect
    raw_names: tuple[str, ...]
    has_header_line: bool
    lines_before: int
    layout: Layout

    @property
    def expected_rows(self) -> int:
        """How many records must come out, good or bad."""
        empty = self.layout.empty_lines if len(self.raw_names) == 1 else 0  # there an empty line is an empty value
        return self.layout.records - self.has_header_line + empty


@dataclass(frozen=True)
class Reject:
    """A row that the engine left out, with its own words for why."""

    offset: int  # of its row, in bytes
    error: str
    message: str


def rejects(connection: DuckDBPyConnection) -> tuple[Reject, ...]:
    """Return the rows that the engine left out, one error each: that of its quotes where it has one."""
    found = connection.execute(
        "SELECT line_byte_position, error_type, left(error_message, 200) FROM reject_errors ORDER BY ALL"
    ).fetchall()
    by_row: dict[int, Reject] = {}
    for position, error, message in found:
        offset = max(0, (position or 1) - 1)
        if offset not in by_row or error == "UNQUOTED VALUE":
            by_row[offset] = Reject(offset, error, message)
    return tuple(by_row.values())


def bad_rows(file: CsvFile, rejects: Sequence[Reject]) -> Iterator[BadRow]:
    """Yield the left out rows in the supplier's terms: lines of the original file, what was expected and found."""
    lines = lines_of(file.path, (reject.offset for reject in rejects))
    size = file.path.stat().st_size
    for reject in rejects:
        line = lines[reject.offset] + file.lines_before
        is_last = (
            reject is rejects[-1] and not file.layout.ends_with_newline and _is_last(file.path, reject.offset, size)
        )
        yield _bad_row(reject, line, cut=is_last or file.layout.ends_within_quotes)


def _is_last(path: Path, offset: int, size: int) -> bool:
    """Whether no line follows the one at `offset`."""
    with path.open("rb") as file:
        file.seek(offset)
        rest = file.read(LINE_BYTES)
    return offset + len(rest) == size and b"\n" not in rest


def _bad_row(reject: Reject, line: int, *, cut: bool) -> BadRow:
    numbers = _EXPECTED_FOUND.search(reject.message)
    if numbers:
        expected, found = f"{numbers[1]} columns", f"{numbers[2]}"
        code = "truncated" if cut and int(numbers[2]) < int(numbers[1]) else "ragged"
        reason = f"expected {expected}, found {found}"
        return BadRow(code, reason, line=line, expected=expected, found=f"{found} columns")
    if reject.error == "UNQUOTED VALUE" and cut:
        reason = "a quote opened here is never closed: the file was cut short, or a quote is missing"
        return BadRow("truncated", reason, line=line)
    if reject.error == "UNQUOTED VALUE":
        return BadRow("bad-quoting", "a quoted field goes on after its closing quote", line=line)
    if reject.error == "LINE SIZE OVER MAXIMUM":
        return BadRow("line-too-long", f"the line has more than {LONG_LINE_BYTES} bytes", line=line)
    return BadRow("unreadable", reject.message.splitlines()[0] if reject.message else reject.error, line=line)


def referee(file: CsvFile, found: int) -> None:
    """Ask Python's reader where engine and layout disagree on the number of records: stray quotes confuse the layout.

    Raises InvalidFile "bad-quoting" or "truncated" unless it agrees with the engine.
    """
    rows = start = 0
    with file.path.open(encoding="utf-8", newline="\n") as lines:
        reader = file.dialect.reader(lines, strict=True)
        try:
            for row in reader:
                rows += bool(row) or len(file.raw_names) == 1
                start = reader.line_num
        except csv.Error as error:
            line = start + 1 + file.lines_before
            code = "truncated" if "end of data" in str(error) else "bad-quoting"
            raise InvalidFile(
                code, f"line {line}: a quoted field is not closed, or goes on after it", line=line
            ) from error
    if rows - file.has_header_line != found:
        raise InvalidFile("bad-quoting", "the quotes leave open where rows end", expected=rows, found=found)


def locate(file: CsvFile, rows: Sequence[int], rejected: set[int | None]) -> dict[int, int]:
    """Return the lines at which `rows` of the relation (from 1) start, by reading the file as Python does."""
    wanted, found = set(rows), dict[int, int]()
    width, row = len(file.raw_names), 0
    with file.path.open(encoding="utf-8", newline="\n") as lines:
        reader = file.dialect.reader(lines)
        line = 1
        for at, cells in enumerate(reader):
            start, line = line + file.lines_before, reader.line_num + 1
            kept = (len(cells) == width or (not cells and width == 1)) and start not in rejected
            if (at == 0 and file.has_header_line) or not kept:
                continue
            row += 1
            if row in wanted:
                found[row] = start
                if len(found) == len(wanted):
                    break
    return found
