"""Taking over from dead runs: what they claimed must not stay behind, and must not be taken from a run that lives.

A claim is taken over only when its run is over or without a heartbeat for too long, and its job has ended, has
vanished, or never was. A job that works on although its run is over is ended; its claim is taken over when it has.
A file that is CLAIMED although its claim is closed is given back by whoever meets it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import timedelta

from botocore.exceptions import ClientError

from filebatch.core import clock, run_moves
from filebatch.core.errors import FilebatchError
from filebatch.core.records import SETTLED_STATES, FileRecord, FileState, RunRecord, RunState
from filebatch.core.rows import Row
from filebatch.runs import billing, claiming, jobs, open_items, settling
from filebatch.runs.context import FeedContext

log = logging.getLogger(__name__)

# A job that was just submitted may not be listed yet; one that isn't after this long never was. Likewise a task that
# Airflow has ended may go on for a while with what it was at.
NEVER_SUBMITTED_AFTER = timedelta(minutes=3)
# So many runs that aren't due are asked about at a claim: those that were heard of the longest ago. A run that lives is
# heard of every minute, so that a dead one soon is among them; with a backfill of 1,000 runs a claim asks no more.
ASKED_ABOUT = 20
# So many files of each partition of the index, those that have been CLAIMED the longest, a sweep looks at.
LOOKED_AT = 25
# A settled run that nobody announced asks for it this much later, and so does a dead one that can't be settled; a run
# that begins now does it, if any can.
ASK_AGAIN_AFTER = timedelta(minutes=10)
# A job that is told to end has this long, until its claim is due: Batch gives its containers 30 seconds.
# https://docs.aws.amazon.com/batch/latest/userguide/job_timeouts.html
ENDING_TAKES = timedelta(minutes=1)


def take_over(ctx: FeedContext, own: str, is_over: Callable[[str], bool]) -> list[str]:
    """Settle the dead runs of a feed; return their run ids. One that can't be settled is logged, and the others are.

    Args:
        ctx: the feed's context.
        own: the caller's own run hash, whose claims aren't touched.
        is_over: tells whether Airflow considers a run, by its id, as ended or doesn't know it.
    """
    taken = []
    for record in _candidates(ctx):
        if record.token.startswith(own):
            continue
        try:
            if _take_over_one(ctx, record, is_over):
                taken.append(record.run_id)
        except Exception:
            log.exception("run %s could not be settled: claim %s stays open", record.run_id, record.token)
            _put_off(ctx, record)
    return taken


def _candidates(ctx: FeedContext) -> list[RunRecord]:
    """Return the runs that are due, and a few that aren't: those that were heard of the longest ago."""
    due = open_items.open_runs(ctx, due=ctx.now())
    known = {record.row for record in due}
    longest = open_items.open_runs(ctx, limit=len(due) + ASKED_ABOUT)
    return [*due, *(record for record in longest if record.row not in known)]


def _take_over_one(ctx: FeedContext, record: RunRecord, is_over: Callable[[str], bool]) -> bool:
    if record.state is RunState.SETTLED:
        _ask_later(ctx, record)
        return False
    if not (_is_due(ctx, record) or is_over(record.run_id)) or not _settle(ctx, record, is_over):
        return False
    log.warning("run %s is dead; its files were settled or given back", record.run_id)
    return True


def _is_due(ctx: FeedContext, record: RunRecord) -> bool:
    return record.due_at is None or clock.parse_utc(record.due_at) < ctx.now()


def _ask_later(ctx: FeedContext, record: RunRecord) -> None:
    """Keep a run that can't be announced from having the bell rung for ever."""
    if _is_due(ctx, record) and not ctx.ledger.try_move(run_moves.postpone(record, ctx.now() + ASK_AGAIN_AFTER)).done:
        log.info("run %s is announced just now", record.run_id)


def _put_off(ctx: FeedContext, record: RunRecord) -> None:
    """Keep a claim that can't be settled from having the bell rung for ever; its alarm counts from when it was due."""
    move = run_moves.put_off(record, ctx.now() + ASK_AGAIN_AFTER, ctx.now())
    if _is_due(ctx, record) and not ctx.ledger.try_move(move).done:
        log.info("run %s was settled meanwhile", record.run_id)


def _settle(ctx: FeedContext, record: RunRecord, is_over: Callable[[str], bool]) -> bool:
    """Settle a dead run if its job allows it; False while the job, or a task that submits it, may be on its way."""
    job_id = record.job or _find(ctx, record)
    if job_id is None:
        if _began_lately(ctx, record):
            return False
        close_unsubmitted(ctx, record)
        return True
    job, billed = billing.job_of(ctx, record, job_id)
    if job is not None and job["status"] not in jobs.TERMINAL:
        ends = is_over(record.run_id) and _end(ctx, record, job_id)
        _look_again(ctx, record, ENDING_TAKES if ends else ctx.settings.heartbeat_timeout)
        return False
    if job is None and not _is_due(ctx, record):
        return False
    settling.settle(ctx, record, job, billed)
    return True


