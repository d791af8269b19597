"""Attempts at AWS's meanest: a container starts late, and Spot takes the first one's machine away, in both ways."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from filebatch_local.base.mean import SECONDS, Mean
from filebatch_local.batch.attempts import SPOT, Attempt, Runtime


class Chance(Mean):
    """Takes every chance of one mishap, and is as bad as it is told to be."""

    def __init__(self, name: str, bad: float) -> None:
        super().__init__(1)
        self.name, self.bad = name, bad

    def mishap(self, name: str) -> float | None:
        return self.bad if name == self.name else None


class Stopped:
    """A clock that a test sets."""

    factor, time = 1.0, 100.0

    def now(self) -> float:
        return self.time


@dataclass
class Job:
    arn: str = "arn:aws:batch:eu-west-1:123456789012:job/a"
    attempts: list[Any] = field(default_factory=list)


def runtime(mean: Mean) -> Any:
    return Runtime({}, None, Path(), Stopped(), mean=mean)  # type: ignore[arg-type]  # neither place nor real clock


def test_a_container_starts_late():
    here = runtime(Chance("slow start", 0.5))
    attempt = Attempt(Job(), "environment", here, lambda: None)
    assert not attempt.due
    here.clock.time += SECONDS * 0.5
    assert attempt.due


def test_without_meanness_it_starts_at_once():
    assert Attempt(Job(), "environment", runtime(Mean()), lambda: None).due


@pytest.mark.parametrize(("bad", "told"), [(0.25, SPOT[0]), (0.251, SPOT[1])])
def test_spot_takes_the_first_attempts_machine_and_no_others(bad, told):
    job, here = Job(), runtime(Chance("spot", bad))
    first = Attempt(job, "environment", here, lambda: None)
    assert first._reclaim() == (100.0 + bad, told)
    second = Attempt(job, "environment", here, lambda: None)
    assert second._reclaim() is None
