"""What may become of a run that claims files: each move as a value. See `moves.py` for the states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from filebatch.core.clock import to_iso
from filebatch.core.conditions import Absent, AnyOf, Below, Condition, Equal, OneOf, Present
from filebatch.core.contract import Reason
from filebatch.core.moves import Move
from filebatch.core.records import UNIT_TROUBLES, RunRecord, RunState, trouble_of
from filebatch.core.usage import Billed


@dataclass(frozen=True)
class RoundJob:
    """What submitting a round's job needs: how many units it has, and MiB of its containers."""

    units: int
    memory: int


@dataclass(frozen=True)
class Asked:
    """Whose claim it is, and of what.

    Attributes:
        run_id: Airflow's run.
        epoch: which claim of it.
        cleared: how often it had been cleared.
        why: what it is responsible for.
        who: who asked for it, None where it began by itself.
        reason: why they did.
    """

    run_id: str
    epoch: int
    cleared: int
    why: str
    who: str | None = None
    reason: str | None = None


def begin(feed: str, token: str, asked: Asked, *, timeout: timedelta, now: datetime) -> RunRecord:
    """Return a claim's owner record; written only where there is none.

    Args:
        feed: feed name.
        token: the claim's token.
        asked: whose claim it is.
        timeout: how long after a heartbeat the run counts as dead.
        now: the present moment.
    """
    row = RunRecord.at(feed, token)
    return RunRecord(
        pk=row.pk,
        sk=row.sk,
        feed=feed,
        run_id=asked.run_id,
        epoch=asked.epoch,
        cleared=asked.cleared,
        why=asked.why,
        who=asked.who,
        reason=asked.reason,
        state=RunState.PLANNED,
        round=0,
        opened_at=to_iso(now),
        open=RunRecord.unannounced(feed).name,
        due_at=to_iso(now + timeout),
    )


def empty(record: RunRecord) -> RunRecord:
    """Return the owner record of a run whose window or params named nothing to do: closed, nothing to announce.

    It is kept so that clearing the run later is known for doing it again.
    """
    return replace(record, state=RunState.ANNOUNCED, open=None, due_at=None)


def claimed(record: RunRecord, files: int, now: datetime) -> Move[RunRecord]:
    """All of the plan that could be claimed is claimed."""
    return Move(
        record.row,
        (Equal("state", RunState.PLANNED),),
        become={"state": RunState.CLAIMED, "files": files, "claimed_at": to_iso(now)},
    )


def begin_round(record: RunRecord, job_name: str, *, timeout: timedelta, now: datetime) -> Move[RunRecord]:
    """Begin the round after the record's, before its files are claimed; a settled run may begin another one.

    A record is open before a file is claimed under it, so that whoever finds a claimed file finds who is to settle it.
    One that was closed before its first round stays closed: whoever closed it gave its files back.
    """
    settled = (RunState.SETTLED, RunState.ANNOUNCED) if record.round else ()
    return Move(
        record.row,
        (Equal("round", record.round), OneOf("state", (RunState.CLAIMED, *settled))),
        become={
            "job_name": job_name,
            "units": 0,
            "state": RunState.CLAIMED,
            "round": record.round + 1,
            "round_at": to_iso(now),
            "open": RunRecord.unannounced(record.feed).name,
            "due_at": to_iso(now + timeout),
        },
        drop=(
            *("job_id", "fence", "counts", "announcing_until", "notified_at", "told_unsettled_at", "put_off_since"),
            *map(trouble_of, UNIT_TROUBLES),
        ),
    )


def round_written(record: RunRecord, job: RoundJob) -> Move[RunRecord]:
    """The round's units are written: from now on its job may be submitted.

    Round and state are written too, as they are: so a refusal by a later round of the same size is known for one.
    """
    return Move(
        record.row,
        (Equal("round", record.round), Equal("state", RunState.CLAIMED), Absent("fence")),
        become={"units": job.units, "memory": job.memory, "round": record.round, "state": RunState.CLAIMED},
    )


def unit_trouble(feed: str, token: str, number: int, reason: Reason) -> Move[RunRecord]:
    """Write down what kept a worker of the round from its whole unit; of several with the same code, the last."""
    return Move(
        RunRecord.at(feed, token),
        (Equal("round", number), Equal("state", RunState.CLAIMED)),
        become={trouble_of(reason.code): reason.bounded().message},
    )


