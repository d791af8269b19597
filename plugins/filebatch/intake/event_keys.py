"""Which object an event means, whether or not its key is URL-encoded.

S3's own notifications encode keys; AWS's page on its EventBridge events doesn't say, and emulators differ. Both
readings are the same but for keys that hold `%` or `+`. Of those the bucket is asked: a version id belongs to one key.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from enum import Enum
from typing import Any
from urllib.parse import unquote_plus

from botocore.exceptions import ClientError

from filebatch.core import aws_errors
from filebatch.core.contract import FileVersion
from filebatch.core.errors import ContractError

log = logging.getLogger(__name__)

# This version is a delete marker, or version "null" of this key is another object.
_NOT_THERE = aws_errors.NOT_THERE | aws_errors.DELETE_MARKER | aws_errors.PRECONDITION_FAILED


class Seen(Enum):
    """What HeadObject says of an object version."""

    THERE = "there"
    NOT_THERE = "not there"
    NOT_SAID = "not said"  # refused: encrypted with a key of its sender's, or we may not look


def readings(file: FileVersion) -> tuple[FileVersion, ...]:
    """Return what an event may mean: the key as it stands, and decoded, where that is another."""
    try:
        decoded = unquote_plus(file.key, errors="strict")
    except UnicodeDecodeError:
        return (file,)
    return (file,) if decoded in ("", file.key) else (file, replace(file, key=decoded))


def meant(s3: Any, file: FileVersion) -> FileVersion:
    """Return the object version that an event means; it costs two HeadObjects where there is a doubt.

    Raises:
        ContractError: we may not look.
        ClientError: S3 doesn't say now.
    """
    found = readings(file)
    return file if len(found) == 1 else choose(found, [_seen(s3, each) for each in found])


def _seen(s3: Any, file: FileVersion) -> Seen:
    try:
        s3.head_object(**file.address)
    except ClientError as error:
        return refused(error)
    return Seen.THERE


def refused(error: ClientError) -> Seen:
    """Return what a refusal of HeadObject says of the object; raise it where it says nothing of it."""
    code = aws_errors.code(error)
    if code in _NOT_THERE:
        return Seen.NOT_THERE
    if code in aws_errors.REFUSED:
        return Seen.NOT_SAID
    raise error


def choose(found: Sequence[FileVersion], seen: Sequence[Seen]) -> FileVersion:
    """Decide between readings by what was seen of each.

    Both may be there in a bucket without versions, with the same content: then the key as it stands counts, and the
    sweep finds the other. Where neither is there the object was deleted since: it is recorded as the event names it,
    and its worker finds out.

    Raises:
        ContractError: both were refused.
    """
    for answer in (Seen.THERE, Seen.NOT_SAID):
        if answer in seen and (answer is Seen.THERE or seen.count(answer) == 1):
            return found[seen.index(answer)]
    if Seen.NOT_SAID in seen:
        raise ContractError(
            f"an event may mean {found[0].uri!r} or {found[1].uri!r}: expected an answer to HeadObject, found that "
            "it is refused; allow Airflow s3:GetObjectVersion"
        )
    log.warning("neither %r nor %r is there any more: the first is recorded", found[0].uri, found[1].uri)
    return found[0]
