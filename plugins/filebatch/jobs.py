"""Batch jobs as values: names that parse back, requests to submit, and how a described job ended."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from filebatch.failures import Ending
from filebatch.feed import Feed
from filebatch.settings import Settings

TERMINAL = ("SUCCEEDED", "FAILED")
DESCRIBE = 100  # ids a call: https://docs.aws.amazon.com/batch/latest/APIReference/API_DescribeJobs.html

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
        "containerOverrides": overrides,
    }
    return request if count == 1 else {**request, "arrayProperties": {"size": count}}


def find(batch: Any, queue: str, job_name: str) -> str | None:
    """Return the id of the newest job of this name, or None.

    A job that was submitted a moment ago may be missed; the fence in the owner record makes that harmless.
    """
    answer = batch.list_jobs(jobQueue=queue, filters=[{"name": "JOB_NAME", "values": [job_name]}])
    found = sorted(answer["jobSummaryList"], key=lambda job: job["createdAt"])
    return str(found[-1]["jobId"]) if found else None


def describe(batch: Any, job_id: str) -> Mapping[str, Any] | None:
    """Return DescribeJobs' description of a job, or None where Batch doesn't know it."""
    found = batch.describe_jobs(jobs=[job_id])["jobs"]
    return found[0] if found else None


def endings(batch: Any, job_ids: Sequence[str]) -> dict[str, Ending]:
    """Return how jobs or children ended, by id, as far as Batch knows them."""
    found: dict[str, Ending] = {}
    for start in range(0, len(job_ids), DESCRIBE):
        for job in batch.describe_jobs(jobs=list(job_ids[start : start + DESCRIBE]))["jobs"]:
            found[job["jobId"]] = ending(job)
    return found


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
