"""The part of the doorbell that looks at the ledger, and rings where something is due and no ring is pending."""

from __future__ import annotations

import asyncio
import contextlib
import random
from enum import Enum

from filebatch.core import clock
from filebatch.core.feed_records import Bell, Breaker
from filebatch.intake import doorbell
from filebatch.triggers.async_ledger import AsyncLedger
from filebatch.triggers.context import Faults, TriggerContext

LOOK_EVERY = 60.0  # seconds between looks at the ledger while nothing happens
LOOK_AGAIN = 3.0  # while a ring is pending, so that what came meanwhile is rung for once a claim has answered
LOOK_LEAST = 0.5  # between any two looks


class Look(Enum):
    """What a look at the ledger came to."""

    QUIET = "nothing is due"
    PENDING = "a ring is pending"
    RANG = "rang"


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
