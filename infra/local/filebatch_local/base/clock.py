"""A clock that tests may make run faster."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Clock:
    """Time as the Batch runtime counts it: delays, timeouts, grace periods, time limits.

    Timestamps in answers stay real, so that they fit those of S3 and of the jobs.

    Attributes:
        factor: how many seconds of it pass in a real one; 60 makes a timeout of 60 s take one.
    """

    factor: float = 1.0

    def now(self) -> float:
        """Return seconds since some moment."""
        return time.monotonic() * self.factor

    def real(self, seconds: float) -> float:
        """Return how many real seconds so many of this clock's are."""
        return seconds / self.factor


def timestamp() -> int:
    """Return the real time in milliseconds since 1970, as Batch writes it."""
    return int(time.time() * 1000)
