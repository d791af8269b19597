"""Where an Airflow reads its files: a folder, or a bucket. Both hold documents by path."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from botocore.exceptions import ClientError

ABSENT = {"404", "NoSuchKey"}
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
EXISTS = {"PreconditionFailed", "ConditionalRequestConflict"}


class Place(Protocol):
    """Documents by path, such as dags/feeds/weather.yaml."""

    def read(self, path: str) -> bytes | None:
        """Return what is there, or None."""

    def write(self, path: str, content: bytes) -> None:
        """Lay a document down, whatever was there."""

    def create(self, path: str, content: bytes) -> bool:
        """Lay a document down where there is none, and tell whether there was none; of two at once one is told so."""

    def swap(self, path: str, old: bytes, new: bytes) -> bool:
        """Replace a document that is still the old one, and tell whether it was; of two at once one is told so."""

    def remove(self, path: str) -> None:
        """Remove what is there, if anything is."""

    def below(self, folder: str) -> list[str]:
        """Return the paths of a folder's own documents, sorted."""


class Folder:
    """A folder of this machine."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, path: str) -> bytes | None:
        """See Place."""
        file = self._file(path)
        return file.read_bytes() if file.is_file() else None

    def write(self, path: str, content: bytes) -> None:
        """See Place; whoever reads meanwhile sees the old document or the new one."""
        written = self._written(path, content)
        written.replace(self._file(path))

    def create(self, path: str, content: bytes) -> bool:
        """See Place."""
        written = self._written(path, content)
        try:
            self._file(path).hardlink_to(written)
        except FileExistsError:
            return False
        finally:
            written.unlink()
        return True

    def swap(self, path: str, old: bytes, new: bytes) -> bool:
        """See Place; whoever swaps documents of the same folder waits."""
        handle = os.open(self._file(path).parent, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if self.read(path) != old:
                return False
            self.write(path, new)
        finally:
            os.close(handle)
        return True

    def remove(self, path: str) -> None:
        """See Place."""
        self._file(path).unlink(missing_ok=True)

    def below(self, folder: str) -> list[str]:
        """See Place."""
        found = self._file(folder).glob("*")
        return sorted(f"{folder}/{file.name}" for file in found if file.is_file() and file.name[0] != ".")

    def _written(self, path: str, content: bytes) -> Path:
        file = self._file(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=".deploying-")
        with os.fdopen(handle, "wb") as opened:
            opened.write(content)
        Path(name).chmod(0o644)
        return Path(name)

    def _file(self, path: str) -> Path:
        file = self.root / inside(path)
        if not file.parent.resolve().is_relative_to(self.root.resolve()):
            raise ValueError(f"path {path!r} leaves {self.root}: found a link to {file.parent.resolve()}")
        return file


class Bucket:
    """A bucket, or what is below a prefix of it."""

    def __init__(self, client: Any, bucket: str, prefix: str = "") -> None:
        self.client, self.bucket, self.prefix = client, bucket, f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    def read(self, path: str) -> bytes | None:
        """See Place."""
        found = self._got(path)
        return None if found is None else bytes(found["Body"].read())

    def write(self, path: str, content: bytes) -> None:
        """See Place."""
        self.client.put_object(**self._object(path), Body=content)

    def create(self, path: str, content: bytes) -> bool:
        """See Place."""
        try:
            self.client.put_object(**self._object(path), Body=content, IfNoneMatch="*")
        except ClientError as error:
            if error.response["Error"]["Code"] not in EXISTS:
                raise
            return False
        return True

    def swap(self, path: str, old: bytes, new: bytes) -> bool:
        """See Place; S3 writes only where the object is still the one that was read."""
        found = self._got(path)
        if found is None or found["Body"].read() != old:
            return False
        try:
            self.client.put_object(**self._object(path), Body=new, IfMatch=found["ETag"])
        except ClientError as error:
            if error.response["Error"]["Code"] not in EXISTS | ABSENT:
                raise
            return self.read(path) == new  # what was refused may be there by this very call, which was sent again
        return True

    def version(self, path: str) -> str:
        """Return the version id of what is there."""
        return str(self.client.head_object(**self._object(path)).get("VersionId", "null"))

    def remove(self, path: str) -> None:
        """See Place."""
        self.client.delete_object(**self._object(path))

    def below(self, folder: str) -> list[str]:
        """See Place."""
        return sorted(self._listed(f"{self.prefix}{inside(folder)}/"))

    def _got(self, path: str) -> Any:
        try:
            return self.client.get_object(**self._object(path))
        except ClientError as error:
            if error.response["Error"]["Code"] not in ABSENT:
                raise
            return None

    def _listed(self, prefix: str) -> Iterator[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix, Delimiter="/")
        for page in pages:
            yield from (each["Key"].removeprefix(self.prefix) for each in page.get("Contents", []))

    def _object(self, path: str) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": f"{self.prefix}{inside(path)}"}


def inside(path: str) -> str:
    """Return a path that stays in its place.

    Raises:
        ValueError: it's absolute, or climbs out.
    """
    parts = PurePosixPath(path).parts
    if not parts or parts[0] == "/" or ".." in parts:
        raise ValueError(f"path {path!r} leaves its place: expected one such as dags/feeds/weather.yaml")
    return path
