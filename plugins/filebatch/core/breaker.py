"""What the ledger keeps of a feed's circuit breaker; `runs/breaker.py` says what it is for."""

from __future__ import annotations

from dataclasses import dataclass

from filebatch.core.record import Record
from filebatch.core.rows import Row


@dataclass(frozen=True, kw_only=True)
class Breaker(Record):
    """What a feed's latest rounds came to, all of whose files failed by our fault; empty once one did better.

    Attributes:
        failed: files of these rounds; one that was tried again counts once.
        rounds: how many rounds.
        code: the failure of most files of the last one.
        noted: the last one: claim and number.
        held_until: until when no run claims what waits, ISO 8601; from then on one claims a few files to see.
        probe: the claim that does so.
    """

    failed: int = 0
    rounds: int = 0
    code: str | None = None
    noted: str | None = None
    held_until: str | None = None
    probe: str | None = None

    @staticmethod
    def at(feed: str) -> Row[Breaker]:
        """Return where it is kept."""
        return Row(Breaker, f"feed#{feed}", "breaker")

    def holds(self, now: str) -> bool:
        """Tell whether no run claims what waits."""
        return self.held_until is not None and now < self.held_until
