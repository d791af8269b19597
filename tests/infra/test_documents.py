"""The documents that Terraform and the local AWS share: what their patterns match, what their placeholders are."""

import json
import re
from typing import Any

import pytest
from moto.events.models import EventPattern

from filebatch.publishing import NOT_PUBLISHED
from filebatch_local.documents import render
from infra.terraform import ROOT

DOCUMENTS = ROOT / "infra" / "documents"
QUEUE = "arn:aws:batch:eu-west-1:123456789012:job-queue/files"


def matches(document: str, event: dict[str, Any], **values: str) -> bool:
    pattern = render(DOCUMENTS, document, **values)
    return bool(EventPattern.load(json.dumps(pattern)).matches_event(event))


def arrival(**changes: Any) -> dict[str, Any]:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html"""
    return {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": changes.get("kind", "Object Created"),
        "source": changes.get("source", "aws.s3"),
        "account": "123456789012",
        "time": "2026-03-01T12:00:00Z",
        "region": "eu-west-1",
        "resources": ["arn:aws:s3:::new-files"],
        "detail": {
            "version": "0",
            "bucket": {"name": changes.get("bucket", "new-files")},
            "object": {
                "key": changes.get("key", "weather/2026-03-01/a.csv"),
                "size": 5,
                "etag": "b1946ac92492d2347c6235b4d2611184",
                "version-id": "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e",
                "sequencer": "617f08299329d189",
            },
            "request-id": "N4N7GDK58NMKJ12R",
            "requester": "123456789012",
            "source-ip-address": "203.0.113.7",
            "reason": changes.get("reason", "PutObject"),
        },
    }


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"reason": "CompleteMultipartUpload"}, True),
        ({"key": "weather/ä b+c%20.csv"}, True),
        ({"key": "weather-old/a.csv"}, False),
        ({"key": "a/weather/a.csv"}, False),
        ({"bucket": "results"}, False),
        ({"kind": "Object Deleted"}, False),
        ({"kind": "Object Restore Completed"}, False),
        ({"source": "acme.s3"}, False),
    ],
)
def test_what_the_rule_of_a_feed_hears(changes: dict[str, str], expected: bool) -> None:
    assert matches("event-pattern", arrival(**changes), bucket="new-files", prefix="weather/") is expected


def ended(status: str = "FAILED", queue: str = QUEUE, **detail: Any) -> dict[str, Any]:
    """https://docs.aws.amazon.com/batch/latest/userguide/batch_job_events.html"""
    return {
        "version": "0",
        "id": "c8f9c4b5-76e5-d76a-f980-7011e206042b",
        "detail-type": "Batch Job State Change",
        "source": "aws.batch",
        "account": "123456789012",
        "time": "2026-03-01T12:00:00Z",
        "region": "eu-west-1",
        "resources": ["arn:aws:batch:eu-west-1:123456789012:job/4c7599ae-0a82-49aa-ba5a-4727fcce14a8"],
        "detail": {
            "jobName": "weather-0123456789abcdef-0001-r1",
            "jobId": "4c7599ae-0a82-49aa-ba5a-4727fcce14a8",
            "jobQueue": queue,
            "status": status,
            "statusReason": "Essential container in task exited",
            "attempts": [],
            "createdAt": 1641944200058,
            "retryStrategy": {"attempts": 3, "evaluateOnExit": []},
            "dependsOn": [],
            "jobDefinition": "arn:aws:batch:eu-west-1:123456789012:job-definition/weather:5",
            "parameters": {},
            **detail,
        },
    }


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (ended(), True),
        (ended(arrayProperties={}), True),
        (ended(arrayProperties={"size": 3, "statusSummary": {"FAILED": 1, "SUCCEEDED": 2}}), True),
        (ended(arrayProperties={"index": 0}), False),
        (ended("SUCCEEDED"), False),
        (ended("RUNNABLE"), False),
        (ended(queue=QUEUE + "-of-others"), False),
    ],
)
def test_which_ended_jobs_the_developers_hear_of(event: dict[str, Any], expected: bool) -> None:
    assert matches("job-failed-pattern", event, job_queue=QUEUE) is expected


@pytest.mark.parametrize("document", sorted(DOCUMENTS.glob("*.json")), ids=lambda each: each.stem)
def test_every_placeholder_is_explained(document: Any) -> None:
    explained = (DOCUMENTS / "README.md").read_text(encoding="utf-8")
    (row,) = [line for line in explained.splitlines() if line.startswith(f"| `{document.name}`")]

    for name in re.findall(r"\$\{(\w+)}", document.read_text(encoding="utf-8")):
        assert f"`{name}`" in row.rsplit("|", 2)[1]


def test_alarms_and_dashboard_name_metrics_that_are_published() -> None:
    code = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "plugins" / "filebatch").rglob("*.py"))
    values = dict.fromkeys(
        ("name", "feed", "region", "queue", "dead_letter_queue", "developers_topic", "runbook", "run_within"), "2"
    )
    alarms = [each["alarm"] for each in render(DOCUMENTS, "alarms", **values)]
    shown = [
        line[:2] for each in render(DOCUMENTS, "dashboard", **values) for line in each["properties"].get("metrics", [])
    ]
    named = {*((each["Namespace"], each["MetricName"]) for each in alarms), *map(tuple, shown)}

    ours = {name for namespace, name in named if namespace == "filebatch"}
    assert {name for name in ours if f'"{name}"' not in code} == set()
    assert {namespace for namespace, _ in named} == {"filebatch", "AWS/SQS"}


def test_what_is_counted_in_the_workers_log_is_what_a_worker_writes() -> None:
    names = ("name", "namespace", "log_group", "developers_topic", "runbook")
    document = render(DOCUMENTS, "metrics-not-published", **{name: name for name in names})
    counted, alarm = document["filter"]["metricTransformations"][0], document["alarm"]

    assert document["filter"]["filterPattern"] == f'"{NOT_PUBLISHED}"'
    assert (counted["metricNamespace"], counted["metricName"]) == (alarm["Namespace"], alarm["MetricName"])
