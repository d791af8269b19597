"""Moves of a run's owner record, and of what the ledger keeps of a feed."""

from dataclasses import replace
from datetime import timedelta

import pytest

from aws import NOW
from fake_table import FakeTable
from filebatch.core import feed_moves, run_moves
from filebatch.core.clock import to_iso
from filebatch.core.conditions import Equal
from filebatch.core.feed_records import Arrival, Sweep
from filebatch.core.records import RunRecord, RunState
from filebatch.core.run_moves import Asked
from moves import ALL, FEED, OWN, after, in_round, refused, run_record

RUN = RunRecord.at(FEED, OWN)
ALWAYS = {"heartbeat"}


def item_of(*made):
    """Return the run's item after these moves."""
    return after(*made).items[RUN.pk, RUN.sk]


# After these moves, which ones are made; every other one is refused.
BEGUN = ("claimed", "begin_round 1")
WRITTEN = (*BEGUN, "written 1")
AT_WORK = {
    "submitted 1 j1",
    "submitted 1 j2",
    "unit trouble 1",
    "begin_round 2",
    "settle 1",
    "told unsettled 1",
    "put off 1",
}
MADE = {
    (): ALWAYS | {"claimed", "settle 0", "told unsettled 0", "put off 0"},
    ("claimed",): ALWAYS | {"begin_round 1", "settle 0", "told unsettled 0", "put off 0"},
    BEGUN: ALWAYS | AT_WORK | {"written 1", "fence 1 j1", "fence 1 j2"},
    WRITTEN: ALWAYS | AT_WORK | {"written 1", "fence 1 j1", "fence 1 j2"},
    (*WRITTEN, "submitted 1 j1"): ALWAYS | AT_WORK | {"written 1", "fence 1 j1", "fence 1 j2"},
    (*WRITTEN, "fence 1 j1"): ALWAYS | AT_WORK - {"submitted 1 j2"} | {"fence 1 j1"},
    (*WRITTEN, "settle 1"): ALWAYS
    | {"submitted 1 j1", "submitted 1 j2", "begin_round 2", "settle 1"}
    | {"postpone 1", "announcing", "announcing later", "announced 1"},
    (*WRITTEN, "settle 1", "announcing"): ALWAYS
    | {"submitted 1 j1", "submitted 1 j2", "begin_round 2", "settle 1"}
    | {"postpone 1", "announcing later", "announced 1"},
    (*WRITTEN, "settle 1", "announced 1"): {"submitted 1 j1", "submitted 1 j2", "begin_round 2"},
    (*WRITTEN, "begin_round 2"): ALWAYS
    | {"submitted 2 j1", "submitted 2 j2", "unit trouble 2", "settle 2", "told unsettled 2", "put off 2"}
    | {"written 2", "fence 2 j1", "fence 2 j2"},
}
RUN_MOVES = {name for name, move in ALL.items() if move.row == RUN}


@pytest.mark.parametrize("made", MADE, ids=lambda names: ", ".join(names) or "planned")
def test_only_these_moves_can_follow(made):
    table = after(*made)
    again = {name for name in RUN_MOVES if name.split(" again")[0] != name}  # the same as others, at another time
    assert {name for name in RUN_MOVES - again if table.allows(ALL[name])} == MADE[made]


def test_of_two_jobs_of_a_round_one_works():
    table = after(*WRITTEN, "submitted 1 j2", "fence 1 j1")
    assert refused(table, "fence 1 j2", "submitted 1 j2")
    record = table.get(RUN)
    assert (record.fence, record.job_id, record.job) == ("j1", "j1", "j1")


def test_a_child_of_an_earlier_round_does_nothing():
    assert refused(after(*WRITTEN, "begin_round 2"), "fence 1 j1", "submitted 1 j1")


def test_a_late_close_of_an_earlier_round_does_not_close_the_next_one():
    assert refused(after(*WRITTEN, "begin_round 2"), "settle 1")
    assert refused(after(*WRITTEN, "settle 1", "begin_round 2"), "settle 1", "announced 1", "postpone 1")


def test_another_round_forgets_the_job_and_the_announcement_of_the_last():
    made = (*WRITTEN, "fence 1 j1", "told unsettled 1", "settle 1", "announcing", "announced 1", "begin_round 2")
    item = item_of(*made)
    gone = {"job_id", "fence", "counts", "announcing_until", "notified_at", "told_unsettled_at"}
    assert not gone & item.keys()
    assert item.items() >= {"state": "CLAIMED", "round": 2, "units": 0, "open": "run#orders"}.items()


def test_a_record_is_open_before_a_file_is_claimed_for_another_round():
    record = after(*WRITTEN, "settle 1", "announced 1", "begin_round 2").get(RUN)
    assert (record.state, record.units, record.open) == (RunState.CLAIMED, 0, "run#orders")


