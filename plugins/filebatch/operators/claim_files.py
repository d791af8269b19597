"""The task `claim_files`: a run takes the files that it is responsible for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from filebatch.feeds.feed import Feed
from filebatch.operators.links import FilesLink
from filebatch.run_context import AWS_CONN_ID, feed_context, is_over, run_of
from filebatch.task_log import Failed, TryAgain, plainly


class ClaimFilesOperator(BaseOperator):
    """Take the files that this run is responsible for, and write units for the workers.

    It drains the feed's queue and settles dead runs of the feed first, and answers the bell once it has claimed. Its
    XCom is a small document: `token` of the claim, URI of the `manifest`, numbers of `files` and `units`.

    Raises:
        AirflowSkipException: there is nothing to do; the run stays green and nothing is submitted.
        Failed: none of the named keys is done, or the params or the deployment are wrong.
        TryAgain: other runs hold all of the files; a retry looks again.
    """

    operator_extra_links = (FilesLink(),)

    def __init__(self, *, feed: Feed, aws_conn_id: str | None = AWS_CONN_ID, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.feed = feed
        self.aws_conn_id = aws_conn_id

    @plainly
    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Claim; the same again for a repeated task, the next epoch for a run that was settled and cleared."""
        from filebatch.runs import asking  # what a run does is for its tasks: parsing the DAG has no use for it
        from filebatch.runs.answers import Held, Nothing

        run = run_of(context)
        ctx = feed_context(self.feed, self.aws_conn_id)
        selection = run.selection(self.feed, ctx.settings.new_files)
        found = asking.claim(ctx, run, selection, lambda run_id: is_over(context["ti"], self.feed.name, run_id))
        if isinstance(found, Held):
            raise TryAgain(found.why)
        if isinstance(found, Nothing):
            refuse = Failed if selection.keys else AirflowSkipException
            raise refuse(f"nothing to do for {self.feed.name}: {selection}: {found.why}")
        self.log.info("claimed %s files in %s units: %s", found.files, found.units, found.manifest)
        return asdict(found)
