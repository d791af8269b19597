"""What the ledger's index says is open for a feed: its own files and runs, and nothing that another's worker put there.

A feed's worker may write its own feed's items, with any attributes: IAM limits the table's key and not the index's
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html). So an item of the index
counts for a feed only if its key says so too. The index lags behind the table: of runs only the keys are believed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from filebatch.core import listed
from filebatch.core.errors import RecordError
from filebatch.core.records import FileRecord, FileState, RunRecord
from filebatch.core.rows import Item, Row
from filebatch.runs.context import FeedContext

T = TypeVar("T")

log = logging.getLogger(__name__)


def waiting_files(ctx: FeedContext, due: datetime | None, limit: int) -> list[FileRecord]:
    """Return at most `limit` of the feed's files that wait, the longest due first; with `due` those due by then."""
    found = ctx.ledger.open(FileRecord.waiting(ctx.feed.name), due=due, limit=limit)
    return _own(ctx, found, lambda item: _file_of(ctx, item))


def open_runs(ctx: FeedContext, due: datetime | None = None, *, limit: int | None = None) -> list[RunRecord]:
    """Return the owner records of the feed's runs that aren't announced yet, the longest due first.

    Args:
        ctx: the feed's context.
        due: only those that are due by then.
        limit: at most so many of the index's items are looked at.
    """
    found = ctx.ledger.open(RunRecord.unannounced(ctx.feed.name), due=due, limit=limit)
    rows = _own(ctx, found, lambda item: _run_row(ctx, item))
    records = ctx.ledger.get_many(rows)
    return [records[row] for row in rows if row in records and records[row].open]


def claimed_longest(ctx: FeedContext, limit: int) -> list[FileRecord]:
    """Return files of the feed that have been CLAIMED the longest, as the table has them.

    Args:
        ctx: the feed's context.
        limit: at most so many of each partition of the index `listed` are looked at.
    """
    span = listed.span(FileState.CLAIMED)
    pages = ctx.side_by_side(
        lambda partition: ctx.ledger.list_files(partition, span, limit=limit, backwards=False),
        listed.partitions(ctx.feed.name),
    )
    rows = [Row(FileRecord, item["pk"], item["sk"]) for page in pages for item in page.items]
    return [file for file in ctx.ledger.get_many(rows).values() if file.feed == ctx.feed.name and _is_own(ctx, file)]


def _file_of(ctx: FeedContext, item: Item) -> FileRecord | None:
    try:
        file = FileRecord.from_item(item)
    except RecordError as error:
        log.error("%s", error)  # noqa: TRY400 - the message says all
        return None
    return file if _is_own(ctx, file) else None


def _is_own(ctx: FeedContext, file: FileRecord) -> bool:
    return file.bucket == ctx.settings.new_files and file.pk == file.file.uri and ctx.feed.covers(file.key)


def _run_row(ctx: FeedContext, item: Item) -> Row[RunRecord] | None:
    row = RunRecord.at(ctx.feed.name, item["sk"])
    return row if item["pk"] == row.pk else None


def _own(ctx: FeedContext, found: Iterable[Item], read: Callable[[Item], T | None]) -> list[T]:
    own: list[T] = []
    others: list[Item] = []
    for item in found:
        mine = read(item)
        if mine is None:
            others.append(item)
        else:
            own.append(mine)
    _report(ctx, others)
    return own


def _report(ctx: FeedContext, others: Sequence[Item]) -> None:
    if others:
        told = "feed %s: %s items of the ledger are open for it and not its own, such as %r"
        log.error(told, ctx.feed.name, len(others), others[0]["pk"])
