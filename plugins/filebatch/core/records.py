"""What the ledger holds, with types: a file, and a claim of a run; what it holds of a feed is in `feed_records.py`.

These are the places that know the attributes of DynamoDB's items. An attribute that this version doesn't know is kept
in `more` and written back, so that an older worker meets a newer ledger and the other way round.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from filebatch.core.contract import FileVersion, Reason, Work
from filebatch.core.record import Record
from filebatch.core.rows import Partition, Row


class FileState(StrEnum):
    """What may be said of a file."""

    ARRIVED = "ARRIVED"
    CLAIMED = "CLAIMED"
    SUCCEEDED = "SUCCEEDED"
    INVALID = "INVALID"
    FAILED = "FAILED"


class RunState(StrEnum):
    """What may be said of a claim of a run."""

    PLANNED = "PLANNED"
    CLAIMED = "CLAIMED"
    SETTLED = "SETTLED"
    ANNOUNCED = "ANNOUNCED"


DONE = (FileState.SUCCEEDED, FileState.INVALID)
SETTLED_STATES = (*DONE, FileState.FAILED)

# Codes of failures.json that a worker may give as the reason why nothing of its unit could be done.
UNIT_TROUBLES = ("bug", "configuration", "transient")


@dataclass(frozen=True, kw_only=True)
class FileRecord(Record):
    """A file version as the ledger has it; times are ISO 8601, UTC. Kept under `s3://BUCKET/KEY`, by version.

    Attributes:
        feed: name of the feed it belongs to.
        bucket: bucket name.
        key: the key as S3 has it.
        version_id: S3's version id.
        etag: entity tag without quotes.
        size: bytes.
        last_modified: when S3 got it.
        file_time: the time the file is about.
        arrived_at: when it was recorded.
        state: what became of it.
        generation: which time it is processed, from 1.
        attempts: how often this generation was claimed.
        open: partition of the index `open` while it waits for a claim.
        due_at: from when on it may be claimed, while it waits.
        claim: token of the claim that has it, or had it last.
        run_id: Airflow's run of that claim.
        claimed_at: when that was.
        settled_at: when it became SUCCEEDED, INVALID or FAILED.
        reason: why it is INVALID or FAILED.
        trouble: what its latest attempt met with, while it stays claimed.
        result: URI of its `_result.json`.
        rows: rows read, where the processor counts them.
        memory: MiB that the next attempt needs at least, after one that ran out of memory.
        suspect: whether its container died while it may have been at work, so that it gets a container of its own.
        listed: partition of the index `listed`.
        listed_at: its place there, by state and time (`listed.py`).
        code: the reason's code, which the index has too.
        history: what happened to it, as it was written down (`history.py`).
        outputs: the objects of its result (`outputs.py`).
        forgotten_at: when all that was kept of its content was erased; nothing is done with it any more.
    """

    feed: str
    bucket: str
    key: str
    version_id: str
    etag: str
    size: int
    last_modified: str
    file_time: str
    arrived_at: str
    state: FileState
    generation: int
    attempts: int
    open: str | None = None
    due_at: str | None = None
    claim: str | None = None
    run_id: str | None = None
    claimed_at: str | None = None
    settled_at: str | None = None
    reason: Reason | None = None
    trouble: Reason | None = None
    result: str | None = None
    rows: int | None = None
    memory: int | None = None
    suspect: bool | None = None
    listed: str | None = None
    listed_at: str | None = None
    code: str | None = None
    history: list[Any] | None = None
    outputs: list[Any] | None = None
    forgotten_at: str | None = None

    @staticmethod
    def at(file: FileVersion) -> Row[FileRecord]:
        """Return where a file version is kept, so that people find it by its key."""
        return Row(FileRecord, file.uri, file.version)

    @staticmethod
    def waiting(feed: str) -> Partition[FileRecord]:
        """Return the partition of a feed's files that wait for a claim."""
        return Partition(FileRecord, f"file#{feed}")

    @property
    def file(self) -> FileVersion:
        """The file version."""
        return FileVersion(self.bucket, self.key, self.version_id, self.etag, self.size, self.last_modified)

    @property
    def work(self) -> Work:
        """What a claimed file gives a worker to do."""
        return Work(self.file, self.file_time, self.generation, self.attempts)

    def is_held_by(self, claim: str, generation: int) -> bool:
        """Tell whether the file is this claim's, in this generation, and not settled yet."""
        return self.state is FileState.CLAIMED and (self.claim, self.generation) == (claim, generation)


