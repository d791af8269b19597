"""Keeps the numbers of a JSON file as they were written: the engine's parser has doubles alone for fractions.

A number that a double can't hold, or that is to be stored as text and would be printed otherwise (1.10 as 1.1), is
written into a copy of the file as a string with a mark before it, which is taken off where it is stored:
https://www.rfc-editor.org/rfc/rfc8259#section-6 leaves precision to whoever reads.
"""

from __future__ import annotations

import itertools
import mmap
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import BinaryIO

from filebatch_worker.processors.tabular.column_types import literal
from filebatch_worker.processors.tabular.text import chunks

_LONG = 17  # digits and points in a row that a double may not hold
_DIGITS_ALIKE = bytes.maketrans(b".123456789E", b"0000000000e")
_SUSPICIOUS = (b"0" * _LONG, b"e-000")  # once all digits are alike
# Long digits are more often in texts. A number follows one of these, be it before the blanks that a piece begins with.
_NUMBER = re.compile(rb"(?:[:,\[]|\A\s{64})\s*+-?(?:0{%d}|0++e-000)" % _LONG)
_OVERLAP = 64 + 64  # bytes: blanks, and what is looked for behind them
# A text holds no line break, so that a quote too many in one line doesn't turn the texts of the next inside out.
_TOKEN = re.compile(rb'"(?:[^"\\\n]|\\.)*+"|-?\d[\d.]*+(?:[eE][+-]?\d++)?')
PRINTED_FRACTION = r"^-?[0-9]+[.e]|^-0|^[\[{](.|\n)*[0-9][.e]|^[\[{](.|\n)*-0"  # in JSON as the engine prints it
_MARKS = [chr(code) for code in range(0xFDD0, 0xFDF0)]  # characters that no text has


def with_exact_numbers(path: Path) -> tuple[Path, str]:
    """Return the file, or a copy beside it, and the mark of numbers in it: "" where a double holds all of them."""
    return _marked(path, path.with_name("exact"), 1) if any(map(_is_suspicious, _overlapping(path))) else (path, "")


def as_written(path: Path) -> tuple[Path, str]:
    """Return a copy in which a second mark stands before each number that the engine holds and prints otherwise.

    Returns the file and "" where there is no number to mark.
    """
    return _marked(path, path.with_name("as-written"), 2)


def _marked(path: Path, target: Path, kinds: int) -> tuple[Path, str]:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        marks = "".join(itertools.islice((mark for mark in _MARKS if not _occurs(mark, content)), kinds))
        with target.open("wb") as out:
            marked = _copy(content, out, marks)
    if marked:
        return target, marks
    target.unlink()
    return path, ""


def unmarked(text: str, marks: str) -> str:
    """Return SQL for SQL expression `text`, a string, without its mark; for one that is JSON, without those in it."""
    return unmarked_json(f"ltrim({text}, {literal(marks)})", marks) if marks else text


def unmarked_json(json: str, marks: str) -> str:
    """Return SQL for SQL expression `json`, the text of a JSON value, with marked numbers as they stood in the file."""
    pattern = literal(f'"[{marks}]([^"]*)"')
    return f"regexp_replace({json}, {pattern}, '\\1', 'g')" if marks else json


def _overlapping(path: Path) -> Iterator[bytes]:
    last = b""
    for chunk in chunks(path):
        yield last + chunk
        last = (last + chunk)[-_OVERLAP:]


def _is_suspicious(content: bytes) -> bool:
    alike = content.translate(_DIGITS_ALIKE)
    return any(run in alike for run in _SUSPICIOUS) and _NUMBER.search(alike) is not None


def _occurs(mark: str, content: mmap.mmap) -> bool:
    escaped = re.compile(rb"\\u" + f"{ord(mark):04x}".encode(), re.IGNORECASE)
    return content.find(mark.encode()) >= 0 or escaped.search(content) is not None


def _copy(content: mmap.mmap, out: BinaryIO, marks: str) -> bool:
    """Write the content with its numbers marked, and return whether there are any."""
    at = 0
    for token in _TOKEN.finditer(content):
        if content[token.start()] == ord('"'):
            continue
        mark = marks[:1] if not _is_exact(token[0]) else marks[1:] if not _is_printed_so(token[0]) else ""
        if mark:
            out.write(content[at : token.start()] + b'"' + mark.encode() + token[0] + b'"')
            at = token.end()
    out.write(content[at:])
    return at > 0


def _is_printed_so(number: bytes) -> bool:
    """Whether the engine surely prints a number, which it keeps, as it stands there."""
    if number.isdigit() or (number != b"-0" and number.lstrip(b"-").isdigit()):
        return True
    try:
        return repr(float(number)).encode() == number
    except ValueError:
        return True  # no number: that is told where JSON is read


def _is_exact(number: bytes) -> bool:
    """Whether the engine keeps a number: an integer as its digits, another as the shortest text of a double."""
    if number.lstrip(b"-").isdigit() or (len(number) < _LONG and b"e" not in number.lower()):
        return True
    try:
        return Decimal(number.decode()) == Decimal(repr(float(number)))
    except (InvalidOperation, ValueError):
        return True  # no number, or one beyond all doubles: both are dealt with where JSON is read
