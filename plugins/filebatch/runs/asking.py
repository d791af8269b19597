"""What a run does with what it was asked for: begin a claim, go on with one, or say why there is nothing to do."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from filebatch.core import clock, feed_moves
from filebatch.core.records import RunRecord
from filebatch.feeds.selection import Selection
from filebatch.runs import breaker, claiming, infrastructure, jobs, plans, selecting, takeover
from filebatch.runs.answers import Held, Nothing
from filebatch.runs.claiming import Claim
from filebatch.runs.context import FeedContext
from filebatch.runs.plans import Planned
from filebatch.runs.run import Run

log = logging.getLogger(__name__)


def claim(ctx: FeedContext, run: Run, selection: Selection, is_over: Callable[[str], bool]) -> Claim | Nothing | Held:
    """Claim the files of a run; where all that waits was asked for, the bell is answered.

    Args:
        ctx: the feed's context.
        run: the run.
        selection: what it is responsible for.
        is_over: tells whether Airflow considers another run, by its id, as ended or doesn't know it.

    Raises:
        ConfigurationError: the feed's queue or job definition isn't there.
    """
    began = ctx.now()
    infrastructure.check_job_definition(ctx.batch, ctx.settings, ctx.feed.name)
    found = _claim(ctx, run, selection, is_over)
    if selection.everything and not ctx.ledger.try_move(feed_moves.answered(ctx.feed.name, began)).done:
        log.debug("no ring was waiting for this run")
    return found


def _claim(ctx: FeedContext, run: Run, selection: Selection, is_over: Callable[[str], bool]) -> Claim | Nothing | Held:
    latest = ctx.ledger.latest_run(ctx.feed.name, run.hash)
    if latest and not latest.is_settled:
        return _resume(ctx, run, selection, latest)
    if selection.everything:
        selecting.take_in(ctx, selection)
        takeover.take_over(ctx, run.hash, is_over)
    # Airflow numbers how often a run was cleared. One that has its number already is a run of the same name, made anew
    # after the first was deleted, or a task whose run another has settled: it takes what a new run would take.
    again = latest if latest and run.cleared > latest.cleared else None
    note = _note(run, selection)
    if selection.everything and again is None:
        planned = _plan_what_waits(ctx, run, selection, note)
    else:
        planned = selecting.plan(ctx, selection, again, note)
    if isinstance(planned, Held) or (isinstance(planned, Nothing) and selection.everything):
        return planned
    why = f"{selection}{', again' if again else ''}"
    if isinstance(planned, Nothing):
        claiming.begin(ctx, run, latest, why, planned=[], reason=selection.reason)
        return planned
    begun = claiming.begin(ctx, run, latest, why, planned=planned, reason=selection.reason)
    return begun or Nothing("other runs took them all meanwhile")


def _plan_what_waits(
    ctx: FeedContext, run: Run, selection: Selection, note: Mapping[str, Any]
) -> list[Planned] | Nothing | Held:
    """Plan what waits, as far as the feed's circuit breaker lets a run claim it."""
    seen = breaker.read(ctx)
    if seen and seen.holds(clock.to_iso(ctx.now())):
        return Nothing(breaker.why(seen))
    planned = selecting.plan(breaker.bounded(ctx, seen), selection, None, note)
    if isinstance(planned, list) and not breaker.begins(ctx, seen, run.hash):
        return Nothing("another run sees just now whether files fail still")
    return planned


def _resume(ctx: FeedContext, run: Run, selection: Selection, record: RunRecord) -> Claim | Nothing | Held:
    """End where the claim that was begun ends."""
    if record.units or record.round > 1:  # a later round is for `process_files` to go on with
        log.info("this run has its claim: %s", record.token)
        return Claim.of(ctx, record)
    planned = plans.read(ctx, record.token)
    if planned is None:
        again = _cleared(ctx, run, record)
        bounded = breaker.bounded(ctx, breaker.read(ctx)) if selection.everything and again is None else ctx
        found = selecting.plan(bounded, selection, again, _note(run, selection))
        if isinstance(found, Held):
            return found
        planned = [] if isinstance(found, Nothing) else found
    return claiming.make_claim(ctx, record, planned) or Nothing("its first try had nothing to do")


def _note(run: Run, selection: Selection) -> dict[str, str | None]:
    """Return what files that are left to later runs say of this one."""
    return {"run": run.run_id, "who": run.who, "why": selection.reason}


def _cleared(ctx: FeedContext, run: Run, record: RunRecord) -> RunRecord | None:
    """Return the claim that this one does again, as the run was cleared after it."""
    earlier = ctx.ledger.get(RunRecord.at(ctx.feed.name, jobs.token(run.hash, record.epoch - 1)))
    return earlier if earlier and record.cleared > earlier.cleared else None
