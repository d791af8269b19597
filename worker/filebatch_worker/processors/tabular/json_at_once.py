"""Reads, checks and writes a file of JSON objects in one pass, which is all that most files need.

Keys and types are guessed from the first objects. A regular expression of what an object must look like in the file
(`json_form`) then vouches for what the engine reads of it. The objects that don't fit are looked at in turn, and widen
the guess; where that leads nowhere, the file is measured in full before it is written (`json_file`). What comes out is
the same either way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from filebatch_worker.processor import InvalidFile
from filebatch_worker.processors.tabular import json_form as form
from filebatch_worker.processors.tabular.classify import Kind, kept_by, resolve
from filebatch_worker.processors.tabular.column import Column
from filebatch_worker.processors.tabular.column_types import (
    BOOLEAN,
    DATE,
    EXACT_DIGITS,
    FLOAT,
    INTEGER,
    TIMESTAMP,
    TIMESTAMPTZ,
    ColumnType,
    literal,
    trimmed,
)
from filebatch_worker.processors.tabular.json_numbers import PRINTED_FRACTION
from filebatch_worker.processors.tabular.json_objects import JsonFile, columns_of, distinct, keys_of, rows_of
from filebatch_worker.processors.tabular.measure import (
    SAMPLE_ROWS,
    Measured,
    Relation,
    Typed,
    check_names,
    sampled,
    typed,
)
from filebatch_worker.processors.tabular.options import TabularOptions
from filebatch_worker.processors.tabular.table import Written
from filebatch_worker.processors.tabular.text import chunks
from filebatch_worker.processors.tabular.write import copy

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MAX_KEYS = 200  # the expression of an object grows with them
LARGEST = 64 * 1024  # bytes of an object that is looked at
TRIES = 4
_STOP = "error('an object is not as it was guessed')"
_BLANKS = "e' \\t\\r\\n'"
_PATTERNS = {  # of values of the types that are found; in the file, and what the engine reads them as
    INTEGER: (form.INTEGER, "BIGINT"),
    FLOAT: (form.FLOAT, "DOUBLE"),
    BOOLEAN: (form.BOOLEAN, "BOOLEAN"),
    DATE: (form.DATE, "VARCHAR"),
    TIMESTAMP: (form.TIMESTAMP, "VARCHAR"),
    TIMESTAMPTZ: (form.TIMESTAMP_UTC, "VARCHAR"),
}


@dataclass(frozen=True)
class _Field:
    """How the values of a key are written (`pattern`), what the engine reads them as, and what becomes of them."""

    key: str
    pattern: str
    read_as: str
    typed: Typed


@dataclass(frozen=True)
class AtOnce:
    """A table that was written: what its columns are, and the relation that it came from."""

    measured: Measured
    relation: str
    written: Written


def write_at_once(connection: DuckDBPyConnection, file: JsonFile, options: TabularOptions, path: Path) -> AtOnce | None:
    """Write the table to `path`, or return None where it takes a closer look; what stands at `path` then is nothing."""
    import duckdb

    values = Relation(connection, file.values(tolerant=False), (str(file.path),))
    fits, misfits = "", "true"
    try:
        connection.execute("CREATE OR REPLACE TEMP TABLE looked_at (json VARCHAR)")
        for _ in range(TRIES):
            fields = _fields(connection, options) if _look_at(values, misfits) else []
            before, fits = fits, _fits(connection, fields) if fields else ""
            if fits in ("", before):
                return None
            try:
                return _written(values, fields, fits, file, path)
            except duckdb.InvalidInputException:
                misfits = f"NOT ({fits})"
    except (duckdb.InvalidInputException, duckdb.ConversionException, duckdb.NotImplementedException):
        pass
    return None


def _look_at(values: Relation, condition: str) -> int:
    """Take the first objects that meet SQL `condition` for a closer look, large ones as NULL, and return their number.

    The keys that they add stand in the order of their first appearance, as no object with another key is passed over.
    """
    return int(
        values.all(
            f"INSERT INTO looked_at SELECT CASE WHEN strlen(json) <= {LARGEST} THEN json END "  # noqa: S608 - quoted
            f"FROM {values.sql} WHERE {condition} LIMIT {SAMPLE_ROWS}"
        )[0][0]
    )


def _fields(connection: DuckDBPyConnection, options: TabularOptions) -> list[_Field]:
    """Return the fields of the objects that were looked at; none where they are not for this."""
    try:
        keys = keys_of(Relation(connection, "looked_at", ()))
        columns = tuple(columns_of(keys, options))
        check_names([column.name for column in columns], options)
    except InvalidFile:  # if the whole file is so, too, it is told where that is read
        return []
    if not 0 < len(keys) <= MAX_KEYS or len(distinct(keys)) < len(keys) or _holds_others(connection):
        return []
    if any(form.written(key) != f'"{key}"' for key in keys):  # with quotes or backslashes
        return []
    table = Relation(connection, rows_of("looked_at", keys), ())
    kinds = sampled(table, columns, TabularOptions())
    long = _long_numbers(table, columns)
    found = [_field(column, at, kinds[column.name], options, long=at in long) for at, column in enumerate(columns)]
    fields = [field for field in found if field]
    return fields if len(fields) == len(found) else []


def _holds_others(connection: DuckDBPyConnection) -> bool:
    return bool(connection.execute("SELECT 1 FROM key_lists WHERE keys IS NULL").fetchall())


def _long_numbers(table: Relation, columns: Sequence[Column]) -> set[int]:
    """Return the positions of columns that hold numbers, if any, of more digits than a double surely holds."""
    longest = ", ".join(f"max(strlen({column.json}))" for column in columns)
    found = table.all(f"SELECT {longest} FROM {table.sql}")[0]  # noqa: S608
    return {at for at, length in enumerate(found) if (length or 0) > EXACT_DIGITS + 1}


def _field(column: Column, at: int, kinds: Kind, options: TabularOptions, *, long: bool) -> _Field | None:
    """Return how the field at position `at` is read whose values are of `kinds`; None where it takes a closer look."""
    declared = options.columns.get(column.name)
    plain = replace(column, text=f"f{at}")
    kind = typed(plain, kinds, options).type
    found = _found(plain, kind, kinds, long=long) if declared is None else _declared(plain, declared, kinds, long=long)
    if found and column.name in options.required:
        text = column.text if found.read_as == "JSON" else f"CAST(f{at} AS VARCHAR)"
        value = f"CASE WHEN {trimmed(text)} IS NULL THEN {_STOP} ELSE {found.typed.value} END"
        return replace(found, typed=replace(found.typed, value=value))
    return found


def _found(column: Column, kind: ColumnType, kinds: Kind, *, long: bool) -> _Field | None:
    """Return how a field is read whose type is found: every value that fits its pattern keeps the type."""
    key, text = column.source_name, column.text
    if kinds & Kind.NESTED:
        pattern = f"{form.SCALAR}|{form.nested()}"
        return _Field(key, pattern, "JSON", Typed(column, kind, _proven_nested(key, text)))
    if kinds & Kind.TEXT:
        return _Field(key, form.SCALAR, "VARCHAR", Typed(column, kind, text))
    if not kinds:
        return _Field(key, form.NOTHING, "VARCHAR", Typed(column, kind, text))
    if not kept_by(kinds) or kind not in _PATTERNS:
        return None
    pattern, read_as = _PATTERNS[kind]
    if kind == FLOAT and long:
        return _Field(key, form.LONG_FLOAT, read_as, Typed(column, kind, _proven_number(key, text)))
    value = text if read_as == kind.sql else f"CAST({text} AS {kind.sql})"
    return _Field(key, pattern, read_as, Typed(column, kind, value))


def _declared(column: Column, declared: ColumnType, kinds: Kind, *, long: bool) -> _Field | None:
    """Return how a field is read that is declared: as if its type were found where it would be the same."""
    key, text = column.source_name, column.text
    if kinds & Kind.NESTED:
        return None
    if kinds and (resolve(kinds) == declared or (declared == FLOAT and kinds == Kind.SMALL_INTEGER)):
        return _found(column, declared, kinds, long=long)
    digits = form.decimal(declared.sql)
    if digits and kinds and not kinds & ~(Kind.SMALL_INTEGER | Kind.FLOAT):
        return _Field(key, digits, declared.sql, Typed(column, declared, text))
    wrong = f"CASE WHEN {trimmed(text)} IS NOT NULL THEN {_STOP} END"
    pattern = form.SCALAR if declared.sql == "VARCHAR" else f"{form.SCALAR}|{form.FLOAT}"
    return _Field(key, pattern, "VARCHAR", Typed(column, declared, declared.parse(text, otherwise=wrong)))


def _proven_number(key: str, text: str) -> str:
    """Return SQL for a number, which is what stands in the file: as it is printed, or of few digits."""
    stands = " OR ".join(_stands(key, f"CAST({text} AS VARCHAR)", end) for end in ",}")
    few = rf'"{re.escape(key)}"\s*:\s*(?:{form.FLOAT})\s*[,}}]'
    is_kept = f"{_is_once(key)} AND ({stands} OR regexp_matches(json, {literal(few)}))"
    return f"CASE WHEN {text} IS NULL OR {is_kept} THEN {text} ELSE {_STOP} END"


def _proven_nested(key: str, text: str) -> str:
    """Return SQL for an object or array, whose numbers are printed as they stand in the file."""
    printed = f"CAST({text} AS VARCHAR)"
    changed = f"regexp_matches({printed}, {literal(PRINTED_FRACTION)})"
    is_kept = f"NOT {changed} OR {_is_once(key)} AND {_stands(key, printed)}"
    return f"CASE WHEN {text} IS NULL OR {is_kept} THEN {printed} ELSE {_STOP} END"


def _is_once(key: str) -> str:
    """Return SQL that is true where `key` is no key within the object's values, too, nor a text, blanks aside.

    Only then does what stands behind it belong to it.
    """
    name = re.escape(_without_blanks(f'"{key}"'))
    return f"NOT regexp_matches(dense, {literal(f'(?s){name}.*{name}')})"


def _stands(key: str, printed: str, end: str = "") -> str:
    """Return SQL that is true where `key`, which is there once, has the value `printed` in the object, blanks aside.

    A quote and a colon stand behind a key alone, as quotes within texts have a backslash before them.
    """
    before = literal(_without_blanks(f'"{key}":'))
    return f"contains(dense, concat({before}, translate({printed}, {_BLANKS}, ''), {literal(end)}))"


def _without_blanks(text: str) -> str:
    return "".join(text.split(" "))


def _fits(connection: DuckDBPyConnection, fields: Sequence[_Field]) -> str:
    """Return SQL that is true for an object in which the engine finds what stands in the file, with those fields alone.

    Most files have their keys in one order. Where an object has another, its keys are counted.
    """
    lists = [keys for (keys,) in connection.execute("SELECT keys FROM key_lists ORDER BY first").fetchall()]
    patterns = {field.key: field.pattern for field in fields}
    keys = form.in_order(lists, list(patterns))
    ordered, unordered = (literal(make(keys, patterns)) for make in (form.ordered, form.unordered))
    once = "len(json_keys(json)) = len(list_distinct(json_keys(json)))"
    return (
        f"CASE WHEN regexp_full_match(json, {ordered}) THEN true "
        f"ELSE regexp_full_match(json, {unordered}) AND {once} END"
    )


def _written(values: Relation, fields: Sequence[_Field], fits: str, file: JsonFile, path: Path) -> AtOnce:
    objects = f"(SELECT CASE WHEN {fits} THEN json ELSE {_STOP} END AS json FROM {values.sql})"  # noqa: S608
    types = {field.key: field.read_as for field in fields}
    # Once for all fields, as the engine keeps what each makes of 2,048 objects.
    dense = f"CASE WHEN regexp_matches(json, '\\s') THEN translate(json, {_BLANKS}, '') ELSE json END AS dense"
    table = replace(values, sql=f"(SELECT *, {dense} FROM {rows_of(objects, list(types), types)})")  # noqa: S608
    columns = tuple(field.typed for field in fields)
    written = copy(table, columns, "true", file.path.stat().st_size, _most_rows(values, file), path)
    return AtOnce(Measured(written.rows, columns, ()), table.sql, written)


def _most_rows(values: Relation, file: JsonFile) -> int:
    """Return how many objects the file has at most."""
    if file.by_line:
        return 1 + sum(chunk.count(b"\n") for chunk in chunks(file.path))
    return int(values.all(f"SELECT count(*) FROM {values.sql}")[0][0])  # noqa: S608
