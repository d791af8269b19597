"""A sweep of very many objects, interrupted and gone on with: how much memory it takes, and what it finds.

The bucket is made up page by page, and the ledger keeps a bit an object, so that what is measured is the sweep's own.
"""

import resource
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from filebatch.core import clock
from filebatch.core.feed_records import Sweeping
from filebatch.core.ledger import Moved
from filebatch.core.moves import Move
from filebatch.core.records import FileRecord
from filebatch.core.rows import Row
from filebatch.feeds.feed import Feed
from filebatch.intake import listing
from simulation.services.base import Paginator
from simulation.services.s3 import S3

PAGE = 1000
FEED = Feed.model_validate({"name": "orders", "prefix": "orders/", "start": "2020-01-01", "pattern": r"[^/]+\.csv"})


class Interrupted(Exception):
    """The process of the sweep has ended."""


@dataclass(frozen=True)
class Seen:
    """What a sweep of many objects took: pages listed, objects recorded, MiB by which the process grew, seconds."""

    pages: int
    recorded: int
    mebibytes: float
    seconds: float

    def __str__(self) -> str:
        """Say it in a sentence."""
        took = f"{self.seconds:.0f} s, and the process grew by {self.mebibytes:.1f} MiB"
        return f"{self.recorded:,} objects recorded from {self.pages:,} pages in {took}"


@dataclass
class Listing:
    """S3 with so many objects below the feed's prefix; after `dies_at` pages it doesn't answer once.

    Attributes:
        pages: the marker that each page began after, as they were asked for.
    """

    objects: int
    dies_at: int
    pages: list[str] = field(default_factory=list)

    def get_paginator(self, _operation: str) -> Paginator:
        return Paginator(self.list_object_versions, S3.paged["list_object_versions"])

    def list_object_versions(self, **request: Any) -> Mapping[str, Any]:
        after = request.get("KeyMarker", "")
        if len(self.pages) == self.dies_at:
            self.dies_at = -1
            raise Interrupted
        self.pages.append(after)
        first = number_of(after) + 1 if after else 0
        last = min(first + PAGE, self.objects)
        found = {"Versions": [_version(number) for number in range(first, last)], "IsTruncated": last < self.objects}
        return {**found, "NextKeyMarker": key(last - 1), "NextVersionIdMarker": "v"} if last < self.objects else found


@dataclass
class Bits:
    """A ledger that knows which objects it has, and how far the sweep is."""

    objects: int
    known: bytearray = field(init=False)
    facts: dict[Row[Any], Any] = field(default_factory=dict)
    recorded: int = 0

    def __post_init__(self) -> None:
        self.known = bytearray(self.objects)

    def get(self, row: Row[Any]) -> Any:
        return self.facts.get(row)

    def get_many(self, rows: Sequence[Row[FileRecord]]) -> dict[Row[FileRecord], FileRecord]:
        assert len(rows) <= PAGE
        return {}

    def add(self, record: FileRecord) -> bool:
        number = number_of(record.key)
        new, self.known[number] = not self.known[number], 1
        self.recorded += 1
        return new

    def side_by_side(self, function: Any, values: Any) -> list[Any]:
        return [function(value) for value in values]

    def try_all(self, moves: Any) -> list[Any]:
        return list(moves)

    def try_move(self, move: Move[Any]) -> Moved[Any]:
        self.move(move)
        return Moved(True, self.facts.get(move.row))

    def move(self, move: Move[Any]) -> None:
        if set(move.become) <= move.row.kind.attributes():
            self.facts[move.row] = move.row.kind.from_item({**move.row.key, **move.become})


def key(number: int) -> str:
    return f"orders/{number:09d}.csv"


def number_of(name: str) -> int:
    return int(name[len("orders/") : -len(".csv")])


def _version(number: int) -> Mapping[str, Any]:
    modified, etag = clock.parse_utc("2026-01-01T00:00:00Z"), f'"{number:032x}"'
    named = {"Key": key(number), "VersionId": f"v{number}", "IsLatest": True}
    return {**named, "ETag": etag, "Size": 100, "LastModified": modified}


def sweep(objects: int) -> Seen:
    """Sweep so many objects, with an interruption when two fifths are done; return what it took.

    Raises:
        AssertionError: an object was left out or looked at twice.
    """
    s3, ledger, began = Listing(objects, objects * 2 // 5 // PAGE), Bits(objects), time.monotonic()
    before = _most_memory()
    for _ in _until_done(s3, ledger):
        assert ledger.facts[Sweeping.at(FEED.name)].after_key
    grown = _most_memory() - before
    assert (ledger.recorded, sum(ledger.known)) == (objects, objects)
    assert len(set(s3.pages)) == len(s3.pages)
    return Seen(len(s3.pages), ledger.recorded, grown, time.monotonic() - began)


def _most_memory() -> float:
    """Return the most MiB that this process has had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _until_done(s3: Listing, ledger: Bits) -> Iterator[None]:
    """Sweep until a sweep is done; yield at each interruption."""
    while True:
        try:
            listing.sweep(s3, "new-files", FEED, ledger, clock.now())  # type: ignore[arg-type]
        except Interrupted:
            yield
        else:
            return
