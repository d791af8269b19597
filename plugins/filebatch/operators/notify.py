"""Telling people what a run did, within SNS's limits."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from airflow.sdk import Asset, AssetAlias, BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from filebatch.core import clock, paths, states
from filebatch.core.ledger import Item
from filebatch.feeds.feed import Feed
from filebatch.run_context import AWS_CONN_ID, feed_context, run_of
from filebatch.runs import announcing, open_items, settling
from filebatch.runs.announcing import Summary
from filebatch.runs.context import FeedContext

# https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
MAX_SUBJECT = 100
MAX_MESSAGE = 256 * 1024
# Whoever began to announce a run and died leaves it to the next after this long.
ANNOUNCING_TAKES = timedelta(minutes=5)
DATA_PROTOCOLS = ("sqs", "lambda", "http", "https", "firehose")


def subject(text: str) -> str:
    """Return text as a legal subject: ASCII, one line, at most 100 characters, not empty."""
    flat = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    ascii_only = flat.encode("ascii", "replace").decode()
    short = ascii_only if len(ascii_only) <= MAX_SUBJECT else ascii_only[: MAX_SUBJECT - 3] + "..."
    return short or "filebatch"


def message(text: str, document: Mapping[str, Any]) -> str:
    """Return a message that people get as text and programs as JSON, bounded to what SNS takes.

    Where both together are too large, the text is cut: programs have the whole document, people the manifest's place.
    """
    data = json.dumps(document)
    while text and len(_structured(text, data)) > MAX_MESSAGE:
        text = text[: max(0, len(text) - max(1000, len(text) // 4))].rstrip() + "\n… cut"
        if text == "\n… cut":
            break
    return _structured(text, data)


def fitting(summary: Summary) -> Summary:
    """Return a summary with so few files that its text and its document fit a message whole; the rest is counted."""
    while summary.files and len(_structured(summary.text, json.dumps(summary.to_json()))) > MAX_MESSAGE:
        summary = summary.shorter()
    return summary


def attributes(values: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return message attributes for filter policies; booleans are text, as a Number they could not be matched.

    SNS takes no empty ones: they are left out.
    """
    return {name: _attribute(value) for name, value in values.items() if value not in (None, "")}


def _attribute(value: Any) -> dict[str, str]:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return {"DataType": "Number", "StringValue": str(value)}
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return {"DataType": "String", "StringValue": text}


def _structured(text: str, data: str) -> str:
    return json.dumps({"default": text or data, **dict.fromkeys(DATA_PROTOCOLS, data)})


class NotifyOperator(BaseOperator):
    """Announce what has been settled for a feed and wasn't announced yet: this run's, and what dead runs left.

    Summaries go to the stakeholders; what failed goes to the developers too. A run that has results emits an event of
    the asset `filebatch://FEED/results`, so that other DAGs can be scheduled on it.

    Raises:
        AirflowSkipException: nothing to tell.
    """

    def __init__(self, *, feed: Feed, aws_conn_id: str | None = AWS_CONN_ID, **kwargs: Any) -> None:
        super().__init__(outlets=[results_alias(feed.name)], **kwargs)
        self.feed = feed
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Mapping[str, Any]) -> int:
        """Announce; return how many runs were announced."""
        ctx = feed_context(self.feed, self.aws_conn_id)
        own = run_of(context).hash
        told = 0
        for record in open_items.open_runs(ctx):
            if record["state"] == states.SETTLED:
                told += self._announce(ctx, record, context)
            elif record["sk"].startswith(own):
                self._tell_unsettled(ctx, record)
        if not told:
            raise AirflowSkipException("nothing to announce")
        return told

    def _announce(self, ctx: FeedContext, record: Item, context: Mapping[str, Any]) -> bool:
        """Announce one settled claim, unless somebody else is at it."""
        token, now = record["sk"], clock.now()
        if not ctx.ledger.move(states.announcing(self.feed.name, token, until=now + ANNOUNCING_TAKES, now=now)).done:
            return False
        summary = self._summary(ctx, record)
        if summary.counts:
            for topic in self._topics(ctx, summary):
                publish(ctx.sns, topic, summary)
            self._emit(context, summary)
        return ctx.ledger.move(states.announced(self.feed.name, token, clock.now())).done

    def _tell_unsettled(self, ctx: FeedContext, record: Item) -> None:
        """Tell the developers of a run that ended before it was settled; it is announced when it is."""
        publish(ctx.sns, ctx.settings.topics["developers"], self._summary(ctx, record))

    def _summary(self, ctx: FeedContext, record: Item) -> Summary:
        manifest = f"s3://{ctx.settings.results}/{paths.plan(self.feed.name, record['sk'])}"
        return announcing.summarize(self.feed.name, record, settling.items_of(ctx, record["sk"]), manifest)

    def _topics(self, ctx: FeedContext, summary: Summary) -> Iterator[str]:
        if self.feed.notify.stakeholders:
            yield ctx.settings.topics["stakeholders"]
        if self.feed.notify.developers and summary.status == states.FAILED:
            yield ctx.settings.topics["developers"]

    def _emit(self, context: Mapping[str, Any], summary: Summary) -> None:
        done = summary.counts.get(states.SUCCEEDED, 0)
        if done:
            extra = {"feed": summary.feed, "results": done, "manifest": summary.manifest, "run_id": summary.run_id}
            context["outlet_events"][results_alias(self.feed.name)].add(results_asset(self.feed.name), extra=extra)


def publish(sns: Any, topic: str, summary: Summary) -> None:
    """Send one summary to one topic, with as many of its files as a message has room for."""
    summary = fitting(summary)
    sns.publish(
        TopicArn=topic,
        Subject=subject(summary.subject),
        Message=message(summary.text, summary.to_json()),
        MessageStructure="json",
        MessageAttributes=attributes(summary.attributes),
    )


def results_asset(feed: str) -> Asset:
    """Return the asset that has an event for each run with results; other DAGs are scheduled on it."""
    return Asset(name=f"{feed}-results", uri=f"filebatch://{feed}/results")


def results_alias(feed: str) -> AssetAlias:
    """Return the alias through which the asset's events are emitted, as a run without results emits none."""
    return AssetAlias(name=f"{feed}-results")
