"""Decides the type of a column from every value in it.

Each value is put in one class; a column's classes, or-ed together over the whole file, decide its type. The rule is
that nothing is lost: a type is taken only where it gives every value back, so identifiers with leading zeros, phone
numbers with a plus, numbers of too many digits and dates that could be read two ways stay text.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag, auto

from filebatch_worker.processors.tabular.column_types import (
    BOOLEAN,
    DATE,
    EXACT_DIGITS,
    FLOAT,
    INTEGER,
    ISO_TIMESTAMP,
    STRING,
    TIMESTAMP,
    TIMESTAMPTZ,
    ColumnType,
    decimal,
    formatted,
    is_no_underflow,
    literal,
)


class Kind(IntFlag):
    """The class of one value; of a column, the classes that occur in it."""

    TEXT = auto()
    SMALL_INTEGER = auto()  # up to 15 digits: a float holds it exactly
    INTEGER = auto()  # fits 64 bits
    WIDE_INTEGER = auto()  # up to 38 digits
    FLOAT = auto()
    NOT_FINITE = auto()  # NaN and infinities, numbers only in the company of numbers
    BOOLEAN = auto()
    DATE = auto()  # 2024-02-01
    DATE_SLASH = auto()  # 2024/2/1
    DATE_DOT = auto()  # 1.2.2024
    DAY_FIRST = auto()  # 13/2/2024
    MONTH_FIRST = auto()  # 2/13/2024
    DAY_OR_MONTH = auto()  # 1/2/2024, which alone says nothing
    MONTH_NAME = auto()  # Feb 1 2024
    MONTH_NAME_COMMA = auto()  # Feb 1, 2024
    DAY_MONTH_NAME = auto()  # 01 Feb 2024
    DAY_DASH_MONTH_NAME = auto()  # 01-Feb-2024
    TIMESTAMP = auto()
    TIMESTAMP_UTC = auto()
    NESTED = auto()  # a JSON object or array


@dataclass(frozen=True)
class _DateForm:
    kind: Kind
    pattern: str
    form: str


_DATE_FORMS = (
    _DateForm(Kind.DATE_SLASH, r"\d{4}/\d\d?/\d\d?", "%Y/%m/%d"),
    _DateForm(Kind.DATE_DOT, r"\d\d?\.\d\d?\.\d{4}", "%d.%m.%Y"),
)
_NAMED_FORMS = (
    _DateForm(Kind.MONTH_NAME, r"[A-Za-z]{3} \d\d? \d{4}", "%b %d %Y"),
    _DateForm(Kind.MONTH_NAME_COMMA, r"[A-Za-z]{3} \d\d?, \d{4}", "%b %d, %Y"),
)
_DAY_NAMED_FORMS = (
    _DateForm(Kind.DAY_MONTH_NAME, r"\d\d? [A-Za-z]{3} \d{4}", "%d %b %Y"),
    _DateForm(Kind.DAY_DASH_MONTH_NAME, r"\d\d?-[A-Za-z]{3}-\d{4}", "%d-%b-%Y"),
)
_SLASHED = r"\d\d?/\d\d?/\d{4}"
_DAY_FIRST, _MONTH_FIRST = "%d/%m/%Y", "%m/%d/%Y"

_FORMATS = {form.kind: form.form for form in (*_DATE_FORMS, *_NAMED_FORMS, *_DAY_NAMED_FORMS)} | {
    Kind.DAY_FIRST: _DAY_FIRST,
    Kind.DAY_FIRST | Kind.DAY_OR_MONTH: _DAY_FIRST,
    Kind.MONTH_FIRST: _MONTH_FIRST,
    Kind.MONTH_FIRST | Kind.DAY_OR_MONTH: _MONTH_FIRST,
}
_INTEGERS = Kind.SMALL_INTEGER | Kind.INTEGER | Kind.WIDE_INTEGER


def resolve(kinds: Kind) -> ColumnType:
    """Return the type that holds every value of a column with these classes without loss."""
    exact = {Kind.BOOLEAN: BOOLEAN, Kind.DATE: DATE, Kind.TIMESTAMP: TIMESTAMP, Kind.TIMESTAMP_UTC: TIMESTAMPTZ}
    if kinds in exact:
        return exact[kinds]
    if kinds in _FORMATS:
        return formatted("date", _FORMATS[kinds])
    return _number(kinds) or STRING


def kept_by(kinds: Kind) -> Kind:
    """Return the classes that may still occur without changing the type that `kinds` resolve to; none if unsure."""
    if kinds & Kind.TEXT:
        return ~Kind.NESTED
    found = resolve(kinds)
    if found == INTEGER:
        return Kind.SMALL_INTEGER | Kind.INTEGER
    if found == FLOAT:
        return Kind.SMALL_INTEGER | Kind.FLOAT | Kind.NOT_FINITE
    if kinds in _FORMATS and kinds & (Kind.DAY_FIRST | Kind.MONTH_FIRST):
        return kinds | Kind.DAY_OR_MONTH
    return kinds if found.sql in ("BOOLEAN", "DATE", "TIMESTAMP", "TIMESTAMPTZ") else Kind(0)


def _number(kinds: Kind) -> ColumnType | None:
    if not kinds & (_INTEGERS | Kind.FLOAT) or kinds & ~(_INTEGERS | Kind.FLOAT | Kind.NOT_FINITE):
        return None
    if kinds & (Kind.FLOAT | Kind.NOT_FINITE):
        return None if kinds & (Kind.INTEGER | Kind.WIDE_INTEGER) else FLOAT
    return decimal(38, 0) if kinds & Kind.WIDE_INTEGER else INTEGER


def _form_case(form: _DateForm) -> str:
    return (
        f"WHEN regexp_full_match(t, {literal(form.pattern)}) AND try_strptime(t, {literal(form.form)}) IS NOT NULL "
        f"THEN {form.kind.value}"
    )


def _cases(*forms: _DateForm) -> str:
    return " ".join(map(_form_case, forms))


# Macros of `t` are given trimmed text. Cheap tests stand first: most values never reach a regular expression, of which
# each takes a tenth of a millisecond to make ready, whatever the file.
_DATE_KIND = f"""CASE
  WHEN regexp_full_match(t, {literal(_SLASHED)}) THEN
    CASE WHEN try_strptime(t, '{_DAY_FIRST}') IS NULL THEN
      CASE WHEN try_strptime(t, '{_MONTH_FIRST}') IS NULL THEN {Kind.TEXT.value} ELSE {Kind.MONTH_FIRST.value} END
    WHEN try_strptime(t, '{_MONTH_FIRST}') IS NULL THEN {Kind.DAY_FIRST.value}
    ELSE {Kind.DAY_OR_MONTH.value} END
  WHEN {DATE.quick_for("t")} THEN {Kind.DATE.value}
  {_cases(*_DATE_FORMS)}
  WHEN regexp_full_match(t, {literal(ISO_TIMESTAMP + "(Z|[+]00(:?00)?)?")}) THEN
    CASE WHEN contains(t, 'Z') OR contains(t, '+') THEN
      CASE WHEN TRY_CAST(t AS TIMESTAMPTZ) IS NULL THEN {Kind.TEXT.value} ELSE {Kind.TIMESTAMP_UTC.value} END
    WHEN TRY_CAST(t AS TIMESTAMP) IS NULL THEN {Kind.TEXT.value} ELSE {Kind.TIMESTAMP.value} END
  {_cases(*_DAY_NAMED_FORMS)}
  ELSE {Kind.TEXT.value} END"""

_EXACT_FLOAT = f"""(strlen(t) <= {EXACT_DIGITS + 1} OR
  rtrim(CAST(TRY_CAST(t AS DOUBLE) AS VARCHAR), '0') = rtrim(t, '0'))"""

_INTEGER_KIND = f"""CASE
  WHEN CAST(TRY_CAST(t AS BIGINT) AS VARCHAR) = t THEN
    CASE WHEN strlen(t) <= {EXACT_DIGITS} THEN {Kind.SMALL_INTEGER.value} ELSE {Kind.INTEGER.value} END
  WHEN strlen(t) > {EXACT_DIGITS} AND regexp_full_match(t, '-?[1-9]\\d{{18,37}}') THEN {Kind.WIDE_INTEGER.value}
  END"""

# An exponent counts only with a point or a sign: 12E3 is more often an article number than a float.
_FLOAT_KIND = f"""CASE
  WHEN regexp_full_match(t, '-?(0|[1-9]\\d*)?\\.\\d+|-?(0|[1-9]\\d*)\\.') THEN
    CASE WHEN {_EXACT_FLOAT} THEN {Kind.FLOAT.value} ELSE {Kind.TEXT.value} END
  WHEN regexp_full_match(t, '-?\\d\\.\\d+[eE][+-]?\\d{{1,3}}|-?\\d[eE][+-]\\d{{1,3}}') THEN
    CASE WHEN isfinite(TRY_CAST(t AS DOUBLE)) AND {is_no_underflow("t")} AND (
      strlen(split_part(lower(t), 'e', 1)) <= {EXACT_DIGITS + 1}
      OR CAST(TRY_CAST(t AS DOUBLE) AS VARCHAR) = lower(t)) THEN {Kind.FLOAT.value} ELSE {Kind.TEXT.value} END
  END"""

_WORD_KIND = f"""CASE
  WHEN lower(t) IN ('true', 'false') THEN {Kind.BOOLEAN.value}
  WHEN lower(t) IN ('nan', 'inf', '-inf') THEN {Kind.NOT_FINITE.value}
  {_cases(*_NAMED_FORMS)}
  ELSE {Kind.TEXT.value} END"""

_TRIMMED_KIND = f"""CASE
  WHEN t IS NULL THEN 0
  WHEN strlen(t) > 40 THEN {Kind.TEXT.value}
  WHEN t[1] BETWEEN '0' AND '9' OR t[1] IN ('-', '.') AND lower(t) <> '-inf' THEN
    coalesce(integer_kind(t), float_kind(t), date_kind(t))
  ELSE word_kind(t) END"""

# With a decimal comma, a point groups thousands: 1.234 is no number that we would guess at.
_COMMA_KIND = f"""CASE
  WHEN contains(t, ',') THEN coalesce(float_kind(translate(t, ',.', '.,')), {Kind.TEXT.value})
  WHEN contains(t, '.') THEN date_kind(t)
  ELSE trimmed_kind(t) END"""

_JSON_NUMBER_KIND = f"""coalesce(integer_kind(t),
  CASE WHEN strlen(t) > 38 AND regexp_full_match(t, '-?\\d+') THEN {Kind.TEXT.value}
  WHEN isfinite(TRY_CAST(t AS DOUBLE)) THEN {Kind.FLOAT.value} ELSE {Kind.TEXT.value} END)"""

# This looks at a JSON value's own text `j`, which saves parsing it again. A string that looks like a number or a
# boolean is a string all the same; but JSON has no other way to write a date.
_JSON_KIND = f"""CASE
  WHEN j IS NULL OR j = 'null' THEN 0
  WHEN j[1] = '"' THEN CASE WHEN strlen(j) <= 42 AND j[2] BETWEEN '0' AND '9' AND NOT contains(j, '\\')
    THEN date_kind(trim(j, '"')) ELSE {Kind.TEXT.value} END
  WHEN j IN ('true', 'false') THEN {Kind.BOOLEAN.value}
  WHEN j[1] IN ('{{', '[') THEN {Kind.NESTED.value}
  ELSE json_number_kind(j) END"""

MACROS = tuple(
    f"CREATE MACRO {name}({argument}) AS ({body})"
    for name, argument, body in (
        ("date_kind", "t", _DATE_KIND),
        ("integer_kind", "t", _INTEGER_KIND),
        ("float_kind", "t", _FLOAT_KIND),
        ("word_kind", "t", _WORD_KIND),
        ("trimmed_kind", "t", _TRIMMED_KIND),
        ("comma_kind", "t", _COMMA_KIND),
        ("json_number_kind", "t", _JSON_NUMBER_KIND),
        ("json_kind", "j", _JSON_KIND),
    )
)
