"""Tells whether the single quotes of a CSV file are quotes, or apostrophes and a part of the text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from filebatch_worker.processors.tabular.cells import TEXT, kind_of

_Cell = tuple[str, str]  # the text between quotes or "", and text without quotes or ""


def are_quotes(sample: str, delimiter: str) -> bool:
    """Return whether single quotes quote, in a sample without double quotes, as far as nothing speaks against it.

    A quote opens at a cell's start and closes at its end. It is one where the cell needs it, or where the texts of
    the whole column, with its name, are quoted: one 'nick' among others is a nick.
    """
    if not re.search(rf"(?:^|{re.escape(delimiter)})'", sample, re.MULTILINE):
        return False
    rows = list(_rows(sample, delimiter))
    cells = [cell for row in rows for cell in row]
    if not any(quoted for quoted, _ in cells) or any(bare.startswith("'") for _, bare in cells):
        return False
    return all(_is_quoted(column, delimiter) for column in zip_longest(*rows, fillvalue=("", "")))


def _is_quoted(column: Sequence[_Cell], delimiter: str) -> bool:
    needless = any(quoted and not set(quoted[1:-1]) & {delimiter, "'", "\r", "\n"} for quoted, _ in column)
    return not needless or not any(bare and kind_of(bare) == TEXT for _, bare in column)


_CELL = r"(?:('(?:[^']|'')*')(?=[DELIMITER\r\n]|\Z)|([^DELIMITER\r\n]*))(DELIMITER|\r\n?|\n|\Z)"


def _rows(sample: str, delimiter: str) -> Iterator[list[_Cell]]:
    cell = re.compile(_CELL.replace("DELIMITER", re.escape(delimiter)))
    row: list[_Cell] = []
    for match in cell.finditer(sample):
        row.append((match[1] or "", match[2] or ""))
        if match[3] != delimiter:
            yield row
            row = []
