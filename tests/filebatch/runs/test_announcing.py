"""Announcing: each settled claim at least once, each by one run, and none that keeps the others from it."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from aws import NOW, Place, feed_of, recorded
from claims import OTHER, Held, run_of
from filebatch.core import clock, paths, run_moves
from filebatch.core.errors import MoveRefused
from filebatch.core.records import RunState
from filebatch.core.usage import Billed, Usage
from filebatch.feeds.notifying import Notify
from filebatch.runs import announcing, open_items, settling, takeover
from filebatch.runs.summary import Bill

OWN = "0000000000000000"


@pytest.fixture
def topics(place):
    sns = place.connect("sns")
    names = ("stakeholders", "developers")
    return {name: sns.create_topic(Name=f"{place.name}-{name}")["TopicArn"] for name in names}


def settled(place: Place, topics, files=1, feed=None):
    held = Held(place, files, feed)
    for number in range(files):
        held.finish(number)
    settling.settle(held.ctx, held.record, None)
    held.ctx = replace(held.ctx, settings=replace(held.ctx.settings, topics=topics))
    return held


def later(ctx, minutes):
    return replace(ctx, now=lambda: clock.now() + timedelta(minutes=minutes))


@contextmanager
def refusing(sns, *numbers: int) -> Iterator[None]:
    """Have SNS out of reach for these of the messages, counted from 1."""
    seen = []

    def refuse(**_):
        seen.append(1)
        if len(seen) in numbers:
            raise ConnectionError("SNS is out of reach")

    sns.meta.events.register("before-call.sns.Publish", refuse)
    try:
        yield
    finally:
        sns.meta.events.unregister("before-call.sns.Publish", refuse)


def closed(ctx, own=OWN):
    """Announce, and close what was."""
    told = announcing.announce(ctx, own)
    announcing.close(ctx, told)
    return told


def announced(ctx, own=OWN):
    """Announce; return what was told, and the topics and statuses of the messages."""
    with recorded(ctx.sns, "sns.Publish") as calls:
        told = [each.summary for each in closed(ctx, own)]
    documents = [json.loads(json.loads(call["Message"])["sqs"]) for call in calls]
    return told, [
        (call["TopicArn"].rsplit("-", 1)[1], found["status"]) for call, found in zip(calls, documents, strict=True)
    ]


def test_a_settled_run_is_announced_and_closed_and_only_once(place, topics):
    held = settled(place, topics)
    told, messages = announced(held.ctx)
    assert [summary.status for summary in told] == ["SUCCEEDED"]
    assert messages == [("stakeholders", "SUCCEEDED")]
    record = held.record
    assert (record.state, record.open, record.announcing_until) == (RunState.ANNOUNCED, None, None)
    assert announced(held.ctx) == ([], [])


def test_a_runs_files_are_read_once_to_be_told_and_once_for_what_is_current(place, topics):
    held = settled(place, topics, files=2)
    with recorded(held.ctx.ledger.client, "dynamodb.BatchGetItem") as calls:
        assert announcing.announce(held.ctx, OWN)
    assert sum(held.files[0].key in str(call) for call in calls) == 2


def test_of_a_run_with_failures_developers_hear_too_where_the_feed_wants_it(place, topics):
    for wanted in (True, False):
        feed = feed_of(notify=Notify(stakeholders=False, developers=wanted).model_dump())
        held = Held(place, 1, feed)
        settling.settle(held.ctx, held.record, None)
        held.ctx = replace(held.ctx, settings=replace(held.ctx.settings, topics=topics))
        _, messages = announced(held.ctx)
        assert messages == ([("developers", "FAILED")] if wanted else [])


def test_one_that_fails_keeps_no_other_from_being_announced_and_told(place, topics, caplog):
    first, second = settled(place, topics), settled(place, topics)
    with refusing(first.ctx.sns, 2), caplog.at_level(logging.ERROR):
        told = closed(first.ctx)
    assert [each.summary.job_id for each in told] == [None]
    states = [held.record.state for held in (first, second)]
    assert sorted(states) == [RunState.ANNOUNCED, RunState.SETTLED]
    assert "could not be announced; it is tried again" in caplog.text


def test_one_that_fails_first_keeps_no_later_one_from_it(place, topics):
    first, second = settled(place, topics), settled(place, topics)
    with refusing(first.ctx.sns, 1):
        assert len(closed(first.ctx)) == 1
    assert sorted(held.record.state for held in (first, second)) == [RunState.ANNOUNCED, RunState.SETTLED]


def test_where_none_could_be_announced_the_first_failure_is_raised(place, topics):
    first = settled(place, topics)
    settled(place, topics)
    with refusing(first.ctx.sns, 1, 2), pytest.raises(ConnectionError, match="out of reach"):
        announcing.announce(first.ctx, OWN)


def test_a_plan_that_is_gone_keeps_no_other_from_being_announced(place, topics):
    broken, sound = settled(place, topics), settled(place, topics)
    broken.ctx.s3.delete_object(Bucket=place.results, Key=paths.plan("orders", broken.token))
    assert len(closed(sound.ctx)) == 1
    assert (broken.record.state, sound.record.state) == (RunState.SETTLED, RunState.ANNOUNCED)


def test_what_was_told_and_not_closed_is_told_again(place, topics):
    """A task that is killed before it has succeeded loses its asset events."""
    held = settled(place, topics)
    assert len(announcing.announce(held.ctx, OWN)) == 1
    assert held.record.state == RunState.SETTLED
    assert announced(held.ctx) == ([], [])  # the task may be about to end
    assert announced(later(held.ctx, 6))[1] == [("stakeholders", "SUCCEEDED")]
    assert held.record.state == RunState.ANNOUNCED


def test_runs_that_live_are_not_read(place, topics):
    held = settled(place, topics)
    for _ in range(3):
        Held(place, 1)
    with recorded(held.ctx.ledger.client, "dynamodb.BatchGetItem") as calls:
        assert len(closed(held.ctx)) == 1
    keys = [key for call in calls for key in call["RequestItems"][held.ctx.settings.ledger]["Keys"]]
    assert sum(key["pk"] == {"S": "run#orders"} for key in keys) == 1


def test_what_could_not_be_announced_is_due_again_and_then_announced(place, topics):
    held = settled(place, topics)
    with refusing(held.ctx.sns, 1), pytest.raises(ConnectionError):
        announcing.announce(held.ctx, OWN)
    assert announced(held.ctx) == ([], [])  # somebody may still be at it
    due_in = clock.parse_utc(held.record.due_at) - clock.now()
    assert timedelta(minutes=4) < due_in <= announcing.ANNOUNCING_TAKES
    assert announced(later(held.ctx, 6))[1] == [("stakeholders", "SUCCEEDED")]


def test_a_run_that_ended_before_it_was_settled_is_told_of_once_a_round(place, topics):
    held = Held(place, 1)
    held.ctx = replace(held.ctx, settings=replace(held.ctx.settings, topics=topics))
    own = run_of(held.token)
    assert announced(held.ctx, own) == ([], [("developers", "UNSETTLED")])
    assert held.record.told_unsettled_at
    assert announced(held.ctx, own) == ([], [])
    assert held.record.state == RunState.CLAIMED


def test_it_is_told_of_anew_in_the_next_round(place, topics):
    held = Held(place, 1)
    held.ctx = replace(held.ctx, settings=replace(held.ctx.settings, topics=topics))
    own = run_of(held.token)
    announced(held.ctx, own)
    settling.settle(held.ctx, held.record, None)
    held.another_round()
    assert announced(held.ctx, own)[1] == [("developers", "UNSETTLED")]


def test_of_a_claim_that_is_announced_between_two_looks_it_is_not_told_that_it_is_unsettled(place, topics, monkeypatch):
    """The first look at all that is due has it as it was; the second, at the caller's own claim, as it is."""
    held = Held(place, 1)
    held.ctx = replace(held.ctx, settings=replace(held.ctx.settings, topics=topics))
    look = open_items.open_runs

    def then_settled_and_announced(ctx, **which):
        found = look(ctx, **which)
        monkeypatch.undo()
        held.finish(0)
        settling.settle(held.ctx, held.record, None)
        assert closed(held.ctx, run_of(OTHER))
        return found

    monkeypatch.setattr(open_items, "open_runs", then_settled_and_announced)
    assert announced(later(held.ctx, 60), run_of(held.token)) == ([], [("stakeholders", "SUCCEEDED")])


