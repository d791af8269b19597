"""What the readers of the three formats return: a relation whose columns and bad rows are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from filebatch_worker.processor import InvalidFile
from filebatch_worker.processors.tabular.column import Column
from filebatch_worker.processors.tabular.faults import invalid
from filebatch_worker.processors.tabular.measure import Measured


@dataclass(frozen=True)
class BadRow:
    """A row, or one value of it, that could not be kept. `line` counts from 1, `row` from 1 without the header.

    `reason` quotes nothing of the file; `found` and `detail`, which continues it, may.
    """

    code: str
    reason: str
    line: int | None = None
    row: int | None = None
    column: str | None = None
    expected: str | None = None
    found: str | None = None
    detail: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return what `rejects.json` says of it: all that is known."""
        known = {name: value for name, value in asdict(self).items() if value is not None and name != "detail"}
        return {**known, "reason": f"{self.reason}: {self.detail}" if self.detail else self.reason}


@dataclass(frozen=True)
class Written:
    """A table as it was written: its number of rows, and by a column's quoted name what the engine tells of it.

    That is texts: `null_count`, `num_values`; `min` and `max` as the engine prints them, which are the column's own
    only where `min_is_exact` and `max_is_exact` say so; `has_nan`.
    """

    rows: int
    told: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Table:
    """A file as a relation: `relation` is what stands after FROM, with `parameters` for its placeholders.

    `bad_rows` were left out by the reader (the first of them, where there are many). `written` is what
    was written already, where it shall be. `locate` finds the lines of rows of the relation.
    `sql_of` is that of Relation.
    """

    relation: str
    parameters: Sequence[Any]
    measured: Measured
    size: int  # bytes, plain
    facts: Mapping[str, Any]
    bad_rows: tuple[BadRow, ...] = ()
    written: Written | None = None
    locate: Callable[[Sequence[int]], Mapping[int, int]] = lambda _rows: {}
    sql_of: Callable[[Sequence[Column]], str] | None = None


def refusal(first: BadRow, count: int, allowed: int) -> InvalidFile:
    """Return the error for a file with `count` bad rows where no more than `allowed` may be."""
    place = f"line {first.line}" if first.line else f"row {first.row}"
    column = f", column {first.column!r}" if first.column is not None else ""
    others = f"; {count} bad rows in all, {allowed} allowed" if count > 1 or allowed else ""
    return invalid(
        first.code,
        f"{place}{column}: {first.reason}{others}",
        first.detail,
        line=first.line,
        row=None if first.line else first.row,
        column=first.column,
        expected=first.expected,
        found=first.found,
        bad_rows=count,
    )
