"""What the ledger keeps of a feed as a whole: its bell, its sweep, its last arrival."""

from __future__ import annotations

from datetime import datetime

from filebatch.core.clock import to_iso
from filebatch.core.conditions import Absent, AtMost, Equal, Present
from filebatch.core.moves import Move
from filebatch.core.records import Arrival, Bell, Sweep, Sweeping


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


def arrived(feed: str, now: datetime) -> Move[Arrival]:
    """Write down that a file of the feed has arrived."""
    return Move(Arrival.at(feed), (), become={"arrived_at": to_iso(now)})