def _end(ctx: FeedContext, record: RunRecord, job_id: str) -> bool:
    """End the job of a run that is over: nobody waits for it. Where that is refused it ends when its work is done."""
    try:
        ctx.batch.terminate_job(jobId=job_id, reason=jobs.RUN_OVER)
    except ClientError as refused:
        log.warning("run %s is over; its job %s could not be ended, and goes on: %s", record.run_id, job_id, refused)
        return False
    log.warning("run %s is over; its job %s was told to end", record.run_id, job_id)
    return True


def _look_again(ctx: FeedContext, record: RunRecord, timeout: timedelta) -> None:
    """Its job works on: the run counts as alive for so long."""
    move = run_moves.heartbeat(ctx.feed.name, record.token, timeout=timeout, now=ctx.now())
    if not ctx.ledger.try_move(move).done:
        log.info("run %s was announced meanwhile", record.run_id)


def close_unsubmitted(ctx: FeedContext, record: RunRecord) -> None:
    """Give back a claim that never became a job; where nothing of it is settled there is nothing to announce."""
    claiming.give_back(ctx, record.token, claiming.of_plan(ctx, record))
    settled = settling.close(ctx, record)
    if not settled.of(*SETTLED_STATES):
        closed = ctx.ledger.get(record.row)
        if closed:
            ctx.ledger.move(run_moves.announced(closed, ctx.now()))


def free_longest(ctx: FeedContext) -> list[FileRecord]:
    """Give back what no claim holds of the files that have been CLAIMED the longest; return these files."""
    return free(ctx, open_items.claimed_longest(ctx, LOOKED_AT))


def free(ctx: FeedContext, files: Iterable[FileRecord]) -> list[FileRecord]:
    """Give back files that are CLAIMED by a claim that is closed, or of which there is no record; return these files.

    A task leaves some that stood still before it took them, so that its claim was closed meanwhile, and died before it
    gave them back. Nothing else would ever move them.
    """
    claimed = [(file, RunRecord.at(file.feed, file.claim or "")) for file in files if file.state is FileState.CLAIMED]
    records = ctx.ledger.get_many([row for _, row in claimed])
    held_by_none = [file for file, row in claimed if _is_closed(ctx, row, records.get(row))]
    for file in held_by_none:
        log.error("%r is CLAIMED by %s, which is closed: it waits again", file.pk, file.claim)
        claiming.give_back(ctx, file.claim or "", [file])
    return held_by_none


def release(ctx: FeedContext, files: Iterable[FileRecord]) -> list[FileRecord]:
    """Settle the claims that hold files and whose job has ended, as somebody asks for it; return the files of these.

    A run that lives settles its claim itself a moment after its job; whoever is first does it, and the other is told.
    One that can't be settled is logged, and the others are.
    """
    claimed = [file for file in files if file.state is FileState.CLAIMED and file.claim]
    rows = {RunRecord.at(file.feed, file.claim or "") for file in claimed}
    records = ctx.ledger.get_many(sorted(rows, key=lambda row: row.sk))
    settled = {record.token for record in records.values() if not record.is_settled and _has_let_go(ctx, record)}
    return [file for file in claimed if file.claim in settled]


def _has_let_go(ctx: FeedContext, record: RunRecord) -> bool:
    """Settle a claim if its job has ended or never was; False where it is at work, or can't be settled."""
    job_id = record.job or _find(ctx, record)
    job = jobs.describe(ctx.batch, job_id) if job_id else None
    at_work = job is not None and job["status"] not in jobs.TERMINAL
    if at_work or (job is None and not _is_due(ctx, record)):
        return False
    try:
        return _settle(ctx, record, lambda _run_id: False)
    except (FilebatchError, ClientError):
        log.exception("run %s could not be settled: claim %s stays open", record.run_id, record.token)
        return False


def _is_closed(ctx: FeedContext, row: Row[RunRecord], record: RunRecord | None) -> bool:
    """Tell whether a claim is closed or isn't there; one that this version can't read may be at work."""
    return record.is_settled if record else ctx.ledger.item(row) is None


def _find(ctx: FeedContext, record: RunRecord) -> str | None:
    if not (record.round and record.job_name):
        return None
    return jobs.find(ctx.batch, ctx.settings.job_queue, record.job_name)


def _began_lately(ctx: FeedContext, record: RunRecord) -> bool:
    began = record.round_at or record.opened_at
    return bool(began) and ctx.now() - clock.parse_utc(began) < NEVER_SUBMITTED_AFTER
