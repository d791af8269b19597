"""The forms that dates and times may be declared in, `%d.%m.%Y` and the like, as rules that a text matches as a whole.

The engine's own reading of such a form is lenient: it takes 24 for the year 24, and "infinity" and "epoch" for dates.
Codes: https://duckdb.org/docs/stable/sql/functions/dateformat
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_NUMBERS = ("m", "d", "H", "I", "M", "S")
_PATTERNS = {
    "Y": r"\d{4}",
    "y": r"\d{2}",
    "f": r"\d{1,6}",
    "j": r"\d{1,3}",
    "p": r"[AaPp][Mm]",
    "b": r"[A-Za-z]{3}",
    "B": r"[A-Za-z]{3,9}",
    "a": r"[A-Za-z]{3}",
    "A": r"[A-Za-z]{6,9}",
    "z": r"[+-]\d{2}(:?\d{2})?",
    "%": "%",
}
CODES = ", ".join(f"%{code}" for code in (*_NUMBERS, *_PATTERNS))

_PART = re.compile(r"%(-?.?)|([^%]+)", re.DOTALL)
_DAYS = ({"m", "d"}, {"b", "d"}, {"B", "d"}, {"j"})  # what tells the day of a year


def pattern_of(form: str) -> str:
    """Return the regular expression that a text in `form` matches as a whole. Raises ValueError that says why not."""
    parts = [(match[1], match[2]) for match in _PART.finditer(form)]
    codes = [(code or "").removeprefix("-") for code, text in parts if text is None]
    unknown = [code for code in codes if code not in _NUMBERS and code not in _PATTERNS]
    if unknown:
        raise ValueError(f"%{unknown[0]} is not one of {CODES}")
    if any(codes.count(code) > 1 for code in codes if code != "%"):
        raise ValueError("a code stands there twice")
    if not {"Y", "y"} & {*codes} or not any(day <= {*codes} for day in _DAYS):
        raise ValueError("it doesn't tell year, month and day")
    return "".join(_patterns(parts))


def _patterns(parts: list[tuple[str | None, str | None]]) -> Iterator[str]:
    """A number may have one digit where something else than another code ends it."""
    for at, (code, text) in enumerate(parts):
        if text is not None:
            yield re.escape(text)
            continue
        name = (code or "").removeprefix("-")
        runs_on = at + 1 < len(parts) and parts[at + 1][1] is None
        yield _PATTERNS.get(name) or (r"\d{2}" if runs_on or _follows_code(parts, at) else r"\d{1,2}")


def _follows_code(parts: list[tuple[str | None, str | None]], at: int) -> bool:
    return at > 0 and parts[at - 1][1] is None
