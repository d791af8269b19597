"""A feed's environment as its triggers reach it: settings, clients, and patience with faults of either."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NoReturn

from asgiref.sync import sync_to_async
from botocore.exceptions import BotoCoreError, ClientError

from filebatch.core.errors import FilebatchError
from filebatch.feeds import settings
from filebatch.feeds.feed import Feed
from filebatch.feeds.settings import Settings
from filebatch.intake import doorbell
from filebatch.triggers import clients
from filebatch.triggers.async_ledger import AsyncLedger

log = logging.getLogger(__name__)


class TriggerContext:
    """A feed in an environment. Nothing is read or connected before it is needed."""

    def __init__(self, feed: Feed, aws_conn_id: str | None) -> None:
        self.feed = feed
        self.aws_conn_id = aws_conn_id
        self._settings: Settings | None = None
        self.turns: dict[str, int] = {}  # successes of each activity, which the feed's health tells of

    async def settings(self) -> Settings:
        """Return the settings; the Variable is read once, and again after a fault."""
        if self._settings is None:
            self._settings = settings.parse(await sync_to_async(_read_variable)())
        return self._settings

    @contextlib.asynccontextmanager
    async def client(self, service: str) -> AsyncIterator[Any]:
        """Lend the process's client of a service."""
        source = clients.Source(self.aws_conn_id, (await self.settings()).region)
        async with clients.client(source, service) as found:
            yield found

    @contextlib.asynccontextmanager
    async def ledger(self) -> AsyncIterator[AsyncLedger]:
        """Lend the ledger."""
        async with self.client("dynamodb") as dynamodb:
            yield AsyncLedger(dynamodb, (await self.settings()).ledger)

    def forget(self) -> None:
        """Have the settings read again."""
        self._settings = None


class Faults:
    """The faults in a row of one activity of a feed's trigger: each is logged and followed by a longer pause."""

    def __init__(self, ctx: TriggerContext, activity: str) -> None:
        self._ctx = ctx
        self._activity = activity
        self._count = 0
        ctx.turns[activity] = 0

    async def retry(self, work: Callable[[], Awaitable[None]]) -> NoReturn:
        """Do work that never ends by itself, again after each fault, until cancelled."""
        while True:
            try:
                await work()
            except Exception as error:  # noqa: BLE001 - whatever it is, the work goes on; it is logged
                await self._pause(error)

    def over(self) -> None:
        """Say that the activity has succeeded."""
        self._count = 0
        self._ctx.turns[self._activity] += 1

    async def _pause(self, error: Exception) -> None:
        """Log a fault and wait; settings and refused credentials are read again afterwards."""
        self._count += 1
        self._ctx.forget()
        seconds = doorbell.backoff(self._count)
        what = f"feed {self._ctx.feed.name}: {self._activity} failed ({self._count} in a row)"
        expected = isinstance(error, (BotoCoreError, ClientError, FilebatchError, OSError))
        log.warning("%s, next try in %.0f s: %r", what, seconds, error, exc_info=None if expected else error)
        await asyncio.sleep(seconds)


def _read_variable() -> Any:
    from airflow.sdk import Variable

    return Variable.get(settings.VARIABLE, deserialize_json=True)
