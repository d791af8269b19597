"""What one cell of a table looks like at first sight: enough to tell a header from data and one delimiter from another.

The types of columns are decided elsewhere, from every value.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

NOTHING, NUMBER, DATE, BOOLEAN, TEXT, MIXED = "", "number", "date", "boolean", "text", "mixed"

_WORDS_FOR_NOTHING = {"", "null", "none", "nil", "nan", "na", "n/a", "n.a.", "#n/a", "-", "--", "?", "\\n"}
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ]\d\d:\d\d.*)?")
_PLAIN_NUMBER = r"\d+[.,]?\d*|[.,]\d+"
_GROUPED_NUMBER = r"\d{1,3}([., ']\d{3})+([.,]\d+)?"
_NUMBER = re.compile(rf"[+-]?({_PLAIN_NUMBER}|{_GROUPED_NUMBER})([eE][+-]?\d+)?%?")


def kind_of(cell: str, null_values: Collection[str] = ()) -> str:
    """Return NUMBER (also with a decimal comma), DATE, BOOLEAN, TEXT, or NOTHING for a blank or a word for no value."""
    text = cell.strip()
    if text.lower() in _WORDS_FOR_NOTHING or cell in null_values:
        return NOTHING
    if _NUMBER.fullmatch(text):
        return NUMBER
    if _DATE.fullmatch(text):
        return DATE
    return BOOLEAN if text.lower() in ("true", "false") else TEXT


def kind_of_all(cells: Iterable[str], null_values: Collection[str] = ()) -> str:
    """Return the one kind that all cells of a column are of, or MIXED. Cells that look like nothing don't count."""
    kinds = {kind_of(cell, null_values) for cell in cells} - {NOTHING}
    return MIXED if len(kinds) > 1 else kinds.pop() if kinds else NOTHING
