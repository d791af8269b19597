"""Settling a round: what became of each file, from the ledger and the results; Batch's word comes last.

A child that died after committing its last file has succeeded; a job that vanished is settled all the same. What a
worker could not tell any more is moved, and counted, here.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from filebatch.core import clock, contract, failures, states
from filebatch.core.contract import Reason, Unit, Work
from filebatch.core.failures import Ending, Failure
from filebatch.core.ledger import Item, side_by_side, work_of
from filebatch.core.metrics import Measured
from filebatch.core.results import location, read_result
from filebatch.core.states import Move
from filebatch.core.wording import MAX_SENTENCE, plain, quoted
from filebatch.runs import jobs
from filebatch.runs.claiming import manifest_key, read_plan
from filebatch.runs.context import FeedContext

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settled:
    """What became of a claim's files.

    Attributes:
        counts: files by state.
        items: the claim's items as they are now, in the plan's order.
    """

    counts: Mapping[str, int]
    items: tuple[Item, ...]

    def of(self, *found: str) -> list[Item]:
        """Return the items that are in one of these states."""
        return [item for item in self.items if item["state"] in found]


def settle(ctx: FeedContext, record: Item, job: Mapping[str, Any] | None) -> Settled:
    """Move whatever the workers left CLAIMED, then say what became of every file of the claim.

    Args:
        ctx: the feed's things.
        record: the claim's owner record.
        job: the round's job as DescribeJobs has it; None if Batch no longer knows it.
    """
    token = record["sk"]
    left = [item for item in items_of(ctx, token) if item["state"] == states.CLAIMED]
    if left:
        outcomes = ctx.outcomes()
        for move, measured in _resolve(ctx, record, job, left):
            outcomes.add(move, measured)
        outcomes.flush()
    return close(ctx, token)


def give_back(ctx: FeedContext, token: str) -> Settled:
    """Release the files of a claim that never became a job: they wait again, and no attempt is counted."""
    now = clock.now()
    left = [item for item in items_of(ctx, token) if item["state"] == states.CLAIMED]
    ctx.ledger.move_all(states.release((item["pk"], item["sk"]), token, ctx.feed.name, now) for item in left)
    return close(ctx, token)


def close(ctx: FeedContext, token: str) -> Settled:
    """Write the claim's counts into its owner record, and return them with the files."""
    items = items_of(ctx, token)
    settled = Settled(dict(Counter(item["state"] for item in items)), tuple(items))
    ctx.ledger.move(states.settle(ctx.feed.name, token, settled.counts, clock.now()))
    return settled


def items_of(ctx: FeedContext, token: str) -> list[Item]:
    """Return the files that are, or last were, this claim's, in the plan's order."""
    keys = [planned.key for planned in read_plan(ctx, token) or []]
    found = ctx.ledger.get_many(keys)
    return [found[key] for key in keys if key in found and found[key].get("claim") == token]


def _resolve(
    ctx: FeedContext, record: Item, job: Mapping[str, Any] | None, left: list[Item]
) -> Iterable[tuple[Move, Measured]]:
    """Yield what becomes of files that no worker settled: adopt what was committed, else name the failure."""
    token, works = record["sk"], [work_of(item) for item in left]
    results = side_by_side(lambda work: read_result(ctx.s3, ctx.settings.results, ctx.feed.name, work), works)
    missing = [work for work, result in zip(works, results, strict=True) if result is None]
    ends = _endings(ctx, record, job, missing)
    for item, work, result in zip(left, works, results, strict=True):
        key = states.file_key(work.file)
        if result is None:
            yield _failed(ctx, record, item, ends.get(key))
        else:
            where = location(ctx.settings.results, ctx.feed.name, work)
            seconds = sum(result.timings.values())
            measured = Measured(result.state, seconds, work.file.size, result.rows)
            yield states.finish(key, token, result, where, clock.now()), measured


def _failed(ctx: FeedContext, record: Item, item: Item, ending: Ending | None) -> tuple[Move, Measured]:
    failure, work, now = failures.classify(ending), work_of(item), clock.now()
    move = states.fail(
        states.file_key(work.file),
        record["sk"],
        ctx.feed.name,
        Reason(failure.code, _message(failure, ending, _last_word(record, item, failure.code))),
        retry=failures.retry_at(failure, work.attempt, ctx.feed.max_attempts, now),
        now=now,
        memory=record["memory"] * failure.memory_factor if failure.memory_factor > 1 else None,
    )
    return move, Measured(states.FAILED, 0.0, work.file.size, None)


def _last_word(record: Item, item: Item, code: str) -> str:
    """Return what a worker wrote down of a failure of this kind: of the file, or else of its whole unit."""
    trouble = item.get("trouble", {})
    return str(trouble["message"] if trouble.get("code") == code else record.get(states.trouble_of(code), ""))


def _message(failure: Failure, ending: Ending | None, last_word: str) -> str:
    """Return what the failure means, then why: in the worker's words, or in Batch's where it left none."""
    if ending is None:
        return failure.meaning
    told = last_word or ", ".join(filter(None, (ending.reason, ending.status_reason)))
    code = "" if ending.exit_code is None else f" (exit code {ending.exit_code})"
    return (f"{failure.meaning}{code}" + (f": {told}" if told else ""))[:MAX_SENTENCE]


def _endings(
    ctx: FeedContext, record: Item, job: Mapping[str, Any] | None, missing: list[Work]
) -> dict[states.Key, Ending]:
    """Return how the job of each file's unit ended."""
    if job is None or not missing:
        return {}
    units = _units(ctx, record)
    wanted = {states.file_key(work.file) for work in missing}
    child_of = {
        states.file_key(work.file): jobs.child(job["jobId"], unit.index, len(units))
        for unit in units
        for work in unit.files
        if states.file_key(work.file) in wanted
    }
    ended = jobs.endings(ctx.batch, sorted(set(child_of.values())))
    return {key: ended.get(child, jobs.ending(job)) for key, child in child_of.items()}


def _units(ctx: FeedContext, record: Item) -> list[Unit]:
    key = manifest_key(ctx.feed.name, record)
    return contract.decode_round(ctx.s3.get_object(Bucket=ctx.settings.results, Key=key)["Body"].read())


def describe(settled: Settled, *found: str, limit: int = 10) -> str:
    """Name the files in these states and why they are, at most `limit` of them."""
    failed = settled.of(*found)
    lines = [
        f"{quoted(item['key'])}: {item['reason']['code']}: {plain(item['reason']['message'])}"
        for item in failed[:limit]
    ]
    more = [f"… and {len(failed) - limit} more"] if len(failed) > limit else []
    return "\n".join(lines + more)
