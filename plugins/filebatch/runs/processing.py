"""Processing a claim: its round's job is found or submitted, once, whatever was interrupted on the way.

The steps that wait lie with the caller: `next_job` before the wait, `ended` after it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime

from botocore.exceptions import ClientError

from filebatch.core import clock, file_moves, run_moves
from filebatch.core.errors import ConfigurationError
from filebatch.core.moves import Move
from filebatch.core.records import FileRecord, FileState, RunRecord
from filebatch.runs import billing, claiming, infrastructure, jobs, rounds, settling, takeover
from filebatch.runs.context import FeedContext
from filebatch.runs.settling import NotSettledError, Settled

log = logging.getLogger(__name__)

FAILS_RUN: Mapping[str, tuple[FileState, ...]] = {
    "failed": (FileState.FAILED,),
    "invalid": (FileState.FAILED, FileState.INVALID),
    "never": (),
}


def record_of(ctx: FeedContext, run_id: str, run_hash: str) -> RunRecord:
    """Return the owner record of a run's latest claim; ConfigurationError where it has none."""
    record = ctx.ledger.latest_run(ctx.feed.name, run_hash)
    if record is None:
        raise ConfigurationError(f"the run {run_id} has no claim in the ledger: clear claim_files")
    return record


def next_job(ctx: FeedContext, record: RunRecord) -> tuple[RunRecord, str | None]:
    """Return the record as it is then, and the job to wait for: the round's, or the next one's of a settled claim.

    Failed files that have attempts left get another round; without any there is no job.

    Raises:
        ConfigurationError: the job's definition is gone; the files of the claim wait again.
    """
    if record.is_settled:
        if not settling.may_be_tried(claiming.of_plan(ctx, record), ctx.feed.max_attempts):
            return record, None
        record = rounds.begin(ctx, record)
    if not record.units:
        files = claim_for_round(ctx, record)
        if not files:
            return record, None
        record = rounds.write(ctx, record, files)
    return record, _submit(ctx, record)


def claim_for_round(ctx: FeedContext, record: RunRecord) -> list[FileRecord]:
    """Take failed files of the claim for its new round; those that were taken before an interruption count, too."""
    files, now = claiming.of_plan(ctx, record), ctx.now()
    failed = settling.may_be_tried(files, ctx.feed.max_attempts)
    answers = ctx.ledger.try_all(_again(record, file, now) for file in failed)
    # What another try of this task took is this round's too: a file in no unit would keep the claim open for ever.
    now_held = [answer.record for answer in answers if answer.record and _is_held(answer.record, record)]
    if refused := len(failed) - len(now_held):
        log.warning("%s of %s failed files were taken by other runs", refused, len(failed))
    return [*(file for file in files if file.state is FileState.CLAIMED), *now_held]


def _again(record: RunRecord, file: FileRecord, now: datetime) -> Move[FileRecord]:
    move = file_moves.claim(file.row, record.token, record.run_id, file.generation, now, asked=True)
    return move.noted(round=record.round)


def _is_held(file: FileRecord, record: RunRecord) -> bool:
    return file.is_held_by(record.token, file.generation)


def _submit(ctx: FeedContext, record: RunRecord) -> str:
    """Return the round's job: the one that works, the one that was submitted, or a new one."""
    job_name = record.job_name or jobs.name(record.feed, record.token, record.round)
    found = record.job or jobs.find(ctx.batch, ctx.settings.job_queue, job_name)
    if found is None:
        _say_that_it_lives(ctx, record)
        found = _new_job(ctx, record, job_name)
        log.info("submitted job %s as %s with %s units", found, job_name, record.units)
    else:
        log.info("job %s is there already: %s", job_name, found)
    if not ctx.ledger.try_move(run_moves.submitted(record, found)).done:
        log.warning("job %s: another job of this round was at work first, or the round is over", found)
    return found


def _say_that_it_lives(ctx: FeedContext, record: RunRecord) -> None:
    """Keep others from taking the run for dead that waited long for its turn, while Batch doesn't know its job yet."""
    soon = clock.to_iso(ctx.now() + takeover.NEVER_SUBMITTED_AFTER)
    if (record.due_at or "") < soon:  # times sort as they are written
        timeout = ctx.settings.heartbeat_timeout
        ctx.ledger.try_move(run_moves.heartbeat(record.feed, record.token, timeout=timeout, now=ctx.now()))


def _new_job(ctx: FeedContext, record: RunRecord, job_name: str) -> str:
    """Submit the round's job; where its definition is gone, nobody could, so the files are given back."""
    request = jobs.submit_request(
        ctx.settings,
        ctx.feed,
        job_name,
        units=rounds.units_key(record),
        count=record.units,
        memory=record.memory,
    )
    try:
        return str(ctx.batch.submit_job(**request)["jobId"])
    except ClientError as refused:
        if infrastructure.is_refused(refused):
            _give_back_unless_defined(ctx, record)
        raise


def _give_back_unless_defined(ctx: FeedContext, record: RunRecord) -> None:
    try:
        infrastructure.check_job_definition(ctx.batch, ctx.settings, ctx.feed.name)
    except ConfigurationError as missing:
        takeover.close_unsubmitted(ctx, record)
        raise ConfigurationError(f"{missing}. The files of this run wait again") from missing


def settle(ctx: FeedContext, record: RunRecord, job_id: str | None) -> Settled:
    """Settle a claim by its job, as Batch has it now; one that is settled already says what became of its files.

    Raises:
        NotSettledError: the job works after all, though Batch didn't know it for a while; or it is no job of the
            claim's round, as the run was cleared while this task waited for it.
    """
    if record.is_settled:
        return settling.read(ctx, record)
    if job_id and job_id != record.job:
        raise NotSettledError(
            f"claim {record.token}: expected the job of its round {record.round}, {record.job}, found {job_id}, "
            "which this task waited for before somebody cleared the run; a retry waits for the round's"
        )
    job, billed = billing.job_of(ctx, record, job_id) if job_id else (None, None)
    if job and job["status"] not in jobs.TERMINAL:
        raise NotSettledError(f"claim {record.token}: job {job_id} is {job['status']}; a retry waits for its end")
    return settling.settle(ctx, record, job, billed)


def complaint(ctx: FeedContext, record: RunRecord, settled: Settled) -> str:
    """Return why the run fails, naming files and reasons; "" where it doesn't.

    It fails by the feed's rule, and where nothing of what it had claimed became anything: then it did nothing.
    """
    if not settled.counts:
        files = f"{record.files} files" if record.files else "the files that it was to claim"
        return f"none of {files} was done: another run took this one for dead, and they wait again"
    number, states = failing(ctx.feed.fail_run_on, settled.counts)
    if not number:
        return ""
    bad = settled.of(*states)
    gone = f"\nMeanwhile {number - len(bad)} of them were taken by another run" if len(bad) < number else ""
    return f"{number} files of {sum(settled.counts.values())}:\n{settling.describe(bad)}{gone}"


def failing(rule: str, counts: Mapping[str, int]) -> tuple[int, Sequence[FileState]]:
    """Return how many files a run fails for by its feed's `fail_run_on` (0: it doesn't), and their states."""
    states = FAILS_RUN.get(rule, FAILS_RUN["invalid"])
    number = sum(counts.get(state, 0) for state in states)
    allowed = int(rule.removesuffix("%")) * sum(counts.values()) if rule.endswith("%") else 0
    return (number if number * 100 > allowed else 0), states
