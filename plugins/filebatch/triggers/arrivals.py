"""The doorbell: takes a feed's arrivals from its queue into the ledger, and rings while something waits for a run."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Coroutine, Sequence
from enum import Enum
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from filebatch.core import clock
from filebatch.core.feed_records import Bell, Breaker
from filebatch.feeds.feed import Feed
from filebatch.intake import doorbell
from filebatch.triggers import standstill
from filebatch.triggers.async_ledger import AsyncLedger
from filebatch.triggers.context import Faults, TriggerContext
from filebatch.triggers.health_reporter import Reporter
from filebatch.triggers.kept import kept
from filebatch.triggers.listener import Listener

LOOK_EVERY = 30.0  # seconds between looks at the ledger while nothing happens
LOOK_AGAIN = 3.0  # while a ring is pending, so that what came meanwhile is rung for once a claim has answered
LOOK_LEAST = 0.5  # between any two looks


class Look(Enum):
    """What a look at the ledger came to."""

    QUIET = "nothing is due"
    PENDING = "a ring is pending"
    RANG = "rang"


class ArrivalsTrigger(BaseEventTrigger):
    """Rings for a feed; its events say that there is work, never which: that is the ledger's to say.

    It never ends by itself: faults of network, AWS or settings are logged and tried again after a pause that grows to
    five minutes. Two that run at once only share the work. A message is acknowledged when the ledger has its file; one
    that can't be understood is left for the dead-letter queue.

    Args:
        feed: feed name.
        prefix: the feed's key prefix.
        pattern: the feed's pattern.
        date_format: how the date in a key is written, or None.
        day_prefix: how the rest of a key begins on a day, or None.
        start: the feed's first day, ISO 8601.
        expected_by: time of day by which a day's file is expected, ISO 8601, or None.
        aws_conn_id: Airflow connection.
    """

    def __init__(  # noqa: PLR0913 - a trigger is made of plain values
        self,
        feed: str,
        prefix: str,
        pattern: str,
        start: str,
        expected_by: str | None,
        aws_conn_id: str | None,
        *,
        date_format: str | None = None,
        day_prefix: str | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.feed = feed
        self.prefix = prefix
        self.pattern = pattern
        self.date_format = date_format
        self.day_prefix = day_prefix
        self.start = start
        self.expected_by = expected_by
        self.aws_conn_id = aws_conn_id

    @classmethod
    def of(cls, feed: Feed, aws_conn_id: str | None) -> ArrivalsTrigger:
        """Return a feed's trigger; plain values, so that a parsed DAG needs no network."""
        return cls(
            feed.name,
            feed.prefix,
            feed.pattern,
            feed.start.isoformat(),
            feed.expected_by.isoformat() if feed.expected_by else None,
            aws_conn_id,
            date_format=feed.date_format,
            day_prefix=feed.day_prefix,
        )

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what makes this trigger again."""
        return kept(self)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Ring whenever the rule of `filebatch.intake.doorbell` says so."""
        ctx, arrived, rings = TriggerContext(self._feed(), self.aws_conn_id), asyncio.Event(), asyncio.Queue[str]()
        tasks = [asyncio.create_task(each) for each in self._activities(ctx, arrived, rings)]
        try:
            while True:
                event = {"feed": self.feed, "rung_at": await rings.get()}
                yield TriggerEvent(event)  # type: ignore[no-untyped-call]
        finally:
            for task in tasks:
                task.cancel()

    def _activities(
        self, ctx: TriggerContext, arrived: asyncio.Event, rings: asyncio.Queue[str]
    ) -> Sequence[Coroutine[Any, Any, None]]:
        """Return what goes on side by side; none of it ends by itself."""
        listener, watch, reporter = Listener(ctx, arrived), Watch(ctx, arrived, rings), Reporter(ctx)
        return listener.listen(), watch.watch(), reporter.report(), standstill.watch()

    def _feed(self) -> Feed:
        return Feed.model_validate(
            {
                "name": self.feed,
                "prefix": self.prefix,
                "pattern": self.pattern,
                "date_format": self.date_format,
                "day_prefix": self.day_prefix,
                "start": self.start,
                "expected_by": self.expected_by,
            }
        )


class Watch:
    """Looks at the ledger for what is due: at once, after arrivals, and every so often.

    Args:
        ctx: the feed in its environment.
        arrived: set by whoever records a new file.
        rings: takes the time of each ring.
    """

    def __init__(self, ctx: TriggerContext, arrived: asyncio.Event, rings: asyncio.Queue[str]) -> None:
        self._ctx = ctx
        self._arrived = arrived
        self._rings = rings
        self._faults = Faults(ctx, "looking for what is due")
        self._starting = True

    async def watch(self) -> None:
        """Ring when it is time to, until cancelled, whatever fails on the way."""
        await self._faults.retry(self._watch)

    async def _watch(self) -> None:
        async with self._ctx.ledger() as ledger:
            while True:
                look = await self._look(ledger)
                self._starting = False
                self._faults.over()
                await self._pause(LOOK_EVERY if look is Look.QUIET else LOOK_AGAIN)

    async def _look(self, ledger: AsyncLedger) -> Look:
        """Ring if something is due and no ring is pending; what just arrived is due before the index tells."""
        known, feed, now = self._arrived.is_set(), self._ctx.feed.name, clock.now()
        self._arrived.clear()
        if not await _is_due(ledger, feed, known=known):
            return Look.QUIET
        bell = await ledger.get(Bell.at(feed))
        move = doorbell.next_ring(feed, bell, now, starting=self._starting)
        if move is None or not (await ledger.try_move(move)).done:
            return Look.PENDING
        self._rings.put_nowait(clock.to_iso(now))
        return Look.RANG

    async def _pause(self, seconds: float) -> None:
        """Wait, no two feeds alike, and not longer than until a file arrives."""
        await asyncio.sleep(LOOK_LEAST)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds * random.uniform(0.9, 1.1)):  # noqa: S311 - it spreads load
                await self._arrived.wait()


async def _is_due(ledger: AsyncLedger, feed: str, *, known: bool) -> bool:
    files, runs = doorbell.watched(feed, clock.now())
    if (known or await ledger.has_due(*files)) and not await _is_held(ledger, feed):
        return True
    return await ledger.has_due(*runs)


async def _is_held(ledger: AsyncLedger, feed: str) -> bool:
    breaker = await ledger.get(Breaker.at(feed))
    return breaker is not None and breaker.holds(clock.to_iso(clock.now()))
