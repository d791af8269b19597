"""Finds where the table of a CSV file begins and ends: what stands before and behind it is no row.

A first line `sep=;` is Excel's way of naming the delimiter. All else a feed declares: `skip_rows`, `comment`,
`skip_footer`,
`trailer`.
"""

from __future__ import annotations

import itertools
import mmap
import re
from dataclasses import dataclass
from pathlib import Path

from filebatch_worker.processors.tabular.faults import invalid
from filebatch_worker.processors.tabular.options import TabularOptions

MAX_TRAILER = 10_000  # bytes
_LINE = re.compile(rb"[^\r\n]*(?:\r*\n|\r|\Z)")
_SEPARATOR = re.compile(rb'"?sep=([\x09\x20!#-\x7e])"?\s*', re.IGNORECASE)


@dataclass(frozen=True)
class Frame:
    """The bytes of a file from `start` to `end` are its table, and `lines` stand before.

    What these say of the `delimiter`, and the trailer of the number of `rows`, is None where they don't.
    """

    start: int
    end: int
    lines: int
    delimiter: str | None
    rows: int | None


def find_frame(path: Path, options: TabularOptions) -> Frame:
    """Return where the table is in the file at `path`, which isn't empty.

    Raises InvalidFile "truncated" where the last line is not the trailer that is declared.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        start = lines = 0
        for _ in range(options.skip_rows):
            start, lines = _line_end(content, start), lines + 1
        said = _SEPARATOR.fullmatch(content[start : min(_line_end(content, start), start + 16)])
        if said:
            start, lines = _line_end(content, start), lines + 1
        while options.comment and content[start : start + 1] == options.comment.encode():
            start, lines = _line_end(content, start), lines + 1
        end = _without_last_lines(content, start, options.skip_footer)
        rows = None
        if options.trailer:
            last, end = end, _without_last_lines(content, start, 1, end)
            rows = _trailer_rows(content[end : min(last, end + MAX_TRAILER)], options.trailer)
        return Frame(start, end, lines, said[1].decode() if said else None, rows)


def _line_end(content: mmap.mmap, start: int) -> int:
    match = _LINE.match(content, start)
    return match.end() if match else len(content)


def _trailer_rows(line: bytes, trailer: str) -> int | None:
    """Return the number of rows that the last line says, None where `trailer` has no place for it."""
    text = line.decode("utf-8", errors="replace").strip("\r\n")
    match = re.fullmatch(_linear(trailer), text, re.DOTALL)
    if match is None:
        raise invalid(
            "truncated", "the last line is not the trailer that is declared: the file was cut short", expected=trailer
        )
    return int(match[1]) if match.re.groups else None


def _linear(trailer: str) -> str:
    """Return an expression that is never tried twice from the same place, however many `*` the line is to fit.

    Each text between two `*` is taken where it comes first, for good: `(?>…)`.
    """
    first, *others = map(_piece, re.split(r"\*+", trailer), itertools.count())
    return (
        f"(?>{first})"
        + "".join(f"(?>.*?{piece})" for piece in others[:-1])
        + "".join(f".*{piece}" for piece in others[-1:])
    )


def _piece(text: str, place: int) -> str:
    """Return the expression of a text without `*`: a number beside a `*` is a whole one."""
    before, rows, behind = text.partition("{rows}")
    if not rows:
        return re.escape(text)
    begins = r"(?<!\d)" if place and not before else r"\s*"
    ends = "" if behind else r"(?!\d)"
    return f"{re.escape(before)}{begins}0*(\\d{{1,18}}){ends}{re.escape(behind)}"


def _without_last_lines(content: mmap.mmap, start: int, count: int, end: int | None = None) -> int:
    """Return where the last `count` lines before `end` begin that aren't empty."""
    end = len(content) if end is None else end
    for _ in range(count):
        while end > start and content[end - 1] in b"\r\n":
            end -= 1
        end = max(content.rfind(b"\n", start, end), content.rfind(b"\r", start, end), start - 1) + 1
    return end
