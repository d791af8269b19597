"""What the ledger holds of a feed, with types: its bell, its sweep, its last arrival, its circuit breaker."""

from __future__ import annotations

from dataclasses import dataclass

from filebatch.core.record import Record
from filebatch.core.rows import Partition, Row


@dataclass(frozen=True, kw_only=True)
class Bell(Record):
    """A feed's bell: when it rang last, and how often in a row without an answer; None once it is answered."""

    rung_at: str | None = None
    rings: int = 0

    @staticmethod
    def at(feed: str) -> Row[Bell]:
        """Return where it is kept."""
        return Row(Bell, f"feed#{feed}", "bell")


@dataclass(frozen=True, kw_only=True)
class Sweep(Record):
    """Until when a feed's bucket was compared with the ledger, by which definition, and how much no pattern matched."""

    swept_at: str
    definition: str
    unmatched: int = 0

    @staticmethod
    def at(feed: str) -> Row[Sweep]:
        """Return where it is kept."""
        return Row(Sweep, f"feed#{feed}", "sweep")


@dataclass(frozen=True, kw_only=True)
class Sweeping(Record):
    """How far a sweep is: all versions up to this one were compared since it began; no key once it has ended."""

    began: str
    definition: str
    after_key: str
    after_version: str
    unmatched: int = 0

    @staticmethod
    def at(feed: str) -> Row[Sweeping]:
        """Return where it is kept."""
        return Row(Sweeping, f"feed#{feed}", "sweeping")


@dataclass(frozen=True, kw_only=True)
class Arrival(Record):
    """When a feed's last file arrived, and under which prefix, by which the prefix's later feeds find it.

    Attributes:
        arrived_at: when, ISO 8601, as S3 has told of the file.
        open: partition of the index `open`, while anything may be open for the feed.
        due_at: its place there: when files were told of last, the last one or an earlier one.
    """

    arrived_at: str
    open: str | None = None
    due_at: str | None = None

    @staticmethod
    def under(prefix: str) -> Partition[Arrival]:
        """Return the partition of the feeds whose files have arrived under a prefix."""
        return Partition(Arrival, f"prefix#{prefix}")

    @property
    def feed(self) -> str:
        """The feed's name."""
        return self.pk.removeprefix("feed#")

    @staticmethod
    def at(feed: str) -> Row[Arrival]:
        """Return where it is kept."""
        return Row(Arrival, f"feed#{feed}", "arrival")


@dataclass(frozen=True, kw_only=True)
class Breaker(Record):
    """What a feed's latest rounds came to, all of whose files failed by our fault; empty once one did better.

    What it is for says `runs/breaker.py`.

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
