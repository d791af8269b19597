"""Announcing what has been settled for a feed and wasn't announced yet: a run's own, and what dead runs left.

Each settled claim is announced at least once: it is closed only when nothing of that can be lost any more, and is due
again until then. One that can't be announced is logged and left, and the others are: the bell rings for it again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from botocore.exceptions import BotoCoreError, ClientError

from filebatch.core import aws_errors, paths, run_moves
from filebatch.core.errors import FilebatchError, MoveRefused
from filebatch.core.records import DONE, FileRecord, RunRecord, RunState
from filebatch.runs import (
    billing,
    claiming,
    current_results,
    open_items,
    pages,
    prices,
    run_history,
    sns_message,
    takeover,
)
from filebatch.runs.context import FeedContext
from filebatch.runs.summary import Bill, Summary, summarize

log = logging.getLogger(__name__)

# https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
NO_TOPIC = frozenset({"NotFound", "NotFoundException", "AuthorizationError", "AuthorizationErrorException"})

# What a task began to announce and didn't end is due again after this long.
ANNOUNCING_TAKES = timedelta(minutes=5)


@dataclass(frozen=True)
class Told:
    """A claim that people were told of: its owner record as it was then, and its summary."""

    record: RunRecord
    summary: Summary


def announce(ctx: FeedContext, own: str, airflow: str = "") -> list[Told]:
    """Tell people of what is settled; return what they were told of, for the caller to `close`.

    Args:
        ctx: the feed's context.
        own: the caller's own run hash; if that run ended before it was settled, developers hear of it, once.
        airflow: where people find Airflow, for links to its Files page; "" for no links.

    Raises:
        Exception: what the first failure raised, where nothing could be announced.
    """
    told, failed = [], []
    for record in _due(ctx, own):
        try:
            told += _announce_one(ctx, record, own, airflow)
        except Exception as error:
            log.exception("run %s could not be announced; it is tried again", record.run_id)
            failed.append(error)
    if failed and not told:
        raise failed[0]
    return told


def close(ctx: FeedContext, told: Iterable[Told]) -> None:
    """Close what was announced, when the task that did it has ended well: its asset events count from then on only.

    What isn't closed is announced again by another run, after `ANNOUNCING_TAKES`.
    """
    for each in told:
        if not ctx.ledger.try_move(run_moves.announced(each.record, ctx.now())).done:
            log.warning("run %s has moved on while it was announced", each.record.run_id)


def _due(ctx: FeedContext, own: str) -> list[RunRecord]:
    """Return the caller's own open claim, as read last, and what is due or was put off: not each run that lives."""
    due = open_items.open_runs(ctx, due=ctx.now() + takeover.ASK_AGAIN_AFTER)
    latest = ctx.ledger.latest_run(ctx.feed.name, own)
    if latest is None:
        return due
    others = [record for record in due if record.row != latest.row]
    return [latest, *others] if latest.open else others


def _announce_one(ctx: FeedContext, record: RunRecord, own: str, airflow: str) -> list[Told]:
    if record.state is RunState.SETTLED:
        return _announce_settled(ctx, record, own, airflow)
    if record.token.startswith(own) and not record.told_unsettled_at:
        _tell_unsettled(ctx, record, airflow)
    return []


def _tell_unsettled(ctx: FeedContext, record: RunRecord, airflow: str) -> None:
    """Tell the developers, once a round, of a run that ended before it was settled; it is announced when it is."""
    summary = _summary(ctx, record, claiming.of_plan(ctx, record), airflow)
    sns_message.publish(ctx.sns, ctx.settings.topics["developers"], summary)
    if not ctx.ledger.try_move(run_moves.told_unsettled(record, ctx.now())).done:
        log.info("run %s was settled, or told of, meanwhile", record.run_id)


def _announce_settled(ctx: FeedContext, record: RunRecord, own: str, airflow: str) -> list[Told]:
    """Tell of one settled claim, unless somebody else is at it.

    Raises:
        MoveRefused: it is the caller's own, and an earlier try or another run has begun and not ended: a task that
            found nothing to do then would hide that nobody was told.
    """
    now = ctx.now()
    moved = ctx.ledger.try_move(run_moves.announcing(record, until=now + ANNOUNCING_TAKES, now=now))
    if not moved.done:
        if record.token.startswith(own) and moved.record and moved.record.state is RunState.SETTLED:
            raise MoveRefused(
                f"run {record.run_id}: somebody began to announce it, and hasn't ended; nobody may have been told. "
                f"It is announced again from {moved.record.announcing_until} on"
            )
        log.info("run %s is announced by another run, or was", record.run_id)
        return []
    files = claiming.of_plan(ctx, record)
    summary = _summary(ctx, record, files, airflow)
    if summary.counts:
        _say_current(ctx, files)
        run_history.write(ctx, record, files)
        if ctx.feed.notify.topic:
            _tell_own_topic(ctx, summary)
        for topic in _topics(ctx, summary):
            sns_message.publish(ctx.sns, topic, summary)
    return [Told(record, summary)]


def _say_current(ctx: FeedContext, files: Iterable[FileRecord]) -> None:
    """Say what is current before anybody is told, who reads it then; where that fails, people are told all the same."""
    try:
        current_results.add(ctx, (file for file in files if file.state in DONE))
    except (FilebatchError, ClientError, BotoCoreError):
        told = "current/ misses files of this run: when it can be written, `filebatch results %s --rebuild`"
        log.exception(told, ctx.feed.name)


def _tell_own_topic(ctx: FeedContext, summary: Summary) -> None:
    """Publish to the feed's own topic; that it isn't there yet keeps nobody else from hearing, once, of the run."""
    topic = ctx.settings.topic(ctx.feed.name)
    try:
        sns_message.publish(ctx.sns, topic, summary)
    except ClientError as error:
        if aws_errors.code(error) not in NO_TOPIC:
            raise
        log.error("run %s isn't told to %s: terraform apply makes that topic: %s", summary.run_id, topic, error)  # noqa: TRY400


def _summary(ctx: FeedContext, record: RunRecord, files: Sequence[FileRecord], airflow: str) -> Summary:
    manifest = f"s3://{ctx.results}/{paths.plan(ctx.feed.name, record.token)}"
    page = pages.of_run(airflow, ctx.feed.name, record.run_id) if airflow else None
    return replace(summarize(record, files, manifest, _bill(ctx, record)), page=page)


def _bill(ctx: FeedContext, record: RunRecord) -> Bill | None:
    billed = billing.of_record(record)
    if billed is None:
        return None
    cost = prices.at_most(billed, ctx.settings.region, ctx.feed.architecture)
    all_of_it, spot = billed.usage, billed.spot
    return Bill(
        billed.containers,
        all_of_it.vcpu_seconds,
        all_of_it.gib_seconds,
        spot.vcpu_seconds,
        spot.gib_seconds,
        None if cost is None else round(cost, 6),
        billed.estimated,
    )


def _topics(ctx: FeedContext, summary: Summary) -> Iterator[str]:
    if ctx.feed.notify.stakeholders:
        yield ctx.settings.topics["stakeholders"]
    if ctx.feed.notify.developers and summary.status == "FAILED":
        yield ctx.settings.topics["developers"]
