"""What AWS bills for a round's containers, from what DescribeJobs says of them.

Fargate bills what a container has, not what it uses, by the second and for a minute at least:
https://aws.amazon.com/fargate/pricing/. The clock starts when the image is fetched, which no answer of Batch tells: an
attempt's `startedAt` is when its container ran, so that the bill is some seconds a container larger.
https://docs.aws.amazon.com/batch/latest/APIReference/API_AttemptDetail.html
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from filebatch.core import usage
from filebatch.core.records import RunRecord
from filebatch.core.usage import Billed, Usage
from filebatch.runs import jobs
from filebatch.runs.context import FeedContext

MINIMUM = 60  # seconds


def job_of(ctx: FeedContext, record: RunRecord, job_id: str) -> tuple[Mapping[str, Any] | None, Billed | None]:
    """Return a round's job as Batch has it, and what is billed for its containers; None for what Batch doesn't know."""
    job, containers = jobs.describe_round(ctx.batch, job_id, record.units)
    spot_cluster = f"{ctx.settings.environment}-batch-spot-"  # as infra/modules/batch names its compute environments
    return job, of_round(containers, record.units, spot_cluster) if containers else None


def seconds(attempt: Mapping[str, Any]) -> int:
    """Return the seconds that are billed for an attempt, 0 for one that never ran or hasn't ended."""
    started, stopped = attempt.get("startedAt"), attempt.get("stoppedAt")
    if not started or not stopped:
        return 0
    return max(MINIMUM, math.ceil((int(stopped) - int(started)) / 1000))


def of_job(described: Mapping[str, Any], spot_cluster: str) -> Billed:
    """Return what was billed for a plain job or a child: all its attempts.

    Args:
        described: DescribeJobs' description.
        spot_cluster: what is in the names of the clusters whose containers are Spot's.
    """
    needs = {
        each["type"]: float(each["value"])
        for each in (described.get("container") or {}).get("resourceRequirements", ())
    }
    found = Billed()
    for attempt in described.get("attempts") or ():
        if took := seconds(attempt):
            used = usage.of_container(took, needs.get("VCPU", 0.0), needs.get("MEMORY", 0.0))
            found += Billed(1, spot=used) if _is_spot(attempt, spot_cluster) else Billed(1, on_demand=used)
    return found


def of_round(containers: Sequence[Mapping[str, Any]], units: int, spot_cluster: str) -> Billed:
    """Return what was billed for a round.

    Args:
        containers: the descriptions of its jobs that do units: children, or the plain job; of many units some of them.
        units: how many there are.
        spot_cluster: as for `of_job`.
    """
    found = sum((of_job(job, spot_cluster) for job in containers), Billed())
    if len(containers) >= units:
        return found
    each = units / len(containers)
    return Billed(round(found.containers * each), found.on_demand.times(each), found.spot.times(each), estimated=True)


def of_record(record: RunRecord, *, round_only: bool = False) -> Billed | None:
    """Return what was billed for a claim's rounds, or for its latest alone, by its owner record; None if unknown."""
    rounds = [str(record.round)] if round_only else [*(record.billed_containers or {})]
    return sum((_of_round(record, each) for each in rounds), Billed()) if record.billed_containers else None


def _of_round(record: RunRecord, number: str) -> Billed:
    on_demand, spot = (
        Usage((record.billed_vcpu_seconds or {}).get(key, 0), (record.billed_gib_seconds or {}).get(key, 0))
        for key in (number, f"{number}-spot")
    )
    containers = (record.billed_containers or {}).get(number, 0)
    return Billed(containers, on_demand, spot, bool(record.billed_estimated))


def _is_spot(attempt: Mapping[str, Any], spot_cluster: str) -> bool:
    """Tell whether a container ran on Spot, by its task's ARN, …:task/CLUSTER/ID: a cluster has its environment's name.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-account-settings.html#ecs-resource-ids
    """
    _, _, cluster = str((attempt.get("container") or {}).get("taskArn", "")).partition(":task/")
    return spot_cluster in cluster
