"""What a file is, by its first bytes, and what its name claims it to be.

The content decides. The name is a claim by the supplier: one that the content contradicts is a fault worth hearing of,
because it nearly always means that something else than the agreed table was sent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from filebatch_worker.processor import InvalidFile
from filebatch_worker.processors.tabular.faults import invalid

HEAD = 64 * 1024  # bytes that suffice to tell what a file is

COMPRESSIONS = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    # A frame to skip, which parallel compressors start with: https://www.rfc-editor.org/rfc/rfc8878#section-3.1.2
    **{bytes([0x50 + at]) + b"\x2a\x4d\x18": "zstd" for at in range(16)},
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
}
COMPRESSION_SUFFIXES = {"gz": "gzip", "gzip": "gzip", "zst": "zstd", "zstd": "zstd", "zip": "zip"}
FORMAT_SUFFIXES = {
    "csv": "csv",
    "tsv": "csv",
    "tab": "csv",
    "json": "json",
    "ndjson": "json",
    "jsonl": "json",
    "parquet": "parquet",
    "parq": "parquet",
    "pq": "parquet",
}
PARQUET_MAGIC = b"PAR1"

_FOREIGN = {
    b"PARE": "an encrypted Parquet file",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"\xd0\xcf\x11\xe0": "an old Excel or Office document",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"ORC": "an ORC file",
    b"Obj\x01": "an Avro file",
    b"SQLite format 3": "an SQLite database",
    b"\x7fELF": "a program",
    b"MZ\x90\x00": "a program",
}
_OFFICE = {
    "xl/": "an Excel workbook (xlsx)",
    "word/": "a Word document (docx)",
    "ppt/": "a PowerPoint presentation (pptx)",
}
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")  # what no text holds; an escape may stand in one
_PDF = re.compile(rb"%PDF-\d\.\d\s")
_COMMENTS = re.compile(rb"\s*(?:<!--.*?-->\s*)*", re.DOTALL)
_MARKUP = re.compile(rb"<(!doctype\s+[a-z]|\?xml\s+version|html(\s[^>]*)?>\s*<(head|body|meta|title))", re.IGNORECASE)
_ROOT = re.compile(rb"<([a-z][\w:.-]*)[\s>]", re.IGNORECASE)
_ARRAY_OF_OBJECTS = re.compile(r"\s*\[\s*(\{|\]\s*$)")


@dataclass(frozen=True)
class Claim:
    """What a file's name says of it; None where it says nothing we know."""

    format: str | None
    compression: str | None


def claim(name: str) -> Claim:
    """Return what the last one or two suffixes of `name` say: `day.csv.gz` is a CSV in gzip."""
    suffixes = [part.lower() for part in name.split(".")[1:]]
    compression = COMPRESSION_SUFFIXES.get(suffixes[-1]) if suffixes else None
    if compression:
        suffixes.pop()
    return Claim(FORMAT_SUFFIXES.get(suffixes[-1]) if suffixes else None, compression)


def says_tabs(name: str) -> bool:
    """Return whether `name` says that tabs delimit."""
    return name.lower().endswith((".tsv", ".tab"))


def compression_of(head: bytes) -> str | None:
    """Return the compression that `head` starts, or None for a plain file."""
    return next((name for magic, name in COMPRESSIONS.items() if head.startswith(magic)), None)


def office_document(members: Sequence[str], kind: str) -> str | None:
    """Return what document a zip with these members is; `kind` is the content of its member `mimetype`, if any."""
    if kind.startswith("application/vnd.oasis.opendocument."):
        return f"an OpenDocument {kind.rpartition('.')[2]}"
    if "[Content_Types].xml" not in members:
        return None
    kinds = (what for folder, what in _OFFICE.items() if any(member.startswith(folder) for member in members))
    return next(kinds, "an Office document")


