"""One DescribeJobs for up to a hundred deferred runs: the triggers of an event loop share a poller for each connection.

A job that has run for long is looked at less often; a look at one asks for the ninety-nine that are due next as well.
So up to a hundred runs cost one call a second at most, whenever they began to wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import AsyncIterator, Mapping
from typing import Any
from weakref import WeakKeyDictionary

from filebatch.intake import doorbell
from filebatch.runs.jobs import DESCRIBE
from filebatch.triggers import clients
from filebatch.triggers.clients import Source

FIRST_POLL, LAST_POLL = 1.0, 30.0  # seconds

Job = Mapping[str, Any]


def poll_delay(waited: float) -> float:
    """Return the seconds to the next poll: a twentieth of the time waited, so that an end is noticed in proportion."""
    return min(LAST_POLL, max(FIRST_POLL, waited / 20))


@contextlib.asynccontextmanager
async def watched(source: Source, job_id: str) -> AsyncIterator[Watch]:
    """Have a job watched while the body runs.

    Args:
        source: connection and region.
        job_id: Batch's id.
    """
    pollers = _pollers.setdefault(asyncio.get_running_loop(), {})
    poller = pollers.setdefault(source, _Poller(source))
    watch = Watch(job_id, poller)
    poller.add(watch)
    try:
        yield watch
    finally:
        poller.watches.remove(watch)
        poller.changed.set()


class Watch:
    """A job that somebody waits for."""

    def __init__(self, job_id: str, poller: _Poller) -> None:
        self.job_id = job_id
        self.began = _now()
        self.due = self.began + FIRST_POLL  # whoever waits has just looked
        self.looked: asyncio.Future[Job | None] | None = None  # while somebody waits for the next look
        self._poller = poller

    async def look(self) -> Job | None:
        """Return DescribeJobs' description as it is when the next look is due, or None where Batch knows no such job.

        Raises:
            Exception: the look failed; the next is made after a pause.
        """
        self.looked = asyncio.get_running_loop().create_future()
        self._poller.changed.set()
        return await self.looked

    def tell(self, found: Job | Exception | None) -> None:
        """End the wait for a look."""
        looked, self.looked = self.looked, None
        self.due = _now() + poll_delay(_now() - self.began)
        if looked is None or looked.done():
            return
        if isinstance(found, Exception):
            looked.set_exception(found)
        else:
            looked.set_result(found)


class _Poller:
    """Looks at the jobs of one connection for as long as there are any."""

    def __init__(self, source: Source) -> None:
        self.watches: list[Watch] = []
        self.changed = asyncio.Event()
        self._source = source
        self._task: asyncio.Task[None] | None = None
        self._faults = 0  # in a row

    def add(self, watch: Watch) -> None:
        self.watches.append(watch)
        if self._task is None or self._task.done():
            # A context of its own, or the log of the trigger that came first would get what belongs to all.
            self._task = asyncio.get_running_loop().create_task(self._work(), context=contextvars.Context())

    async def _work(self) -> None:
        while self.watches:
            try:
                async with clients.client(self._source, "batch") as batch:
                    while self.watches:
                        await self._look(batch)
            except Exception as error:  # noqa: BLE001 - whoever waits is told
                await self._pause(error)

    async def _look(self, batch: Any) -> None:
        """Take a turn; after a fault the client is used on, unless its credentials were refused."""
        try:
            await self._turn(batch)
            self._faults = 0
        except Exception as error:
            if clients.credentials_refused(error):
                raise
            await self._pause(error)

    async def _pause(self, error: Exception) -> None:
        self._faults += 1
        for watch in self.watches:
            watch.tell(error)
        await asyncio.sleep(min(LAST_POLL, doorbell.backoff(self._faults)))

    async def _turn(self, batch: Any) -> None:
        """Look at the jobs that are due, or wait until one is."""
        self.changed.clear()
        chosen = _next(self.watches)
        seconds = min((watch.due for watch in chosen), default=float("inf")) - _now()
        if seconds > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.changed.wait(), None if seconds == float("inf") else seconds)
            return
        ids = list(dict.fromkeys(watch.job_id for watch in chosen))
        found = {job["jobId"]: job for job in (await batch.describe_jobs(jobs=ids))["jobs"]}
        for watch in chosen:
            watch.tell(found.get(watch.job_id))


_pollers: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Source, _Poller]] = WeakKeyDictionary()


def _next(watches: list[Watch]) -> list[Watch]:
    """Return as many of those that wait for a look as one call takes, the longest due first."""
    return sorted((watch for watch in watches if watch.looked is not None), key=lambda watch: watch.due)[:DESCRIBE]


def _now() -> float:
    return asyncio.get_running_loop().time()
