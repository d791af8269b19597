"""Which feeds' jobs wait for capacity, and since when: one look at the job queue tells it of all feeds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from filebatch.runs import jobs

KEPT_FOR = 60.0  # seconds; it is asked for once a feed and five minutes


class JobQueue:
    """Remembers for a minute what a queue's jobs were doing, so that the feeds of a process look once for all.

    Args:
        clock: tells seconds that pass.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[str, tuple[float, Mapping[str, float]]] = {}

    def waiting_since(self, batch: Any, queue: str, feed: str) -> float | None:
        """Return since when (seconds of the epoch) the oldest of a feed's waiting jobs has waited; None for no such."""
        with self._lock:
            at, found = self._seen.get(queue, (float("-inf"), {}))
            if self._clock() - at >= KEPT_FOR:
                found = jobs.waiting_for_capacity(batch, queue)
                self._seen[queue] = (self._clock(), found)
        return found.get(feed)
