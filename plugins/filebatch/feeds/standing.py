"""What an object is to a feed whose prefix its key begins with: work, or why it isn't."""

from __future__ import annotations

import re
from datetime import datetime
from enum import Enum

from filebatch.core import clock
from filebatch.core.contract import FileVersion
from filebatch.feeds.feed import Feed

# Objects that tools leave beside files, and that nobody sent. The S3 console makes a folder as an empty object:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-folders.html
# EMR and Hadoop leave `NAME_$folder$`, and `_SUCCESS` when a job has ended:
# https://repost.aws/knowledge-center/emr-s3-empty-files
# https://hadoop.apache.org/docs/stable/hadoop-aws/tools/hadoop-aws/committers.html
_EMPTY_MARKER = re.compile(r".*(/|_\$folder\$)", re.DOTALL)
_MARKER = re.compile(r"(.*/)?_SUCCESS", re.DOTALL)


class Standing(Enum):
    """What an object is to a feed."""

    WORK = "work"
    HISTORY = "history"
    UNMATCHED = "unmatched"
    IGNORED = "ignored"


def of(feed: Feed, file: FileVersion) -> Standing:
    """Return what an object version is to the feed."""
    if is_marker(file.key, file.size):
        return Standing.IGNORED
    if not feed.matches(file.key):
        return Standing.UNMATCHED
    return Standing.HISTORY if feed.is_history(time_of(feed, file)) else Standing.WORK


def time_of(feed: Feed, file: FileVersion) -> datetime:
    """Return the time that a file of the feed is about."""
    return feed.file_time(file.key, clock.parse_utc(file.last_modified))


def why(feed: Feed, file: FileVersion) -> str:
    """Say why an object is no work of the feed; "" where it is."""
    standing = of(feed, file)
    if standing is Standing.IGNORED:
        return "a marker that a tool left, and no file"
    if standing is Standing.HISTORY:
        return f"history, as it is of before the feed's start, {feed.start}"
    return feed.mismatch(file.key)


def is_marker(key: str, size: int) -> bool:
    """Tell whether an object stands for a folder or for the end of a job, and is no file that somebody sent."""
    return _MARKER.fullmatch(key) is not None or (size == 0 and _EMPTY_MARKER.fullmatch(key) is not None)
