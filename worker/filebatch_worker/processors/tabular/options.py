"""What a feed may say about its tables, checked before the first file."""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from filebatch_worker.processor import ConfigurationError
from filebatch_worker.processors.tabular.column_types import ColumnType, parse_type
from filebatch_worker.processors.tabular.naming import alike

ENCODINGS = ("utf-8", "utf-16", "cp1252", "latin-1")
MAX_UNCOMPRESSED_BYTES = 50 * 1024**3


@dataclass(frozen=True)
class TabularOptions:
    """The options of one feed; the defaults take any table as it comes."""

    columns: Mapping[str, ColumnType] = field(default_factory=dict)
    extra_columns: str = "keep"
    required: tuple[str, ...] = ()
    allow_empty: bool = True
    max_bad_rows: int = 0
    max_uncompressed_bytes: int = MAX_UNCOMPRESSED_BYTES
    encoding: str | None = None
    delimiter: str | None = None
    quote: str | None = None
    header: bool | None = None
    decimal_separator: str = "."
    null_values: tuple[str, ...] = ()
    escape: str | None = None
    skip_rows: int = 0
    skip_footer: int = 0
    comment: str = ""
    trailer: str = ""
    quoted_empty: str = "text"

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns that the feed speaks of."""
        return tuple(dict.fromkeys((*self.columns, *self.required)))


def parse_options(options: Mapping[str, Any]) -> TabularOptions:
    """Return the options as written in a feed's YAML, checked. Raises ConfigurationError naming option and value."""
    unknown = sorted(set(options) - set(_PARSERS))
    if unknown:
        raise ConfigurationError(f"tabular: unknown option {unknown[0]!r}; expected one of: {', '.join(_PARSERS)}")
    return TabularOptions(**{name: _PARSERS[name](name, value) for name, value in options.items()})


def _wrong(name: str, expected: str, found: Any) -> ConfigurationError:
    return ConfigurationError(f"tabular: option {name!r}: expected {expected}, found {found!r}")


def _columns(name: str, value: Any) -> dict[str, ColumnType]:
    if not isinstance(value, Mapping) or not all(isinstance(column, str) and column for column in value):
        raise _wrong(name, "a mapping of column names to types", value)
    twins = [column for column, count in Counter(map(alike, value)).items() if count > 1]
    if twins:
        raise ConfigurationError(f"tabular: option {name!r}: {twins[0]!r} is declared twice; case makes no difference")
    return {column: parse_type(column, declared) for column, declared in value.items()}


def _strings(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise _wrong(name, "a list of strings", value)
    return tuple(value)


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _wrong(name, "true or false", value)
    return value


def _count(least: int) -> Callable[[str, Any], int]:
    def parse(name: str, value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise _wrong(name, f"an integer of at least {least}", value)
        return value

    return parse


def _one_of(*choices: str) -> Callable[[str, Any], str]:
    def parse(name: str, value: Any) -> str:
        if value not in choices:
            raise _wrong(name, "one of " + ", ".join(map(repr, choices)), value)
        return str(value)

    return parse


def _encoding(name: str, value: Any) -> str:
    try:
        found = codecs.lookup(value).name
    except (LookupError, TypeError):
        found = ""
    by_codec = {codecs.lookup(encoding).name: encoding for encoding in ENCODINGS}
    if found not in by_codec:
        raise _wrong(name, "one of " + ", ".join(ENCODINGS), value)
    return by_codec[found]


def _delimiter(name: str, value: Any) -> str:
    found = "\t" if value == "tab" else value
    if not isinstance(found, str) or len(found) != 1 or not found.isascii() or found in '\r\n\0"\\':
        raise _wrong(name, 'one ASCII character or "tab"', value)
    return found


def _quote(name: str, value: Any) -> str:
    if value not in ('"', "'", ""):
        raise _wrong(name, "a double quote, a single quote or an empty string (no quoting)", value)
    return str(value)


def _comment(name: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) != 1 or not value.isascii() or value in "\r\n\0\"'":
        raise _wrong(name, "one ASCII character, such as '#'", value)
    return value


def _trailer(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip("*") or not value.isprintable() or value.count("{rows}") > 1:
        raise _wrong(name, "the text of the last line, with {rows} for the number of rows and * for any text", value)
    return value


_PARSERS: dict[str, Callable[[str, Any], Any]] = {
    "columns": _columns,
    "extra_columns": _one_of("keep", "error"),
    "required": _strings,
    "allow_empty": _flag,
    "max_bad_rows": _count(0),
    "max_uncompressed_bytes": _count(1),
    "encoding": _encoding,
    "delimiter": _delimiter,
    "quote": _quote,
    "header": _flag,
    "decimal_separator": _one_of(".", ","),
    "null_values": _strings,
    "escape": _one_of("double", "backslash"),
    "skip_rows": _count(0),
    "skip_footer": _count(0),
    "comment": _comment,
    "trailer": _trailer,
    "quoted_empty": _one_of("text", "null"),
}

assert set(_PARSERS) == {option.name for option in fields(TabularOptions)}  # noqa: S101 - both name every option
