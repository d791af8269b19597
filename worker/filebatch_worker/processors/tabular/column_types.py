"""The types a column may be declared with, and the SQL that parses text into each of them without loss.

Every parser yields NULL for text that is not exactly such a value: DuckDB's own casts round 1.5 to an integer, cut
decimals, read 1_000 and 0x10 as numbers and 24:00 as the next day.
"""

from __future__ import annotations

from dataclasses import dataclass

from filebatch.core.date_forms import pattern_of
from filebatch.core.tabular_options import DeclaredType

EXACT_DIGITS = 15  # any decimal number of so many digits survives a float

TIME = r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6})?)?"
OFFSET = r"(Z|[+-]\d\d(:?\d\d)?)"


@dataclass(frozen=True)
class ColumnType:
    """A type by the name users know (`label`), and the DuckDB type it is stored as (`sql`).

    `parser` is SQL with `{t}` for trimmed, non-empty text. `quick` is SQL with `{v}` for any text that is true for most
    texts that a plain cast reads rightly, and for no other: a fraction of the price. `{c}` in it is the value that the
    cast makes of the text, NULL where it makes none.
    """

    label: str
    sql: str
    parser: str
    quick: str = ""
    form: str = ""  # strptime's codes, where the text has a form of its own

    def parse(self, text: str, otherwise: str = "", cast: str = "") -> str:
        """Return SQL for the typed value of SQL expression `text`: NULL where that is blank or not of this type.

        `otherwise` is SQL for what is taken instead of NULL, `cast` for the text's plain cast where that is at hand.
        """
        if self.sql == "VARCHAR":
            return text
        parsed = self.parser.replace("{t}", trimmed(text))
        parsed = f"coalesce({parsed}, {otherwise})" if otherwise else parsed
        return (
            f"CASE WHEN {self.quick_for(text, cast)} THEN {cast or self.plain_cast(text)} ELSE {parsed} END"
            if self.quick
            else parsed
        )

    def cast(self, text: str) -> str:
        """Return SQL as `parse` does, for text whose every value is blank or known to be of this type: cheaper.

        The engine's cast ignores blanks around every value but a boolean. A bare cast would move into the engine's
        reader, where an empty text between quotes is an error however forgiving the cast is.
        """
        if self.sql == "VARCHAR" or self.form:
            return self.parse(text)
        if self.sql == "BOOLEAN":
            return f"TRY_CAST({trimmed(text)} AS BOOLEAN)"
        return f"CASE WHEN {text} <> '' THEN TRY_CAST({text} AS {self.sql}) END"

    def plain_cast(self, text: str) -> str:
        """Return SQL for what the engine makes of SQL expression `text`, NULL where it makes nothing."""
        return f"TRY_CAST({text} AS {self.sql})"

    def quick_for(self, text: str, cast: str = "") -> str:
        """Return `quick` for SQL expression `text`; `cast` is SQL for its plain cast where that is at hand."""
        return self.quick.replace("{c}", cast or self.plain_cast(text)).replace("{v}", text) or "false"

    @property
    def name(self) -> str:
        """The label without the form of the text."""
        return self.label.partition("(")[0] if self.form else self.label

    @property
    def is_number(self) -> bool:
        """Whether a decimal separator matters."""
        return self.sql in ("BIGINT", "DOUBLE") or self.sql.startswith("DECIMAL")


def trimmed(text: str) -> str:
    """Return SQL for `text` without blanks around it, NULL where nothing is left."""
    return f"nullif(trim({text}, ' \t'), '')"


def without_thousands(text: str, separator: str, decimal: str) -> str:
    """Return SQL for `text` without the separators of thousands, where it is a number grouped by them in threes.

    A blank or an apostrophe stands for those of typography, too.
    """
    separators = {" ": " \u00a0\u202f", "'": "'\u2019"}.get(separator, separator)
    number = rf"\s*[+-]?\d{{1,3}}([{separators}]\d{{3}})+(\{decimal}\d*)?\s*"
    plain = f"translate({text}, {literal(separators)}, '')"
    return f"CASE WHEN regexp_full_match({text}, {literal(number)}) THEN {plain} ELSE {text} END"


def literal(value: str) -> str:
    """Return `value` as an SQL string literal."""
    return "'" + value.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Return `name` as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def when(pattern: str, value: str) -> str:
    """Return SQL that is `value` where the text matches the whole regular expression, else NULL."""
    return f"CASE WHEN regexp_full_match({{t}}, {literal(pattern)}) THEN {value} END"


def is_no_underflow(text: str) -> str:
    """Return SQL that is false for a number too near to zero for a DOUBLE, which would become zero."""
    zero = literal(r"[+-]?[0.]+([eE].*)?")
    return f"(abs(TRY_CAST({text} AS DOUBLE)) >= 2.2250738585072014e-308 OR regexp_full_match({text}, {zero}))"


def _dated(*patterns: tuple[str, str]) -> str:
    cases = (when(pattern, f"CAST(try_strptime({{t}}, {literal(form)}) AS DATE)") for pattern, form in patterns)
    return f"coalesce({', '.join(cases)})"


def _timestamp(pattern: str, sql: str) -> str:
    return when(pattern, f"TRY_CAST({{t}} AS {sql})")


