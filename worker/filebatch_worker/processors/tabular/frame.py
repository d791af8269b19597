"""Finds where the table of a CSV file begins and ends: what stands before and behind it is no row.

A first line `sep=;` is Excel's way of naming the delimiter. All else a feed declares: `skip_rows`, `comment`,
`skip_footer`.
"""

from __future__ import annotations

import mmap
import re
from dataclasses import dataclass
from pathlib import Path

from filebatch_worker.processors.tabular.options import TabularOptions

_LINE = re.compile(rb"[^\r\n]*(?:\r*\n|\r|\Z)")
_SEPARATOR = re.compile(rb'"?sep=([\x09\x20!#-\x7e])"?\s*', re.IGNORECASE)


@dataclass(frozen=True)
class Frame:
    """The bytes of a file from `start` to `end` are its table; `lines` stand before. `delimiter` is what they say."""

    start: int
    end: int
    lines: int
    delimiter: str | None


def find_frame(path: Path, options: TabularOptions) -> Frame:
    """Return where the table is in the file at `path`, which isn't empty."""
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
        return Frame(start, end, lines, said[1].decode() if said else None)


def _line_end(content: mmap.mmap, start: int) -> int:
    match = _LINE.match(content, start)
    return match.end() if match else len(content)


def _without_last_lines(content: mmap.mmap, start: int, count: int) -> int:
    """Return where the last `count` lines begin that aren't empty."""
    end = len(content)
    for _ in range(count):
        while end > start and content[end - 1] in b"\r\n":
            end -= 1
        end = max(content.rfind(b"\n", start, end), content.rfind(b"\r", start, end), start - 1) + 1
    return end
