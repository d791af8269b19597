"""What a run does with what it was asked for: a first claim, one gone on with, one made anew, or none."""

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from aws import feed_of
from claims import OTHER, Held, run_of
from filebatch.core import clock, feed_moves, file_moves, history, run_moves
from filebatch.core.contract import Reason
from filebatch.core.feed_records import Bell
from filebatch.core.file_moves import FileFailure
from filebatch.core.records import FileState, RunRecord, RunState
from filebatch.core.run_moves import Asked
from filebatch.feeds.selection import Origin, Selection
from filebatch.runs import asking, plans, rounds, settling
from filebatch.runs.answers import Nothing
from filebatch.runs.claiming import Claim
from filebatch.runs.run import Run

HASH = "00000000000000cc"
ALL, BELOW = Selection(), Selection(prefix="orders/")
BROKEN = FileFailure(Reason("bug", "ValueError: x"))
WHO = Run("manual__2026-01-02", HASH, 0, Origin("manual", None, datetime(2026, 1, 2, tzinfo=UTC)), {})
CLEARED = replace(WHO, cleared=1)


def over(_run_id):
    return True


def running(_run_id):
    return False


@pytest.fixture
def ctx(place):
    """The feed with its queue and job definition."""
    found = place.ctx()
    place.queue(found.feed)
    name = place.job_definition("exec sleep 1")
    container = found.batch.describe_job_definitions(jobDefinitionName=name)["jobDefinitions"][0]
    found.batch.register_job_definition(
        jobDefinitionName=found.settings.job_definition("orders"),
        type="container",
        platformCapabilities=["FARGATE"],
        containerProperties=container["containerProperties"],
    )
    return found


def asked(ctx, run=WHO, selection=ALL, is_over=running):
    return asking.claim(ctx, run, selection, is_over)


def waiting(place, *names):
    return place.arrive(*(place.put(f"orders/{name}.csv") for name in names))


def settled(ctx, token):
    record = ctx.ledger.get(RunRecord.at("orders", token))
    settling.settle(ctx, record, None)


def test_a_run_claims_what_waits_and_answers_the_bell(ctx, place):
    rows = waiting(place, "a", "b")
    ctx.ledger.move(feed_moves.ring("orders", 1, seen=None, now=clock.now()))
    found = asked(ctx)
    assert isinstance(found, Claim)
    assert (found.token, found.files) == (f"{HASH}-0001", 2)
    assert [place.state(row) for row in rows] == [FileState.CLAIMED] * 2
    assert ctx.ledger.get(Bell.at("orders")).rung_at is None


def test_a_claim_that_fails_answers_no_bell(ctx, place):
    ctx.ledger.move(feed_moves.ring("orders", 1, seen=None, now=clock.now()))
    ctx.sqs.delete_queue(QueueUrl=ctx.settings.queue("orders"))
    with pytest.raises(Exception, match="queue"):
        asked(ctx)
    assert ctx.ledger.get(Bell.at("orders")).rung_at


def test_a_claim_that_is_made_is_the_same_however_often_it_is_asked_for(ctx, place):
    waiting(place, "a")
    first = asked(ctx)
    waiting(place, "b")
    assert asked(ctx) == first


def test_a_claim_of_the_same_name_that_is_made_anew_takes_what_a_new_run_would_take(ctx, place):
    """Airflow numbers how often a run was cleared, and a run that was deleted and made anew begins at none."""
    (first,) = waiting(place, "a")
    settled(ctx, asked(ctx).token)
    before = ctx.ledger.get(first)
    (second,) = waiting(place, "b")
    found = asked(ctx)
    assert (found.token, found.files) == (f"{HASH}-0002", 1)
    assert ctx.ledger.get(second).claim == found.token
    assert ctx.ledger.get(first) == before  # nothing is forced
    assert ctx.ledger.get(RunRecord.at("orders", found.token)).epoch == 2


