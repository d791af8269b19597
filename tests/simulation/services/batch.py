"""Batch: array jobs and their children, attempts and the rules that end them, and what DescribeJobs tells of them.

Whoever makes it says what a container does: `launch` gets each attempt, begins and ends it. Whether there is another
attempt is decided by the rules of the local AWS (`filebatch_local.batch.exit_rules`).
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from filebatch_local.batch import listing, states
from filebatch_local.batch.exit_rules import CHILD_FAILED, Outcome, RetryStrategy
from simulation.services.base import Pages, Service, refusal

ARN = "arn:aws:batch:eu-west-1:123456789012"
Found = dict[str, Any]


@dataclass
class Job:
    """A job, an array's parent, or its child."""

    id: str
    name: str
    queue: str
    definition: Mapping[str, Any]
    environment: Mapping[str, str]
    memory: int
    created: datetime
    number: int
    index: int | None = None
    children: list["Job"] = field(default_factory=list)
    parent: "Job | None" = None
    status: str = states.RUNNABLE
    status_reason: str | None = None
    attempts: list["Attempt"] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        return self.status in states.TERMINAL

    @property
    def job_name(self) -> str:
        return self.name

    @property
    def created_at(self) -> int:
        return _milliseconds(self.created)

    @property
    def definition_names(self) -> tuple[str, str]:
        return self.definition["jobDefinitionName"], f"{self.definition['jobDefinitionName']}:1"

    @property
    def leaves(self) -> list["Job"]:
        """The jobs that have containers."""
        return self.children or [self]

    @property
    def now_running(self) -> "Attempt | None":
        return self.attempts[-1] if self.attempts and not self.ended and self.attempts[-1].outcome is None else None


@dataclass
class Attempt:
    """One container of a job. Its launcher begins and ends it; `stop` is called when somebody else wants its end."""

    batch: "Batch"
    job: Job
    outcome: Outcome | None = None
    started: int | None = None
    stopped: int | None = None
    stop: Callable[[Outcome], None] | None = None

    @property
    def number(self) -> int:
        return self.job.attempts.index(self) + 1

    def variables(self) -> dict[str, str]:
        """Return the container's environment.

        https://docs.aws.amazon.com/batch/latest/userguide/job_env_vars.html
        """
        array = {"AWS_BATCH_JOB_ARRAY_INDEX": str(self.job.index)} if self.job.index is not None else {}
        own = {"AWS_BATCH_JOB_ID": self.job.id, "AWS_BATCH_JOB_ATTEMPT": str(self.number), **array}
        return {**self.job.environment, **own}

    def begin(self) -> bool:
        """Have it run; False where the job has ended before it could."""
        if not self.job.ended:
            self.job.status = states.RUNNING
            self.started = _milliseconds(self.batch.now())
        return not self.job.ended

    def end(self, outcome: Outcome) -> None:
        """Say how it ended; the first word counts."""
        if self.outcome is None:
            self.outcome, self.stopped = outcome, _milliseconds(self.batch.now())
            self.batch._attempt_ended(self)

    def shown(self) -> Found:
        ended = self.outcome or Outcome()
        times = {"startedAt": self.started, "stoppedAt": self.stopped} if self.started else {}
        return {"container": _container(ended), "statusReason": ended.status_reason, **times}


