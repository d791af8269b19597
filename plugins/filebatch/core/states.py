"""What may become of a file, and of a run that claims files: each move as a value.

    ARRIVED ──claim──▶ CLAIMED ──▶ SUCCEEDED | INVALID | FAILED
       ▲                  │                                │
       └─────release──────┘        claim (attempts left) ◀─┘      redo: any settled state ─▶ CLAIMED, next generation

    run: PLANNED ─▶ CLAIMED ─▶ (a round's job) ─▶ SETTLED ─▶ ANNOUNCED

A `Move` names the item, the condition under which it may move, and what it becomes. `ledger.py` sends it; DynamoDB
decides it atomically, so that of any two movers one wins and the other is told. Nothing here does I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from filebatch.core.clock import to_iso
from filebatch.core.conditions import Absent, AnyOf, AtMost, Below, Condition, Equal, OneOf, Present
from filebatch.core.contract import FileVersion, Reason, Result

ARRIVED = "ARRIVED"
CLAIMED = "CLAIMED"
SUCCEEDED = "SUCCEEDED"
INVALID = "INVALID"
FAILED = "FAILED"
DONE = (SUCCEEDED, INVALID)
SETTLED_STATES = (SUCCEEDED, INVALID, FAILED)
FILE_STATES = (ARRIVED, CLAIMED, *SETTLED_STATES)

PLANNED = "PLANNED"
SETTLED = "SETTLED"
ANNOUNCED = "ANNOUNCED"

# What a worker may say of a whole unit, by what its exit code is called in failures.json.
UNIT_TROUBLES = ("bug", "configuration", "transient")

Key = tuple[str, str]

# What every item of a kind has, from its first write on.
FILE_ATTRIBUTES = (
    "feed",
    "bucket",
    "key",
    "version_id",
    "etag",
    "size",
    "last_modified",
    "file_time",
    "arrived_at",
    "state",
    "generation",
    "attempts",
)
RUN_ATTRIBUTES = ("feed", "run_id", "epoch", "cleared", "state", "round", "due_at")


@dataclass(frozen=True)
class Move:
    """One conditional update.

    Attributes:
        key: partition and sort key of the item.
        conditions: all of which must hold for the item as it is; none for a move that is always made.
        become: attributes that get a value.
        drop: attributes that go.
        add: numbers that are added to attributes.
    """

    key: Key
    conditions: tuple[Condition, ...]
    become: Mapping[str, Any] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    add: Mapping[str, int] = field(default_factory=dict)


def file_key(file: FileVersion) -> Key:
    """Return where the ledger keeps a file version: under `s3://bucket/key`, so that people find it by its key."""
    return file.uri, file.version


def file_key_of(item: Mapping[str, Any]) -> Key:
    """Return the key of an item of the ledger."""
    return item["pk"], item["sk"]


def run_key(feed: str, claim: str) -> Key:
    """Return where the ledger keeps a claim's owner record."""
    return f"run#{feed}", claim


def bell_key(feed: str) -> Key:
    """Return where the ledger keeps that a feed's bell has rung."""
    return f"feed#{feed}", "bell"


def sweep_key(feed: str) -> Key:
    """Return where the ledger keeps until when a feed's bucket was compared with it."""
    return f"feed#{feed}", "sweep"


def arrival_key(feed: str) -> Key:
    """Return where the ledger keeps when a feed's last file arrived."""
    return f"feed#{feed}", "arrival"


def open_files(feed: str) -> str:
    """Return the index partition of a feed's files that wait for a claim."""
    return f"file#{feed}"


def open_runs(feed: str) -> str:
    """Return the index partition of a feed's runs that aren't announced yet."""
    return f"run#{feed}"


# ---------------------------------------------------------------------------------------------------------- a file


def arrive(file: FileVersion, feed: str, file_time: datetime, now: datetime) -> dict[str, Any]:
    """Return the item of a file version that is new; written only where there is none."""
    pk, sk = file_key(file)
    return {
        "pk": pk,
        "sk": sk,
        "feed": feed,
        "bucket": file.bucket,
        "key": file.key,
        "version_id": file.version_id,
        "etag": file.etag,
        "size": file.size,
        "last_modified": file.last_modified,
        "file_time": to_iso(file_time),
        "arrived_at": to_iso(now),
        "state": ARRIVED,
        "generation": 1,
        "attempts": 0,
        "open": open_files(feed),
        "due_at": to_iso(now),
    }


