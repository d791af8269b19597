"""One file as a JSON document: its story in plain words, its versions, and what its result says of its content."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from botocore.exceptions import ClientError

from filebatch.core import aws_errors, clock, outputs, paths, results
from filebatch.core.contract import Output
from filebatch.core.errors import ContractError
from filebatch.core.records import FileRecord, FileState
from filebatch.queries import advice, documents, story, timeline
from filebatch.runs import child_logs
from filebatch.runs.context import FeedContext

log = logging.getLogger(__name__)

PROFILE = "profile.json"
MAX_PROFILE = 2**20  # bytes; a larger one is for programs rather than for a page
MAX_BARS = 100
SHOWN_OUTPUTS = 100
SHOWN = ("name", "type", "nulls", "min", "max", "distinct")  # of a column


def of_key(ctx: FeedContext, key: str) -> dict[str, Any]:
    """Return what is known of a key of the feed; 5 requests where the ledger knows it, and its outputs."""
    found = story.of_key(ctx, key)
    newest, job = found.newest, found.run.job if found.run else None
    made = produced(ctx, newest) if newest and newest.state is FileState.SUCCEEDED else []
    return {
        **documents.of_told(advice.of_story(found, clock.now())),
        "versions": [_version(file) for file in found.records[: timeline.SHOWN_VERSIONS]],
        "job": job,
        "job_url": child_logs.job_url(job, ctx.settings.region, ctx.s3.meta.partition) if job else None,
        "outputs": [_output(ctx, output) for output in made[:SHOWN_OUTPUTS]],
        "profile": next((profile(ctx, output) for output in made if output.name == PROFILE), None),
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


def produced(ctx: FeedContext, file: FileRecord) -> list[Output]:
    """Return the outputs of a file that has SUCCEEDED: from its item, else from its result, which takes 1 request."""
    # The place follows from the file and not from what a worker wrote, who might name another file's.
    made = replace(file, feed=_made_as(ctx, file))
    own = paths.of_generation(paths.RESULTS, made.feed, made.work)
    found = outputs.of(made) if made.outputs is not None else _of_result(ctx, made)
    return [output for output in found if output.key.startswith(own)]


def _made_as(ctx: FeedContext, file: FileRecord) -> str:
    """Return the name that the feed had when it made a file's result, which stays where it was."""
    area = f"s3://{ctx.results}/{paths.RESULTS}/"
    name = (file.result or "").removeprefix(area).partition("/")[0]
    return name if results.location(ctx.results, name, file.work) == file.result else ctx.feed.name


def _of_result(ctx: FeedContext, file: FileRecord) -> Sequence[Output]:
    try:
        result = results.read_result(ctx.s3, ctx.results, file.feed, file.work)
    except ContractError as error:
        log.warning("shown without its outputs: %s", error)
        return ()
    return result.outputs if result else ()


def _output(ctx: FeedContext, output: Output) -> Mapping[str, Any]:
    where = f"s3://{ctx.results}/{output.key}"
    return {"name": output.name, "uri": where, "size": output.size, "rows": output.rows}


def profile(ctx: FeedContext, output: Output) -> list[dict[str, Any]] | None:
    """Return each column's name, type, nulls, range and bars; None where it is no profile that a page can show."""
    try:
        answer = ctx.s3.get_object(Bucket=ctx.results, Key=output.key)
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
    return [{**{name: column.get(name) for name in SHOWN}, "histogram": _bars(column)} for column in found]


def _bars(column: Mapping[str, Any]) -> list[int] | None:
    """Return how many values each bar stands for; None where a profile has none, or is nobody's we know."""
    bars = column.get("histogram")
    is_ours = (
        isinstance(bars, list) and 0 < len(bars) <= MAX_BARS and all(type(bar) is int and bar >= 0 for bar in bars)
    )
    return bars if is_ours else None
