"""What the ledger holds of a feed, with types: its bell, its sweep, its last arrival, its circuit breaker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from filebatch.core.record import Record
from filebatch.core.rows import Partition, Row


class FeedRecord(Record):
    """One of a feed's records, of which there is one of each kind.

    Attributes:
        KEPT_AS: the kind's sort key.
    """

    KEPT_AS: ClassVar[str]

    @classmethod
    def at(cls, feed: str) -> Row[Self]:
        """Return where a feed's is kept."""
        return Row(cls, f"feed#{feed}", cls.KEPT_AS)


@dataclass(frozen=True, kw_only=True)
class Bell(FeedRecord):
    """A feed's bell: when it rang last, and how often in a row without an answer; None once it is answered."""

    KEPT_AS = "bell"

    rung_at: str | None = None
    rings: int = 0


@dataclass(frozen=True, kw_only=True)
class Sweep(FeedRecord):
    """Until when a feed's bucket was compared with the ledger, by which definition, and how much no pattern matched."""

    KEPT_AS = "sweep"

    swept_at: str
    definition: str
    unmatched: int = 0


@dataclass(frozen=True, kw_only=True)
class Sweeping(FeedRecord):
    """How far a sweep is: all versions up to this one were compared since it began; no key once it has ended."""

    KEPT_AS = "sweeping"

    began: str
    definition: str
    after_key: str
    after_version: str
    unmatched: int = 0


@dataclass(frozen=True, kw_only=True)
class Arrival(FeedRecord):
    """When a feed's last file arrived, and under which prefix, by which the prefix's later feeds find it.

    Attributes:
        arrived_at: when, ISO 8601, as S3 has told of the file.
        open: partition of the index `open`, while anything may be open for the feed.
        due_at: its place there: when files were told of last, the last one or an earlier one.
    """

    KEPT_AS = "arrival"

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


@dataclass(frozen=True, kw_only=True)
class Breaker(FeedRecord):
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

    KEPT_AS = "breaker"

    failed: int = 0
    rounds: int = 0
    code: str | None = None
    noted: str | None = None
    held_until: str | None = None
    probe: str | None = None

    def holds(self, now: str) -> bool:
        """Tell whether no run claims what waits."""
        return self.held_until is not None and now < self.held_until
