"""What keeps the promises of docs/guarantees.md, and how each is taken out: then the simulation must find something."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any
from unittest.mock import patch

from filebatch.core import file_moves, run_moves
from filebatch.core.contract import Reason
from filebatch.core.moves import Move
from filebatch.intake import listing
from filebatch.runs import (
    announcing,
    asking,
    claiming,
    open_items,
    plans,
    processing,
    selecting,
    settling,
    summary,
    takeover,
)
from filebatch_worker import commit as committing
from filebatch_worker import reasons, returned
from simulation import run
from simulation.run import Outcome


@dataclass(frozen=True)
class Safeguard:
    """One safeguard: what it is, and how it is taken out."""

    what: str
    out: Callable[[ExitStack], None]


def first_seed(name: str, seeds: range) -> Outcome | None:
    """Return what the first seed finds without a safeguard, None where none does."""
    with without(name):
        return next((found for each in seeds if (found := _outcome(each)).rule), None)


def _outcome(seed: int) -> Outcome:
    """Run a seed; without a safeguard the code may also break down, which is found as well."""
    plan = run.plans.draw(seed)
    try:
        return run.one(plan)
    except Exception as error:
        return Outcome(plan, f"raised {type(error).__name__}", str(error), "", 0, 0.0, ())


@contextmanager
def without(name: str) -> Iterator[None]:
    """Take a safeguard out for a while."""
    with ExitStack() as stack:
        SAFEGUARDS[name].out(stack)
        yield


def _replaced(module: Any, name: str, value: Any) -> Callable[[ExitStack], None]:
    return lambda stack: stack.enter_context(patch.object(module, name, value))


def _all(*outs: Callable[[ExitStack], None]) -> Callable[[ExitStack], None]:
    def out(stack: ExitStack) -> None:
        for each in outs:
            each(stack)

    return out


def _without_conditions(function: Callable[..., Move[Any]]) -> Callable[..., Move[Any]]:
    return lambda *args, **kwargs: replace(function(*args, **kwargs), conditions=())


def _unconditional(module: Any, *names: str) -> Callable[[ExitStack], None]:
    """Have moves be made whatever their item is like."""
    return _all(*(_replaced(module, name, _without_conditions(getattr(module, name))) for name in names))


def _write_without_condition(s3: Any, bucket: str, result: Any) -> Any:
    class Unconditional:
        def __getattr__(self, name: str) -> Any:
            return getattr(s3, name)

        def put_object(self, IfNoneMatch: str = "", **request: Any) -> Any:  # noqa: N803
            return s3.put_object(**request)

    return _WRITE(Unconditional(), bucket, result)


_WRITE = committing.write


def _blind_close(ctx: Any, record: Any, files: Any, billed: Any) -> Any:
    settled = settling._settled(files)
    ctx.ledger.move(run_moves.settle(record, settled.counts, ctx.now(), billed))
    return settled


def _as_the_index_has_them(ctx: Any, due: Any = None, limit: int | None = None) -> Any:
    from filebatch.core.records import RunRecord

    found = ctx.ledger.open(RunRecord.unannounced(ctx.feed.name), due=due, limit=limit)
    return [RunRecord.from_item(each) for each in found]


def _announce_and_close(ctx: Any, *args: Any) -> Any:
    told = _ANNOUNCE(ctx, *args)
    announcing.close(ctx, told)
    return told


_ANNOUNCE = announcing._announce_settled


def _of_files_alone(record: Any, *args: Any, **kwargs: Any) -> Any:
    return _SUMMARIZE(replace(record, counts=None), *args, **kwargs)


_SUMMARIZE = summary.summarize


def _all_begun(left: Any, failure: Any, *, fenced: bool) -> Any:
    return left.files


def _write_again(ctx: Any, token: str, planned: Any) -> Any:
    from filebatch.core import contract, paths

    files = [{**each.row.key, "how": each.how, "generation": each.generation} for each in planned]
    body = contract.encode({"contract": contract.VERSION, "files": files})
    ctx.s3.put_object(Bucket=ctx.results, Key=paths.plan(ctx.feed.name, token), Body=body)
    return planned


def _resume_for_ever(ctx: Any, run: Any, selection: Any, is_over: Any) -> Any:
    """A run whose name is known already does what the settled claim of that name did: nothing."""
    latest = ctx.ledger.latest_run(ctx.feed.name, run.hash)
    if latest and latest.is_settled and run.cleared <= latest.cleared:
        return claiming.Claim.of(ctx, latest)
    return _CLAIM(ctx, run, selection, is_over)


_CLAIM = asking._claim


def _take_over_all_or_none(ctx: Any, own: str, is_over: Any) -> list[str]:
    """One claim that can't be settled ends it all."""
    others = [record for record in takeover._candidates(ctx) if not record.token.startswith(own)]
    return [record.run_id for record in others if takeover._take_over_one(ctx, record, is_over)]


