"""The passes over a whole file that decide what its columns are and how many of its rows can't be kept.

Classing every value costs more than reading it. So types are guessed from the first rows, and the pass over the whole
file only checks that every value keeps to the guess; columns that don't are classed in full in another pass. What is
found is the same as if all were classed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeVar

from filebatch_worker.processors.tabular.classify import Kind, kept_by, resolve
from filebatch_worker.processors.tabular.column import Column
from filebatch_worker.processors.tabular.column_types import JSON, ColumnType, trimmed
from filebatch_worker.processors.tabular.faults import invalid
from filebatch_worker.processors.tabular.options import TabularOptions

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SAMPLE_ROWS = 5_000
VALUES_AT_ONCE = 1_000  # columns of a query: more take more memory each, and longer to plan

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Typed:
    """A column with its final type: `value` is SQL for what is stored."""

    column: Column
    type: ColumnType
    value: str


@dataclass(frozen=True)
class Fault:
    """What may be wrong with one value of a column: `text` is SQL for the value, `fits` SQL for what holds if not."""

    code: str
    column: Column
    text: str
    fits: str  # with {v} for the value
    expected: str

    @property
    def condition(self) -> str:
        """SQL that is true for a row with this fault."""
        return f"NOT ({self.fits.replace('{v}', self.text)})"


@dataclass(frozen=True)
class Measured:
    """What the passes over all rows found: how many there are, each column's type, and the faults that occur."""

    rows: int
    columns: tuple[Typed, ...]
    faults: tuple[Fault, ...]


