"""Counts the records of a CSV file from its quotes and line ends alone, independently of the engine.

The engine reads in parallel from the middle of a file, which goes wrong where quoted fields hold line ends, and under
some of them it drops rows without a word. This second opinion costs a fraction of the parse. It tells whether reading
in parallel is safe, whether line ends need mending first, and how many records must come out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filebatch_worker.processors.tabular.text import chunks

_EMPTY_LINE = re.compile(rb"\n(?=\n)")


@dataclass(frozen=True)
class Layout:
    """How the lines of a CSV file lie. Records are counted with the header; empty lines are none."""

    records: int
    empty_lines: int
    line_ends: frozenset[str]  # outside quotes: "\n", "\r\n", "\r"
    quoted_line_ends: bool
    ends_within_quotes: bool
    ends_with_newline: bool

    @property
    def clean(self) -> bool:
        """Whether the engine can be trusted to see where records end."""
        return self.line_ends in ({"\n"}, {"\r\n"}, frozenset())


def scan(path: Path, quote: str) -> Layout:
    """Return the layout of the file at `path`, whose fields are quoted with `quote` (may be empty)."""
    newlines = crlf = carriage = empty = 0
    quoted_line_ends = False
    last = b"\n"  # the byte before, as of the skeleton: an empty first line counts as empty
    inside = False
    for chunk in _whole_line_ends(path):
        skeleton, inside, hit = _skeleton(chunk, quote.encode(), inside=inside)
        quoted_line_ends = quoted_line_ends or hit
        returns = skeleton.count(b"\r")
        if returns:
            pairs = skeleton.count(b"\r\n")
            crlf, carriage = crlf + pairs, carriage + returns - pairs
            skeleton = skeleton.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        newlines += skeleton.count(b"\n")
        empty += _empty_lines(last, skeleton)
        last = skeleton[-1:] or last
    ends = {"\r\n": crlf, "\r": carriage, "\n": newlines - crlf - carriage}
    return Layout(
        records=newlines - empty + (last != b"\n"),
        empty_lines=empty,
        line_ends=frozenset(end for end, count in ends.items() if count),
        quoted_line_ends=quoted_line_ends,
        ends_within_quotes=inside,
        ends_with_newline=last == b"\n",
    )


def normalise(path: Path, target: Path, quote: str, *, header: bytes, skip: int) -> Path:
    """Write the file to `target` with `header` in place of its first `skip` bytes, and a newline at each record's end.

    What stands within quotes is kept as it is.
    """
    inside = False
    mark = quote.encode()
    with target.open("wb") as out:
        out.write(header)
        for chunk in _whole_line_ends(path, skip):
            parts = chunk.split(mark) if mark else [chunk]
            for at in range(1 if inside else 0, len(parts), 2):
                parts[at] = parts[at].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            inside ^= len(parts) % 2 == 0
            out.write(mark.join(parts))
    return target


def _whole_line_ends(path: Path, skip: int = 0) -> Iterator[bytes]:
    """Yield the file from byte `skip` on, in pieces that never end between a carriage return and its newline."""
    held = b""
    for chunk in chunks(path, skip=skip):
        piece = held + chunk
        held = b"\r" if piece.endswith(b"\r") else b""
        yield piece[: len(piece) - len(held)]
    if held:
        yield held


def _skeleton(chunk: bytes, quote: bytes, *, inside: bool) -> tuple[bytes, bool, bool]:
    """Return `chunk` with each quoted stretch cut to one quote, whether it ends in one, whether one held a line end."""
    if not quote or (not inside and quote not in chunk):
        return chunk, inside, False
    parts = chunk.split(quote)
    within = parts[0 if inside else 1 :: 2]
    outside = parts[1 if inside else 0 :: 2]
    hit = any(b"\n" in part or b"\r" in part for part in within)
    skeleton = quote.join(outside) if not inside else quote + quote.join(outside)
    ends_inside = inside ^ (len(parts) % 2 == 0)
    return skeleton + quote if ends_inside else skeleton, ends_inside, hit


def _empty_lines(last: bytes, skeleton: bytes) -> int:
    starts_empty = last == b"\n" and skeleton.startswith(b"\n")
    return starts_empty + (len(_EMPTY_LINE.findall(skeleton)) if b"\n\n" in skeleton else 0)