def _claim_then_open(ctx: Any, record: Any) -> Any:
    """Files of a settled claim are claimed again before it is open."""
    if not record.is_settled:
        return _NEXT_JOB(ctx, record)
    files = processing.claim_for_round(ctx, record)
    if not files:
        return record, None
    written = processing.rounds.write(ctx, processing.rounds.begin(ctx, record), files)
    return written, processing._submit(ctx, written)


_NEXT_JOB = processing.next_job


def _nothing_where_it_is_gone(ctx: Any, record: Any) -> Any:
    return plans.read(ctx, record.token) or []


def _of_any_round(*args: Any, attempt: int | None = None, **kwargs: Any) -> Any:
    return _FAIL(*args, **kwargs)


_FAIL = file_moves.fail
_NOT_FREED = _replaced(takeover, "free", lambda *_: [])


SAFEGUARDS: dict[str, Safeguard] = {
    "ask before commit": Safeguard(
        "a worker asks the ledger whether the file is still its own before it commits",
        _replaced(committing, "check_held", lambda *_: None),
    ),
    "commit once": Safeguard(
        "`_result.json` is written with If-None-Match", _replaced(committing, "write", _write_without_condition)
    ),
    "finish's condition": Safeguard(
        "only the claim that holds a file settles it", _unconditional(file_moves, "finish", "fail")
    ),
    "release's condition": Safeguard(
        "a file is given back only as it was claimed", _unconditional(file_moves, "release")
    ),
    "claim's condition": Safeguard(
        "of two claims of a file one is made",
        _replaced(
            plans,
            "_MOVES",
            {
                plans.TAKE: _without_conditions(file_moves.claim),
                plans.RETRY: _without_conditions(partial(file_moves.claim, asked=True)),
                plans.REDO: _without_conditions(file_moves.redo),
            },
        ),
    ),
    "fence": Safeguard("one job of a round works", _unconditional(run_moves, "fence")),
    "round of settling": Safeguard("a claim is settled by its round", _unconditional(run_moves, "settle")),
    "closing refuses": Safeguard(
        "a claim isn't closed while a file is CLAIMED", _replaced(settling, "_close", _blind_close)
    ),
    "claim's state once": Safeguard("a claim becomes CLAIMED once", _unconditional(run_moves, "claimed")),
    "begin_round's condition": Safeguard("of two next rounds one begins", _unconditional(run_moves, "begin_round")),
    "base table": Safeguard(
        "of claims only their keys are read from the index", _replaced(open_items, "open_runs", _as_the_index_has_them)
    ),
    "bounded words": Safeguard(
        "what strangers wrote is cut to what a record has room for, where it is told and where it is recorded",
        _all(
            _replaced(Reason, "bounded", lambda self: self),
            _replaced(reasons, "plain", lambda text, _longest=0: text),
        ),
    ),
    "begun files": Safeguard(
        "an attempt is counted for files that were begun", _replaced(settling, "begun_of", _all_begun)
    ),
    "answer lost": Safeguard(
        "a move that is refused as it was made already counts as made",
        _replaced(Move, "is_made", lambda self, item: False),
    ),
    "announced counts": Safeguard(
        "a claim is announced by what was settled, whoever has its files now",
        _replaced(announcing, "summarize", _of_files_alone),
    ),
    "closed last": Safeguard(
        "a claim is closed when Airflow has its event", _replaced(announcing, "_announce_settled", _announce_and_close)
    ),
    "plan once": Safeguard("a claim has one plan, the first that was written", _replaced(plans, "write", _write_again)),
    "taken over": Safeguard("claims of dead runs are taken over", _replaced(takeover, "take_over", lambda *_: [])),
    "freed": Safeguard("a file of a closed claim is given back", _NOT_FREED),
    "open before claimed": Safeguard(
        "a claim is open before a file is claimed under it; tried without `freed`, which makes good for it",
        _all(_NOT_FREED, _replaced(processing, "next_job", _claim_then_open)),
    ),
    "closing refuses, nothing freed": Safeguard(
        "likewise, a claim isn't closed while a file is CLAIMED",
        _all(_NOT_FREED, _replaced(settling, "_close", _blind_close)),
    ),
    "missing plan": Safeguard(
        "likewise, a plan that is gone is no plan without files",
        _all(_NOT_FREED, _replaced(plans, "read_for", _nothing_where_it_is_gone)),
    ),
    "one by one": Safeguard(
        "a claim that can't be settled keeps no other from it", _replaced(takeover, "take_over", _take_over_all_or_none)
    ),
    "checked before commit": Safeguard(
        "what a processor returned is checked before it is committed",
        _replaced(returned, "_check_rows", lambda *_: None),
    ),
    "re-homed": Safeguard(
        "what waits for a feed's former name is its new name's", _replaced(listing, "rehome", lambda *_: frozenset())
    ),
    "all that was asked": Safeguard(
        "what a run was asked for beyond its claim waits for others",
        _replaced(selecting, "_leave", lambda *_: None),
    ),
    "asked for later": Safeguard(
        "a claim that can't be announced asks for that ever less often",
        _replaced(takeover, "_ask_later", lambda *_: None),
    ),
    "put off": Safeguard(
        "a claim that can't be settled asks for that ever less often", _replaced(takeover, "_put_off", lambda *_: None)
    ),
    "one time of a file": Safeguard(
        "a file is of the day that was recorded first",
        _replaced(listing, "as_recorded", lambda _ledger, _feed, _window, files: files),
    ),
    "its own round's failure": Safeguard(
        "what a round ends with fails no file of the next",
        _all(_replaced(settling, "_check_round", lambda *_: None), _replaced(file_moves, "fail", _of_any_round)),
    ),
    "same name": Safeguard(
        "a run of a name that is known already takes what waits", _replaced(asking, "_claim", _resume_for_ever)
    ),
    "round to take over": Safeguard(
        "a claim that isn't a job yet is left alone for three minutes",
        _replaced(takeover, "NEVER_SUBMITTED_AFTER", timedelta(0)),
    ),
    "job to take over": Safeguard(
        "a claim isn't taken over while its job works",
        _replaced(takeover.jobs, "TERMINAL", ("SUCCEEDED", "FAILED", "RUNNING", "RUNNABLE", "PENDING")),
    ),
    "announce again": Safeguard(
        "whoever begins to announce a claim has it for a while only",
        _replaced(announcing, "ANNOUNCING_TAKES", timedelta(days=30)),
    ),
    "claim for round": Safeguard(
        "files that another try of the task took belong to the round, too",
        _replaced(processing, "_is_held", lambda file, record: False),
    ),
}

# Those that no seed finds so far: tests of their own hold them (docs/guarantees.md).
HELD_BY_TESTS = frozenset(
    {
        "finish's condition",
        "closing refuses",
        "claim's state once",
        "begin_round's condition",
        "answer lost",
        "plan once",
        "taken over",
        "freed",
        "open before claimed",
        "closing refuses, nothing freed",
        "missing plan",
        "re-homed",
        "all that was asked",
        "asked for later",
        "one time of a file",
        "its own round's failure",
        "round to take over",
        "job to take over",
        "claim for round",
    }
)
