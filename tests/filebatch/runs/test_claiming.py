"""Claiming: planned first, then made from the plan, so that a claim made again ends in the same place."""

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from aws import NOW, feed_of
from claims import OTHER, RUN_ID
from filebatch.core import clock, file_moves, paths, round_file, run_moves
from filebatch.core.errors import MoveRefused
from filebatch.core.file_moves import FileFailure
from filebatch.core.records import FileRecord, FileState, RunRecord, RunState
from filebatch.core.run_moves import Asked
from filebatch.feeds.selection import Origin
from filebatch.runs import claiming, jobs, plans, takeover
from filebatch.runs.plans import REDO, RETRY, TAKE, Planned
from filebatch.runs.run import Run
from moves import REASON

TOKEN = "0123456789abcdef-0001"
TOKENS = (TOKEN, OTHER)


def opened(ctx, token=TOKEN):
    asked, timeout = Asked(RUN_ID, 1, 0, "all that waits"), ctx.settings.heartbeat_timeout
    ctx.ledger.add(run_moves.begin(ctx.feed.name, token, asked, timeout=timeout, now=ctx.now()))
    return record_of(ctx, token)


def arrived(place, count, feed=None, content=b"1234567890"):
    files = [place.put(f"orders/{number}.csv", content) for number in range(count)]
    return [Planned(key, TAKE, 1) for key in place.arrive(*files, feed=feed)]


def claim(ctx, planned, token=TOKEN):
    return claiming.make_claim(ctx, opened(ctx, token), planned)


def units_of(ctx, token=TOKEN, number=1):
    key = paths.round_units("orders", token, number)
    return round_file.decode(ctx.s3.get_object(Bucket=ctx.results, Key=key)["Body"].read())


def record_of(ctx, token=TOKEN):
    return ctx.ledger.get(RunRecord.at("orders", token))


def test_a_claim_takes_its_files_and_writes_units_for_the_workers(place):
    feed = feed_of(packing={"files": 2}, options={"header": True}, max_attempts=5)
    ctx = place.ctx(feed)
    planned = arrived(place, 5)
    found = claim(ctx, planned)
    assert (found.token, found.files, found.units) == (TOKEN, 5, 3)
    assert found.manifest == f"s3://{place.results}/manifests/orders/{TOKEN}/round-1.units"
    units = units_of(ctx)
    assert [[FileRecord.at(work.file) for work in unit.files] for unit in units] == [
        [each.row for each in planned[start : start + 2]] for start in (0, 2, 4)
    ]
    assert {(unit.claim, unit.round, unit.processor, unit.max_attempts) for unit in units} == {(TOKEN, 1, "tabular", 5)}
    assert [unit.index for unit in units] == [0, 1, 2]
    assert all(unit.options == {"header": True} for unit in units)
    assert all(work.attempt == work.generation == 1 for unit in units for work in unit.files)


def test_a_claimed_file_is_the_claims_and_waits_no_more(place):
    ctx = place.ctx()
    (planned,) = arrived(place, 1)
    claim(ctx, [planned])
    file = ctx.ledger.get(planned.row)
    assert (file.state, file.claim, file.run_id, file.attempts) == (FileState.CLAIMED, TOKEN, RUN_ID, 1)
    assert ctx.ledger.open(FileRecord.waiting("orders")) == []


def test_a_claims_record_says_what_its_job_will_be(place):
    ctx = place.ctx()
    claim(ctx, arrived(place, 2))
    record = record_of(ctx)
    assert (record.state, record.round, record.files, record.units) == (RunState.CLAIMED, 1, 2, 1)
    assert (record.job_name, record.memory) == (f"orders-{TOKEN}-r1", 1024)
    assert jobs.parse_name(record.job_name) == ("orders", TOKEN, 1)
    assert clock.parse_utc(record.due_at) > clock.now() + timedelta(minutes=10)


def test_a_claim_made_again_ends_in_the_same_place(place):
    ctx = place.ctx()
    planned = arrived(place, 3)
    first, units = claim(ctx, planned), units_of(ctx)
    late = arrived_later(place)
    assert claiming.make_claim(ctx, record_of(ctx), [*planned, *late]) == first
    assert units_of(ctx) == units
    assert [ctx.ledger.get(each.row).attempts for each in planned] == [1, 1, 1]
    assert place.state(late[0].row) == FileState.ARRIVED


