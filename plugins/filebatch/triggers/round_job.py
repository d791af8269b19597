"""Waiting for a round's job; all that wait in a triggerer share their looks at Batch (`poller`)."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async
from botocore.exceptions import BotoCoreError, ClientError

from filebatch.core import clock, run_moves
from filebatch.core.errors import RecordError
from filebatch.runs import jobs
from filebatch.triggers import clients, poller
from filebatch.triggers.async_ledger import AsyncLedger
from filebatch.triggers.kept import kept

log = logging.getLogger(__name__)

VANISHED_AFTER = 180.0  # seconds in which Batch doesn't know the job
HEARTBEAT_EVERY = 60.0  # seconds
VANISHED = "VANISHED"
ENDED = (*jobs.TERMINAL, VANISHED)
OVER = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})  # states in which a task is done


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
        """Look at the job until it has ended; the event carries its id and status."""
        known, heard = time.monotonic(), 0.0
        async with poller.watched(self._source, self.job_id) as watch:
            while True:
                try:
                    job = await watch.look()
                except Exception as error:  # noqa: BLE001 - the job goes on meanwhile, and so does the wait
                    log.warning("looking at job %s failed, it is looked at again: %s", self.job_id, error)
                    known = time.monotonic()  # only answers count that don't know the job
                    continue
                known = time.monotonic() if job else known
                if (status := _status(job, _since(known))) in ENDED:
                    yield TriggerEvent({"job_id": self.job_id, "status": status})  # type: ignore[no-untyped-call]
                    return
                if _since(heard) > HEARTBEAT_EVERY and await self._send_heartbeat():
                    heard = time.monotonic()

    async def on_kill(self) -> None:
        """End the job where a user has ended its task; a task that was cleared finds its job again, and waits for it.

        Airflow calls this from 3.3 on. A job that works on although its run is over is ended by a later run.
        https://airflow.apache.org/docs/apache-airflow/stable/authoring-and-scheduling/deferring.html
        """
        if self.task_instance and (state := await sync_to_async(_state_of)(self.task_instance)) not in OVER:
            log.info("the task is %s and waits for job %s again, which goes on", state or "cleared", self.job_id)
            return
        async with self._client("batch") as batch:
            await batch.terminate_job(jobId=self.job_id, reason=jobs.TASK_ENDED)

    async def _send_heartbeat(self) -> bool:
        """Tell the ledger that the run lives; return whether it was told."""
        timeout = timedelta(seconds=self.heartbeat_timeout)
        move = run_moves.heartbeat(self.feed, self.claim, timeout=timeout, now=clock.now())
        try:
            async with self._client("dynamodb") as dynamodb:
                moved = await AsyncLedger(dynamodb, self.ledger).try_move(move)
        except (BotoCoreError, ClientError, OSError, RecordError) as error:
            log.warning("claim %s: the ledger isn't told that its run lives: %s", self.claim, error)
            return False
        if not moved.done:
            log.warning("claim %s is closed already; its job is waited for all the same", self.claim)
        return True

    def _client(self, service: str) -> AbstractAsyncContextManager[Any]:
        return clients.client(self._source, service)

    @property
    def _source(self) -> clients.Source:
        return clients.Source(self.aws_conn_id, self.region)


def _state_of(task: Any) -> str | None:
    """Ask Airflow for the state of a task; None for one that was cleared a moment ago."""
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    found = RuntimeTaskInstance.get_task_states(task.dag_id, task_ids=[task.task_id], run_ids=[task.run_id])
    state = found.get(task.run_id, {}).get(task.task_id)
    return str(getattr(state, "value", state)) if state else None


def _status(job: poller.Job | None, unknown: float) -> str | None:
    """Return Batch's status of a job; VANISHED if Batch hasn't known it for `unknown` seconds, which is too long."""
    if job is None:
        return VANISHED if unknown > VANISHED_AFTER else None
    return str(job["status"])


def _since(moment: float) -> float:
    return time.monotonic() - moment