@dataclass(frozen=True, kw_only=True)
class RunRecord(Record):
    """One claim of one run: the claim's owner record. Times are ISO 8601, UTC. Kept under `run#FEED`, by its token.

    Attributes:
        feed: feed name.
        run_id: Airflow's run.
        epoch: which claim of the run this is, from 1.
        cleared: how often the run had been cleared by then.
        why: what it is responsible for, for people.
        who: who asked for it, by Airflow's name of them; nobody where it began by itself.
        reason: why they asked for it, in their words.
        state: how far it is.
        round: the latest round, 0 before the first.
        opened_at: when it began.
        open: partition of the index `open` until it is announced.
        due_at: until when its next heartbeat is expected; once settled, since when it is due for announcement.
        put_off_since: since when it is due for taking over and could not be settled.
        files: how many files it claimed.
        claimed_at: when it had claimed them.
        job_name: name of the round's job.
        units: how many units the round has.
        memory: MiB of the round's containers.
        round_at: when the round began.
        job_id: the round's job, as whoever submitted it wrote down.
        fence: the round's job whose child was at work first.
        trouble_bug: why a worker ended with this failure's exit code; of several, what the last one wrote down.
        trouble_configuration: likewise.
        trouble_transient: likewise.
        counts: files by state, once settled.
        billed_containers: containers of each settled round, by its number; `runs/billing.py` has these four.
        billed_vcpu_seconds: vCPU·s that AWS bills for them, by round; what ran on Spot is that of ROUND-spot.
        billed_gib_seconds: GiB·s, likewise.
        billed_estimated: whether some containers were taken to be like the others.
        settled_at: when it was settled.
        announcing_until: until when somebody is announcing it.
        notified_at: when it was announced.
        told_unsettled_at: when people were told that the round ended before it was settled.
    """

    feed: str
    run_id: str
    epoch: int
    cleared: int
    state: RunState
    round: int
    why: str = ""
    who: str | None = None
    reason: str | None = None
    opened_at: str = ""
    open: str | None = None
    due_at: str | None = None
    put_off_since: str | None = None
    files: int = 0
    claimed_at: str | None = None
    job_name: str | None = None
    units: int = 0
    memory: int = 0
    round_at: str | None = None
    job_id: str | None = None
    fence: str | None = None
    trouble_bug: str | None = None
    trouble_configuration: str | None = None
    trouble_transient: str | None = None
    counts: Mapping[str, int] | None = None
    billed_containers: Mapping[str, int] | None = None
    billed_vcpu_seconds: Mapping[str, int] | None = None
    billed_gib_seconds: Mapping[str, int] | None = None
    billed_estimated: bool | None = None
    settled_at: str | None = None
    announcing_until: str | None = None
    notified_at: str | None = None
    told_unsettled_at: str | None = None

    @staticmethod
    def at(feed: str, token: str) -> Row[RunRecord]:
        """Return where a claim's owner record is kept."""
        return Row(RunRecord, f"run#{feed}", token)

    @staticmethod
    def unannounced(feed: str) -> Partition[RunRecord]:
        """Return the partition of a feed's runs that aren't announced yet."""
        return Partition(RunRecord, f"run#{feed}")

    @property
    def token(self) -> str:
        """The claim's token."""
        return self.sk

    @property
    def job(self) -> str | None:
        """The round's job: the one at work, else the one that was submitted."""
        return self.fence or self.job_id

    @property
    def overdue_since(self) -> str | None:
        """Since when it is due, however often it was put off."""
        return self.put_off_since or self.due_at

    @property
    def is_settled(self) -> bool:
        """Whether nothing of it is left to settle."""
        return self.state in (RunState.SETTLED, RunState.ANNOUNCED)

    def trouble(self, code: str) -> str:
        """Return what a worker wrote down when it ended with a failure's exit code, "" for nothing."""
        return str(getattr(self, trouble_of(code)) or "") if code in UNIT_TROUBLES else ""


def trouble_of(code: str) -> str:
    """Return the attribute of an owner record that says why workers ended with a failure's exit code."""
    return f"trouble_{code}"
