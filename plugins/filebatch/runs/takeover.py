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
from filebatch.runs.context import Desk

log = logging.getLogger(__name__)

# A job that was just submitted may not be listed yet; one that isn't after this long never was.
NEVER_SUBMITTED_AFTER = timedelta(minutes=3)


def take_over(desk: Desk, own: str, is_over: Callable[[str], bool]) -> list[str]:
    """Settle the dead runs of a feed; return their run ids.

    Args:
        desk: the feed's things.
        own: the caller's own run hash, whose claims aren't touched.
        is_over: tells whether Airflow considers a run, by its id, as ended or doesn't know it.
    """
    taken = []
    for record in open_items.open_runs(desk):
        dead = record["state"] != states.SETTLED and not record["sk"].startswith(own) and _is_dead(record, is_over)
        if dead and _settle(desk, record):
            log.warning("run %s is dead; its files were settled or given back", record["run_id"])
            taken.append(record["run_id"])
    return taken


def _is_dead(record: Item, is_over: Callable[[str], bool]) -> bool:
    return bool(clock.moment(record["due_at"]) < clock.now() or is_over(record["run_id"]))


def _settle(desk: Desk, record: Item) -> bool:
    """Settle a dead run if its job allows it; False while the job is still on its way."""
    current = desk.ledger.get((record["pk"], record["sk"]))
    if current is None or current["state"] not in (states.PLANNED, states.CLAIMED):
        return False
    job_id = current.get("fence") or current.get("job_id") or _find(desk, current)
    if job_id is None:
        if current["round"] and not _long_ago(current["round_at"], NEVER_SUBMITTED_AFTER):
            return False
        close_unsubmitted(desk, current["sk"])
        return True
    job = jobs.describe(desk.batch, job_id)
    if job is not None and job["status"] not in jobs.TERMINAL:
        # Its job works on; the run is looked at again when it has been silent for as long again.
        desk.ledger.move(
            states.alive(desk.feed.name, current["sk"], silence=desk.settings.silence_span, now=clock.now())
        )
        return False
    if job is None and clock.moment(current["due_at"]) > clock.now():
        return False
    settling.settle(desk, current, job)
    return True


def close_unsubmitted(desk: Desk, token: str) -> None:
    """Give back a claim that never became a job; where nothing of it is settled there is nothing to announce."""
    settled = settling.give_back(desk, token)
    if not settled.of(*states.SETTLED_STATES):
        desk.ledger.move(states.announced(desk.feed.name, token, clock.now()))


def _find(desk: Desk, record: Item) -> str | None:
    return jobs.find(desk.batch, desk.settings.job_queue, record["job_name"]) if record["round"] else None


def _long_ago(written: str, span: timedelta) -> bool:
    moment: datetime = clock.moment(written)
    return clock.now() - moment > span