def submitted(record: RunRecord, job_id: str) -> Move[RunRecord]:
    """Write down the round's job, unless a child of another job was at work first."""
    return Move(
        record.row,
        (Equal("round", record.round), _fenced_by(job_id)),
        become={"job_id": job_id},
    )


def fence(feed: str, token: str, number: int, job_id: str) -> Move[RunRecord]:
    """Let one job of the round work: the one whose child comes first."""
    return Move(
        RunRecord.at(feed, token),
        (Equal("round", number), Equal("state", RunState.CLAIMED), _fenced_by(job_id)),
        become={"fence": job_id, "job_id": job_id},
    )


def _fenced_by(job_id: str) -> Condition:
    """No child of another job of the round was at work first."""
    return AnyOf(((Absent("fence"),), (Equal("fence", job_id),)))


def heartbeat(feed: str, token: str, *, timeout: timedelta, now: datetime) -> Move[RunRecord]:
    """Say that the run lives: it counts as dead only after `timeout` from now."""
    become = {"due_at": to_iso(now + timeout)}
    return Move(RunRecord.at(feed, token), (Present("open"),), become=become, drop=("put_off_since",))


def put_off(record: RunRecord, until: datetime, now: datetime) -> Move[RunRecord]:
    """Have a claim that is due for taking over, and can't be settled, ask for it again only at `until`."""
    return Move(
        record.row,
        (Equal("round", record.round), OneOf("state", (RunState.PLANNED, RunState.CLAIMED))),
        become={"due_at": to_iso(until), "put_off_since": record.overdue_since or to_iso(now)},
    )


def settle(
    record: RunRecord, counts: Mapping[str, int], now: datetime, billed: Billed | None = None
) -> Move[RunRecord]:
    """All files of the record's round are settled or given back; what is settled is due for announcement.

    What AWS bills for the round's containers is written down where it is known.
    """
    told = {"state": RunState.SETTLED, "counts": dict(counts), "settled_at": to_iso(now), "due_at": to_iso(now)}
    return Move(
        record.row,
        (
            Equal("round", record.round),
            OneOf("state", (RunState.PLANNED, RunState.CLAIMED, RunState.SETTLED)),
        ),
        become={**told, **(_billed(record, billed) if billed else {})},
        drop=("put_off_since",),
    )


def _billed(record: RunRecord, billed: Billed) -> dict[str, Any]:
    """Return what an owner record says of the bills of its rounds: whole numbers, rounded up."""
    number = str(record.round)
    parts = {number: billed.on_demand, f"{number}-spot": billed.spot}
    vcpu = {key: ceil(used.vcpu_seconds) for key, used in parts.items()}
    gib = {key: ceil(used.gib_seconds) for key, used in parts.items()}
    return {
        "billed_containers": {**(record.billed_containers or {}), number: billed.containers},
        "billed_vcpu_seconds": {**(record.billed_vcpu_seconds or {}), **vcpu},
        "billed_gib_seconds": {**(record.billed_gib_seconds or {}), **gib},
        **({"billed_estimated": True} if billed.estimated else {}),
    }


def announcing(record: RunRecord, *, until: datetime, now: datetime) -> Move[RunRecord]:
    """Take it on to announce a settled run; if that fails, it is due again after `until`."""
    return Move(
        record.row,
        (
            Equal("state", RunState.SETTLED),
            AnyOf(((Absent("announcing_until"),), (Below("announcing_until", to_iso(now)),))),
        ),
        become={"announcing_until": to_iso(until), "due_at": to_iso(until)},
    )


def postpone(record: RunRecord, until: datetime) -> Move[RunRecord]:
    """Have a settled run that nobody announces ask for it again only at `until`."""
    return Move(
        record.row,
        (Equal("round", record.round), Equal("state", RunState.SETTLED)),
        become={"due_at": to_iso(until)},
    )


def told_unsettled(record: RunRecord, now: datetime) -> Move[RunRecord]:
    """Take it on to tell that a round ended before it was settled; once a round."""
    return Move(
        record.row,
        (
            Equal("round", record.round),
            OneOf("state", (RunState.PLANNED, RunState.CLAIMED)),
            Absent("told_unsettled_at"),
        ),
        become={"told_unsettled_at": to_iso(now)},
    )


def announced(record: RunRecord, now: datetime) -> Move[RunRecord]:
    """The run was announced, and is closed."""
    return Move(
        record.row,
        (Equal("round", record.round), Equal("state", RunState.SETTLED)),
        become={"state": RunState.ANNOUNCED, "notified_at": to_iso(now)},
        drop=("open", "due_at", "announcing_until"),
    )
