"""Batch jobs as values: names that parse back, requests to submit, and how a described job ended."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from filebatch.core.failures import Ending
from filebatch.feeds.feed import Feed
from filebatch.feeds.settings import Settings

TERMINAL = ("SUCCEEDED", "FAILED")
DESCRIBE = 100  # ids a call: https://docs.aws.amazon.com/batch/latest/APIReference/API_DescribeJobs.html

# Airflow's role may end jobs that bear its environment in this tag, and no others (infra/modules/iam/airflow.tf).
ENVIRONMENT_TAG = "filebatch:environment"

# Why jobs are ended by filebatch; Batch's own reason then is this text, and `failures.json` knows how it begins.
TASK_ENDED = "Terminated: its task was ended in Airflow"
RUN_OVER = "Terminated: its run is over in Airflow"

_NAME = re.compile(r"(?P<feed>[a-z][a-z0-9-]*)-(?P<token>[0-9a-f]{16}-\d{4})-r(?P<round>\d+)")


def run_hash(dag_id: str, run_id: str) -> str:
    """Return 16 hex digits for a run: what its claims' tokens begin with, and short enough for a job's name."""
    return hashlib.sha256(f"{dag_id}\0{run_id}".encode()).hexdigest()[:16]


def token(run: str, epoch: int) -> str:
    """Return the token of a run's `epoch`th claim; tokens of a run sort as its epochs do."""
    return f"{run}-{epoch:04d}"


def name(feed: str, claim: str, number: int) -> str:
    """Return the name of a round's job: the same for every try to submit it, so that a retry finds it."""
    return f"{feed}-{claim}-r{number}"


def parse_name(job_name: str) -> tuple[str, str, int] | None:
    """Return feed, claim and round of one of our jobs' names; None for any other name."""
    match = _NAME.fullmatch(job_name)
    return (match["feed"], match["token"], int(match["round"])) if match else None


def share(feed: str) -> str:
    """Return a feed's share identifier: its name with `D` for each dash, so that each feed has one of its own.

    Batch takes letters and digits; a feed's name has no capitals:
    https://docs.aws.amazon.com/batch/latest/APIReference/API_SubmitJob.html
    """
    return feed.replace("-", "D")


def submit_request(
    settings: Settings, feed: Feed, job_name: str, *, units: str, count: int, memory: int
) -> dict[str, Any]:
    """Return SubmitJob's arguments for one round: an array job, or a plain job where there is but one unit.

    Args:
        settings: the environment.
        feed: the feed.
        job_name: the round's job name.
        units: key of the round's units in the results bucket.
        count: number of units.
        memory: MiB of the container.
    """
    overrides: dict[str, Any] = {
        "environment": [
            {"name": "FILEBATCH_ROUND", "value": units},
            {"name": "FILEBATCH_MEMORY_MIB", "value": str(memory)},
        ]
    }
    if memory != feed.memory:
        overrides["resourceRequirements"] = [{"type": "MEMORY", "value": str(memory)}]
    request: dict[str, Any] = {
        "jobName": job_name,
        "jobQueue": settings.job_queue,
        "jobDefinition": settings.job_definition(feed.name),
        "shareIdentifier": share(feed.name),
        "tags": {ENVIRONMENT_TAG: settings.environment},
        "containerOverrides": overrides,
    }
    return request if count == 1 else {**request, "arrayProperties": {"size": count}}


def find(batch: Any, queue: str, job_name: str) -> str | None:
    """Return the id of the newest job of this name, or None.

    A job that was submitted a moment ago may be missed; the fence in the owner record makes that harmless.
    """
    listed = batch.get_paginator("list_jobs").paginate(
        jobQueue=queue, filters=[{"name": "JOB_NAME", "values": [job_name]}]
    )
    found = sorted((job for page in listed for job in page["jobSummaryList"]), key=lambda job: job["createdAt"])
    return str(found[-1]["jobId"]) if found else None


def waiting_for_capacity(batch: Any, queue: str) -> dict[str, float]:
    """Return since when (seconds of the epoch) the oldest waiting job of each feed has waited, for feeds that have one.

    Jobs wait RUNNABLE: plain ones, and arrays of which no child has begun. An array's parent is PENDING until its last
    child has ended; only its summary tells what its children do.
    """
    parents = [job["jobId"] for job in _listed(batch, queue, "PENDING")]
    found: dict[str, float] = {}
    for job in (*_listed(batch, queue, "RUNNABLE"), *(job for job in described(batch, parents) if _waits(job))):
        feed, since = (parse_name(job["jobName"]) or ("",))[0], job["createdAt"] / 1000
        found[feed] = min(since, found.get(feed, since))
    return found


def _listed(batch: Any, queue: str, status: str) -> list[Mapping[str, Any]]:
    pages = batch.get_paginator("list_jobs").paginate(jobQueue=queue, jobStatus=status)
    return [job for page in pages for job in page["jobSummaryList"] if parse_name(job["jobName"])]


def _waits(job: Mapping[str, Any]) -> bool:
    summary = job.get("arrayProperties", {}).get("statusSummary", {})
    return bool(summary.get("RUNNABLE")) and not any(summary.get(each) for each in ("STARTING", "RUNNING", *TERMINAL))


def describe(batch: Any, job_id: str) -> Mapping[str, Any] | None:
    """Return DescribeJobs' description of a job, or None where Batch doesn't know it."""
    found = batch.describe_jobs(jobs=[job_id])["jobs"]
    return found[0] if found else None


def describe_round(batch: Any, job_id: str, units: int) -> tuple[Mapping[str, Any] | None, list[Mapping[str, Any]]]:
    """Return a round's job, or None where Batch doesn't know it, and those of its jobs that do units, in one request.

    Of more than 99 children these are some, evenly spread: how long a job took is told by its children alone.
    """
    asked = min(units, DESCRIBE - 1) if units > 1 else 0
    children = [child(job_id, index * units // asked, units) for index in range(asked)]
    found = {job["jobId"]: job for job in described(batch, [job_id, *children])}
    job = found.pop(job_id, None)
    return job, [*found.values()] if units > 1 else [job] if job else []


def endings(batch: Any, job_ids: Sequence[str]) -> dict[str, Ending]:
    """Return how jobs or children ended, by id, as far as Batch knows them."""
    return {job["jobId"]: ending(job) for job in described(batch, job_ids)}


def described(batch: Any, job_ids: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """Yield DescribeJobs' descriptions of the jobs that Batch knows, a hundred a call."""
    for start in range(0, len(job_ids), DESCRIBE):
        yield from batch.describe_jobs(jobs=list(job_ids[start : start + DESCRIBE]))["jobs"]


def ending(job: Mapping[str, Any]) -> Ending:
    """Read how a job ended; what its last attempt says counts where the job itself says nothing."""
    last = (job.get("attempts") or [{}])[-1]
    containers = (job.get("container") or {}, last.get("container") or {})
    return Ending(
        job["status"],
        next((each["exitCode"] for each in containers if each.get("exitCode") is not None), None),
        next((each["reason"] for each in containers if each.get("reason")), ""),
        job.get("statusReason") or last.get("statusReason") or "",
    )


def child(job_id: str, index: int, count: int) -> str:
    """Return the id of the job that does unit `index`: a child, or the job itself where it is no array."""
    return f"{job_id}:{index}" if count > 1 else job_id
