"""Tells whether the first row of a table names its columns.

Taking data for names loses a row in silence, and taking names for data adds one. So each cell of the first row votes:
for a header where it is of another kind than all values below it, for data where it is of the same. Text above text
says nothing, and neither do cells that look like nothing. Feeds whose columns are text say `header`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence

from filebatch.core.tabular_options import alike
from filebatch_worker.processors.tabular.cells import MIXED, NOTHING, NUMBER, TEXT, kind_of, kind_of_all
from filebatch_worker.processors.tabular.options import TabularOptions

_YEAR = re.compile(r"(19|20)\d\d")
_WHOLE = re.compile(r"\d{1,9}")


def has_header(rows: Sequence[Sequence[str]], options: TabularOptions) -> bool:
    """Return whether the first of `rows` is a header. Where columns are declared, only their names make one."""
    if options.header is not None:
        return options.header
    if not rows:
        return True
    if options.columns:
        named = {alike(cell) for cell in rows[0]} & {alike(name) for name in options.columns}
        return bool(named) or len(rows[0]) != len(options.columns)
    return _votes_for_header(rows, options.null_values)


def _votes_for_header(rows: Sequence[Sequence[str]], null_values: Sequence[str]) -> bool:
    first, below = rows[0], [row for row in rows[1:] if len(row) == len(rows[0])]
    columns = [[row[at] for row in below] for at in range(len(first))]
    votes = list(_votes(first, columns, null_values))
    if votes:
        return sum(votes) >= 0
    return all(kind_of(cell, null_values) in (TEXT, NOTHING) for cell in first)


def _votes(first: Sequence[str], columns: Sequence[Sequence[str]], null_values: Sequence[str]) -> Iterator[int]:
    """Yield 1 for a header and -1 for data; the cells of a pivot table's header, 2019 2020 2021, count as names."""
    names = _numbered(first, columns)
    for at, (cell, column) in enumerate(zip(first, columns, strict=True)):
        kind, below = kind_of(cell, null_values), kind_of_all(column, null_values)
        if at in names:
            yield 1
        elif NOTHING in (kind, below) or below == MIXED or (below == TEXT and kind in (TEXT, NUMBER)):
            continue  # a number above texts may be one of several codes
        else:
            yield -1 if kind == below else 1


def _numbered(first: Sequence[str], columns: Sequence[Sequence[str]]) -> set[int]:
    """Return the positions of years, or of three or more whole numbers at equal steps, that no row below repeats."""
    places = [at for at, cell in enumerate(first) if _WHOLE.fullmatch(cell.strip())]
    years = [at for at in places if _YEAR.fullmatch(first[at].strip())]
    if years and not any(_YEAR.fullmatch(cell.strip()) for at in years for cell in columns[at]):
        return {*years}
    rows = [[columns[at][row] for at in places] for row in range(len(columns[0]) if columns else 0)]
    steady = len(places) >= 3 and _is_steady([first[at] for at in places])
    return {*places} if steady and not any(map(_is_steady, rows)) else set()


def _is_steady(cells: Sequence[str]) -> bool:
    if not all(_WHOLE.fullmatch(cell.strip()) for cell in cells):
        return False
    steps = {int(after) - int(before) for before, after in itertools.pairwise(cells)}
    return len(steps) == 1 and min(steps) > 0
