"""One attempt at a job: from STARTING to its outcome."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from filebatch_local.base import service_calls
from filebatch_local.base.clock import Clock, timestamp
from filebatch_local.base.mean import Mean
from filebatch_local.batch import exit_rules
from filebatch_local.batch.containers import Containers
from filebatch_local.batch.exit_rules import Outcome
from filebatch_local.batch.images import Images, Platform, batch_variables, mounts, no_such_image, on_this_disk
from filebatch_local.batch.job import BatchJob
from filebatch_local.batch.processes import CannotStart, Command, JobProcess

GRACE = 30.0  # seconds from SIGTERM to SIGKILL
MIB = 2**20
# What Batch says of a machine that Spot took away, on EC2 and on Fargate.
# https://docs.aws.amazon.com/batch/latest/userguide/job_retries.html
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html
SPOT = ("Host EC2 (instance i-0123456789abcdef0) terminated.", "Your Spot Task was interrupted.")


@dataclass(frozen=True)
class Ending:
    """Why and how the runtime ends an attempt.

    Attributes:
        outcome: the attempt's outcome, without the exit code.
        graceful: SIGTERM first, SIGKILL after the grace period; else SIGKILL at once.
        reports_exit_code: False where the machine is lost and nobody learns the exit code.
    """

    outcome: Outcome
    graceful: bool = True
    reports_exit_code: bool = True

    def with_exit_code(self, code: int) -> Outcome:
        """Return the outcome with the code that the process left."""
        return (
            replace(self.outcome, exit_code=exit_rules.exit_code_of(code)) if self.reports_exit_code else self.outcome
        )


@dataclass
class Runtime:
    """What attempts run on.

    Attributes:
        images: images that are folders of this machine.
        platform: where the local AWS is.
        scratch: folder under which each attempt has one of its own.
        clock: counts timeouts and grace.
        start_delay: seconds of that clock that a job stays STARTING.
        containers: the Docker engine that runs other images, or None.
        mean: says which jobs are listed late, start late or lose their machine.
    """

    images: Images
    platform: Platform
    scratch: Path
    clock: Clock = field(default_factory=Clock)
    start_delay: float = 0.0
    containers: Containers | None = None
    mean: Mean = field(default_factory=Mean)


@dataclass
class Attempt:
    """One attempt. The scheduler calls `poll` every so often; `record` is what DescribeJobs shows of it."""

    job: BatchJob
    environment: str
    runtime: Runtime
    wake: Callable[[], None]
    record: dict[str, Any] = field(default_factory=dict)
    process: JobProcess | None = None
    ending: Ending | None = None
    _begun: float = 0.0
    _kill_at: float | None = None
    _late: float = 0.0
    _reclaimed: tuple[float, str] | None = None

    def __post_init__(self) -> None:
        """Add its record to the job's attempts."""
        self._begun = self.runtime.clock.now()
        self._late = self.runtime.mean.late("slow start") * self.runtime.clock.factor
        self.task_id = uuid.uuid4().hex
        arn = self.job.arn.replace(":batch:", ":ecs:").split(":job/")[0]
        self.record = {
            "container": {"taskArn": f"{arn}:task/{self.environment}/{self.task_id}", "networkInterfaces": []}
        }
        self.job.attempts.append(self.record)

    @property
    def due(self) -> bool:
        """Tell whether the start delay is over."""
        return self.runtime.clock.now() >= self._begun + self.runtime.start_delay + self._late

    def start(self) -> Outcome | None:
        """Start the process; return the outcome where it can't start."""
        command = self._command()
        if command is None:
            return self._close(Outcome(None, no_such_image(self.job.image), exit_rules.START_FAILED))
        try:
            self.process = JobProcess(command, self.wake)
        except CannotStart as error:
            return self._close(Outcome(None, f"CannotStartContainerError: {error}", exit_rules.START_FAILED))
        self._tell_of_roles()
        self._begun = self.runtime.clock.now()
        self.job.log_stream_name = f"{self.job.job_definition.name}/default/{self.task_id}"
        self.record["container"]["logStreamName"] = self.job.log_stream_name
        self.record["startedAt"] = timestamp()
        self._reclaimed = self._reclaim()
        return None

    def _reclaim(self) -> tuple[float, str] | None:
        """Say when Spot takes the machine away, and what is told of it; the first attempt's alone, so that jobs end."""
        bad = self.runtime.mean.mishap("spot") if len(self.job.attempts) == 1 else None
        if bad is None:
            return None
        return self.runtime.clock.now() + bad * self.runtime.clock.factor, SPOT[int(bad * 1000) % len(SPOT)]

    def _tell_of_roles(self) -> None:
        """Tell which roles ECS takes for it; for the execution role AWS documents no context.

        https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
        """
        properties = self.job.job_definition.container_properties
        if role := properties.get("jobRoleArn"):
            service_calls.tell("ecs-tasks", "sts:AssumeRole", role, SourceAccount=self.job.arn.split(":")[4])
        if role := properties.get("executionRoleArn"):
            service_calls.tell("ecs-tasks", "sts:AssumeRole", role)

    def end(self, ending: Ending) -> None:
        """Begin to end it; the first reason counts."""
        if self.ending is None:
            self.ending = ending
            if self.process:
                self.process.ask_to_end() if ending.graceful else self.process.kill()
                self._kill_at = self.runtime.clock.now() + GRACE

    def poll(self) -> Outcome | None:
        """Return the outcome once it has ended; until then enforce timeout and grace period."""
        assert self.process is not None  # noqa: S101 - only started attempts are looked at
        code = self.process.return_code()
        if code is not None:
            return self._close(self._outcome(code))
        if self._reclaimed and self.runtime.clock.now() >= self._reclaimed[0]:
            self.end(host_lost(self._reclaimed[1]))
        self._enforce_time(self.process)
        return None

    def check_memory(self, used: int) -> None:
        """End it if its processes use more than `used` bytes allow."""
        if used > self.job.memory * MIB:
            killed = Outcome(reason=exit_rules.OUT_OF_MEMORY, status_reason=exit_rules.EXITED)
            self.end(Ending(killed, graceful=False))

    def _enforce_time(self, process: JobProcess) -> None:
        now, limit = self.runtime.clock.now(), self.job.timeout_seconds
        if limit and now >= self._begun + limit:
            self.end(Ending(Outcome(status_reason=exit_rules.TIMED_OUT, final=True)))
        if self._kill_at is not None and now >= self._kill_at:
            process.kill()
            self._kill_at = None

    def _outcome(self, code: int) -> Outcome:
        if self.ending:
            return self.ending.with_exit_code(code)
        return Outcome(exit_rules.exit_code_of(code), None, exit_rules.EXITED)

    def _close(self, outcome: Outcome) -> Outcome:
        found = {"exitCode": outcome.exit_code, "reason": outcome.reason}
        self.record["container"] |= {name: value for name, value in found.items() if value is not None}
        self.record |= {"stoppedAt": timestamp(), "statusReason": outcome.status_reason}
        return outcome

    def _command(self) -> Command | None:
        """Build the command; None where there is no such image."""
        scratch = self.runtime.scratch / f"{self.job.job_id.replace(':', '-')}-{len(self.job.attempts)}"
        image = self.runtime.images.get(self.job.image)
        if image is None:
            return self._container(scratch)
        mounted = mounts(self.job.job_definition.container_properties.get("mountPoints") or [], scratch)
        for folder in (scratch, scratch / "tmp", *mounted.values()):
            folder.mkdir(parents=True, exist_ok=True)
        own = {"HOME": str(scratch), "TMPDIR": str(scratch / "tmp")}
        declared = {name: on_this_disk(value, mounted) for name, value in self.job.declared_environment().items()}
        environment = {**own, **image.variables(), **self._platform(), **declared, **self._batch()}
        return Command(self.job.command, environment, scratch)

    def _container(self, scratch: Path) -> Command | None:
        containers = self.runtime.containers
        if containers is None or not containers.has(self.job.image):
            return None
        environment = {**self._platform(), **self.job.declared_environment(), **self._batch()}
        return containers.command(self.job, environment, scratch)

    def _platform(self) -> dict[str, str]:
        return self.runtime.platform.variables(self.job.role)

    def _batch(self) -> dict[str, str]:
        job = self.job
        return batch_variables(job.job_id, job.index, len(job.attempts), job.job_queue.name, self.environment)


def host_lost(status_reason: str) -> Ending:
    """Return the ending of an attempt whose machine is lost: no exit code, no container's reason."""
    return Ending(Outcome(status_reason=status_reason), graceful=False, reports_exit_code=False)


def terminated(reason: str) -> Ending:
    """Return the ending that TerminateJob asks for."""
    return Ending(Outcome(status_reason=reason, final=True))
