"""Reads JSON objects: one per line (NDJSON), one after the other in any lines, or in one array.

Objects and arrays within them stay JSON text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from filebatch_worker.processor import InvalidFile
from filebatch_worker.processors.tabular.column_types import literal
from filebatch_worker.processors.tabular.faults import invalid
from filebatch_worker.processors.tabular.json_at_once import write_at_once
from filebatch_worker.processors.tabular.json_numbers import PRINTED_FRACTION, as_written, with_exact_numbers
from filebatch_worker.processors.tabular.json_objects import JsonFile, columns_of, keys_of
from filebatch_worker.processors.tabular.measure import Measured, Relation, batches, measure
from filebatch_worker.processors.tabular.options import TabularOptions
from filebatch_worker.processors.tabular.table import BadRow, Table, refusal
from filebatch_worker.processors.tabular.text import TextFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

BLANKS = " \t\r\n"
TAIL = 64 * 1024  # bytes read at once from the end

_POSITION = re.compile(r"at byte (\d+) in record/value (\d+): (.*)")


def read_json(
    connection: DuckDBPyConnection, text: TextFile, target: Path, options: TabularOptions, *, form: str
) -> Table:
    """Return the table in a file of JSON objects, its columns in the order of their first appearance.

    It is written to `target` if that goes without a closer look.

    `form` is how the objects lie: "ndjson", "objects" or "json", as in formats.

    Raises InvalidFile: "bad-json", "truncated", "empty" (no object with a key), "too-many-columns", "duplicate-key",
    "missing-column", "extra-column".
    """
    file = JsonFile(text.path, form)
    is_whole = form != "json" or _is_closed(text.path)
    at_once = write_at_once(connection, file, options, target) if is_whole else None
    if at_once is None:
        return _read(connection, text, options, form)
    return Table(
        relation=at_once.relation,
        parameters=(str(file.path),),
        measured=at_once.measured,
        size=file.path.stat().st_size,
        facts=_facts(file, text),
        written=at_once.written,
    )


def _facts(file: JsonFile, text: TextFile) -> dict[str, str | bool]:
    return {"format": "ndjson" if file.by_line else "json", **text.facts}


def _read(connection: DuckDBPyConnection, text: TextFile, options: TabularOptions, form: str) -> Table:
    """Return the table after passes over the whole file that find every column's type and every bad row."""
    path, marks = with_exact_numbers(text.path)
    file = JsonFile(path, form)
    keys = _keys(connection, file)
    if form == "json" and not _is_closed(text.path):
        raise _cut(None)
    count = connection.execute("SELECT sum(objects) FROM key_lists WHERE keys IS NULL").fetchall()[0][0] or 0
    bad = tuple(_bad_rows(connection, file, options.max_bad_rows + 1)) if count else ()
    if not keys:
        raise _nothing(bad)
    if count > options.max_bad_rows:
        raise refusal(bad[0], count, options.max_bad_rows)
    measured = measure(file.rows(connection, keys), tuple(columns_of(keys, options, marks)), options)
    if _prints_fractions(connection, file, keys, measured):
        path, marks = as_written(text.path)
        if marks:
            file, before = JsonFile(path, form), measured.rows
            measured = measure(file.rows(connection, keys), tuple(columns_of(keys, options, marks)), options)
            if measured.rows != before:
                raise RuntimeError(f"marking numbers made {measured.rows} rows of {before}; this is a fault of tabular")
    relation = file.rows(connection, keys)
    return Table(
        relation=relation.sql,
        parameters=relation.parameters,
        sql_of=relation.sql_of,
        measured=measured,
        size=file.path.stat().st_size,
        facts=_facts(file, text),
        bad_rows=bad,
        locate=lambda rows: _locate(file, rows, {row.row for row in bad}),
    )


def _keys(connection: DuckDBPyConnection, file: JsonFile) -> list[str]:
    import duckdb

    try:
        return keys_of(Relation(connection, file.values(), (str(file.path),)))
    except duckdb.Error as error:
        raise _malformed(file, error) or error from error


def _prints_fractions(connection: DuckDBPyConnection, file: JsonFile, keys: Sequence[str], measured: Measured) -> bool:
    """Whether what is stored as text holds numbers, be it within objects and arrays, that the engine may print."""
    texts = [column.column for column in measured.columns if column.type.sql == "VARCHAR"]
    rows = file.rows(connection, keys)
    return any(
        rows.all(
            f"SELECT 1 FROM (SELECT unnest([{', '.join(column.json or '' for column in batch)}]) AS v "  # noqa: S608
            f"FROM {rows.only(batch).sql}) "
            f"WHERE v[1] <> '\"' AND regexp_matches(v, {literal(PRINTED_FRACTION)}) LIMIT 1"
        )
        for batch in batches(texts)
    )


