"""The doorbell against a real queue and a real table of the local AWS."""

import asyncio
import json
import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import quote_plus

import pytest

from aws import feed_of
from doorbells import FEED, becomes, doorbell_of, event_of, left, put, running, send, waiting
from filebatch.core import clock, feed_moves, run_moves
from filebatch.core.feed_records import Arrival, Bell
from filebatch.core.records import FileRecord, FileState
from filebatch.core.run_moves import Asked
from filebatch.intake import doorbell
from filebatch.triggers import watch
from filebatch.triggers.arrivals import ArrivalsTrigger
from filebatch.triggers.context import TriggerContext
from moves import BREAKER


def test_it_is_made_again_from_plain_values():
    trigger = doorbell_of()
    path, values = trigger.serialize()
    assert path == "filebatch.triggers.arrivals.ArrivalsTrigger"
    assert json.loads(json.dumps(values)) == values
    assert ArrivalsTrigger(**values).serialize() == trigger.serialize()


def test_a_file_that_arrives_is_recorded_acknowledged_and_rung_for(here):
    async def scenario():
        async with running(doorbell_of()) as events:
            key = await asyncio.to_thread(put, here)
            await becomes(lambda: events and not left(here))
            assert here.ledger.get(key).state == FileState.ARRIVED
            assert events[0]["feed"] == FEED.name
            assert events[0]["rung_at"] == here.ledger.get(Bell.at(FEED.name)).rung_at
            assert here.ledger.get(Arrival.at(FEED.name))

    asyncio.run(scenario())


def test_a_file_that_is_told_again_later_is_no_arrival_of_then(here):
    first, last = here.put(f"{FEED.prefix}a.csv"), "2026-03-01T12:00:00.000Z"
    here.connect("sqs").purge_queue(QueueUrl=here.queue(FEED))
    here.ledger.move(feed_moves.arrived(FEED.name, FEED.prefix, last, clock.now() - timedelta(days=1)))
    before = here.ledger.get(Arrival.at(FEED.name))
    send(here, json.dumps(event_of(replace(first, last_modified="2026-02-28T12:00:00.000Z"))))

    async def scenario():
        async with running(doorbell_of()):
            await becomes(lambda: not left(here))

    asyncio.run(scenario())
    now = here.ledger.get(Arrival.at(FEED.name))
    assert now.arrived_at == last
    assert now.due_at > before.due_at


@pytest.mark.parametrize("encode", [lambda key: key, quote_plus], ids=["as they are", "encoded"])
def test_a_key_in_doubt_is_recorded_as_the_bucket_has_it(here, encode):
    files = [here.put(f"{FEED.prefix}{name}") for name in ("a b.csv", "a+b%20c.csv", "plain.csv")]
    here.connect("sqs").purge_queue(QueueUrl=here.queue(FEED))
    for file in files:
        send(here, json.dumps(event_of(replace(file, key=encode(file.key)))))

    async def scenario():
        async with running(doorbell_of()):
            await becomes(lambda: not left(here))

    asyncio.run(scenario())
    assert {record.key for record in here.ledger.scan() if isinstance(record, FileRecord)} == {
        file.key for file in files
    }


def test_a_file_that_is_told_twice_at_once_counts_once(here, monkeypatch, caplog):
    event = json.dumps(event_of(here.put(f"{FEED.prefix}a.csv")))
    here.connect("sqs").purge_queue(QueueUrl=here.queue(FEED))
    send(here, event)
    send(here, event)
    moment = clock.now()
    monkeypatch.setattr(clock, "now", lambda: moment)  # so that both are written to the letter
    caplog.set_level(logging.INFO, logger="filebatch.triggers.listener")

    async def scenario():
        async with running(doorbell_of()):
            await becomes(lambda: not left(here))

    asyncio.run(scenario())
    assert "new=1 known=0" in caplog.text


def test_what_waits_at_the_start_is_rung_for_once_until_a_claim_has_answered(here):
    waiting(here)

    async def scenario():
        async with running(doorbell_of()) as events:
            await becomes(lambda: events)
            await asyncio.sleep(1)
            assert len(events) == 1
            here.ledger.move(feed_moves.answered(FEED.name, clock.now()))
            await becomes(lambda: len(events) == 2)

    asyncio.run(scenario())


def test_a_ring_that_nobody_answers_is_repeated(here, monkeypatch):
    monkeypatch.setattr(doorbell, "FIRST_RING_TIMEOUT", timedelta(seconds=0.2))
    waiting(here)

    async def scenario():
        async with running(doorbell_of()) as events:
            await becomes(lambda: len(events) >= 3)
            assert here.ledger.get(Bell.at(FEED.name)).rings >= 3

    asyncio.run(scenario())


