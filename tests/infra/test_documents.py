"""The documents that Terraform and the local AWS share: what their patterns match, what their placeholders are."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from moto.events.models import EventPattern

from filebatch.core import metrics
from filebatch.core.publishing import NOT_PUBLISHED
from filebatch.feeds.feed import CONTAINER
from filebatch_local.provision.documents import render
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


NAMES = ("name", "feed", "region", "queue", "dead_letter_queue", "developers_topic", "runbook")
OF_A_FEED = {**{name: name.upper() for name in NAMES}, "namespace": "NAMESPACE", "run_within": "24"}


def metric_of(alarm: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what an alarm looks at: a metric, or what is made of one."""
    stats = [each["MetricStat"] for each in alarm.get("Metrics", []) if "MetricStat" in each]
    return {**alarm, **{key: value for each in stats for key, value in {**each, **each["Metric"]}.items()}}


def test_dashboards_have_room_for_the_feeds_that_share_one() -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html"""
    document = render(DOCUMENTS, "dashboard", **OF_A_FEED)
    lines = [len(each["properties"].get("metrics", [])) for each in document["widgets"]]

    assert document["feeds_per_dashboard"] * len(document["widgets"]) <= 500
    assert document["feeds_per_dashboard"] * sum(lines) <= 2500


def test_the_number_of_alarms_is_said() -> None:
    most = len(json.loads((DOCUMENTS / "alarms.json").read_text(encoding="utf-8")))
    said = f"{most - 1} alarms, {most} where a file is expected each day, and the environment 2 of its own: "
    said += f"{60 * (most - 1) + 2} to {60 * most + 2} with 60 feeds"

    assert said in (ROOT / "infra" / "README.md").read_text(encoding="utf-8")


def test_no_alarm_looks_back_further_than_cloudwatch_does() -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html (Period)"""
    for each in render(DOCUMENTS, "alarms", **OF_A_FEED):
        period, count = metric_of(each["alarm"])["Period"], int(each["alarm"]["EvaluationPeriods"])
        assert period * count <= (7 * 86_400 if period >= 3600 else 86_400), each["id"]


def test_an_alarm_on_silence_sees_a_number_where_nothing_is_published() -> None:
    """Where points are missing, CloudWatch looks further back for real ones, and so is hours late.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
    """
    on_silence = [
        each["alarm"]
        for each in render(DOCUMENTS, "alarms", **OF_A_FEED)
        if "LessThan" in each["alarm"]["ComparisonOperator"]
    ]
    assert [each["AlarmName"].rsplit("FEED-")[1] for each in on_silence] == ["doorbell-still", "no-run"]
    for alarm in on_silence:
        (shown,) = [each for each in alarm["Metrics"] if each["ReturnData"]]
        (metric,) = [each for each in alarm["Metrics"] if not each["ReturnData"]]
        assert shown["Expression"] == f"FILL({metric['Id']}, 0)"


def test_alarms_and_dashboard_name_metrics_that_are_published() -> None:
    code = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "plugins" / "filebatch").rglob("*.py"))
    alarms = [metric_of(each["alarm"]) for each in render(DOCUMENTS, "alarms", **OF_A_FEED)]
    widgets = render(DOCUMENTS, "dashboard", **OF_A_FEED)["widgets"]
    shown = [line[:2] for each in widgets for line in each["properties"].get("metrics", [])]
    named = {*((each["Namespace"], each["MetricName"]) for each in alarms), *map(tuple, shown)}

    ours = {name for namespace, name in named if namespace == "NAMESPACE"}
    assert {name for name in ours if f'"{name}"' not in code} == set()
    assert {namespace for namespace, _ in named} == {"NAMESPACE", "AWS/SQS"}


def test_every_variable_of_a_container_is_read_by_somebody() -> None:
    document = (DOCUMENTS / "job-definition.json").read_text(encoding="utf-8")
    told = set(re.findall(r'"name": "(\w+)"', document)) - {"scratch"}
    code = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "worker").rglob("*.py"))
    read = {name for name in told if re.search(rf'environ\w*(?:\.get\(|\[|, )"{name}"', code)}

    assert told - read == {"TMPDIR"}  # Python's own


def test_every_variable_that_the_worker_reads_is_told() -> None:
    document = (DOCUMENTS / "job-definition.json").read_text(encoding="utf-8")
    submitted = (ROOT / "plugins" / "filebatch" / "runs" / "jobs.py").read_text(encoding="utf-8")
    code = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "worker" / "filebatch_worker").rglob("*.py"))
    read = set(re.findall(r'environ\w*(?:\.get\(|\[|, )"(FILEBATCH_\w+)"', code))

    assert {name for name in read if f'"{name}"' not in document + submitted} == set()


def test_every_field_of_a_container_goes_into_its_job_definition() -> None:
    document = (DOCUMENTS / "job-definition.json").read_text(encoding="utf-8")
    assert {name for name in CONTAINER if f"${{{name}}}" not in document} == set()


def test_every_metric_is_shown() -> None:
    health = (ROOT / "plugins" / "filebatch" / "queries" / "health.py").read_text(encoding="utf-8")
    settled = (metrics.data("weather", [metrics.Measured(state, 1.0, 1, 1)]) for state in metrics.NAMES)
    of_files = {datum["MetricName"] for data in settled for datum in data}
    published = {*of_files, *re.findall(r'datum\([\w.]+, "(\w+)"', health)}
    shown = (DOCUMENTS / "dashboard.json").read_text() + (DOCUMENTS / "alarms.json").read_text()
    assert {name for name in published if f'"{name}"' not in shown} == set()


def test_what_is_counted_in_the_workers_log_is_what_a_worker_writes() -> None:
    names = ("name", "namespace", "log_group", "developers_topic", "runbook")
    document = render(DOCUMENTS, "metrics-not-published", **{name: name for name in names})
    counted, alarm = document["filter"]["metricTransformations"][0], document["alarm"]

    assert document["filter"]["filterPattern"] == f'"{NOT_PUBLISHED}"'
    assert (counted["metricNamespace"], counted["metricName"]) == (alarm["Namespace"], alarm["MetricName"])
