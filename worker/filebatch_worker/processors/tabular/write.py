"""Writes the table, typed and without its bad rows, in the order of the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from filebatch_worker.processors.tabular.column import Column
from filebatch_worker.processors.tabular.column_types import identifier, literal
from filebatch_worker.processors.tabular.judge import Verdict
from filebatch_worker.processors.tabular.measure import VALUES_AT_ONCE, Relation, Typed, batches
from filebatch_worker.processors.tabular.table import Table, Written

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

ROWS_PER_GROUP = 122_880  # the engine's default
LEAST_ROWS_PER_GROUP = 2_048  # the engine's vector: a group can't be smaller
LEVEL = 2  # of zstd: beside the usual 3 a quarter of the time to write less, and as small within some percent
BYTES_PER_GROUP = 128 * 1024**2  # of text: a group is held in memory until it is written

CELL_BYTES = 16  # of a text in memory, be it empty


def write_parquet(connection: DuckDBPyConnection, table: Table, verdict: Verdict, path: Path) -> Written:
    """Write `table` to `path`, where it isn't yet, and return what was written."""
    measured = table.measured
    if table.written:
        return table.written
    relation = Relation(connection, table.relation, table.parameters, table.sql_of)
    condition, needed = f"NOT ({verdict.left_out})", [fault.column for fault in measured.faults]
    written = copy(relation, measured.columns, condition, table.size, measured.rows, path, needed)
    lost = measured.rows - written.rows - (len(verdict.bad) - len(table.bad_rows))
    if lost:
        raise AssertionError(f"{measured.rows} rows were read and {written.rows} written: {lost} too few")
    return written


def copy(
    table: Relation,
    columns: Sequence[Typed],
    condition: str,
    size: int,
    rows: int,
    path: Path,
    needed: Sequence[Column] = (),
) -> Written:
    """Write the rows that meet SQL `condition`, which needs columns `needed`, to `path` and return what was written.

    The table has about `size` bytes and at most `rows` rows.
    """
    group = _rows_per_group(size, rows)
    if len(columns) <= VALUES_AT_ONCE or any(column.column.native for column in columns):
        return _copy(table, columns, condition, group, path)
    fitting = max(LEAST_ROWS_PER_GROUP, BYTES_PER_GROUP // (CELL_BYTES * len(columns)))
    return _copy_in_parts(table, columns, condition, min(group, fitting), path, needed)


def _copy(table: Relation, columns: Sequence[Typed], condition: str, group: int, path: Path) -> Written:
    values = ", ".join(f"{column.value} AS {identifier(column.column.name)}" for column in columns)
    found = table.all(
        f"COPY (SELECT {values} FROM {table.sql} WHERE {condition}) TO {literal(str(path))} "  # noqa: S608
        f"(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL {LEVEL}, ROW_GROUP_SIZE {group}, RETURN_STATS)"
    )
    _, written, _, _, told, *_ = found[0]
    return Written(written, told)


def _copy_in_parts(
    table: Relation, columns: Sequence[Typed], condition: str, group: int, path: Path, needed: Sequence[Column]
) -> Written:
    """Compute some columns at a time, each part into a file of its own, and put the parts together then.

    Each step of each value's SQL takes memory for 2,048 rows, however few there are, and to plan thousands of them
    takes a minute.
    """
    parts: dict[Path, int] = {}
    for number, some in enumerate(batches(columns)):
        part = path.with_name(f"part-{number}.parquet")
        source = table.only([*needed, *(column.column for column in some)])
        parts[part] = _copy(source, some, condition, group, part).rows
    if len(set(parts.values())) > 1:
        raise AssertionError(f"parts of one table have different numbers of rows: {sorted(parts.values())}")
    files = (f"read_parquet({literal(str(part))}, hive_partitioning=false)" for part in parts)
    together = Relation(table.connection, " POSITIONAL JOIN ".join(files), ())
    stored = [replace(column, value=identifier(column.column.name)) for column in columns]
    written = _copy(together, stored, "true", group, path)
    for part in parts:
        part.unlink()
    return written


def _rows_per_group(size: int, rows: int) -> int:
    """Return the rows of a row group, fewer where they are big. Depends on the file alone, so results repeat."""
    fitting = BYTES_PER_GROUP * rows // max(size, 1)
    return min(ROWS_PER_GROUP, max(LEAST_ROWS_PER_GROUP, fitting))
