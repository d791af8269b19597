"""Whoever moves a file's state is the one who counts it."""

import logging
import threading
from dataclasses import replace

from botocore.exceptions import ClientError

from claims import Held, counted, summed
from filebatch.core import clock, file_moves, outcomes
from filebatch.core.metrics import Measured
from filebatch.core.outcomes import FLUSH_FILES, FLUSH_SECONDS
from filebatch.core.publishing import NOT_PUBLISHED, Publisher
from filebatch.core.records import FileState


def done(held, number=0):
    result = held.commit(number)
    move = file_moves.finish(held.keys[number], held.token, result, "s3://r/_result.json", clock.now())
    return move, Measured(FileState.SUCCEEDED, 2.0, 100, 7)


def test_nothing_is_told_until_it_is_due(place):
    held = Held(place, 1)
    told = held.ctx.outcomes()
    told.add(*done(held))
    assert held.now_in() == [FileState.CLAIMED]
    told.flush()
    assert held.now_in() == [FileState.SUCCEEDED]
    assert counted(place) == {"Succeeded": 1}
    assert (summed(place, "ProcessedBytes"), summed(place, "ProcessedRows")) == (100, 7)


def test_what_has_waited_long_enough_is_told(place, monkeypatch):
    held = Held(place, 1)
    monkeypatch.setattr(outcomes, "FLUSH_SECONDS", 0.0)
    held.ctx.outcomes().add(*done(held))
    assert held.now_in() == [FileState.SUCCEEDED]


def test_what_waits_is_told_though_the_next_file_takes_an_hour(place):
    held, asked = Held(place, 2), []
    told = held.ctx.outcomes()
    told.later = lambda seconds, function: asked.append((seconds, function))
    told.add(*done(held, 0))
    told.add(*done(held, 1))
    ((seconds, tell),) = asked
    assert (seconds, held.now_in()) == (FLUSH_SECONDS, [FileState.CLAIMED] * 2)

    tell()

    assert held.now_in() == [FileState.SUCCEEDED] * 2
    assert counted(place) == {"Succeeded": 2}


def test_what_could_not_be_told_in_the_background_is_told_by_the_next_flush(place, monkeypatch, caplog):
    held = Held(place, 1)
    told = held.ctx.outcomes()
    told.later = lambda _, tell: tell()

    def fails(*_):
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(type(told.ledger), "try_all", fails)
        told.add(*done(held))
    assert (held.now_in(), "could not be told" in caplog.text) == ([FileState.CLAIMED], True)
    told.flush()
    assert held.now_in() == [FileState.SUCCEEDED]


def test_a_background_call_comes_by_itself():
    came = threading.Event()
    outcomes.in_background(0.01, came.set)
    assert came.wait(20)


def test_many_are_told_at_once(place, monkeypatch):
    held = Held(place, 3)
    monkeypatch.setattr(outcomes, "FLUSH_FILES", 3)
    told = held.ctx.outcomes()
    for number in range(2):
        told.add(*done(held, number))
    assert held.now_in()[0] == FileState.CLAIMED
    told.add(*done(held, 2))
    assert held.now_in() == [FileState.SUCCEEDED] * 3
    assert told.waiting == []


def test_a_file_that_is_no_longer_the_claims_is_neither_moved_nor_counted(place, caplog):
    held = Held(place, 2)
    told = held.ctx.outcomes()
    told.add(*done(held, 0))
    told.add(*done(held, 1))
    held.ctx.ledger.move(file_moves.release(held.item(0), clock.now()))
    with caplog.at_level(logging.WARNING):
        told.flush()
    assert held.now_in() == [FileState.ARRIVED, FileState.SUCCEEDED]
    assert counted(place) == {"Succeeded": 1}
    assert "is no longer this claim's" in caplog.text


def test_a_file_told_twice_is_counted_once(place):
    held = Held(place, 1)
    told = held.ctx.outcomes()
    move, measured = done(held)
    later = replace(move, become={**move.become, "settled_at": "2100-01-01T00:00:00.000Z"})
    told.add(move, measured)
    told.add(later, measured)
    told.flush()
    assert counted(place) == {"Succeeded": 1}


def test_metrics_that_fail_change_no_state_and_keep_nobody_from_the_next_file(place, caplog):
    held = Held(place, 2)

    class Denies:
        def put_metric_data(self, **_):
            raise ClientError({"Error": {"Code": "AccessDenied"}}, "PutMetricData")

    told = outcomes.Outcomes(held.ctx.ledger, Publisher(Denies(), place.name), "orders")
    for number in range(2):
        told.add(*done(held, number))
        told.flush()
    assert held.now_in() == [FileState.SUCCEEDED] * 2
    assert caplog.text.count(NOT_PUBLISHED) == 2


def test_states_move_before_metrics_are_told(place):
    held = Held(place, 1)
    seen = []

    class Looks:
        def put_metric_data(self, **_):
            seen.extend(held.now_in())

    told = outcomes.Outcomes(held.ctx.ledger, Publisher(Looks(), place.name), "orders")
    told.add(*done(held))
    told.flush()
    assert seen == [FileState.SUCCEEDED]


def test_telling_nothing_calls_nobody():
    outcomes.Outcomes(Nobody(), Publisher(None, ""), "").flush()
    assert FLUSH_FILES <= 150  # values a datum


class Nobody:
    """A ledger of which nothing is asked."""

    def try_all(self, moves):
        assert list(moves) == []
        return []
