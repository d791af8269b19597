"""Alarms can fire: each one's condition is made to hold, and its metric read back as the alarm itself would read it."""

import asyncio
import json
import operator
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aws import until
from filebatch import run_context
from filebatch.core import clock, feed_moves, run_moves
from filebatch.core.feed_records import Breaker
from filebatch.core.ledger import Ledger
from filebatch.core.run_moves import Asked
from filebatch.feeds.feed import Feed, load_feed
from filebatch.feeds.settings import parse
from filebatch.intake import listing
from filebatch.queries import health
from filebatch.runs import jobs
from filebatch.runs.context import FeedContext
from filebatch.triggers.arrivals import ArrivalsTrigger
from infra.applied import PREFIX, Applied
from infra.conftest import first_event
from infra.terraform import ROOT

pytestmark = [pytest.mark.terraform, pytest.mark.airflow]

COMPARES: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
}
DOCUMENT = json.loads((ROOT / "infra" / "documents" / "alarms.json").read_text(encoding="utf-8"))
ALARMS = [each["id"] for each in DOCUMENT]


@pytest.fixture(scope="module")
def provoked(done: Applied, feeds: Path) -> Applied:
    """Every alarm's condition holds for the feed `daily` or `lines`."""
    daily = load_feed(feeds / "daily.yaml")
    publish_health(done, daily)  # before anything has arrived today
    done.put("daily/waits.txt", "one\n")
    asyncio.run(first_event(ArrivalsTrigger.of(daily, "aws_default")))  # in the ledger, claimed by nobody
    done.put("daily/unread.txt", "one\n")
    done.put("daily/not-ours.tmp", "one\n")
    swept(done, daily)
    unreadable(done)
    abandoned(done)
    held(done)
    with stuck_job(done):
        time.sleep(1.1)
        publish_health(done, daily)
        until(lambda: value(done, alarm_of(done, "daily", "arrivals-not-taken")))
    return done


def swept(here: Applied, feed: Feed) -> None:
    """Have a sweep count what lies under the feed's prefix."""
    ctx = FeedContext(feed, parse(here.settings), run_context.connector("aws_default", here.settings["region"]))
    assert listing.sweep(ctx.s3, ctx.settings.new_files, feed, ctx.ledger, ctx.now()).unmatched == 1


def abandoned(here: Applied) -> None:
    """Leave a claim behind that nobody takes over."""
    long_ago = datetime.now(UTC) - timedelta(hours=3)
    asked = Asked("manual__long_ago", 1, 0, "all files that wait")
    record = run_moves.begin("daily", jobs.token("1" * 16, 1), asked, timeout=timedelta(minutes=15), now=long_ago)
    assert Ledger(here.client("dynamodb"), here.settings["ledger"]).add(record)


def held(here: Applied) -> None:
    """Have the feed fail as if by our fault alone, so that it claims no more."""
    row, until_then = Breaker.at("daily"), clock.to_iso(datetime.now(UTC) + timedelta(hours=1))
    fails = Breaker(pk=row.pk, sk=row.sk, failed=2, rounds=1, code="bug", noted="a-round/1", held_until=until_then)
    assert Ledger(here.client("dynamodb"), here.settings["ledger"]).try_move(feed_moves.broken(None, fails)).done


def unreadable(here: Applied) -> None:
    """Have SQS give up on a message, as it does on one that the intake leaves."""
    sqs, url = here.client("sqs"), here.settings["queue_prefix"] + "lines"
    sqs.send_message(QueueUrl=url, MessageBody="no event")
    dead = sqs.get_queue_url(QueueName=f"{PREFIX}-events-lines_dead")["QueueUrl"]

    def given_up() -> bool:
        sqs.receive_message(QueueUrl=url, VisibilityTimeout=0)
        asked = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["ApproximateNumberOfMessages"])
        return bool(int(asked["Attributes"]["ApproximateNumberOfMessages"]))

    until(given_up)


