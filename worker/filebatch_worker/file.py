"""One file: fetch, process, stage, commit; and what went wrong with it, in the taxonomy's words."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filebatch.core import clock, paths, usage
from filebatch.core.contract import Output, Reason, Result, Unit, Work
from filebatch.core.errors import ConfigurationError, ContractError
from filebatch.core.ledger import Ledger
from filebatch.core.records import FileState
from filebatch.core.results import read_result
from filebatch_worker import __version__, processor, reasons, refusals, returned
from filebatch_worker.ahead import Ahead
from filebatch_worker.calling import call
from filebatch_worker.commit import commit, quarantine, stage
from filebatch_worker.fetch import Unreadable
from filebatch_worker.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class UnitContext:
    """What is at hand for every file of a unit."""

    s3: Any
    ledger: Ledger
    settings: Settings
    unit: Unit
    process: processor.Processor


@dataclass(frozen=True)
class _Became:
    """The part of a result that depends on how processing ended."""

    state: str
    outputs: tuple[Output, ...] = ()
    rows: int | None = None
    reason: Reason | None = None
    quarantine: str | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)


def committed_earlier(ctx: UnitContext, work: Work) -> Result | None:
    """Return what an earlier attempt committed for this generation; nobody came before a first attempt."""
    if ctx.settings.attempt == 1 and work.attempt == 1:
        return None
    return read_result(ctx.s3, ctx.settings.results_bucket, ctx.unit.feed, work)


def do(ctx: UnitContext, work: Work, ahead: Ahead) -> Result:
    """Process one file, fetched by `ahead`, and commit its result, SUCCEEDED or INVALID.

    Raises:
        LostClaim: the file is no longer this claim's.
        Exception: whatever `classify` gives a name to.
    """
    began, started = time.monotonic(), clock.to_iso(clock.now())
    timings = dict.fromkeys(("fetch", "process", "upload"), 0.0)
    try:
        with ahead.fetched(work) as (workdir, source):
            processed, outputs = _produce(ctx, work, workdir, source, timings)
    except processor.InvalidFile as error:
        readable = not isinstance(error, Unreadable)
        told = reasons.whole(returned.check_invalid(error))
        kept = quarantine(ctx.s3, ctx.settings.results_bucket, ctx.unit.feed, work, told, readable=readable)
        reason = reasons.of_invalid(error, show_values=ctx.unit.show_values)
        became = _Became(FileState.INVALID, reason=reason, quarantine=kept)
    else:
        became = _Became(FileState.SUCCEEDED, outputs, processed.rows, notes=processed.notes)
    result = Result(
        feed=ctx.unit.feed,
        work=work,
        claim=ctx.unit.claim,
        run_id=ctx.unit.run_id,
        job_id=ctx.settings.job_id,
        timings={name: round(seconds, 3) for name, seconds in timings.items()},
        used=_used(ctx.settings, time.monotonic() - began),
        worker=__version__,
        started_at=started,
        committed_at=clock.to_iso(clock.now()),
        **vars(became),
    )
    return commit(ctx.s3, ctx.settings.results_bucket, ctx.ledger, result)


def classify(error: Exception) -> str:
    """Return the taxonomy's code for what a file's processing raised.

    A processor's own error is a bug unless it says otherwise. AWS's and the network's are transient where they are
    known to pass; whatever else AWS refuses is ours to set right.
    """
    error = refusals.cause(error)
    if isinstance(error, MemoryError):
        return "out_of_memory"
    if isinstance(error, processor.TransientError) or refusals.is_transient(error):
        return "transient"
    ours = isinstance(error, (ConfigurationError, ContractError, processor.ConfigurationError))
    return "configuration" if ours or refusals.is_permanent(error) else "bug"


def _used(settings: Settings, seconds: float) -> dict[str, float] | None:
    """Return the file's share of its container; what comes before and after its files is no file's."""
    return None if settings.vcpu is None else usage.of_container(seconds, settings.vcpu, settings.memory).to_json()


def _produce(
    ctx: UnitContext, work: Work, workdir: Path, fetched: Future[processor.Source], timings: dict[str, float]
) -> tuple[processor.Processed, tuple[Output, ...]]:
    with _Timed(timings, "fetch"):
        source = fetched.result()
    with _Timed(timings, "process"):
        processed = returned.check(call(ctx.process, source, workdir, ctx.unit.options))
    prefix = f"{paths.of_generation(paths.RESULTS, ctx.unit.feed, work)}{ctx.settings.attempt_name}/"
    with _Timed(timings, "upload"):
        outputs = stage(ctx.s3, ctx.settings.results_bucket, prefix, processed.outputs)
    return processed, outputs


class _Timed:
    """Adds the seconds of a block to one of the timings."""

    def __init__(self, timings: dict[str, float], name: str) -> None:
        self._timings, self._name = timings, name

    def __enter__(self) -> None:
        self._began = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._timings[self._name] = time.monotonic() - self._began