@dataclass(frozen=True)
class Relation:
    """A table that the engine reads from a file: `sql` is what stands after FROM, with its `parameters`.

    `sql_of` returns the same for a part of its columns, where the engine wouldn't leave out the others by itself.
    """

    connection: DuckDBPyConnection
    sql: str
    parameters: Sequence[Any]
    sql_of: Callable[[Sequence[Column]], str] | None = None

    def only(self, columns: Sequence[Column]) -> Relation:
        """Return the table with `columns` alone, or with others that cost nothing."""
        return replace(self, sql=self.sql_of(columns)) if self.sql_of else self

    def all(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of `query`, in which the table occurs once."""
        return self.connection.execute(query, self.parameters).fetchall()


def measure(table: Relation, columns: Sequence[Column], options: TabularOptions) -> Measured:
    """Return what `columns` are over all rows of `table`. Raises InvalidFile "missing-column", "extra-column"."""
    check_names([column.name for column in columns], options)
    untyped = [column for column in columns if column.classifier and column.name not in options.columns]
    kinds = sampled(table, columns, options)
    unsettled = [column for column in untyped if not is_settled(column, kinds[column.name])]
    guesses = [_guess(column, kinds[column.name]) for column in unsettled if kept_by(kinds[column.name])]
    faults = [fault for column in columns for fault in _possible_faults(column, options)]
    rows, misfits = _misfits(table, faults + guesses)
    right = {guess.column.name for guess, count in zip(guesses, misfits[len(faults) :], strict=True) if not count}
    kinds |= _classes(table, [column for column in unsettled if column.name not in right], sample=False)
    return Measured(
        rows,
        tuple(typed(column, kinds.get(column.name, Kind(0)), options) for column in columns),
        tuple(fault for fault, count in zip(faults, misfits, strict=False) if count),
    )


def sampled(table: Relation, columns: Sequence[Column], options: TabularOptions) -> dict[str, Kind]:
    """Return the classes that occur in the first rows of each column whose type is to be found."""
    untyped = [column for column in columns if column.classifier and column.name not in options.columns]
    return dict.fromkeys((column.name for column in untyped), Kind(0)) | _classes(table, untyped, sample=True)


def check_names(names: Sequence[str], options: TabularOptions) -> None:
    """Refuse a table without a declared or required column, or with others where those are not welcome."""
    missing = [name for name in (*options.columns, *options.required) if name not in names]
    if missing:
        raise invalid(
            "missing-column",
            f"there is no column {missing[0]!r} among the file's {len(names)}",
            ", ".join(map(repr, names[:50])),
            column=missing[0],
            expected=missing[0],
            found=list(names[:50]),
        )
    extra = [name for name in names if name not in options.columns]
    if extra and options.extra_columns == "error":
        raise invalid(
            "extra-column",
            f"column {names.index(extra[0]) + 1} is none of those declared: {', '.join(map(repr, options.columns))}",
            repr(extra[0]),
            column=extra[0],
            expected=list(options.columns),
            found=extra[0],
        )


def _possible_faults(column: Column, options: TabularOptions) -> Iterator[Fault]:
    declared = options.columns.get(column.name)
    if declared is not None and not _stands(column, declared) and declared.sql != "VARCHAR":
        fits = f"{{v}} IS NULL OR {declared.quick_for('{v}')} OR {trimmed('{v}')} IS NULL"
        fits = f"CASE WHEN {fits} THEN true ELSE {declared.parse('{v}')} IS NOT NULL END"
        yield Fault("type-mismatch", column, column.text_for(declared), fits, declared.label)
    if column.name in options.required:
        yield Fault("missing-value", column, column.text, f"{trimmed('{v}')} IS NOT NULL", "a value")


def is_settled(column: Column, kinds: Kind) -> bool:
    """Whether the type of a column is certain whatever else occurs in it."""
    return bool(kinds & (Kind.NESTED if column.json else Kind.TEXT))


def _guess(column: Column, kinds: Kind) -> Fault:
    """Return the check that no value of `column` is of a class that would change its type."""
    quick = resolve(kinds).quick_for("{v}")
    if column.json and kinds & Kind.TEXT:
        quick = "{v}[1] = '\"'"
    elif column.number_text:
        quick = "false"
    fits = f"CASE WHEN {{v}} IS NULL OR {quick} THEN true ELSE {keeps('{v}', column, kinds)} END"
    return Fault("", column, column.classified, fits, resolve(kinds).label)


def keeps(value: str, column: Column, kinds: Kind) -> str:
    """Return SQL that is true where SQL expression `value` is of no class that changes the type of `kinds`."""
    kept = kept_by(kinds).value
    return f"({column.classifier}({value}) | {kept}) = {kept}"


def _classes(table: Relation, columns: Sequence[Column], *, sample: bool) -> dict[str, Kind]:
    """Return the classes that occur in each of `columns`, in the first rows or in all."""
    found: dict[str, Kind] = {}
    for batch in batches(sorted(columns, key=lambda column: column.classifier or "")):
        classes = _by_position([column.classifier or "" for column in batch], "{item}(v)")
        values = ", ".join(column.classified for column in batch)
        rows = table.all(
            f"SELECT i, bit_or({classes}) FROM (SELECT unnest([{values}]) AS v, unnest(range({len(batch)})) AS i "  # noqa: S608
            f"FROM (SELECT * FROM {table.only(batch).sql} {f'LIMIT {SAMPLE_ROWS}' if sample else ''})) GROUP BY i"
        )
        found |= {batch[at].name: Kind(kinds or 0) for at, kinds in rows}
    return found


def _misfits(table: Relation, checks: Sequence[Fault]) -> tuple[int, list[int]]:
    """Return the number of rows, and for each check how many values don't fit it."""
    if not checks:
        return table.all(f"SELECT count(*) FROM {table.sql}")[0][0], []  # noqa: S608
    rows, misfits = 0, dict[int, int]()
    ordered = sorted(range(len(checks)), key=lambda at: checks[at].fits)
    for batch in batches(ordered):
        fits = _by_position([checks[at].fits.replace("{v}", "v") for at in batch], "{item}")
        values = ", ".join(checks[at].text for at in batch)
        part = table.only([checks[at].column for at in batch])
        found = table.all(
            f"SELECT i, count(*), count(*) FILTER (WHERE NOT ({fits})) FROM (SELECT unnest([{values}]) AS v, "  # noqa: S608
            f"unnest(range({len(batch)})) AS i FROM {part.sql}) GROUP BY i"
        )
        rows = found[0][1] if found else 0
        misfits |= {batch[at]: count for at, _, count in found}
    return rows, [misfits.get(at, 0) for at in range(len(checks))]


def _by_position(items: Sequence[str], template: str) -> str:
    """Return SQL that is `template` of the item at position `i`; alike items stand together, so cases are few.

    One expression over a list of columns keeps a query small: one per column takes minutes to plan for thousands.
    """
    cases, end = [], 0
    for item, group in groupby(items):
        end += len(list(group))
        cases.append(f"WHEN i < {end} THEN {template.replace('{item}', item)}")
    return f"CASE {' '.join(cases)} END"


def batches(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    """Yield `items`, each an expression of a query, in as many as one query takes."""
    for start in range(0, len(items), VALUES_AT_ONCE):
        yield items[start : start + VALUES_AT_ONCE]


def _stands(column: Column, declared: ColumnType) -> bool:
    """Whether a column has the declared type already, as in Parquet."""
    return column.native is not None and column.native[1].label == declared.label


def typed(column: Column, kinds: Kind, options: TabularOptions) -> Typed:
    """Return the column with the type that it is declared with, has, or resolves to."""
    declared = options.columns.get(column.name)
    if column.native is not None and (declared is None or _stands(column, declared)):
        return Typed(column, column.native[1], column.native[0])
    if declared is not None:
        return Typed(column, declared, declared.parse(column.text_for(declared)))
    if kinds & Kind.NESTED:
        return Typed(column, JSON, column.stored_json or column.classified)
    found = resolve(kinds)
    text = column.text_for(found)
    if column.json and found.is_number:  # a JSON number is never blank, and thousands of conditions take long to plan
        return Typed(column, found, f"TRY_CAST({text} AS {found.sql})")
    return Typed(column, found, found.cast(text))
