"""Describes the finished table column by column, from the Parquet file that was written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filebatch_worker.processors.tabular.column_types import identifier, literal
from filebatch_worker.processors.tabular.histogram import histogram, values_of
from filebatch_worker.processors.tabular.measure import Typed

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

EXACT_ROWS, EXACT_COLUMNS = 100_000, 1_000  # distinct values are counted up to here and estimated beyond
COLUMNS_AT_ONCE = {True: 25, False: 500}  # by `exact`: exact counts of many columns at once take far longer
SHOWN = 100  # characters of the least and greatest text

FEW_ROWS = 2_048  # that a list of a column's values holds without ado
_COMPARABLE = ("VARCHAR", "BIGINT", "DOUBLE", "DECIMAL", "DATE", "TIMESTAMP", "BOOLEAN")
_UNORDERED = ("STRUCT", "MAP", "UNION", "BLOB", "JSON", "VARIANT", "GEOMETRY")


def profile(
    connection: DuckDBPyConnection, path: Path, rows: int, columns: Sequence[Typed], facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Return `profile.json`: the facts about the file, then each column's type, nulls, range, distinct values, bars."""
    exact = rows <= EXACT_ROWS and len(columns) <= EXACT_COLUMNS
    width = COLUMNS_AT_ONCE[exact]
    table = f"read_parquet({literal(str(path))}, hive_partitioning=false)"
    described = [
        entry
        for start in range(0, len(columns), width)
        for entry in _describe(connection, table, columns[start : start + width], exact=exact, few=rows <= FEW_ROWS)
    ]
    values = values_of(connection, table, rows, columns)
    shown = [
        entry | histogram(column, values.get(column.column.name), entry)
        for column, entry in zip(columns, described, strict=True)
    ]
    return {"rows": rows, **facts, "distinct": "exact" if exact else "estimated", "columns": shown}


def _describe(
    connection: DuckDBPyConnection, table: str, columns: Sequence[Typed], *, exact: bool, few: bool
) -> Iterator[dict[str, Any]]:
    expressions = [sql for column in columns for sql in _expressions(column, exact=exact, few=few)]
    found = connection.execute(f"SELECT {', '.join(expressions)} FROM {table}").fetchall()[0]  # noqa: S608
    for at, column in enumerate(columns):
        nulls, least, greatest, distinct = found[4 * at : 4 * at + 4]
        yield _entry(column, nulls, (least, greatest), distinct)


def _expressions(column: Typed, *, exact: bool, few: bool) -> tuple[str, str, str, str]:
    name = identifier(column.column.name)
    nulls = f"count(*) - count({name})"
    if column.type.sql.startswith(_UNORDERED) or column.type.sql.endswith("]") or column.type.label == "json":
        return nulls, "NULL", "NULL", "NULL"
    distinct = f"count(DISTINCT {name})" if exact else f"approx_count_distinct({name})"
    if few and column.type.sql.startswith(_COMPARABLE):  # the same, and planned in half the time
        distinct = f"coalesce(list_unique(list({name})), 0)"
    numbers = f"{name} FILTER (WHERE NOT isnan({name}))" if column.type.label == "float" else name
    return nulls, _shown("min", numbers, column), _shown("max", numbers, column), distinct


def _shown(function: str, argument: str, column: Typed) -> str:
    value, _, condition = argument.partition(" FILTER ")
    aggregate = f"{function}({value})" + (f" FILTER {condition}" if condition else "")
    if column.type.label in ("integer", "boolean"):
        return aggregate
    if column.type.label == "float":
        return f"CAST({aggregate} AS DOUBLE)"
    return f"left(CAST({aggregate} AS VARCHAR), {SHOWN})"


def _entry(column: Typed, nulls: int, extent: tuple[Any, Any], distinct: int | None) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": column.column.name}
    if column.column.source_name != column.column.name:
        entry["source_name"] = column.column.source_name
    least, greatest = (_plain(value) for value in extent)
    entry["type"] = column.type.name
    if column.type.form:
        entry["format"] = column.type.form
    return entry | {"nulls": nulls, "min": least, "max": greatest, "distinct": distinct}


def _plain(value: Any) -> Any:
    """JSON has no infinities."""
    return str(value) if isinstance(value, float) and value in (float("inf"), float("-inf")) else value
