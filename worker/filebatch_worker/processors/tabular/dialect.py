"""Finds out how a CSV file is written: delimiter, quote, escape, and whether its first row names the columns.

It reads a sample with each likely combination and takes the one that makes the most regular table. What it finds is
only how to read; every row is checked against it later.
"""

from __future__ import annotations

import csv
import io
import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from filebatch_worker.processors.tabular.options import TabularOptions

if TYPE_CHECKING:
    import _csv

SAMPLE = 256 * 1024  # characters
ROWS = 1000
DELIMITERS = ",;\t|"  # in the order they are preferred where two fit alike

csv.field_size_limit(min(sys.maxsize, 2**31 - 1))

_SINGLE_QUOTED = re.compile(r"(?:^|[,;\t|])'(?:[^'\n]|'')*'(?=[,;\t|\r\n]|$)", re.MULTILINE)
_YEAR = re.compile(r"(19|20)\d\d")
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ]\d\d:\d\d.*)?")
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)*|[.,]\d+)([eE][+-]?\d+)?%?")


@dataclass(frozen=True)
class Dialect:
    """How a file is written. `quote` and `escape` are empty where there is no quoting."""

    delimiter: str
    quote: str
    escape: str
    header: bool

    def reader(self, lines: Iterable[str], *, strict: bool = False) -> _csv.Reader:
        """Return Python's own reader for this dialect: slower than the engine's, and independent of it."""
        return csv.reader(
            lines,
            delimiter=self.delimiter,
            quotechar=self.quote or None,
            quoting=csv.QUOTE_MINIMAL if self.quote else csv.QUOTE_NONE,
            doublequote=self.escape == self.quote,
            escapechar=None if self.escape == self.quote else self.escape,
            strict=strict,
        )


def detect_dialect(sample: str, options: TabularOptions, *, whole: bool) -> Dialect:
    """Return the dialect of a file that starts with `sample`, which is `whole` where nothing follows it."""
    candidates = [
        Dialect(delimiter, quote, escape, header=True)
        for quote, escape in _quoting(sample, options)
        for delimiter in options.delimiter or DELIMITERS
    ]
    read = [(candidate, _rows(candidate, sample, whole=whole)) for candidate in candidates]
    best, rows = max(read, key=lambda item: _regularity(item[1]))
    if options.delimiter is None and _regularity(rows)[0] == 0:
        best, rows = _single_column(sample, read)
    header = _has_header(rows) if options.header is None else options.header
    return Dialect(best.delimiter, best.quote, best.escape, header)


def _quoting(sample: str, options: TabularOptions) -> list[tuple[str, str]]:
    if options.quote is not None:
        return [(options.quote, options.quote)]
    quote = '"'
    if '"' not in sample and _SINGLE_QUOTED.search(sample):
        quote = "'"
    return [(quote, quote), (quote, "\\")] if f"\\{quote}" in sample else [(quote, quote)]


def _rows(dialect: Dialect, sample: str, *, whole: bool) -> list[list[str]]:
    reader = dialect.reader(io.StringIO(sample, newline=""))
    rows = [row for row in islice(reader, ROWS) if row]
    return rows if whole or len(rows) in (1, ROWS) else rows[:-1]


def _regularity(rows: Sequence[Sequence[str]]) -> tuple[int, int, float, int]:
    """Return what ranks a reading: more than one column, a first row as wide as most, how many are, how wide."""
    if not rows:
        return (0, 0, 0.0, 0)
    width, count = Counter(map(len, rows)).most_common(1)[0]
    share = count / len(rows)
    first_fits = len(rows[0]) == width
    is_table = width > 1 and (first_fits or share > 0.5)
    return (int(is_table), int(first_fits), share, width)


def _single_column(sample: str, read: list[tuple[Dialect, list[list[str]]]]) -> tuple[Dialect, list[list[str]]]:
    """Prefer a delimiter that doesn't occur, so that a column of prose isn't split by its commas."""
    unused = [item for item in read if item[0].delimiter not in sample]
    return (unused or read)[0]


def _has_header(rows: Sequence[Sequence[str]]) -> bool:
    """A first row is a header unless it looks like data: a number or date that the column below doesn't belie.

    A text above a column of numbers or dates settles it, and so does a year above what are no years. Where all is
    text nothing can, and a header is taken for granted: feeds without one say `header: false`.
    """
    if not rows:
        return True
    first, below = rows[0], [row for row in rows[1:] if len(row) == len(rows[0])]
    if any(_heads(name, [row[at] for row in below]) for at, name in enumerate(first)):
        return True
    return not any(_is_value(name) for name in first)


def _heads(name: str, column: Sequence[str]) -> bool:
    """Whether `name` is of another kind than the values below it."""
    values = [cell for cell in column if cell.strip()]
    if not values or not all(map(_is_value, values)):
        return False
    return not _is_value(name) or (bool(_YEAR.fullmatch(name)) and not any(map(_YEAR.fullmatch, values)))


def _is_value(cell: str) -> bool:
    text = cell.strip()
    return bool(_NUMBER.fullmatch(text) or _DATE.fullmatch(text)) or text.lower() in ("true", "false")