def test_of_another_run_that_is_not_settled_nothing_is_told(place, topics):
    held = Held(place, 1)
    held.ctx = replace(held.ctx, settings=replace(held.ctx.settings, topics=topics))
    assert announced(held.ctx, run_of(OTHER)) == ([], [])
    assert held.record.told_unsettled_at is None


def test_a_settled_run_that_nobody_announced_is_announced_by_whoever_begins_next(place, topics):
    """Its bell was put off, so that it isn't rung for at every look; it is open, and due, all the same."""
    held = settled(place, topics)
    ctx = later(held.ctx, 1)
    takeover.take_over(ctx, OWN, lambda _run_id: True)
    assert clock.parse_utc(held.record.due_at) > ctx.now()
    assert announced(ctx)[1] == [("stakeholders", "SUCCEEDED")]


def test_who_read_a_run_that_has_begun_another_round_since_does_not_close_it(place, topics):
    held = Held(place, 1)
    settling.settle(held.ctx, held.record, None)
    seen = held.record
    held.another_round()
    assert not held.ctx.ledger.try_move(run_moves.announced(seen, NOW)).done
    assert held.record.open


def test_a_further_try_of_a_task_that_told_nobody_does_not_say_that_nothing_was_to_tell(place, topics):
    held = settled(place, topics)
    own = held.token.split("-")[0]
    with refusing(held.ctx.sns, 1), pytest.raises(ConnectionError):
        announcing.announce(held.ctx, own)

    with pytest.raises(MoveRefused, match="hasn't ended"):
        announcing.announce(held.ctx, own)
    assert announcing.announce(held.ctx, OWN) == []  # to another run it's no fault of its own

    announcing.close(held.ctx, announcing.announce(later(held.ctx, 6), own))
    assert announcing.announce(held.ctx, own) == []


