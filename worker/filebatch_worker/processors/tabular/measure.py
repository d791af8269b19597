"""The pass over a whole file that decides what its columns are and how many of its rows can't be kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from filebatch_worker.processor import InvalidFile
from filebatch_worker.processors.tabular.classify import Kind, resolve
from filebatch_worker.processors.tabular.column import Column
from filebatch_worker.processors.tabular.column_types import JSON, ColumnType, trimmed
from filebatch_worker.processors.tabular.options import TabularOptions

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

COLUMNS_AT_ONCE = 500  # a query over more spends its time in the planner


@dataclass(frozen=True)
class Typed:
    """A column with its final type: `value` is SQL for what is stored."""

    column: Column
    type: ColumnType
    value: str


@dataclass(frozen=True)
class Fault:
    """What may be wrong with one value of a column: `condition` is SQL for it."""

    code: str
    condition: str
    column: Column
    expected: str


@dataclass(frozen=True)
class Measured:
    """What a pass over all rows found: how many there are, each column's type, and the faults that occur."""

    rows: int
    columns: tuple[Typed, ...]
    faults: tuple[Fault, ...]


def measure(
    connection: DuckDBPyConnection,
    relation: str,
    parameters: Sequence[Any],
    columns: Sequence[Column],
    options: TabularOptions,
) -> Measured:
    """Return what `columns` are over all rows of `relation`. Raises InvalidFile "missing-column", "extra-column"."""
    check_names([column.name for column in columns], options)
    rows, kinds = 0, list[int]()
    faults = [fault for column in columns for fault in _possible_faults(column, options)]
    occurring: list[Fault] = []
    for batch in _batches(columns):
        names = {column.name for column in batch}
        possible = [fault for fault in faults if fault.column.name in names]
        counts = [f"count(*) FILTER (WHERE {fault.condition})" for fault in possible]
        expressions = ["count(*)", *(_kinds(column, options) for column in batch), *counts]
        found = connection.execute(f"SELECT {', '.join(expressions)} FROM {relation}", parameters).fetchall()[0]  # noqa: S608
        rows = found[0]
        kinds.extend(found[1 : len(batch) + 1])
        occurring.extend(fault for fault, count in zip(possible, found[len(batch) + 1 :], strict=True) if count)
    typed = (_typed(column, Kind(kind or 0), options) for column, kind in zip(columns, kinds, strict=True))
    return Measured(rows, tuple(typed), tuple(occurring))


def check_names(names: Sequence[str], options: TabularOptions) -> None:
    """Refuse a table without a declared or required column, or with others where those are not welcome."""
    missing = [name for name in (*options.columns, *options.required) if name not in names]
    if missing:
        raise InvalidFile(
            "missing-column",
            f"there is no column {missing[0]!r}; the file has: {', '.join(map(repr, names[:50]))}",
            column=missing[0],
            expected=missing[0],
            found=list(names[:50]),
        )
    extra = [name for name in names if name not in options.columns]
    if extra and options.extra_columns == "error":
        raise InvalidFile(
            "extra-column",
            f"column {extra[0]!r} is not declared; declared are: {', '.join(map(repr, options.columns))}",
            column=extra[0],
            expected=list(options.columns),
            found=extra[0],
        )


def _batches(columns: Sequence[Column]) -> Iterator[Sequence[Column]]:
    for start in range(0, len(columns), COLUMNS_AT_ONCE):
        yield columns[start : start + COLUMNS_AT_ONCE]


def _kinds(column: Column, options: TabularOptions) -> str:
    """Return SQL for the classes that occur in a column whose type is still to be found, else 0."""
    return f"bit_or({column.kind})" if column.kind and column.name not in options.columns else "0"


def _possible_faults(column: Column, options: TabularOptions) -> Iterator[Fault]:
    declared = options.columns.get(column.name)
    filled = trimmed(column.text)
    if declared is not None and not _stands(column, declared):
        parsed = declared.parse(column.text_for(declared))
        if declared.sql != "VARCHAR":
            yield Fault("type-mismatch", f"{filled} IS NOT NULL AND {parsed} IS NULL", column, declared.label)
    if column.name in options.required:
        yield Fault("missing-value", f"{filled} IS NULL", column, "a value")


def _stands(column: Column, declared: ColumnType) -> bool:
    """Whether a column has the declared type already, as in Parquet."""
    return column.native is not None and column.native[1].label == declared.label


def _typed(column: Column, kinds: Kind, options: TabularOptions) -> Typed:
    declared = options.columns.get(column.name)
    if column.native is not None and (declared is None or _stands(column, declared)):
        return Typed(column, column.native[1], column.native[0])
    if declared is not None:
        return Typed(column, declared, declared.parse(column.text_for(declared)))
    if kinds & Kind.NESTED and column.nested_text is not None:
        return Typed(column, JSON, column.nested_text)
    found = resolve(kinds)
    return Typed(column, found, found.cast(column.text_for(found)))
