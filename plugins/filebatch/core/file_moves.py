"""What may become of a file: each move as a value. See `moves.py` for the states."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from filebatch.core import history, listed, outputs
from filebatch.core.clock import to_iso
from filebatch.core.conditions import Absent, AnyOf, Condition, Equal, OneOf, Present
from filebatch.core.contract import FileVersion, Reason, Result
from filebatch.core.moves import Move
from filebatch.core.records import SETTLED_STATES, FileRecord, FileState
from filebatch.core.rows import Row


@dataclass(frozen=True)
class FileFailure:
    """Why a file failed, and what its next attempt needs.

    Attributes:
        reason: why.
        memory: MiB that the next attempt needs at least, None for the feed's.
        suspect: whether its container died while it was at work.
    """

    reason: Reason
    memory: int | None = None
    suspect: bool = False


FORGOTTEN = "forgotten"
_OF_EARLIER_CLAIMS = ("open", "due_at", "reason", "code", "settled_at", "trouble")


def arrive(file: FileVersion, feed: str, file_time: datetime, now: datetime, how: str | None = None) -> FileRecord:
    """Return the record of a file version that is new; written only where there is none.

    Args:
        file: the version.
        feed: feed name.
        file_time: the time it is about.
        now: the present moment.
        how: how it was noticed: `event`, `sweep` or `asked`.
    """
    row = FileRecord.at(file)
    return FileRecord(
        pk=row.pk,
        sk=row.sk,
        feed=feed,
        bucket=file.bucket,
        key=file.key,
        version_id=file.version_id,
        etag=file.etag,
        size=file.size,
        last_modified=file.last_modified,
        file_time=to_iso(file_time),
        arrived_at=to_iso(now),
        state=FileState.ARRIVED,
        generation=1,
        attempts=0,
        open=FileRecord.waiting(feed).name,
        due_at=to_iso(now),
        listed=listed.partition(feed, row),
        listed_at=listed.place(row, FileState.ARRIVED, now),
        history=[_note(FileState.ARRIVED, now, how=how)],
    )


def claim(
    row: Row[FileRecord], token: str, run_id: str, generation: int, now: datetime, *, asked: bool = False
) -> Move[FileRecord]:
    """Take a waiting file; one that has failed for good too, whatever its backoff, where somebody `asked` for it."""
    failed: tuple[Condition, ...] = (Equal("state", FileState.FAILED),)
    if not asked:
        failed = (*failed, Present("open"))
    return Move(
        row,
        (Equal("generation", generation), AnyOf(((Equal("state", FileState.ARRIVED),), failed))),
        become=_taken(row, token, run_id, now),
        drop=_OF_EARLIER_CLAIMS,
        add={"attempts": 1},
        note=_note(FileState.CLAIMED, now, run=run_id, generation=generation),
    )


def redo(row: Row[FileRecord], token: str, run_id: str, generation: int, now: datetime) -> Move[FileRecord]:
    """Take a settled file as its next `generation`."""
    return Move(
        row,
        (Equal("generation", generation - 1), OneOf("state", SETTLED_STATES)),
        become={**_taken(row, token, run_id, now), "generation": generation, "attempts": 1},
        drop=_OF_EARLIER_CLAIMS,
        note=_note(FileState.CLAIMED, now, run=run_id, generation=generation),
    )


def await_redo(row: Row[FileRecord], feed: str, generation: int, now: datetime) -> Move[FileRecord]:
    """Have a settled file wait for whichever run takes it as its next `generation`."""
    return Move(
        row,
        (Equal("generation", generation - 1), OneOf("state", SETTLED_STATES)),
        become={
            **_in_state(row, FileState.ARRIVED, now),
            "generation": generation,
            "attempts": 0,
            **_waits(feed, now),
        },
        drop=("claim", "run_id", "claimed_at", "reason", "code", "settled_at", "trouble"),
        note=_note("redo", now, generation=generation),
    )


def await_retry(row: Row[FileRecord], feed: str, generation: int, now: datetime) -> Move[FileRecord]:
    """Have a failed file wait, from now on, for whichever run tries it again."""
    return Move(
        row,
        (Equal("generation", generation), Equal("state", FileState.FAILED)),
        become={"state": FileState.FAILED, **_waits(feed, now)},
        note=_note("retry", now, generation=generation),
    )


def release(file: FileRecord, now: datetime, *, suspect: bool = False) -> Move[FileRecord]:
    """Give back a claimed file for which this attempt isn't counted, as nobody knows that it was begun: it waits again.

    A `suspect` may be what its container died of.
    """
    marked = {"suspect": True} if suspect else {}
    return Move(
        file.row,
        (*_held(file.claim or ""), Equal("claimed_at", file.claimed_at)),
        become={**_in_state(file.row, FileState.ARRIVED, now), **_waits(file.feed, now), **marked},
        drop=("claim", "run_id", "claimed_at", "trouble"),
        add={"attempts": -1},
        note=_note(FileState.ARRIVED, now, run=file.run_id, generation=file.generation),
    )


def finish(row: Row[FileRecord], token: str, result: Result, location: str, now: datetime) -> Move[FileRecord]:
    """Record that the file this claim holds is SUCCEEDED or INVALID.

    The result may be one that an earlier attempt, or an earlier owner, committed for this very generation.
    """
    become = {**_in_state(row, FileState(result.state), now), "result": location, "settled_at": to_iso(now)}
    told = _told(result.reason) if result.reason else None
    produced = outputs.told(result) if result.state == FileState.SUCCEEDED else None
    optional = {"reason": told, "code": told and told["code"], "rows": result.rows, "outputs": produced}
    return Move(
        row,
        (*_held(token), Equal("generation", result.work.generation)),
        become=become | {name: value for name, value in optional.items() if value is not None},
        drop=("trouble", "suspect", *(name for name, value in optional.items() if value is None)),
        note=_note(
            result.state,
            now,
            run=result.run_id,
            generation=result.work.generation,
            attempt=result.work.attempt,
            job=result.job_id,
            code=told and told["code"],
        ),
    )


def fail(
    row: Row[FileRecord],
    token: str,
    feed: str,
    failed: FileFailure,
    *,
    retry: datetime | None,
    now: datetime,
    attempt: int | None = None,
) -> Move[FileRecord]:
    """Record that a claimed file failed; with `retry` it waits again from then on, else people are asked.

    A claim's token holds for all its rounds: with `attempt` only the file of that round fails.
    """
    told = _told(failed.reason)
    settled = {"reason": told, "code": told["code"], "settled_at": to_iso(now)}
    become: dict[str, Any] = {**_in_state(row, FileState.FAILED, now), **settled}
    if retry:
        become |= _waits(feed, retry)
    if failed.memory:
        become["memory"] = failed.memory
    if failed.suspect:
        become["suspect"] = True
    of_round = () if attempt is None else (Equal("attempts", attempt),)
    note = _note(FileState.FAILED, now, attempt=attempt, code=told["code"])
    return Move(row, (*_held(token), *of_round), become=become, drop=("trouble",), note=note)


def trouble(row: Row[FileRecord], token: str, reason: Reason, now: datetime) -> Move[FileRecord]:
    """Write down what an attempt met with on a file that stays claimed, for whoever settles it if none does better."""
    told = _told(reason)
    return Move(row, _held(token), become={"trouble": told}, note=_note("trouble", now, code=told["code"]))


def shorten(file: FileRecord) -> Move[FileRecord] | None:
    """Take the middle out of a history that has grown too long; None where it hasn't. Refused where it has grown on."""
    left = history.shortened(file.history or ())
    if left is None:
        return None
    return Move(file.row, (Equal(history.NAME, file.history),), become={history.NAME: left})


