"""The ledger: the only truth of each file's state. One DynamoDB table; every change of state is a conditional update.

    s3://BUCKET/KEY | VERSION   a file version
    run#FEED        | CLAIM     the owner record of one claim of one run
    feed#FEED       | bell      a ring that no claim has answered yet
    feed#FEED       | sweep     until when bucket and ledger were compared
    feed#FEED       | sweeping  how far a long sweep is
    feed#FEED       | arrival   when the last file came
    index `open`                by feed: files that wait, runs that aren't announced; sorted by when they are due;
                                by prefix: last arrivals, and so which feeds the prefix had
    index `listed`              by feed: all files, with few attributes; sorted by state and time (`listed.py`)

An item is kept as long as its object: an expired item would make an old file look new.
What an item holds is in `records.py`, what may move in `moves.py`; here it is read and sent.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Generic

from botocore.exceptions import ClientError

from filebatch.core import file_moves, requests
from filebatch.core.conditions import Condition
from filebatch.core.errors import MoveRefused, RecordError
from filebatch.core.listed import Span
from filebatch.core.moves import Move
from filebatch.core.parallel import ParallelMap, side_by_side
from filebatch.core.record import Record
from filebatch.core.records import FileRecord, RunRecord
from filebatch.core.rows import Item, Partition, R, Row

BATCH_GET = 100  # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
FIRST_PAUSE, LAST_PAUSE = 0.05, 5.0  # seconds before what BatchGetItem left out is asked for again

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Moved(Generic[R]):
    """What became of a move: whether it was made, and the item as it is now (None where there is none)."""

    done: bool
    record: R | None


@dataclass(frozen=True)
class Page:
    """Items of the index `listed`, and up to where (None: to the end) it was read."""

    items: list[Item]
    read_to: str | None


@dataclass(frozen=True)
class Ledger:
    """One ledger table, reached through a DynamoDB client.

    Attributes:
        client: boto3's DynamoDB client.
        table: the table's name.
        side_by_side: how many requests are sent at the same time.
        sleep: waits for seconds.
    """

    client: Any
    table: str
    side_by_side: ParallelMap = side_by_side
    sleep: Callable[[float], None] = time.sleep

    def add(self, record: Record) -> bool:
        """Write a record where there is none; False where there is another already, which stays as it is.

        One that is there to the letter was written by this request, sent again after its answer was lost.
        """
        try:
            self.client.put_item(TableName=self.table, **requests.put(record.to_item()))
        except ClientError as error:
            if not requests.refused(error):
                raise
            found = error.response.get("Item")
            return (requests.decode(found) if found else self.item(record.row)) == record.to_item()
        return True

    def try_move(self, move: Move[R]) -> Moved[R]:
        """Make a move that may be refused: then nothing changes, and the item that stood against it is returned."""
        try:
            answer = self.client.update_item(TableName=self.table, **requests.update(move))
        except ClientError as error:
            if not requests.refused(error):
                raise
            found = error.response.get("Item")
            return moved(move, requests.decode(found) if found else self.item(move.row))
        became = move.row.kind.from_item(requests.decode(answer["Attributes"]))
        if isinstance(became, FileRecord) and (shorter := file_moves.shorten(became)):
            self._shorten(shorter)
        return Moved(True, became)

    def _shorten(self, move: Move[FileRecord]) -> None:
        """Keep a file's history bounded; whoever has moved the file meanwhile does it in its turn."""
        try:
            self.client.update_item(TableName=self.table, **requests.update(move))
        except ClientError as error:
            if not requests.refused(error):
                raise

    def move(self, move: Move[R]) -> R:
        """Make a move that has to succeed; return what the item is now.

        Raises:
            MoveRefused: it doesn't fit the item as it is, so somebody else moved it meanwhile.
        """
        answer = self.try_move(move)
        if not answer.done or answer.record is None:
            raise MoveRefused(f"{move.row.pk!r} {move.row.sk!r}: expected {move.conditions}, found {answer.record}")
        return answer.record

    def try_all(self, moves: Iterable[Move[R]]) -> list[Moved[R]]:
        """Make many moves side by side, each of which may be refused; the answers come in the moves' order."""
        return self.side_by_side(self.try_move, moves)

    def get(self, row: Row[R]) -> R | None:
        """Read one row, consistently."""
        item = self.item(row)
        return None if item is None else row.kind.from_item(item)

    def get_many(self, rows: Sequence[Row[R]], without: Collection[str] = ()) -> dict[Row[R], R]:
        """Read the rows there are, consistently, a hundred a call; one that can't be read is logged, and left out.

        Args:
            rows: what is read.
            without: attributes that nobody needs, which take long to read where they are long.
        """
        by_key = {(row.pk, row.sk): row for row in rows}  # DynamoDB refuses a key that is asked for twice
        once = list(by_key.values())
        batches = [once[start : start + BATCH_GET] for start in range(0, len(once), BATCH_GET)]
        read_some = partial(self._get_batch, without=without)
        items = (item for found in self.side_by_side(read_some, batches) for item in found)
        found = ((by_key[item["pk"], item["sk"]], item) for item in items)
        read = ((row, _readable(row.kind, item)) for row, item in found)
        return {row: record for row, record in read if record is not None}

    def remove(self, row: Row[R]) -> None:
        """Delete a row, if it is there."""
        self.client.delete_item(TableName=self.table, Key=requests.encode(row.key))

    def open(self, partition: Partition[R], *, due: datetime | None = None, limit: int | None = None) -> list[Item]:
        """Read the index: the items of a partition that are due by then (None: all of them), the longest due first.

        They are as they are written, since any worker of a feed may have put them there; and the index lags behind.
        """
        found: list[Item] = []
        for page in self._pages("query", limit, IndexName=requests.INDEX, **requests.query(partition.name, due)):
            found.extend(requests.decode(item) for item in page["Items"])
        return found

    def count_open(self, partition: Partition[R], due: datetime, limit: int) -> int:
        """Count what is due in a partition of the index, up to `limit`."""
        query = requests.query(partition.name, due)
        pages = self._pages("query", limit, IndexName=requests.INDEX, Select="COUNT", **query)
        counted = 0
        for page in pages:
            counted += page["Count"]
            if counted >= limit:
                return limit
        return counted

    def list_files(
        self, partition: str, span: Span, conditions: Sequence[Condition] = (), *, limit: int, backwards: bool = True
    ) -> Page:
        """Read files of a partition of the index `listed`, the last ones of the stretch first; one request.

        At most `limit` files are looked at, and 1 MB; those that don't fulfil the conditions are left out.
        """
        request = requests.listing(partition, span, conditions)
        answer = self.client.query(TableName=self.table, **request, ScanIndexForward=not backwards, Limit=limit)
        last = answer.get("LastEvaluatedKey")
        return Page([requests.decode(item) for item in answer["Items"]], last and requests.decode(last)["listed_at"])

    def count_files(self, partition: str, span: Span, limit: int) -> tuple[int, bool]:
        """Count files of a partition of the index `listed`, and tell whether there are more; one request."""
        request = requests.listing(partition, span, ())
        answer = self.client.query(TableName=self.table, **request, Select="COUNT", Limit=limit)
        return answer["Count"], "LastEvaluatedKey" in answer

    def versions(self, uri: str, limit: int) -> list[FileRecord]:
        """Read the records of the versions of a file, at most `limit`; one request."""
        answer = self.client.query(TableName=self.table, **requests.versions(uri), Limit=limit)
        read = (_readable(FileRecord, requests.decode(item)) for item in answer["Items"])
        return [record for record in read if record]

    def all_versions(self, uri: str, *, strictly: bool = False) -> list[FileRecord]:
        """Read the records of all versions of a file, consistently; where `strictly`, RecordError if one can't be."""
        pages = self._pages("query", None, **requests.versions(uri))
        items = (requests.decode(item) for page in pages for item in page["Items"])
        read = (FileRecord.from_item(item) if strictly else _readable(FileRecord, item) for item in items)
        return [record for record in read if record]

    def latest_run(self, feed: str, run: str) -> RunRecord | None:
        """Read the owner record of the newest claim whose token begins with `run`."""
        answer = self.client.query(TableName=self.table, **requests.latest(RunRecord.at(feed, run)))
        found = answer["Items"]
        return RunRecord.from_item(requests.decode(found[0])) if found else None

    def scan(self) -> Iterator[FileRecord | RunRecord]:
        """Read every file and owner record: for the audit alone. One that can't be read is logged, and left out."""
        for page in self._pages("scan", None, ConsistentRead=True):
            for item in map(requests.decode, page["Items"]):
                if "key" in item and (file := _readable(FileRecord, item)):
                    yield file
                elif item["pk"].startswith("run#") and (run := _readable(RunRecord, item)):
                    yield run

    def item(self, row: Row[R]) -> Item | None:
        """Read one row's item as it is written, consistently."""
        answer = self.client.get_item(TableName=self.table, Key=requests.encode(row.key), ConsistentRead=True)
        return requests.decode(answer["Item"]) if "Item" in answer else None

    def _pages(self, operation: str, limit: int | None, **request: Any) -> Iterator[Mapping[str, Any]]:
        pages = self.client.get_paginator(operation).paginate(
            TableName=self.table, **request, PaginationConfig={"MaxItems": limit, "PageSize": limit}
        )
        yield from pages

    def _get_batch(self, rows: Sequence[Row[R]], without: Collection[str]) -> list[Item]:
        """Read up to a hundred rows; what DynamoDB leaves out is asked for again, ever more slowly."""
        found: list[Item] = []
        pause = FIRST_PAUSE
        shown = requests.projection(rows[0].kind.attributes() - set(without)) if without else {}
        wanted = {self.table: {"Keys": [requests.encode(row.key) for row in rows], "ConsistentRead": True, **shown}}
        while True:
            answer = self.client.batch_get_item(RequestItems=wanted)
            found.extend(requests.decode(item) for item in answer["Responses"].get(self.table, []))
            wanted = answer.get("UnprocessedKeys") or {}
            if not wanted:
                return found
            self.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - it spreads load
            pause = min(LAST_PAUSE, 2 * pause)


def _readable(kind: type[R], item: Item) -> R | None:
    """Return an item's record; None, and a line in the log, where it isn't one: it must not keep others from theirs."""
    try:
        return kind.from_item(item)
    except RecordError as error:
        log.error("%s; it is left out", error)  # noqa: TRY400 - the message says all
        return None


def moved(move: Move[R], found: Item | None) -> Moved[R]:
    """Return what a refusal says: the move was made before, and its answer was lost; or another was first."""
    if found is None:
        return Moved(False, None)
    return Moved(move.is_made(found), move.row.kind.from_item(found))