class Batch(Service):
    """Simulated Batch.

    Args:
        now: tells the time.
        launch: is given each attempt that is to run; where it is None, attempts wait for ever.
        unlisted: how long ListJobs doesn't know a job that was submitted.
    """

    paged = {"list_jobs": Pages("jobSummaryList", {"nextToken": "nextToken"})}

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now
        self.launch: Callable[[Attempt], None] = lambda _: None
        self.unlisted: Callable[[], timedelta] = timedelta
        self.definitions: dict[str, Found] = {}
        self.queues: set[str] = set()
        self.jobs: dict[str, Job] = {}
        self.listed_from: dict[str, datetime] = {}
        self._numbers: Iterator[int] = count(1)

    def create_job_queue(self, jobQueueName: str, **_: Any) -> Found:
        self.queues.add(jobQueueName)
        return {}

    def register_job_definition(self, **definition: Any) -> Found:
        self.definitions[definition["jobDefinitionName"]] = definition
        return {}

    def deregister_job_definition(self, jobDefinition: str) -> Found:
        self.definitions.pop(jobDefinition)
        return {}

    def describe_job_definitions(self, jobDefinitionName: str, status: str = "ACTIVE") -> Found:
        found = self.definitions.get(jobDefinitionName)
        return {"jobDefinitions": [{**found, "status": status}] if found else []}

    def submit_job(
        self,
        jobName: str,
        jobQueue: str,
        jobDefinition: str,
        shareIdentifier: str = "",
        arrayProperties: Mapping[str, int] | None = None,
        containerOverrides: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Found:
        definition = self.definitions.get(jobDefinition)
        if definition is None or jobQueue not in self.queues:
            raise refusal("submit_job", "ClientException", f"{jobDefinition} or {jobQueue} does not exist")
        size = (arrayProperties or {}).get("size")
        if size is not None and not 2 <= size <= 10_000:
            raise refusal("submit_job", "ClientException", f"Array size must be between 2 and 10000, is {size}")
        overrides = containerOverrides or {}
        job = self._job(jobName, jobQueue, definition, overrides)
        job.children = [self._child(job, index) for index in range(size or 0)]
        if job.children:
            job.status = states.PENDING
        self.jobs |= {each.id: each for each in (job, *job.children)}
        self.listed_from[job.id] = self.now() + self.unlisted()
        for leaf in job.leaves:
            self._launch(leaf)
        return {"jobId": job.id, "jobName": job.name, "jobArn": f"{ARN}:job/{job.id}"}

    def describe_jobs(self, jobs: list[str]) -> Found:
        if len(jobs) > 100:
            raise refusal("describe_jobs", "ClientException", "at most 100 jobs")
        return {"jobs": [_described(self.jobs[each]) for each in dict.fromkeys(jobs) if each in self.jobs]}

    def list_jobs(
        self,
        jobQueue: str,
        jobStatus: str = states.RUNNING,
        filters: list[Found] | None = None,
        nextToken: str | None = None,
        maxResults: int | None = None,
    ) -> Found:
        """List jobs, no children; with a filter whatever their status."""
        now = self.now()
        jobs = [each for each in self.jobs.values() if each.queue == jobQueue and each.parent is None]
        jobs = [each for each in jobs if self.listed_from[each.id] <= now]
        fits = (lambda job: listing.matches_all(job, filters)) if filters else (lambda job: job.status == jobStatus)
        page, token = listing.page([each for each in jobs if fits(each)], nextToken, maxResults, lambda job: job.number)
        return {"jobSummaryList": [_summary(each) for each in page], **({"nextToken": token} if token else {})}

    def terminate_job(self, jobId: str, reason: str) -> Found:
        job = self.jobs.get(jobId)
        if job and job.children and not job.ended:
            job.status_reason = reason
        for leaf in job.leaves if job else []:
            self.stop(leaf, Outcome(status_reason=reason, final=True))
        return {}

    def stop(self, job: Job, outcome: Outcome) -> None:
        """End a job's container from outside; one that hasn't begun ends at once."""
        attempt = job.now_running
        if attempt is None:
            return
        if job.status == states.RUNNING and attempt.stop:
            attempt.stop(outcome)
        else:
            attempt.end(outcome)

    def forget(self, job_id: str) -> None:
        """Know a job no longer, as days after its end."""
        job = self.jobs[job_id]
        for each in (job, *job.children):
            self.jobs.pop(each.id, None)

    def _job(self, name: str, queue: str, definition: Found, overrides: Mapping[str, Any]) -> Job:
        properties = definition.get("containerProperties", {})
        named = [*properties.get("environment", []), *overrides.get("environment", [])]
        needs = [*properties.get("resourceRequirements", []), *overrides.get("resourceRequirements", [])]
        memory = {each["type"]: each["value"] for each in needs}.get("MEMORY", "512")
        number = next(self._numbers)
        environment = {each["name"]: each["value"] for each in named}
        return Job(f"job-{number:08d}", name, queue, definition, environment, int(memory), self.now(), number)

    def _child(self, job: Job, index: int) -> Job:
        child_id = f"{job.id}:{index}"
        return Job(
            child_id, job.name, job.queue, job.definition, job.environment, job.memory, job.created, job.number,
            index=index, parent=job,
        )  # fmt: skip

    def _launch(self, job: Job) -> None:
        job.status = states.RUNNABLE
        job.attempts.append(Attempt(self, job))
        self.launch(job.attempts[-1])

    def _attempt_ended(self, attempt: Attempt) -> None:
        job, outcome = attempt.job, attempt.outcome or Outcome()
        strategy = RetryStrategy.of(job.definition.get("retryStrategy"))
        if job.ended:
            return
        if strategy.retries(outcome, len(job.attempts)):
            self._launch(job)
            return
        job.status = states.SUCCEEDED if outcome.succeeded else states.FAILED
        job.status_reason = outcome.status_reason
        if job.parent:
            self._child_ended(job.parent)

    def _child_ended(self, parent: Job) -> None:
        parent.status = states.parent_status(_counts(parent))
        if parent.status == states.FAILED and not parent.status_reason:
            parent.status_reason = CHILD_FAILED


def _counts(parent: Job) -> dict[str, int]:
    return {**states.empty_summary(), **Counter(child.status for child in parent.children)}


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _needs(job: Job) -> list[Found]:
    defined = job.definition.get("containerProperties", {}).get("resourceRequirements", [])
    merged = {**{each["type"]: each["value"] for each in defined}, "MEMORY": str(job.memory)}
    return [{"type": kind, "value": value} for kind, value in merged.items()]


def _container(outcome: Outcome) -> Found:
    found = {"exitCode": outcome.exit_code, "reason": outcome.reason}
    return {name: value for name, value in found.items() if value is not None}


def _summary(job: Job) -> Found:
    array = {"arrayProperties": {"size": len(job.children)}} if job.children else {}
    return {"jobId": job.id, "jobName": job.name, "status": job.status, "createdAt": job.created_at, **array}


def _described(job: Job) -> Found:
    last = job.attempts[-1].outcome if job.attempts else None
    array: Found = {}
    if job.children:
        array = {"arrayProperties": {"size": len(job.children), "statusSummary": _counts(job)}}
    return {
        **_summary(job),
        "jobQueue": job.queue,
        "jobDefinition": job.definition["jobDefinitionName"],
        "attempts": [each.shown() for each in job.attempts if each.outcome],
        "container": {"resourceRequirements": _needs(job), **(_container(last) if last and job.ended else {})},
        **({"statusReason": job.status_reason} if job.status_reason else {}),
        **array,
    }
