"""Telling the ledger and CloudWatch what became of files, a few at a time.

Whoever moves a file's state is the one who counts it. A worker that dies before it tells leaves its files CLAIMED:
the next attempt, or the settling, finds what was committed, moves them and counts them.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from filebatch.core import metrics
from filebatch.core.ledger import Ledger
from filebatch.core.metrics import Measured
from filebatch.core.moves import Move
from filebatch.core.publishing import Publisher
from filebatch.core.records import FileRecord

FLUSH_SECONDS = 5.0
FLUSH_FILES = 50

log = logging.getLogger(__name__)


@dataclass
class Outcomes:
    """Moves that are due, each with what it adds to the metrics.

    Attributes:
        later: calls a function so many seconds later, so that what waits isn't left to the end of a long file; None
            where the caller flushes soon.
    """

    ledger: Ledger
    publisher: Publisher
    feed: str
    waiting: list[tuple[Move[FileRecord], Measured]] = field(default_factory=list)
    flushed_at: float = field(default_factory=time.monotonic)
    later: Callable[[float, Callable[[], None]], None] | None = None
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def add(self, move: Move[FileRecord], measured: Measured) -> None:
        """Take an outcome; tell them all when they are many or a few seconds old."""
        with self._lock:
            self.waiting.append((move, measured))
            if len(self.waiting) >= FLUSH_FILES or time.monotonic() - self.flushed_at >= FLUSH_SECONDS:
                self.flush()
            elif self.later and len(self.waiting) == 1:
                self.later(FLUSH_SECONDS, self._flush_late)

    def flush(self) -> None:
        """Move the files' states, then publish metrics of those that moved; a fault of metrics changes nothing."""
        with self._lock:
            waiting, self.flushed_at = self.waiting, time.monotonic()
            moved = self.ledger.try_all(move for move, _ in waiting)
            self.waiting = []  # what could not be told is told by the next flush
        for (move, _), answer in zip(waiting, moved, strict=True):
            if not answer.done:
                log.warning("%r is no longer this claim's: its state stays as its owner has it", move.row.pk)
        counted = [measured for (_, measured), answer in zip(waiting, moved, strict=True) if answer.done]
        self.publisher.publish(metrics.data(self.feed, counted))

    def _flush_late(self) -> None:
        try:
            self.flush()
        except Exception:
            log.exception("what became of some files could not be told; it is told after the next file")


def in_background(seconds: float, function: Callable[[], None]) -> None:
    """Call a function later, in a thread of its own that keeps no process from ending."""
    timer = threading.Timer(seconds, function)
    timer.daemon = True
    timer.start()
