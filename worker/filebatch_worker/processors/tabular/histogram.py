"""How numbers and dates of the finished table spread: ten bars of equal width from a column's least to its greatest.

It is a picture and no statistic: of a large table every so many rows are counted. The values come with the query that
describes the columns, as a query of its own would take a small file's tenth part again.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from filebatch_worker.processors.tabular.column_types import identifier
from filebatch_worker.processors.tabular.measure import Typed

BARS = 10
LEAST_ROWS = 100  # fewer are looked at faster than their bars
MOST_ROWS = 1_024  # that are counted
MOST_COLUMNS = 100
MOMENTS = ("date", "timestamp", "timestamptz")
ROW_NUMBER = "file_row_number"  # the engine's name for a row's place in its Parquet file


def values_of(columns: Sequence[Typed], rows: int) -> list[str]:
    """Return for each column of a table SQL for a list of values as numbers, NULL where it gets no histogram."""
    step = math.ceil(rows / MOST_ROWS)
    is_taken = step > 1 and any(column.column.name.casefold() == ROW_NUMBER for column in columns)
    if rows < LEAST_ROWS or is_taken:
        return ["NULL"] * len(columns)
    chosen = f" FILTER (WHERE {ROW_NUMBER} % {step} = 0)" if step > 1 else ""  # all of a sorted table is in these
    shown = [_number(column) if at < MOST_COLUMNS else None for at, column in enumerate(columns)]
    return [f"list({number}){chosen}" if number else "NULL" for number in shown]


def histogram(column: Typed, values: Sequence[float | None] | None, entry: Mapping[str, Any]) -> dict[str, list[int]]:
    """Return `{"histogram": counts}` for a column with the range of its `entry`; nothing where there is none.

    A column of one value has none to show, nor has one whose range is no number: infinity, years beyond our calendar.
    """
    ends = _ends(column, entry) if values else None
    return {"histogram": _count(values, *ends)} if values and ends else {}


def _number(column: Typed) -> str | None:
    name = identifier(column.column.name)
    if column.type.name in MOMENTS:
        return f"epoch({name})"
    if column.type.label == "integer":
        return name
    if column.type.label == "float":
        return f"nullif(CAST({name} AS DOUBLE), 'NaN')"
    return f"CAST({name} AS DOUBLE)" if column.type.sql.startswith("DECIMAL") else None


def _ends(column: Typed, entry: Mapping[str, Any]) -> tuple[float, float] | None:
    number = _seconds if column.type.name in MOMENTS else int if column.type.label == "integer" else float
    try:
        least, greatest = number(entry["min"]), number(entry["max"])
        return (least, greatest) if 0 < greatest - least < math.inf else None
    except (ValueError, TypeError):  # TypeError: no value at all
        return None


def _seconds(moment: str) -> float:
    found = datetime.fromisoformat(moment)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _count(values: Sequence[float | None], least: float, greatest: float) -> list[int]:
    """Return how many values are in each bar; what is the greatest is in the last one.

    So is what is beyond it: the ends are rounded otherwise than the values, where a double doesn't hold them.
    """
    width = greatest - least
    bars = (int((value - least) / width * BARS) for value in values if value is not None)
    found = Counter([min(max(bar, 0), BARS - 1) for bar in bars])
    return [found[bar] for bar in range(BARS)]
