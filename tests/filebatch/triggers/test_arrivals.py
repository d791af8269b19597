"""The doorbell against a real queue and a real table of the local AWS."""

import asyncio
import json
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict
from datetime import timedelta
from typing import Any
from urllib.parse import quote_plus

import pytest

from aws import NOW, REGION, feed_of
from filebatch.core import clock, states
from filebatch.core.ledger import encode
from filebatch.feeds.feed import Feed
from filebatch.intake import doorbell
from filebatch.triggers import arrivals, health_reporter, listener
from filebatch.triggers.arrivals import ArrivalsTrigger
from filebatch.triggers.async_ledger import AsyncLedger
from filebatch.triggers.context import Faults
from scheduler.proxy import proxy_of

FEED = feed_of("orders")


@pytest.fixture
def here(place, monkeypatch):
    """A corner of the local AWS in which the trigger finds itself, with its pauses shortened."""
    place.queue(FEED)
    settings = asdict(place.settings())
    keys = {**place.server.credentials(), "AWS_DEFAULT_REGION": REGION, "AWS_ENDPOINT_URL": place.server.endpoint}
    for name, value in {**keys, "AIRFLOW_CONN_AWS_DEFAULT": "aws://"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AIRFLOW_VAR_FILEBATCH", json.dumps(settings))
    for module, name, seconds in (
        (arrivals, "LOOK_EVERY", 0.3),
        (arrivals, "LOOK_AGAIN", 0.1),
        (arrivals, "LOOK_LEAST", 0.02),
    ):
        monkeypatch.setattr(module, name, seconds)
    monkeypatch.setattr(listener, "LONG_POLL", 1)
    monkeypatch.setattr(listener, "EMPTY_LEAST", 0.05)
    monkeypatch.setattr(doorbell, "backoff", lambda faults: 0.1)
    return place


@asynccontextmanager
async def running(trigger: ArrivalsTrigger) -> AsyncIterator[list[dict[str, Any]]]:
    """Run a trigger as the triggerer does; yield the list that its events come to."""
    events: list[dict[str, Any]] = []

    async def collect() -> None:
        async for event in trigger.run():
            events.append(event.payload)  # noqa: PERF401 - the list grows while others look at it

    task = asyncio.create_task(collect())
    try:
        yield events
    finally:
        assert not task.done(), "the trigger ended by itself"
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(0)


async def becomes(look: Callable[[], Any], seconds: float = 10.0) -> Any:
    async with asyncio.timeout(seconds):
        while not (found := await asyncio.to_thread(look)):  # noqa: ASYNC110 - another system is looked at
            await asyncio.sleep(0.02)
    return found


def doorbell_of(feed=FEED) -> ArrivalsTrigger:
    return ArrivalsTrigger.of(feed, "aws_default")


def put(place, name: str = "a.csv", feed: Feed = FEED) -> states.Key:
    key = f"{feed.prefix}{name}"
    answer = place.connect("s3").put_object(Bucket=place.new_files, Key=key, Body=b"id\n1\n")
    return f"s3://{place.new_files}/{key}", answer["VersionId"]


def waiting(place) -> None:
    """Have a file wait in the ledger that no event brings."""
    place.ledger.add({"pk": "s3://b/k", "sk": "v", "open": states.open_files(FEED.name), "due_at": clock.to_iso(NOW)})


def left(place) -> int:
    url = place.connect("sqs").get_queue_url(QueueName=f"{place.name}-{FEED.name}")["QueueUrl"]
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = place.connect("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(map(int, found.values()))


def send(place, body: str) -> None:
    url = place.connect("sqs").get_queue_url(QueueName=f"{place.name}-{FEED.name}")["QueueUrl"]
    place.connect("sqs").send_message(QueueUrl=url, MessageBody=body)


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
            assert here.ledger.get(key)["state"] == states.ARRIVED
            assert events[0]["feed"] == FEED.name
            assert events[0]["rung_at"] == here.ledger.get(states.bell_key(FEED.name))["rung_at"]
            assert here.ledger.get(states.arrival_key(FEED.name))

    asyncio.run(scenario())


@pytest.mark.parametrize("encode", [lambda key: key, quote_plus], ids=["as they are", "encoded"])
def test_a_key_in_doubt_is_recorded_as_the_bucket_has_it(here, encode):
    files = [here.put(f"{FEED.prefix}{name}") for name in ("a b.csv", "a+b%20c.csv", "plain.csv")]
    here.connect("sqs").purge_queue(QueueUrl=here.queue(FEED))
    for file in files:
        send(here, json.dumps(_event({**asdict(file), "key": encode(file.key)})))

    async def scenario():
        async with running(doorbell_of()):
            await becomes(lambda: not left(here))

    asyncio.run(scenario())
    assert {item["key"] for item in here.ledger.scan() if "key" in item} == {file.key for file in files}


def test_what_waits_at_the_start_is_rung_for_once_until_a_claim_has_answered(here):
    waiting(here)

    async def scenario():
        async with running(doorbell_of()) as events:
            await becomes(lambda: events)
            await asyncio.sleep(1)
            assert len(events) == 1
            here.ledger.move(states.answered(FEED.name, clock.now()))
            await becomes(lambda: len(events) == 2)

    asyncio.run(scenario())


def test_a_ring_that_nobody_answers_is_repeated(here, monkeypatch):
    monkeypatch.setattr(doorbell, "FIRST_RING_TIMEOUT", timedelta(seconds=0.2))
    waiting(here)

    async def scenario():
        async with running(doorbell_of()) as events:
            await becomes(lambda: len(events) >= 3)
            assert here.ledger.get(states.bell_key(FEED.name))["rings"] >= 3

    asyncio.run(scenario())


@pytest.mark.parametrize(("due_ago", "rings"), [(timedelta(minutes=2), True), (timedelta(seconds=10), False)])
def test_a_run_that_has_been_silent_for_a_while_is_rung_for(here, due_ago, rings):
    opened = clock.now() - due_ago - timedelta(minutes=15)
    here.ledger.add(states.open_run(FEED.name, "t", {"run_id": "r"}, heartbeat=timedelta(minutes=15), now=opened))

    async def scenario():
        async with running(doorbell_of()) as events:
            await asyncio.sleep(1.5)
            assert bool(events) is rings

    asyncio.run(scenario())


def test_the_feeds_health_is_published_although_it_has_no_run(here, monkeypatch):
    monkeypatch.setattr(health_reporter, "REPORT_EVERY", 0.2)

    async def scenario():
        async with running(doorbell_of()):
            metrics = here.connect("cloudwatch").list_metrics
            await becomes(lambda: metrics(Namespace=here.name)["Metrics"])

    asyncio.run(scenario())
    found = here.connect("cloudwatch").list_metrics(Namespace=here.name)["Metrics"]
    assert {"FilesWaiting", "OldestWaitingAge", "DoorbellTurns"} <= {metric["MetricName"] for metric in found}


def turns(place) -> list[float]:
    """Return what was published of the doorbell's turns in the last minutes: the sum and the least value."""
    names = {
        "Namespace": place.name,
        "MetricName": "DoorbellTurns",
        "Dimensions": [{"Name": "Feed", "Value": FEED.name}],
    }
    span = {
        "StartTime": clock.now() - timedelta(minutes=5),
        "EndTime": clock.now() + timedelta(minutes=1),
        "Period": 900,
    }
    points = place.connect("cloudwatch").get_metric_statistics(**names, **span, Statistics=["Sum"])["Datapoints"]
    return [point["Sum"] for point in points]


def test_a_doorbell_that_turns_says_so_even_where_its_health_cannot_be_read(here, monkeypatch):
    monkeypatch.setattr(health_reporter, "REPORT_EVERY", 0.2)

    def fails(ctx):
        raise OSError("Batch is out of reach")

    monkeypatch.setattr(health_reporter.health, "of_feed", fails)

    async def scenario():
        async with running(doorbell_of()):
            await becomes(lambda: sum(turns(here)) > 0)

    asyncio.run(scenario())


@pytest.mark.parametrize(("activity", "method"), [(listener.Listener, "_take"), (arrivals.Watch, "_look")])
def test_a_doorbell_of_which_one_part_stands_still_turns_no_more(here, monkeypatch, activity, method):
    monkeypatch.setattr(health_reporter, "REPORT_EVERY", 0.2)

    async def hangs(*_: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(activity, method, hangs)

    async def scenario():
        async with running(doorbell_of()):
            await becomes(lambda: turns(here))
            await asyncio.sleep(1.5)  # the other part turns meanwhile

    asyncio.run(scenario())
    assert turns(here) == [0.0]


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


@pytest.fixture
def proxy(here, monkeypatch):
    """AWS as the trigger reaches it, and out of reach."""
    with proxy_of(here.server.endpoint) as (found, url):
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        found.dead.add("")
        yield found


def test_an_aws_out_of_reach_delays_and_loses_nothing(here, proxy, caplog):
    key = put(here)

    async def scenario():
        async with running(doorbell_of()) as events:
            await becomes(lambda: "taking arrivals failed (2 in a row)" in caplog.text, 20)
            proxy.dead.clear()
            await becomes(lambda: events and here.ledger.get(key), 20)

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


def test_what_could_not_be_recorded_is_not_acknowledged_and_leaves_the_others_alone(here, monkeypatch):
    add = AsyncLedger.add

    async def refuse_one(self, item):
        if item["key"].endswith("bad.csv"):
            raise OSError("no ledger")
        return await add(self, item)

    monkeypatch.setattr(AsyncLedger, "add", refuse_one)
    good, bad = put(here, "good.csv"), put(here, "bad.csv")

    async def scenario():
        async with running(doorbell_of()):
            await becomes(lambda: left(here) == 1)

    asyncio.run(scenario())
    assert here.ledger.get(good)
    assert here.ledger.get(bad) is None


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
    async def never(*_: Any) -> bool:
        return False

    monkeypatch.setattr(arrivals, "_is_due", never)
    monkeypatch.setattr(doorbell, "FIRST_RING_TIMEOUT", timedelta(seconds=0.2))

    async def scenario():
        async with running(doorbell_of()) as events:
            await asyncio.to_thread(put, here)
            await becomes(lambda: events)
            here.ledger.move(states.answered(FEED.name, clock.now()))  # as if a run had begun before the file came
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

    async def dies(self, item):
        reached.append(item["key"])
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


@pytest.mark.parametrize(("protected", "state"), [(True, states.CLAIMED), (False, states.ARRIVED)])
def test_recording_without_a_condition_makes_a_message_that_comes_again_a_new_file(here, monkeypatch, protected, state):
    if not protected:

        async def overwrite(self, item):
            await self._client.put_item(TableName=self.table, Item=encode(item))
            return True

        monkeypatch.setattr(AsyncLedger, "add", overwrite)

    async def scenario():
        async with running(doorbell_of()):
            key = await asyncio.to_thread(put, here)
            item = await becomes(lambda: here.ledger.get(key))
            await becomes(lambda: not left(here))
            assert here.ledger.move(states.claim(key, "token", "run", 1, clock.now())).done
            send(here, json.dumps(_event(item)))
            await becomes(lambda: not left(here))
            assert here.ledger.get(key)["state"] == state

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


def _event(item) -> dict[str, Any]:
    found = {"key": item["key"], "version-id": item["version_id"], "etag": item["etag"], "size": item["size"]}
    return {"time": item["last_modified"], "detail": {"bucket": {"name": item["bucket"]}, "object": found}}
