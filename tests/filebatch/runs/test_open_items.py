"""Of what the index holds for a feed, only its own counts: another's worker may have put the rest there."""

import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from aws import NOW, feed_of
from filebatch.core import clock, file_moves, requests, run_moves
from filebatch.core.ledger import Ledger
from filebatch.core.records import FileRecord
from filebatch.queries import health
from filebatch.runs import open_items
from filebatch.runs.context import FeedContext
from moves import FILE, run_record


@pytest.fixture
def ctx(place):
    feed = feed_of("orders")
    return FeedContext(feed, place.settings(), place.connect)


def planted(partition):
    """Return an item as the worker of feed `other` may write it: below its own keys, for the partition of orders."""
    return {"pk": "s3://new-files/other/evil", "sk": "x", "open": partition, "due_at": "2020-01-01T00:00:00.000Z"}


def waits(ctx, key="orders/a.csv"):
    file = file_moves.arrive(replace(FILE, bucket=ctx.settings.new_files, key=key), "orders", NOW, NOW)
    assert ctx.ledger.add(file)
    return file


def put(ctx, item):
    """Write an item as it stands, as a worker may that keeps to nothing."""
    ctx.connect("dynamodb").put_item(TableName=ctx.settings.ledger, Item=requests.encode(item))


@pytest.mark.parametrize(
    "more", [{}, {"bucket": "new-files", "key": "other/evil", "state": "ARRIVED", "generation": 1}]
)
def test_a_file_that_another_feeds_worker_planted_is_no_file_of_the_feed(ctx, caplog, more):
    own = waits(ctx)
    put(ctx, {**planted("file#orders"), **more})

    with caplog.at_level(logging.ERROR):
        found = open_items.waiting_files(ctx, NOW, 10)

    assert found == [own]
    assert "1 items of the ledger are open for it and not its own" in caplog.text


def test_one_with_every_attribute_of_a_file_of_the_feed_but_another_key_is_none_either(ctx):
    own = waits(ctx)
    put(ctx, {**own.to_item(), "pk": f"s3://{ctx.settings.new_files}/other/evil"})

    assert open_items.waiting_files(ctx, NOW, 10) == [own]


def test_a_run_that_another_feeds_worker_planted_is_no_run_of_the_feed(ctx):
    own = run_record()
    ctx.ledger.add(own)
    put(ctx, planted("run#orders"))
    put(ctx, {**own.to_item(), "pk": "run#other"})

    assert open_items.open_runs(ctx) == [own]


class Lagging(Ledger):
    """The ledger with an index that lags behind: it still has what an index item said a while ago."""

    stale: ClassVar[list[Any]] = []

    def open(self, partition, *, due=None, limit=None):
        return self.stale


def lagging(ctx, *items):
    ledger = Lagging(ctx.ledger.client, ctx.ledger.table)
    object.__setattr__(ledger, "stale", [*items])
    found = replace(ctx)
    object.__setattr__(found, "ledger", ledger)
    return found


def test_a_run_is_as_the_table_has_it_however_far_the_index_lags_behind(ctx):
    own = run_record()
    ctx.ledger.add(own)
    settled = ctx.ledger.move(run_moves.settle(own, {"SUCCEEDED": 1}, NOW))

    assert open_items.open_runs(lagging(ctx, own.to_item())) == [settled]


def test_a_run_that_is_announced_is_not_open_though_the_index_still_has_it(ctx):
    own = run_record()
    ctx.ledger.add(own)
    settled = ctx.ledger.move(run_moves.settle(own, {"SUCCEEDED": 1}, NOW))
    ctx.ledger.move(run_moves.announced(settled, NOW))

    assert open_items.open_runs(lagging(ctx, own.to_item())) == []


def test_a_run_that_the_table_has_not_is_not_open(ctx):
    assert open_items.open_runs(lagging(ctx, run_record().to_item())) == []


def test_what_is_due_is_counted_up_to_a_bound(ctx):
    for number in range(5):
        waits(ctx, f"orders/{number}.csv")
    waiting = FileRecord.waiting("orders")

    assert [ctx.ledger.count_open(waiting, NOW, limit) for limit in (1, 3, 5, 9)] == [1, 3, 5, 5]
    assert ctx.ledger.count_open(waiting, NOW - timedelta(seconds=1), 9) == 0


def test_the_feeds_health_is_told_all_the_same(ctx):
    waits(ctx)
    put(ctx, planted("file#orders"))

    found = {each["MetricName"]: each["Values"] for each in health.of_feed(ctx)}

    assert found["OldestWaitingAge"][0] == pytest.approx((clock.now() - NOW).total_seconds(), abs=60)


def test_no_more_files_are_read_than_asked_for_and_no_runs_that_are_not_due(ctx):
    for name in "abc":
        waits(ctx, f"orders/{name}.csv")
    assert len(open_items.waiting_files(ctx, NOW, 2)) == 2
    ctx.ledger.add(run_record())
    assert open_items.open_runs(ctx, NOW) == []
    assert open_items.open_runs(ctx, NOW + timedelta(hours=1)) == [run_record()]
    assert open_items.open_runs(ctx) == [run_record()]


def test_files_that_are_claimed_come_from_the_table_and_are_the_feeds_own(ctx):
    own, other = waits(ctx), waits(ctx, "orders/b.csv")
    for file in (own, other):
        ctx.ledger.move(file_moves.claim(file.row, "a-0001", "run", 1, NOW))
    claimed = ctx.ledger.get(own.row).to_item()
    put(ctx, {**claimed, "pk": f"s3://{ctx.settings.new_files}/other/evil"})
    put(ctx, {**ctx.ledger.get(other.row).to_item(), "feed": "other"})

    assert [file.pk for file in open_items.claimed_longest(ctx, 10)] == [own.pk]
