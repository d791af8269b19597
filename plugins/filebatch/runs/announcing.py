"""Announcing what has been settled for a feed and wasn't announced yet: a run's own, and what dead runs left.

Each settled claim is announced at least once. One that can't be is logged and left, and the others are announced: the
bell rings for it again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta

from filebatch.core import paths, run_moves
from filebatch.core.records import RunRecord, RunState
from filebatch.runs import claiming, open_items, sns_message
from filebatch.runs.context import FeedContext
from filebatch.runs.summary import Summary, summarize

log = logging.getLogger(__name__)

# What a task began to announce and didn't end is due again after this long.
ANNOUNCING_TAKES = timedelta(minutes=5)


def announce(ctx: FeedContext, own: str) -> list[Summary]:
    """Announce what is settled; return the summaries of what was.

    Args:
        ctx: the feed's context.
        own: the caller's own run hash; if that run ended before it was settled, developers hear of it, once.

    Raises:
        Exception: what the first failure raised, where nothing could be announced.
    """
    told, failed = [], []
    for record in open_items.open_runs(ctx):
        try:
            told += _announce_one(ctx, record, own)
        except Exception as error:
            log.exception("run %s could not be announced; it is tried again", record.run_id)
            failed.append(error)
    if failed and not told:
        raise failed[0]
    return told


def _announce_one(ctx: FeedContext, record: RunRecord, own: str) -> list[Summary]:
    if record.state is RunState.SETTLED:
        return _announce_settled(ctx, record)
    if record.token.startswith(own) and not record.told_unsettled_at:
        _tell_unsettled(ctx, record)
    return []


def _tell_unsettled(ctx: FeedContext, record: RunRecord) -> None:
    """Tell the developers, once a round, of a run that ended before it was settled; it is announced when it is."""
    sns_message.publish(ctx.sns, ctx.settings.topics["developers"], _summary(ctx, record))
    if not ctx.ledger.try_move(run_moves.told_unsettled(record, ctx.now())).done:
        log.info("run %s was settled, or told of, meanwhile", record.run_id)


def _announce_settled(ctx: FeedContext, record: RunRecord) -> list[Summary]:
    """Announce one settled claim, unless somebody else is at it."""
    now = ctx.now()
    if not ctx.ledger.try_move(run_moves.announcing(record, until=now + ANNOUNCING_TAKES, now=now)).done:
        log.info("run %s is announced by another run, or was", record.run_id)
        return []
    summary = _summary(ctx, record)
    if summary.counts:
        for topic in _topics(ctx, summary):
            sns_message.publish(ctx.sns, topic, summary)
    if not ctx.ledger.try_move(run_moves.announced(record, ctx.now())).done:
        log.warning("run %s has moved on while it was announced", record.run_id)
    return [summary]


def _summary(ctx: FeedContext, record: RunRecord) -> Summary:
    manifest = f"s3://{ctx.results}/{paths.plan(ctx.feed.name, record.token)}"
    return summarize(record, claiming.of_plan(ctx, record), manifest)


def _topics(ctx: FeedContext, summary: Summary) -> Iterator[str]:
    if ctx.feed.notify.stakeholders:
        yield ctx.settings.topics["stakeholders"]
    if ctx.feed.notify.developers and summary.status == "FAILED":
        yield ctx.settings.topics["developers"]
