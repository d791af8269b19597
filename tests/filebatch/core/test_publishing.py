"""Metrics tell of files and never decide about them."""

import logging
from operator import itemgetter

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from claims import summed
from filebatch.core import publishing
from filebatch.core.metrics import datum
from filebatch.core.publishing import MAX_FURTHER, NOT_PUBLISHED, PAUSE_SECONDS, SHORT_TIMEOUTS, Publisher, usable

DATA = [datum("orders", "ProcessingFailed", "Count", [1.0]), datum("orders", "ProcessedRows", "Count", [7.0])]
DENIED = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "PutMetricData")


class CloudWatch:
    """Fails as it is told to, and counts how often it is asked."""

    def __init__(self, *errors):
        self.errors, self.asked = list(errors), 0

    def put_metric_data(self, **_):
        self.asked += 1
        if self.errors and (error := self.errors.pop(0)):
            raise error


@pytest.fixture
def later(monkeypatch):
    """Let time pass by hand."""
    now = [1000.0]
    monkeypatch.setattr(publishing.time, "monotonic", lambda: now[0])
    return lambda seconds: now.__setitem__(0, now[0] + seconds)


def test_what_is_published_arrives(place):
    Publisher(place.connect("cloudwatch"), place.name).publish(DATA)
    assert summed(place, "ProcessedRows") == 7


def test_the_deployments_own_dimensions_are_published_beside_the_feed_alone(place):
    Publisher(place.connect("cloudwatch"), place.name, {"Environment": "prod"}).publish(DATA)
    listed = place.connect("cloudwatch").list_metrics(Namespace=place.name, MetricName="ProcessedRows")["Metrics"]
    feed, environment = {"Name": "Feed", "Value": "orders"}, {"Name": "Environment", "Value": "prod"}
    told = [sorted(metric["Dimensions"], key=itemgetter("Name")) for metric in listed]
    assert sorted(told, key=len) == [[feed], [environment, feed]]


@pytest.mark.parametrize(
    "wrong",
    [
        {"Feed": "other"},
        {"": "prod"},
        {"Environment": ""},
        {":Environment": "prod"},
        {"Environment": "prod\n"},
        {"Environment": "ä"},
        {"Environment": "x" * 256},
        {"Environment": 7},
    ],
    ids=str,
)
def test_a_dimension_that_cloudwatch_would_refuse_is_left_out_and_told(wrong, caplog):
    assert usable({"Team": "files", **wrong}) == {"Team": "files"}
    assert NOT_PUBLISHED in caplog.text
    assert str(list(wrong)) in caplog.text


def test_no_more_dimensions_are_taken_than_cloudwatch_takes(caplog):
    assert len(usable({f"d{number}": "x" for number in range(40)})) == MAX_FURTHER
    assert NOT_PUBLISHED in caplog.text


def test_dimensions_that_are_right_are_told_of_to_nobody(caplog):
    assert usable({"Team": "a/b.c#1", "Environment": "prod"}) == {"Team": "a/b.c#1", "Environment": "prod"}
    assert caplog.text == ""


@pytest.mark.parametrize(
    "error",
    [
        DENIED,
        ClientError({"Error": {"Code": "Throttling"}}, "PutMetricData"),
        EndpointConnectionError(endpoint_url="https://monitoring"),
        ReadTimeoutError(endpoint_url="https://monitoring"),
        MemoryError(),
        TypeError("a fault of ours"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_fails_is_logged_and_counted_and_not_raised(error, caplog):
    publisher = Publisher(CloudWatch(error), "acme")
    with caplog.at_level(logging.ERROR):
        publisher.publish(DATA)
    assert publisher.lost == 2
    [record] = caplog.records
    assert record.getMessage().startswith(f"{NOT_PUBLISHED}: ProcessedRows, ProcessingFailed to namespace acme")
    assert type(error).__name__ in record.getMessage()


def test_a_cloudwatch_that_fails_is_left_alone_for_a_while_and_each_loss_is_still_logged(later, caplog):
    cloudwatch = CloudWatch(DENIED)
    publisher = Publisher(cloudwatch, "acme")
    for _ in range(3):
        publisher.publish(DATA)
    assert (cloudwatch.asked, publisher.lost) == (1, 6)
    assert caplog.text.count(NOT_PUBLISHED) == 3
    later(PAUSE_SECONDS)
    publisher.publish(DATA)
    assert (cloudwatch.asked, publisher.lost) == (2, 6)


def test_after_a_success_there_is_no_pause(later):
    cloudwatch = CloudWatch()
    publisher = Publisher(cloudwatch, "acme")
    publisher.publish(DATA)
    publisher.publish(DATA)
    assert cloudwatch.asked == 2


def test_nothing_to_tell_asks_nobody():
    cloudwatch = CloudWatch()
    Publisher(cloudwatch, "acme").publish([])
    assert cloudwatch.asked == 0


def test_a_cloudwatch_that_never_answers_costs_less_than_the_grace_before_a_container_is_killed():
    each = SHORT_TIMEOUTS.connect_timeout + SHORT_TIMEOUTS.read_timeout
    assert each * SHORT_TIMEOUTS.retries["total_max_attempts"] < 30