def claim(key: Key, token: str, run_id: str, generation: int, now: datetime, *, asked: bool = False) -> Move:
    """Take a waiting file; one that has failed for good too, whatever its backoff, where somebody `asked` for it."""
    failed = (Equal("state", FAILED),) if asked else (Equal("state", FAILED), Present("open"))
    return Move(
        key,
        (Equal("generation", generation), AnyOf(((Equal("state", ARRIVED),), failed))),
        become={"state": CLAIMED, "claim": token, "run_id": run_id, "claimed_at": to_iso(now)},
        drop=("open", "due_at", "reason", "settled_at", "trouble"),
        add={"attempts": 1},
    )


def redo(key: Key, token: str, run_id: str, generation: int, now: datetime) -> Move:
    """Take a settled file as its next `generation`."""
    return Move(
        key,
        (Equal("generation", generation - 1), OneOf("state", SETTLED_STATES)),
        become={
            "state": CLAIMED,
            "claim": token,
            "run_id": run_id,
            "claimed_at": to_iso(now),
            "generation": generation,
            "attempts": 1,
        },
        drop=("open", "due_at", "reason", "settled_at", "trouble"),
    )


def release(key: Key, token: str, feed: str, now: datetime) -> Move:
    """Give back a claimed file that was never worked on."""
    return Move(
        key,
        _held(token),
        become={"state": ARRIVED, "open": open_files(feed), "due_at": to_iso(now)},
        drop=("claim", "run_id", "claimed_at", "trouble"),
        add={"attempts": -1},
    )


def finish(key: Key, token: str, result: Result, location: str, now: datetime) -> Move:
    """Record that the file this claim holds is SUCCEEDED or INVALID.

    The result may be one that an earlier attempt, or an earlier owner, committed for this very generation.
    """
    become: dict[str, Any] = {"state": result.state, "result": location, "settled_at": to_iso(now)}
    if result.reason:
        become["reason"] = {"code": result.reason.code, "message": result.reason.message}
    return Move(
        key,
        (*_held(token), Equal("generation", result.work.generation)),
        become={**become, "rows": result.rows},
        drop=("trouble",),
    )


def fail(
    key: Key, token: str, feed: str, reason: Reason, *, retry: datetime | None, now: datetime, memory: int | None = None
) -> Move:
    """Record that a claimed file failed; with `retry` it waits again from then on, else people are asked."""
    become: dict[str, Any] = {
        "state": FAILED,
        "reason": {"code": reason.code, "message": reason.message},
        "settled_at": to_iso(now),
    }
    if retry:
        become |= {"open": open_files(feed), "due_at": to_iso(retry)}
    if memory:
        become["memory"] = memory
    return Move(key, _held(token), become=become, drop=("trouble",))


def troubled(key: Key, token: str, reason: Reason) -> Move:
    """Write down what an attempt met with on a file that stays claimed, for whoever settles it if none does better."""
    return Move(key, _held(token), become={"trouble": {"code": reason.code, "message": reason.message}})


def _held(token: str) -> tuple[Condition, ...]:
    return Equal("state", CLAIMED), Equal("claim", token)


# ----------------------------------------------------------------------------------------------------------- a run


def open_run(feed: str, token: str, facts: Mapping[str, Any], *, heartbeat: timedelta, now: datetime) -> dict[str, Any]:
    """Return a claim's owner record; written only where there is none.

    Args:
        feed: feed name.
        token: the claim's token.
        facts: `run_id`; `epoch`, which claim of the run this is; `cleared`, how often the run had been cleared by
            then; `why`, what it is responsible for, for people.
        heartbeat: how long the run may go unheard of.
        now: the present moment.
    """
    pk, sk = run_key(feed, token)
    return {
        **facts,
        "pk": pk,
        "sk": sk,
        "feed": feed,
        "state": PLANNED,
        "round": 0,
        "opened_at": to_iso(now),
        "open": open_runs(feed),
        "due_at": to_iso(now + heartbeat),
    }


