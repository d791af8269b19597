"""Writes the table, typed and without its bad rows, in the order of the file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from filebatch_worker.processors.tabular.column_types import identifier, literal
from filebatch_worker.processors.tabular.judge import Verdict
from filebatch_worker.processors.tabular.table import Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

ROWS_PER_GROUP = 122_880  # the engine's default
LEAST_ROWS_PER_GROUP = 2_048  # the engine's vector: a group can't be smaller
BYTES_PER_GROUP = 128 * 1024**2  # of text: a group is held in memory until it is written


def write_parquet(connection: DuckDBPyConnection, table: Table, verdict: Verdict, path: Path) -> int:
    """Write `table` to `path` and return the number of rows written."""
    measured = table.measured
    values = ", ".join(f"{column.value} AS {identifier(column.column.name)}" for column in measured.columns)
    result = connection.execute(
        f"COPY (SELECT {values} FROM {table.relation} WHERE NOT ({verdict.left_out})) TO {literal(str(path))} "  # noqa: S608
        f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {_rows_per_group(table.size, measured.rows)})",
        table.parameters,
    ).fetchall()
    written = int(result[0][0])
    lost = measured.rows - written - (len(verdict.bad) - len(table.bad_rows))
    if lost:
        raise AssertionError(f"{measured.rows} rows were read and {written} written: {lost} too few")
    return written


def _rows_per_group(size: int, rows: int) -> int:
    """Return the rows of a row group, fewer where they are big. Depends on the file alone, so results repeat."""
    fitting = BYTES_PER_GROUP * rows // max(size, 1)
    return min(ROWS_PER_GROUP, max(LEAST_ROWS_PER_GROUP, fitting))
