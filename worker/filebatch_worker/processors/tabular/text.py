"""Makes UTF-8 of a text file, or says where it is no text.

What can't be decoded is never replaced: a file in a wrong encoding is a fault, not a table of question marks.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from filebatch_worker.processor import InvalidFile

CHUNK = 1024 * 1024
SNIFF = 4096  # bytes that suffice to tell UTF-16 without a byte order mark from others

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16's, which it starts with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class TextFile:
    """A text file in UTF-8 without byte order mark, and the encoding it came in."""

    path: Path
    encoding: str


def read_as_utf8(path: Path, workdir: Path, declared: str | None) -> TextFile:
    """Return the text at `path` in UTF-8: the file itself where it is that already, else a copy below `workdir`.

    Raises InvalidFile: "empty" (nothing but blanks), "nul-byte", "encoding", "truncated" (cut within a character).
    """
    with path.open("rb") as file:
        head = file.read(SNIFF)
    encoding = declared or _encoding_of(head)
    text = _as_utf8(path, workdir, encoding, has_bom=head.startswith(codecs.BOM_UTF8), guess=declared is None)
    if _is_blank(text.path):
        raise InvalidFile("empty", "the file holds nothing but blanks")
    return text


def _as_utf8(path: Path, workdir: Path, encoding: str, *, has_bom: bool, guess: bool) -> TextFile:
    if encoding == "utf-8" and not has_bom:
        error = _first_error(path, "utf-8")
        if error is None:
            return TextFile(path, "utf-8")
        if not guess or error.cut or _looks_like_utf8(path):
            raise _undecodable(path, "utf-8", error)
        encoding = "cp1252"
    return TextFile(_transcode(path, workdir / "utf8", encoding), encoding)


def _encoding_of(head: bytes) -> str:
    by_mark = next((encoding for mark, encoding in _BOMS if head.startswith(mark)), None)
    return by_mark or _utf16_without_mark(head) or "utf-8"


def _utf16_without_mark(head: bytes) -> str | None:
    """UTF-16 of mostly Latin text has a NUL in nearly every other byte, and none in between."""
    low, high = head[0::2].count(0), head[1::2].count(0)
    half = len(head) // 2
    if high > 0.4 * half and low < 0.05 * half:
        return "utf-16-le"
    if low > 0.4 * half and high < 0.05 * half:
        return "utf-16-be"
    return None


@dataclass(frozen=True)
class _DecodeError:
    offset: int  # bytes from the start of the file
    cut: bool  # the file ends within a character


def chunks(path: Path, size: int = CHUNK, *, skip: int = 0) -> Iterator[bytes]:
    """Yield the bytes of a file from byte `skip` on, in pieces of at most `size`."""
    with path.open("rb") as file:
        file.seek(skip)
        while chunk := file.read(size):
            yield chunk


def _first_error(path: Path, encoding: str) -> _DecodeError | None:
    decoder = codecs.getincrementaldecoder(encoding)()
    offset = 0
    for chunk in chunks(path):
        kept = len(decoder.getstate()[0])
        try:
            decoded = decoder.decode(chunk)
        except UnicodeDecodeError as error:
            return _DecodeError(offset - kept + error.start, cut=False)
        _refuse_nul(path, decoded)
        offset += len(chunk)
    rest = decoder.getstate()[0]
    return _DecodeError(offset - len(rest), cut=True) if rest else None


def _refuse_nul(path: Path, decoded: str) -> None:
    if "\0" in decoded:
        offset = next(at for at, chunk in _nul_offsets(path) if chunk)
        raise InvalidFile(
            "nul-byte",
            f"byte {offset} is NUL: this is binary data, or text that was damaged",
            line=line_of(path, offset),
            byte=offset,
        )


def _nul_offsets(path: Path) -> Iterator[tuple[int, bool]]:
    start = 0
    for chunk in chunks(path):
        at = chunk.find(0)
        yield start + at, at >= 0
        start += len(chunk)


def _looks_like_utf8(path: Path) -> bool:
    """Tell damaged UTF-8 from a one-byte encoding: in the former most of what isn't ASCII is well formed."""
    well_formed = malformed = 0
    for chunk in chunks(path):
        if chunk.isascii():
            continue
        decoded = chunk.decode("utf-8", errors="ignore")
        malformed += len(chunk) - len(decoded.encode())
        well_formed += len(decoded) - len(decoded.encode("ascii", errors="ignore"))
    return well_formed > malformed


def _transcode(path: Path, target: Path, encoding: str) -> Path:
    decoder = codecs.getincrementaldecoder("utf-8-sig" if encoding == "utf-8" else encoding)()
    with target.open("wb") as out:
        try:
            for chunk in chunks(path):
                decoded = decoder.decode(chunk)
                _refuse_nul(path, decoded)
                out.write(decoded.encode())
            out.write(decoder.decode(b"", final=True).encode())
        except UnicodeDecodeError as error:
            raise _undecodable(path, encoding, _first_error(path, encoding)) from error
    return target


def _undecodable(path: Path, encoding: str, error: _DecodeError | None) -> InvalidFile:
    if error is None:
        return InvalidFile("encoding", f"the text is not {encoding}", expected=encoding)
    line = line_of(path, error.offset)
    if error.cut:
        return InvalidFile("truncated", f"line {line}: the file ends within a character of {encoding}", line=line)
    return InvalidFile(
        "encoding",
        f"line {line}: byte {error.offset} is not {encoding}; if the file is in another encoding, declare it",
        line=line,
        byte=error.offset,
        expected=encoding,
    )


def line_of(path: Path, offset: int) -> int:
    """Return the line, counted from 1, that holds the byte at `offset`."""
    return lines_of(path, [offset])[offset]


def lines_of(path: Path, offsets: Iterable[int]) -> dict[int, int]:
    """Return the line, counted from 1, of each byte offset, in one pass."""
    found: dict[int, int] = {}
    waiting = sorted(set(offsets), reverse=True)
    start, line = 0, 1
    for chunk in chunks(path):
        at = 0
        while waiting and waiting[-1] <= start + len(chunk):
            offset = waiting.pop()
            line += chunk.count(b"\n", at, offset - start)
            at = offset - start
            found[offset] = line
        if not waiting:
            break
        line += chunk.count(b"\n", at)
        start += len(chunk)
    return found | dict.fromkeys(waiting, line)


def _is_blank(path: Path) -> bool:
    return all(chunk.isspace() for chunk in chunks(path))
