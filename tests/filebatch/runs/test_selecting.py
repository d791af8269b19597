"""Selecting: from what a run is asked for to the files that it takes, or why there are none."""

import logging
from datetime import UTC, datetime, timedelta

import pytest

from aws import NOW, feed_of
from claims import OTHER, RUN_ID, Held
from filebatch.core import clock, file_moves, run_moves
from filebatch.core.contract import Reason
from filebatch.core.errors import ConfigurationError
from filebatch.core.feed_records import Sweep
from filebatch.core.file_moves import FileFailure
from filebatch.core.records import FileRecord, FileState
from filebatch.core.run_moves import Asked
from filebatch.feeds.selection import Selection
from filebatch.feeds.windows import Window
from filebatch.runs import plans, selecting, settling
from filebatch.runs.answers import Held as HeldByOthers
from filebatch.runs.answers import Nothing
from filebatch.runs.plans import REDO, RETRY, TAKE, Planned

ALL = Selection()
NAMES = ("a", "b", "c")


def named(*names, **fields):
    return Selection(keys=tuple(f"orders/{name}.csv" for name in names), **fields)


def waiting(place, *names):
    return place.arrive(*(place.put(f"orders/{name}.csv") for name in names))


def failed(ctx, row):
    """Have a file fail for good."""
    ctx.ledger.move(file_moves.claim(row, OTHER, RUN_ID, 1, ctx.now()))
    failure = FileFailure(Reason("configuration", "x"))
    ctx.ledger.move(file_moves.fail(row, OTHER, "orders", failure, retry=None, now=ctx.now()))


def test_all_that_waits_is_taken(place):
    rows = waiting(place, "a", "b")
    assert selecting.plan(place.ctx(), ALL, None) == [Planned(row, TAKE, 1) for row in rows]


def test_of_more_than_a_run_claims_the_longest_due_are_taken(place, caplog):
    feed = feed_of(packing={"claim": 2})
    rows = waiting(place, *NAMES)
    with caplog.at_level(logging.WARNING):
        assert selecting.plan(place.ctx(feed), ALL, None) == [Planned(row, TAKE, 1) for row in rows[:2]]
    assert caplog.text == ""  # what is left waits, and the bell rings for it


@pytest.mark.parametrize(("bound", "told"), [(1, "2 of 3 files are left"), (2, "1 of 3 files are left"), (3, "")])
def test_of_a_window_with_more_files_than_a_run_claims_the_log_says_how_many_are_left(place, caplog, bound, told):
    waiting(place, *NAMES)
    with caplog.at_level(logging.WARNING):
        planned = selecting.plan(place.ctx(feed_of(packing={"claim": bound})), Selection(prefix="orders/"), None)
    assert len(planned) == bound
    assert told in caplog.text
    assert bool(told) == ("are left" in caplog.text)


def test_what_the_ledger_has_not_is_recorded_on_the_way(place):
    known, new = waiting(place, "a")[0], FileRecord.at(place.put("orders/b.csv"))
    planned = selecting.plan(place.ctx(), named("a", "b"), None)
    assert planned == [Planned(known, TAKE, 1), Planned(new, TAKE, 1)]
    assert place.ledger.get(new).feed == "orders"
    assert clock.parse_utc(place.ledger.get(new).arrived_at) <= clock.now()


def test_a_file_that_failed_for_good_is_tried_again_only_where_somebody_asks_for_it(place):
    (row,) = waiting(place, "a")
    ctx = place.ctx()
    failed(ctx, row)
    assert selecting.plan(ctx, ALL, None) == Nothing("nothing arrived: no file waits")
    assert selecting.plan(ctx, named("a"), None) == [Planned(row, RETRY, 1)]
    assert selecting.plan(ctx, named("a", force=True), None) == [Planned(row, REDO, 2)]


def test_files_that_others_hold_are_not_nothing(place):
    held = Held(place, 2)
    found = selecting.plan(held.ctx, Selection(keys=tuple(file.key for file in held.files)), None)
    assert found == HeldByOthers(f"2 files are held by other runs: ['{RUN_ID}']; clear this task when they have ended")


def test_of_some_that_others_hold_the_rest_is_taken_and_it_is_said_whose_they_are(place, caplog):
    held = Held(place, 1)
    (row,) = waiting(place, "a")
    selection = Selection(keys=(held.files[0].key, "orders/a.csv"))
    with caplog.at_level(logging.WARNING):
        assert selecting.plan(held.ctx, selection, None) == [Planned(row, TAKE, 1)]
    assert f"1 files are held by other runs: ['{RUN_ID}']" in caplog.text
    assert f"not done: '{held.files[0].key}': held by run {RUN_ID}" in caplog.text
    assert "a.csv" not in caplog.text.replace(held.files[0].key, "")


