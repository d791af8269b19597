"""The task `notify`: people are told what a run did, and other DAGs that there are results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, AssetAlias, BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from filebatch.core.records import FileState
from filebatch.feeds.feed import Feed
from filebatch.operators import notifiers
from filebatch.operators.links import FilesLink, base_url
from filebatch.run_context import AWS_CONN_ID, feed_context, run_of
from filebatch.task_log import plainly

if TYPE_CHECKING:
    from filebatch.runs.announcing import Told
    from filebatch.runs.summary import Summary


class NotifyOperator(BaseOperator):
    """Announce what has been settled for a feed and wasn't announced yet: this run's, and what dead runs left.

    Summaries go to the stakeholders; what failed goes to the developers too. A run that has results emits an event of
    the asset `filebatch://FEED/results`, so that other DAGs can be scheduled on it. Airflow keeps the events of a task
    that succeeds alone, and calls back after it has: only then are the claims closed, so that a task that is killed
    before it loses no event.
    https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/logging-monitoring/callbacks.html

    Raises:
        AirflowSkipException: nothing to tell.
    """

    operator_extra_links = (FilesLink(),)

    def __init__(self, *, feed: Feed, aws_conn_id: str | None = AWS_CONN_ID, **kwargs: Any) -> None:
        super().__init__(outlets=[results_alias(feed.name)], on_success_callback=close_announced, **kwargs)
        self.feed = feed
        self.aws_conn_id = aws_conn_id
        self.told: list[Told] = []

    @plainly
    def execute(self, context: Mapping[str, Any]) -> int:
        """Announce; return how many runs were announced."""
        from filebatch.runs import announcing  # what a run does is for its tasks: parsing the DAG has no use for it

        self.told = announcing.announce(feed_context(self.feed, self.aws_conn_id), run_of(context).hash, base_url())
        for each in self.told:
            self._emit(context, each.summary)
        for each in self.told:
            if each.summary.counts:
                notifiers.send(self.feed.notify.notifiers, context, each.summary)
        if not self.told:
            raise AirflowSkipException("nothing to announce")
        return len(self.told)

    def close(self) -> None:
        """Close what was announced, now that its events are Airflow's."""
        from filebatch.runs import announcing

        announcing.close(feed_context(self.feed, self.aws_conn_id), self.told)

    def _emit(self, context: Mapping[str, Any], summary: Summary) -> None:
        done = summary.counts.get(FileState.SUCCEEDED, 0)
        if done:
            extra = {"feed": summary.feed, "results": done, "manifest": summary.manifest, "run_id": summary.run_id}
            context["outlet_events"][results_alias(self.feed.name)].add(results_asset(self.feed.name), extra=extra)


def close_announced(context: Mapping[str, Any]) -> None:
    """Have the task that has succeeded close what it announced."""
    context["task"].close()


def results_asset(feed: str) -> Asset:
    """Return the asset that has an event for each run with results; other DAGs are scheduled on it."""
    return Asset(name=f"{feed}-results", uri=f"filebatch://{feed}/results")


def results_alias(feed: str) -> AssetAlias:
    """Return the alias through which the asset's events are emitted, as a run without results emits none."""
    return AssetAlias(name=f"{feed}-results")