@pytest.mark.parametrize(("region", "usd"), [("us-east-1", 0.000424), ("mars-north-1", None)])
def test_a_summary_says_what_its_runs_containers_cost_where_the_region_has_prices(place, topics, region, usd):
    held = Held(place, 1)
    held.finish()
    settling.settle(held.ctx, held.record, None, Billed(1, Usage(30, 60), Usage(0.5, 1)))
    ctx = replace(held.ctx, settings=replace(held.ctx.settings, topics=topics, region=region))
    (told,) = announcing.announce(ctx, run_of(held.token))
    assert told.summary.bill == Bill(1, 31, 61, spot_vcpu_seconds=1, spot_gib_seconds=1, usd=usd, estimated=False)


OWN_TOPIC = feed_of(notify={"topic": True})


def test_a_feeds_own_topic_hears_of_its_runs_too(place, topics):
    held = settled(place, topics, feed=OWN_TOPIC)
    place.connect("sns").create_topic(Name=f"{place.name}-stakeholders-orders")
    _, messages = announced(held.ctx)
    assert messages == [("orders", "SUCCEEDED"), ("stakeholders", "SUCCEEDED")]


def test_an_own_topic_that_isnt_there_yet_keeps_nobody_else_from_hearing_once(place, topics, caplog):
    held = settled(place, topics, feed=OWN_TOPIC)
    told, _ = announced(held.ctx)
    assert [summary.status for summary in told] == ["SUCCEEDED"]
    assert "terraform apply makes that topic" in caplog.text
    assert announced(later(held.ctx, 60)) == ([], [])
