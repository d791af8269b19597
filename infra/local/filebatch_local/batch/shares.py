"""Which waiting job of a queue is next: by fair shares of recent use, or first in, first out.

https://docs.aws.amazon.com/batch/latest/userguide/share-identifiers.html
https://docs.aws.amazon.com/batch/latest/userguide/fair-share-scheduling.html
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

SHORTEST_DECAY = 600.0  # seconds: what shareDecaySeconds 0 means


class Queued(Protocol):
    """What a queue looks at."""

    sequence: int
    share: str | None
    runnable: bool


JobT = TypeVar("JobT", bound=Queued)


@dataclass(frozen=True)
class Policy:
    """A scheduling policy.

    Attributes:
        decay: seconds in which use fades to 37 % (1/e).
        weights: share identifier, or `PREFIX*`, => how much its use counts; 1 for others.
    """

    decay: float = SHORTEST_DECAY
    weights: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Policy:
        """Read a FairsharePolicy."""
        weights = {
            one["shareIdentifier"]: float(one.get("weightFactor", 1)) for one in document.get("shareDistribution") or ()
        }
        return cls(max(float(document.get("shareDecaySeconds") or 0), SHORTEST_DECAY), weights)

    def weight(self, share: str) -> float:
        """Return how much a share's use counts."""
        found = [value for name, value in self.weights.items() if _matches(name, share)]
        return found[0] if found else 1.0


class WaitingJobs(Generic[JobT]):
    """The jobs of one queue that wait to be started, each share's in the order of their submission.

    A FIFO queue has one share, None.
    """

    def __init__(self) -> None:
        """Begin with no jobs and no use."""
        self._waiting: dict[str | None, list[tuple[int, JobT]]] = defaultdict(list)
        self._used: dict[str | None, float] = defaultdict(float)
        self._seen: dict[str | None, float] = {}
        self._charged_at: float | None = None

    def __bool__(self) -> bool:
        """Tell whether any job waits."""
        return any(self._waiting.values())

    def add(self, job: JobT) -> None:
        """Add a job."""
        heapq.heappush(self._waiting[job.share], (job.sequence, job))

    def remove(self, job: JobT) -> None:
        """Remove the job that `head` returned."""
        heapq.heappop(self._waiting[job.share])

    def charge(self, running: Mapping[str | None, float], now: float, policy: Policy) -> None:
        """Add the vCPU seconds that each share used since the last call; let earlier use fade.

        Args:
            running: vCPUs of each share's running jobs.
            now: seconds of a clock that only goes forward.
            policy: how fast use fades.
        """
        past = now - (now if self._charged_at is None else self._charged_at)
        self._charged_at = now
        faded = math.exp(-past / policy.decay)
        for share in [*self._used, *(share for share in running if share not in self._used)]:
            self._used[share] = self._used[share] * faded + running.get(share, 0.0) * past
        self._seen |= dict.fromkeys([*running, *(share for share, jobs in self._waiting.items() if jobs)], now)

    def head(self, running: Mapping[str | None, float], policy: Policy) -> JobT | None:
        """Return the next job: the first of the share that has used least; None where none waits.

        Running jobs count as a second of use in advance, so that shares that begin together take turns.
        """
        heads = [job for jobs in self._waiting.values() if (job := _first(jobs))]
        return min(heads, key=lambda job: (self._use(job.share, running, policy), job.sequence), default=None)

    def active(self, now: float, policy: Policy) -> set[str]:
        """Return the shares that have jobs, or had some that ended less than the policy's decay ago."""
        recent = {share for share, at in self._seen.items() if now - at < policy.decay}
        return {share for share in recent | {share for share, jobs in self._waiting.items() if jobs} if share}

    def _use(self, share: str | None, running: Mapping[str | None, float], policy: Policy) -> float:
        return 0.0 if share is None else policy.weight(share) * (self._used[share] + running.get(share, 0.0))


def _first(jobs: list[tuple[int, JobT]]) -> JobT | None:
    """Return a share's first job; drop those that ended while they waited."""
    while jobs and not jobs[0][1].runnable:
        heapq.heappop(jobs)
    return jobs[0][1] if jobs else None


def _matches(name: str, share: str) -> bool:
    return share.startswith(name[:-1]) if name.endswith("*") else share == name
