"""One run of a feed: what it was responsible for, what its files came to, and the files themselves, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from filebatch.core.records import FileRecord, RunRecord
from filebatch.runs import claiming, jobs
from filebatch.runs.context import FeedContext

LONG = ("history", "outputs")  # attributes that a list doesn't show
PAGE = 300  # files, so that a page takes 5 requests: the run, its plan, and 3 for the files


@dataclass(frozen=True)
class RunFiles:
    """A page of a run's files.

    Attributes:
        record: the owner record of the run's latest claim; None where it claimed nothing.
        files: files of the claim as they are now, in the plan's order.
        more: how many files of the plan come before the next page; None where there is none.
    """

    record: RunRecord | None
    files: Sequence[FileRecord] = ()
    more: int | None = None


def page(ctx: FeedContext, run_id: str, after: int = 0) -> RunFiles:
    """Return a page of a run's files, which begins `after` so many of its plan; 5 requests."""
    record = ctx.ledger.latest_run(ctx.feed.name, jobs.run_hash(ctx.feed.name, run_id))
    if record is None:
        return RunFiles(None)
    rows = claiming.planned_rows(ctx, record)
    found = ctx.ledger.get_many(rows[after : after + PAGE], without=LONG)
    files = [found[row] for row in rows[after : after + PAGE] if row in found and found[row].claim == record.token]
    return RunFiles(record, files, after + PAGE if after + PAGE < len(rows) else None)
