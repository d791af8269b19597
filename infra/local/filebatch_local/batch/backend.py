"""Batch's resources and jobs: moto's backend, over jobs that run.

Everything that isn't about running jobs (compute environments, queues, definitions, tags) is moto's. What moto 5.2.5
drops or does wrong there is corrected here: a queue's jobStateTimeLimitActions, an update of maxvCpus, the newest
*active* revision of a definition, limits.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from moto.batch.exceptions import ClientException
from moto.batch.models import BatchBackend, JobDefinition, JobQueue

from filebatch_local.batch import limits, listing, states
from filebatch_local.batch.attempts import Runtime, host_lost, terminated
from filebatch_local.batch.events import StateEvents
from filebatch_local.batch.job import BatchJob
from filebatch_local.batch.logs import JobLogs
from filebatch_local.batch.scheduler import Scheduler
from filebatch_local.batch.shares import Policy


class LocalBatch(BatchBackend):  # type: ignore[misc]  # moto's classes are untyped here
    """Batch in one region, with jobs that run as processes."""

    runtime: Runtime  # `api.install` sets these two, as moto makes its backends itself
    urls_and_answers: Any

    def __init__(self, region_name: str, account_id: str) -> None:
        """Start with nothing; the scheduler's thread begins with the first job."""
        super().__init__(region_name, account_id)
        events = StateEvents(account_id, region_name)
        self.scheduler = Scheduler(self.runtime, JobLogs(lambda: self.logs_backend), events, self._policy_of)

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
        definition, queue = self._active_definition(request), self._enabled_queue(request)
        limits.check_size(definition, request.get("containerOverrides") or {})
        with self.scheduler.lock:
            fair, active = self._policy_of(queue) is not None, self.scheduler.active_shares(queue)
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

    # queues, environments, definitions

    def describe_job_queues(self, job_queues: list[str] | None = None) -> list[dict[str, Any]]:
        """Add the time-limit actions, which moto drops."""
        described: list[dict[str, Any]] = super().describe_job_queues(job_queues)
        for one in described:
            one["jobStateTimeLimitActions"] = getattr(self.get_job_queue(one["jobQueueArn"]), "time_limits", None) or []
        return described

    def create_job_queue(self, queue_name: str, priority: str, schedule_policy: str | None, **others: Any) -> JobQueue:
        """Refuse a scheduling policy that isn't there."""
        self._check_policy_is_there(schedule_policy)
        return super().create_job_queue(queue_name, priority, schedule_policy, **others)

    def update_job_queue(self, queue_name: str, schedule_policy: str | None, **others: Any) -> tuple[str, str]:
        """Refuse a scheduling policy for a queue that was made without one."""
        queue = self.get_job_queue(queue_name)
        self._check_policy_is_there(schedule_policy)
        if queue and schedule_policy:
            if not queue.schedule_policy:
                raise ClientException(f"Job queue {queue_name} has no scheduling policy and can't get one")
            queue.schedule_policy = schedule_policy
        names: tuple[str, str] = super().update_job_queue(queue_name=queue_name, schedule_policy=None, **others)
        return names

    def create_scheduling_policy(self, name: str, fairshare_policy: dict[str, Any], tags: Any) -> Any:
        """Refuse a policy that Batch refuses."""
        limits.check_policy(fairshare_policy)
        return super().create_scheduling_policy(name, fairshare_policy, tags)

    def update_scheduling_policy(self, arn: str, fairshare_policy: dict[str, Any]) -> None:
        """Refuse a policy that Batch refuses."""
        limits.check_policy(fairshare_policy)
        super().update_scheduling_policy(arn, fairshare_policy)

    def delete_scheduling_policy(self, arn: str) -> None:
        """Refuse to delete what a queue uses."""
        if any(queue.schedule_policy == arn for queue in self._job_queues.values()):
            raise ClientException(f"Scheduling policy {arn} is used by a job queue")
        super().delete_scheduling_policy(arn)

    def _policy_of(self, queue: JobQueue) -> Policy | None:
        found = self._scheduling_policies.get(queue.schedule_policy)
        return Policy.of(found.fairshare_policy) if found else None

    def _check_policy_is_there(self, arn: str | None) -> None:
        if arn and arn not in self._scheduling_policies:
            raise ClientException(f"Scheduling policy {arn} does not exist")

    def set_time_limits(self, name: str, actions: list[dict[str, Any]] | None) -> None:
        """Set a queue's time-limit actions; None leaves them as they are."""
        if actions is not None:
            self.get_job_queue(name).time_limits = actions

    def update_compute_environment(
        self, compute_environment_name: str, state: str | None, compute_resources: Any | None, service_role: str | None
    ) -> tuple[str, str]:
        """Apply a new maxvCpus, which moto ignores."""
        names: tuple[str, str] = super().update_compute_environment(
            compute_environment_name, state, compute_resources, service_role
        )
        self.get_compute_environment(compute_environment_name).compute_resources.update(compute_resources or {})
        return names

    def register_job_definition(self, *args: Any, **kwargs: Any) -> JobDefinition:
        """Refuse what Batch refuses."""
        limits.check_retry_strategy(kwargs.get("retry_strategy"))
        limits.check_timeout(kwargs.get("timeout"))
        return super().register_job_definition(*args, **kwargs)

    def _active_definition(self, request: Mapping[str, Any]) -> JobDefinition:
        wanted = request.get("jobDefinition") or ""
        found = self.get_job_definition_by_arn(wanted) or self._definition_named(wanted)
        if found is None or found.status != "ACTIVE":
            raise ClientException(f"Job definition {wanted} does not exist or is not active")
        return found

    def _definition_named(self, wanted: str) -> JobDefinition | None:
        name, _, revision = wanted.rsplit(":job-definition/", maxsplit=1)[-1].partition(":")
        named = [one for one in self._job_definitions.values() if one.name == name]
        chosen = [one for one in named if (str(one.revision) == revision if revision else one.status == "ACTIVE")]
        return max(chosen, key=lambda one: one.revision, default=None)

    def _enabled_queue(self, request: Mapping[str, Any]) -> JobQueue:
        wanted = request.get("jobQueue") or ""
        queue = self.get_job_queue(wanted)
        if queue is None:
            raise ClientException(f"Job queue {wanted} does not exist")
        if queue.state != "ENABLED":
            raise ClientException(f"Job queue {wanted} is not ENABLED")
        return queue


def _select(jobs: Sequence[BatchJob], status: str, filters: Sequence[Mapping[str, Any]]) -> list[BatchJob]:
    if filters:  # with a filter, Batch lists every state, the newest first
        return [job for job in reversed(jobs) if listing.matches_all(job, filters)]
    return [job for job in jobs if job.status == status]


def _oldest_first(job: BatchJob) -> int:
    return job.sequence


def _newest_first(job: BatchJob) -> int:
    return -job.sequence
