"""The checksum of a multipart upload, block by block.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable


class MultipartChecksum:
    """A checksum of the whole object, or of its parts' checksums, as the upload asked for."""

    def __init__(self, algorithm: str | None, kind: str | None) -> None:
        """Take x-amz-checksum-algorithm and x-amz-checksum-type; without them S3 takes CRC64NVME of the whole."""
        self.algorithm = algorithm or "CRC64NVME"
        self.kind = kind or ("FULL_OBJECT" if self.algorithm == "CRC64NVME" else "COMPOSITE")
        self._new = _algorithm(self.algorithm)
        self._running, self._of_parts, self._parts = self._new(), b"", 0

    def add(self, block: bytes) -> None:
        """Count the next block."""
        self._running.update(block)

    def end_part(self) -> None:
        """Note that a part ends here."""
        self._parts += 1
        if self.kind == "COMPOSITE":
            self._of_parts += self._running.digest()
            self._running = self._new()

    def result(self) -> tuple[str, str, int]:
        """Return kind, checksum in base64, and of how many parts."""
        if self.kind != "COMPOSITE":
            return self.kind, base64.b64encode(self._running.digest()).decode(), 1
        whole = self._new()
        whole.update(self._of_parts)
        return self.kind, base64.b64encode(whole.digest()).decode(), self._parts


class _Crc:
    """A cyclic checksum with hashlib's interface."""

    def __init__(self, function: Callable[[bytes, int], int], size: int) -> None:
        self._function, self._size, self._value = function, size, 0

    def update(self, block: bytes) -> None:
        self._value = self._function(block, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


def _algorithm(name: str) -> Callable[[], _Crc]:
    """Return what makes a running checksum; CRC32 where the library of another isn't there, as moto does."""
    if name in {"SHA1", "SHA256"}:
        return lambda: hashlib.new(name.lower(), usedforsecurity=False)  # type: ignore[return-value]  # same interface
    try:
        from awscrt import checksums  # type: ignore[import-not-found,unused-ignore]  # optional

        found = {"CRC64NVME": (checksums.crc64nvme, 8), "CRC32C": (checksums.crc32c, 4)}
    except ImportError:
        found = {}
    function, size = found.get(name, (zlib.crc32, 4))
    return lambda: _Crc(function, size)
