"""A job's output in CloudWatch Logs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from moto.logs.exceptions import ResourceNotFoundException

from filebatch_local.batch.job import BatchJob
from filebatch_local.batch.processes import LogLine

log = logging.getLogger(__name__)


class JobLogs:
    """Writes to moto's log groups."""

    def __init__(self, backend: Callable[[], Any]) -> None:
        """Take a function that returns moto's logs backend."""
        self._backend = backend

    def open(self, job: BatchJob) -> None:
        """Create the stream of the attempt that begins."""
        backend = self._backend()
        backend.ensure_log_group(job.log_group)
        backend.ensure_log_stream(job.log_group, job.log_stream_name)

    def write(self, job: BatchJob, lines: Sequence[LogLine]) -> None:
        """Append lines; drop what can't be written, as a job doesn't fail for its log."""
        events = [{"timestamp": line.timestamp, "message": line.message} for line in lines if line.message]
        if not events:
            return
        try:
            self._backend().put_log_events(job.log_group, job.log_stream_name, events)
        except ResourceNotFoundException:  # somebody deleted the group or stream
            log.warning("output of job %s could not be written to %s", job.job_id, job.log_group)
