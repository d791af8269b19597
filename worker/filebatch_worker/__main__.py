"""The container's entry point: do one unit.

Exit codes (sysexits; failures.json): 0 all files settled, none by our fault; 70 a processor raised; 75 some files are
to be tried again; 78 the deployment is wrong. INVALID files are settled: they are the supplier's.
"""

from __future__ import annotations

from filebatch_worker import process_one

if __name__ == "__main__":
    process_one.hold_sigterm()  # the imports below take a second, in which a container may already be told to end

import logging
import os
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime

from filebatch.core import clock, failures, file_moves, run_moves
from filebatch.core.contract import Reason, Result, Unit, Work
from filebatch.core.errors import ConfigurationError, LostClaim
from filebatch.core.file_moves import FileFailure
from filebatch.core.ledger import Ledger
from filebatch.core.metrics import Measured
from filebatch.core.moves import Move
from filebatch.core.outcomes import Outcomes, in_background
from filebatch.core.publishing import Publisher, usable
from filebatch.core.records import FileRecord, FileState
from filebatch.core.results import location
from filebatch_worker import aws, file, flow, job_log, processor, reasons, settings, trouble
from filebatch_worker.file import UnitContext
from filebatch_worker.job_log import JobLog
from filebatch_worker.unit import read_unit

log = logging.getLogger("filebatch")


class Stop:
    """Remembers that SIGTERM came: AWS is about to take the machine, or somebody ended the job."""

    def __init__(self) -> None:
        self.asked = False

    def listen(self) -> None:
        """Have SIGTERM remembered from now on."""
        process_one.on_sigterm(lambda: setattr(self, "asked", True))


def main() -> int:
    """Do the unit that the environment names; return the exit code."""
    shown = job_log.start()
    stop = Stop()
    stop.listen()
    return do_unit(os.environ, stop, shown)


def do_unit(environment: Mapping[str, str], stop: Stop, shown: JobLog) -> int:
    """Do the unit that an environment names; return the exit code."""
    try:
        return _run(settings.read(environment), stop, shown)
    except Exception as error:
        code = file.classify(error)
        log.exception("the unit could not be done: %s", code)
        trouble.of_unit(environment, reasons.of_failure(failures.worker_exit([code]), error, show_values=False))
        return _exit_code([code])


def _run(told: settings.Settings, stop: Stop, shown: JobLog) -> int:
    clients = aws.connect()
    ledger = Ledger(clients.dynamodb, told.ledger)
    unit = read_unit(clients.s3, told.results_bucket, told.round, told.index)
    if unit.feed != told.feed:
        raise ConfigurationError(
            f"environment: expected FILEBATCH_FEED={unit.feed}, as round {told.round} is, found {told.feed!r}: "
            "the job was submitted with another feed's job definition"
        )
    shown.show_values = unit.show_values
    if not ledger.try_move(run_moves.fence(unit.feed, unit.claim, unit.round, told.parent_id)).done:
        log.warning("round %s of claim %s is over, or another job's: nothing is done here", unit.round, unit.claim)
        return 0
    process = processor.load_processor(unit.processor)
    processor.check_options(process, unit.options)
    ctx = UnitContext(clients.s3, ledger, told, unit, process)
    publisher = Publisher(clients.cloudwatch, told.namespace, usable(told.dimensions))
    outcomes = Outcomes(ledger, publisher, told.feed, later=in_background)
    return _exit_code(list(_each(ctx, outcomes, stop)))


def _each(ctx: UnitContext, outcomes: Outcomes, stop: Stop) -> Iterable[str]:
    """Do the files that are still this claim's; yield the taxonomy's code for each that failed."""
    unit = ctx.unit
    found = ctx.ledger.get_many([FileRecord.at(work.file) for work in unit.files])
    mine = [
        work
        for work in unit.files
        if (record := found.get(FileRecord.at(work.file))) and record.is_held_by(unit.claim, work.generation)
    ]
    done = 0
    try:
        for ended in flow.each(ctx, mine, stop):
            done += 1
            if trouble := _told(ctx, ended, outcomes):
                yield trouble
        if done < len(mine):
            log.warning("SIGTERM: the rest of the unit is left to the next attempt")
            yield "transient"
    finally:
        outcomes.flush()


def _told(ctx: UnitContext, ended: flow.Ended, outcomes: Outcomes) -> str | None:
    """Tell what became of a file; return the taxonomy's code if it failed."""
    work, result = ended.work, ended.became
    if isinstance(result, LostClaim):
        log.warning("%s", result)
        return None
    if isinstance(result, Exception):
        return _failed(ctx, work, outcomes, result, ended.seconds)
    where = location(ctx.settings.results_bucket, ctx.unit.feed, work)
    move = file_moves.finish(FileRecord.at(work.file), ctx.unit.claim, result, where, clock.now())
    move = move.noted(round=ctx.unit.round)
    outcomes.add(move, Measured(FileState(result.state), ended.seconds, work.file.size, result.rows))
    log.info("%r %s rows=%s in %.2f s%s", work.file.uri, result.state, result.rows, ended.seconds, _why(result))
    return None


def _failed(ctx: UnitContext, work: Work, outcomes: Outcomes, error: Exception, seconds: float) -> str:
    """Settle a file that failed for good; one that may do better in a moment stays CLAIMED for Batch's next attempt."""
    code = file.classify(error)
    log.error("%r failed: %s", work.file.uri, code, exc_info=error)
    reason = reasons.of_failure(code, error, show_values=ctx.unit.show_values)
    if code == "transient":
        trouble.of_file(ctx.ledger, ctx.unit, work, reason)
    else:
        move = _fail_move(ctx.unit, work, reason, ctx.settings.memory, clock.now()).noted(job=ctx.settings.job_id)
        outcomes.add(move, Measured(FileState.FAILED, seconds, work.file.size, None))
        outcomes.flush()  # it has no result to be found by, and must not be blamed for what ends the container later
    return code


def _fail_move(unit: Unit, work: Work, reason: Reason, memory: int, now: datetime) -> Move[FileRecord]:
    failed = failures.failure(reason.code)
    needed = failures.needed_memory(failed, memory)
    retry = failures.retry_at(failed, work.attempt, unit.max_attempts, now)
    row, failure = FileRecord.at(work.file), FileFailure(reason, needed)
    move = file_moves.fail(row, unit.claim, unit.feed, failure, retry=retry, now=now, attempt=work.attempt)
    return move.noted(run=unit.run_id, round=unit.round, generation=work.generation)


def _exit_code(troubles: Iterable[str]) -> int:
    found = list(troubles)
    return failures.exit_code(failures.worker_exit(found)) if found else 0


def _why(result: Result) -> str:
    return f": {result.reason.code}: {result.reason.message!r}" if result.reason else ""


if __name__ == "__main__":
    sys.exit(process_one.run(main))
