"""Claiming: a run plans which files it takes, takes them, and writes units for its workers.

The plan is written before the first file is claimed, so that a claim that is done again, after whatever interruption,
ends in the same place. A run's `epoch` counts its claims: clearing a settled run opens the next one, in which all its
files are done again as a new generation.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from filebatch.core import file_moves, run_moves
from filebatch.core.errors import MoveRefused
from filebatch.core.records import FileRecord, FileState, RunRecord, RunState
from filebatch.core.rows import Row
from filebatch.core.run_moves import Asked
from filebatch.runs import jobs, plans, rounds
from filebatch.runs.context import FeedContext
from filebatch.runs.plans import Planned
from filebatch.runs.run import Run

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Claim:
    """What a run holds: its token, where the first round's units are, and how many files and units they are."""

    token: str
    manifest: str
    files: int
    units: int

    @classmethod
    def of(cls, ctx: FeedContext, record: RunRecord) -> Claim:
        """Return what an owner record says of it."""
        manifest = f"s3://{ctx.results}/{rounds.units_key(record)}"
        return cls(record.token, manifest, record.files, record.units)


def begin(
    ctx: FeedContext, run: Run, earlier: RunRecord | None, why: str, *, planned: Sequence[Planned], reason: str = ""
) -> Claim | None:
    """Open the run's next claim and make it; one without files is closed at once, and known for clearing the run later.

    Args:
        ctx: the feed's context.
        run: the run.
        earlier: the record of the run's latest claim, if there was one.
        why: what the run is responsible for, for people.
        planned: the files that it takes.
        reason: why somebody asked for it, in their words.
    """
    epoch = earlier.epoch + 1 if earlier else 1
    asked = Asked(run.run_id, epoch, run.cleared, why, run.who, reason or None)
    token = jobs.token(run.hash, asked.epoch)
    timeout = ctx.settings.heartbeat_timeout
    record = run_moves.begin(ctx.feed.name, token, asked, timeout=timeout, now=ctx.now())
    if not planned:
        ctx.ledger.add(run_moves.empty(record))
        return None
    if not ctx.ledger.add(record):
        record = ctx.ledger.get(record.row) or record  # another try of this task was first
    return make_claim(ctx, record, planned)


def make_claim(ctx: FeedContext, record: RunRecord, planned: Sequence[Planned]) -> Claim | None:
    """Write the plan and take its files; None where others took them all meanwhile.

    The owner record is there already. Made again, it goes by the plan that was written first.

    Raises:
        MoveRefused: this run was taken for dead meanwhile, and what it had taken is given back; or another try of its
            task was first, and the files are that one's to go on with.
    """
    planned = plans.write(ctx, record.token, planned)
    taken = _take(ctx, record, planned)
    try:
        if not taken:
            _close_empty(ctx, record)
            return None
        if record.state is RunState.PLANNED:
            record = ctx.ledger.move(run_moves.claimed(record, len(taken), ctx.now()))
        record = record if record.round else rounds.begin(ctx, record)
    except MoveRefused:
        if _is_closed(ctx, record):
            give_back(ctx, record.token, taken)
        raise
    return Claim.of(ctx, rounds.write(ctx, record, taken))


def give_back(ctx: FeedContext, token: str, files: Sequence[FileRecord], suspects: Sequence[FileRecord] = ()) -> None:
    """Release claimed files: they wait again, and no attempt is counted; one that has moved on stays as it is.

    Those among them that are `suspects` wait for a container of their own.
    """
    now, alone = ctx.now(), {file.row for file in suspects}
    held = [file for file in files if file.state is FileState.CLAIMED and file.claim == token]
    answers = ctx.ledger.try_all(file_moves.release(file, now, suspect=file.row in alone) for file in held)
    moved_on = sum(not answer.done for answer in answers)
    if moved_on:
        log.warning("%s of %s files of claim %s were not given back, as they have moved on", moved_on, len(held), token)


def of_plan(ctx: FeedContext, record: RunRecord) -> list[FileRecord]:
    """Return the files that are, or last were, this claim's, in the plan's order.

    Raises:
        ContractError: the plan is gone, though files were claimed by it.
    """
    rows = planned_rows(ctx, record)
    found = ctx.ledger.get_many(rows)
    return [found[row] for row in rows if row in found and found[row].claim == record.token]


def asked_by(record: RunRecord) -> dict[str, str | None]:
    """Return who asked for a run and why, for the notes of what it does."""
    return {"who": record.who, "why": record.reason}


def planned_rows(ctx: FeedContext, record: RunRecord) -> list[Row[FileRecord]]:
    """Return the rows of a claim's plan; none where the claim ended before it had one."""
    return [planned.row for planned in plans.read_for(ctx, record)]


def _take(ctx: FeedContext, record: RunRecord, planned: Sequence[Planned]) -> list[FileRecord]:
    now = ctx.now()
    moves = (each.move(record.token, record.run_id, now).noted(round=1, **asked_by(record)) for each in planned)
    answers = ctx.ledger.try_all(moves)
    found = ((answer.record, each.generation) for answer, each in zip(answers, planned, strict=True))
    return [file for file, generation in found if file and file.is_held_by(record.token, generation)]


def _is_closed(ctx: FeedContext, record: RunRecord) -> bool:
    found = ctx.ledger.get(record.row)
    return found is None or found.is_settled


def _close_empty(ctx: FeedContext, record: RunRecord) -> None:
    settled = ctx.ledger.move(run_moves.settle(record, {}, ctx.now()))
    ctx.ledger.move(run_moves.announced(settled, ctx.now()))
