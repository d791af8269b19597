"""Classes the values of a small and plain CSV file without the engine, which takes longer to plan than to look.

What a value's class is, `classify` says. Here are only the values about which there is no doubt, told the same way;
a file with any other value, a quote or anything else to be minded is left to the engine.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from functools import reduce
from operator import or_

from filebatch_worker.processors.tabular.classify import Kind
from filebatch_worker.processors.tabular.column import Column
from filebatch_worker.processors.tabular.csv_records import CsvFile
from filebatch_worker.processors.tabular.options import TabularOptions

LARGEST = 64 * 1024  # bytes
_LONG = 40  # bytes; longer text is text
_WORDS = {"true": Kind.BOOLEAN, "false": Kind.BOOLEAN, "nan": None, "inf": None, "-inf": None}
_MAY_BE_DATE = re.compile(r"[A-Za-z]{3} [0-9]")
_SURE = (
    (Kind.SMALL_INTEGER, re.compile(r"0|-?[1-9][0-9]{0,13}")),
    (Kind.FLOAT, re.compile(r"(?=.{2,16}\Z)-?(0|[1-9][0-9]*)?\.[0-9]+")),
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"[ T]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]")


def kinds_of(file: CsvFile, columns: Sequence[Column], rows: int, options: TabularOptions) -> Mapping[str, Kind] | None:
    """Return the classes that occur in each column whose type is to be found; None where that takes the engine."""
    table = _cells(file, rows)
    if table is None or any(column.text != f"c{at}" or column.number_text for at, column in enumerate(columns)):
        return None
    found: dict[str, Kind] = {}
    for column, values in zip(columns, zip(*table, strict=True) if table else [()] * len(columns), strict=True):
        if column.name in options.columns:
            continue
        kinds = [kind_of(value) for value in set(values)]
        if None in kinds:
            return None
        found[column.name] = reduce(or_, (kind for kind in kinds if kind is not None), Kind(0))
    return found


def kind_of(value: str) -> Kind | None:
    """Return the class of a value, no class for nothing; None where there is doubt."""
    text = value.strip(" \t")
    if not text:
        return Kind(0)
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if len(text.encode()) > _LONG:
        return Kind.TEXT
    if text[0] not in "0123456789-.":
        doubtful = _MAY_BE_DATE.match(text) or (not text.isascii() and len(text) <= len("false"))
        return None if doubtful else Kind.TEXT
    sure = next((kind for kind, pattern in _SURE if pattern.fullmatch(text)), None)
    return sure or _moment(text)


def _moment(text: str) -> Kind | None:
    found = _DATE.match(text)
    if not found:
        return None
    try:
        date.fromisoformat(found[0])
    except ValueError:
        return None
    if found.end() == len(text):
        return Kind.DATE
    return Kind.TIMESTAMP if _TIME.fullmatch(text, found.end()) else None


def _cells(file: CsvFile, rows: int) -> list[list[str]] | None:
    """Return the cells of a file of lines that are rows, split at delimiters alone; None where it isn't one."""
    dialect = file.dialect
    if dialect.blanks or file.path.stat().st_size > LARGEST:
        return None
    text = file.path.read_bytes().decode("utf-8")
    if any(each in text for each in {"\0", '"', dialect.quote, dialect.escape} - {""}):
        return None
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")[file.has_header_line :]
    table = [line.split(dialect.delimiter) for line in lines]
    plain = len(table) == rows and "" not in lines and not any("\r" in line for line in lines)
    return table if plain and all(len(row) == file.width for row in table) else None
