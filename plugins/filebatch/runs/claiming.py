"""Claiming: a run plans which files it takes, takes them, and writes units for its workers.

The plan is written before the first file is claimed, so that a claim that is done again, after whatever interruption,
ends in the same place. A run's `epoch` counts its claims: clearing a settled run opens the next one, in which all its
files are done again as a new generation.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from botocore.exceptions import ClientError

from filebatch.core import clock, contract, paths, states
from filebatch.core.contract import Unit
from filebatch.core.errors import ContractError
from filebatch.core.ledger import Item, work_of
from filebatch.feeds.feed import Feed
from filebatch.runs import jobs, packing
from filebatch.runs.context import FeedContext

log = logging.getLogger(__name__)

TAKE, RETRY, REDO = "take", "retry", "redo"
_MOVES: Mapping[str, Callable[..., states.Move]] = {
    TAKE: states.claim,
    RETRY: partial(states.claim, asked=True),
    REDO: states.redo,
}


@dataclass(frozen=True)
class Planned:
    """One file of a plan: its item, how it is taken, and the generation it has then."""

    key: states.Key
    how: str
    generation: int


@dataclass(frozen=True)
class Claim:
    """What a run holds: its token, where the first round's units are, and how many files and units they are."""

    token: str
    manifest: str
    files: int
    units: int


def plan_one(item: Item, *, asked: bool, force: bool) -> Planned | None:
    """Decide how a file is taken, if it is.

    Args:
        item: the file's item.
        asked: somebody asked for this very file: a backoff or used-up attempts don't count.
        force: a file that is done is done again.
    """
    key, state, generation = (item["pk"], item["sk"]), item["state"], item["generation"]
    if state == states.ARRIVED or (state == states.FAILED and "open" in item and not force):
        return Planned(key, TAKE, generation)
    if state == states.FAILED and asked and not force:
        return Planned(key, RETRY, generation)
    if state in states.SETTLED_STATES and force:
        return Planned(key, REDO, generation + 1)
    return None


def make_claim(ctx: FeedContext, token: str, run_id: str, planned: Sequence[Planned]) -> Claim | None:
    """Write the plan and take its files; None where others took them all meanwhile.

    The owner record is there already. Made again, it goes by the plan that was written first.
    """
    planned = _write_plan(ctx, token, planned)
    now = clock.now()
    answers = ctx.ledger.move_all(_MOVES[each.how](each.key, token, run_id, each.generation, now) for each in planned)
    items = [
        answer.item
        for answer, each in zip(answers, planned, strict=True)
        if answer.item and answer.item.get("claim") == token and answer.item["generation"] == each.generation
    ]
    if not items:
        ctx.ledger.move(states.settle(ctx.feed.name, token, {}, now))
        ctx.ledger.move(states.announced(ctx.feed.name, token, now))
        return None
    ctx.ledger.move(states.claimed(ctx.feed.name, token, len(items), now))
    return begin_round(ctx, token, run_id, 1, items)


def begin_round(ctx: FeedContext, token: str, run_id: str, number: int, items: Iterable[Item]) -> Claim:
    """Pack claimed files into units, write them, and begin the round; its job is submitted by `process_files`."""
    held = list(items)
    units = pack_units(ctx.feed, token, run_id, number, held)
    key = paths.round_units(ctx.feed.name, token, number)
    ctx.s3.put_object(Bucket=ctx.settings.results, Key=key, Body=contract.encode_round(units))
    move = states.start_round(
        ctx.feed.name,
        token,
        number,
        {
            "job_name": jobs.name(ctx.feed.name, token, number),
            "units": len(units),
            "memory": memory_of(ctx.feed, held),
        },
        heartbeat=ctx.settings.heartbeat_timeout,
        now=clock.now(),
    )
    ctx.ledger.move(move)
    return Claim(token, f"s3://{ctx.settings.results}/{key}", len(held), len(units))


def pack_units(feed: Feed, token: str, run_id: str, number: int, items: Iterable[Item]) -> list[Unit]:
    """Return the units of a round, in the order of the items."""
    packed = packing.pack(map(work_of, items), lambda work: work.file.size, feed.packing.bytes, feed.packing.files)
    return [
        Unit(
            feed=feed.name,
            claim=token,
            run_id=run_id,
            round=number,
            index=index,
            processor=feed.processor,
            options=feed.options,
            max_attempts=feed.max_attempts,
            show_values=feed.show_values,
            files=tuple(works),
        )
        for index, works in enumerate(packed)
    ]


def memory_of(feed: Feed, items: Iterable[Item]) -> int:
    """Return the MiB of a round's containers: the feed's, or what a file needs that ran out of memory before."""
    return feed.larger_memory(max([feed.memory, *(item.get("memory", 0) for item in items)]))


def read_plan(ctx: FeedContext, token: str) -> list[Planned] | None:
    """Read a claim's plan, or None where none was written."""
    try:
        body = ctx.s3.get_object(Bucket=ctx.settings.results, Key=paths.plan(ctx.feed.name, token))["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] in {"NoSuchKey", "404"}:
            return None
        raise
    document = contract.decode(f"plan of {token}", body)
    found = document.get("contract") if isinstance(document, dict) else document
    if found != contract.VERSION:
        raise ContractError(f"plan of {token}: expected contract {contract.VERSION}, found {found!r}")
    return [Planned((each["pk"], each["sk"]), each["how"], each["generation"]) for each in document["files"]]


def manifest_key(feed: str, record: Item) -> str:
    """Return the key of the units of a claim's latest round."""
    return paths.round_units(feed, record["sk"], record["round"])


def _write_plan(ctx: FeedContext, token: str, planned: Sequence[Planned]) -> Sequence[Planned]:
    """Write the plan; return the one that counts, which is the first."""
    files = [{"pk": each.key[0], "sk": each.key[1], "how": each.how, "generation": each.generation} for each in planned]
    body = contract.encode({"contract": contract.VERSION, "files": files})
    key = paths.plan(ctx.feed.name, token)
    try:
        ctx.s3.put_object(Bucket=ctx.settings.results, Key=key, Body=body, IfNoneMatch="*")
    except ClientError as error:
        if error.response["Error"]["Code"] != "PreconditionFailed":
            raise
        return read_plan(ctx, token) or planned
    return planned
