"""Reads, checks and writes a file in one pass, which is all that most files need.

Types are guessed from the first rows. A value that speaks against its column's guess, or isn't of its declared type,
ends the pass; then the file is measured in full before it is written (`measure`, `judge`, `write`). What comes out is
the same either way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from filebatch_worker.processors.tabular.classify import Kind, kept_by
from filebatch_worker.processors.tabular.column import Column
from filebatch_worker.processors.tabular.column_types import trimmed
from filebatch_worker.processors.tabular.measure import (
    SAMPLE_ROWS,
    Measured,
    Relation,
    Typed,
    check_names,
    is_settled,
    keeps,
    sampled,
    typed,
)
from filebatch_worker.processors.tabular.options import TabularOptions
from filebatch_worker.processors.tabular.table import Written
from filebatch_worker.processors.tabular.write import copy

MAX_GUESSES = 200  # checks of a query: planning one takes milliseconds
_STOP = "error('a value is not of its type')"


def write_at_once(
    table: Relation,
    columns: Sequence[Column],
    options: TabularOptions,
    kinds: Mapping[str, Kind] | None,
    size: int,
    rows: int,
    path: Path,
) -> tuple[Measured, Written] | None:
    """Write the table of about `size` bytes and at most `rows` rows to `path`; return what its columns are, and it.

    `kinds` are the classes that occur in the columns whose types are to be found, where they are known.

    None where it takes a closer look; what stands at `path` then is nothing. Raises InvalidFile "missing-column",
    "extra-column".
    """
    import duckdb

    check_names([column.name for column in columns], options)
    try:
        kinds = sampled(table, columns, options) if kinds is None else kinds
        whole = rows <= SAMPLE_ROWS
        final = [
            _checked(column, f"v{at}", kinds.get(column.name), options, whole=whole)
            for at, column in enumerate(columns)
        ]
        checked = [column for column in final if column is not None]
        if len(checked) < len(final) or sum(_STOP in column.value for column in checked) > MAX_GUESSES:
            return None
        written = copy(_with_casts(table, checked), checked, "true", size, rows, path)
        return Measured(written.rows, tuple(checked), ()), written
    except (duckdb.InvalidInputException, duckdb.ConversionException, duckdb.NotImplementedException):
        return None


def _with_casts(table: Relation, columns: Sequence[Typed]) -> Relation:
    """Return the table with a column v0, v1 … for the plain cast of each column, so that each text is cast once."""
    casts = "".join(
        f", {column.type.plain_cast(column.column.text_for(column.type))} AS v{at}"
        for at, column in enumerate(columns)
        if f"v{at}" in column.value
    )
    return replace(table, sql=f"(SELECT *{casts} FROM {table.sql})") if casts else table  # noqa: S608


def _checked(column: Column, cast: str, kinds: Kind | None, options: TabularOptions, *, whole: bool) -> Typed | None:
    """Return the column with SQL for its value that stops the pass where it isn't what it should be.

    `cast` is SQL for what the engine makes of its text.

    `kinds` are its classes in the first rows, which are all there are if `whole`; None where they don't matter.
    """
    found = typed(column, kinds or Kind(0), options)
    declared = options.columns.get(column.name)
    if declared is not None and declared.sql != "VARCHAR":
        text = column.text_for(declared)
        unparsed = f"CASE WHEN {trimmed(text)} IS NOT NULL THEN {_STOP} END"
        found = replace(found, value=declared.parse(text, unparsed, cast))
    elif kinds is not None and not whole and not is_settled(column, kinds):
        if kinds and not kept_by(kinds):
            return None
        found = replace(found, value=_guessed(column, cast, kinds, found))
    if column.name in options.required:
        found = replace(found, value=f"CASE WHEN {trimmed(column.text)} IS NULL THEN {_STOP} ELSE {found.value} END")
    return found


def _guessed(column: Column, cast: str, kinds: Kind, found: Typed) -> str:
    """Return SQL for the value of a column that may hold other classes than `kinds`, which stop the pass."""
    text = column.text_for(found.type)
    slow = keeps(column.classified, column, kinds) if kinds else f"{trimmed(text)} IS NULL"
    return (
        f"CASE WHEN {found.type.quick_for(text, cast)} THEN {cast} WHEN {text} IS NULL THEN NULL "
        f"WHEN {slow} THEN {found.value} ELSE {_STOP} END"
    )
