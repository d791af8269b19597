"""Decides whether a table is good enough to keep, and says where it isn't."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from filebatch_worker.processor import shape
from filebatch_worker.processors.tabular.faults import invalid
from filebatch_worker.processors.tabular.measure import Fault
from filebatch_worker.processors.tabular.options import TabularOptions
from filebatch_worker.processors.tabular.table import BadRow, Table, refusal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SHOWN = 200  # characters of a bad value that are quoted


@dataclass(frozen=True)
class Verdict:
    """The rows of a table that are left out (`bad`), and SQL that is true for those among them that the reader kept."""

    bad: tuple[BadRow, ...]
    left_out: str


def judge(connection: DuckDBPyConnection, table: Table, options: TabularOptions) -> Verdict:
    """Return which rows to leave out. Raises InvalidFile, naming the first bad row, where they are too many."""
    faults = table.measured.faults
    left_out = " OR ".join(f"({fault.condition})" for fault in faults) or "false"
    faulty = _count(connection, table, left_out) if faults else 0
    count = len(table.bad_rows) + faulty
    found = _faulty_rows(connection, table, faults, left_out, options.max_bad_rows + 1) if faults else []
    bad = sorted([*table.bad_rows, *found], key=lambda row: row.line or row.row or 0)
    if count > options.max_bad_rows:
        raise refusal(bad[0], count, options.max_bad_rows)
    if not options.allow_empty and table.measured.rows - faulty == 0:
        raise invalid("empty", "the table has no rows")
    return Verdict(tuple(bad), left_out)


def _count(connection: DuckDBPyConnection, table: Table, condition: str) -> int:
    found = connection.execute(
        f"SELECT count(*) FROM {table.relation} WHERE {condition}",  # noqa: S608 - names are quoted where they are made
        table.parameters,
    ).fetchall()
    return int(found[0][0])


def _faulty_rows(
    connection: DuckDBPyConnection, table: Table, faults: Sequence[Fault], condition: str, limit: int
) -> list[BadRow]:
    """Return the first rows that hold a fault, each with the first of its faults."""
    which = " ".join(f"WHEN {fault.condition} THEN {at}" for at, fault in enumerate(faults))
    value = " ".join(f"WHEN {fault.condition} THEN left({fault.column.text}, {SHOWN + 1})" for fault in faults)
    found = connection.execute(
        f"SELECT row, which, value FROM (SELECT row_number() OVER () AS row, {condition} AS bad, "  # noqa: S608
        f"CASE {which} END AS which, CASE {value} END AS value FROM {table.relation}) "
        f"WHERE bad ORDER BY row LIMIT {limit}",
        table.parameters,
    ).fetchall()
    lines = table.locate([row for row, _, _ in found])
    return [_bad_row(faults[which], row, lines.get(row), value) for row, which, value in found]


def _bad_row(fault: Fault, row: int, line: int | None, value: str | None) -> BadRow:
    found = value or ""
    seen = f"text of more than {SHOWN} characters" if len(found) > SHOWN else shape(found.strip() and found)
    return BadRow(
        code=fault.code,
        reason=f"expected {fault.expected}, found {seen}",
        line=line,
        row=row,
        column=fault.column.name,
        expected=fault.expected,
        found=found[:SHOWN],
        detail=repr(found[:SHOWN]) if found.strip() else "",
    )
