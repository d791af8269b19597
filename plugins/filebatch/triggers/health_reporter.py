"""A feed's health every few minutes, whether it has runs or not: a feed without runs is the one to hear of."""

from __future__ import annotations

import asyncio
import random
from functools import cache
from typing import Any

from asgiref.sync import sync_to_async

from filebatch.core import metrics
from filebatch.core.publishing import usable
from filebatch.feeds.settings import Settings
from filebatch.queries import health
from filebatch.queries.capacity import JobQueue
from filebatch.run_context import connector
from filebatch.runs.context import FeedContext
from filebatch.triggers.context import Faults, TriggerContext

REPORT_EVERY = 300.0  # seconds, the alarms' period
REPORTING = "reporting its health"

_QUEUE = JobQueue()  # all feeds of this process


class Reporter:
    """Publishes a feed's health; two of them publish the same values twice, which alarms on maxima don't mind."""

    def __init__(self, ctx: TriggerContext) -> None:
        self._ctx = ctx
        self._faults = Faults(ctx, REPORTING)

    async def report(self) -> None:
        """Publish until cancelled, whatever fails on the way; no two feeds at the same time."""
        await asyncio.sleep(REPORT_EVERY * random.random())  # noqa: S311 - it spreads load
        await self._faults.retry(self._report)

    async def _report(self) -> None:
        while True:
            # In a thread: the health is read with boto3, as a run reads it.
            turns = self._turns()
            await sync_to_async(self._publish, thread_sensitive=False)(await self._ctx.settings(), turns)
            self._ctx.turns.update(dict.fromkeys(self._ctx.turns, 0))
            self._faults.over()
            await asyncio.sleep(REPORT_EVERY)

    def _turns(self) -> int:
        """Return how often the doorbell has done each of its activities since the last report, at least."""
        return min(count for activity, count in self._ctx.turns.items() if activity != REPORTING)

    def _publish(self, settings: Settings, turns: int) -> None:
        try:
            ctx = FeedContext(self._ctx.feed, settings, _connector(self._ctx.aws_conn_id, settings.region))
            data = [health.of_doorbell(ctx.feed.name, turns)]
            try:
                data += health.of_feed(ctx, _QUEUE)
            finally:  # that the doorbell turns is told whether or not the rest can be
                told = metrics.also(data, usable(settings.dimensions))
                ctx.cloudwatch.put_metric_data(Namespace=settings.namespace, MetricData=told)
        except Exception:
            _connector.cache_clear()
            raise


@cache
def _connector(aws_conn_id: str | None, region: str) -> Any:
    """Return what makes clients, which the feeds of a process share; made anew after a fault."""
    return connector(aws_conn_id, region)
