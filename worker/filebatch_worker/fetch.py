"""Fetching one file version to local disk."""

from __future__ import annotations

from pathlib import Path
from shutil import copyfileobj
from typing import Any

from botocore.exceptions import ClientError

from filebatch.contract import FileVersion
from filebatch_worker.processor import InvalidFile, Source

PARALLEL_FROM = 64 * 2**20  # bytes; below, one request is faster than several

_GONE = {
    "NoSuchKey": "deleted",
    "NoSuchVersion": "deleted",
    "404": "deleted",
    "PreconditionFailed": "overwritten",
    "412": "overwritten",
}


def fetch(s3: Any, file: FileVersion, folder: Path) -> Source:
    """Fetch exactly this version.

    Raises:
        InvalidFile: it was deleted before its turn, or overwritten in a bucket that keeps no versions.
    """
    path = folder / "source"
    try:
        (_fetch_parts if file.size >= PARALLEL_FROM else _fetch_whole)(s3, file, path)
    except ClientError as error:
        code = _GONE.get(error.response["Error"]["Code"])
        if code is None:
            raise
        raise InvalidFile(code, f"the file was {code} before its turn", version=file.version) from error
    return Source(path, file.key.rsplit("/", 1)[-1], path.stat().st_size)


def version_arguments(file: FileVersion) -> dict[str, str]:
    """Return the arguments that name this version to S3; without versions the ETag has to be the same."""
    return {"VersionId": file.version_id} if file.version_id != "null" else {"IfMatch": file.etag}


def _fetch_whole(s3: Any, file: FileVersion, path: Path) -> None:
    body = s3.get_object(Bucket=file.bucket, Key=file.key, **version_arguments(file))["Body"]
    with path.open("wb") as sink:
        copyfileobj(body, sink, 2**20)


def _fetch_parts(s3: Any, file: FileVersion, path: Path) -> None:
    version = version_arguments(file)
    if "VersionId" in version:
        s3.download_file(file.bucket, file.key, str(path), ExtraArgs=version)
    else:
        s3.download_file(file.bucket, file.key, str(path))  # which takes no condition
        s3.head_object(Bucket=file.bucket, Key=file.key, **version)
