"""Publishing custom metrics, which the Amazon provider has no operator for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from airflow.sdk import BaseOperator

from filebatch.core import metrics
from filebatch.core.errors import FilebatchError
from filebatch.core.publishing import NOT_PUBLISHED, SHORT_TIMEOUTS, usable
from filebatch.feeds.feed import Feed
from filebatch.queries import health
from filebatch.run_context import AWS_CONN_ID, feed_context, run_of

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html
MAX_DATA = 1000
MAX_BYTES = 1_000_000
MAX_DIMENSIONS = 30
MAX_VALUE = 2.0**360
MAX_VALUES = 150
_SIZES = tuple(f"{size}{of}" for of in ("bytes", "bits") for size in ("Kilo", "Mega", "Giga", "Tera"))
_AMOUNTS = ("Bytes", "Bits", "Count", *_SIZES)
UNITS = frozenset(
    ("Seconds", "Milliseconds", "Microseconds", "Percent", "None", *_AMOUNTS, *(f"{each}/Second" for each in _AMOUNTS))
)


class MetricError(FilebatchError):
    """A datum that CloudWatch would refuse: it names metric, expected and found."""


def check(datum: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a MetricDatum as it is, if CloudWatch takes it; MetricError otherwise."""
    name = datum.get("MetricName") or ""
    if not 1 <= len(name) <= 255:
        raise MetricError(f"MetricName: expected 1 to 255 characters, found {name!r}")
    _check_dimensions(name, datum.get("Dimensions", []))
    _check_numbers(name, datum)
    unit = datum.get("Unit", "None")
    if unit not in UNITS:
        raise MetricError(f"{name}: expected a unit of CloudWatch ({', '.join(sorted(UNITS))}), found {unit!r}")
    return datum


def _check_dimensions(name: str, dimensions: Sequence[Mapping[str, Any]]) -> None:
    if len(dimensions) > MAX_DIMENSIONS:
        raise MetricError(f"{name}: expected at most {MAX_DIMENSIONS} dimensions, found {len(dimensions)}")
    for dimension in dimensions:
        if not dimension.get("Name") or not dimension.get("Value"):
            raise MetricError(f"{name}: expected dimensions with name and value, found {dict(dimension)!r}")


def _check_numbers(name: str, datum: Mapping[str, Any]) -> None:
    values, counts = datum.get("Values", []), datum.get("Counts")
    statistics = datum.get("StatisticValues", {})
    single = [datum["Value"]] if "Value" in datum else []
    if not (single or values or statistics):
        raise MetricError(f"{name}: expected Value, Values or StatisticValues, found none")
    if len(values) > MAX_VALUES:
        raise MetricError(f"{name}: expected at most {MAX_VALUES} values, found {len(values)}")
    if counts is not None and len(counts) != len(values):
        raise MetricError(f"{name}: expected as many Counts as Values, found {len(counts)} and {len(values)}")
    for number in (*single, *values, *(counts or []), *statistics.values()):
        if isinstance(number, bool) or not isinstance(number, (int, float)) or not abs(number) <= MAX_VALUE:
            raise MetricError(f"{name}: expected finite numbers up to 2^360, found {number!r}")


def batches(data: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    """Cut data into requests of at most 1,000 metrics and 1 MB; every datum is checked first."""
    batch: list[Mapping[str, Any]] = []
    filled = 0
    for datum in [check(datum) for datum in data]:
        size = len(json.dumps(datum, default=str))
        if batch and (len(batch) == MAX_DATA or filled + size > MAX_BYTES):
            yield batch
            batch, filled = [], 0
        batch.append(datum)
        filled += size
    if batch:
        yield batch


class PublishMetricsOperator(BaseOperator):
    """Publish metric data to CloudWatch, in as few requests as its limits allow.

    Args:
        namespace: CloudWatch namespace (templated).
        data: PutMetricData's MetricData (templated).
        aws_conn_id: Airflow connection.
        region_name: AWS region, None for the connection's.
    """

    template_fields: Sequence[str] = ("namespace", "data", "region_name")

    def __init__(
        self,
        *,
        namespace: str,
        data: Sequence[Mapping[str, Any]] = (),
        aws_conn_id: str | None = AWS_CONN_ID,
        region_name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.namespace = namespace
        self.data = data
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name

    def execute(self, context: Mapping[str, Any]) -> int:
        """Publish; return the number of data. MetricError before anything is sent where one is wrong."""
        data = self.collect(context)
        requests = list(batches(data))
        for batch in requests:
            self.send(batch)
        self.log.info("published %s metrics in %s requests", len(data), len(requests))
        return len(data)

    def collect(self, context: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:  # noqa: ARG002 - for subclasses
        """Return what is to be published."""
        return self.data

    def send(self, batch: Sequence[Mapping[str, Any]]) -> None:
        """Publish one request's data."""
        self._client().put_metric_data(Namespace=self.namespace, MetricData=batch)

    def _client(self) -> Any:
        from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook

        hook: AwsGenericHook[Any] = AwsGenericHook(
            aws_conn_id=self.aws_conn_id, client_type="cloudwatch", region_name=self.region_name
        )
        return hook.get_client_type(region_name=hook.region_name, config=hook.config.merge(SHORT_TIMEOUTS))


class PublishFeedMetricsOperator(PublishMetricsOperator):
    """Publish what a run and its feed are like; what became of each file is counted by whoever moved it.

    As a teardown it doesn't fail the run, and where CloudWatch fails it isn't retried either: a run that waits for its
    metrics would end minutes later than its files. The alarm `no-run` tells of runs that can't be told of.
    """

    def __init__(self, *, feed: Feed, **kwargs: Any) -> None:
        super().__init__(namespace="{{ var.json.filebatch.namespace }}", **kwargs)
        self.feed = feed

    def collect(self, context: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """Return the run's claim and the feed's health as metric data."""
        ctx = feed_context(self.feed, self.aws_conn_id)
        self.region_name = ctx.settings.region
        record = ctx.ledger.latest_run(self.feed.name, run_of(context).hash)
        told = [*health.of_run(self.feed.name, record), *health.of_feed(ctx)]
        return metrics.also(told, usable(ctx.settings.dimensions))

    def send(self, batch: Sequence[Mapping[str, Any]]) -> None:
        """Publish one request's data; AirflowFailException, which isn't retried, where that fails."""
        from airflow.sdk.exceptions import AirflowFailException

        try:
            super().send(batch)
        except Exception as error:
            raise AirflowFailException(f"{NOT_PUBLISHED}: {error}; the run and its files are not affected") from error
