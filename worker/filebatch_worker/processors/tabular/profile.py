"""Describes the finished table column by column.

Nulls, least and greatest value of most columns are what the engine told when it wrote them; the rest is from the
Parquet file that was written, read once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filebatch_worker.processors.tabular.column_types import identifier, literal
from filebatch_worker.processors.tabular.histogram import histogram, values_of
from filebatch_worker.processors.tabular.measure import Relation, Typed
from filebatch_worker.processors.tabular.table import Written

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

EXACT_ROWS, EXACT_COLUMNS = 100_000, 1_000  # distinct values are counted up to here and estimated beyond
COLUMNS_AT_ONCE = {True: 25, False: 500}  # by `exact`: exact counts of many columns at once take far longer
SHOWN = 100  # characters of the least and greatest text

FEW_ROWS = 2_048  # that a list of a column's values holds without ado, as long as none is long
_UNORDERED = ("STRUCT", "MAP", "UNION", "BLOB", "JSON", "VARIANT", "GEOMETRY")
_TOLD: Mapping[str, Callable[[str], Any]] = {  # what the engine tells of them is what they are shown as
    "BIGINT": int,
    "DOUBLE": float,
    "BOOLEAN": "1".__eq__,
    **dict.fromkeys(("VARCHAR", "DECIMAL", "DATE", "TIMESTAMP", "TIMESTAMPTZ"), lambda text: text[:SHOWN]),
}


def profile(
    connection: DuckDBPyConnection, path: Path, written: Written, columns: Sequence[Typed], facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Return `profile.json`: the facts about the file, then each column's type, nulls, range, distinct values, bars."""
    exact = written.rows <= EXACT_ROWS and len(columns) <= EXACT_COLUMNS
    width = COLUMNS_AT_ONCE[exact]
    file = Relation(connection, f"read_parquet({literal(str(path))}, hive_partitioning=false)", ())
    numbers, of_numbers = values_of(written.rows, columns)
    described: list[dict[str, Any]] = []
    rows: Sequence[Sequence[float | None]] = ()
    for start in range(0, len(columns), width):
        batch = columns[start : start + width]
        entries, counted = _describe(file, written, batch, "NULL" if start else of_numbers, exact=exact)
        described += entries
        rows = rows or counted or ()
    values = dict(zip(numbers, zip(*rows, strict=True), strict=False))
    shown = [
        entry | histogram(column, values.get(column.column.name), entry)
        for column, entry in zip(columns, described, strict=True)
    ]
    return {"rows": written.rows, **facts, "distinct": "exact" if exact else "estimated", "columns": shown}


def _describe(
    file: Relation, written: Written, columns: Sequence[Typed], more: str, *, exact: bool
) -> tuple[list[dict[str, Any]], Any]:
    """Return the entries of `columns`, and what the SQL aggregate `more` is, in one pass over the file."""
    known = [_told(column, written) for column in columns]
    few = written.rows <= FEW_ROWS
    asked = [
        [_distinct(column, exact=exact, few=few and told is not None), *(() if told else _range(column))]
        for column, told in zip(columns, known, strict=True)
    ]
    # The count makes it one row even where nothing else is asked.
    ((_, counted, *found),) = file.all(f"SELECT count(*), {', '.join([more, *chain(*asked)])} FROM {file.sql}")  # noqa: S608
    answers = iter(found)
    entries = []
    for column, told in zip(columns, known, strict=True):
        distinct = next(answers)
        nulls, least, greatest = told or islice(answers, 3)
        entries.append(_entry(column, nulls, least, greatest, distinct))
    return entries, counted


def _told(column: Typed, written: Written) -> tuple[int, Any, Any] | None:
    """Return a column's nulls, least and greatest value where the engine told them when it wrote it."""
    told = written.told.get(identifier(column.column.name), {})
    shown = _TOLD.get(column.type.sql.partition("(")[0])
    if shown is None or "null_count" not in told:
        return None
    nulls = int(told["null_count"])
    if column.type.label == "json" or nulls == written.rows:
        return nulls, None, None
    if not told.get("min_is_exact") == told.get("max_is_exact") == "true":
        return None
    return nulls, shown(told["min"]), shown(told["max"])


def _distinct(column: Typed, *, exact: bool, few: bool) -> str:
    name = identifier(column.column.name)
    if not _is_ordered(column):
        return "NULL"
    if few:  # the same as a count, and planned in half the time
        return f"coalesce(list_unique(list({name})), 0)"
    return f"count(DISTINCT {name})" if exact else f"approx_count_distinct({name})"


def _range(column: Typed) -> tuple[str, str, str]:
    name = identifier(column.column.name)
    nulls = f"count(*) - count({name})"
    if not _is_ordered(column):
        return nulls, "NULL", "NULL"
    numbers = f"{name} FILTER (WHERE NOT isnan({name}))" if column.type.label == "float" else name
    return nulls, _shown("min", numbers, column), _shown("max", numbers, column)


def _is_ordered(column: Typed) -> bool:
    kind = column.type
    return not (kind.sql.startswith(_UNORDERED) or kind.sql.endswith("]") or kind.label == "json")


def _shown(function: str, argument: str, column: Typed) -> str:
    if column.type.sql == "VARCHAR":  # the first characters of the least text are the least first characters
        return f"{function}(left({argument}, {SHOWN}))"
    value, _, condition = argument.partition(" FILTER ")
    aggregate = f"{function}({value})" + (f" FILTER {condition}" if condition else "")
    if column.type.label in ("integer", "boolean"):
        return aggregate
    if column.type.label == "float":
        return f"CAST({aggregate} AS DOUBLE)"
    return f"left(CAST({aggregate} AS VARCHAR), {SHOWN})"


def _entry(column: Typed, nulls: int, least: Any, greatest: Any, distinct: int | None) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": column.column.name}
    if column.column.source_name != column.column.name:
        entry["source_name"] = column.column.source_name
    entry["type"] = column.type.name
    if column.type.form:
        entry["format"] = column.type.form
    return entry | {"nulls": nulls, "min": _plain(least), "max": _plain(greatest), "distinct": distinct}


def _plain(value: Any) -> Any:
    """JSON has no infinities."""
    return str(value) if isinstance(value, float) and value in (float("inf"), float("-inf")) else value