def arrived_later(place):
    return [Planned(key, TAKE, 1) for key in place.arrive(place.put("orders/late.csv"))]


@pytest.mark.parametrize("dies_at", ["move", "put_object"])
def test_a_claim_that_was_interrupted_is_completed_by_the_next_try(place, dies_at):
    """It dies between its files, or with its files claimed and no units written."""
    ctx = place.ctx()
    planned = arrived(place, 3)
    opened(ctx)
    plans.write(ctx, TOKEN, planned)
    taken = planned[:1] if dies_at == "move" else planned
    for each in taken:
        ctx.ledger.move(file_moves.claim(each.row, TOKEN, RUN_ID, 1, clock.now()))
    found = claiming.make_claim(ctx, record_of(ctx), [])
    assert found.files == 3
    assert [ctx.ledger.get(each.row).attempts for each in planned] == [1, 1, 1]


def test_two_runs_at_once_never_hold_the_same_file(place):
    ctx = place.ctx()
    planned = arrived(place, 8)
    with ThreadPoolExecutor(2) as pool:
        claims = list(pool.map(lambda token: claim(ctx, planned, token), TOKENS))
    held = [
        FileRecord.at(work.file)
        for token, found in zip(TOKENS, claims, strict=True)
        if found
        for unit in units_of(ctx, token)
        for work in unit.files
    ]
    assert sorted(held, key=lambda row: row.pk) == sorted((each.row for each in planned), key=lambda row: row.pk)


def test_a_claim_of_files_that_others_took_holds_nothing_and_is_closed(place):
    ctx = place.ctx()
    planned = arrived(place, 2)
    claim(ctx, planned)
    assert claim(ctx, planned, OTHER) is None
    record = record_of(ctx, OTHER)
    assert (record.state, record.counts) == (RunState.ANNOUNCED, {})
    assert [each["sk"] for each in ctx.ledger.open(RunRecord.unannounced("orders"))] == [TOKEN]


def test_a_plan_that_is_old_by_the_time_takes_no_other_generation(place):
    ctx = place.ctx()
    (planned,) = arrived(place, 1)
    ctx.ledger.move(file_moves.claim(planned.row, OTHER, RUN_ID, 1, NOW))
    ctx.ledger.move(file_moves.fail(planned.row, OTHER, "orders", FileFailure(REASON), retry=None, now=NOW))
    ctx.ledger.move(file_moves.redo(planned.row, OTHER, RUN_ID, 2, NOW))
    assert claim(ctx, [planned]) is None
    assert ctx.ledger.get(planned.row).claim == OTHER


@pytest.mark.parametrize(("how", "generation", "attempt"), [(RETRY, 1, 2), (REDO, 2, 1)])
def test_a_settled_file_is_taken_again_as_planned(place, how, generation, attempt):
    ctx = place.ctx()
    (planned,) = arrived(place, 1)
    ctx.ledger.move(file_moves.claim(planned.row, OTHER, RUN_ID, 1, NOW))
    ctx.ledger.move(file_moves.fail(planned.row, OTHER, "orders", FileFailure(REASON), retry=None, now=NOW))
    claim(ctx, [Planned(planned.row, how, generation)])
    ((unit,),) = (units_of(ctx),)
    assert [(work.generation, work.attempt) for work in unit.files] == [(generation, attempt)]


def test_a_file_that_ran_out_of_memory_gets_a_round_with_more(place):
    ctx = place.ctx(feed_of(vcpu=0.5, memory=1024))
    planned = arrived(place, 2)
    ctx.ledger.move(file_moves.claim(planned[0].row, OTHER, RUN_ID, 1, NOW))
    ctx.ledger.move(
        file_moves.fail(planned[0].row, OTHER, "orders", FileFailure(REASON, memory=2048), retry=NOW, now=NOW)
    )
    claim(ctx, planned)
    assert record_of(ctx).memory == 2048


