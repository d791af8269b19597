"""Queues, compute environments, definitions and policies: moto's backend, corrected.

Everything that isn't about running jobs is moto's. What moto 5.2.5 drops or does wrong there is corrected here: a
queue's jobStateTimeLimitActions, an update of maxvCpus, the newest *active* revision of a definition, limits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.batch.exceptions import ClientException
from moto.batch.models import BatchBackend, JobDefinition, JobQueue

from filebatch_local.batch import limits
from filebatch_local.batch.shares import Policy


class Resources(BatchBackend):  # type: ignore[misc]  # moto's classes are untyped here
    """What jobs of one region are submitted to."""

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

    def policy_of(self, queue: JobQueue) -> Policy | None:
        """Return a queue's scheduling policy."""
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

    def active_definition(self, request: Mapping[str, Any]) -> JobDefinition:
        """Return the definition that a SubmitJob request names, refusing what isn't active."""
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

    def enabled_queue(self, request: Mapping[str, Any]) -> JobQueue:
        """Return the queue that a SubmitJob request names, refusing what isn't enabled."""
        wanted = request.get("jobQueue") or ""
        queue = self.get_job_queue(wanted)
        if queue is None:
            raise ClientException(f"Job queue {wanted} does not exist")
        if queue.state != "ENABLED":
            raise ClientException(f"Job queue {wanted} is not ENABLED")
        return queue