@contextmanager
def stuck_job(here: Applied) -> Iterator[None]:
    """Two jobs take all vCPUs there are, a third one waits."""
    batch, queue = here.client("batch"), here.settings["job_queue"]
    definition, sleep = here.settings["job_definition_prefix"] + "lines", {"command": ["sleep", "60"]}
    common = {"jobQueue": queue, "jobDefinition": definition, "shareIdentifier": "lines", "containerOverrides": sleep}
    names = ["holds-one", "holds-another", jobs.name("daily", jobs.token("0" * 16, 1), 1)]
    ids = [batch.submit_job(jobName=name, **common)["jobId"] for name in names]
    until(lambda: len(here.aws.jobs()) == 2)
    yield
    for job_id in ids:
        batch.terminate_job(jobId=job_id, reason="the test is over")


def publish_health(here: Applied, feed: Feed) -> None:
    ctx = FeedContext(feed, parse(here.settings), run_context.connector("aws_default", here.settings["region"]))
    ctx.cloudwatch.put_metric_data(
        Namespace=ctx.settings.namespace, MetricData=[health.of_doorbell(feed.name, 9), *health.of_feed(ctx)]
    )


def alarm_of(here: Applied, feed: str, alarm: str) -> dict[str, Any]:
    name = f"{PREFIX}-observability-{feed}-{alarm}"
    (found,) = here.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return dict(found)


def value(here: Applied, alarm: Mapping[str, Any]) -> float | None:
    """Return the metric with the alarm's own namespace, name, dimensions, period and statistic; None for silence.

    An alarm on silence looks at FILL(metric, 0), which the local AWS can't work out.
    """
    if alarm.get("Metrics"):
        (filled, metric) = sorted(alarm["Metrics"], key=lambda each: not each["ReturnData"])
        assert filled["Expression"] == f"FILL({metric['Id']}, 0)"
        of = metric["MetricStat"]
        return statistic(here, {**of["Metric"], "Period": of["Period"]}, of["Stat"]) or 0.0
    names = ("Namespace", "MetricName", "Dimensions", "Period")
    return statistic(here, {name: alarm[name] for name in names}, alarm["Statistic"])


def statistic(here: Applied, metric: Mapping[str, Any], name: str) -> float | None:
    now = datetime.now(UTC)
    span = {"StartTime": now - timedelta(hours=1), "EndTime": now + timedelta(hours=1)}
    points = here.client("cloudwatch").get_metric_statistics(**metric, **span, Statistics=[name])["Datapoints"]
    return max((point[name] for point in points), default=None)


def is_breached(here: Applied, alarm: Mapping[str, Any]) -> bool:
    found = value(here, alarm)
    if found is None:
        return bool(alarm["TreatMissingData"] == "breaching")
    return COMPARES[alarm["ComparisonOperator"]](found, alarm["Threshold"])


BREACHED = {
    "failed-files": "lines",
    "invalid-files": "lines",
    "dead-letters": "lines",
    "arrivals-not-taken": "daily",
    "oldest-waiting-file": "daily",
    "unmatched-files": "daily",
    "expected-file-missing": "daily",
    "job-stuck-runnable": "daily",
    "claim-not-settled": "daily",
    "feed-held": "daily",
    "doorbell-still": "tables",
    "no-run": "daily",
}
QUIET = {
    "failed-files": "weather",
    "invalid-files": "weather",
    "dead-letters": "daily",
    "arrivals-not-taken": "tables",
    "oldest-waiting-file": "lines",
    "unmatched-files": "lines",
    "job-stuck-runnable": "lines",
    "claim-not-settled": "lines",
    "feed-held": "lines",
    "doorbell-still": "daily",
    "no-run": "lines",
}


@pytest.mark.parametrize("alarm", ALARMS)
def test_an_alarm_whose_condition_holds_reads_a_value_that_breaches_it(provoked: Applied, alarm: str) -> None:
    found = alarm_of(provoked, BREACHED[alarm], alarm)

    assert is_breached(provoked, found), (found, value(provoked, found))
    assert found["AlarmActions"] == [provoked.settings["topics"]["developers"]]


@pytest.mark.parametrize("alarm", [each for each in ALARMS if each in QUIET])
def test_an_alarm_of_a_feed_that_is_well_is_quiet(provoked: Applied, alarm: str) -> None:
    found = alarm_of(provoked, QUIET[alarm], alarm)

    assert not is_breached(provoked, found), (found, value(provoked, found))


