"""A feed's current results: of each key the newest version that has SUCCEEDED, in its newest generation that has.

Older generations and replaced versions stay in the bucket, so that a pattern over `results/FEED/` reads rows twice.
A file that is done again keeps its result as the current one until the next is committed; a newer version that is
INVALID or FAILED leaves the older one current.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from filebatch.core.contract import Result
from filebatch.core.records import FileRecord, FileState
from filebatch.core.results import location, read_result
from filebatch.queries import files
from filebatch.queries.files import Wanted
from filebatch.runs.context import FeedContext


@dataclass(frozen=True)
class Current:
    """The current result of a key."""

    key: str
    version: str
    result: Result


def results(ctx: FeedContext) -> list[Current]:
    """Return the current results of a feed, in order of their keys.

    It lists all files of the feed, and reads a `_result.json` for each key: a request a key, 4 for each 1,000 files.

    Raises:
        ContractError: a result is of a version that this one doesn't read, or isn't one.
    """
    found = ctx.side_by_side(lambda versions: _of_key(ctx, versions), _by_key(_with_result(ctx)))
    return sorted((each for each in found if each), key=lambda each: each.key)


def _with_result(ctx: FeedContext) -> Iterator[FileRecord]:
    """Yield the records of all files of the feed that have, or had before they are done again, a result."""
    for page in files.pages(ctx, Wanted(), size=files.MAX_PAGE):
        records = ctx.ledger.get_many([file.file_row for file in page.files])
        yield from (record for record in records.values() if record.result)


def _by_key(records: Iterable[FileRecord]) -> list[Sequence[FileRecord]]:
    """Return the versions of each key, the newest first."""
    found: dict[str, dict[str, FileRecord]] = {}
    for record in records:
        found.setdefault(record.key, {})[record.sk] = record  # one that moves while it is listed may be seen twice
    return [sorted(each.values(), key=_age, reverse=True) for each in found.values()]


def _age(record: FileRecord) -> tuple[str, str]:
    return record.last_modified, record.arrived_at


def _of_key(ctx: FeedContext, versions: Sequence[FileRecord]) -> Current | None:
    for record in versions:
        result = _result_of(ctx, record)
        if result and result.state == FileState.SUCCEEDED:
            return Current(record.key, record.sk, result)
    return None


def _result_of(ctx: FeedContext, record: FileRecord) -> Result | None:
    """Read the newest result there is of a version: its record names it, but for its generation's own place.

    A version that is being done again still names the result of an earlier generation.
    """
    for generation in range(record.generation, 0, -1):
        work = replace(record.work, generation=generation)
        if location(ctx.results, ctx.feed.name, work) == record.result:
            return read_result(ctx.s3, ctx.results, ctx.feed.name, work)
    return None