def forget(file: FileRecord, who: str, why: str, now: datetime) -> Move[FileRecord]:
    """Keep of a file that no claim holds that it was, and who asked for all else to be erased, and why.

    It has a new generation, so that no run does what it planned with it before.
    """
    told = _told(Reason(FORGOTTEN, "erased, as somebody asked for it; its history says who, and why"))
    return Move(
        file.row,
        (*_unchanged(file), OneOf("state", (FileState.ARRIVED, *SETTLED_STATES))),
        become={
            **_in_state(file.row, FileState.INVALID, now),
            "generation": file.generation + 1,
            "attempts": 0,
            "forgotten_at": to_iso(now),
            "settled_at": to_iso(now),
            "reason": told,
            "code": told["code"],
        },
        drop=("open", "due_at", "trouble", "result", "rows", "outputs", "memory", "suspect"),
        note=_note(FORGOTTEN, now, who=who, why=why),
    )


def rehome(file: FileRecord, feed: str, now: datetime) -> Move[FileRecord]:
    """Have a file that no claim holds be another feed's: the one whose prefix its key begins with now."""
    waits = {"open": FileRecord.waiting(feed).name} if file.open else {}
    return Move(
        file.row,
        (
            Equal("feed", file.feed),
            Equal("state", file.state),
            Equal("generation", file.generation),
            Present("open") if file.open else Absent("open"),
        ),
        become={"feed": feed, "listed": listed.partition(feed, file.row), **waits},
        note=_note("moved", now, how=feed),
    )


def relist(file: FileRecord) -> Move[FileRecord]:
    """Put a file, as it is, into its place of the index `listed`: a version without that index moved it."""
    place = listed.place(file.row, file.state, listed.moved_at(file))
    become = {"listed": listed.partition(file.feed, file.row), "listed_at": place}
    code = {"code": file.reason.code} if file.reason else {}
    return Move(file.row, _unchanged(file), become=become | code, drop=() if code else ("code",))


def _note(what: str, now: datetime, **known: Any) -> dict[str, Any]:
    return history.note(at=to_iso(now), what=str(what), **known)


def _unchanged(file: FileRecord) -> tuple[Condition, ...]:
    same = tuple(Equal(name, getattr(file, name)) for name in ("feed", "state", "generation", "attempts"))
    return (*same, Equal("claim", file.claim) if file.claim else Absent("claim"))


def _in_state(row: Row[FileRecord], state: FileState, now: datetime) -> dict[str, Any]:
    return {"state": state, "listed_at": listed.place(row, state, now)}


def _taken(row: Row[FileRecord], token: str, run_id: str, now: datetime) -> dict[str, Any]:
    own = {"claim": token, "run_id": run_id, "claimed_at": to_iso(now)}
    return {**_in_state(row, FileState.CLAIMED, now), **own}


def _waits(feed: str, due: datetime) -> dict[str, str]:
    return {"open": FileRecord.waiting(feed).name, "due_at": to_iso(due)}


def _held(token: str) -> tuple[Condition, ...]:
    return Equal("state", FileState.CLAIMED), Equal("claim", token)


def _told(reason: Reason) -> dict[str, str]:
    bounded = reason.bounded()
    return {"code": bounded.code, "message": bounded.message}
