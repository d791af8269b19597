"""One taxonomy of failures: `failures.json`, read by Terraform, the local AWS, the worker and the settling alike.

Batch's own retries (`evaluate_on_exit`) and filebatch's (`Failure.retry`) come from the same document.
Rules: https://docs.aws.amazon.com/batch/latest/userguide/job_definition_parameters.html#retryStrategy
`words` are how a container's reason or a job's statusReason begins; AWS promises neither which of the two has them.
Containers: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
Queues: https://docs.aws.amazon.com/batch/latest/userguide/job_stuck_in_runnable.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

DOCUMENT = Path(__file__).with_name("failures.json")

BACKOFF_SECONDS = 60
MAX_BACKOFF_SECONDS = 3600


@dataclass(frozen=True)
class Failure:
    """One row of the taxonomy.

    Attributes:
        code: its name.
        retry: whether filebatch tries the file again by itself.
        blame: whose it is: supplier, us, aws.
        meaning: one sentence for people.
        do: what people do about it; `{retry}` stands for the command that has the file tried again.
        memory_factor: what the container's memory is multiplied with on the next try.
        started: whether its container had begun to work.
        from_outside: whether somebody else ended a container that was at work.
    """

    code: str
    retry: bool
    blame: str
    meaning: str
    do: str
    memory_factor: int = 1
    started: bool = True
    from_outside: bool = False


@dataclass(frozen=True)
class Ending:
    """How a Batch job or child ended, in DescribeJobs' words."""

    status: str
    exit_code: int | None = None
    reason: str = ""
    status_reason: str = ""


@cache
def document() -> Mapping[str, Any]:
    """Return the taxonomy as written down."""
    loaded: Mapping[str, Any] = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    return loaded


def failure(code: str) -> Failure:
    """Return the row called `code`; KeyError for an unknown one."""
    row = document()["failures"][code]
    optional = {name: row[name] for name in ("memory_factor", "started", "from_outside") if name in row}
    return Failure(code, row["retry"], row["blame"], row["meaning"], row["do"], **optional)


def exit_code(code: str) -> int:
    """Return the worker's exit code (sysexits) for a failure that has one."""
    return int(document()["failures"][code]["exit_code"])


def worker_exit(codes: Iterable[str]) -> str:
    """Return the failure that tells the exit code of a worker in which failures `codes` occurred.

    Of several it is the one that asks for most, as `worker_exits` lists them: another attempt comes first. The worker's
    own MemoryError leaves none of Batch's words and is not for Batch to try again.

    Raises ValueError for a failure that the worker doesn't tell, and where there is none.
    """
    exits: Mapping[str, str] = document()["worker_exits"]
    return exits[min(codes, key=[*exits].index)]


def evaluate_on_exit() -> list[dict[str, str]]:
    """Return Batch's retry rules, at most five, first match wins."""
    return list(document()["evaluate_on_exit"])


def classify(ending: Ending | None) -> Failure:
    """Name the failure of files that a job left behind without a word of the worker.

    Batch's words come before exit codes, as a killed container has the same code whatever killed it. Of several rows
    whose words are found the first counts: "Task failed to start" beside "CannotPullContainerError: …" says less.

    Args:
        ending: how the job ended; None if Batch no longer knows it.
    """
    if ending is None:
        return failure("vanished")
    rows = document()["failures"].items()
    for code, row in rows:
        if _matches(ending.reason, row) or _matches(ending.status_reason, row):
            return failure(code)
    for code, row in rows:
        if ending.exit_code is not None and row.get("exit_code") == ending.exit_code:
            return failure(code)
    return failure("unknown" if ending.exit_code is None else "bug")


def needed_memory(failed: Failure, memory: int) -> int | None:
    """Return the MiB that the next attempt needs at least, after one that had `memory`; None for the feed's."""
    return memory * failed.memory_factor if failed.memory_factor > 1 else None


def died_at_work(failed: Failure, ending: Ending | None) -> bool:
    """Tell whether a container ended in the middle of a file: it had started, and its exit code isn't the worker's."""
    return failed.started and ending is not None and ending.exit_code not in _own_exit_codes()


def _own_exit_codes() -> set[int | None]:
    own = ("invalid", "bug", "transient", "configuration")
    return {0, *(document()["failures"][code]["exit_code"] for code in own)}


def _matches(text: str, row: Mapping[str, Any]) -> bool:
    return any(fnmatchcase(text, words) for words in row.get("words", ()))


def retry_at(failed: Failure, attempts: int, max_attempts: int, now: datetime) -> datetime | None:
    """Return when a file that failed `attempts` times is due again, or None if filebatch won't try by itself."""
    if not failed.retry or attempts >= max_attempts:
        return None
    return now + backoff(attempts)


def backoff(times: int) -> timedelta:
    """Return the pause after what failed `times` times in a row: a minute, doubling up to an hour."""
    return timedelta(seconds=min(BACKOFF_SECONDS * 2 ** min(times - 1, 16), MAX_BACKOFF_SECONDS))


def is_ours(code: str) -> bool:
    """Tell whether a failure is ours to do something about: not the supplier's, and not AWS's."""
    return bool(document()["failures"].get(code, {}).get("blame", "us") == "us")