@pytest.mark.parametrize(("due_ago", "rings"), [(timedelta(minutes=2), True), (timedelta(seconds=10), False)])
def test_a_run_that_has_been_silent_for_a_while_is_rung_for(here, due_ago, rings):
    opened = clock.now() - due_ago - timedelta(minutes=15)
    asked = Asked("r", 1, 0, "all files that wait")
    here.ledger.add(run_moves.begin(FEED.name, "t", asked, timeout=timedelta(minutes=15), now=opened))

    async def scenario():
        async with running(doorbell_of()) as events:
            await asyncio.sleep(1.5)
            assert bool(events) is rings

    asyncio.run(scenario())


@pytest.mark.parametrize("known", [True, False], ids=["just arrived", "found in the index"])
def test_files_that_a_feeds_breaker_holds_are_not_rung_for_and_runs_are(here, known):
    held = replace(BREAKER, pk=f"feed#{FEED.name}", held_until=clock.to_iso(clock.now() + timedelta(hours=1)))
    waiting(here)

    def is_due():
        async def scenario():
            async with TriggerContext(FEED, "aws_default").ledger() as ledger:
                return await watch._is_due(ledger, FEED.name, known=known)

        return asyncio.run(scenario())

    assert is_due()
    here.ledger.move(feed_moves.broken(None, held))
    assert not is_due()
    opened = clock.now() - timedelta(minutes=20)
    asked = Asked("r", 1, 0, "all files that wait")
    here.ledger.add(run_moves.begin(FEED.name, "t", asked, timeout=timedelta(minutes=15), now=opened))
    assert is_due()


def test_nothing_due_rings_no_bell(here):
    async def scenario():
        async with running(doorbell_of()) as events:
            await asyncio.sleep(1)
            assert events == []

    asyncio.run(scenario())


def test_a_message_that_is_no_event_is_left_for_the_dead_letter_queue_with_the_reason_in_the_log(here, caplog):
    send(here, '{"no": "event"}')

    async def scenario():
        async with running(doorbell_of()):
            with caplog.at_level(logging.ERROR):
                await becomes(lambda: "dead-letter" in caplog.text)
            key = await asyncio.to_thread(put, here)
            await becomes(lambda: here.ledger.get(key))
            await becomes(lambda: left(here) == 1)

    asyncio.run(scenario())
    assert "expected an EventBridge event 'Object Created', found '{\"no\": \"event\"}'" in caplog.text


def test_two_at_once_share_the_work_and_ring_once(here):
    async def scenario():
        async with running(doorbell_of()) as one, running(doorbell_of()) as other:
            keys = [await asyncio.to_thread(put, here, f"{number}.csv") for number in range(15)]
            await becomes(lambda: not left(here) and len(here.ledger.get_many(keys)) == 15)
            await asyncio.sleep(0.5)
            assert len(one + other) == 1

    asyncio.run(scenario())


def test_settings_that_are_wrong_are_read_again(here, caplog):
    right = os.environ["AIRFLOW_VAR_FILEBATCH"]
    os.environ["AIRFLOW_VAR_FILEBATCH"] = "{}"

    async def scenario():
        async with running(doorbell_of()) as events:
            await becomes(lambda: "buckets: expected a value, found nothing" in caplog.text)
            os.environ["AIRFLOW_VAR_FILEBATCH"] = right
            await asyncio.to_thread(put, here)
            await becomes(lambda: events)

    asyncio.run(scenario())


@contextmanager
def turning(seconds: int) -> Iterator[None]:
    """Fail, where the event loop stands still for good: within it no time-out can be noticed.

    An alarm of the system ends a backtracking match, and SystemExit ends the loop as nothing else would.
    """

    def give_up(*_: Any) -> None:
        raise SystemExit(f"the event loop was still at work after {seconds} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def test_a_key_that_a_backtracking_pattern_would_never_be_done_with_stops_no_feed(here, caplog):
    hostile, other = feed_of("orders", pattern=r"([A-Za-z0-9]+[-_ ]?)*\.csv"), feed_of("returns")
    here.queue(other)

    async def scenario():
        async with running(doorbell_of(hostile)) as events, running(doorbell_of(other)) as others:
            await asyncio.to_thread(put, here, "a" * 36 + "!")
            await becomes(lambda: not left(here))
            mine, theirs = [await asyncio.to_thread(put, here, "a.csv", feed) for feed in (hostile, other)]
            await becomes(lambda: events and others and here.ledger.get(mine) and here.ledger.get(theirs))

    with turning(60), caplog.at_level(logging.INFO):
        asyncio.run(scenario())
    assert "unmatched=1" in caplog.text
