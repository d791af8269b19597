"""Counts the records of a CSV file from its quotes and line ends alone, independently of the engine.

The engine reads in parallel from the middle of a file, which goes wrong where quoted fields hold line ends, and under
some of them it drops rows without a word. This second opinion costs a fraction of the parse. It tells whether reading
in parallel is safe, whether line ends need mending first, and how many records must come out.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from filebatch_worker.processors.tabular.dialect import Dialect
from filebatch_worker.processors.tabular.text import chunks

PIECE = 1024 * 1024  # bytes written at once
_LINE_END = re.compile(rb"\r+\n|\r")
_EMPTY_LINE = re.compile(rb"\n(?=\n)")
_OTHERS = {quote: bytes(byte for byte in range(256) if byte not in quote + b"\n") for quote in (b'"', b"'")}


@dataclass(frozen=True)
class Layout:
    """How the lines of a CSV file lie. Records are counted with the header; empty lines are none."""

    records: int
    empty_lines: int
    line_ends: frozenset[str]  # outside quotes: "\n", "\r\n", "\r"
    quoted_line_ends: bool
    mixed: bool  # whether line ends of several kinds occur, within quotes or without
    ends_within_quotes: bool
    ends_with_newline: bool

    @property
    def clean(self) -> bool:
        """Whether the engine can be trusted to see where records end.

        Stray quotes can make line ends of another kind seem to lie within quotes.
        """
        return not (self.quoted_line_ends and self.mixed) and self.line_ends in ({"\n"}, {"\r\n"}, frozenset())


def scan(path: Path, quote: str, *, careful: bool = True) -> Layout:
    """Return the layout of the file at `path`, whose fields are quoted with `quote` (may be empty).

    Looking for empty lines takes longer than all else. Unless `careful`, some are counted as records: a number of rows
    that fits is right all the same, as such a line is none to the engine.
    """
    mark = quote.encode()
    start, newlines = (0, 0) if careful else _plain_start(path, mark)
    crlf = carriage = empty = 0
    raw = {"\n": newlines, "\r\n": 0, "\r": 0}
    quoted_line_ends = False
    last = b"\n"  # the byte before, as of the skeleton: an empty first line counts as empty
    inside = False
    for chunk in _whole_lines(path, start):
        end, count = (b"", 0) if inside or (careful and _holds_empty_line(last, chunk)) else _plain_lines(chunk, mark)
        if count:
            raw[end.decode()] += count
            newlines, crlf, last = newlines + count, crlf + count * (end == b"\r\n"), b"\n"
            continue
        _count_line_ends(chunk, raw)
        skeleton, inside, hit = _skeleton(chunk, mark, inside=inside)
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
        mixed=sum(map(bool, raw.values())) > 1,
        ends_within_quotes=inside,
        ends_with_newline=last == b"\n",
    )


def _plain_start(path: Path, quote: bytes) -> tuple[int, int]:
    """Return how many bytes and lines at the file's start are plain (see `_plain_lines`) and end with a newline alone.

    That is all of most files, told with few copies: a line that goes on in the next chunk is but its quotes.
    """
    size = start = lines = 0
    held = b""
    for chunk in chunks(path):
        kept = held + (chunk.translate(None, _OTHERS[quote]) if quote else b"\n" * chunk.count(b"\n"))
        end = kept.rfind(b"\n") + 1
        plain = kept[:end].replace(quote * 2, b"") if quote else kept[:end]
        if b"\r" in chunk or (quote and quote in plain):
            break
        held = kept[end:]
        lines += len(plain)
        start = size + chunk.rfind(b"\n") + 1 if plain else start
        size += len(chunk)
    return start, lines


def _plain_lines(chunk: bytes, quote: bytes) -> tuple[bytes, int]:
    """Return the line end of a chunk and how often it occurs, 0 where that takes a closer look.

    Plain is a chunk that ends with a line, has one kind of line end, and closes every quote within its line. Nearly
    every chunk of nearly every file is: it is told without a look at single fields. It begins outside quotes.
    """
    end = b"\r\n" if b"\r" in chunk else b"\n"
    kept = chunk.translate(None, _OTHERS[quote]).replace(quote * 2, b"") if quote and quote in chunk else b""
    count = len(kept) or chunk.count(b"\n")
    if not chunk.endswith(end) or (quote and quote in kept):
        return end, 0
    alike = end == b"\n" or chunk.count(b"\r") == count == chunk.count(end)
    return end, count if alike else 0


def _holds_empty_line(last: bytes, chunk: bytes) -> bool:
    begins = last == b"\n" and chunk.startswith((b"\n", b"\r"))
    return begins or b"\n\n" in chunk or b"\n\r" in chunk


def _count_line_ends(chunk: bytes, counts: dict[str, int]) -> None:
    returns = chunk.count(b"\r")
    pairs = chunk.count(b"\r\n") if returns else 0
    counts["\r\n"] += pairs
    counts["\r"] += returns - pairs
    counts["\n"] += chunk.count(b"\n") - pairs


def normalise(
    path: Path, target: Path, dialect: Dialect, *, header: bytes, start: int, end: int, comment: str = ""
) -> Path:
    """Write `header` and the file's bytes from `start` to `end` to `target`, with a newline at each record's end.

    What stands within quotes is kept as it is. Unlike `scan` this knows that a quote opens at a field's start alone:
    the inch mark in 5" pipe is none. Lines that start with `comment` are left empty, so that lines keep their numbers;
    in a table of one column, where an empty line is a value, they are left out.
    """
    one_column = dialect.delimiter.encode() not in header
    with target.open("wb") as out, path.open("rb") as file:
        out.write(header)
        if start >= end:
            return target
        pieces = _pieces(dialect, comment, with_line_end=one_column)
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            at = start
            for piece in pieces.finditer(content, start, end):
                _write_lines(out, content, at, piece.start())
                _write(out, content, *piece.span("field"))
                at = piece.end()
            _write_lines(out, content, at, end)
    return target


def _pieces(dialect: Dialect, comment: str, *, with_line_end: bool) -> re.Pattern[bytes]:
    """Return the pattern of comments and of quoted fields, up to the closing quote or the file's end.

    What is kept of a match is its group `field`.
    """
    patterns = [rb"(?P<field>(?!))"]
    if dialect.quote:
        quote, escape = re.escape(dialect.quote.encode()), re.escape(dialect.escape.encode())
        within = quote * 2 if quote == escape else escape + rb".|" + quote * 2
        content = rb"(?:[^" + quote + escape + rb"]|" + within + rb")*+"
        before = rb"(?:(?<=[\r\n" + re.escape(dialect.delimiter.encode()) + rb"])|\A)"
        patterns = [before + (rb" *+" if dialect.blanks else b"") + rb"(?P<field>" + quote + content + quote + rb"?)"]
    if comment:
        line = rb"(?:(?<=[\r\n])|\A)" + re.escape(comment.encode()) + rb"[^\r\n]*"
        patterns.append(line + rb"(?:\r*\n|\r)?" if with_line_end else line)
    return re.compile(b"|".join(patterns), re.DOTALL)


def _write_lines(out: BinaryIO, content: mmap.mmap, start: int, end: int) -> None:
    """Write what stands outside quotes; a run of carriage returns before a newline belongs to it."""
    while start < end:
        stop = min(start + PIECE, end)
        while stop < end and content[stop - 1] in b"\r\n":
            stop += 1
        out.write(_LINE_END.sub(b"\n", content[start:stop]))
        start = stop


def _write(out: BinaryIO, content: mmap.mmap, start: int, end: int) -> None:
    out.writelines(content[at : min(at + PIECE, end)] for at in range(start, end, PIECE))


def _whole_lines(path: Path, start: int) -> Iterator[bytes]:
    """Yield the file from byte `start` on in pieces that end with a newline if they hold any, and never before one."""
    held = b""
    for chunk in chunks(path, skip=start):
        piece = held + chunk
        end = piece.rfind(b"\n", len(held)) + 1 or len(piece) - piece.endswith(b"\r")
        held = piece[end:]
        yield piece[:end]
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
