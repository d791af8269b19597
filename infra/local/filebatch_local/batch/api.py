"""The Batch API: moto's requests and answers.

What moto 5.2.5 drops is added: SubmitJob's retryStrategy, ListJobs' paging, a queue's jobStateTimeLimitActions.
"""

from __future__ import annotations

import json
from typing import Any

import moto.batch.urls
from moto.batch.models import batch_backends
from moto.batch.responses import BatchResponse

from filebatch_local.batch import limits
from filebatch_local.batch.attempts import Runtime
from filebatch_local.batch.backend import LocalBatch


class LocalBatchResponse(BatchResponse):  # type: ignore[misc]  # moto's classes are untyped here
    """The operations that moto's answers don't cover whole."""

    def submitjob(self) -> str:
        """SubmitJob."""
        limits.check_payload(self.body)
        job = self.batch_backend.submit(json.loads(self.body))
        return json.dumps({"jobId": job.job_id, "jobName": job.job_name, "jobArn": job.arn})

    def listjobs(self) -> str:
        """ListJobs."""
        return json.dumps(self.batch_backend.list_page(json.loads(self.body)))

    def createjobqueue(self) -> str:
        """CreateJobQueue."""
        return self._with_time_limits("jobQueueName", super().createjobqueue)

    def updatejobqueue(self) -> str:
        """UpdateJobQueue."""
        return self._with_time_limits("jobQueue", super().updatejobqueue)

    def _with_time_limits(self, name: str, answer: Any) -> str:
        actions = self._get_param("jobStateTimeLimitActions")
        limits.check_time_limits(actions)
        answered = str(answer())
        self.batch_backend.set_time_limits(self._get_param(name), actions)
        return answered


class _Urls:
    """moto's table of paths, with our answers."""

    url_bases = moto.batch.urls.url_bases
    url_paths = dict.fromkeys(moto.batch.urls.url_paths, LocalBatchResponse.dispatch)


def install(runtime: Runtime) -> None:
    """Make moto's Batch this one, before its first request."""
    LocalBatch.runtime, LocalBatch.urls_and_answers = runtime, _Urls
    batch_backends.backend = LocalBatch


def backends() -> list[LocalBatch]:
    """Return every account's and region's Batch that has been used."""
    return [backend for _, _, backend in batch_backends.iter_backends()]
