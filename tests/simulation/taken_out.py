"""How safeguards are taken out: what stands in their place then."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from filebatch.core import contract, file_moves, paths, run_moves
from filebatch.core.moves import Move
from filebatch.core.records import RunRecord
from filebatch.runs import (
    announcing,
    asking,
    claiming,
    plans,
    processing,
    settling,
    summary,
    takeover,
)
from filebatch_worker import commit as committing


def replaced(module: Any, name: str, value: Any) -> Callable[[ExitStack], None]:
    return lambda stack: stack.enter_context(patch.object(module, name, value))


def all_of(*outs: Callable[[ExitStack], None]) -> Callable[[ExitStack], None]:
    def out(stack: ExitStack) -> None:
        for each in outs:
            each(stack)

    return out


def without_conditions(function: Callable[..., Move[Any]]) -> Callable[..., Move[Any]]:
    return lambda *args, **kwargs: replace(function(*args, **kwargs), conditions=())


def unconditional(module: Any, *names: str) -> Callable[[ExitStack], None]:
    """Have moves be made whatever their item is like."""
    return all_of(*(replaced(module, name, without_conditions(getattr(module, name))) for name in names))


def write_without_condition(s3: Any, bucket: str, result: Any) -> Any:
    class Unconditional:
        def __getattr__(self, name: str) -> Any:
            return getattr(s3, name)

        def put_object(self, IfNoneMatch: str = "", **request: Any) -> Any:  # noqa: N803
            return s3.put_object(**request)

    return _WRITE(Unconditional(), bucket, result)


_WRITE = committing.write


def blind_close(ctx: Any, record: Any, files: Any, billed: Any) -> Any:
    settled = settling._settled(files)
    ctx.ledger.move(run_moves.settle(record, settled.counts, ctx.now(), billed))
    return settled


def as_the_index_has_them(ctx: Any, due: Any = None, limit: int | None = None) -> Any:
    found = ctx.ledger.open(RunRecord.unannounced(ctx.feed.name), due=due, limit=limit)
    return [RunRecord.from_item(each) for each in found]


def due_by_the_index(ctx: Any, own: str) -> Any:
    due = as_the_index_has_them(ctx, ctx.now() + takeover.ASK_AGAIN_AFTER)
    latest = ctx.ledger.latest_run(ctx.feed.name, own)
    known = latest is None or not latest.open or latest.row in {record.row for record in due}
    return due if known else [latest, *due]


def announce_and_close(ctx: Any, *args: Any) -> Any:
    told = _ANNOUNCE(ctx, *args)
    announcing.close(ctx, told)
    return told


_ANNOUNCE = announcing._announce_settled


def of_files_alone(record: Any, *args: Any, **kwargs: Any) -> Any:
    return _SUMMARIZE(replace(record, counts=None), *args, **kwargs)


_SUMMARIZE = summary.summarize


def all_begun(left: Any, failure: Any, *, fenced: bool) -> Any:
    return left.files


def write_again(ctx: Any, token: str, planned: Any) -> Any:
    files = [{**each.row.key, "how": each.how, "generation": each.generation} for each in planned]
    body = contract.encode({"contract": contract.VERSION, "files": files})
    ctx.s3.put_object(Bucket=ctx.results, Key=paths.plan(ctx.feed.name, token), Body=body)
    return planned


def resume_for_ever(ctx: Any, run: Any, selection: Any, is_over: Any) -> Any:
    """A run whose name is known already does what the settled claim of that name did: nothing."""
    latest = ctx.ledger.latest_run(ctx.feed.name, run.hash)
    if latest and latest.is_settled and run.cleared <= latest.cleared:
        return claiming.Claim.of(ctx, latest)
    return _CLAIM(ctx, run, selection, is_over)


_CLAIM = asking._claim


def take_over_all_or_none(ctx: Any, own: str, is_over: Any) -> list[str]:
    """One claim that can't be settled ends it all."""
    others = [record for record in takeover._candidates(ctx) if not record.token.startswith(own)]
    return [record.run_id for record in others if takeover._take_over_one(ctx, record, is_over)]


def claim_then_open(ctx: Any, record: Any) -> Any:
    """Files of a settled claim are claimed again before it is open."""
    if not record.is_settled:
        return _NEXT_JOB(ctx, record)
    files = processing.claim_for_round(ctx, record)
    if not files:
        return record, None
    written = processing.rounds.write(ctx, processing.rounds.begin(ctx, record), files)
    return written, processing._submit(ctx, written)


_NEXT_JOB = processing.next_job


def nothing_where_it_is_gone(ctx: Any, record: Any) -> Any:
    return plans.read(ctx, record.token) or []


def of_any_round(*args: Any, attempt: int | None = None, **kwargs: Any) -> Any:
    return _FAIL(*args, **kwargs)


_FAIL = file_moves.fail
NOT_FREED = replaced(takeover, "free", lambda *_: [])