def test_a_run_is_open_until_it_is_announced():
    assert item_of(*WRITTEN, "settle 1")["open"] == "run#orders"
    announced = item_of(*WRITTEN, "settle 1", "announcing", "announced 1")
    assert not {"open", "due_at", "announcing_until"} & announced.keys()


def test_what_somebody_began_to_announce_is_another_ones_later():
    assert refused(after("claimed", "settle 0", "announcing"), "announcing again")
    assert after("claimed", "settle 0", "announcing", "announcing later")


def test_what_is_announced_just_now_is_not_due_meanwhile():
    assert item_of("claimed", "settle 0", "announcing")["due_at"] == "2026-03-01T12:05:00.000Z"


def test_people_are_told_once_a_round_that_it_could_not_be_settled():
    assert refused(after("told unsettled 0"), "told unsettled again 0")


def test_a_run_with_nothing_to_do_is_closed_and_kept():
    empty = run_moves.empty(run_record())
    assert (empty.state, empty.files, empty.cleared) == (RunState.ANNOUNCED, 0, 0)
    assert not {"open", "due_at"} & empty.to_item().keys()


def test_a_heartbeat_puts_off_when_a_run_counts_as_dead():
    assert item_of("heartbeat")["due_at"] == "2026-03-01T12:20:00.000Z"


@pytest.mark.parametrize("code", ["bug", "configuration", "transient"])
def test_what_a_worker_wrote_down_is_told_for_its_exit_code_alone(code):
    record = replace(in_round(1), **{f"trouble_{code}": "why"})
    assert {each: record.trouble(each) for each in ("bug", "configuration", "transient", "killed")} == {
        **dict.fromkeys(("bug", "configuration", "transient", "killed"), ""),
        code: "why",
    }


def test_of_two_who_see_a_bell_without_a_ring_one_rings():
    table = FakeTable()
    assert [table.try_move(ALL[name]).done for name in ("ring", "ring too")] == [True, False]


def test_a_ring_after_a_claim_began_is_not_answered_by_it():
    table = FakeTable()
    table.move(ALL["ring"])
    assert refused(table, "answered before")
    assert table.try_move(ALL["answered"]).done
    assert table.try_move(ALL["ring"]).done


def test_a_claim_is_kept_with_what_was_asked_for_and_counts_as_dead_only_after_its_timeout():
    record = run_moves.begin(FEED, OWN, Asked("manual", 2, 1, "1 named file"), timeout=timedelta(minutes=15), now=NOW)
    assert (record.run_id, record.epoch, record.cleared, record.why) == ("manual", 2, 1, "1 named file")
    assert (record.opened_at, record.due_at) == ("2026-03-01T12:00:00.000Z", "2026-03-01T12:15:00.000Z")


def test_what_was_swept_until_when_is_written_down():
    move = feed_moves.swept(FEED, "definition", NOW, 3)
    assert (move.row, move.conditions) == (Sweep.at(FEED), ())
    assert move.become == {"swept_at": "2026-03-01T12:00:00.000Z", "definition": "definition", "unmatched": 3}


def test_the_last_arrival_of_a_feed_is_written_down():
    move = feed_moves.arrived(FEED, "orders/", "2026-03-01T11:59:00.000Z", NOW)
    under = {"open": "prefix#orders/", "due_at": "2026-03-01T12:00:00.000Z"}
    assert (move.row, move.become) == (Arrival.at(FEED), {"arrived_at": "2026-03-01T11:59:00.000Z", **under})
    assert feed_moves.known(FEED, "orders/", NOW).become == under


@pytest.mark.parametrize(
    ("last", "is_later"),
    [
        pytest.param("2026-02-28T23:59:59.000Z", False, id="earlier"),
        pytest.param("2026-03-01T12:00:00.000Z", True, id="the same"),
        pytest.param("2026-03-02T00:00:00.000Z", True, id="later"),
    ],
)
def test_an_arrival_never_makes_the_last_one_earlier(last, is_later):
    table = FakeTable()
    table.move(feed_moves.arrived(FEED, "orders/", to_iso(NOW), NOW))
    assert table.try_move(feed_moves.arrived(FEED, "orders/", last, NOW)).done is is_later
    assert table.get(Arrival.at(FEED)).arrived_at == max(last, to_iso(NOW))


def test_that_nothing_is_open_for_a_name_is_written_down_unless_a_file_arrived_since():
    seen = Arrival(pk="feed#orders", sk="arrival", arrived_at=to_iso(NOW), open="prefix#orders/", due_at=to_iso(NOW))
    move = feed_moves.left(seen)
    assert (move.row, move.conditions) == (Arrival.at(FEED), (Equal("due_at", to_iso(NOW)),))
    assert (move.become, set(move.drop)) == ({}, {"open", "due_at"})
