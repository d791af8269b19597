"""How a feed is doing, as metrics that its alarms watch."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from filebatch.core import clock
from filebatch.core.feed_records import Arrival, Sweep
from filebatch.core.metrics import datum
from filebatch.core.records import FileRecord, RunRecord
from filebatch.feeds.feed import Feed
from filebatch.queries.capacity import JobQueue
from filebatch.runs import billing, breaker, open_items
from filebatch.runs.context import FeedContext
from filebatch.runs.takeover import ASK_AGAIN_AFTER

log = logging.getLogger(__name__)

# A claim is taken over when its heartbeat is overdue and its feed runs; one that nobody took over for so long is stuck.
OVERDUE = timedelta(hours=2)
# Files that wait, as far as they are counted: no alarm asks for more, and counting reads what it counts.
MAX_COUNTED = 20_000


def of_run(feed: str, record: RunRecord | None) -> list[dict[str, Any]]:
    """Return a run's metrics: that it came to its end, how many files it had claimed, and what its round is billed."""
    billed = billing.of_record(record, round_only=True) if record else None
    found = [
        datum(feed, "RunCompleted", "Count", [1.0]),
        datum(feed, "FilesClaimed", "Count", [float(record.files if record else 0)]),
    ]
    if billed and billed.containers:
        found.append(datum(feed, "BilledVcpuSeconds", "None", [billed.usage.vcpu_seconds]))
        found.append(datum(feed, "BilledGibSeconds", "None", [billed.usage.gib_seconds]))
    return found


def of_doorbell(feed: str, turns: int) -> dict[str, Any]:
    """Return how often a feed's doorbell has both taken arrivals and looked at the ledger since it last told."""
    return datum(feed, "DoorbellTurns", "Count", [float(turns)])


def of_feed(ctx: FeedContext, queue: JobQueue | None = None) -> list[dict[str, Any]]:
    """Return how many files wait and for how long, what no pattern matches, and whether an expected file is missing.

    `queue` is what the feeds of a process share; None to look at the job queue now.
    """
    now = ctx.now()
    oldest = open_items.waiting_files(ctx, now, limit=100)
    sweep = ctx.ledger.get(Sweep.at(ctx.feed.name))
    waiting = ctx.ledger.count_open(FileRecord.waiting(ctx.feed.name), now, limit=MAX_COUNTED)
    found = [
        datum(ctx.feed.name, "FilesWaiting", "Count", [float(waiting)]),
        datum(ctx.feed.name, "OldestWaitingAge", "Seconds", [oldest_age(oldest, now)]),
        datum(ctx.feed.name, "FilesUnmatched", "Count", [float(sweep.unmatched if sweep else 0)]),
        datum(ctx.feed.name, "OldestRunnableAge", "Seconds", [oldest_runnable(ctx, now, queue or JobQueue())]),
        datum(ctx.feed.name, "ClaimsOverdue", "Count", [float(overdue_claims(ctx, now))]),
    ]
    found.append(datum(ctx.feed.name, "FeedHeld", "Count", [float(is_held(ctx))]))
    if ctx.feed.expected_by:
        missing = is_missing(ctx.feed, ctx.ledger.get(Arrival.at(ctx.feed.name)), now)
        found.append(datum(ctx.feed.name, "ExpectedFileMissing", "Count", [float(missing)]))
    return found


def overdue_claims(ctx: FeedContext, now: datetime) -> int:
    """Count the claims that have long been due for taking over and that no run could settle."""
    runs, overdue = open_items.open_runs(ctx, due=now + ASK_AGAIN_AFTER), clock.to_iso(now - OVERDUE)
    return sum(not run.is_settled and (run.overdue_since or "") <= overdue for run in runs)


def is_held(ctx: FeedContext) -> bool:
    """Tell whether the feed's circuit breaker holds what waits, or lets a few files be tried."""
    seen = breaker.read(ctx)
    return seen is not None and seen.held_until is not None


def is_missing(feed: Feed, arrival: Arrival | None, now: datetime) -> bool:
    """Tell whether the day's file is late: its time of day has passed and nothing has arrived since midnight, UTC."""
    if feed.expected_by is None or now.time() < feed.expected_by:
        return False
    return arrival is None or clock.parse_utc(arrival.arrived_at).date() < now.date()


def oldest_runnable(ctx: FeedContext, now: datetime, queue: JobQueue) -> float:
    """Return the seconds for which the oldest of the feed's jobs that wait for capacity has waited.

    The queue's own time limit looks only at the job at its head.
    """
    since = queue.waiting_since(ctx.batch, ctx.settings.job_queue, ctx.feed.name)
    return max(0.0, now.timestamp() - since) if since else 0.0


def oldest_age(waiting: Iterable[FileRecord], now: datetime) -> float:
    """Return the seconds for which the first of some files has waited, 0 for none; a worker may have spoilt a time."""
    for file in waiting:
        try:
            return max(0.0, (now - clock.parse_utc(file.arrived_at)).total_seconds())
        except ValueError as error:
            log.error("%r: arrived_at: expected a time, found %.100r: %s", file.pk, file.arrived_at, error)  # noqa: TRY400
    return 0.0
