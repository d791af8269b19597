"""Settling a round: what became of each file, from the ledger and the results; only then from how the job ended.

A child that died after committing its last file has succeeded; a job that vanished is settled all the same. What a
worker could not tell any more is moved, and counted, here. What was never begun is given back.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from filebatch.core import failures, file_moves, run_moves
from filebatch.core.contract import IN_FLIGHT, FileVersion, Reason, Result, Unit
from filebatch.core.errors import ContractError, ContractVersionError, FilebatchError, MoveRefused
from filebatch.core.failures import Ending, Failure
from filebatch.core.file_moves import FileFailure
from filebatch.core.metrics import Measured
from filebatch.core.moves import Move
from filebatch.core.records import FileRecord, FileState, RunRecord
from filebatch.core.results import location, read_result
from filebatch.core.rows import Row
from filebatch.core.usage import Billed
from filebatch.core.wording import MAX_SENTENCE, plain, quoted
from filebatch.runs import breaker, claiming, jobs, rounds
from filebatch.runs.context import FeedContext

log = logging.getLogger(__name__)


class NotSettledError(FilebatchError):
    """Files of the claim are still CLAIMED, so that its record stays open."""


@dataclass(frozen=True)
class Settled:
    """What became of a claim's files.

    Attributes:
        counts: files by state, as they were when the claim was settled.
        files: those of them that are still the claim's, as they are now, in the plan's order.
    """

    counts: Mapping[str, int]
    files: tuple[FileRecord, ...]

    def of(self, *found: FileState) -> list[FileRecord]:
        """Return the files that are in one of these states."""
        return [file for file in self.files if file.state in found]


@dataclass(frozen=True)
class UnitLeft:
    """Files of one unit that no worker settled, in the unit's order, and how the unit's job ended (None: unknown)."""

    files: Sequence[FileRecord]
    ending: Ending | None


def settle(ctx: FeedContext, record: RunRecord, job: Mapping[str, Any] | None, billed: Billed | None = None) -> Settled:
    """Move whatever the workers left CLAIMED, then say what became of every file of the claim.

    Args:
        ctx: the feed's context.
        record: the claim's owner record.
        job: the round's job as DescribeJobs has it; None if Batch no longer knows it.
        billed: what AWS bills for the round's containers, where it is known.

    Raises:
        MoveRefused: somebody else has moved the record meanwhile.
        NotSettledError: files are still CLAIMED.
        ContractError: plan or units are gone, or a result is of a version that this one doesn't read.
    """
    files = claiming.of_plan(ctx, record)
    left = [file for file in files if file.state is FileState.CLAIMED]
    if not left:
        return _close(ctx, record, files, billed)
    if unfinished := _adopt(ctx, record, left):
        _check_round(ctx, record)
        _end(ctx, record, job, unfinished)
    return close(ctx, record, billed)


def _check_round(ctx: FeedContext, record: RunRecord) -> None:
    """Refuse to end files of a later round by this one's job: they were read before this look at the record."""
    found = ctx.ledger.get(record.row)
    if found is None or found.round != record.round:
        raise MoveRefused(
            f"claim {record.token}: expected round {record.round}, found {found and found.round}: "
            "its files are the later round's"
        )


def close(ctx: FeedContext, record: RunRecord, billed: Billed | None = None) -> Settled:
    """Write the claim's counts into its owner record, and return them with the files.

    Raises:
        NotSettledError: files are still CLAIMED.
    """
    return _close(ctx, record, claiming.of_plan(ctx, record), billed)


def _close(ctx: FeedContext, record: RunRecord, files: Sequence[FileRecord], billed: Billed | None) -> Settled:
    settled = _settled(files)
    if claimed := settled.of(FileState.CLAIMED):
        raise NotSettledError(
            f"claim {record.token}: {len(claimed)} files are still CLAIMED, such as {claimed[0].pk!r}"
        )
    breaker.note(ctx, record, files)
    ctx.ledger.move(run_moves.settle(record, settled.counts, ctx.now(), billed))
    return settled


def _settled(files: Sequence[FileRecord]) -> Settled:
    return Settled(dict(Counter(str(file.state) for file in files)), tuple(files))


def read(ctx: FeedContext, record: RunRecord) -> Settled:
    """Return what became of a claim's files so far; once it's settled, what had become of them then.

    Somebody may have had them tried again since, and then they are another claim's.
    """
    found = _settled(claiming.of_plan(ctx, record))
    return found if record.counts is None else replace(found, counts=record.counts)


