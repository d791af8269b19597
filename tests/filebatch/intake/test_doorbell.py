"""When the bell rings, as values."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws import NOW
from filebatch.core import clock, feed_moves
from filebatch.core.conditions import Absent
from filebatch.core.feed_records import Bell
from filebatch.core.records import FileRecord, RunRecord
from filebatch.intake import doorbell

SILENT = Bell(pk="feed#orders", sk="bell")


def bell(rings, ago):
    return replace(SILENT, rung_at=clock.to_iso(NOW - ago), rings=rings)


@pytest.mark.parametrize("silent", [None, SILENT])
def test_a_silent_bell_rings(silent):
    move = doorbell.next_ring("orders", silent, NOW)
    assert move.become == {"rung_at": clock.to_iso(NOW), "rings": 1}
    assert move.conditions == (Absent("rung_at"),)


@pytest.mark.parametrize(("rings", "seconds"), [(1, 30), (2, 60), (3, 120), (5, 480), (6, 600), (50, 600)])
def test_a_pending_ring_is_waited_for_longer_each_time(rings, seconds):
    assert doorbell.next_ring("orders", bell(rings, timedelta(seconds=seconds - 1)), NOW) is None
    move = doorbell.next_ring("orders", bell(rings, timedelta(seconds=seconds)), NOW)
    assert move.become["rings"] == rings + 1


def test_of_two_who_saw_the_same_bell_one_rings(place):
    moment = timedelta(milliseconds=1)  # two rings at the very same one are taken for one that was sent twice
    moves = [doorbell.next_ring("orders", None, now) for now in (NOW, NOW + moment)]
    assert [place.ledger.try_move(move).done for move in moves] == [True, False]
    seen = place.ledger.get(Bell.at("orders"))
    later = NOW + timedelta(minutes=1)
    moves = [doorbell.next_ring("orders", seen, now) for now in (later, later + moment)]
    assert [place.ledger.try_move(move).done for move in moves] == [True, False]


def test_who_has_just_started_gives_a_ring_the_shortest_patience():
    assert doorbell.next_ring("orders", bell(9, timedelta(seconds=20)), NOW, starting=True) is None
    assert doorbell.next_ring("orders", bell(9, timedelta(seconds=31)), NOW, starting=True).become["rings"] == 1


def test_an_answer_silences_what_rang_before_it_and_nothing_later(place):
    place.ledger.move(feed_moves.ring("orders", 3, seen=None, now=NOW))
    assert not place.ledger.try_move(feed_moves.answered("orders", NOW - timedelta(seconds=1))).done
    assert place.ledger.try_move(feed_moves.answered("orders", NOW)).done
    assert place.ledger.get(Bell.at("orders")).rung_at is None
    assert doorbell.next_ring("orders", place.ledger.get(Bell.at("orders")), NOW).become["rings"] == 1


@given(st.integers(1, 10_000))
def test_backoff_is_bounded_and_never_none(faults):
    assert 1 <= doorbell.backoff(faults) <= 300


def test_what_is_due_now_is_rung_for_and_a_run_a_minute_later():
    assert doorbell.watched("orders", NOW) == (
        (FileRecord.waiting("orders"), NOW),
        (RunRecord.unannounced("orders"), NOW - timedelta(minutes=1)),
    )


@pytest.mark.parametrize(("faults", "longest"), [(1, 2), (2, 4), (8, 256), (9, 300), (1000, 300)])
def test_a_pause_doubles_with_each_fault_up_to_five_minutes(faults, longest, monkeypatch):
    monkeypatch.setattr(doorbell.random, "uniform", lambda low, high: high)
    assert doorbell.backoff(faults) == longest
    monkeypatch.setattr(doorbell.random, "uniform", lambda low, high: low)
    assert doorbell.backoff(faults) == longest / 2
