"""Reads Parquet, whose columns have types of their own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from filebatch.core.tabular_options import MAX_DECIMAL_DIGITS
from filebatch_worker.processors.tabular.column import Column
from filebatch_worker.processors.tabular.column_types import ColumnType, identifier
from filebatch_worker.processors.tabular.faults import invalid
from filebatch_worker.processors.tabular.formats import PARQUET_MAGIC
from filebatch_worker.processors.tabular.measure import Relation, measure
from filebatch_worker.processors.tabular.naming import MAX_COLUMNS, column_names
from filebatch_worker.processors.tabular.options import TabularOptions
from filebatch_worker.processors.tabular.table import Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

RELATION = "read_parquet(?, hive_partitioning=false)"

_LABELS = {
    "VARCHAR": "string",
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT"), "integer"),
    **dict.fromkeys(("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"), "integer"),
    **dict.fromkeys(("FLOAT", "DOUBLE"), "float"),
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"), "timestamp"),
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
}


def read_parquet(connection: DuckDBPyConnection, path: Path, options: TabularOptions) -> Table:
    """Return the table in a Parquet file.

    Raises InvalidFile: "truncated", "too-large", "too-many-columns", "empty" (no columns), "missing-column",
    "extra-column", "encoding", "unsupported".
    """
    _check_end(path)
    parameters = (str(path),)
    described = connection.execute(f"DESCRIBE SELECT * FROM {RELATION}", parameters).fetchall()  # noqa: S608
    if not 0 < len(described) <= MAX_COLUMNS:
        code = "too-many-columns" if described else "empty"
        raise invalid(code, f"{len(described)} columns, expected 1 to {MAX_COLUMNS}", found=len(described))
    size = _plain_size(connection, path, options.max_uncompressed_bytes)
    sources = [row[0] for row in described]
    columns = tuple(
        _column(source, name, row[1], declared=name in options.columns)
        for source, name, row in zip(sources, column_names(sources, options.names), described, strict=True)
    )
    _refuse_wide_decimals(connection, parameters)
    for column in columns:
        _refuse_other_bytes(connection, parameters, column)
    return Table(
        relation=RELATION,
        parameters=parameters,
        measured=measure(Relation(connection, RELATION, parameters), columns, options),
        size=size,
        facts={"format": "parquet"},
    )


def _check_end(path: Path) -> None:
    with path.open("rb") as file:
        file.seek(-min(path.stat().st_size, len(PARQUET_MAGIC)), 2)
        if file.read() != PARQUET_MAGIC or path.stat().st_size <= 2 * len(PARQUET_MAGIC):
            raise invalid("truncated", "the Parquet file has no footer: it was cut short")


def _plain_size(connection: DuckDBPyConnection, path: Path, limit: int) -> int:
    found = connection.execute(
        "SELECT sum(greatest(total_uncompressed_size, 0)) FROM parquet_metadata(?)", (str(path),)
    ).fetchone()
    size = int(found[0] or 0) if found else 0
    if size > limit:
        raise invalid("too-large", f"{size} bytes uncompressed, more than {limit}", expected=limit, found=size)
    return size


def _refuse_wide_decimals(connection: DuckDBPyConnection, parameters: Sequence[str]) -> None:
    """Refuse decimals of more digits than the engine has, which it would read as floats."""
    found = connection.execute(
        "SELECT name, precision FROM parquet_schema(?) ORDER BY precision DESC NULLS LAST LIMIT 1", parameters
    ).fetchone()
    if found and (found[1] or 0) > MAX_DECIMAL_DIGITS:
        raise invalid(
            "unsupported",
            f"a column holds decimals of {found[1]} digits; {MAX_DECIMAL_DIGITS} can be kept exactly",
            repr(found[0]),
            column=found[0],
            expected=MAX_DECIMAL_DIGITS,
            found=found[1],
        )


def _refuse_other_bytes(connection: DuckDBPyConnection, parameters: Sequence[str], column: Column) -> None:
    """Refuse bytes that are declared to be text, or to be written as text, and are not UTF-8."""
    if column.native is not None:
        return
    value = identifier(column.source_name)
    found = connection.execute(
        f"SELECT row FROM (SELECT row_number() OVER () AS row, {value} IS NOT NULL AND {column.text} IS NULL AS bad "  # noqa: S608
        f"FROM {RELATION}) WHERE bad ORDER BY row LIMIT 1",
        parameters,
    ).fetchone()
    if found:
        raise invalid(
            "encoding",
            f"row {found[0]}, column {column.name!r}: the bytes are not UTF-8, which a declared type needs",
            row=found[0],
            column=column.name,
            expected="utf-8",
        )


def _column(source: str, name: str, sql: str, *, declared: bool) -> Column:
    """Return the column; bytes that are declared as something are text: old writers didn't mark text as such."""
    value = identifier(source)
    if sql == "BLOB" and declared:
        return Column(name, source, f"TRY(decode({value}))")
    label = _LABELS.get(sql, sql.lower())
    return Column(name, source, f"CAST({value} AS VARCHAR)", native=(value, ColumnType(label, sql, "{t}")))
