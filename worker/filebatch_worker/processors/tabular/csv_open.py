"""Opens a CSV file: finds its table, dialect and first row, and makes a copy where the engine would misread it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from filebatch_worker.processors.tabular.csv_records import CsvFile
from filebatch_worker.processors.tabular.dialect import SAMPLE, Dialect, detect_dialect
from filebatch_worker.processors.tabular.faults import invalid
from filebatch_worker.processors.tabular.frame import Frame, find_frame
from filebatch_worker.processors.tabular.layout import normalise, scan
from filebatch_worker.processors.tabular.naming import MAX_COLUMNS
from filebatch_worker.processors.tabular.options import TabularOptions

FIRST_ROW = 16 * 1024**2  # characters: it is taken apart in memory, where a character takes up to ten bytes


def open_csv(path: Path, workdir: Path, options: TabularOptions, *, tabs: bool) -> CsvFile:
    """Return the file at `path`, or a copy below `workdir`, in a form that the engine reads reliably.

    Raises InvalidFile: "empty", "unreadable", "too-many-columns", "ambiguous", "truncated" (no trailer).
    """
    frame = find_frame(path, options)
    options = replace(options, delimiter=options.delimiter or frame.delimiter)
    sample, whole = _sample(path, frame, options.comment)
    dialect = detect_dialect(sample, options, whole=whole, tabs=tabs)
    first = _first_row(path, dialect, frame.start)
    if not first.cells:
        raise invalid("empty", "there is no table between what is skipped at the file's start and end")
    if (
        first.plain
        and not options.comment
        and not dialect.blanks
        and (frame.start, frame.end) == (0, path.stat().st_size)
    ):
        layout = scan(path, dialect.quote, careful=False)
        if layout.clean:
            return CsvFile(path, dialect, first.cells, dialect.header, 0, layout)
    return _mended(path, workdir / "mended", frame, dialect, first, options.comment)


def _mended(path: Path, target: Path, frame: Frame, dialect: Dialect, first: _FirstRow, comment: str) -> CsvFile:
    table = frame
    if dialect.header:
        table = replace(frame, start=frame.start + first.size, lines=frame.lines + first.lines)
    header = (dialect.delimiter.join("c" * len(first.cells)) + "\n").encode()
    normalise(path, target, dialect, header=header, start=table.start, end=table.end, comment=comment)
    layout = scan(target, dialect.quote, careful=False)
    return CsvFile(target, dialect, first.cells, True, table.lines - 1, layout, frame.rows)


def _sample(path: Path, frame: Frame, comment: str) -> tuple[str, bool]:
    """Return the first characters of the table without comments, and whether they are all of it."""
    with path.open("rb") as file:
        file.seek(frame.start)
        content = file.read(min(SAMPLE, frame.end - frame.start))
    sample = content.decode("utf-8", errors="ignore")
    if comment:
        lines = io.StringIO(sample, newline="")
        sample = "".join(line for line in lines if not line.startswith(comment))
    return sample, len(content) == frame.end - frame.start


@dataclass(frozen=True)
class _FirstRow:
    cells: tuple[str, ...]
    size: int  # bytes from the table's start up to its end, with empty lines before it
    lines: int
    plain: bool  # one line, the very first


def _first_row(path: Path, dialect: Dialect, start: int) -> _FirstRow:
    read: list[str] = []
    cells: list[str] = []
    with path.open("rb") as file:
        file.seek(start)
        decoded = io.TextIOWrapper(file, encoding="utf-8", newline="")
        reader = dialect.reader(_kept(iter(lambda: decoded.readline(FIRST_ROW), ""), read))
        try:
            cells = next((row for row in reader if row), cells)
        except csv.Error as error:
            raise invalid(
                "unreadable", f"line {reader.line_num}: this is no CSV", reader=str(error), line=reader.line_num
            ) from error
    if len(cells) > MAX_COLUMNS:
        raise invalid("too-many-columns", f"{len(cells)} columns, at most {MAX_COLUMNS} are read", expected=MAX_COLUMNS)
    text = "".join(read)
    lines = text.count("\n") or text.count("\r")
    end = start + len(text.encode())
    size = (_line_end(path, end) if text.endswith("\r") else end) - start
    return _FirstRow(tuple(cells), size, lines, plain=len(read) == 1)


def _line_end(path: Path, offset: int) -> int:
    """Return where the line ends whose first carriage return ends at `offset`: CR CR LF ends one line, not two."""
    with path.open("rb") as file:
        file.seek(offset)
        rest = file.read(8)
    return offset + len(rest) - len(rest.lstrip(b"\r")) + 1 if rest.lstrip(b"\r").startswith(b"\n") else offset


def _kept(lines: Iterable[str], read: list[str]) -> Iterator[str]:
    """Yield `lines`, keeping what was asked for in `read`. Raises InvalidFile "line-too-long"."""
    size = 0
    for line in lines:
        read.append(line)
        size += len(line)
        if size >= FIRST_ROW:
            raise invalid("line-too-long", f"the first row has more than {FIRST_ROW} characters", expected=FIRST_ROW)
        yield line