def check_compression(name: str, claimed: str | None, found: str | None, content_encoding: str) -> None:
    """Refuse a file whose suffix says another compression than it has; one that says nothing is fine.

    A Content-Encoding says it as well as a suffix does, and lists what was applied in turn: "aws-chunked, gzip".
    """
    if claimed and claimed != found:
        raise lying(name, claimed, found or "no compression")
    told = {part.strip().lower().removeprefix("x-") for part in content_encoding.split(",")}
    if found and not claimed and claim(name).format and found not in told:
        raise lying(name, f"plain {claim(name).format}", found)


def format_of(name: str, head: bytes) -> str | None:
    """Return "parquet", or None for what may be text. Raises InvalidFile for what is known and no table.

    Letters alone prove nothing: PARENT_ID may head a column, and a column may hold <b>tags</b>.
    """
    claimed = claim(name).format
    if head.startswith(PARQUET_MAGIC) and (claimed == "parquet" or is_binary(head)):
        _check_format(name, claimed, "parquet")
        return "parquet"
    foreign = _foreign(head)
    if foreign:
        raise lying(name, claimed or "a table", foreign)
    if claimed == "parquet":
        raise lying(name, "parquet", "something that doesn't start as Parquet does")
    return None


def text_format_of(name: str, start: str) -> str:
    """Return what text that starts with `start` is. Raises InvalidFile where its name says otherwise.

    "csv", or of JSON "ndjson" (an object per line), "objects" (one after the other, in any lines), "json" (an array).
    """
    claimed = claim(name).format
    found = _json_kind(start, insist=claimed == "json")
    if claimed == "csv" and found:
        raise lying(name, "csv", "json")
    if claimed == "json" and not found:
        raise lying(name, "json", "text that is not JSON")
    return found or "csv"


def lying(name: str, expected: str, found: str) -> InvalidFile:
    """Return the error for a file that is not what its name says."""
    return invalid(
        "format-mismatch", f"expected {expected}, found {found}", f"in {name!r}", expected=expected, found=found
    )


def _check_format(name: str, claimed: str | None, found: str) -> None:
    if claimed and claimed != found:
        raise lying(name, claimed, found)


def is_binary(head: bytes) -> bool:
    """Return whether `head` holds bytes that no text in a one-byte encoding or UTF-8 has."""
    return bool(_CONTROL.search(head))


def _foreign(head: bytes) -> str | None:
    if compression_of(head):
        return "a compressed file within a compressed file"
    if _PDF.match(head):
        return "a PDF document"
    if is_binary(head):
        known = (what for magic, what in _FOREIGN.items() if head.startswith(magic))
        return next(known, "a tar archive" if head[257:262] == b"ustar" else None)
    return "an HTML or XML page" if _is_markup(head.removeprefix(b"\xef\xbb\xbf")) else None


def _is_markup(head: bytes) -> bool:
    """Whether a page starts here, or one element is all there is."""
    text = head[_COMMENTS.match(head).end() :].rstrip()  # type: ignore[union-attr]  # it matches nothing too
    if _MARKUP.match(text):
        return True
    root = _ROOT.match(text)
    closed = b"</" + root[1] + b">" if root else b""
    return bool(closed) and text.endswith(closed) and text.count(closed) == 1


def _json_kind(start: str, *, insist: bool) -> str | None:
    """Return the kind of JSON; text like `[id],[name]` is JSON only where the name insists."""
    first = start.lstrip()[:1]
    if first == "{":
        kind = "ndjson" if _is_one_per_line(start) else "objects"
        return kind if insist or _is_object(start) else None
    if first == "[":
        return "json" if insist or _ARRAY_OF_OBJECTS.match(start) else None
    return None


def _is_one_per_line(start: str) -> bool:
    """Whether the first object ends with its line. One that can't be read says so where lines are read."""
    text = start.lstrip()
    try:
        _, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return not re.match(r"\{\s*\n|[^\n]*[\[{,]\s*\n", text)
    rest_of_line = text[end:].partition("\n")[0].strip()
    return "\n" not in text[:end] and not rest_of_line.startswith("{")


def _is_object(start: str) -> bool:
    line = start.strip().splitlines()[0]
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return bool(re.match(r'\{\s*("|\}|$)', line))
