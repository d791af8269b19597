"""Files of a feed by state, code, time and part of the key, a page at a time, however many there are."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from filebatch.core import listed
from filebatch.core.conditions import Condition, Contains, Equal
from filebatch.core.errors import RecordError
from filebatch.core.ledger import Page
from filebatch.core.listed import EVERYTHING, SHARDS, URGENT_FIRST, ListedFile, Span
from filebatch.core.records import FileRecord, FileState
from filebatch.core.rows import Item
from filebatch.runs.context import FeedContext

log = logging.getLogger(__name__)

PAGE = 50  # files
MAX_PAGE = 1000
REQUESTS = SHARDS + 1  # of a page, at most
# Files that one request looks at for those that fit, at most. Where many fit, reading them is what takes our time, and
# a first page should be there at once; whoever goes on searches for what is rare, as far as 1 MB goes.
SEARCHED_FIRST, SEARCHED = 500, 10_000
MAX_VERSIONS = 100  # of one key

WITH_CODE = (FileState.FAILED, FileState.INVALID)


@dataclass(frozen=True)
class Wanted:
    """Which files of a feed.

    Attributes:
        state: only files in this state; None for any.
        code: only files that are INVALID or FAILED for this reason; "" for any.
        since: only files that have been in their state since this moment or later.
        key: only files with this somewhere in their key; the whole key of a file is that file alone.
    """

    state: FileState | None = None
    code: str = ""
    since: datetime | None = None
    key: str = ""

    def takes(self, file: FileRecord) -> bool:
        """Tell whether a file is one of these, whatever its key."""
        if self.state not in (None, file.state) or self.code not in ("", file.code):
            return False
        moved = (file.listed_at or "").split("#")[1:2]
        return self.since is None or not moved or moved[0] >= listed.span(file.state, self.since).low.split("#")[1]


@dataclass(frozen=True)
class Files:
    """A page of files, those first that need people most, and where the next page begins (None: there is none)."""

    files: Sequence[ListedFile]
    more: str | None


def page(ctx: FeedContext, wanted: Wanted, *, size: int = PAGE, after: str | None = None) -> Files:
    """Return the next files; at most 5 requests. A page may be short, or empty, although there are more.

    Args:
        ctx: the feed's context.
        wanted: which files.
        size: how many files at most.
        after: where the page before ended; None for the first page.
    """
    if not after and wanted.key.startswith(ctx.feed.prefix) and (known := versions(ctx, wanted.key)):
        return Files([as_listed(file) for file in known if wanted.takes(file)][:size], None)
    left = [_before(span, after) for span in _spans(wanted) if not after or span.low < after]
    if not left:
        return Files((), None)
    found, more = _read(ctx, left[0], wanted, size, after)
    return Files(found, more or (left[0].low if len(left) > 1 else None))


def pages(ctx: FeedContext, wanted: Wanted, *, size: int = PAGE, after: str | None = None) -> Iterator[Files]:
    """Yield page after page; each costs at most 5 requests."""
    while True:
        found = page(ctx, wanted, size=size, after=after)
        yield found
        if found.more is None:
            return
        after = found.more


def versions(ctx: FeedContext, key: str) -> list[FileRecord]:
    """Return the ledger's records of a key of the feed, the newest version first; 1 request."""
    found = ctx.ledger.versions(f"s3://{ctx.settings.new_files}/{key}", MAX_VERSIONS)
    return sorted(found, key=lambda file: (file.last_modified, file.arrived_at), reverse=True)


def as_listed(file: FileRecord) -> ListedFile:
    """Return a file as the index would have it."""
    since = listed.place(file.row, file.state, file.settled_at or file.claimed_at or file.arrived_at)
    code = file.reason.code if file.reason else None
    return ListedFile(
        pk=file.pk,
        sk=file.sk,
        key=file.key,
        state=file.state,
        listed_at=file.listed_at or since,
        size=file.size,
        code=code,
        run_id=file.run_id,
    )


def _spans(wanted: Wanted) -> list[Span]:
    """Return the stretches of the index that hold the files, the last one first."""
    if wanted.state:
        return [listed.span(wanted.state, wanted.since)]
    if wanted.code:
        return [listed.span(state, wanted.since) for state in WITH_CODE]
    return [listed.span(state, wanted.since) for state in URGENT_FIRST] if wanted.since else [EVERYTHING]


def _before(span: Span, after: str | None) -> Span:
    return Span(span.low, min(span.high, after)) if after else span


def _read(
    ctx: FeedContext, span: Span, wanted: Wanted, size: int, after: str | None
) -> tuple[list[ListedFile], str | None]:
    """Read the end of a stretch from all partitions, and merge them as far as each was read; 4 requests."""
    conditions = list(_conditions(wanted))
    most = size + 1  # one may be the last of the page before
    limit = (SEARCHED if after else SEARCHED_FIRST) if conditions else most

    def read(partition: str) -> Page:
        return _cut(ctx.ledger.list_files(partition, span, conditions, limit=limit), most)

    read_pages = ctx.side_by_side(read, listed.partitions(ctx.feed.name))
    known = max((each.read_to for each in read_pages if each.read_to), default="")
    items = [item for each in read_pages for item in each.items if item["listed_at"] >= known]
    found = sorted(_own(ctx, items, wanted, after), key=lambda file: file.listed_at, reverse=True)
    return found[:size], found[size - 1].listed_at if len(found) > size else known or None


def _cut(page: Page, most: int) -> Page:
    """Return a page with its first items alone, as if it had been read up to the last of them."""
    return page if len(page.items) <= most else Page(page.items[:most], page.items[most - 1]["listed_at"])


def _conditions(wanted: Wanted) -> Iterator[Condition]:
    if wanted.code:
        yield Equal("code", wanted.code)
    if wanted.key:
        yield Contains("key", wanted.key)


def _own(ctx: FeedContext, items: Sequence[Item], wanted: Wanted, after: str | None) -> Iterator[ListedFile]:
    """Yield the feed's own files: its partition may hold what another feed's worker put there (`open_items.py`)."""

    def fits(file: ListedFile) -> bool:
        return (
            file.listed_at != after
            and file.pk == f"s3://{ctx.settings.new_files}/{file.key}"
            and ctx.feed.covers(file.key)
            and wanted.state in (None, file.state)
        )

    for item in items:
        try:
            file = ListedFile.from_item(item)
        except RecordError as error:
            log.warning("feed %s: left out of a list: %s", ctx.feed.name, error)
            continue
        if fits(file):
            yield file
