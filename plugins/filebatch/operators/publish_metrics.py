"""The task `publish_metrics`; and publishing custom metrics, which the Amazon provider has no operator for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException
from botocore.exceptions import BotoCoreError, ClientError

from filebatch.feeds.feed import Feed
from filebatch.run_context import AWS_CONN_ID, feed_context, run_of
from filebatch.task_log import Failed, plainly


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

    @plainly
    def execute(self, context: Mapping[str, Any]) -> int:
        """Publish; return the number of data. MetricError before anything is sent where one is wrong."""
        from filebatch.core import metric_data  # for the task alone: parsing the DAG has no use for it

        data = self.collect(context)
        requests = list(metric_data.batches(data))
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

        from filebatch.core.publishing import SHORT_TIMEOUTS

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
        from filebatch.core import metrics
        from filebatch.core.publishing import usable
        from filebatch.queries import health

        ctx = feed_context(self.feed, self.aws_conn_id)
        self.region_name = ctx.settings.region
        record = ctx.ledger.latest_run(self.feed.name, run_of(context).hash)
        told = [*health.of_run(self.feed.name, record), *health.of_feed(ctx)]
        return metrics.also(told, usable(ctx.settings.dimensions))

    def send(self, batch: Sequence[Mapping[str, Any]]) -> None:
        """Publish one request's data; where that fails the task does, at once: with frames where AWS isn't why."""
        from filebatch.core.publishing import NOT_PUBLISHED

        try:
            super().send(batch)
        except Exception as error:
            ends = Failed if isinstance(error, (BotoCoreError, ClientError)) else AirflowFailException
            raise ends(f"{NOT_PUBLISHED}: {error}; the run and its files are not affected") from error