def _is_closed(path: Path) -> bool:
    """Return whether an array has its closing bracket: the engine takes one that is cut after a comma for whole."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        tail = b""
        while size > 0 and not tail:
            start = max(0, size - TAIL)
            file.seek(start)
            tail = file.read(size - start).rstrip()
            size = start
    return tail.endswith(b"]")


def _cut(row: int | None) -> InvalidFile:
    return invalid("truncated", "the JSON array is not closed: the file was cut short", row=row)


def _malformed(file: JsonFile, error: Exception) -> InvalidFile | None:
    """Return what is wrong with values that don't lie by line, which the engine reads to the first error."""
    found = _POSITION.search(str(error))
    if not found:
        return None
    byte, row = int(found[1]), int(found[2]) - 1  # the engine counts the array itself
    ends = "end of data" in found[3] or "length is 0" in found[3]
    if file.form == "json" and ends and not _is_closed(file.path):
        return _cut(row)
    if file.form == "json" and ends:
        return invalid("bad-json", f"no value follows the comma after value {row - 1} of the array", row=row)
    if ends:
        return invalid("truncated", f"object {row} is not closed: the file was cut short", row=row)
    return invalid("bad-json", f"value {row} is no JSON from its byte {byte} on", row=row, byte=byte)


def _bad_rows(connection: DuckDBPyConnection, file: JsonFile, limit: int) -> Iterator[BadRow]:
    found = connection.execute(
        f"SELECT row, type FROM (SELECT row_number() OVER () AS row, json_type(json) AS type FROM {file.values()}) "  # noqa: S608
        f"WHERE type IS NULL OR type <> 'OBJECT' ORDER BY row LIMIT {limit}",
        (str(file.path),),
    ).fetchall()
    if not file.by_line:
        yield from (_no_object(kind, row=row) for row, kind in found)
        return
    lines = _lines(file.path, (row for row, _ in found))
    for row, kind in found:
        line, text, is_last = lines[row]
        yield _no_object(kind, row=row, line=line) if kind else _no_json(text, row, line, cut=is_last)


def _no_object(kind: str, *, row: int, line: int | None = None) -> BadRow:
    found = kind.lower()
    return BadRow("bad-json", f"expected an object, found {found}", line, row, None, "object", found)


def _no_json(text: str, row: int, line: int, *, cut: bool) -> BadRow:
    place = ""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        place = f" from its character {error.pos + 1} on"
    except (ValueError, RecursionError):
        pass  # too deep, or a number too long: it is no such object as a whole
    return BadRow("truncated" if cut else "bad-json", f"this is no JSON object{place}", line=line, row=row)


def _lines(path: Path, rows: Iterable[int]) -> dict[int, tuple[int, str, bool]]:
    """Return line number, text and whether the file ends there without a newline, for lines that aren't blank."""
    wanted = set(rows)
    found: dict[int, tuple[int, str, bool]] = {}
    with path.open(encoding="utf-8", newline="\n") as file:
        row = 0
        for number, line in enumerate(file, 1):
            row += bool(line.strip(BLANKS))
            if row in wanted and row not in found:
                found[row] = (number, line, not line.endswith("\n"))
            if len(found) == len(wanted):
                break
    return found


def _nothing(bad: Sequence[BadRow]) -> InvalidFile:
    if bad:
        first = bad[0]
        return invalid(first.code, f"no row is a JSON object; the first: {first.reason}", first.detail, line=first.line)
    return invalid("empty", "there is no JSON object with a key")


def _locate(file: JsonFile, rows: Sequence[int], bad: set[int | None]) -> dict[int, int]:
    """Return the lines of `rows` of the relation, which leaves out the bad ones."""
    if not file.by_line:
        return {}
    wanted, found = set(rows), dict[int, int]()
    kept = row = 0
    with file.path.open(encoding="utf-8", newline="\n") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip(BLANKS):
                continue
            row += 1
            kept += row not in bad
            if kept in wanted and kept not in found:
                found[kept] = number
            if len(found) == len(wanted):
                break
    return found
