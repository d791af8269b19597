"""How files are listed by feed, state and time: the index `listed`, a view by which nothing is decided.

    listed     FEED#SHARD                     its partition: a feed's files lie in a few of them, so that none gets hot
    listed_at  RANKSTATE#SINCE#IDENTITY       its order: what needs people first, then since when it is in its state

A partition takes 1,000 writes a second, and a move of a file is two of them here:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from filebatch.core.clock import to_iso
from filebatch.core.record import Record
from filebatch.core.records import FileRecord, FileState
from filebatch.core.rows import Row

INDEX = "listed"
SHARDS = 4
_LAST_FIRST = (FileState.SUCCEEDED, FileState.ARRIVED, FileState.CLAIMED, FileState.INVALID, FileState.FAILED)
URGENT_FIRST: Sequence[FileState] = _LAST_FIRST[::-1]
_AFTER_ALL = "~"  # no digit, letter or sign of a time comes after it


@dataclass(frozen=True, kw_only=True)
class ListedFile(Record):
    """A file as the index has it.

    Attributes:
        key: the key as S3 has it.
        state: what became of it.
        listed_at: its place in the order of its partition.
        size: bytes.
        code: why it is INVALID or FAILED, in a word.
        run_id: Airflow's run that has it, or had it last.
    """

    key: str
    state: FileState
    listed_at: str
    size: int
    code: str | None = None
    run_id: str | None = None

    @property
    def file_row(self) -> Row[FileRecord]:
        """The row of the file itself."""
        return Row(FileRecord, self.pk, self.sk)

    @property
    def since(self) -> str:
        """Since when it is in its state, ISO 8601."""
        return _moment(self.listed_at)


@dataclass(frozen=True)
class Span:
    """A stretch of the order, from `low` to before `high`."""

    low: str
    high: str


def partition(feed: str, row: Row[FileRecord]) -> str:
    """Return the partition of the index in which a file is listed."""
    return f"{feed}#{int(_identity(row)[0], 16) % SHARDS}"


def partitions(feed: str) -> list[str]:
    """Return the partitions in which a feed's files are listed."""
    return [f"{feed}#{shard}" for shard in range(SHARDS)]


def place(row: Row[FileRecord], state: FileState, since: datetime | str) -> str:
    """Return a file's place in the order, which no other file has."""
    moment = since if isinstance(since, str) else to_iso(since)
    return f"{_rank(state)}#{moment}#{_identity(row)}"


def span(state: FileState, since: datetime | None = None) -> Span:
    """Return the stretch of the files that are in a state, since a moment or later."""
    rank = _rank(state)
    return Span(f"{rank}#{to_iso(since) if since else ''}", f"{rank}#{_AFTER_ALL}")


def before(place: str) -> str:
    """Return the end of a stretch that holds all that comes before a place, and not that place itself."""
    return place[:-1] + chr(ord(place[-1]) - 1) + _AFTER_ALL


def since(file: FileRecord) -> str:
    """Return since when a file is in its state, ISO 8601, as it is listed; of one that isn't, as its attributes say."""
    return _moment(file.listed_at) if file.listed_at else moved_at(file)


def moved_at(file: FileRecord) -> str:
    """Return since when a file is in its state by its attributes, ISO 8601."""
    at = {FileState.ARRIVED: file.due_at, FileState.CLAIMED: file.claimed_at}.get(file.state, file.settled_at)
    return at or file.arrived_at


EVERYTHING = Span("0", _AFTER_ALL)


def _rank(state: FileState) -> str:
    return f"{_LAST_FIRST.index(state)}{state}"


def _moment(place: str) -> str:
    """Return since when it says; "" of what is no place, as a worker may write anything there."""
    return place.partition("#")[2].partition("#")[0]


def _identity(row: Row[FileRecord]) -> str:
    return hashlib.sha256(f"{row.pk}\0{row.sk}".encode()).hexdigest()[:12]
