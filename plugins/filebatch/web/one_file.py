"""One file as a JSON document: its story in plain words, its versions, and what its result says of its content."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from botocore.exceptions import ClientError

from filebatch.core import aws_errors, clock, paths
from filebatch.core.records import FileRecord, FileState
from filebatch.queries import advice, documents, story, timeline
from filebatch.runs.context import FeedContext

PROFILE = "profile.json"
MAX_PROFILE = 2**20  # bytes; a larger one is for programs rather than for a page
SHOWN = ("name", "type", "nulls", "min", "max", "distinct")  # of a column


def of_key(ctx: FeedContext, key: str) -> dict[str, Any]:
    """Return what is known of a key of the feed; 5 requests where the ledger knows it."""
    found = story.of_key(ctx, key)
    newest = found.newest
    return {
        **documents.of_told(advice.of_story(found, clock.now())),
        "versions": [_version(file) for file in found.records[: timeline.SHOWN_VERSIONS]],
        "job": found.run.job if found.run else None,
        "profile": profile(ctx, newest) if newest and newest.state is FileState.SUCCEEDED else None,
    }


def _version(file: FileRecord) -> Mapping[str, Any]:
    return {
        "version": file.version_id,
        "state": file.state,
        "size": file.size,
        "generation": file.generation,
        "attempts": file.attempts,
        "run_id": file.run_id,
        "rows": file.rows,
        "result": file.result,
        "reason": asdict(file.reason) if file.reason else None,
    }


def profile(ctx: FeedContext, file: FileRecord) -> list[dict[str, Any]] | None:
    """Return each column's name, type, nulls and range; None where the result has no profile that a page can show."""
    # The place follows from the file and not from what a worker wrote, who might name another feed's.
    key = paths.of_generation(paths.RESULTS, ctx.feed.name, file.work) + PROFILE
    try:
        answer = ctx.s3.get_object(Bucket=ctx.results, Key=key)
    except ClientError as error:
        if aws_errors.is_not_there(error):
            return None
        raise
    if answer["ContentLength"] > MAX_PROFILE:
        return None
    return columns(answer["Body"].read())


def columns(content: bytes) -> list[dict[str, Any]] | None:
    """Return the columns of a `profile.json`; None for what is none, as any processor may write a file of that name."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return None
    found = document.get("columns") if isinstance(document, dict) else None
    if not isinstance(found, list) or not all(isinstance(column, dict) for column in found):
        return None
    return [{name: column.get(name) for name in SHOWN} for column in found]
