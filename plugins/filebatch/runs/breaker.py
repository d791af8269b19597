"""A circuit breaker: a feed of which every file fails by our fault claims no more of what waits, until some are done.

Else a broken image or a missing permission would use up the attempts of everything that waits. After a pause that grows
one run claims a few files to see; any file that is done, or is the supplier's to correct, ends it. What somebody asks
for by key, prefix or date is claimed all the same: that is a person's word.
https://learn.microsoft.com/azure/architecture/patterns/circuit-breaker
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from filebatch.core import clock, failures, feed_moves
from filebatch.core.feed_records import Breaker
from filebatch.core.records import DONE, FileRecord, FileState, RunRecord
from filebatch.runs.context import FeedContext

log = logging.getLogger(__name__)

LEAST = 2  # files in a row: one alone, however often it is tried, may be to blame itself
PROBE = 10  # files that a run claims to see whether they fail still


def read(ctx: FeedContext) -> Breaker | None:
    """Return what the feed's latest rounds came to, where they failed."""
    seen = ctx.ledger.get(Breaker.at(ctx.feed.name))
    return seen if seen and seen.noted else None


def note(ctx: FeedContext, record: RunRecord, files: Sequence[FileRecord]) -> None:
    """Take down what became of a round's files; once, however often it is settled."""
    seen = read(ctx)
    if any(file.state in DONE for file in files):
        if seen and ctx.ledger.try_move(feed_moves.mended(seen)).done and seen.held_until:
            log.warning("feed %s: files are done again; whatever waits is claimed again", ctx.feed.name)
    elif _all_failed_by_us(record, files) and not (seen and seen.noted == _round(record)):
        _note_failed(ctx, record, files, seen)


def bounded(ctx: FeedContext, seen: Breaker | None) -> FeedContext:
    """Return the context in which a run claims what waits: a few files where it is to see whether they fail still."""
    if seen is None or seen.held_until is None:
        return ctx
    packing = ctx.feed.packing.model_copy(update={"claim": min(PROBE, ctx.feed.packing.claim)})
    return replace(ctx, feed=ctx.feed.model_copy(update={"packing": packing}))


def begins(ctx: FeedContext, seen: Breaker | None, run_hash: str) -> bool:
    """Tell whether a run may claim what it has planned: of those that would see whether files fail still, one may."""
    if seen is None or seen.held_until is None:
        return True
    until = ctx.now() + failures.backoff(seen.rounds)
    return ctx.ledger.try_move(feed_moves.probing(seen, run_hash, until)).done


def why(seen: Breaker) -> str:
    """Say why nothing of what waits is claimed."""
    return (
        f"held until {seen.held_until}: the last {seen.failed} files have all FAILED, the latest with {seen.code}; "
        f"then {PROBE} are tried, and all once one is done. What is asked for by key, prefix or date is done at once"
    )


def _all_failed_by_us(record: RunRecord, files: Sequence[FileRecord]) -> bool:
    """Tell whether each file of the claim has failed; a file that was given back or is another's is no longer of it."""
    failed = [file for file in files if file.state is FileState.FAILED and file.reason]
    return bool(files) and len(failed) == record.files and all(failures.is_ours(_code(file)) for file in failed)


def _note_failed(ctx: FeedContext, record: RunRecord, files: Sequence[FileRecord], seen: Breaker | None) -> None:
    become = after(seen or _none(ctx), record, files, ctx.now())
    if ctx.ledger.try_move(feed_moves.broken(seen, become)).done and become.held_until:
        log.warning("feed %s: %s", ctx.feed.name, why(become))


def after(seen: Breaker, record: RunRecord, files: Sequence[FileRecord], now: datetime) -> Breaker:
    """Return the breaker after one more round that failed; one that was at work when it closed prolongs nothing."""
    failed, rounds = seen.failed + sum(file.attempts <= 1 for file in files), seen.rounds
    held_until = seen.held_until
    if not seen.holds(clock.to_iso(now)) or record.token.startswith(seen.probe or record.token + "?"):
        rounds += 1
        held_until = clock.to_iso(now + failures.backoff(rounds)) if failed >= LEAST else None
    code = Counter(map(_code, files)).most_common(1)[0][0]
    return replace(seen, failed=failed, rounds=rounds, code=code, noted=_round(record), held_until=held_until)


def _none(ctx: FeedContext) -> Breaker:
    row = Breaker.at(ctx.feed.name)
    return Breaker(pk=row.pk, sk=row.sk)


def _round(record: RunRecord) -> str:
    return f"{record.token}/{record.round}"


def _code(file: FileRecord) -> str:
    return file.reason.code if file.reason else "unknown"
