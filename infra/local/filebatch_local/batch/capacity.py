"""Which compute environment the job at the head of a queue may start in, by their maxvCpus.

The job at the head blocks its queue: where it can never start, those behind it wait, too.
https://docs.aws.amazon.com/batch/latest/userguide/job_stuck_in_runnable.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

TOO_LARGE = "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE"
TOO_LARGE_MESSAGE = f"{TOO_LARGE} - CE(s) associated with the job queue cannot meet the job requirements."


@dataclass(frozen=True)
class Capacity:
    """A compute environment's vCPUs: how many it may have, how many are taken."""

    name: str
    maximum: float
    taken: float = 0.0

    def fits(self, vcpus: float) -> bool:
        """Tell whether so many vCPUs are free."""
        return self.taken + vcpus <= self.maximum + 1e-9  # a quarter of a vCPU is exact, a tenth isn't


def choose(vcpus: float, capacities: Iterable[Capacity]) -> str | None:
    """Return the first environment, in the queue's order, with so many vCPUs free; None where the job must wait."""
    return next((one.name for one in capacities if one.fits(vcpus)), None)


def never_fits(vcpus: float, capacities: Sequence[Capacity]) -> bool:
    """Tell whether even empty environments are too small."""
    return bool(capacities) and all(vcpus > one.maximum for one in capacities)


def time_limit(reason: str | None, limits: Iterable[Mapping[str, object]]) -> float | None:
    """Return the seconds after which a RUNNABLE job at the head with this statusReason is cancelled; None for never.

    https://docs.aws.amazon.com/batch/latest/APIReference/API_JobStateTimeLimitAction.html
    """
    code = (reason or "").split(" - ")[0]
    matching = [
        float(str(one["maxTimeSeconds"])) for one in limits if one["reason"] == code and one["state"] == "RUNNABLE"
    ]
    return min(matching, default=None)


def cancelled_by_limit(reason: str) -> str:
    """Return the statusReason of a job that a time limit cancelled."""
    return f"Canceled by JobStateTimeLimit action due to reason: {reason.split(' - ', maxsplit=1)[0]}"
