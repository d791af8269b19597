"""Makes UTF-8 of a text file, or says where it is no text.

What can't be decoded is never replaced: a file in a wrong encoding is a fault, not a table of question marks.
"""

from __future__ import annotations

import codecs
import re
import string
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from filebatch_worker.processor import InvalidFile
from filebatch_worker.processors.tabular.faults import invalid
from filebatch_worker.processors.tabular.formats import is_binary

CHUNK = 1024 * 1024
SNIFF = 4096  # bytes that suffice to tell UTF-16 without a byte order mark from others

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16's, which it starts with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


# Letters beyond ASCII are few of a word's in a Western language ("Größe"); a word of another, read as cp1252, has
# little else.
_WORD = re.compile(r"[^\W\d_]{2,}")
_ASCII_LETTERS = dict.fromkeys(map(ord, string.ascii_letters))


@dataclass(frozen=True)
class TextFile:
    """A text file in UTF-8 without byte order mark, the encoding it came in, and whether that is only likely."""

    path: Path
    encoding: str
    guessed: bool = False

    @property
    def facts(self) -> dict[str, str | bool]:
        """What profile and result say of the encoding; a guess is marked as one."""
        return {"encoding": self.encoding} | ({"encoding_guessed": True} if self.guessed else {})


def read_as_utf8(path: Path, workdir: Path, declared: str | None) -> TextFile:
    """Return the text at `path` in UTF-8: the file itself where it is that already, else a copy below `workdir`.

    A byte order mark says more than `declared`, which is said of all files of a feed.

    Raises InvalidFile: "empty" (nothing but blanks), "nul-byte", "encoding", "truncated" (cut within a character),
    "format-mismatch" (no text).
    """
    with path.open("rb") as file:
        head = file.read(SNIFF)
    marked = next(((mark, encoding) for mark, encoding in _BOMS if head.startswith(mark)), None)
    if marked:
        text = _transcoded(path, workdir, marked[1], skip=len(marked[0]) if marked[1] == "utf-8" else 0)
    elif declared == "utf-16":
        text = _transcoded(path, workdir, _utf16_by_line_ends(head))
    elif declared and declared != "utf-8":
        text = _transcoded(path, workdir, declared)
    else:
        text = _without_mark(path, workdir, head, guess=declared is None)
    if _is_blank(text.path):
        raise invalid("empty", "the file holds nothing but blanks")
    return text


def _transcoded(path: Path, workdir: Path, encoding: str, *, skip: int = 0, guessed: bool = False) -> TextFile:
    return TextFile(_transcode(path, workdir / "utf8", encoding, skip), encoding, guessed)


def _without_mark(path: Path, workdir: Path, head: bytes, *, guess: bool) -> TextFile:
    utf16 = _utf16_without_mark(head) if guess else None
    if utf16:
        return _transcoded(path, workdir, utf16, guessed=True)
    error = _first_error(path, "utf-8")
    if error is None:
        return TextFile(path, "utf-8")
    if guess and is_binary(head):
        raise invalid("format-mismatch", "expected a table, found binary data of no known format", found="binary")
    if not guess or error.cut or _looks_like_utf8(path):
        raise _undecodable(path, "utf-8", error)
    text = _transcoded(path, workdir, "cp1252", guessed=True)
    if _is_alien(text.path):
        raise _unknown_encoding(path, error)
    return text


def _is_alien(path: Path) -> bool:
    """Whether text read as cp1252 is likely in another encoding: most letters of most words are beyond ASCII."""
    alien = words = 0
    with path.open(encoding="utf-8") as file:
        while piece := file.read(CHUNK):
            found = [word for word in _WORD.findall(piece) if not word.isascii()]
            words += len(found)
            alien += sum(2 * len(word.translate(_ASCII_LETTERS)) > len(word) for word in found)
    return 2 * alien > words


def _unknown_encoding(path: Path, error: _DecodeError) -> InvalidFile:
    line = line_of(path, error.offset)
    return invalid(
        "encoding",
        f"line {line}: the text is not UTF-8, and in no encoding that can be told; declare it (option encoding)",
        line=line,
        byte=error.offset,
        expected="utf-8",
    )


def _utf16_by_line_ends(head: bytes) -> str:
    """Return the byte order of UTF-16 without a mark: that in which there is ASCII, such as line ends and delimiters.

    Raises InvalidFile "encoding" where there is no ASCII in either, as there is in any table.
    """
    low, high = head[0::2].count(0), head[1::2].count(0)
    if low == high:
        raise invalid("encoding", "the text is not UTF-16, which is declared", expected="utf-16")
    return "utf-16-le" if high > low else "utf-16-be"


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
        if encoding == "utf-8" and not kept and chunk.isascii() and b"\0" not in chunk:
            offset += len(chunk)
            continue
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
        raise invalid(
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


def _transcode(path: Path, target: Path, encoding: str, skip: int) -> Path:
    decoder = codecs.getincrementaldecoder(encoding)()
    with target.open("wb") as out:
        try:
            for chunk in chunks(path, skip=skip):
                decoded = decoder.decode(chunk)
                _refuse_nul(path, decoded)
                out.write(decoded.encode())
            out.write(decoder.decode(b"", final=True).encode())
        except UnicodeError as error:  # also what a decoder says of a mark
            raise _undecodable(path, encoding, _first_error(path, encoding)) from error
    return target


def _undecodable(path: Path, encoding: str, error: _DecodeError | None) -> InvalidFile:
    if error is None:
        return invalid("encoding", f"the text is not {encoding}", expected=encoding)
    line = line_of(path, error.offset)
    if error.cut:
        return invalid("truncated", f"line {line}: the file ends within a character of {encoding}", line=line)
    return invalid(
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


def longest_line(path: Path) -> int:
    """Return the number of bytes of the longest line, without its end."""
    longest = begun = 0
    for chunk in chunks(path):
        first, *others = map(len, chunk.split(b"\n"))
        longest = max(longest, begun + first, *others[:-1])
        begun = others[-1] if others else begun + first
    return max(longest, begun)


def _is_blank(path: Path) -> bool:
    return all(chunk.isspace() for chunk in chunks(path))
