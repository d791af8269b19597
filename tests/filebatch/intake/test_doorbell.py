"""When the bell rings, as values."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws import NOW
from filebatch.core import clock, states
from filebatch.core.conditions import Absent
from filebatch.intake import doorbell


def bell(rings, ago):
    return {"rung_at": clock.to_iso(NOW - ago), "rings": rings}


@pytest.mark.parametrize("silent", [None, {"pk": "feed#orders", "sk": "bell"}])
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
    moves = [doorbell.next_ring("orders", None, NOW) for _ in range(2)]
    assert [place.ledger.move(move).done for move in moves] == [True, False]
    seen = place.ledger.get(states.bell_key("orders"))
    later = NOW + timedelta(minutes=1)
    moves = [doorbell.next_ring("orders", seen, later) for _ in range(2)]
    assert [place.ledger.move(move).done for move in moves] == [True, False]


def test_who_has_just_started_gives_a_ring_the_shortest_patience():
    assert doorbell.next_ring("orders", bell(9, timedelta(seconds=20)), NOW, starting=True) is None
    assert doorbell.next_ring("orders", bell(9, timedelta(seconds=31)), NOW, starting=True).become["rings"] == 1


def test_an_answer_silences_what_rang_before_it_and_nothing_later(place):
    place.ledger.move(states.ring("orders", 3, seen=None, now=NOW))
    assert not place.ledger.move(states.answered("orders", NOW - timedelta(seconds=1))).done
    assert place.ledger.move(states.answered("orders", NOW)).done
    assert "rung_at" not in place.ledger.get(states.bell_key("orders"))
    assert doorbell.next_ring("orders", place.ledger.get(states.bell_key("orders")), NOW).become["rings"] == 1


@given(st.integers(1, 10_000))
def test_backoff_is_bounded_and_never_none(faults):
    assert 1 <= doorbell.backoff(faults) <= 300