def empty_run(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the owner record of a run whose window or params named nothing to do: closed, nothing to announce.

    It is kept so that clearing the run later is known for doing it again.
    """
    closed = {name: value for name, value in record.items() if name not in ("open", "due_at")}
    return {**closed, "state": ANNOUNCED, "files": 0}


def claimed(feed: str, token: str, files: int, now: datetime) -> Move:
    """All of the plan that could be claimed is claimed."""
    return Move(
        run_key(feed, token),
        (Equal("state", PLANNED),),
        become={"state": CLAIMED, "files": files, "claimed_at": to_iso(now)},
    )


def start_round(
    feed: str, token: str, number: int, job: Mapping[str, Any], *, heartbeat: timedelta, now: datetime
) -> Move:
    """Begin a round, before its job is submitted; a settled run may begin another one.

    `job` is what a submission needs: `job_name`, number of `units`, MiB of `memory`.
    """
    return Move(
        run_key(feed, token),
        (Equal("round", number - 1), OneOf("state", (CLAIMED, SETTLED, ANNOUNCED))),
        become={
            **job,
            "state": CLAIMED,
            "round": number,
            "round_at": to_iso(now),
            "open": open_runs(feed),
            "due_at": to_iso(now + heartbeat),
        },
        drop=("job_id", "fence", "counts", "announcing_until", "notified_at", *map(trouble_of, UNIT_TROUBLES)),
    )


def trouble_of(code: str) -> str:
    """Return the attribute of an owner record that says why workers ended with a failure's exit code."""
    return f"trouble_{code}"


def unit_troubled(feed: str, token: str, number: int, reason: Reason) -> Move:
    """Write down what kept a worker of the round from its whole unit; of several with the same code, the last."""
    return Move(
        run_key(feed, token),
        (Equal("round", number), Equal("state", CLAIMED)),
        become={trouble_of(reason.code): reason.message},
    )


def submitted(feed: str, token: str, number: int, job_id: str) -> Move:
    """Write down the round's job, unless a child of another job was at work first."""
    return Move(
        run_key(feed, token),
        (Equal("round", number), _fenced_by(job_id)),
        become={"job_id": job_id},
    )


def fence(feed: str, token: str, number: int, job_id: str) -> Move:
    """Let one job of the round work: the one whose child comes first."""
    return Move(
        run_key(feed, token),
        (Equal("round", number), Equal("state", CLAIMED), _fenced_by(job_id)),
        become={"fence": job_id, "job_id": job_id},
    )


def _fenced_by(job_id: str) -> Condition:
    """No child of another job of the round was at work first."""
    return AnyOf(((Absent("fence"),), (Equal("fence", job_id),)))


def heartbeat(feed: str, token: str, *, heartbeat: timedelta, now: datetime) -> Move:
    """Say that the run is heard of: it is silent only after `heartbeat` from now."""
    return Move(run_key(feed, token), (Present("open"),), become={"due_at": to_iso(now + heartbeat)})


def settle(feed: str, token: str, counts: Mapping[str, int], now: datetime) -> Move:
    """All files of the run are settled or given back; what is settled is due for announcement."""
    return Move(
        run_key(feed, token),
        (OneOf("state", (PLANNED, CLAIMED, SETTLED)),),
        become={"state": SETTLED, "counts": dict(counts), "settled_at": to_iso(now), "due_at": to_iso(now)},
    )


def announcing(feed: str, token: str, *, until: datetime, now: datetime) -> Move:
    """Take it on to announce a settled run; whoever dies over it leaves it to the next after `until`."""
    return Move(
        run_key(feed, token),
        (
            Equal("state", SETTLED),
            AnyOf(((Absent("announcing_until"),), (Below("announcing_until", to_iso(now)),))),
        ),
        become={"announcing_until": to_iso(until)},
    )


def announced(feed: str, token: str, now: datetime) -> Move:
    """The run was announced, and is closed."""
    return Move(
        run_key(feed, token),
        (Equal("state", SETTLED),),
        become={"state": ANNOUNCED, "notified_at": to_iso(now)},
        drop=("open", "due_at", "announcing_until"),
    )


# -------------------------------------------------------------------------------------------------------- the bell


def ring(feed: str, rings: int, *, seen: str | None, now: datetime) -> Move:
    """Ring for the `rings`th time in a row without an answer; of two who saw the same bell, one rings.

    `seen` is when it rang last as the caller read it, None for a bell that is silent.
    """
    return Move(
        bell_key(feed),
        (Equal("rung_at", seen) if seen else Absent("rung_at"),),
        become={"rung_at": to_iso(now), "rings": rings},
    )


def answered(feed: str, began: datetime) -> Move:
    """Silence the bell: whatever it rang for before `began` has been looked at since, with success.

    A claim that fails leaves it, so that its failures are rung for ever more rarely.
    """
    return Move(bell_key(feed), (AtMost("rung_at", to_iso(began)),), drop=("rung_at", "rings"))


def swept(feed: str, definition: str, began: datetime, unmatched: int) -> Move:
    """Write down that all files older than `began` that the feed's `definition` means are in the ledger.

    `unmatched` is how many object versions lie under the feed's prefix that its pattern doesn't match.
    """
    become = {"swept_at": to_iso(began), "definition": definition, "unmatched": unmatched}
    return Move(sweep_key(feed), (), become=become)


def arrived(feed: str, now: datetime) -> Move:
    """Write down that a file of the feed has arrived."""
    return Move(arrival_key(feed), (), become={"arrived_at": to_iso(now)})
