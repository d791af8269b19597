"""What is looked at: each look gives rows of the table that is printed in the end."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import quote, quote_plus

from filebatch.core.ledger import Ledger
from filebatch.core.records import FileRecord
from filebatch.runs import prices

PASSED, FAILED, NOT_TRIED = "passed", "failed", "not tried"
# What each file says, and what is to become of it.
FILES = {"good": ("one\n", "SUCCEEDED"), "invalid": ("invalid\n", "INVALID"), "fails": ("fail\n", "FAILED")}
COUNTS = {"SUCCEEDED": 1, "INVALID": 1, "FAILED": 1}
METRICS = {"ProcessingSucceeded": 1.0, "ProcessingInvalid": 1.0, "ProcessingFailed": 1.0, "RunCompleted": 1.0}
STRANGE = ("a%b", "a+b", "a b", "ü", "100%25+ü b")
ENDPOINTS = 4 * 2  # interfaces times zones

T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    """What was looked at, what came of it, and what there is to say."""

    what: str
    outcome: str
    told: str = ""


@dataclass(frozen=True)
class Place:
    """The environment: its settings, Terraform's outputs, what makes clients, and how long AWS may take."""

    settings: Mapping[str, Any]
    outputs: Mapping[str, Any]
    connect: Callable[[str], Any]
    patience: float  # seconds


def passed_if(what: str, good: bool, told: str) -> Row:
    """Return a row for what was tried."""
    return Row(what, PASSED if good else FAILED, told)


def drop(place: Place) -> None:
    """Drop the files, and those whose keys are strange."""
    s3, bucket = place.connect("s3"), place.settings["buckets"]["new_files"]
    for name, (content, _) in FILES.items():
        s3.put_object(Bucket=bucket, Key=f"smoke/{name}.txt", Body=content.encode())
    for name in STRANGE:
        s3.put_object(Bucket=bucket, Key=f"keys/{name}.csv", Body=b"a\n1\n")


def states(place: Place) -> Iterator[Row]:
    """Look at what became of each file, in the ledger and in the results' bucket."""
    ledger = Ledger(place.connect("dynamodb"), place.settings["ledger"])
    found = {file.key: file for file in ledger.scan() if isinstance(file, FileRecord)}
    for name, (_, wanted) in FILES.items():
        file = found.get(f"smoke/{name}.txt")
        told = f"{file.state}{f', {file.reason.code}' if file.reason else ''}" if file else "not in the ledger"
        yield passed_if(f"file {name}: {wanted}", bool(file and file.state == wanted), told)
    good = found.get("smoke/good.txt")
    yield _result(place, good.result if good else None)


def _result(place: Place, uri: str | None) -> Row:
    if uri is None:
        return Row("result of good", FAILED, "the ledger names none")
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    result = json.loads(place.connect("s3").get_object(Bucket=bucket, Key=key)["Body"].read())
    named = [output["name"] for output in result["outputs"]]
    return passed_if("result of good", named == ["copy.txt"], f"{', '.join(named)}; used {result['used']}")


def notifications(place: Place) -> tuple[list[Row], dict[str, Any] | None]:
    """Look for the notification of each topic; return the rows and what a run says that it cost."""
    found: dict[str, Any] = {}

    def all_came() -> bool:
        for message in _received(place, place.outputs["smoke_queue"]):
            envelope = json.loads(message["Body"])
            told = json.loads(envelope["Message"]) if envelope["Message"].startswith("{") else {}
            if "counts" in told:
                found[envelope["TopicArn"].rsplit("-", 1)[-1]] = told
        return set(found) == set(place.settings["topics"])

    _until(all_came, place.patience)
    counts = {topic: found.get(topic, {}).get("counts") for topic in sorted(place.settings["topics"])}
    rows = [passed_if(f"notification to {topic}", told == COUNTS, str(told)) for topic, told in counts.items()]
    return rows, next((each["bill"] for each in found.values()), None)


def metrics(place: Place) -> Row:
    """Look at the custom metrics of the feed, as CloudWatch has them."""
    cloudwatch = place.connect("cloudwatch")
    found: dict[str, float] = {}

    def all_there() -> bool:
        found.update({name: _sum(cloudwatch, place.settings["namespace"], name) for name in METRICS})
        return found == METRICS

    return passed_if("metrics", _until(all_there, place.patience), json.dumps(found))