def test_a_run_that_is_cleared_does_its_files_again(ctx, place):
    (row,) = waiting(place, "a")
    settled(ctx, asked(ctx).token)
    found = asked(ctx, CLEARED)
    assert (found.token, found.files) == (f"{HASH}-0002", 1)
    assert (ctx.ledger.get(row).generation, ctx.ledger.get(row).claim) == (2, found.token)


def test_where_nothing_waits_a_run_made_anew_has_nothing_to_do(ctx, place):
    waiting(place, "a")
    settled(ctx, asked(ctx).token)
    assert isinstance(asked(ctx), Nothing)


@pytest.mark.parametrize("crashed", ["before the plan", "after the plan", "after the round"])
def test_a_claim_that_was_interrupted_is_gone_on_with(ctx, place, crashed):
    rows = waiting(place, "a", "b")
    record = run_moves.begin(
        "orders", f"{HASH}-0001", Asked(WHO.run_id, 1, 0, "all"), timeout=timedelta(minutes=15), now=ctx.now()
    )
    ctx.ledger.add(record)
    if crashed != "before the plan":
        plans.write(ctx, record.token, [plans.Planned(row, plans.TAKE, 1) for row in rows])
    if crashed == "after the round":
        rounds.begin(ctx, ctx.ledger.move(run_moves.claimed(record, 2, ctx.now())))
    found = asked(ctx)
    assert (found.token, found.files, found.units) == (f"{HASH}-0001", 2, 1)
    assert [ctx.ledger.get(row).attempts for row in rows] == [1, 1]


def test_what_a_dead_run_held_is_taken_on_by_the_run_that_finds_it(ctx, place):
    dead = Held(place, 2)
    later = replace(ctx, now=lambda: clock.now() + timedelta(minutes=4))
    found = asked(later, is_over=over)
    assert found.files == 2
    assert [dead.item(number).claim for number in (0, 1)] == [found.token] * 2
    assert dead.record.state == RunState.ANNOUNCED


def test_files_that_a_closed_claim_holds_are_freed_for_who_asks_for_them(ctx, place, caplog):
    dead = Held(place, 1)
    ctx.ledger.move(run_moves.settle(dead.record, {}, ctx.now()))
    selection = Selection(keys=(dead.files[0].key,))
    with caplog.at_level(logging.ERROR):
        found = asked(ctx, selection=selection)
    assert isinstance(found, Claim)
    assert (dead.item().claim, dead.item().attempts) == (found.token, 1)
    assert "it waits again" in caplog.text


def test_nobody_else_is_touched_by_a_run_of_named_keys(ctx, place):
    held = Held(place, 1, token=OTHER)
    later = replace(ctx, now=lambda: clock.now() + timedelta(hours=4))
    waiting(place, "a")
    assert isinstance(asked(later, selection=Selection(keys=("orders/a.csv",)), is_over=over), Claim)
    assert held.now_in() == [FileState.CLAIMED]
    assert run_of(held.token) != HASH


def test_a_claim_in_a_later_round_is_not_closed_as_empty(place, ctx):
    """process_files died between beginning the round and claiming for it; then claim_files was cleared."""
    held = Held(place, 2)
    held.finish(0)
    settling.settle(held.ctx, held.record, held.job("exit 78"))
    rounds.begin(held.ctx, held.record)
    found = asked(ctx, replace(CLEARED, hash=run_of(held.token)))
    assert (found.token, found.files) == (held.token, 2)
    assert (held.record.state, held.record.round) == (RunState.CLAIMED, 2)


