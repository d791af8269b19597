"""What a run's task says of its files: outcomes, the files that need somebody, and what their containers wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from filebatch.core.errors import ContractError
from filebatch.core.records import FileRecord, RunRecord
from filebatch.core.rows import Row
from filebatch.runs import child_logs, report
from filebatch.runs.child_logs import LogStream
from filebatch.runs.context import FeedContext
from filebatch.runs.report import Shown
from filebatch.runs.settling import Settled


@dataclass(frozen=True)
class Explained:
    """What a settled claim's log says, line by line, and the log of the container that matters most, None for none."""

    lines: Sequence[str]
    container_log: str | None = None


def of(ctx: FeedContext, record: RunRecord, settled: Settled) -> Explained:
    """Return what is said of a settled claim; logs that can't be had are one line of it.

    Takes 2 requests where files FAILED or are INVALID, and at most `report.MAX_LOGS` more.
    """
    said = [f"{ctx.feed.name}: {report.counted(settled.counts)}", *report.table(settled.files)]
    shown: Mapping[Row[FileRecord], Shown] = {}
    named = [file for found in report.named(settled.files).values() for file in found]
    try:
        shown = containers(ctx, record, named, report.with_logs(settled.files)) if named else {}
    except (ClientError, BotoCoreError, ContractError) as error:
        said.append(f"what the containers wrote can't be shown: {error}")
    more = f"filebatch files --feed {ctx.feed.name}"
    said.extend(report.bad_files(settled.files, ctx.feed.max_attempts, shown, more))
    logs = (shown[file.row].log for file in named if file.row in shown)
    return Explained(said, next((log for log in logs if log), None))


def containers(
    ctx: FeedContext, record: RunRecord, named: Sequence[FileRecord], with_logs: Sequence[FileRecord]
) -> dict[Row[FileRecord], Shown]:
    """Return what is known of the containers of files that are named, and what the logs of some of them say."""
    done_by = child_logs.jobs_of(ctx, record, named)
    streams = child_logs.streams(ctx.batch, sorted(set(done_by.values())))
    wanted = {file.row for file in with_logs}
    return {
        file.row: _shown(ctx, file, job, streams.get(job), excerpt=file.row in wanted)
        for file in named
        if (job := done_by.get(file.row))
    }


def _shown(ctx: FeedContext, file: FileRecord, job: str, stream: LogStream | None, *, excerpt: bool) -> Shown:
    where = (ctx.settings.region, ctx.batch.meta.partition)
    page = child_logs.job_url(job, *where)
    if stream is None:
        return Shown(job, page=page)
    found = child_logs.excerpt(ctx.connect("logs"), stream, file) if excerpt else ()
    return Shown(job, stream.url(*where), tuple(found), page)