def test_where_nothing_is_taken_the_answer_says_why_of_each_key(place):
    held = Held(place, 1)
    held.finish()
    settling.close(held.ctx, held.record)
    done, old = held.files[0].key, place.put("orders/old.csv").key
    feed = feed_of(start="2100-01-01")
    found = selecting.plan(place.ctx(feed), Selection(keys=(old, "orders/none.csv")), None)
    assert f"'{old}': " in found.why
    assert "2100-01-01" in found.why
    assert "'orders/none.csv': nothing matched: it isn't in the bucket" in found.why
    again = selecting.plan(held.ctx, Selection(keys=(done,)), None)
    assert again == Nothing(f"'{done}': done (SUCCEEDED); with force it is done again")


def test_a_run_that_is_cleared_does_its_own_files_again_and_what_else_it_is_asked_for(place):
    held = Held(place, 1)
    held.finish()
    settling.settle(held.ctx, held.record, None)
    (row,) = waiting(place, "a")
    own = held.keys[0]
    assert selecting.plan(held.ctx, ALL, held.record) == [Planned(own, REDO, 2)]
    selection = Selection(window=Window(datetime(2020, 1, 1, tzinfo=UTC), None))
    assert selecting.plan(held.ctx, selection, held.record) == [Planned(own, REDO, 2), Planned(row, TAKE, 1)]


def test_a_cleared_run_tries_its_failed_files_again_as_a_new_generation(place):
    held = Held(place, 1)
    settling.settle(held.ctx, held.record, held.job("exit 78"))
    assert selecting.plan(held.ctx, ALL, held.record) == [Planned(held.keys[0], REDO, 2)]


def test_the_holders_of_files_are_the_runs_that_claimed_them(place):
    held = Held(place, 1)
    waiting(place, "a")
    selection = Selection(keys=(held.files[0].key, "orders/a.csv"))
    assert selecting.holders(held.ctx, selection) == {RUN_ID}
    assert selecting.holders(held.ctx, named("a")) == set()


def test_files_of_a_closed_claim_are_given_back_and_taken_and_the_others_stay_in_their_order(place):
    dead = Held(place, 1)
    dead.ctx.ledger.move(run_moves.settle(dead.record, {}, clock.now()))
    rows = waiting(place, "a")
    selection = Selection(keys=("orders/a.csv", dead.files[0].key))
    assert selecting.plan(dead.ctx, selection, None) == [Planned(rows[0], TAKE, 1), Planned(dead.keys[0], TAKE, 1)]


def test_a_claim_without_a_plan_has_no_files_of_its_own_to_do_again(place):
    ctx = place.ctx()
    asked = Asked(RUN_ID, 1, 0, "all that waits")
    record = run_moves.begin("orders", OTHER, asked, timeout=ctx.settings.heartbeat_timeout, now=ctx.now())
    assert plans.read(ctx, OTHER) is None
    assert isinstance(selecting.plan(ctx, ALL, record), Nothing)


@pytest.mark.parametrize("settled", [False, True])
def test_what_a_feeds_former_name_had_is_its_own_before_it_is_claimed(place, settled):
    """A claim is looked for under its file's feed: else the next run would take the file from a claim that lives."""
    (row,) = waiting(place, "a")
    if settled:
        failed(place.ctx(), row)
    renamed = place.ctx(feed_of("renamed", prefix="orders/"))
    assert len(selecting.plan(renamed, named("a", force=True), None)) == 1
    file = renamed.ledger.get(row)
    assert (file.feed, bool(file.open)) == ("renamed", not settled)


SWEEP = Selection(sweep=True)


def test_without_a_sweep_only_the_queue_is_looked_at(place):
    ctx = place.ctx()
    file = place.put("orders/a.csv")  # before there is a queue, so that no event tells of it
    place.queue(ctx.feed)
    selecting.take_in(ctx, ALL)
    assert ctx.ledger.get(FileRecord.at(file)) is None


def test_a_sweep_finds_what_no_event_brought(place):
    ctx = place.ctx(now=lambda: NOW)
    file = place.put("orders/a.csv")
    place.queue(ctx.feed)
    selecting.take_in(ctx, SWEEP)
    assert place.state(FileRecord.at(file)) == FileState.ARRIVED
    assert ctx.ledger.get(Sweep.at(ctx.feed.name)).swept_at == clock.to_iso(NOW)


def test_a_sweep_settles_what_a_dead_run_of_a_former_name_holds_and_the_next_takes_it(place):
    held = Held(place, 1, feed_of("former", prefix="orders/"))
    later = clock.now() + timedelta(hours=1)
    ctx = place.ctx(feed_of("renamed", prefix="orders/"), now=lambda: later)
    place.queue(ctx.feed)

    selecting.take_in(ctx, SWEEP)
    assert place.state(held.keys[0]) == FileState.ARRIVED
    selecting.take_in(ctx, SWEEP)

    assert ctx.ledger.get(held.keys[0]).open == FileRecord.waiting("renamed").name


def test_a_feed_without_a_queue_is_told_which(place):
    with pytest.raises(ConfigurationError, match=r"feed 'orders': its queue .*orders isn't there"):
        selecting.take_in(place.ctx(), ALL)
