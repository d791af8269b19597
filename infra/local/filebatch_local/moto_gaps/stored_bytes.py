"""The bytes of an S3 object: in memory, or in a temporary file once they are many."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator

IN_MEMORY = 2**20  # bytes; what is larger goes to disk
BLOCK = 2**20

Spooled = tempfile.SpooledTemporaryFile[bytes]


class _Source:
    """The bytes' file. Reads share no position, so that many may read at once, also while the object is replaced."""

    def __init__(self, file: Spooled) -> None:
        self._memory: bytes | None = None
        self._descriptor = -1
        if file._rolled:  # type: ignore[attr-defined]  # fileno() would push a small one to disk
            self._descriptor = os.dup(file.fileno())
        else:
            self._memory = file._file.getvalue()  # type: ignore[attr-defined]

    def read(self, start: int, stop: int) -> bytes:
        if self._memory is not None:
            return self._memory[start:stop]
        parts = []
        while start < stop and (part := os.pread(self._descriptor, stop - start, start)):
            parts.append(part)
            start += len(part)
        return b"".join(parts)

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)


class StoredBytes:
    """What moto takes for `bytes` where it answers: a length, slices, and blocks to send one after the other."""

    def __init__(self, source: _Source, start: int, stop: int) -> None:
        self._source, self._start, self._stop = source, start, stop

    @classmethod
    def of(cls, file: Spooled, size: int) -> StoredBytes:
        """Read from an object's file of so many bytes."""
        return cls(_Source(file), 0, size)

    def __len__(self) -> int:
        return self._stop - self._start

    def __getitem__(self, span: slice) -> StoredBytes:
        start, stop, _ = span.indices(len(self))
        return StoredBytes(self._source, self._start + start, self._start + max(start, stop))

    def __iter__(self) -> Iterator[bytes]:
        for start in range(self._start, self._stop, BLOCK):
            yield self._source.read(start, min(start + BLOCK, self._stop))

    def __bytes__(self) -> bytes:
        return self._source.read(self._start, self._stop)


class JoinedFile:
    """Blocks written to one new file, one at a time."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self.file: Spooled = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - the object's from now on
        self.size = 0
        for block in blocks:
            self.file.write(block)
            self.size += len(block)