def _sum(cloudwatch: Any, namespace: str, name: str) -> float:
    now = datetime.now(UTC)
    points = cloudwatch.get_metric_statistics(
        Namespace=namespace,
        MetricName=name,
        Dimensions=[{"Name": "Feed", "Value": "smoke"}],
        StartTime=now - timedelta(hours=3),
        EndTime=now + timedelta(minutes=2),
        Period=60,
        Statistics=["Sum"],
    )["Datapoints"]
    return float(sum(point["Sum"] for point in points))


def alarm(place: Place) -> Row:
    """Look whether the alarm on failed files fires; it looks at five minutes."""
    cloudwatch, name = place.connect("cloudwatch"), place.outputs["alarm_names"]["smoke/failed-files"]

    def state() -> str:
        return str(cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["StateValue"])

    fired = _until(lambda: state() == "ALARM", place.patience)
    return passed_if("alarm failed-files", fired, f"{name}: {state()}")


def keys(place: Place) -> Row:
    """Say how EventBridge wrote the keys; nobody else reads that feed's queue."""
    found: list[str] = []

    def all_came() -> bool:
        messages = _received(place, f"{place.settings['queue_prefix']}keys")
        found.extend(str(json.loads(message["Body"])["detail"]["object"]["key"]) for message in messages)
        return len(set(found)) >= len(STRANGE)

    came = _until(all_came, place.patience)
    told = ", ".join(sorted(f"{name!r}: {written_as(name, found)}" for name in STRANGE))
    return passed_if("keys in events", came, told)


def written_as(name: str, found: list[str]) -> str:
    """Return how a key is written in events: as it is, or encoded in one of two ways; else that it didn't come."""
    key = f"keys/{name}.csv"
    ways = {key: "as it is", quote(key): "with %20", quote_plus(key, safe="/"): "with + for blanks"}
    return next((way for written, way in ways.items() if written in found), "not found")


def cost(place: Place, bill: Mapping[str, Any] | None, hours: float) -> Row:
    """Say about what it cost: containers by the run's own word, endpoints by the hour that was begun."""
    region = str(place.settings["region"])
    known = region if region in prices.document()["prices"]["endpoint_hour"] else "us-east-1"
    endpoints = ENDPOINTS * -(-hours // 1) * prices.of("endpoint_hour", known)
    containers = (bill or {}).get("usd")
    parts = f"endpoints {endpoints:.2f}, containers {'unknown' if containers is None else f'{containers:.4f}'}"
    told = f"about {endpoints + (containers or 0.0):.2f} USD: {parts}; endpoints at prices of {known}"
    return passed_if("what it cost", bill is not None, told)


# What Terraform makes that bears the prefix: the service, what lists it, and where its names are in the answers.
BEARERS = (
    ("s3", "list_buckets", "Buckets[].Name"),
    ("sns", "list_topics", "Topics[].TopicArn"),
    ("sqs", "list_queues", "QueueUrls[]"),
    ("dynamodb", "list_tables", "TableNames[]"),
    ("cloudwatch", "describe_alarms", "MetricAlarms[].AlarmName"),
    ("batch", "describe_job_queues", "jobQueues[].jobQueueName"),
    ("ecr", "describe_repositories", "repositories[].repositoryName"),
    ("events", "list_rules", "Rules[].Name"),
    ("logs", "describe_log_groups", "logGroups[].logGroupName"),
    ("iam", "list_roles", "Roles[].RoleName"),
)


def left(connect: Callable[[str], Any], prefix: str) -> list[str]:
    """Return what bears the prefix."""
    found = (
        name
        for service, operation, names in BEARERS
        for name in connect(service).get_paginator(operation).paginate().search(names)
        if name
    )
    return [name for name in found if re.split("[:/]", name)[-1].startswith(f"{prefix}-")]


def _received(place: Place, queue: str) -> Iterator[dict[str, Any]]:
    sqs = place.connect("sqs")
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages"):
        for message in messages:
            yield message
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])


def _until(done: Callable[[], T], seconds: float) -> T:
    """Ask every few seconds until it is so, or for so long."""
    deadline = time.monotonic() + seconds
    while not (answer := done()) and time.monotonic() < deadline:
        time.sleep(min(10.0, max(0.5, seconds / 60)))
    return answer
