"""A feed's doorbell that runs as in the triggerer, and what it is about."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import mean
from aws import feed_of
from filebatch.core.contract import FileVersion
from filebatch.core.records import FileRecord
from filebatch.core.rows import Row
from filebatch.feeds.feed import Feed
from filebatch.triggers.arrivals import ArrivalsTrigger
from moves import arrival

FEED = feed_of("orders")


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
    async with asyncio.timeout(mean.patient(seconds)):
        while not (found := await asyncio.to_thread(look)):  # noqa: ASYNC110 - another system is looked at
            await asyncio.sleep(0.02)
    return found


def doorbell_of(feed=FEED) -> ArrivalsTrigger:
    return ArrivalsTrigger.of(feed, "aws_default")


def put(place, name: str = "a.csv", feed: Feed = FEED) -> Row[FileRecord]:
    key = f"{feed.prefix}{name}"
    answer = place.connect("s3").put_object(Bucket=place.new_files, Key=key, Body=b"id\n1\n")
    return Row(FileRecord, f"s3://{place.new_files}/{key}", answer["VersionId"])


def waiting(place) -> None:
    """Have a file wait in the ledger that no event brings."""
    assert place.ledger.add(arrival())


def left(place) -> int:
    url = place.connect("sqs").get_queue_url(QueueName=f"{place.name}-{FEED.name}")["QueueUrl"]
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = place.connect("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(map(int, found.values()))


def send(place, body: str) -> None:
    url = place.connect("sqs").get_queue_url(QueueName=f"{place.name}-{FEED.name}")["QueueUrl"]
    place.connect("sqs").send_message(QueueUrl=url, MessageBody=body)


def event_of(file: FileVersion | FileRecord) -> dict[str, Any]:
    found = {"key": file.key, "version-id": file.version_id, "etag": file.etag, "size": file.size}
    return {"time": file.last_modified, "detail": {"bucket": {"name": file.bucket}, "object": found}}