def test_a_feed_that_expects_no_file_has_no_alarm_for_it(applied: Applied) -> None:
    name = f"{PREFIX}-observability-lines-expected-file-missing"
    assert applied.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"] == []


def test_every_widget_of_the_dashboard_shows_something(provoked: Applied) -> None:
    body = provoked.client("cloudwatch").get_dashboard(DashboardName=f"{PREFIX}-observability-feeds-1")["DashboardBody"]
    widgets = [each["properties"] for each in json.loads(body)["widgets"] if each["type"] == "metric"]
    shown = [line for widget in widgets for line in lines_of(widget)]

    empty = [
        metric["MetricName"]
        for metric, name in shown
        if metric["Dimensions"][0]["Value"] in {"daily", "lines", *queues_of("daily", "lines")}
        and not any(statistic(provoked, each, name) is not None for each in twins(metric))
    ]
    assert empty == []
    assert len(shown) == 21 * len(provoked.aws.feeds)


def lines_of(widget: Mapping[str, Any]) -> list[tuple[dict[str, Any], str]]:
    """Return the metrics of a widget, and the statistic it shows of each."""
    found = []
    for namespace, name, dimension, of, *more in widget["metrics"]:
        options = more[0] if more else {}
        metric = {
            "Namespace": namespace,
            "MetricName": name,
            "Dimensions": [{"Name": dimension, "Value": of}],
            "Period": widget["period"],
        }
        found.append((metric, options.get("stat", widget["stat"])))
    return found


def twins(metric: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the metric for each of the two feeds: what one lacks (an expected file, a run) the other has."""
    of = metric["Dimensions"][0]["Value"]
    names = {of, of.replace("lines", "daily"), of.replace("daily", "lines")}
    return [{**metric, "Dimensions": [{**metric["Dimensions"][0], "Value": name}]} for name in names]


def queues_of(*feeds: str) -> list[str]:
    return [f"{PREFIX}-events-{feed}{end}" for feed in feeds for end in ("", "_dead")]


def test_a_failed_job_is_told_to_the_developers_and_its_children_are_not(applied: Applied) -> None:
    events = applied.client("events")
    name = f"{PREFIX}-observability-job-failed"
    rule = events.describe_rule(Name=name)
    (target,) = events.list_targets_by_rule(Rule=name)["Targets"]
    queue = applied.client("batch").describe_job_queues(jobQueues=[applied.settings["job_queue"]])["jobQueues"][0]

    assert target["Arn"] == applied.settings["topics"]["developers"]
    assert "docs/runbook.md#job-failed" in target["InputTransformer"]["InputTemplate"]
    assert json.loads(rule["EventPattern"])["detail"]["jobQueue"] == [queue["jobQueueArn"]]


def test_the_developers_read_of_a_failed_job_what_it_was_and_why(applied: Applied) -> None:
    sqs, batch = applied.client("sqs"), applied.client("batch")
    url = sqs.create_queue(QueueName="developers-inbox")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    applied.client("sns").subscribe(TopicArn=applied.settings["topics"]["developers"], Protocol="sqs", Endpoint=arn)

    job = batch.submit_job(
        jobName="fails",
        jobQueue=applied.settings["job_queue"],
        jobDefinition=applied.settings["job_definition_prefix"] + "lines",
        shareIdentifier="lines",
        containerOverrides={"command": ["false"]},
    )["jobId"]

    told = until(lambda: sqs.receive_message(QueueUrl=url).get("Messages"))
    text = json.loads(told[0]["Body"])["Message"]
    assert f"Batch job fails ({job}) failed at " in text
    assert "Essential container in task exited" in text
    sqs.delete_queue(QueueUrl=url)


@pytest.mark.parametrize("feed", ["daily", "lines"])
def test_each_alarm_links_a_section_of_the_runbook_that_says_what_to_do(applied: Applied, feed: str) -> None:
    runbook = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    prefix = f"{PREFIX}-observability-{feed}-"
    for alarm in applied.client("cloudwatch").describe_alarms(AlarmNamePrefix=prefix)["MetricAlarms"]:
        anchor = re.search(r"docs/runbook\.md#([a-z-]+)$", alarm["AlarmDescription"])
        assert anchor, alarm["AlarmDescription"]
        assert f"\n## {anchor[1]}\n" in runbook
