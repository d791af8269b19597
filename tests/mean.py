"""AWS at its meanest in tests: FILEBATCH_MEAN is the seed of the local one, or `off` for a kind one (docs/testing.md).

A test that asks for more than AWS promises says so by `@pytest.mark.exact("it counts requests")`, and is skipped with
that reason where there is a seed.
"""

import logging
import os
from collections.abc import Callable
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from botocore.retries import standard

T = TypeVar("T")

SEED = os.environ.get("FILEBATCH_MEAN", "off")
IS_ON = SEED != "off"
FAULTS = (ClientError, BotoCoreError, ConnectionError)
TRIES = 7  # of a task, as RETRIES in plugins/filebatch/dag_builder.py has it
LONGEST_PAUSE = 0.2  # seconds

log = logging.getLogger(__name__)


def options(of: str) -> tuple[str, ...]:
    """Return options of the local AWS; `of` is what may go wrong: `requests`, `most` or `all`."""
    return ("--mean", str(int(SEED)), "--mean-of", of) if IS_ON else ()


def patient(seconds: float) -> float:
    """Return how long a test waits for what takes so many seconds on a kind AWS."""
    return seconds * 4 if IS_ON else seconds


def tried(act: Callable[[], T]) -> T:
    """Do something, and where AWS is mean again after a fault of it, as Airflow does with a task."""
    for _ in range(TRIES - 1 if IS_ON else 0):
        try:
            return act()
        except FAULTS:
            log.exception("it is tried again")
    return act()


def hurry() -> None:
    """Have clients of this process try again at once: what comes of it is tested, not how long they wait before."""
    waits = standard.ExponentialBackoff.delay_amount

    def delay(self: standard.ExponentialBackoff, context: standard.RetryContext) -> float:
        return min(LONGEST_PAUSE, float(waits(self, context)))

    standard.ExponentialBackoff.delay_amount = delay
