"""How numbers and dates of the finished table spread: ten bars of equal width from a column's least to its greatest.

It is a picture and no statistic: every so many rows are counted. What is small is looked at faster than its bars.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from filebatch_worker.processors.tabular.column_types import identifier
from filebatch_worker.processors.tabular.measure import Typed

BARS = 10
LEAST_ROWS = 1_000
MOST_ROWS = 512  # that are counted
MOST_COLUMNS = 100
MOMENTS = ("date", "timestamp", "timestamptz")
ROW_NUMBER = "file_row_number"  # the engine's name for a row's place in its Parquet file
Values = Sequence[float | None]


def values_of(rows: int, columns: Sequence[Typed]) -> tuple[list[str], str]:
    """Return the names of the columns that may get a histogram, and SQL for a list of their values as numbers, by row.

    They are of rows all over the table, a Parquet file: all of a sorted one is in them. The list is one aggregate of
    all columns, as one of each takes longer to plan than to make.
    """
    numbers = {column.column.name: number for column in columns[:MOST_COLUMNS] if (number := _number(column))}
    is_taken = any(column.column.name.casefold() == ROW_NUMBER for column in columns)
    if rows < LEAST_ROWS or is_taken or not numbers:
        return [], "NULL"
    every = math.ceil(rows / MOST_ROWS)
    return list(numbers), f"list(row({', '.join(numbers.values())})) FILTER (WHERE {ROW_NUMBER} % {every} = 0)"


def histogram(column: Typed, values: Values | None, entry: Mapping[str, Any]) -> dict[str, list[int]]:
    """Return `{"histogram": counts}` for a column with the range of its `entry`; nothing where there is none.

    A column of one value has none to show, nor has one whose range is no number: infinity, years beyond our calendar;
    nor one that has no value in the rows that are counted.
    """
    known = sorted(value for value in values or () if value is not None and not math.isnan(value))
    ends = _ends(column, entry) if known else None
    return {"histogram": _count(known, *ends)} if ends else {}


def _number(column: Typed) -> str | None:
    name = identifier(column.column.name)
    if column.type.name in MOMENTS:
        return f"epoch({name})"
    if column.type.label in ("integer", "float"):
        return name
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


def _count(ordered: Sequence[float], least: float, greatest: float) -> list[int]:
    """Return how many values, the least first, are in each bar; what is the greatest is in the last one.

    So is what is beyond it: the ends are rounded otherwise than the values, where a double doesn't hold them.
    """
    width = greatest - least
    ends = (
        bisect_left(ordered, float(bar), key=lambda value: (value - least) / width * BARS) for bar in range(1, BARS)
    )
    return [end - start for start, end in pairwise([0, *ends, len(ordered)])]
