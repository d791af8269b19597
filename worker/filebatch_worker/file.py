"""One file: fetch, process, stage, commit; and what went wrong with it, in the taxonomy's words."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filebatch.core import clock, paths, usage
from filebatch.core.contract import Output, Reason, Result, Unit, Work
from filebatch.core.errors import ConfigurationError, ContractError
from filebatch.core.ledger import Ledger
from filebatch.core.parallel import side_by_side
from filebatch.core.records import FileState
from filebatch.core.results import read_result
from filebatch_worker import __version__, commit, processor, reasons, refusals, returned
from filebatch_worker.ahead import SMALL
from filebatch_worker.calling import call
from filebatch_worker.fetch import Unreadable, fetch
from filebatch_worker.settings import Settings

LONG_UPLOAD = 5.0  # seconds
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class UnitContext:
    """What is at hand for every file of a unit."""

    s3: Any
    ledger: Ledger
    settings: Settings
    unit: Unit
    process: processor.Processor


@dataclass(frozen=True)
class Made:
    """What processing made of a file: what it became, or what is wrong with it.

    Attributes:
        outcome: the processor's word.
        started: ISO 8601.
        timings: seconds of fetch and process.
        is_large: whether it has the container for itself until it is delivered: the file, what was made of it and what
            the processor left behind take so much of the disk.
    """

    outcome: processor.Processed | processor.InvalidFile
    started: str
    timings: Mapping[str, float]
    is_large: bool


@dataclass(frozen=True)
class _Became:
    """The part of a result that depends on how processing ended."""

    state: str
    outputs: tuple[Output, ...] = ()
    rows: int | None = None
    reason: Reason | None = None
    quarantine: str | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)


def fetched(ctx: UnitContext, work: Work, folder: Path) -> Result | processor.Source:
    """Return what an earlier attempt committed for this generation, else the file, fetched into `folder`."""
    return _committed_earlier(ctx, work) or fetch(ctx.s3, work.file, folder)


def _committed_earlier(ctx: UnitContext, work: Work) -> Result | None:
    if ctx.settings.attempt == 1 and work.attempt == 1:
        return None  # nobody came before
    return read_result(ctx.s3, ctx.settings.results_bucket, ctx.unit.feed, work)


def make(ctx: UnitContext, fetching: Future[Result | processor.Source], workdir: Path) -> Result | Made:
    """Have a file processed in `workdir` once it is there; return an earlier attempt's result, if there is one.

    Raises:
        Exception: whatever `classify` gives a name to.
    """
    started, timings = clock.to_iso(clock.now()), dict.fromkeys(("fetch", "process"), 0.0)
    outcome: processor.Processed | processor.InvalidFile
    try:
        with _Timed(timings, "fetch"):
            source = fetching.result()
        if isinstance(source, Result):
            return source
        with _Timed(timings, "process"):
            outcome = returned.check(call(ctx.process, source, workdir, ctx.unit.options))
    except processor.InvalidFile as error:
        outcome = error
    return Made(outcome, started, timings, is_large=_taken(workdir) > SMALL)


def _taken(folder: Path) -> int:
    """Return how many bytes lie below a folder."""
    return sum(found.lstat().st_size for found in folder.rglob("*"))


def deliver(ctx: UnitContext, work: Work, made: Made) -> Result:
    """Upload what was made of a file and commit its result, SUCCEEDED or INVALID; return the one that counts.

    The ledger is asked beside the upload whether the file is still this claim's; after one that takes long, again.

    Raises:
        LostClaim: the file is no longer this claim's.
        Exception: whatever `classify` gives a name to.
    """
    timings = {**made.timings, "upload": 0.0}
    both: list[Callable[[], Any]] = [
        lambda: commit.check_held(ctx.ledger, ctx.unit.claim, work),
        lambda: _uploaded(ctx, work, made.outcome),
    ]
    with _Timed(timings, "upload"):
        _, became = side_by_side(lambda do: do(), both)
    result = Result(
        feed=ctx.unit.feed,
        work=work,
        claim=ctx.unit.claim,
        run_id=ctx.unit.run_id,
        job_id=ctx.settings.job_id,
        timings={name: round(seconds, 3) for name, seconds in timings.items()},
        used=_used(ctx.settings, made, timings["upload"]),
        worker=__version__,
        started_at=made.started,
        committed_at=clock.to_iso(clock.now()),
        **vars(became),
    )
    if timings["upload"] > LONG_UPLOAD:
        return commit.commit(ctx.s3, ctx.settings.results_bucket, ctx.ledger, result)
    return commit.write(ctx.s3, ctx.settings.results_bucket, result)


def _uploaded(ctx: UnitContext, work: Work, outcome: processor.Processed | processor.InvalidFile) -> _Became:
    """Stage a result's outputs, or quarantine the file."""
    bucket, feed = ctx.settings.results_bucket, ctx.unit.feed
    if isinstance(outcome, processor.Processed):
        prefix = f"{paths.of_generation(paths.RESULTS, feed, work)}{ctx.settings.attempt_name}/"
        outputs = commit.stage(ctx.s3, bucket, prefix, outcome.outputs)
        return _Became(FileState.SUCCEEDED, outputs, outcome.rows, notes=outcome.notes)
    told = reasons.whole(returned.check_invalid(outcome))
    kept = commit.quarantine(ctx.s3, bucket, feed, work, told, readable=not isinstance(outcome, Unreadable))
    reason = reasons.of_invalid(outcome, show_values=ctx.unit.show_values)
    return _Became(FileState.INVALID, reason=reason, quarantine=kept)


def classify(error: Exception) -> str:
    """Return the taxonomy's code for what a file's processing raised.

    A processor's own error is a bug unless it says otherwise. AWS's and the network's are transient where they are
    known to pass; whatever else AWS refuses is ours to set right.
    """
    error = refusals.cause(error)
    if isinstance(error, MemoryError):
        return "out_of_memory"
    if isinstance(error, OSError) and error.errno in NO_SPACE:
        return "disk_full"
    if isinstance(error, processor.TransientError) or refusals.is_transient(error):
        return "transient"
    ours = isinstance(error, (ConfigurationError, ContractError, processor.ConfigurationError))
    return "configuration" if ours or refusals.is_permanent(error) else "bug"


def _used(settings: Settings, made: Made, upload: float) -> dict[str, float] | None:
    """Return the file's share of its container, which is at one file at a time: small uploads are beside the next ones.

    What comes before and after its files is no file's.
    """
    if settings.vcpu is None:
        return None
    seconds = sum(made.timings.values()) + (upload if made.is_large else 0.0)
    return usage.of_container(seconds, settings.vcpu, settings.memory).to_json()


class _Timed:
    """Adds the seconds of a block to one of the timings."""

    def __init__(self, timings: dict[str, float], name: str) -> None:
        self._timings, self._name = timings, name

    def __enter__(self) -> None:
        self._began = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._timings[self._name] = time.monotonic() - self._began
