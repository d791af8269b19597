"""Settled claims as files for DuckDB and Athena: one NDJSON each, a line for each file, below the day the claim began.

`history/FEED/date=YYYY-MM-DD/CLAIM.ndjson` in the results bucket (docs/history.md). A claim that is settled again has
its file written again, so nothing is there twice. It is a copy: the ledger is the truth.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from filebatch.core import paths
from filebatch.core.records import FileRecord, RunRecord
from filebatch.runs.context import FeedContext

log = logging.getLogger(__name__)


def write(ctx: FeedContext, record: RunRecord, files: Sequence[FileRecord]) -> None:
    """Write a settled claim's file; where S3 refuses, that is logged, and people are told of the run all the same."""
    body = "".join(json.dumps(line(record, file)) + "\n" for file in files)
    key = paths.history(ctx.feed.name, record.opened_at[:10], record.token)
    try:
        ctx.s3.put_object(Bucket=ctx.results, Key=key, Body=body.encode(), ContentType="application/x-ndjson")
    except (ClientError, BotoCoreError) as error:
        log.error("the history of run %s is not written: %s: %s", record.run_id, key, error)  # noqa: TRY400 - it is whole


def line(record: RunRecord, file: FileRecord) -> dict[str, Any]:
    """Return one file of a claim as its line has it; times are ISO 8601, UTC, sizes bytes.

    Of a reason it has the code alone: its words may quote a file that somebody wants forgotten.
    """
    return {
        "feed": record.feed,
        "run_id": record.run_id,
        "claim": record.token,
        "round": record.round,
        "job_id": record.job,
        "key": file.key,
        "version": file.version_id,
        "generation": file.generation,
        "attempts": file.attempts,
        "state": str(file.state),
        "code": file.reason.code if file.reason else None,
        "size": file.size,
        "rows": file.rows,
        "file_time": file.file_time,
        "arrived_at": file.arrived_at,
        "claimed_at": file.claimed_at,
        "settled_at": file.settled_at,
        "result": file.result,
    }
