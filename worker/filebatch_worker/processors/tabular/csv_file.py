"""Reads CSV and its kin: every field as text first, so that nothing is cast before the whole file is known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filebatch_worker.processors.tabular.at_once import write_at_once
from filebatch_worker.processors.tabular.column import Column
from filebatch_worker.processors.tabular.column_types import literal, without_thousands
from filebatch_worker.processors.tabular.csv_open import open_csv
from filebatch_worker.processors.tabular.csv_records import CsvFile, Survey, locate, survey
from filebatch_worker.processors.tabular.dialect import Dialect
from filebatch_worker.processors.tabular.faults import invalid
from filebatch_worker.processors.tabular.glance import kinds_of
from filebatch_worker.processors.tabular.layout import scan
from filebatch_worker.processors.tabular.measure import SAMPLE_ROWS, Measured, Relation, measure
from filebatch_worker.processors.tabular.naming import column_names
from filebatch_worker.processors.tabular.options import TabularOptions
from filebatch_worker.processors.tabular.table import BadRow, Table, Written, refusal
from filebatch_worker.processors.tabular.text import TextFile, longest_line

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LINE_BYTES = (2 * 1024**2, 16 * 1024**2, 256 * 1024**2)  # tried in turn: the engine's buffers grow with them
BUFFER_BYTES = 32 * 1024**2
DETAILED = 100  # bad rows that are told in detail
SHOWN = 300  # characters of the engine's messages


def read_csv(
    connection: DuckDBPyConnection, text: TextFile, target: Path, options: TabularOptions, *, tabs: bool
) -> Table:
    """Return the table in a delimited text file, written to `target` if that goes without a closer look.

    Copies are made beside the file. `tabs` is whether its name says that tabs delimit.

    Raises InvalidFile: "ragged", "truncated", "bad-quoting", "line-too-long", "too-many-columns", "missing-column",
    "extra-column", "duplicate-column", "ambiguous", "unreadable".
    """
    file = open_csv(text.path, text.path.parent, options, tabs=tabs)
    file = replace(file, fill=options.short_rows == "fill")
    reader = _Reader(connection, file, _columns(file, options), options)
    reading = reader.write(target) or _read(reader.with_exact_layout())
    _check_count(file.told_rows, reading.measured.rows + len(reading.bad))
    return Table(
        relation=reading.relation,
        parameters=(str(file.path),),
        measured=reading.measured,
        size=file.path.stat().st_size,
        facts={"format": "csv", **text.facts, "dialect": _described(file.dialect)},
        bad_rows=reading.bad,
        written=reading.written,
        locate=lambda rows: locate(file, rows),
    )


def _check_count(told: int | None, rows: int) -> None:
    if told is not None and told != rows:
        raise invalid("truncated", f"the trailer says {told} rows, and there are {rows}", expected=told, found=rows)


def _columns(file: CsvFile, options: TabularOptions) -> tuple[Column, ...]:
    width = len(file.raw_names)
    if file.dialect.header:
        names = column_names(file.raw_names, options.names)
        sources = [*file.raw_names]
    else:
        declared = list(options.columns)
        sources = names = declared if len(declared) == width else column_names([""] * width)
    return tuple(
        _column(at, name, source, options) for at, (name, source) in enumerate(zip(names, sources, strict=True))
    )


def _column(at: int, name: str, source: str, options: TabularOptions) -> Column:
    text = f"c{at}"
    if options.null_values:
        text = f"CASE WHEN {text} NOT IN ({', '.join(map(literal, options.null_values))}) THEN {text} END"
    thousands, decimal = options.thousands_separator, options.decimal_separator
    ungrouped = without_thousands(text, thousands, decimal) if thousands else None
    number = ungrouped or text
    return Column(
        name=name,
        source_name=source,
        text=text,
        classifier="comma_kind" if decimal == "," else "trimmed_kind",
        ungrouped=ungrouped,
        number_text=f"translate({number}, ',.', '.,')" if decimal == "," else ungrouped,
    )


class _UnreadableError(Exception):
    """The engine found fault with the file; what it says of the place is less than the survey does."""


@dataclass(frozen=True)
class _Reading:
    relation: str
    measured: Measured
    bad: tuple[BadRow, ...] = ()
    written: Written | None = None


@dataclass(frozen=True)
class _Reader:
    """Has the engine read a file, in one way or another."""

    connection: DuckDBPyConnection
    file: CsvFile
    columns: tuple[Column, ...]
    options: TabularOptions

    def write(self, target: Path) -> _Reading | None:
        """Write the table at once, or return None where it takes a closer look."""
        parallel = not self.file.layout.quoted_line_ends
        table = self._table(LINE_BYTES[0], parallel=parallel, skip_bad=False)
        size, rows = self.file.path.stat().st_size, self.file.expected_rows
        kinds = kinds_of(self.file, self.columns, rows, self.options) if rows <= SAMPLE_ROWS else None
        at_once = write_at_once(table, self.columns, self.options, kinds, size, rows, target)
        if at_once is None:
            return None
        measured, written = at_once
        right = measured.rows == rows or measured.rows == self.with_exact_layout().file.expected_rows
        return _Reading(table.sql, measured, written=written) if right else None

    def with_exact_layout(self) -> _Reader:
        """Return the reader with a layout in which no empty line counts as a record."""
        return replace(self, file=replace(self.file, layout=scan(self.file.path, self.file.dialect.quote)))

    def read(self, line_bytes: int, *, parallel: bool = False, skip_bad: bool = False) -> _Reading:
        table = self._table(line_bytes, parallel=parallel, skip_bad=skip_bad)
        return _Reading(table.sql, measure(table, self.columns, self.options))

    def _table(self, line_bytes: int, *, parallel: bool, skip_bad: bool) -> Relation:
        quoted_null = self.options.quoted_empty == "null"
        relation = _relation(self.file, line_bytes, parallel=parallel, skip_bad=skip_bad, quoted_null=quoted_null)
        return Relation(self.connection, relation, (str(self.file.path),))


def _read(reader: _Reader) -> _Reading:
    """Read in parallel where that is safe, then ever more carefully until engine and layout agree on the records.

    Raises InvalidFile where the rows that are bad are too many, or can't be told from the good.
    """
    file, options = reader.file, reader.options
    problem = ""
    measured = -1
    for parallel in (False,) if file.layout.quoted_line_ends else (True, False):
        try:
            reading = _read_whole(reader, parallel=parallel)
        except _UnreadableError as error:
            problem = str(error)
            continue
        measured = reading.measured.rows
        if measured == file.expected_rows:
            return reading
    found = survey(file, max(DETAILED, options.max_bad_rows))
    if found.bad > options.max_bad_rows:
        raise refusal(found.first_bad[0], found.bad, options.max_bad_rows)
    if found.bad:
        return _read_good(reader, found)
    if measured == found.good:  # stray quotes confuse the layout alone
        return reading
    raise invalid("unreadable", "where rows end can't be told, as quotes don't match", reader=problem or None)


def _read_whole(reader: _Reader, *, parallel: bool) -> _Reading:
    import duckdb

    for line_bytes in LINE_BYTES:
        try:
            return reader.read(line_bytes, parallel=parallel)
        except (duckdb.InvalidInputException, duckdb.NotImplementedException) as error:
            problem, longest = str(error), longest_line(reader.file.path)
            if longest > LINE_BYTES[-1]:
                break
            # A line longer than its buffers is the wrong number of columns to the engine.
            if "aximum line size" not in problem and longest <= line_bytes:
                raise _UnreadableError(problem.splitlines()[0][:SHOWN]) from error
    raise invalid("line-too-long", f"a line has more than {LINE_BYTES[-1]} bytes", expected=LINE_BYTES[-1])


def _read_good(reader: _Reader, found: Survey) -> _Reading:
    """Read all but the bad rows, which are skipped without a word: hence the count."""
    for line_bytes in LINE_BYTES:
        reading = reader.read(line_bytes, skip_bad=True)
        if reading.measured.rows == found.good:
            return replace(reading, bad=found.first_bad)
    raise invalid(
        "bad-quoting",
        "where rows end can't be told, as quotes don't match",
        expected=found.good,
        found=reading.measured.rows,
    )


def _relation(file: CsvFile, line_bytes: int, *, parallel: bool, skip_bad: bool, quoted_null: bool) -> str:
    dialect = file.dialect
    names = ", ".join(f"'c{at}': 'VARCHAR'" for at in range(file.width))
    settings = {
        "auto_detect": "false",
        "header": str(file.has_header_line).lower(),
        "delim": literal(dialect.delimiter),
        "quote": literal(dialect.quote),
        "escape": literal(dialect.escape),
        "columns": f"{{{names}}}",
        "nullstr": "''",
        "allow_quoted_nulls": str(quoted_null).lower(),
        "null_padding": str(file.fill).lower(),
        "strict_mode": "true",  # without it the engine drops surplus fields without a word
        "ignore_errors": str(skip_bad).lower(),
        "max_line_size": str(line_bytes),
        "buffer_size": str(max(BUFFER_BYTES, 2 * line_bytes)),
        "parallel": str(parallel).lower(),
        "compression": "'none'",
        "hive_partitioning": "false",
    }
    return f"read_csv(?, {', '.join(f'{name}={value}' for name, value in settings.items())})"


def _described(dialect: Dialect) -> dict[str, Any]:
    return {
        "delimiter": dialect.delimiter,
        "quote": dialect.quote or None,
        "escape": dialect.escape or None,
        "header": dialect.header,
    }