@pytest.mark.parametrize(("selection", "generation"), [(Selection(prefix="orders/", force=True), 2), (BELOW, 1)])
def test_of_more_files_than_a_run_claims_all_are_done_by_the_runs_that_follow(ctx, place, selection, generation):
    keys = waiting(place, "a", "b", "c", "d", "e")
    for key in keys:
        ctx.ledger.move(file_moves.claim(key, OTHER, "earlier", 1, clock.now()))
        ctx.ledger.move(file_moves.fail(key, OTHER, "orders", BROKEN, retry=None, now=clock.now()))
    few = replace(ctx, feed=feed_of(packing={"claim": 2}))
    found = [asked(few, selection=selection)]
    for number in range(3):
        found.append(asked(few, replace(WHO, hash=f"{number:016}"), ALL))  # noqa: PERF401 - one after the other
    assert [each.files if isinstance(each, Claim) else each for each in found[:3]] == [2, 2, 1]
    assert isinstance(found[3], Nothing)
    items = [ctx.ledger.get(key) for key in keys]
    assert {(item.state, item.generation) for item in items} == {(FileState.CLAIMED, generation)}


def all_failed(ctx, place, *names):
    """Have a run of everything fail with each file of it; return the files' rows."""
    rows = waiting(place, *names)
    token = asked(ctx, replace(WHO, hash="00000000000000aa")).token
    for row in rows:
        ctx.ledger.move(file_moves.fail(row, token, "orders", BROKEN, retry=None, now=ctx.now()))
    settled(ctx, token)
    return rows


def test_a_feed_of_which_everything_fails_claims_nothing_then_a_few_files_then_all(ctx, place, caplog):
    all_failed(ctx, place, "a", "b")
    rows = waiting(place, *(f"n{number:02}" for number in range(12)))

    with caplog.at_level(logging.WARNING):
        found = asked(ctx)
    assert isinstance(found, Nothing)
    assert "the last 2 files have all FAILED, the latest with bug" in found.why
    assert {place.state(row) for row in rows} == {FileState.ARRIVED}

    later = replace(ctx, now=lambda: clock.now() + timedelta(minutes=2))
    probe = asked(later)
    assert probe.files == 10
    second = asked(later, replace(WHO, hash="00000000000000dd"))
    assert isinstance(second, Nothing)
    assert "held until" in second.why

    held = Held.__new__(Held)
    held.ctx, held.token, held.keys = ctx, probe.token, [row for row in rows if place.state(row) == FileState.CLAIMED]
    for number in range(10):
        held.finish(number)
    settled(ctx, probe.token)
    assert asked(ctx, replace(WHO, hash="00000000000000ee")).files == 2


def test_a_claim_that_was_interrupted_before_its_plan_takes_a_few_files_while_everything_fails(ctx, place):
    all_failed(ctx, place, "a", "b")
    waiting(place, *(f"n{number:02}" for number in range(12)))
    asked_for = Asked(WHO.run_id, 1, 0, "all")
    ctx.ledger.add(run_moves.begin("orders", f"{HASH}-0001", asked_for, timeout=timedelta(minutes=15), now=ctx.now()))
    assert asked(ctx).files == 10


def test_what_somebody_asks_for_is_claimed_though_everything_fails(ctx, place):
    all_failed(ctx, place, "a", "b")
    waiting(place, "c")
    found = asked(ctx, selection=Selection(keys=("orders/c.csv",)))
    assert (type(found), found.files) == (Claim, 1)


def test_a_run_claims_files_up_to_its_feeds_bytes_and_the_rest_waits(ctx, place):
    ctx = replace(ctx, feed=feed_of(packing={"claim_bytes": 20}))
    rows = waiting(place, "a", "b", "c")  # 8 bytes each
    found = asked(ctx)
    assert found.files == 2
    assert sorted(place.state(row) for row in rows) == [FileState.ARRIVED, FileState.CLAIMED, FileState.CLAIMED]


def test_each_file_that_a_run_takes_keeps_who_asked_and_why(ctx, place):
    (row,) = waiting(place, "a")
    asked(ctx, replace(WHO, who="anna"), Selection(keys=("orders/a.csv",), reason="the station was wrong"))
    last = history.read(place.ledger.get(row).history)[-1]
    assert (last.what, last.run, last.round) == ("CLAIMED", WHO.run_id, 1)
    assert (last.who, last.why) == ("anna", "the station was wrong")
