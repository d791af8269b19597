"""The doorbell outlives what goes wrong around it, and loses nothing; each protection is taken away once."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from doorbells import FEED, becomes, doorbell_of, event_of, left, put, running, send, waiting
from filebatch.core import clock, feed_moves, file_moves
from filebatch.core.records import FileState
from filebatch.core.requests import encode
from filebatch.intake import doorbell
from filebatch.triggers import listener, watch
from filebatch.triggers.async_ledger import AsyncLedger
from filebatch.triggers.context import Faults


def test_an_aws_out_of_reach_delays_and_loses_nothing(here, proxy, caplog):
    key = put(here)

    async def scenario():
        async with running(doorbell_of()) as events:
            await becomes(lambda: "taking arrivals failed (2 in a row)" in caplog.text, 20)
            proxy.dead.clear()
            await becomes(lambda: events and here.ledger.get(key), 20)

    asyncio.run(scenario())


def test_what_could_not_be_recorded_is_not_acknowledged_and_leaves_the_others_alone(here, monkeypatch):
    add = AsyncLedger.add

    async def refuse_one(self, record):
        if record.key.endswith("bad.csv"):
            raise OSError("no ledger")
        return await add(self, record)

    monkeypatch.setattr(AsyncLedger, "add", refuse_one)
    good, bad = put(here, "good.csv"), put(here, "bad.csv")

    async def scenario():
        async with running(doorbell_of()):
            await becomes(lambda: left(here) == 1)

    asyncio.run(scenario())
    assert here.ledger.get(good)
    assert here.ledger.get(bad) is None


def test_a_file_is_new_though_the_answer_that_it_is_written_was_lost(here, monkeypatch, caplog):
    add = AsyncLedger.add

    async def sent_again(self, record):
        await add(self, record)
        return await add(self, record)

    monkeypatch.setattr(AsyncLedger, "add", sent_again)
    caplog.set_level("INFO", logger=listener.__name__)
    put(here)

    async def scenario():
        async with running(doorbell_of()):
            await becomes(lambda: "new=1 known=0" in caplog.text)

    asyncio.run(scenario())


def test_a_deletion_that_failed_in_part_is_tried_again():
    asked: list[list[str]] = []

    class Queue:
        async def delete_message_batch(self, QueueUrl, Entries):  # noqa: N803 - AWS's names
            asked.append([entry["ReceiptHandle"] for entry in Entries])
            return {"Failed": [{"Id": "1", "Code": "InternalError"}]} if len(asked) == 1 else {}

    asyncio.run(listener._acknowledge(Queue(), "q", ["one", "two", "three"]))
    assert asked == [["one", "two", "three"], ["two"]]


# Each of the following takes a protection away, and shows that a test above or in tests/scheduler would notice.


def test_without_levels_a_dropped_event_is_never_rung_for_again(here, monkeypatch):
    async def only_what_just_arrived(*_: Any, known: bool) -> bool:
        return known

    monkeypatch.setattr(watch, "_is_due", only_what_just_arrived)
    monkeypatch.setattr(doorbell, "FIRST_RING_TIMEOUT", timedelta(seconds=0.2))

    async def scenario():
        async with running(doorbell_of()) as events:
            await asyncio.to_thread(put, here)
            await becomes(lambda: events)
            here.ledger.move(feed_moves.answered(FEED.name, clock.now()))  # as if a run had begun before the file came
            await asyncio.sleep(1.5)
            assert len(events) == 1

    asyncio.run(scenario())


def test_without_patience_that_ends_a_ring_lost_to_a_pause_is_the_last(here, monkeypatch):
    monkeypatch.setattr(doorbell, "FIRST_RING_TIMEOUT", timedelta(days=1))
    monkeypatch.setattr(doorbell, "LAST_RING_TIMEOUT", timedelta(days=1))
    waiting(here)

    async def scenario():
        async with running(doorbell_of()) as events:
            await becomes(lambda: events)
            await asyncio.sleep(1.5)
            assert len(events) == 1

    asyncio.run(scenario())


@pytest.mark.parametrize(("protected", "remaining"), [(True, 1), (False, 0)])
def test_acknowledging_first_loses_the_file_of_a_triggerer_that_dies_before_it_records(
    here, monkeypatch, protected, remaining
):
    reached: list[str] = []

    async def dies(self, record):
        reached.append(record.key)
        await asyncio.Event().wait()

    def acknowledges_first(messages):
        files = understood(messages)
        url = here.connect("sqs").get_queue_url(QueueName=f"{here.name}-{FEED.name}")["QueueUrl"]
        for receipt in files:
            here.connect("sqs").delete_message(QueueUrl=url, ReceiptHandle=receipt)
        return files

    understood = listener.arrivals.understood
    monkeypatch.setattr(AsyncLedger, "add", dies)
    if not protected:
        monkeypatch.setattr(listener.arrivals, "understood", acknowledges_first)
    put(here)

    async def scenario():
        async with running(doorbell_of()):
            await becomes(lambda: reached)

    asyncio.run(scenario())
    assert left(here) == remaining


@pytest.mark.parametrize(("protected", "state"), [(True, FileState.CLAIMED), (False, FileState.ARRIVED)])
def test_recording_without_a_condition_makes_a_message_that_comes_again_a_new_file(here, monkeypatch, protected, state):
    if not protected:

        async def overwrite(self, record):
            await self._client.put_item(TableName=self.table, Item=encode(record.to_item()))
            return True

        monkeypatch.setattr(AsyncLedger, "add", overwrite)

    async def scenario():
        async with running(doorbell_of()):
            key = await asyncio.to_thread(put, here)
            file = await becomes(lambda: here.ledger.get(key))
            await becomes(lambda: not left(here))
            assert here.ledger.try_move(file_moves.claim(key, "token", "run", 1, clock.now())).done
            send(here, json.dumps(event_of(file)))
            await becomes(lambda: not left(here))
            assert here.ledger.get(key).state == state

    asyncio.run(scenario())


def test_without_outliving_faults_the_first_is_the_end_of_the_work(here, proxy, monkeypatch):
    async def once(self, work):
        await work()

    monkeypatch.setattr(Faults, "retry", once)
    key = put(here)

    async def scenario():
        async with running(doorbell_of()) as events:
            await becomes(lambda: proxy.cut >= 6, 20)  # both activities have had the client's three tries
            await asyncio.sleep(1)
            proxy.dead.clear()
            await asyncio.sleep(1.5)
            assert events == []

    asyncio.run(scenario())
    assert here.ledger.get(key) is None
