"""When a feed's bell rings: while something is due that nobody takes, and no ring is pending.

The rule looks at levels, not at events: an event that Airflow dropped or collapsed, a paused DAG, a bounded claim's
remainder and a dead run all leave something due in the ledger, and so are rung for again. A ring is pending until a
claim has answered it or its time is over; that time grows with each ring that nobody answered. Files that a feed's
circuit breaker holds aren't rung for.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from filebatch.core import clock, feed_moves
from filebatch.core.feed_records import Bell
from filebatch.core.moves import Move
from filebatch.core.records import FileRecord, RunRecord
from filebatch.core.rows import Partition

FIRST_RING_TIMEOUT, LAST_RING_TIMEOUT = timedelta(seconds=30), timedelta(minutes=10)
# A run that settled, or missed its heartbeat, a moment ago is announced, or takes itself up again, without a bell.
RUN_GRACE = timedelta(minutes=1)
FIRST_BACKOFF, LAST_BACKOFF = 1.0, 300.0  # seconds


def ring_timeout(rings: int) -> timedelta:
    """Return how long the `rings`th ring in a row is waited for."""
    return min(LAST_RING_TIMEOUT, FIRST_RING_TIMEOUT * (1 << min(max(rings - 1, 0), 16)))


def next_ring(feed: str, bell: Bell | None, now: datetime, *, starting: bool = False) -> Move[Bell] | None:
    """Return the move that rings, or None while a ring is pending.

    Args:
        feed: feed name.
        bell: the bell's record as it was read.
        now: the present moment.
        starting: the caller has just started: the rings before it may have been lost with a triggerer or to a paused
            DAG, so that only the shortest time counts.
    """
    if bell is None or bell.rung_at is None:
        return feed_moves.ring(feed, 1, seen=None, now=now)
    rings = 0 if starting else bell.rings
    if now < clock.parse_utc(bell.rung_at) + ring_timeout(rings):
        return None
    return feed_moves.ring(feed, rings + 1, seen=bell.rung_at, now=now)


def watched(
    feed: str, now: datetime
) -> tuple[tuple[Partition[FileRecord], datetime], tuple[Partition[RunRecord], datetime]]:
    """Return the index partitions that hold what the bell is for, files and runs, each with when it is due."""
    return (FileRecord.waiting(feed), now), (RunRecord.unannounced(feed), now - RUN_GRACE)


def backoff(faults: int) -> float:
    """Return the seconds to pause after the `faults`th fault in a row: doubling, bounded, and no two callers alike."""
    longest = min(LAST_BACKOFF, FIRST_BACKOFF * (1 << min(faults, 16)))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - it spreads load, it hides nothing
