"""Waiting for one Batch job, array or not, with one DescribeJobs a poll."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from botocore.exceptions import BotoCoreError, ClientError

from filebatch.core import clock, run_moves
from filebatch.core.errors import RecordError
from filebatch.runs.jobs import TERMINAL
from filebatch.triggers import clients
from filebatch.triggers.async_ledger import AsyncLedger
from filebatch.triggers.kept import kept

log = logging.getLogger(__name__)

FIRST_POLL, LAST_POLL = 1.0, 30.0  # seconds
VANISHED_AFTER = 180.0  # seconds in which Batch doesn't know the job
HEARTBEAT_EVERY = 60.0  # seconds


def poll_delay(waited: float) -> float:
    """Return the seconds to the next poll: a twentieth of the time waited, so that an end is noticed in proportion."""
    return min(LAST_POLL, max(FIRST_POLL, waited / 20))


class RoundJobTrigger(BaseTrigger):
    """Fires when the job of a round has ended, or has vanished.

    On the way it tells the ledger that the run lives. Faults of the network or of AWS never end the wait: the job goes
    on meanwhile, and the next poll may succeed.

    Args:
        job_id: Batch's id.
        feed: feed name.
        claim: the claim's token.
        ledger: ledger table.
        heartbeat_timeout: seconds after which a run that isn't heard of counts as dead.
        aws_conn_id: Airflow connection.
        region: AWS region.
    """

    def __init__(
        self,
        job_id: str,
        feed: str,
        claim: str,
        ledger: str,
        heartbeat_timeout: int,
        aws_conn_id: str | None,
        region: str,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.job_id = job_id
        self.feed = feed
        self.claim = claim
        self.ledger = ledger
        self.heartbeat_timeout = heartbeat_timeout
        self.aws_conn_id = aws_conn_id
        self.region = region

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what makes this trigger again."""
        return kept(self)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll until the job has ended; the event carries its id and status."""
        began = known = time.monotonic()
        heard = 0.0
        while True:
            try:
                async with self._client("batch") as batch:
                    while True:
                        job = await self._describe(batch)
                        known = time.monotonic() if job else known
                        status = job["status"] if job else "VANISHED" if _since(known) > VANISHED_AFTER else None
                        if status in (*TERMINAL, "VANISHED"):
                            yield TriggerEvent({"job_id": self.job_id, "status": status})  # type: ignore[no-untyped-call]
                            return
                        if _since(heard) > HEARTBEAT_EVERY:
                            await self._send_heartbeat()
                            heard = time.monotonic()
                        await asyncio.sleep(poll_delay(_since(began)))
            except (BotoCoreError, ClientError, OSError, RecordError) as error:
                log.warning("polling job %s failed, it is polled again: %s", self.job_id, error)
                await asyncio.sleep(poll_delay(_since(began)))

    async def on_kill(self) -> None:
        """End the job when a user ends the deferred task (Airflow calls this from 3.3 on)."""
        async with self._client("batch") as batch:
            await batch.terminate_job(jobId=self.job_id, reason="Terminated: the task was ended in Airflow")

    async def _describe(self, batch: Any) -> Mapping[str, Any] | None:
        found = (await batch.describe_jobs(jobs=[self.job_id]))["jobs"]
        return found[0] if found else None

    async def _send_heartbeat(self) -> None:
        timeout = timedelta(seconds=self.heartbeat_timeout)
        move = run_moves.heartbeat(self.feed, self.claim, timeout=timeout, now=clock.now())
        async with self._client("dynamodb") as dynamodb:
            if not (await AsyncLedger(dynamodb, self.ledger).try_move(move)).done:
                log.warning("claim %s is closed already; its job is waited for all the same", self.claim)

    def _client(self, service: str) -> AbstractAsyncContextManager[Any]:
        return clients.client(clients.Source(self.aws_conn_id, self.region), service)


def _since(moment: float) -> float:
    return time.monotonic() - moment
