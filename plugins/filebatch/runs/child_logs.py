"""What a container wrote before it ended: the lines of its log that matter to a file, and where all of them are.

DescribeJobs tells a job's log group (`logConfiguration`) and the stream of its last attempt.
https://docs.aws.amazon.com/batch/latest/APIReference/API_ContainerDetail.html
https://docs.aws.amazon.com/batch/latest/userguide/using_awslogs.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from botocore.exceptions import ClientError

from filebatch.core import aws_errors
from filebatch.core.records import FileRecord, RunRecord
from filebatch.core.rows import Row
from filebatch.core.wording import visible
from filebatch.runs import jobs, rounds
from filebatch.runs.context import FeedContext

USUAL_GROUP = "/aws/batch/job"  # of a job definition that names none
EXCERPT = 10  # lines
RECORD = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ ")  # how a line of the worker's own begins
ANOTHER = "s3://"  # in a record that says what became of a file
READ = 1000  # events, from a stream's end

# The console's host, by partition.
CONSOLES = {"aws-cn": "console.amazonaws.cn", "aws-us-gov": "console.amazonaws-us-gov.com"}


@dataclass(frozen=True)
class LogStream:
    """Where a job's container writes its log."""

    job_id: str
    group: str
    name: str

    def url(self, region: str, partition: str = "aws") -> str:
        """Return its page in the console of CloudWatch."""
        # The console reads its fragment's parts decoded twice, with `$` for `%`.
        group, name = (quote(quote(part, safe=""), safe="").replace("%", "$") for part in (self.group, self.name))
        log = f"log-groups/log-group/{group}/log-events/{name}"
        return f"https://{_host(partition)}/cloudwatch/home?region={region}#logsV2:{log}"


def job_url(job_id: str, region: str, partition: str = "aws") -> str:
    """Return a job's page in the console of Batch, whose address Airflow's own link to a job has."""
    return f"https://{_host(partition)}/batch/home?region={region}#jobs/detail/{quote(job_id, safe=':')}"


def _host(partition: str) -> str:
    return CONSOLES.get(partition, "console.aws.amazon.com")


def jobs_of(ctx: FeedContext, record: RunRecord, files: Iterable[FileRecord]) -> dict[Row[FileRecord], str]:
    """Return which job did each file: the child of the claim's latest round. Files of earlier rounds have none."""
    if not record.job or not record.units:
        return {}
    units = rounds.read_units(ctx, record)
    done_by = {work.file: jobs.child(record.job, unit.index, len(units)) for unit in units for work in unit.files}
    return {file.row: done_by[file.file] for file in files if file.file in done_by}


def streams(batch: Any, job_ids: Sequence[str]) -> dict[str, LogStream]:
    """Return the log streams of jobs by id, of those that had a container and that Batch knows; 1 request a hundred."""
    found = (_stream(job) for job in jobs.described(batch, job_ids))
    return {stream.job_id: stream for stream in found if stream}


def _stream(job: Mapping[str, Any]) -> LogStream | None:
    container = job.get("container") or {}
    last = (job.get("attempts") or [{}])[-1].get("container") or {}
    options = (container.get("logConfiguration") or {}).get("options") or {}
    name = container.get("logStreamName") or last.get("logStreamName")
    return LogStream(job["jobId"], options.get("awslogs-group", USUAL_GROUP), name) if name else None


def excerpt(logs: Any, stream: LogStream, file: FileRecord) -> list[str]:
    """Return what a log says of a file, at most EXCERPT lines: what ends with the record that names it, else the end.

    Nothing in a line can act on a terminal. A log that is gone has no lines; 1 request.
    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html
    """
    try:
        answer = logs.get_log_events(
            logGroupName=stream.group, logStreamName=stream.name, limit=READ, startFromHead=False
        )
    except ClientError as error:
        if aws_errors.code(error) == "ResourceNotFoundException":
            return []
        raise
    return of_file([visible(event["message"].rstrip()) for event in answer["events"]], file.pk)


def of_file(lines: Sequence[str], uri: str) -> list[str]:
    """Return what a container's log says of a file: what was written since another file was named, up to its record."""
    named = visible(repr(uri))  # as the worker writes it
    at = max((number for number, line in enumerate(lines) if named in line), default=None)
    if at is None:
        return list(lines[-EXCERPT:])
    records = [number for number, line in enumerate(lines) if RECORD.match(line)]
    ends = next((number for number in records if number > at), len(lines))
    before = max((number for number in records if number < at and ANOTHER in lines[number]), default=-1)
    begins = next((number for number in records if number > before), at)
    said = list(lines[min(begins, at) : ends])
    cut = ends - at > EXCERPT  # of a long traceback the line that names the file stays, and the innermost frames
    return [lines[at], *said[-EXCERPT + 1 :]] if cut else said[-EXCERPT:]
