"""Finds out how a CSV file is written: delimiter, quote, escape, and whether its first row names the columns.

It reads a sample with each likely combination and takes the one that makes the most regular table with the most typed
columns. What it finds is only how to read; every row is checked against it later.
"""

from __future__ import annotations

import csv
import io
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from filebatch_worker.processor import InvalidFile
from filebatch_worker.processors.tabular.cells import MIXED, NOTHING, TEXT, kind_of, kind_of_all
from filebatch_worker.processors.tabular.faults import invalid
from filebatch_worker.processors.tabular.header import has_header
from filebatch_worker.processors.tabular.options import TabularOptions
from filebatch_worker.processors.tabular.single_quotes import are_quotes

if TYPE_CHECKING:
    import _csv

SAMPLE = 256 * 1024  # characters
ROWS = 1000
DELIMITERS = ",;\t|"

csv.field_size_limit(min(sys.maxsize, 2**31 - 1))


@dataclass(frozen=True)
class Dialect:
    """How a file is written. `quote` and `escape` are empty where there is no quoting.

    `blanks` is whether blanks may stand between a delimiter and a quote: they are no part of the value.
    """

    delimiter: str
    quote: str
    escape: str
    header: bool
    blanks: bool = False

    def reader(self, lines: Iterable[str], *, strict: bool = False) -> _csv.Reader:
        """Return Python's own reader for this dialect: slower than the engine's, and independent of it."""
        return csv.reader(
            lines,
            delimiter=self.delimiter,
            quotechar=self.quote or None,
            quoting=csv.QUOTE_MINIMAL if self.quote else csv.QUOTE_NONE,
            doublequote=self.escape == self.quote,
            escapechar=None if self.escape == self.quote else self.escape,
            skipinitialspace=self.blanks,
            strict=strict,
        )


@dataclass(frozen=True)
class _Reading:
    """A sample as a dialect reads it: its rows, and how many lines it can't read."""

    dialect: Dialect
    rows: list[list[str]]
    faults: int

    @cached_property
    def width(self) -> int:
        """The number of columns that most rows have."""
        return Counter(map(len, self.rows)).most_common(1)[0][0] if self.rows else 0

    def regularity(self) -> tuple[bool, bool, float]:
        """Return whether this is a table of several columns, whether its first row has them all, how many rows do."""
        if self.width < 2:
            return (False, False, 0.0)
        share = sum(len(row) == self.width for row in self.rows) / (len(self.rows) + self.faults)
        first_fits = len(self.rows[0]) == self.width
        return (first_fits or share > 0.5, first_fits, share)

    def typed_columns(self) -> int:
        """Return in how many columns all values, below what may be a header, are of one kind that isn't text."""
        below = [row for row in self.rows[1:] or self.rows if len(row) == self.width]
        kinds = (kind_of_all(row[at] for row in below) for at in range(self.width))
        return sum(kind not in (NOTHING, TEXT, MIXED) for kind in kinds)

    def unexplained(self) -> int:
        """Return how many other delimiters stand in its cells, but for those of numbers and those of prose."""
        others = set(DELIMITERS) - {self.dialect.delimiter}
        texts = [cell for row in self.rows for cell in row if not others.isdisjoint(cell) and kind_of(cell) == TEXT]
        return sum(cell.count(other) - cell.count(f"{other} ") for cell in texts for other in others)


def detect_dialect(sample: str, options: TabularOptions, *, whole: bool, tabs: bool = False) -> Dialect:
    """Return the dialect of a file that starts with `sample`, which is `whole` where nothing follows it.

    `tabs` is whether the file's name says that tabs delimit. Raises InvalidFile "ambiguous" where two delimiters fit
    alike.
    """
    readings = [_read(candidate, sample, whole=whole) for candidate in _candidates(sample, options)]
    best = _by_name(readings) if tabs and options.delimiter is None else None
    best = best or _most_regular(readings)
    if options.delimiter is None and not best.regularity()[0]:
        best = _single_column(sample, readings)
    return replace(best.dialect, header=has_header(best.rows, options))


def _candidates(sample: str, options: TabularOptions) -> Iterator[Dialect]:
    for delimiter in options.delimiter or DELIMITERS:
        for quote, escape in _quoting(sample, delimiter, options):
            if quote and f"{delimiter} " in sample and re.search(f"{re.escape(delimiter)} +{quote}", sample):
                yield Dialect(delimiter, quote, escape, header=True, blanks=True)
            yield Dialect(delimiter, quote, escape, header=True)


def _quoting(sample: str, delimiter: str, options: TabularOptions) -> list[tuple[str, str]]:
    quote = options.quote
    if quote is None:
        quote = "'" if '"' not in sample and are_quotes(sample, delimiter) else '"'
    escapes = {"double": [quote], "backslash": ["\\"]}.get(options.escape or "")
    if escapes is None:
        found = quote and options.quote is None and f"\\{quote}" in sample
        escapes = [quote, "\\"] if found else [quote]
    return [(quote, escape if quote else "") for escape in escapes]


def _read(dialect: Dialect, sample: str, *, whole: bool) -> _Reading:
    rows: list[list[str]] = []
    faults = 0
    reader = dialect.reader(io.StringIO(sample, newline=""), strict=True)
    while len(rows) + faults < ROWS:
        try:
            row = next(reader)
        except StopIteration:
            cut = not whole and len(rows) > 1
            return _Reading(dialect, rows[:-1] if cut else rows, faults)
        except csv.Error:
            faults += 1
            continue
        if row:
            rows.append(row)
    return _Reading(dialect, rows, faults)


def _by_name(readings: Sequence[_Reading]) -> _Reading | None:
    fitting = [reading for reading in readings if reading.dialect.delimiter == "\t" and reading.regularity()[0]]
    return max(fitting, key=_Reading.regularity, default=None)


def _most_regular(readings: Sequence[_Reading]) -> _Reading:
    """Return the reading that makes the best table: the most regular, then that with the most typed columns."""
    regular = max(map(_Reading.regularity, readings))
    rivals = [reading for reading in readings if reading.regularity() == regular]
    if len({reading.dialect.delimiter for reading in rivals}) < 2 or not regular[0]:
        return rivals[0]
    ranks = [(reading.typed_columns(), -reading.unexplained()) for reading in rivals]
    best = [reading for reading, rank in zip(rivals, ranks, strict=True) if rank == max(ranks)]
    if len({reading.dialect.delimiter for reading in best}) > 1:
        raise _ambiguous([reading.dialect.delimiter for reading in best])
    return best[0]


def _ambiguous(delimiters: Sequence[str]) -> InvalidFile:
    shown = " and ".join("tab" if delimiter == "\t" else delimiter for delimiter in dict.fromkeys(delimiters))
    return invalid(
        "ambiguous", f"the delimiters {shown} fit alike: declare which it is (option delimiter)", found=shown
    )


def _single_column(sample: str, readings: Sequence[_Reading]) -> _Reading:
    """Prefer a delimiter that doesn't occur, so that a column of prose isn't split by its commas."""
    unused = [reading for reading in readings if reading.dialect.delimiter not in sample]
    return (unused or readings)[0]
