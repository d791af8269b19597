"""A feed's files by what the ledger says of them: state, code, and since when. They come a page at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

from filebatch.core import clock, listed
from filebatch.core.conditions import Condition, Equal
from filebatch.core.listed import Span
from filebatch.core.records import SETTLED_STATES, FileRecord, FileState
from filebatch.core.rows import Row
from filebatch.feeds.selection import Selection
from filebatch.runs.context import FeedContext

PAGE = 1000  # files that are looked at, and held in memory, at a time


def pages(ctx: FeedContext, selection: Selection) -> Iterator[list[FileRecord]]:
    """Yield the files of a selection as the ledger has them now; the index, which lags behind, only says where."""
    for state, partition in product(_states(selection), listed.partitions(ctx.feed.name)):
        for rows in _rows(ctx, partition, listed.span(state, selection.since), selection):
            found = ctx.ledger.get_many(rows)
            yield [file for row in rows if (file := found.get(row)) and _is_of(ctx, selection, file)]


def _states(selection: Selection) -> Sequence[FileState]:
    """Return the states in which a run finds something to do, where none is named."""
    if selection.state:
        return (selection.state,)
    return SETTLED_STATES if selection.force else (FileState.FAILED, FileState.ARRIVED)


def _rows(ctx: FeedContext, partition: str, span: Span, selection: Selection) -> Iterator[list[Row[FileRecord]]]:
    conditions: list[Condition] = [Equal("code", selection.code)] if selection.code else []
    # A partition of the index may hold what another feed's worker put there (`open_items.py`).
    own = f"s3://{ctx.settings.new_files}/{ctx.feed.prefix}"
    while True:
        page = ctx.ledger.list_files(partition, span, conditions, limit=PAGE)
        yield [Row(FileRecord, item["pk"], item["sk"]) for item in page.items if item["pk"].startswith(own)]
        if page.read_to is None:
            return
        span = Span(span.low, listed.before(page.read_to))


def _is_of(ctx: FeedContext, selection: Selection, file: FileRecord) -> bool:
    its_own = file.feed == ctx.feed.name and file.pk == file.file.uri
    return its_own and selection.fits(file) and selection.takes(file.key, clock.parse_utc(file.file_time))
