"""What the ledger keeps of a feed as a whole: its bell, its sweep, its last arrival, its circuit breaker."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime

from filebatch.core.clock import to_iso
from filebatch.core.conditions import Absent, AnyOf, AtMost, Equal, Present
from filebatch.core.feed_records import Arrival, Bell, Breaker, Sweep, Sweeping
from filebatch.core.moves import Move
from filebatch.core.record import Record


def ring(feed: str, rings: int, *, seen: str | None, now: datetime) -> Move[Bell]:
    """Ring for the `rings`th time in a row without an answer; of two who saw the same bell, one rings.

    `seen` is when it rang last as the caller read it, None for a bell without a ring.
    """
    return Move(
        Bell.at(feed),
        (Equal("rung_at", seen) if seen else Absent("rung_at"),),
        become={"rung_at": to_iso(now), "rings": rings},
    )


def answered(feed: str, began: datetime) -> Move[Bell]:
    """Take back the ring: whatever it was for before `began` has been looked at since, with success.

    A claim that fails leaves it, so that its failures are rung for ever more rarely.
    """
    return Move(Bell.at(feed), (AtMost("rung_at", to_iso(began)),), drop=("rung_at", "rings"))


def swept(feed: str, definition: str, began: datetime, unmatched: int) -> Move[Sweep]:
    """Write down that all files older than `began` that the feed's `definition` means are in the ledger.

    `unmatched` is how many object versions lie under the feed's prefix that its pattern doesn't match.
    """
    become = {"swept_at": to_iso(began), "definition": definition, "unmatched": unmatched}
    return Move(Sweep.at(feed), (), become=become)


def unswept(feed: str) -> Move[Sweep]:
    """Have the next sweep of a feed that was swept before look at everything again."""
    return Move(Sweep.at(feed), (Present("swept_at"),), become={"definition": ""})


def sweeping(feed: str, progress: Sweeping) -> Move[Sweeping]:
    """Write down how far a sweep is, so that one after an interruption goes on from there."""
    become = {
        "began": progress.began,
        "definition": progress.definition,
        "after_key": progress.after_key,
        "after_version": progress.after_version,
        "unmatched": progress.unmatched,
    }
    return Move(Sweeping.at(feed), (), become=become)


def arrived(feed: str, prefix: str, last: str, now: datetime) -> Move[Arrival]:
    """Write down that files of the feed arrive under its prefix, the last of which is of `last` (ISO 8601).

    Refused where a later one has arrived: what is told again, or late, is no arrival of today.
    """
    become = {"arrived_at": last, **_known_under(prefix, now)}
    return Move(Arrival.at(feed), (AnyOf(((Absent("arrived_at"),), (AtMost("arrived_at", last),))),), become=become)


def known(feed: str, prefix: str, now: datetime) -> Move[Arrival]:
    """Write down that a feed whose last arrival is known has files under its prefix."""
    return Move(Arrival.at(feed), (Present("arrived_at"),), become=_known_under(prefix, now))


def left(seen: Arrival) -> Move[Arrival]:
    """Write down that nothing is open any more for a feed that isn't there; refused if a file arrived since."""
    return Move(seen.row, (Equal("due_at", seen.due_at),), drop=("open", "due_at"))


def _known_under(prefix: str, now: datetime) -> dict[str, str]:
    return {"open": Arrival.under(prefix).name, "due_at": to_iso(now)}


def broken(seen: Breaker | None, become: Breaker) -> Move[Breaker]:
    """Write down one more round of which all files failed by our fault; of two who saw the same, one does."""
    written = {name: value for name in _BREAKER if (value := getattr(become, name)) is not None}
    condition = Equal("noted", seen.noted) if seen and seen.noted else Absent("noted")
    return Move(become.row, (condition,), become=written, drop=tuple(name for name in _BREAKER if name not in written))


def probing(seen: Breaker, claim: str, until: datetime) -> Move[Breaker]:
    """Let one claim see whether files fail still, and hold the others until then; of several, the first does."""
    become = {"probe": claim, "held_until": to_iso(until)}
    return Move(seen.row, (Equal("noted", seen.noted), Equal("held_until", seen.held_until)), become=become)


def mended(seen: Breaker) -> Move[Breaker]:
    """Forget rounds that failed, as one did better since."""
    return Move(seen.row, (Equal("noted", seen.noted),), drop=_BREAKER)


_BREAKER = tuple(sorted({field.name for field in fields(Breaker)} - {field.name for field in fields(Record)}))
