"""The circuit breaker: a feed of which everything fails by our fault claims nothing, until a few files are done."""

from dataclasses import replace
from datetime import timedelta

import pytest

from aws import NOW, feed_of
from claims import Held
from filebatch.core import clock, file_moves
from filebatch.core.contract import Reason
from filebatch.core.feed_records import Breaker
from filebatch.core.file_moves import FileFailure
from filebatch.core.records import FileState
from filebatch.queries import overview, story
from filebatch.runs import breaker, settling
from moves import BREAKER, LATER

MINUTE = timedelta(minutes=1)


def failed(place, files=2, code="bug", feed=None):
    """Have all files of a claim fail; settle it."""
    held = Held(place, files, feed)
    for number in range(files):
        fail(held, number, code)
    settling.settle(held.ctx, held.record, None)
    return held


def fail(held, number, code="bug"):
    why = FileFailure(Reason(code, "why"))
    moved = held.ctx.ledger.try_move(
        file_moves.fail(held.keys[number], held.token, held.ctx.feed.name, why, retry=clock.now(), now=clock.now())
    )
    assert moved.done


def of(held) -> Breaker | None:
    return breaker.read(held.ctx)


def test_a_round_of_which_all_files_failed_by_our_fault_holds_the_feed_for_a_minute(place):
    held = failed(place)
    found = of(held)
    assert (found.failed, found.rounds, found.code, found.noted) == (2, 1, "bug", f"{held.token}/1")
    assert MINUTE - timedelta(seconds=20) < clock.parse_utc(found.held_until) - clock.now() <= MINUTE
    assert "2 files have all FAILED, the latest with bug" in breaker.why(found)


def test_whoever_asks_after_a_file_that_waits_is_told_that_its_feed_is_held(place):
    held = failed(place)
    why = breaker.why(of(held))
    assert story.of_key(held.ctx, held.item(0).key).held == why
    assert overview.held(held.ctx) == why
    done = Held(place, 1)
    done.finish(0, FileState.SUCCEEDED)
    assert story.of_key(done.ctx, done.item(0).key).held is None
    settling.settle(done.ctx, done.record, None)
    assert overview.held(held.ctx) is None


def test_one_file_alone_may_be_to_blame_itself_and_the_next_one_is_not(place):
    assert of(failed(place, 1)).held_until is None
    assert of(failed(place, 1)).held_until


def test_one_file_that_fails_again_is_one_file(place):
    held = failed(place, 1)
    held.another_round()
    assert held.item().attempts == 2
    fail(held, 0)
    settling.settle(held.ctx, held.record, None)
    assert (of(held).failed, of(held).noted, of(held).held_until) == (1, f"{held.token}/2", None)


@pytest.mark.parametrize("code", ["spot_reclaim", "vanished"])
def test_what_aws_is_to_blame_for_holds_nothing(place, code):
    assert of(failed(place, code=code)) is None


def test_a_round_with_a_file_that_is_given_back_says_nothing(place):
    """Its container died: the others of its unit were never begun."""
    held = Held(place, 3)
    fail(held, 0)
    fail(held, 1)
    held.ctx.ledger.move(file_moves.release(held.item(2), clock.now()))
    settling.settle(held.ctx, held.record, None)
    assert of(held) is None


@pytest.mark.parametrize("state", [FileState.SUCCEEDED, FileState.INVALID])
def test_one_file_that_is_done_opens_the_feed(place, state):
    assert of(failed(place)).held_until
    held = Held(place, 3)
    fail(held, 0)
    fail(held, 1)
    held.finish(2, state)
    settling.settle(held.ctx, held.record, None)
    assert of(held) is None


def test_a_round_is_counted_once_however_often_it_is_settled(place):
    held = failed(place)
    first = of(held)
    breaker.note(held.ctx, held.record, [held.item(0), held.item(1)])
    assert of(held) == first


@pytest.mark.parametrize(
    ("seen", "token", "rounds", "held_until"),
    [
        (replace(BREAKER, held_until=clock.to_iso(NOW)), "a" * 16, 2, NOW + 2 * MINUTE),
        (BREAKER, "a" * 16, 1, LATER),
        (replace(BREAKER, probe="a" * 16), "a" * 16, 2, NOW + 2 * MINUTE),
        (replace(BREAKER, probe="b" * 16), "a" * 16, 1, LATER),
        (replace(BREAKER, rounds=30, probe="a" * 16), "a" * 16, 31, NOW + timedelta(hours=1)),
    ],
    ids=[
        "after the pause",
        "was at work when it closed",
        "the one that saw",
        "not the one that saw",
        "an hour at most",
    ],
)
def test_each_round_that_sees_files_fail_still_doubles_the_pause(place, seen, token, rounds, held_until):
    held = Held(place, 2, token=f"{token}-0001")
    files = [replace(held.item(number), state=FileState.FAILED, reason=Reason("transient", "x")) for number in (0, 1)]
    after = breaker.after(seen, held.record, files, NOW)
    assert (after.failed, after.rounds, after.held_until) == (4, rounds, clock.to_iso(held_until))
    assert (after.code, after.noted) == ("transient", f"{held.token}/1")


def test_of_two_runs_that_would_see_one_does_and_claims_a_few_files(place):
    held = failed(place, feed=feed_of(packing={"claim": 5000}))
    seen, ctx = of(held), replace(held.ctx, now=lambda: clock.now() + 2 * MINUTE)
    assert breaker.bounded(ctx, seen).feed.packing.claim == breaker.PROBE
    assert breaker.begins(ctx, seen, "a" * 16)
    assert not breaker.begins(ctx, seen, "b" * 16)
    assert of(held).probe == "a" * 16


def test_a_feed_that_is_well_is_bounded_by_its_own_claim_alone(place):
    ctx = place.ctx()
    assert breaker.bounded(ctx, None) is ctx
    assert breaker.begins(ctx, None, "a" * 16)
