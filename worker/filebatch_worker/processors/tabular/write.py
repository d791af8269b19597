"""Writes the table, typed and without its bad rows, in the order of the file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from filebatch_worker.processors.tabular.column_types import identifier, literal
from filebatch_worker.processors.tabular.judge import Verdict
from filebatch_worker.processors.tabular.measure import Relation, Typed
from filebatch_worker.processors.tabular.table import Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

ROWS_PER_GROUP = 122_880  # the engine's default
LEAST_ROWS_PER_GROUP = 2_048  # the engine's vector: a group can't be smaller
LEVEL = 2  # of zstd: beside the usual 3 a quarter of the time to write less, and as small within some percent
BYTES_PER_GROUP = 128 * 1024**2  # of text: a group is held in memory until it is written


def write_parquet(connection: DuckDBPyConnection, table: Table, verdict: Verdict, path: Path) -> int:
    """Write `table` to `path` and return the number of rows written."""
    measured = table.measured
    if table.written:
        return measured.rows
    relation = Relation(connection, table.relation, table.parameters)
    written = copy(relation, measured.columns, f"NOT ({verdict.left_out})", table.size, measured.rows, path)
    lost = measured.rows - written - (len(verdict.bad) - len(table.bad_rows))
    if lost:
        raise AssertionError(f"{measured.rows} rows were read and {written} written: {lost} too few")
    return written


def copy(table: Relation, columns: Sequence[Typed], condition: str, size: int, rows: int, path: Path) -> int:
    """Write the rows that meet SQL `condition` to `path` and return their number.

    The table has about `size` bytes and at most `rows` rows.
    """
    values = ", ".join(f"{column.value} AS {identifier(column.column.name)}" for column in columns)
    written = table.all(
        f"COPY (SELECT {values} FROM {table.sql} WHERE {condition}) TO {literal(str(path))} "  # noqa: S608
        f"(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL {LEVEL}, ROW_GROUP_SIZE {_rows_per_group(size, rows)})"
    )
    return int(written[0][0])


def _rows_per_group(size: int, rows: int) -> int:
    """Return the rows of a row group, fewer where they are big. Depends on the file alone, so results repeat."""
    fitting = BYTES_PER_GROUP * rows // max(size, 1)
    return min(ROWS_PER_GROUP, max(LEAST_ROWS_PER_GROUP, fitting))
