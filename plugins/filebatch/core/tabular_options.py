"""The options of the built-in processor `tabular`: what a feed may say about its tables."""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from filebatch.core import date_forms
from filebatch.core.errors import Problem
from filebatch.core.options import OptionsError, Parsers, count, parsed, wrong

ENCODINGS = ("utf-8", "utf-16", "cp1252", "latin-1")
PLAIN_TYPES = ("string", "integer", "float", "boolean", "date", "timestamp", "timestamptz")
TYPES = "string, integer, float, decimal(p,s), boolean, date, date(FORMAT), timestamp, timestamp(FORMAT), timestamptz"
MAX_DECIMAL_DIGITS = 38

_DECLARED = re.compile(r"\s*([a-z]+)\s*(?:\((.*)\))?\s*", re.DOTALL)
_PRECISION = re.compile(r"\s*(\d{1,2})\s*,\s*(\d{1,2})\s*")


@dataclass(frozen=True)
class DeclaredType:
    """The type of a column: its name; of a decimal its digits, of a date or timestamp the form of its text."""

    name: str
    precision: int = 0
    scale: int = 0
    form: str = ""


def parse(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options as they were written, as values; `columns` are DeclaredTypes by name.

    Raises:
        OptionsError: it names all options that are unknown, or have a value that they can't have.
    """
    values, problems = parsed("tabular", options, PARSERS)
    problems += _undeclared(options.get("columns"), values.get("required", ()))
    problems += _alike_separators(values)
    if problems:
        raise OptionsError(*problems)
    return values


def parse_type(declared: object) -> DeclaredType:
    """Return the type written as `declared` in a feed's `columns`; ValueError says what may stand there."""
    match = _DECLARED.fullmatch(declared) if isinstance(declared, str) else None
    if match and match[1] in PLAIN_TYPES and match[2] is None:
        return DeclaredType(match[1])
    found = _with_argument(match[1], match[2]) if match and match[2] else None
    if found is None:
        raise ValueError(f"one of {TYPES}")
    return found


def alike(name: str) -> str:
    """Return what two names of columns have in common that differ in case or blanks alone."""
    return " ".join(name.split()).casefold()


def _with_argument(name: str, argument: str) -> DeclaredType | None:
    precision = _PRECISION.fullmatch(argument)
    if name == "decimal" and precision:
        digits, scale = int(precision[1]), int(precision[2])
        return DeclaredType(name, digits, scale) if max(scale, 1) <= digits <= MAX_DECIMAL_DIGITS else None
    if name not in ("date", "timestamp"):
        return None
    try:
        date_forms.pattern_of(argument)
    except ValueError as error:
        raise ValueError(f"a form such as {name}(%d.%m.%Y) ({error})") from error
    return DeclaredType(name, form=argument)


def _undeclared(columns: Any, required: Iterable[str]) -> Iterator[Problem]:
    """Yield the required columns that aren't declared, where any are: they would be no column's, but a typing error."""
    names = list(map(str, columns)) if isinstance(columns, Mapping) else []
    for name in required:
        if names and alike(name) not in map(alike, names):
            yield Problem("required", f"columns that are declared ({', '.join(names)})", repr(name))


def _alike_separators(values: Mapping[str, Any]) -> Iterator[Problem]:
    thousands, decimal = values.get("thousands_separator"), values.get("decimal_separator", ".")
    if thousands == decimal:
        yield Problem("thousands_separator", f"another character than decimal_separator, {decimal!r}", repr(thousands))


def _columns(name: str, value: Any) -> dict[str, DeclaredType]:
    if not isinstance(value, Mapping) or not all(isinstance(column, str) and column for column in value):
        raise wrong(name, "a mapping of column names to types", value)
    found: dict[str, DeclaredType] = {}
    once = "each column once; case makes no difference"
    problems = [Problem(name, once, f"{twin!r} twice") for twin in _twins(value)]
    for column, declared in value.items():
        try:
            found[column] = parse_type(declared)
        except ValueError as error:
            problems.append(Problem(f"{name}.{column}", str(error), repr(declared)))
    if problems:
        raise OptionsError(*problems)
    return found


def _twins(columns: Mapping[str, Any]) -> list[str]:
    return [column for column, count in Counter(map(alike, columns)).items() if count > 1]


def _strings(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise wrong(name, "a list of strings", value)
    return tuple(value)


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise wrong(name, "true or false", value)
    return value


def _one_of(*choices: str) -> Callable[[str, Any], str]:
    def parse_choice(name: str, value: Any) -> str:
        if value not in choices:
            raise wrong(name, "one of " + ", ".join(map(repr, choices)), value)
        return str(value)

    return parse_choice


def _encoding(name: str, value: Any) -> str:
    try:
        found = codecs.lookup(value).name
    except (LookupError, TypeError, ValueError):
        found = ""
    by_codec = {codecs.lookup(encoding).name: encoding for encoding in ENCODINGS}
    if found not in by_codec:
        raise wrong(name, "one of " + ", ".join(ENCODINGS), value)
    return by_codec[found]


def _delimiter(name: str, value: Any) -> str:
    found = "\t" if value == "tab" else value
    if not isinstance(found, str) or len(found) != 1 or not found.isascii() or found in '\r\n\0"\\':
        raise wrong(name, 'one ASCII character or "tab"', value)
    return found


def _quote(name: str, value: Any) -> str:
    if value not in ('"', "'", ""):
        raise wrong(name, "a double quote, a single quote or an empty string (no quoting)", value)
    return str(value)


def _comment(name: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) != 1 or not value.isascii() or value in "\r\n\0\"'":
        raise wrong(name, "one ASCII character, such as '#'", value)
    return value


def _member(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise wrong(name, "the name of a file in a zip, with * for any text", value)
    return value


def _trailer(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip("*") or not value.isprintable() or value.count("{rows}") > 1:
        raise wrong(name, "the text of the last line, with {rows} for the number of rows and * for any text", value)
    return value


PARSERS: Parsers = {
    "columns": _columns,
    "extra_columns": _one_of("keep", "error"),
    "required": _strings,
    "allow_empty": _flag,
    "max_bad_rows": count(0),
    "max_uncompressed_bytes": count(1),
    "encoding": _encoding,
    "delimiter": _delimiter,
    "quote": _quote,
    "header": _flag,
    "decimal_separator": _one_of(".", ","),
    "thousands_separator": _one_of(",", ".", "'", " "),
    "null_values": _strings,
    "escape": _one_of("double", "backslash"),
    "skip_rows": count(0),
    "skip_footer": count(0),
    "comment": _comment,
    "trailer": _trailer,
    "quoted_empty": _one_of("text", "null"),
    "short_rows": _one_of("error", "fill"),
    "member": _member,
    "members": _one_of("one", "all"),
}