@pytest.mark.parametrize("settled", [False, True])
def test_a_claimer_that_finds_its_record_closed_gives_back_what_it_took(place, settled):
    """Another run took it for dead before it had taken a file, and closed its record."""
    ctx = place.ctx()
    planned = arrived(place, 2)
    seen = opened(ctx)
    closed = ctx.ledger.move(run_moves.settle(seen, {}, ctx.now()))
    if not settled:
        ctx.ledger.move(run_moves.announced(closed, ctx.now()))
    with pytest.raises(MoveRefused):
        claiming.make_claim(ctx, seen, planned)
    files = [ctx.ledger.get(each.row) for each in planned]
    assert [(file.state, file.attempts, file.claim) for file in files] == [(FileState.ARRIVED, 0, None)] * 2
    assert len(ctx.ledger.open(FileRecord.waiting("orders"))) == 2


def test_what_has_moved_on_is_not_given_back_and_is_said(place, caplog):
    ctx = place.ctx()
    planned = arrived(place, 2)
    claim(ctx, planned)
    taken = [ctx.ledger.get(each.row) for each in planned]
    ctx.ledger.move(file_moves.fail(planned[0].row, TOKEN, "orders", FileFailure(REASON), retry=None, now=NOW))
    with caplog.at_level(logging.WARNING):
        claiming.give_back(ctx, TOKEN, taken)
    assert [place.state(each.row) for each in planned] == [FileState.FAILED, FileState.ARRIVED]
    assert "1 of 2 files of claim" in caplog.text


def test_a_claim_that_is_done_again_after_an_hour_is_not_taken_over_meanwhile(place):
    """Its round begins now, however long ago its record was opened."""
    ctx = place.ctx()
    early = place.ctx(now=lambda: clock.now() - timedelta(hours=1))
    opened(early)
    claim(ctx, arrived(place, 1))
    assert takeover.take_over(ctx, "another", lambda _run_id: True) == []


def test_a_slower_try_of_the_same_claim_takes_nothing_from_the_one_that_was_first(place):
    """Airflow takes a task for dead and tries it again, and the first try goes on with what it had read."""
    ctx = place.ctx()
    planned = arrived(place, 3)
    seen = opened(ctx)
    assert claiming.make_claim(ctx, seen, planned).files == 3
    with pytest.raises(MoveRefused):
        claiming.make_claim(ctx, seen, planned)
    assert [place.state(each.row) for each in planned] == [FileState.CLAIMED] * 3


def test_a_claim_that_was_closed_before_its_first_round_gets_none(place):
    """Its task slept between the two moves, and another run took it for dead meanwhile."""
    ctx = place.ctx()
    planned = arrived(place, 1)
    plans.write(ctx, TOKEN, planned)
    record = ctx.ledger.move(run_moves.claimed(opened(ctx), 1, ctx.now()))
    takeover.close_unsubmitted(ctx, record)
    with pytest.raises(MoveRefused):
        claiming.make_claim(ctx, record, planned)
    assert record_of(ctx).round == 0
    assert [place.state(each.row) for each in planned] == [FileState.ARRIVED]


RUN = Run(RUN_ID, TOKEN.split("-", maxsplit=1)[0], 2, Origin("manual", None, NOW), {})


def test_a_run_with_nothing_to_do_leaves_a_closed_record_of_what_it_was_asked_for(place):
    ctx = place.ctx()
    assert claiming.begin(ctx, RUN, None, "1 named file", planned=[]) is None
    record = record_of(ctx)
    assert (record.state, record.open, record.why) == (RunState.ANNOUNCED, None, "1 named file")
    assert (record.run_id, record.epoch, record.cleared) == (RUN_ID, 1, 2)


def test_another_try_goes_on_with_the_claim_that_the_first_began(place):
    ctx, planned = place.ctx(), arrived(place, 2)
    first = claiming.begin(ctx, RUN, None, "all that waits", planned=planned)
    again = claiming.begin(place.ctx(), RUN, None, "all that waits", planned=planned)
    assert again == first
    assert [ctx.ledger.get(each.row).attempts for each in planned] == [1, 1]


def test_only_what_a_claim_holds_is_given_back(place, caplog):
    ctx, planned = place.ctx(), arrived(place, 2)
    claim(ctx, planned)
    mine, other = (ctx.ledger.get(each.row) for each in planned)
    with caplog.at_level(logging.WARNING):
        claiming.give_back(ctx, TOKEN, [mine, replace(other, claim=OTHER)])
    assert [ctx.ledger.get(each.row).state for each in planned] == [FileState.ARRIVED, FileState.CLAIMED]
    assert caplog.text == ""
