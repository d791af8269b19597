"""Batch's jobs, which run: moto's backend over a scheduler of ours."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from moto.batch.exceptions import ClientException

from filebatch_local.batch import limits, listing, states
from filebatch_local.batch.attempts import Runtime, host_lost, terminated
from filebatch_local.batch.events import StateEvents
from filebatch_local.batch.job import BatchJob
from filebatch_local.batch.logs import JobLogs
from filebatch_local.batch.resources import Resources
from filebatch_local.batch.scheduler import Scheduler


class LocalBatch(Resources):
    """Batch in one region, with jobs that run as processes."""

    runtime: Runtime  # `api.install` sets these two, as moto makes its backends itself
    urls_and_answers: Any

    def __init__(self, region_name: str, account_id: str) -> None:
        """Start with nothing; the scheduler's thread begins with the first job."""
        super().__init__(region_name, account_id)
        events = StateEvents(account_id, region_name)
        self.scheduler = Scheduler(self.runtime, JobLogs(lambda: self.logs_backend), events, self.policy_of)

    @property
    def _url_module(self) -> Any:
        return self.urls_and_answers

    def reset(self) -> None:
        """End all jobs and forget everything."""
        self.scheduler.stop()
        self._jobs.clear()
        super().reset()

    # jobs

    def submit(self, request: Mapping[str, Any]) -> BatchJob:
        """Submit the job that a SubmitJob request describes."""
        size = (request.get("arrayProperties") or {}).get("size")
        depends_on = request.get("dependsOn") or []
        limits.check_submission(request.get("jobName") or "", size, depends_on)
        limits.check_retry_strategy(request.get("retryStrategy"))
        limits.check_timeout(request.get("timeout"))
        definition, queue = self.active_definition(request), self.enabled_queue(request)
        limits.check_size(definition, request.get("containerOverrides") or {})
        with self.scheduler.lock:
            fair, active = self.policy_of(queue) is not None, self.scheduler.active_shares(queue)
            limits.check_share(request.get("shareIdentifier"), fair=fair, active=active)
            job = self._job(request, definition, queue)
            job.children = [self._child(request, job, index) for index in range(size or 0)]
            self._jobs |= {one.job_id: one for one in [job, *job.children]}
            job.known_at = time.monotonic() + self.runtime.mean.late("unlisted")
            self.scheduler.add(job)
        return job

    def describe_jobs(self, jobs: list[str] | None) -> list[dict[str, Any]]:
        """Describe jobs by id or ARN; those that don't exist are left out."""
        limits.check_describe(jobs or [])
        with self.scheduler.lock:
            found = (self._jobs.get(one.split(":job/")[-1]) for one in dict.fromkeys(jobs or []))
            return [job.describe() for job in found if job is not None and job.is_known]

    def list_page(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a ListJobs request."""
        filters, status = request.get("filters") or [], request.get("jobStatus")
        queue, array = request.get("jobQueue"), request.get("arrayJobId")
        limits.check_listing(status, filters, sum(map(bool, (queue, array, request.get("multiNodeJobId")))))
        with self.scheduler.lock:
            jobs = self._jobs_in(queue) if queue else self._children_of(array)
            listed = [job for job in _select(jobs, status or states.RUNNING, filters) if job.is_known]
            try:
                page, token = listing.page(
                    listed,
                    request.get("nextToken"),
                    request.get("maxResults"),
                    _newest_first if filters else _oldest_first,
                )
            except ValueError as error:
                raise ClientException("nextToken is not valid") from error
            answer: dict[str, Any] = {"jobSummaryList": [job.describe_short() for job in page]}
        return answer | ({"nextToken": token} if token else {})

    def cancel_job(self, job_id: str, reason: str) -> None:
        """Cancel jobs that haven't begun to start; leave the others alone."""
        with self.scheduler.lock:
            for job in self._each(job_id, reason, "is_cancelled"):
                if job.status in states.BEFORE_STARTING:
                    job.is_cancelled = True
                    self.scheduler.end(job, terminated(reason))

    def terminate_job(self, job_id: str, reason: str) -> None:
        """End a job, or all children of an array, in whatever state."""
        with self.scheduler.lock:
            for job in self._each(job_id, reason, "is_terminated"):
                if not job.ended:
                    job.is_terminated = True
                    self.scheduler.end(job, terminated(reason))

    def _each(self, job_id: str, reason: str, mark: str) -> Sequence[BatchJob]:
        if not job_id or not reason:
            raise ClientException("jobId and reason are required and cannot be empty")
        job = self._jobs.get(job_id.rsplit(":job/", maxsplit=1)[-1])
        if job is None:
            return []  # Batch answers 200 for a job it doesn't know
        if job.is_parent and not job.ended:
            job.status_reason = reason
            setattr(job, mark, True)
        return job.children or [job]

    def _jobs_in(self, name: str) -> Sequence[BatchJob]:
        queue = self.get_job_queue(name)
        if queue is None:
            raise ClientException(f"Job queue {name} does not exist")
        return [job for job in queue.jobs if job.parent is None]

    def _children_of(self, job_id: str | None) -> Sequence[BatchJob]:
        job = self._jobs.get(job_id or "")
        return job.children if job else []

    def _job(self, request: Mapping[str, Any], definition: Any, queue: Any, **place: Any) -> BatchJob:
        job = BatchJob(
            request["jobName"],
            definition,
            queue,
            self,
            log_backend=None,
            container_overrides=request.get("containerOverrides"),
            eks_properties_override=None,
            depends_on=request.get("dependsOn"),
            parameters=request.get("parameters"),
            all_jobs=self._jobs,
            timeout=request.get("timeout"),
            array_properties={},
            tags=request.get("tags"),
            share=request.get("shareIdentifier"),
            **place,
        )
        job.retry_strategy = request.get("retryStrategy")
        return job

    def _child(self, request: Mapping[str, Any], parent: BatchJob, index: int) -> BatchJob:
        place = {"provided_job_id": f"{parent.job_id}:{index}", "index": index}
        child = self._job(request, parent.job_definition, parent.job_queue, **place)
        child.parent = parent
        return child

    # what tests do to jobs (see server.py)

    def vanish(self, job_id: str, *, kill: bool) -> bool:
        """Make Batch forget a job, as it does days after its end; tell whether there was one."""
        with self.scheduler.lock:
            job = self._jobs.get(job_id)
            if job is None:
                return False
            gone = {one.job_id: one for one in [job, *job.children]}
            for one in gone.values():
                self.scheduler.forget(one, kill=kill)
                self._jobs.pop(one.job_id, None)
            job.job_queue.jobs = [one for one in job.job_queue.jobs if one.job_id not in gone]
            return True

    def lose_host(self, job_id: str, status_reason: str) -> bool:
        """Lose the machine of a running job; tell whether the job was running."""
        attempt = self.scheduler.attempts.get(job_id)
        if attempt is None:
            return False
        self.scheduler.end(attempt.job, host_lost(status_reason))
        return True

    def running(self) -> list[dict[str, Any]]:
        """Return id, name, attempt and process id of what is running."""
        with self.scheduler.lock:
            attempts = [one for one in self.scheduler.attempts.values() if one.process]
            return [
                {
                    "jobId": one.job.job_id,
                    "jobName": one.job.job_name,
                    "attempt": len(one.job.attempts),
                    "pid": one.process.pid,
                }
                for one in attempts
                if one.process
            ]


def _select(jobs: Sequence[BatchJob], status: str, filters: Sequence[Mapping[str, Any]]) -> list[BatchJob]:
    if filters:  # with a filter, Batch lists every state, the newest first
        return [job for job in reversed(jobs) if listing.matches_all(job, filters)]
    return [job for job in jobs if job.status == status]


def _oldest_first(job: BatchJob) -> int:
    return job.sequence


def _newest_first(job: BatchJob) -> int:
    return -job.sequence
