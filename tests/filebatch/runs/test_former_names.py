"""What was open under a feed's former name is its new name's, though the bucket doesn't have it any more."""

from dataclasses import replace
from datetime import timedelta

import pytest

from aws import feed_of
from claims import RUN_ID, Held
from filebatch.core import clock, feed_moves, run_moves
from filebatch.core.feed_records import Arrival
from filebatch.core.records import FileRecord, FileState, RunRecord
from filebatch.core.run_moves import Asked
from filebatch.feeds.selection import Selection
from filebatch.intake import arrivals
from filebatch.runs import former_names, selecting

RENAMED = feed_of("renamed", prefix="orders/")
LONG_AFTER = former_names.ASKED_FOR + timedelta(minutes=1)


def arrived(place, key="orders/a.csv", feed=None):
    file = place.put(key)
    arrivals.record(place.ledger, feed or feed_of(), [file], clock.now())
    return file


def told_of(place, now):
    place.ledger.move(feed_moves.arrived("orders", "orders/", clock.to_iso(now), now))


def gone(place, file):
    place.connect("s3").delete_object(Bucket=file.bucket, Key=file.key, VersionId=file.version_id)


def names(place, prefix="orders/"):
    return sorted(item["pk"] for item in place.ledger.open(Arrival.under(prefix)))


def waiting(place, feed):
    return [item["key"] for item in place.ledger.open(FileRecord.waiting(feed))]


def without_heartbeat(held):
    past = clock.now() - timedelta(hours=2)
    held.ctx.ledger.move(run_moves.heartbeat("orders", held.token, timeout=timedelta(hours=1), now=past))


def test_a_version_that_was_deleted_for_good_waits_for_the_new_name_after_a_sweep(place):
    file = arrived(place)
    gone(place, file)
    place.queue(RENAMED)

    selecting.take_in(place.ctx(RENAMED), Selection(sweep=True))

    assert (waiting(place, "renamed"), waiting(place, "orders")) == (["orders/a.csv"], [])
    assert place.ledger.get(FileRecord.at(file)).feed == "renamed"


def test_so_it_does_when_a_dead_run_of_the_former_name_held_it(place):
    arrived(place, "orders/another.csv")
    held = Held(place, 1)
    gone(place, held.item().file)
    without_heartbeat(held)
    place.queue(RENAMED)

    selecting.take_in(place.ctx(RENAMED, now=lambda: clock.now() + timedelta(minutes=4)), Selection(sweep=True))

    assert held.now_in() == [FileState.ARRIVED]
    assert held.item().key in waiting(place, "renamed")


def test_a_name_between_the_two_is_a_former_one_too(place):
    file = arrived(place)
    former_names.take_over(place.ctx(RENAMED))
    gone(place, file)
    former_names.take_over(place.ctx(feed_of("third", prefix="orders/")))
    assert waiting(place, "third") == ["orders/a.csv"]
    assert names(place) == ["feed#orders", "feed#renamed", "feed#third"]


def test_a_name_is_forgotten_a_day_after_its_last_arrival_unless_something_is_open_under_it(place):
    arrived(place)
    late = place.ctx(RENAMED, now=lambda: clock.now() + LONG_AFTER)
    former_names.take_over(late)
    assert "feed#orders" in names(place)
    former_names.take_over(late)
    assert names(place) == ["feed#renamed"]
    assert place.ledger.get(Arrival.at("orders")).arrived_at


@pytest.mark.parametrize("what", ["a file that is CLAIMED", "an open claim"])
def test_a_name_is_kept_for_as_long_as_it_has(place, what):
    told_of(place, clock.now())
    if what == "an open claim":
        asked = Asked(RUN_ID, 1, 0, "all that waits")
        place.ledger.add(run_moves.begin("orders", "t", asked, timeout=2 * LONG_AFTER, now=clock.now()))
    else:
        held = Held(place, 1)
        held.ctx.ledger.move(run_moves.heartbeat("orders", held.token, timeout=2 * LONG_AFTER, now=clock.now()))
    former_names.take_over(place.ctx(RENAMED, now=lambda: clock.now() + LONG_AFTER))
    assert names(place) == ["feed#orders"]


def test_a_file_that_arrives_meanwhile_keeps_its_name_known(place):
    told_of(place, clock.now())
    seen = place.ledger.get(Arrival.at("orders"))
    place.ledger.move(feed_moves.known("orders", "orders/", clock.now() + timedelta(seconds=1)))
    assert not place.ledger.try_move(feed_moves.left(seen)).done
    assert names(place) == ["feed#orders"]


def test_no_file_is_a_feeds_before_its_name_is_known(place):
    class Dies:
        """A ledger that fails when a file is added."""

        def __init__(self):
            self.side_by_side = place.ledger.side_by_side

        def try_move(self, move):
            return place.ledger.try_move(move)

        def add(self, _record):
            raise ConnectionError

    with pytest.raises(ConnectionError):
        arrivals.record(Dies(), feed_of(), [place.put("orders/a.csv")], clock.now())
    assert names(place) == ["feed#orders"]


def test_what_a_worker_put_there_names_no_feed(place, caplog):
    file = arrived(place)
    for row in (FileRecord.at(file), RunRecord.at("orders", "t")):
        place.connect("dynamodb").update_item(
            TableName=place.table,
            Key={"pk": {"S": row.pk}, "sk": {"S": row.sk}},
            UpdateExpression="SET #open = :open, due_at = :at, arrived_at = :at",
            ExpressionAttributeNames={"#open": "open"},
            ExpressionAttributeValues={":open": {"S": "prefix#orders/"}, ":at": {"S": "2026"}},
        )
    found = former_names._arrivals(place.ctx())
    assert [arrival.feed for arrival in found] == ["orders"]


def test_claims_of_a_feeds_former_name_are_settled_once_they_have_no_heartbeat(place):
    held = Held(place, 1)
    renamed = place.ctx(RENAMED, now=lambda: clock.now() + timedelta(minutes=4))
    former_names.take_over(renamed, {"orders"})
    assert held.now_in() == [FileState.CLAIMED]
    without_heartbeat(held)
    former_names.take_over(renamed, {"orders"})
    assert held.now_in() == [FileState.ARRIVED]


def test_files_that_a_closed_claim_of_a_feeds_former_name_holds_are_given_back(place):
    held = Held(place, 1)
    settled = held.ctx.ledger.move(run_moves.settle(held.record, {}, clock.now()))
    held.ctx.ledger.move(run_moves.announced(settled, clock.now()))
    former_names.take_over(replace(held.ctx, feed=RENAMED), {"orders"})
    assert held.now_in() == [FileState.ARRIVED]
