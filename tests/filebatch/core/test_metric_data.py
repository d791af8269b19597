"""Custom metrics within CloudWatch's limits: nothing is sent that it would refuse."""

import math

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st

from aws import recorded
from filebatch.core.metric_data import MAX_BYTES, MAX_DATA, MetricError, batches, check
from filebatch.core.metrics import datum

GOOD = datum("orders", "FilesClaimed", "Count", [1.0])


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"MetricName": ""}, "MetricName: expected 1 to 255 characters"),
        ({"MetricName": "x" * 256}, "MetricName: expected 1 to 255 characters"),
        ({"Dimensions": [{"Name": "Feed", "Value": ""}]}, "expected dimensions with name and value"),
        ({"Dimensions": [{"Name": str(n), "Value": "v"} for n in range(31)]}, "at most 30 dimensions, found 31"),
        ({"Values": []}, "expected Value, Values or StatisticValues"),
        ({"Values": [math.nan]}, "finite numbers up to 2^360, found nan"),
        ({"Values": [math.inf]}, "finite numbers up to 2^360, found inf"),
        ({"Values": [-math.inf]}, "finite numbers up to 2^360, found -inf"),
        ({"Values": [2.0**361]}, "finite numbers up to 2^360"),
        ({"Values": [10**400]}, "finite numbers up to 2^360"),
        ({"Values": [True]}, "finite numbers up to 2^360, found True"),
        ({"Values": ["3"]}, "finite numbers up to 2^360, found '3'"),
        ({"Values": [1.0], "Counts": [math.nan]}, "finite numbers up to 2^360, found nan"),
        ({"Value": math.nan}, "finite numbers up to 2^360, found nan"),
        ({"Values": [], "StatisticValues": {"SampleCount": 1, "Sum": math.nan}}, "finite numbers"),
        ({"Values": [1.0, 2.0], "Counts": [1.0]}, "as many Counts as Values"),
        ({"Values": [float(n) for n in range(151)]}, "at most 150 values, found 151"),
        ({"Unit": "Files"}, "expected a unit of CloudWatch"),
    ],
)
def test_what_cloudwatch_would_refuse_is_named(wrong, told):
    with pytest.raises(MetricError) as error:
        check({**GOOD, **wrong})
    assert told.replace("\\", "") in str(error.value)


@pytest.mark.parametrize(
    "right",
    [GOOD, {"MetricName": "x", "Value": 0}, {"MetricName": "x", "StatisticValues": {"SampleCount": 1.0, "Sum": 2.0}}],
)
def test_what_cloudwatch_takes_stays_as_it_is(right):
    assert check(right) is right


@given(st.lists(st.integers(1, 150), max_size=40), st.integers(1, 60))
def test_every_datum_is_in_one_request_in_its_order_and_none_is_over_a_limit(spreads, times):
    data = [
        datum("orders", f"m{number}", "Count", [float(value) for value in range(spread)])
        for number, spread in enumerate(spreads * times)
    ]
    requests = list(batches(data))
    assert [each for request in requests for each in request] == data
    for request in requests:
        assert 1 <= len(request) <= MAX_DATA


def test_a_request_is_under_a_megabyte_as_it_is_sent():
    values = [1 / 3 + number for number in range(150)]
    data = [datum("f" * 200, "m" * 255, "Count", values, [1.0] * 150) for _ in range(700)]
    requests = list(batches(data))
    assert len(requests) > 2
    assert sent_bytes(requests[0]) <= MAX_BYTES


def sent_bytes(data):
    """Return the size of a request's body, on its way to a place where nobody listens."""
    config = Config(disable_request_compression=True, retries={"total_max_attempts": 1})
    session = boto3.Session("key", "secret", region_name="eu-west-1")
    cloudwatch, sizes = session.client("cloudwatch", endpoint_url="http://127.0.0.1:9", config=config), []
    cloudwatch.meta.events.register("before-send.cloudwatch", lambda request, **_: sizes.append(len(request.body)))
    with pytest.raises(EndpointConnectionError):
        cloudwatch.put_metric_data(Namespace="filebatch", MetricData=data)
    return sizes[0]


def test_one_wrong_datum_keeps_all_from_being_sent():
    with pytest.raises(MetricError):
        next(batches([GOOD, {**GOOD, "Values": [math.nan]}]))


def test_no_data_are_no_requests(place):
    with recorded(place.connect("cloudwatch"), "cloudwatch.PutMetricData") as calls:
        assert list(batches([])) == []
    assert calls == []
