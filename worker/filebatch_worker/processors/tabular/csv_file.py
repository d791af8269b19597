"""Reads CSV and its kin: every field as text first, so that nothing is cast before the whole file is known."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filebatch_worker.processor import InvalidFile
from filebatch_worker.processors.tabular.column import Column
from filebatch_worker.processors.tabular.column_types import literal
from filebatch_worker.processors.tabular.csv_rejects import (
    LINE_BYTES,
    LONG_LINE_BYTES,
    CsvFile,
    Reject,
    bad_rows,
    locate,
    referee,
    rejects,
)
from filebatch_worker.processors.tabular.dialect import SAMPLE, Dialect, detect_dialect
from filebatch_worker.processors.tabular.layout import normalise, scan
from filebatch_worker.processors.tabular.measure import Measured, measure
from filebatch_worker.processors.tabular.naming import MAX_COLUMNS, column_names
from filebatch_worker.processors.tabular.options import TabularOptions
from filebatch_worker.processors.tabular.table import Table
from filebatch_worker.processors.tabular.text import TextFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

RECORDED_REJECTS = 1000  # beyond these only a lower bound is known


def read_csv(connection: DuckDBPyConnection, text: TextFile, workdir: Path, options: TabularOptions) -> Table:
    """Return the table in a delimited text file.

    Raises InvalidFile: "bad-quoting", "truncated", "line-too-long", "too-many-columns", "missing-column",
    "extra-column".
    """
    file = _open(text.path, workdir, options)
    columns = _columns(file, options)
    reading = _read(connection, file, columns, options)
    bad = tuple(bad_rows(file, reading.rejects))
    return Table(
        relation=reading.relation,
        parameters=(str(file.path),),
        measured=reading.measured,
        size=file.path.stat().st_size,
        facts=_facts(file, text.encoding),
        bad_rows=bad,
        locate=lambda rows: locate(file, rows, {row.line for row in bad}),
    )


def _open(path: Path, workdir: Path, options: TabularOptions) -> CsvFile:
    with path.open(encoding="utf-8", newline="") as file:
        sample = file.read(SAMPLE)
        whole = not file.read(1)
    dialect = detect_dialect(sample, options, whole=whole)
    first = _first_row(path, dialect)
    layout = scan(path, dialect.quote)
    if first.plain and layout.clean:
        return CsvFile(path, dialect, first.cells, dialect.header, 0, layout)
    skip, lines = (first.size, first.lines) if dialect.header else (0, 0)
    header = dialect.delimiter.join("c" * len(first.cells)) + "\n"
    mended = normalise(path, workdir / "mended", dialect.quote, header=header.encode(), skip=skip)
    return CsvFile(mended, dialect, first.cells, True, lines - 1, scan(mended, dialect.quote))


@dataclass(frozen=True)
class _FirstRow:
    cells: tuple[str, ...]
    size: int  # bytes up to its end, with empty lines before it
    lines: int
    plain: bool  # one line, the very first


def _first_row(path: Path, dialect: Dialect) -> _FirstRow:
    read: list[str] = []
    cells: list[str] = []
    with path.open(encoding="utf-8", newline="") as file:
        reader = dialect.reader(_kept(file, read))
        try:
            cells = next((row for row in reader if row), cells)
        except csv.Error as error:
            raise InvalidFile("unreadable", f"line {reader.line_num}: {error}", line=reader.line_num) from error
    if len(cells) > MAX_COLUMNS:
        raise InvalidFile(
            "too-many-columns", f"{len(cells)} columns, at most {MAX_COLUMNS} are read", expected=MAX_COLUMNS
        )
    text = "".join(read)
    lines = text.count("\n") or text.count("\r")
    return _FirstRow(tuple(cells), len(text.encode()), lines, plain=len(read) == 1)


def _kept(lines: Iterable[str], read: list[str]) -> Iterator[str]:
    """Yield `lines`, keeping what was asked for in `read`."""
    for line in lines:
        read.append(line)
        yield line


def _columns(file: CsvFile, options: TabularOptions) -> tuple[Column, ...]:
    width = len(file.raw_names)
    if file.dialect.header:
        names = column_names(file.raw_names)
        _refuse_ambiguous(file.raw_names, names, options)
        sources = [*file.raw_names]
    else:
        declared = list(options.columns)
        sources = names = declared if len(declared) == width else column_names([""] * width)
    return tuple(
        _column(at, name, source, options) for at, (name, source) in enumerate(zip(names, sources, strict=True))
    )


def _refuse_ambiguous(raw: Sequence[str], names: Sequence[str], options: TabularOptions) -> None:
    for source, name in zip(raw, names, strict=True):
        wanted = " ".join(source.split())
        if name != wanted and wanted in options.columns:
            raise InvalidFile("duplicate-column", f"column {wanted!r} is declared and occurs twice", column=wanted)


def _column(at: int, name: str, source: str, options: TabularOptions) -> Column:
    text = f"c{at}"
    if options.null_values:
        text = f"CASE WHEN c{at} NOT IN ({', '.join(map(literal, options.null_values))}) THEN c{at} END"
    comma = options.decimal_separator == ","
    return Column(
        name=name,
        source_name=source,
        text=text,
        classifier="comma_text_kind" if comma else "text_kind",
        number_text=f"translate({text}, ',.', '.,')" if comma else None,
    )


@dataclass(frozen=True)
class _Reading:
    relation: str
    measured: Measured
    rejects: tuple[Reject, ...]

    @property
    def has_long_lines(self) -> bool:
        return any(reject.error == "LINE SIZE OVER MAXIMUM" for reject in self.rejects)


def _read(
    connection: DuckDBPyConnection, file: CsvFile, columns: tuple[Column, ...], options: TabularOptions
) -> _Reading:
    """Read in parallel where that is safe, then ever more carefully until engine and layout agree on the records."""
    limit = max(RECORDED_REJECTS, options.max_bad_rows + 1)
    line_bytes, parallel = LINE_BYTES, not file.layout.quoted_line_ends
    while True:
        relation = _relation(file, len(columns), line_bytes, parallel=parallel)
        reading = _attempt(connection, file, relation, limit, columns, options)
        if reading.has_long_lines and line_bytes == LINE_BYTES:
            line_bytes = LONG_LINE_BYTES
        elif len(reading.rejects) >= limit or reading.measured.rows + len(reading.rejects) == file.expected_rows:
            return reading
        elif parallel:
            parallel = False
        else:
            referee(file, reading.measured.rows + len(reading.rejects))
            return reading


def _attempt(
    connection: DuckDBPyConnection,
    file: CsvFile,
    relation: str,
    limit: int,
    columns: tuple[Column, ...],
    options: TabularOptions,
) -> _Reading:
    for table in ("reject_errors", "reject_scans"):
        connection.execute(f"DROP TABLE IF EXISTS {table}")
    storing = relation.replace("ignore_errors=true", f"store_rejects=true, rejects_limit={limit}")
    measured = measure(connection, storing, (str(file.path),), columns, options)
    return _Reading(relation, measured, rejects(connection))


def _relation(file: CsvFile, width: int, line_bytes: int, *, parallel: bool) -> str:
    dialect = file.dialect
    names = ", ".join(f"'c{at}': 'VARCHAR'" for at in range(width))
    settings = {
        "auto_detect": "false",
        "header": str(file.has_header_line).lower(),
        "delim": literal(dialect.delimiter),
        "quote": literal(dialect.quote),
        "escape": literal(dialect.escape),
        "columns": f"{{{names}}}",
        "nullstr": "''",
        "allow_quoted_nulls": "false",
        "strict_mode": "true",  # without it the engine drops surplus fields without a word
        "ignore_errors": "true",
        "max_line_size": str(line_bytes),
        "parallel": str(parallel).lower(),
        "compression": "'none'",
        "hive_partitioning": "false",
    }
    return f"read_csv(?, {', '.join(f'{name}={value}' for name, value in settings.items())})"


def _facts(file: CsvFile, encoding: str) -> dict[str, Any]:
    dialect = file.dialect
    return {
        "format": "csv",
        "encoding": encoding,
        "dialect": {
            "delimiter": dialect.delimiter,
            "quote": dialect.quote or None,
            "escape": dialect.escape or None,
            "header": dialect.header,
        },
    }
