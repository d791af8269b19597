"""moto's job, with what one that really runs needs: attempts, states, reasons, an array's children."""

from __future__ import annotations

import copy
import time
from typing import Any

from moto.batch.models import Job

from filebatch_local.base import access
from filebatch_local.base.clock import timestamp
from filebatch_local.batch import states
from filebatch_local.batch.exit_rules import Outcome, RetryStrategy

LOG_GROUP = "/aws/batch/job"


class BatchJob(Job):  # type: ignore[misc]  # moto's classes are untyped here
    """One job, array parent or child. The scheduler alone changes its state, under the backend's lock."""

    known_at = 0.0  # when ListJobs and DescribeJobs begin to know it, as time.monotonic() counts
    status: str | None = None  # in moto a state that advances whenever it is read

    def __init__(self, *args: Any, index: int | None = None, share: str | None = None, **kwargs: Any) -> None:
        """Take moto's arguments; `index` is a child's place in its array, `share` the share identifier."""
        super().__init__(*args, **kwargs)
        self.status = states.SUBMITTED
        self.index = index
        self.share = share
        self.sequence = 0
        self.counted: str | None = None  # the state as which the parent's summary counts it
        self.parent: BatchJob | None = None
        self.children: list[BatchJob] = []
        self.summary: dict[str, int] = states.empty_summary()
        self.retry_strategy: dict[str, Any] | None = None
        self.status_reason: str | None = None
        self.outcome: Outcome | None = None
        self.created_at = timestamp()
        self.started_at: int | None = None
        self.stopped_at: int | None = None
        self.is_cancelled = self.is_terminated = False

    @property
    def ended(self) -> bool:
        """Tell whether it has succeeded or failed."""
        return self.status in states.TERMINAL

    @property
    def runnable(self) -> bool:
        """Tell whether it waits to be started."""
        return self.status == states.RUNNABLE

    @property
    def is_known(self) -> bool:
        """Tell whether ListJobs and DescribeJobs know it yet; a child runs, though nobody knows its array."""
        return time.monotonic() >= (self.parent or self).known_at

    @property
    def is_parent(self) -> bool:
        """Tell whether it is an array whose children do the work."""
        return bool(self.children)

    @property
    def definition_names(self) -> tuple[str, str]:
        """Its definition's name and name:revision."""
        return self.job_definition.name, f"{self.job_definition.name}:{self.job_definition.revision}"

    @property
    def image(self) -> str:
        """The image's name."""
        return str(self.job_definition.container_properties["image"])

    @property
    def command(self) -> list[str]:
        """The command, its Ref::parameters filled in."""
        return list(self._add_parameters_to_command(self._get_container_property("command", [])))

    @property
    def role(self) -> str:
        """The name of the role that its containers have."""
        arn = self.job_definition.container_properties.get("jobRoleArn") or access.JOB
        return str(arn).rsplit("/", 1)[-1]

    @property
    def vcpus(self) -> float:
        """VCPUs it takes."""
        return float(self._requirement("VCPU", "vcpus", 1))

    @property
    def memory(self) -> int:
        """MiB it may use."""
        return int(self._requirement("MEMORY", "memory", 512))

    @property
    def timeout_seconds(self) -> int | None:
        """Seconds an attempt may take, None for any."""
        seconds = (self.timeout or {}).get("attemptDurationSeconds") or (self.job_definition.timeout or {}).get(
            "attemptDurationSeconds"
        )
        return int(seconds) if seconds else None

    @property
    def retries(self) -> RetryStrategy:
        """The retry strategy: the job's own, else its definition's."""
        return RetryStrategy.of(self.retry_strategy, self.job_definition.retry_strategy)

    @property
    def log_group(self) -> str:
        """Where its output goes."""
        options = (self.job_definition.container_properties.get("logConfiguration") or {}).get("options") or {}
        return str(options.get("awslogs-group") or LOG_GROUP)

    def needs(self) -> list[str]:
        """Return the ids of the jobs that must succeed first."""
        root = self.parent.job_id if self.parent else self.job_id
        return states.dependencies(self.depends_on or [], root, self.index)

    def declared_environment(self) -> dict[str, str]:
        """Return the definition's variables and over them the job's own."""
        return {one["name"]: one["value"] for one in self._get_container_property("environment", [])}

    # what moto's describe asks for

    def describe_short(self) -> dict[str, Any]:
        """Return it as ListJobs shows it."""
        shown = {
            "jobId": self.job_id,
            "jobArn": self.arn,
            "jobName": self.job_name,
            "createdAt": self.created_at,
            "shareIdentifier": self.share,
            "status": self.status,
            "jobDefinition": self.job_definition.arn,
            "statusReason": self.status_reason,
            "startedAt": self.started_at,
            "stoppedAt": self.stopped_at,
            "container": self._container_summary() or None,
            "arrayProperties": self._array_properties(with_summary=False),
        }
        return {name: value for name, value in shown.items() if value is not None}

    def describe(self) -> dict[str, Any]:
        """Return it as DescribeJobs shows it."""
        shown: dict[str, Any] = super().describe()
        shown |= {
            "isCancelled": self.is_cancelled,
            "isTerminated": self.is_terminated,
            "attempts": copy.deepcopy(self.attempts),
        }
        shown["propagateTags"] = bool(self.job_definition.propagate_tags)
        shown["platformCapabilities"] = self.job_definition.platform_capabilities or []
        if self.share:
            shown["shareIdentifier"] = self.share
        if strategy := self.retry_strategy or self.job_definition.retry_strategy:
            shown["retryStrategy"] = strategy
        if self.timeout_seconds:
            shown["timeout"] = {"attemptDurationSeconds": self.timeout_seconds}
        if array := self._array_properties(with_summary=True):
            shown["arrayProperties"] = array
        return shown

    def _container_details(self) -> dict[str, Any]:
        properties = self.job_definition.container_properties
        details: dict[str, Any] = {**properties, **super()._container_details(), **self._container_summary()}
        details["resourceRequirements"] = self._resource_requirements()
        return details

    def _container_summary(self) -> dict[str, Any]:
        if self.outcome is None:
            return {}
        found = {"exitCode": self.outcome.exit_code, "reason": self.outcome.reason}
        return {name: value for name, value in found.items() if value is not None}

    def _array_properties(self, *, with_summary: bool) -> dict[str, Any] | None:
        if self.is_parent:
            return {"size": len(self.children)} | ({"statusSummary": dict(self.summary)} if with_summary else {})
        return None if self.index is None else {"index": self.index} | ({"statusSummary": {}} if with_summary else {})

    def _get_container_property(self, p: str, default: Any) -> Any:
        """Merge each time: moto appends to the submitted list at each call."""
        if p != "environment":
            return super()._get_container_property(p, default)
        defined = self.job_definition.container_properties.get(p) or []
        own = self.container_overrides.get(p) or []
        merged = {one["name"]: one.get("value", "") for one in [*defined, *own]}
        return [{"name": name, "value": value} for name, value in merged.items()]

    def _resource_requirements(self) -> list[dict[str, str]]:
        defined = self.job_definition.container_properties.get("resourceRequirements") or []
        own = self.container_overrides.get("resourceRequirements") or []
        merged = {one["type"]: one["value"] for one in [*defined, *own]}
        return [{"type": kind, "value": value} for kind, value in merged.items()]

    def _requirement(self, kind: str, old_name: str, default: float) -> Any:
        merged = {one["type"]: one["value"] for one in self._resource_requirements()}
        return merged.get(kind) or self._get_container_property(old_name, default)