def _adopt(ctx: FeedContext, record: RunRecord, left: Sequence[FileRecord]) -> list[FileRecord]:
    """Take over what was committed; return the files without a result. One with a result that is none has failed."""
    results = ctx.side_by_side(lambda file: _result_of(ctx, file), left)
    outcomes = ctx.outcomes()
    for file, result in zip(left, results, strict=True):
        if isinstance(result, ContractError):
            outcomes.add(*_spoilt(ctx, record, file, result))
        elif result is not None:
            outcomes.add(*_adopted(ctx, record, file, result))
    outcomes.flush()
    return [file for file, result in zip(left, results, strict=True) if result is None]


def _result_of(ctx: FeedContext, file: FileRecord) -> Result | ContractError | None:
    """Return a file's result, None where there is none, or what is wrong with it: that must not hold up the others."""
    try:
        return read_result(ctx.s3, ctx.results, ctx.feed.name, file.work)
    except ContractVersionError:
        raise  # it may be right: a version that can read it settles the claim
    except ContractError as error:
        return error


def _spoilt(
    ctx: FeedContext, record: RunRecord, file: FileRecord, error: ContractError
) -> tuple[Move[FileRecord], Measured]:
    log.error("%r has failed, as its result can't be used: %s", file.pk, error)
    failed = FileFailure(Reason("configuration", f"its result can't be used: {error}"[:MAX_SENTENCE]))
    move = _fail_move(ctx, record, file, failed, retry=None)
    return move, Measured(FileState.FAILED, 0.0, file.size, None)


def _adopted(
    ctx: FeedContext, record: RunRecord, file: FileRecord, result: Result
) -> tuple[Move[FileRecord], Measured]:
    where = location(ctx.results, ctx.feed.name, file.work)
    measured = Measured(FileState(result.state), sum(result.timings.values()), file.size, result.rows)
    return file_moves.finish(file.row, record.token, result, where, ctx.now()).noted(round=record.round), measured


def _end(ctx: FeedContext, record: RunRecord, job: Mapping[str, Any] | None, files: Sequence[FileRecord]) -> None:
    """Give back the files that were never begun, and then fail the others.

    In this order, as of a unit the first file that is still there counts as begun: should this be interrupted, whoever
    settles next must not meet one for the first that isn't.
    """
    failed = list[tuple[Move[FileRecord], Measured]]()
    handed_out, unbegun, suspects = set[Row[FileRecord]](), list[FileRecord](), list[FileRecord]()
    for left in _by_unit(ctx, record, job, files):
        failure = failures.classify(left.ending)
        begun = begun_of(left, failure, fenced=record.fence is not None)
        rows = {file.row for file in begun}
        for file in left.files:
            if file.row in rows:
                reason = _trouble_of(file, begun, failure, left.ending) or _reason(record, file, failure, left.ending)
                failed.append(_failed(ctx, record, file, failure, left.ending, reason))
            else:
                unbegun.append(file)
        suspects += suspects_of(left, failure, fenced=record.fence is not None)
        handed_out.update(file.row for file in left.files)
    unbegun += [file for file in files if file.row not in handed_out]  # no worker was ever told of these
    if unbegun:
        claiming.give_back(ctx, record.token, unbegun, suspects)
        log.warning("%s files wait again: their container ended before it had begun with them", len(unbegun))
    outcomes = ctx.outcomes()
    for move, measured in failed:
        outcomes.add(move, measured)
    outcomes.flush()


def begun_of(left: UnitLeft, failure: Failure, *, fenced: bool) -> Sequence[FileRecord]:
    """Return which of a unit's unfinished files its failure is counted for.

    A worker writes down its trouble with each file that it has begun and leaves behind. A container that died at work
    was at one of these again, or had begun the first one of the others: they are begun in their order. Where one
    ended in order and had begun none, all have failed for the same reason: it never started, or could not do its unit.
    So they have where no worker of the round got as far as its files, which is when the round is `fenced`: an image
    that can't run says nothing of any file.
    """
    troubled, others = _by_trouble(left)
    if fenced and failures.died_at_work(failure, left.ending):
        return [*troubled, *others[:1]]
    return troubled or left.files


