"""`Batch Job State Change`: an EventBridge event for each state a job enters.

https://docs.aws.amazon.com/batch/latest/userguide/batch_job_events.html
"""

from __future__ import annotations

import queue
import threading
from typing import Any

from filebatch_local.batch.job import BatchJob
from filebatch_local.moto_gaps.events import deliver, event, is_listened_to

SOURCE, DETAIL_TYPE = "aws.batch", "Batch Job State Change"


class StateEvents:
    """Delivers events in order, in a thread of its own."""

    def __init__(self, account: str, region: str) -> None:
        """Deliver on the default bus of an account and region."""
        self.account, self.region = account, region
        self._waiting: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def put(self, job: BatchJob) -> None:
        """Send an event of a job's state; cheap where no rule matches Batch's events."""
        if not is_listened_to(self.account, self.region, SOURCE):
            return
        self._waiting.put(event(self.account, self.region, SOURCE, DETAIL_TYPE, [job.arn], job.describe()))
        if self._thread is None:
            self._thread = threading.Thread(target=self._deliver_all, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Deliver what is queued, then end."""
        if self._thread:
            self._waiting.put(None)
            self._thread.join(timeout=5)

    def _deliver_all(self) -> None:
        while (one := self._waiting.get()) is not None:
            deliver(self.account, self.region, one)
