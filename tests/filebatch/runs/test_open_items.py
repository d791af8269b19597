"""Of what the index holds for a feed, only its own counts: another's worker may have put the rest there."""

import logging
from dataclasses import replace
from datetime import timedelta

import pytest

from aws import NOW, feed_of
from filebatch.core import clock, states
from filebatch.queries import health
from filebatch.runs import open_items
from filebatch.runs.context import FeedContext
from moves import FILE


@pytest.fixture
def ctx(place):
    feed = feed_of("orders")
    return FeedContext(feed, place.settings(), place.connect)


def planted(partition):
    """Return an item as the worker of feed `other` may write it: below its own keys, for the partition of orders."""
    return {"pk": "s3://new-files/other/evil", "sk": "x", "open": partition, "due_at": "2020-01-01T00:00:00.000Z"}


def waits(ctx, key="orders/a.csv"):
    item = states.arrive(replace(FILE, bucket=ctx.settings.new_files, key=key), "orders", NOW, NOW)
    assert ctx.ledger.add(item)
    return item


@pytest.mark.parametrize(
    "more", [{}, {"bucket": "new-files", "key": "other/evil", "state": "ARRIVED", "generation": 1}]
)
def test_a_file_that_another_feeds_worker_planted_is_no_file_of_the_feed(ctx, caplog, more):
    own = waits(ctx)
    ctx.ledger.add({**planted("file#orders"), **more})

    with caplog.at_level(logging.ERROR):
        found = open_items.waiting_files(ctx, NOW, 10)

    assert [item["pk"] for item in found] == [own["pk"]]
    assert "1 items of the ledger are open for it and not its own" in caplog.text


def test_one_with_every_attribute_of_a_file_of_the_feed_but_another_key_is_none_either(ctx):
    own = waits(ctx)
    ctx.ledger.add({**own, "pk": f"s3://{ctx.settings.new_files}/other/evil"})

    assert open_items.waiting_files(ctx, NOW, 10) == [own]


def test_a_run_that_another_feeds_worker_planted_is_no_run_of_the_feed(ctx):
    facts = {"run_id": "own", "epoch": 1, "cleared": 0, "why": "all that waits"}
    own = states.open_run("orders", "0123456789abcdef-0001", facts, heartbeat=timedelta(minutes=1), now=NOW)
    ctx.ledger.add(own)
    ctx.ledger.add(planted("run#orders"))
    ctx.ledger.add({**own, "pk": "run#other"})
    ctx.ledger.add({"pk": "run#orders", "sk": "half", "open": "run#orders", "due_at": "2020-01-01T00:00:00.000Z"})

    assert open_items.open_runs(ctx) == [own]


def test_the_feeds_health_is_told_all_the_same(ctx):
    waits(ctx)
    ctx.ledger.add(planted("file#orders"))

    found = {each["MetricName"]: each["Values"] for each in health.of_feed(ctx)}

    assert found["OldestWaitingAge"][0] == pytest.approx((clock.now() - NOW).total_seconds(), abs=60)
