"""What the queries find as JSON values: the same for the command line's `--json` and the Files page."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from filebatch.core.listed import ListedFile
from filebatch.core.records import RunRecord
from filebatch.queries import files
from filebatch.queries.advice import Told
from filebatch.queries.overview import Overview
from filebatch.queries.run_files import RunFiles
from filebatch.runs import report
from filebatch.runs.report import Shown


def of_file(file: ListedFile) -> dict[str, Any]:
    """Return a file as JSON values."""
    return {
        "key": file.key,
        "version": file.sk,
        "state": str(file.state),
        "since": file.since,
        "code": file.code,
        "size": file.size,
        "run_id": file.run_id,
    }


def of_feed(found: Overview) -> dict[str, Any]:
    """Return a feed as JSON values; a count that ended early has `more`."""
    counts = {str(state): {"number": each.number, "more": each.more} for state, each in found.counts.items()}
    return {
        "feed": found.feed,
        "counts": counts,
        "oldest_waiting": found.oldest_waiting,
        "last_arrival": found.last_arrival,
        "last_hour": {str(state): each.number for state, each in found.last_hour.items()},
        "failure_rate": found.failure_rate,
        "held": found.held,
    }


def of_told(told: Told) -> dict[str, Any]:
    """Return what is said of a key as JSON values."""
    return {
        "key": told.key,
        "feed": told.feed,
        "state": told.state,
        "said": list(told.said),
        "next": told.next,
        "timeline": [asdict(each) for each in told.timeline],
    }


def of_run(found: RunFiles) -> dict[str, Any]:
    """Return a page of a run's files, the worst first, and what the run came to; None where it claimed nothing."""
    record = found.record
    return {
        "outcome": _outcome(record) if record else None,
        "job": record.job if record else None,
        "why": record.why if record else None,
        "files": [of_file(files.as_listed(file)) for file in report.worst_first(found.files)],
        "cursor": found.more,
    }


def _outcome(record: RunRecord) -> str:
    return "not settled yet" if record.counts is None else report.counted(record.counts)


def of_log(found: Shown | None) -> dict[str, Any]:
    """Return what a container wrote of a file, with its job and addresses in the console; None for what isn't known."""
    if found is None:
        return {"job": None, "job_url": None, "url": None, "lines": []}
    return {"job": found.job_id, "job_url": found.page, "url": found.log, "lines": list(found.lines)}