def suspects_of(left: UnitLeft, failure: Failure, *, fenced: bool) -> Sequence[FileRecord]:
    """Return which of a unit's unfinished files its container may have died of beside those that were begun for sure.

    A worker has IN_FLIGHT files in flight, and nobody knows how many it had. No attempt is counted for these; alone in
    their next containers they are found out.
    """
    if not fenced or failure.from_outside or not failures.died_at_work(failure, left.ending):
        return []
    return _by_trouble(left)[1][1:IN_FLIGHT]


def _by_trouble(left: UnitLeft) -> tuple[list[FileRecord], list[FileRecord]]:
    return [file for file in left.files if file.trouble], [file for file in left.files if not file.trouble]


def _failed(
    ctx: FeedContext, record: RunRecord, file: FileRecord, failure: Failure, ending: Ending | None, reason: Reason
) -> tuple[Move[FileRecord], Measured]:
    died = failures.died_at_work(failure, ending)
    failed = FileFailure(
        reason,
        memory=failures.needed_memory(failure, record.memory),
        suspect=bool(record.fence) and died and not failure.from_outside,
    )
    retry = failures.retry_at(failures.failure(reason.code), file.attempts, ctx.feed.max_attempts, ctx.now())
    move = _fail_move(ctx, record, file, failed, retry=retry)
    return move, Measured(FileState.FAILED, 0.0, file.size, None)


def _fail_move(
    ctx: FeedContext, record: RunRecord, file: FileRecord, failed: FileFailure, *, retry: datetime | None
) -> Move[FileRecord]:
    move = file_moves.fail(
        file.row, record.token, ctx.feed.name, failed, retry=retry, now=ctx.now(), attempt=file.attempts
    )
    return move.noted(run=record.run_id, round=record.round, generation=file.generation, job=record.job)


def _trouble_of(
    file: FileRecord, begun: Sequence[FileRecord], failure: Failure, ending: Ending | None
) -> Reason | None:
    """Return what a file met with itself, where its container died of another one; None where it is as likely this."""
    died_of_another = failures.died_at_work(failure, ending) and any(each.trouble is None for each in begun)
    return file.trouble if died_of_another else None


def _reason(record: RunRecord, file: FileRecord, failure: Failure, ending: Ending | None) -> Reason:
    last_word = file.trouble.message if file.trouble and file.trouble.code == failure.code else ""
    return Reason(failure.code, _message(failure, ending, last_word or record.trouble(failure.code)))


def _message(failure: Failure, ending: Ending | None, last_word: str) -> str:
    """Return what the failure means, then why: in the worker's words, or in Batch's where it left none."""
    if ending is None:
        return failure.meaning
    told = last_word or ", ".join(filter(None, (ending.reason, ending.status_reason)))
    code = "" if ending.exit_code is None else f" (exit code {ending.exit_code})"
    return (f"{failure.meaning}{code}" + (f": {told}" if told else ""))[:MAX_SENTENCE]


def _by_unit(
    ctx: FeedContext, record: RunRecord, job: Mapping[str, Any] | None, files: Sequence[FileRecord]
) -> Iterator[UnitLeft]:
    """Yield the files by unit, each in the unit's order, with how the job of the unit ended."""
    if job is None:
        yield UnitLeft(files, None)
        return
    by_version = {file.file: file for file in files}
    units = rounds.read_units(ctx, record)
    mine = [(unit, found) for unit in units if (found := _of_unit(unit, by_version))]
    ended = jobs.endings(ctx.batch, [jobs.child(job["jobId"], unit.index, len(units)) for unit, _ in mine])
    for unit, found in mine:
        yield UnitLeft(found, ended.get(jobs.child(job["jobId"], unit.index, len(units)), jobs.ending(job)))


def _of_unit(unit: Unit, by_version: Mapping[FileVersion, FileRecord]) -> list[FileRecord]:
    return [by_version[work.file] for work in unit.files if work.file in by_version]


def describe(files: Sequence[FileRecord], limit: int = 10) -> str:
    """Name files and why they are what they are, at most `limit` of them."""
    lines = [f"{quoted(file.key)}: {_why(file)}" for file in files[:limit]]
    more = [f"… and {len(files) - limit} more"] if len(files) > limit else []
    return "\n".join(lines + more)


def _why(file: FileRecord) -> str:
    return f"{file.reason.code}: {plain(file.reason.message)}" if file.reason else str(file.state)


def may_be_tried(files: Iterable[FileRecord], max_attempts: int) -> list[FileRecord]:
    """Return the failed files that may be tried again."""
    return [file for file in files if file.state is FileState.FAILED and file.attempts < max_attempts]
