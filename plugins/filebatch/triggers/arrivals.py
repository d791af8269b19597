"""The doorbell: takes a feed's arrivals from its queue into the ledger, and rings while something waits for a run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from filebatch.feeds.feed import Feed
from filebatch.triggers.kept import kept

if TYPE_CHECKING:  # parsing a DAG makes the trigger; what it does is imported by the triggerer, when it runs
    from filebatch.triggers.context import TriggerContext


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
        from filebatch.triggers.context import TriggerContext

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
        from filebatch.triggers import standstill
        from filebatch.triggers.health_reporter import Reporter
        from filebatch.triggers.listener import Listener
        from filebatch.triggers.watch import Watch

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
