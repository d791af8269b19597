"""Reads JSON objects: one per line (NDJSON), one after the other in any lines, or in one array.

Objects and arrays within them stay JSON text.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filebatch_worker.processor import InvalidFile
from filebatch_worker.processors.tabular.column import Column
from filebatch_worker.processors.tabular.column_types import identifier, literal
from filebatch_worker.processors.tabular.faults import invalid
from filebatch_worker.processors.tabular.json_numbers import as_written, unmarked, unmarked_json, with_exact_numbers
from filebatch_worker.processors.tabular.measure import Measured, Relation, batches, measure
from filebatch_worker.processors.tabular.naming import MAX_COLUMNS, column_names
from filebatch_worker.processors.tabular.options import TabularOptions
from filebatch_worker.processors.tabular.table import BadRow, Table, refusal
from filebatch_worker.processors.tabular.text import TextFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

BLANKS = " \t\r\n"
TAIL = 64 * 1024  # bytes read at once from the end

_FRACTION = r"^-?[0-9]+[.e]|^-0|^[\[{](.|\n)*[0-9][.e]|^[\[{](.|\n)*-0"  # in JSON as the engine prints it
_POSITION = re.compile(r"at byte (\d+) in record/value (\d+): (.*)")


@dataclass(frozen=True)
class _JsonFile:
    path: Path
    form: str  # "ndjson", "objects" or "json", as in formats

    @property
    def by_line(self) -> bool:
        """Whether a value is a line."""
        return self.form == "ndjson"

    @property
    def objects(self) -> str:
        """SQL for one row per value of the file; a line that is no JSON is a NULL."""
        form = {"ndjson": "newline_delimited", "objects": "unstructured", "json": "array"}[self.form]
        tolerance = ", ignore_errors=true" if self.by_line else ""
        return f"read_json_objects(?, format='{form}', compression='none'{tolerance})"


def read_json(connection: DuckDBPyConnection, text: TextFile, options: TabularOptions, *, form: str) -> Table:
    """Return the table in a file of JSON objects, its columns in the order of their first appearance.

    `form` is how the objects lie: "ndjson", "objects" or "json", as in formats.

    Raises InvalidFile: "bad-json", "truncated", "empty" (no object with a key), "too-many-columns", "duplicate-key",
    "missing-column", "extra-column".
    """
    path, marks = with_exact_numbers(text.path)
    file = _JsonFile(path, form)
    keys = _keys(connection, file)
    if form == "json" and not _is_closed(text.path):
        raise _cut(None)
    count = connection.execute("SELECT sum(objects) FROM key_lists WHERE keys IS NULL").fetchall()[0][0] or 0
    bad = tuple(_bad_rows(connection, file, options.max_bad_rows + 1)) if count else ()
    if not keys:
        raise _nothing(bad)
    if count > options.max_bad_rows:
        raise refusal(bad[0], count, options.max_bad_rows)
    measured = _measured(connection, file, keys, options, marks)
    if _prints_fractions(connection, file, keys, measured):
        path, marks = as_written(text.path)
        if marks:
            file, before = _JsonFile(path, form), measured.rows
            measured = _measured(connection, file, keys, options, marks)
            if measured.rows != before:
                raise RuntimeError(f"marking numbers made {measured.rows} rows of {before}; this is a fault of tabular")
    return Table(
        relation=_relation(file, keys),
        parameters=(str(file.path),),
        measured=measured,
        size=file.path.stat().st_size,
        facts={"format": "ndjson" if file.by_line else "json", **text.facts},
        bad_rows=bad,
        locate=lambda rows: _locate(file, rows, {row.row for row in bad}),
    )


def _rows(connection: DuckDBPyConnection, file: _JsonFile, keys: Sequence[str]) -> Relation:
    return Relation(connection, _relation(file, keys), (str(file.path),))


def _measured(
    connection: DuckDBPyConnection, file: _JsonFile, keys: Sequence[str], options: TabularOptions, marks: str
) -> Measured:
    return measure(_rows(connection, file, keys), tuple(_columns(keys, options, marks)), options)


def _prints_fractions(connection: DuckDBPyConnection, file: _JsonFile, keys: Sequence[str], measured: Measured) -> bool:
    """Whether what is stored as text holds numbers, be it within objects and arrays, that the engine may print."""
    texts = [column.column.json or "" for column in measured.columns if column.type.sql == "VARCHAR"]
    rows = _rows(connection, file, keys)
    return any(
        rows.all(
            f"SELECT 1 FROM (SELECT unnest([{', '.join(batch)}]) AS v FROM {rows.sql}) "  # noqa: S608
            f"WHERE v[1] <> '\"' AND regexp_matches(v, {literal(_FRACTION)}) LIMIT 1"
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


def _keys(connection: DuckDBPyConnection, file: _JsonFile) -> list[str]:
    """Return the keys of all objects of the file."""
    try:
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE key_lists AS SELECT keys, min(row) AS first, count(*) AS objects FROM ("  # noqa: S608 - no text of the file
            "SELECT CASE WHEN json_type(json) = 'OBJECT' THEN json_keys(json) END AS keys, row_number() OVER () AS row "
            f"FROM {file.objects}) GROUP BY keys",
            (str(file.path),),
        )
    except Exception as error:
        raise _malformed(file, error) or error from error
    _refuse_repeated(connection)
    found = connection.execute(
        "SELECT key FROM (SELECT first, unnest(keys) AS key, generate_subscripts(keys, 1) AS place FROM key_lists) "  # noqa: S608
        f"GROUP BY key ORDER BY min(first * 1000000 + place) LIMIT {MAX_COLUMNS + 1}"
    ).fetchall()
    keys = [key for (key,) in found]
    if len(keys) > MAX_COLUMNS:
        raise invalid("too-many-columns", f"more than {MAX_COLUMNS} different keys", expected=MAX_COLUMNS)
    if any("\0" in key for key in keys):
        raise invalid("nul-byte", "a key holds a NUL character")
    return keys


def _refuse_repeated(connection: DuckDBPyConnection) -> None:
    found = connection.execute(
        "SELECT first, keys FROM key_lists WHERE len(keys) <> len(list_distinct(keys)) ORDER BY first LIMIT 1"
    ).fetchone()
    if found:
        row, keys = found
        key = Counter(keys).most_common(1)[0][0]
        raise invalid("duplicate-key", f"object {row} holds a key twice", repr(key), row=row, column=key)


def _malformed(file: _JsonFile, error: Exception) -> InvalidFile | None:
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


def _bad_rows(connection: DuckDBPyConnection, file: _JsonFile, limit: int) -> Iterator[BadRow]:
    found = connection.execute(
        f"SELECT row, type FROM (SELECT row_number() OVER () AS row, json_type(json) AS type FROM {file.objects}) "  # noqa: S608
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


def _relation(file: _JsonFile, keys: Sequence[str]) -> str:
    """Return SQL for one row per object, with a column f0, f1 … for the JSON value of each key.

    Each is a column of its own before anything else is done with it: whatever the engine does to one field of a struct
    under a condition, it does to all of its fields.
    """
    fields = set(_distinct(keys))
    structure = literal(json.dumps(dict.fromkeys(_distinct(keys), "JSON"), ensure_ascii=False))
    transformed = f"json_transform(json, {structure})" if fields else "NULL"
    values = ", ".join(
        f"{f'fields.{identifier(key)}' if key in fields else _extract(key)} AS f{at}" for at, key in enumerate(keys)
    )
    return (
        f"(SELECT {values} FROM (SELECT json, {transformed} AS fields FROM {file.objects} "  # noqa: S608
        "WHERE json_type(json) = 'OBJECT'))"
    )


def _distinct(keys: Sequence[str]) -> list[str]:
    """Return the keys that the engine's structs can have as fields: not empty, and different in more than case."""
    folded = Counter(key.casefold() for key in keys)
    return [key for key in keys if key and folded[key.casefold()] == 1]


def _columns(keys: Sequence[str], options: TabularOptions, marks: str) -> Iterator[Column]:
    for at, (key, name) in enumerate(zip(keys, column_names(keys, options.names), strict=True)):
        yield Column(
            name=name,
            source_name=key,
            text=unmarked(f"(f{at}->>'$')", marks),
            classifier="json_kind",
            json=unmarked_json(f"CAST(f{at} AS VARCHAR)", marks[1:]),
            stored_json=unmarked_json(f"CAST(f{at} AS VARCHAR)", marks),
        )


def _extract(key: str) -> str:
    """Return SQL for the value of `key` where it can't be a field; as with fields, its null is SQL's."""
    pointer = literal("/" + key.replace("~", "~0").replace("/", "~1"))
    return f"(CASE WHEN json_type(json, {pointer}) <> 'NULL' THEN json_extract(json, {pointer}) END)"


def _locate(file: _JsonFile, rows: Sequence[int], bad: set[int | None]) -> dict[int, int]:
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
