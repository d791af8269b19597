"""Fetching one file version to local disk."""

from __future__ import annotations

from pathlib import Path
from shutil import copyfileobj
from typing import Any

from botocore.exceptions import ClientError

from filebatch.core.contract import FileVersion
from filebatch_worker import refusals
from filebatch_worker.processor import InvalidFile, Source

PARALLEL_FROM = 64 * 2**20  # bytes; below, one request is faster than several


class Unreadable(InvalidFile):
    """S3 doesn't give the file to anybody but its sender, or no longer has it: no copy of it can be made either."""


def fetch(s3: Any, file: FileVersion, folder: Path) -> Source:
    """Fetch exactly this version.

    Raises:
        Unreadable: it was deleted before its turn, overwritten in a bucket that keeps no versions, or is archived or
            encrypted by its sender's choice.
    """
    path = folder / "source"
    try:
        encoding = (_fetch_parts if file.size >= PARALLEL_FROM else _fetch_whole)(s3, file, path)
    except ClientError as refused:
        error = _in_words(s3, file, refused)
        found = refusals.unusable(error)
        if found is None:
            raise error from refused
        raise Unreadable(found.code, found.message, summary=found.message, version=file.version) from error
    return Source(path, file.key.rsplit("/", 1)[-1], path.stat().st_size, encoding)


def _fetch_whole(s3: Any, file: FileVersion, path: Path) -> str:
    """Write the file to `path` and return its Content-Encoding."""
    answer = s3.get_object(**file.address)
    with path.open("wb") as sink:
        copyfileobj(answer["Body"], sink, 2**20)
    return str(answer.get("ContentEncoding", ""))


def _fetch_parts(s3: Any, file: FileVersion, path: Path) -> str:
    """Do as `_fetch_whole`, in several requests. The last also holds what download_file takes no condition for."""
    s3.download_file(file.bucket, file.key, str(path), ExtraArgs={"VersionId": file.version_id})
    return str(s3.head_object(**file.address).get("ContentEncoding", ""))


def _in_words(s3: Any, file: FileVersion, refused: ClientError) -> ClientError:
    """Return S3's refusal in words, which an answer to HEAD doesn't hold: GET is refused for the same reason."""
    if refused.operation_name != "HeadObject":
        return refused
    try:
        s3.get_object(**file.address)["Body"].close()
    except ClientError as error:
        return error
    return refused
