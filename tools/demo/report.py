"""Reads back what a run did, and formats it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tabulate import tabulate

from filebatch.core import clock
from filebatch.core.records import FileRecord
from filebatch.runs import billing, jobs

FOLDER = Path(__file__).parent


def file_rows(files: Iterable[FileRecord]) -> list[dict[str, Any]]:
    """Return a summary's files from the ledger's records."""
    return [_file_row(file) for file in sorted(files, key=lambda file: file.key)]


def metric_rows(cloudwatch: Any, namespace: str, feed: str) -> list[dict[str, Any]]:
    """Read a feed's custom metrics back from CloudWatch, over the last hour."""
    dimensions = [{"Name": "Feed", "Value": feed}]
    names = {
        each["MetricName"] for each in cloudwatch.list_metrics(Namespace=namespace, Dimensions=dimensions)["Metrics"]
    }
    now = datetime.now(UTC)
    rows = []
    for name in sorted(names):
        answer = cloudwatch.get_metric_statistics(
            Namespace=namespace,
            MetricName=name,
            Dimensions=dimensions,
            StartTime=now - timedelta(hours=1),
            EndTime=now + timedelta(minutes=1),
            Period=7200,
            Statistics=["Sum", "Maximum", "SampleCount"],
        )
        points = answer["Datapoints"]
        rows.append(
            {
                "name": name,
                "unit": points[0].get("Unit") if points else None,
                "sum": sum(point["Sum"] for point in points),
                "maximum": max((point["Maximum"] for point in points), default=0.0),
                "samples": sum(point["SampleCount"] for point in points),
            }
        )
    return rows


def job_row(batch: Any, queue: str) -> dict[str, Any] | None:
    """Return the newest job of a queue, and what AWS would bill for its containers."""
    listed = [
        job for status in jobs.TERMINAL for job in batch.list_jobs(jobQueue=queue, jobStatus=status)["jobSummaryList"]
    ]
    if not listed:
        return None
    newest = max(listed, key=lambda job: job["createdAt"])
    units = newest.get("arrayProperties", {}).get("size", 1)
    job, containers = jobs.describe_round(batch, newest["jobId"], units)
    if job is None:
        return None
    used = billing.of_round(containers, units, "-batch-spot-").usage
    return {
        "id": job["jobId"],
        "name": job["jobName"],
        "status": job["status"],
        "units": units,
        "attempts": len(job.get("attempts", [])),
        "billed": used.to_json(),
    }


def download(s3: Any, bucket: str, files: Iterable[FileRecord], folder: Path) -> int:
    """Fetch the results that the ledger points to, under their keys; return the number of objects."""
    count = 0
    for file in files:
        if not file.result:
            continue
        key = file.result.removeprefix(f"s3://{bucket}/")
        result = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        for each in [key, *(output["key"] for output in result["outputs"])]:
            target = folder / each.removeprefix("results/")
            target.parent.mkdir(parents=True, exist_ok=True)
            s3.download_file(bucket, each, str(target))
            count += 1
    return count


def check(summary: Mapping[str, Any]) -> None:
    """Check a summary against its schema; jsonschema's ValidationError says what doesn't match."""
    import jsonschema

    jsonschema.validate(summary, json.loads((FOLDER / "summary.schema.json").read_text(encoding="utf-8")))


def show(summary: Mapping[str, Any]) -> str:
    """Return the summary as text."""
    files = [
        (file["key"], file["state"], file["rows"], file["seconds"], _short(file["error"] or _key(file["result"])))
        for file in summary["files"]
    ]
    metrics = [(each["name"], each["unit"], each["sum"], each["samples"]) for each in summary["metrics"]]
    parts = [tabulate(files, ["file", "state", "rows", "seconds", "result, or why not"])]
    parts.extend(_notification(notification) for notification in summary["notifications"])
    parts.append(tabulate(metrics, ["metric", "unit", "sum", "samples"]))
    job = summary["job"]
    if job:
        billed = "{vcpu_seconds:g} vCPU·s and {gib_seconds:g} GiB·s billed".format(**job["billed"])
        parts.append(f"Batch job {job['name']} {job['status']}: {job['units']} unit(s), one SubmitJob, {billed}")
    return "\n\n".join(parts)


def _file_row(file: FileRecord) -> dict[str, Any]:
    arrived, settled = file.arrived_at, file.settled_at
    seconds = (clock.parse_utc(settled) - clock.parse_utc(arrived)).total_seconds() if settled else None
    return {
        "key": file.key,
        "state": str(file.state),
        "rows": file.rows,
        "result": file.result,
        "error": f"{file.reason.code}: {file.reason.message}" if file.reason else None,
        "seconds": seconds,
    }


def _notification(notification: Mapping[str, Any]) -> str:
    """Return a notification as a subscriber got it, with the first files only."""
    message = notification["message"]
    files = [*message["files"][:3], *(["…"] if len(message["files"]) > 3 else [])]
    body = json.dumps({**message, "files": files}, indent=2, ensure_ascii=False)
    return f"SNS to {notification['topic']}\nSubject: {notification['subject']}\n{body}"


def _key(uri: str | None) -> str:
    return "/".join(uri.split("/")[3:]) if uri else ""


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 100 else flat[:97] + "..."