# True for text that its value is printed as: what stands there is surely what is meant.
_PRINTS_AS = "CAST({c} AS VARCHAR) = {v}"
_YEAR = r"(\d{3}[1-9]|\d{2}[1-9]\d|\d[1-9]\d{2}|[1-9]\d{3})"
ISO_DATE = _YEAR + r"-\d\d-\d\d"
ISO_TIMESTAMP = ISO_DATE + r"[T ]" + TIME

STRING = ColumnType("string", "VARCHAR", "{t}")
JSON = ColumnType("json", "VARCHAR", "{t}")  # objects and arrays, as their text
INTEGER = ColumnType(
    "integer",
    "BIGINT",
    when(r"[+-]?\d+(\.0*)?", "TRY_CAST(split_part({t}, '.', 1) AS BIGINT)"),
    _PRINTS_AS,
)
FLOAT = ColumnType(
    "float",
    "DOUBLE",
    "CASE WHEN lower({t}) IN ('nan', 'inf', '-inf', 'infinity', '-infinity') THEN TRY_CAST({t} AS DOUBLE) "
    r"WHEN regexp_full_match({t}, '[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?') AND isfinite(TRY_CAST({t} AS DOUBLE)) "
    f"AND {is_no_underflow('{t}')} THEN TRY_CAST({{t}} AS DOUBLE) END",
    rf"strlen({{v}}) <= {EXACT_DIGITS + 1} AND regexp_full_match({{v}}, '-?(0|[1-9]\d*)?\.\d+') OR " + _PRINTS_AS,
)
BOOLEAN = ColumnType(
    "boolean",
    "BOOLEAN",
    "CASE WHEN lower({t}) IN ('true', 't', 'yes', 'y', '1') THEN true "
    "WHEN lower({t}) IN ('false', 'f', 'no', 'n', '0') THEN false END",
    f"{_PRINTS_AS} OR lower({{v}}) IN ('true', 'false')",
)
DATE = ColumnType(
    "date",
    "DATE",
    _dated((ISO_DATE, "%Y-%m-%d"), (_YEAR + r"/\d\d?/\d\d?", "%Y/%m/%d")),
    f"strlen({{v}}) = 10 AND {_PRINTS_AS}",
)
TIMESTAMP = ColumnType(
    "timestamp",
    "TIMESTAMP",
    _timestamp(ISO_TIMESTAMP, "TIMESTAMP"),
    f"strlen({{v}}) = 19 AND ({_PRINTS_AS} OR CAST({{c}} AS VARCHAR) = replace({{v}}, 'T', ' '))",  # it prints no T
)
TIMESTAMPTZ = ColumnType("timestamptz", "TIMESTAMPTZ", _timestamp(ISO_TIMESTAMP + " ?" + OFFSET, "TIMESTAMPTZ"))

_PLAIN = {known.label: known for known in (STRING, INTEGER, FLOAT, BOOLEAN, DATE, TIMESTAMP, TIMESTAMPTZ)}


def decimal(precision: int, scale: int) -> ColumnType:
    """Return the type of numbers with up to `scale` digits after the point and `precision` digits in all."""
    sql = f"DECIMAL({precision},{scale})"
    pattern = rf"[+-]?(\d+(\.\d{{0,{scale}}}0*)?|\.\d{{1,{max(scale, 1)}}}0*)"
    plain, with_exponent = when(pattern, f"TRY_CAST({{t}} AS {sql})"), _decimal_with_exponent(sql, scale)
    fraction = rf"(\.\d{{1,{scale}}})?" if scale else ""
    fitting = literal(rf"-?\d{{1,{precision - scale}}}{fraction}")
    quick = f"{_PRINTS_AS} OR regexp_full_match({{v}}, {fitting})" if precision > scale else ""
    return ColumnType(f"decimal({precision},{scale})", sql, f"coalesce({plain}, {with_exponent})", quick)


def _decimal_with_exponent(sql: str, scale: int) -> str:
    """Return SQL for the value of 1e-7 and the like where no digit of it is beyond the scale."""
    mantissa, exponent = "split_part(lower({t}), 'e', 1)", "CAST(split_part(lower({t}), 'e', 2) AS INTEGER)"
    digits = f"strlen(rtrim(split_part({mantissa}, '.', 2), '0'))"
    fits = f"({digits} - {exponent} <= {scale} OR translate({mantissa}, '+-0.', '') = '')"
    return when(r"[+-]?(\d+\.?\d*|\.\d+)[eE][+-]?\d{1,3}", f"CASE WHEN {fits} THEN TRY_CAST({{t}} AS {sql}) END")


def column_type(declared: DeclaredType) -> ColumnType:
    """Return the type that a feed declares."""
    if declared.name == "decimal":
        return decimal(declared.precision, declared.scale)
    return formatted(declared.name, declared.form) if declared.form else _PLAIN[declared.name]


def formatted(name: str, form: str) -> ColumnType:
    """Return the type of dates or timestamps written as `form`, in strptime's codes, e.g. `date(%d.%m.%Y)`.

    Raises ValueError where `form` makes no date.
    """
    sql = name.upper()
    value = f"CAST(try_strptime({{t}}, {literal(form)}) AS {sql})"
    return ColumnType(f"{name}({form})", sql, when(pattern_of(form), value), form=form)
