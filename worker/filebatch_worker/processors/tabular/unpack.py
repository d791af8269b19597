"""Takes a file out of its compression, within bounds: a few kB of archive can hold terabytes of zeros."""

from __future__ import annotations

import gzip
import importlib
import shutil
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Protocol

from filebatch_worker.processor import InvalidFile, Source
from filebatch_worker.processors.tabular import formats
from filebatch_worker.processors.tabular.faults import invalid

CHUNK = 1024 * 1024
MAX_MEMBERS = 1000
BOMB_BYTES = 1024**3
BOMB_RATIO = 1000  # deflate reaches 1032 on zeros alone; tables stay below 100

_DAMAGED = (
    *(EOFError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error),
    *(struct.error, ValueError, OverflowError, IndexError),  # what zipfile raises for forged directories
)
_UNSUPPORTED = (NotImplementedError, RuntimeError)  # zipfile's for methods and passwords


class _Stream(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


@dataclass(frozen=True)
class Unpacked:
    """A plain file. `name` is the claim that holds for it: a zip's member has its own."""

    path: Path
    name: str
    compression: str | None


def unpack(source: Source, workdir: Path, limit: int, pattern: str = "") -> Unpacked:
    """Return the plain file within `source`, below `workdir`, of at most `limit` bytes.

    Of a zip it is the only file, or the only one whose name fits `pattern`.

    Raises InvalidFile: "empty", "truncated", "corrupt", "too-large", "format-mismatch", "bad-archive".
    """
    found = _compression(source)
    target = workdir / "plain"
    if found is None:
        _check_size(source.size, limit)
        _share(source.path, target)
        return Unpacked(target, source.name, None)
    return Unpacked(target, _inflate(source, target, found, limit, pattern), found)


@contextmanager
def named(number: int) -> Iterator[None]:
    """Say of which file of a zip an InvalidFile tells."""
    try:
        yield
    except InvalidFile as error:
        which = f"file {number} of the zip"
        raise InvalidFile(
            error.code,
            f"{which}: {error.message}",
            summary=f"{which}: {error.summary}",
            member=number,
            **error.where,
        ) from error


def unpack_each(source: Source, workdir: Path, limit: int, pattern: str) -> Iterator[Unpacked]:
    """Yield the files within `source` in turn, as `unpack` does with the only one. Each takes the place of the last.

    `limit` is that of all together. What is no zip is one file, whatever `pattern` says.
    """
    workdir.mkdir()
    if _compression(source) != "zip":
        yield unpack(source, workdir, limit)
        return
    target = workdir / "plain"
    with _archive(source) as archive:
        tables = _tables(archive, pattern)
        if not 0 < len(tables) <= MAX_MEMBERS:
            raise _wrong_number(len(tables), f"1 to {MAX_MEMBERS}")
        used = 0
        for number, member in enumerate(tables, 1):
            shutil.rmtree(workdir)
            workdir.mkdir()
            with named(number):
                _inflate_member(archive, member, target, source.size, limit, used)
            used += target.stat().st_size
            yield Unpacked(target, member.filename, "zip")


def _compression(source: Source) -> str | None:
    """Return what `source` is packed with; InvalidFile where it isn't what its name says, or holds nothing."""
    with source.path.open("rb") as file:
        head = file.read(formats.HEAD)
    if not head:
        raise invalid("empty", "the file has 0 bytes")
    found = formats.compression_of(head)
    if found == "zip":
        _refuse_office(source)
    formats.check_compression(source.name, formats.claim(source.name).compression, found, source.content_encoding)
    return found


def _refuse_office(source: Source) -> None:
    """Refuse the documents that are zip archives by their own names, and not as some zip."""
    try:
        with zipfile.ZipFile(source.path) as archive:
            names = archive.namelist()
            kind = archive.read("mimetype")[:100].decode("ascii", "replace") if "mimetype" in names else ""
    except (*_DAMAGED, *_UNSUPPORTED):
        return  # what is wrong with it is told where it is unpacked
    found = formats.office_document(names, kind)
    if found:
        raise formats.lying(source.name, formats.claim(source.name).format or "a table", found)


def _share(path: Path, target: Path) -> None:
    """Give the file a name of ours below the work directory, where the engine may read."""
    try:
        target.hardlink_to(path)
    except OSError:
        shutil.copyfile(path, target)


def _inflate(source: Source, target: Path, compression: str, limit: int, pattern: str) -> str:
    """Write the content to `target` and return the name that makes a claim about it."""
    if compression == "zip":
        with _archive(source) as archive:
            member = _only_member(archive, pattern)
            _inflate_member(archive, member, target, source.size, limit)
        # The member's name is only ever a claim about its format, never a path.
        return member.filename
    with _undamaged(compression):
        _copy(_open_stream(source.path, compression), target, source.size, limit)
    return source.name.rpartition(".")[0] if formats.claim(source.name).compression else source.name


@contextmanager
def _undamaged(compression: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGED as error:
        raise _damaged(compression, error) from error


@contextmanager
def _archive(source: Source) -> Iterator[zipfile.ZipFile]:
    with _undamaged("zip"):
        archive = zipfile.ZipFile(source.path)
    with archive:
        yield archive


def _open_stream(path: Path, compression: str) -> AbstractContextManager[_Stream]:
    if compression == "gzip":
        return gzip.open(path)
    return _zstd_stream(path)


@contextmanager
def _zstd_stream(path: Path) -> Iterator[_Stream]:
    """Yield the content, with damage reported as zlib does. The module is loaded for the few files that need it."""
    zstd = importlib.import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
    try:
        with zstd.open(path) as stream:
            yield stream
    except zstd.ZstdError as error:
        raise zlib.error(str(error)) from error


def _inflate_member(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, packed: int, limit: int, used: int = 0
) -> None:
    try:
        with _undamaged("zip"):
            _copy(archive.open(member), target, packed, limit, used)
    except _UNSUPPORTED as error:
        raise invalid("bad-archive", "the zip's member cannot be read", reader=str(error)) from error


def _only_member(archive: zipfile.ZipFile, pattern: str) -> zipfile.ZipInfo:
    tables = _tables(archive, pattern)
    if len(tables) != 1:
        raise _wrong_number(len(tables), "exactly one")
    return tables[0]


def _tables(archive: zipfile.ZipFile, pattern: str) -> list[zipfile.ZipInfo]:
    """Return the files that may be tables, in the archive's order: those that fit `pattern`, or all but litter."""
    members = [info for info in archive.infolist() if not info.filename.endswith(("/", "\\"))]  # no directories
    if pattern:
        return [info for info in members if _fits(info.filename, pattern)]
    return [info for info in members if not _is_litter(info.filename)] or members


def _fits(path: str, pattern: str) -> bool:
    """Whether a file's path, or its name where `pattern` is none of a path, is `pattern` with any text for each `*`."""
    path = path.replace("\\", "/")
    literal = pattern.replace("[", "[[]").replace("?", "[?]")
    return fnmatchcase(path if "/" in pattern else path.rpartition("/")[2], literal)


def _wrong_number(found: int, expected: str) -> InvalidFile:
    return invalid("bad-archive", f"the zip holds {found} files, expected {expected}", expected=expected, found=found)


def _is_litter(path: str) -> bool:
    """Whether this is what operating systems and tools leave beside files: hidden files, folders' settings."""
    *folders, name = path.replace("\\", "/").split("/")
    return "__MACOSX" in folders or name.startswith(".") or name.lower() in ("desktop.ini", "thumbs.db")


def _copy(content: AbstractContextManager[_Stream], target: Path, packed: int, limit: int, used: int = 0) -> None:
    """Write `content` to `target`: of `limit` bytes of a file of `packed` bytes, `used` are taken."""
    written = 0
    with content as reader, target.open("wb") as writer:
        while chunk := reader.read(CHUNK):
            written += len(chunk)
            _check_size(used + written, limit)
            if used + written > BOMB_BYTES and used + written > packed * BOMB_RATIO:
                raise invalid("too-large", f"{packed} bytes unpack to more than {BOMB_RATIO} times as many")
            writer.write(chunk)
    if not written:
        raise invalid("empty", "the file unpacks to 0 bytes")


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise invalid("too-large", f"more than {limit} bytes (max_uncompressed_bytes)", expected=limit)


def _damaged(compression: str, error: Exception) -> InvalidFile:
    without_directory = isinstance(error, zipfile.BadZipFile) and "not a zip file" in str(error)
    if isinstance(error, EOFError) or without_directory:
        return invalid("truncated", f"the {compression} data ends early: the file was cut short")
    return invalid("corrupt", f"the {compression} data is damaged", reader=str(error))
