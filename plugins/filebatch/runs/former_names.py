"""A feed's former names: what is open under one of them is the present name's, whether the bucket still has it or not.

The sweep of the bucket brings what lies there from one name to the next (`listing.rehome`). What doesn't lie there any
more, as its version was deleted for good, is met by no sweep: the index of its former name has it. Which names those
are is known by the prefix, as no file is a feed's before that feed's arrival was noted under its prefix.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from filebatch.core import clock, feed_moves
from filebatch.core.errors import RecordError
from filebatch.core.feed_records import Arrival
from filebatch.intake import listing
from filebatch.runs import open_items, takeover
from filebatch.runs.context import FeedContext

log = logging.getLogger(__name__)

# So many waiting files of a former name a sweep takes over by its index, beside those that it meets in the bucket.
LOOKED_AT = 1000
# A name under which nothing is open is asked about for this long after it was told of a file: a process of it may be
# slow, and the index is behind.
ASKED_FOR = timedelta(days=1)


def take_over(ctx: FeedContext, met: Iterable[str] = ()) -> None:
    """Settle the dead runs of the feed's former names, and have what waits for them wait for this one.

    Args:
        ctx: the feed's context.
        met: names that the sweep has met.
    """
    known = {arrival.feed: arrival for arrival in _arrivals(ctx)}
    for former in sorted({*met, *known} - {ctx.feed.name}):
        anything = _take_over_one(ctx, former)
        arrival = known.get(former)
        if arrival and not anything and (arrival.due_at or "") < clock.to_iso(ctx.now() - ASKED_FOR):
            ctx.ledger.try_move(feed_moves.left(arrival))


def _arrivals(ctx: FeedContext) -> list[Arrival]:
    """Return the last arrival of each feed under the prefix; a worker can't write any, but may put others there."""
    found = []
    for item in ctx.ledger.open(Arrival.under(ctx.feed.prefix)):
        try:
            arrival = Arrival.from_item(item)
        except RecordError as error:
            log.error("%s", error)  # noqa: TRY400 - the message says all
            continue
        if arrival.row == Arrival.at(arrival.feed):
            found.append(arrival)
    return found


def _take_over_one(ctx: FeedContext, former: str) -> bool:
    """Take over one name; tell whether anything was open under it.

    Its DAG may be gone, so that Airflow isn't asked: only a heartbeat that is missing tells that a run is dead.
    """
    theirs = replace(ctx, feed=ctx.feed.model_copy(update={"name": former}))
    takeover.take_over(theirs, "none", lambda _run_id: False)
    takeover.free_longest(theirs)
    waiting = open_items.waiting_files(theirs, None, LOOKED_AT)
    held = open_items.claimed_longest(theirs, 1)
    unsettled = [record for record in open_items.open_runs(theirs, limit=LOOKED_AT) if not record.is_settled]
    if waiting or held:
        told = "feed %s: under its former name %s %s files wait, which are its own from now on; claims hold others: %s"
        log.warning(told, ctx.feed.name, former, len(waiting), bool(held))
    listing.rehome(ctx.ledger, ctx.feed, waiting, ctx.now())
    return bool(waiting or held or unsettled)
