"""Taking over from dead runs: what they claimed must not stay behind, and must not be taken from a run that lives.

A claim is taken over only when its run is over or silent, and its job has ended, has vanished, or never was.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from filebatch.core import clock, states
from filebatch.core.ledger import Item
from filebatch.runs import jobs, open_items, settling
from filebatch.runs.context import FeedContext

log = logging.getLogger(__name__)

# A job that was just submitted may not be listed yet; one that isn't after this long never was.
NEVER_SUBMITTED_AFTER = timedelta(minutes=3)


def take_over(ctx: FeedContext, own: str, is_over: Callable[[str], bool]) -> list[str]:
    """Settle the dead runs of a feed; return their run ids.

    Args:
        ctx: the feed's things.
        own: the caller's own run hash, whose claims aren't touched.
        is_over: tells whether Airflow considers a run, by its id, as ended or doesn't know it.
    """
    taken = []
    for record in open_items.open_runs(ctx):
        dead = record["state"] != states.SETTLED and not record["sk"].startswith(own) and _is_dead(record, is_over)
        if dead and _settle(ctx, record):
            log.warning("run %s is dead; its files were settled or given back", record["run_id"])
            taken.append(record["run_id"])
    return taken


def _is_dead(record: Item, is_over: Callable[[str], bool]) -> bool:
    return bool(clock.parse_utc(record["due_at"]) < clock.now() or is_over(record["run_id"]))


def _settle(ctx: FeedContext, record: Item) -> bool:
    """Settle a dead run if its job allows it; False while the job is still on its way."""
    current = ctx.ledger.get((record["pk"], record["sk"]))
    if current is None or current["state"] not in (states.PLANNED, states.CLAIMED):
        return False
    job_id = current.get("fence") or current.get("job_id") or _find(ctx, current)
    if job_id is None:
        if current["round"] and not _long_ago(current["round_at"], NEVER_SUBMITTED_AFTER):
            return False
        close_unsubmitted(ctx, current["sk"])
        return True
    job = jobs.describe(ctx.batch, job_id)
    if job is not None and job["status"] not in jobs.TERMINAL:
        # Its job works on; the run is looked at again when it has been silent for as long again.
        ctx.ledger.move(
            states.heartbeat(ctx.feed.name, current["sk"], heartbeat=ctx.settings.heartbeat_timeout, now=clock.now())
        )
        return False
    if job is None and clock.parse_utc(current["due_at"]) > clock.now():
        return False
    settling.settle(ctx, current, job)
    return True


def close_unsubmitted(ctx: FeedContext, token: str) -> None:
    """Give back a claim that never became a job; where nothing of it is settled there is nothing to announce."""
    settled = settling.give_back(ctx, token)
    if not settled.of(*states.SETTLED_STATES):
        ctx.ledger.move(states.announced(ctx.feed.name, token, clock.now()))


def _find(ctx: FeedContext, record: Item) -> str | None:
    return jobs.find(ctx.batch, ctx.settings.job_queue, record["job_name"]) if record["round"] else None


def _long_ago(written: str, span: timedelta) -> bool:
    moment: datetime = clock.parse_utc(written)
    return clock.now() - moment > span
