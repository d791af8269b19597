"""What the audit says of files that nobody has taken: lost, new, or no work."""

from dataclasses import replace
from datetime import timedelta

import pytest

from aws import feed_of
from claims import Held
from filebatch.core import clock, run_moves
from filebatch.core.records import FileRecord
from filebatch.intake import listing
from filebatch.queries import audit as auditing
from filebatch.queries.audit import audit

FEED = feed_of(pattern=r"((?P<date>\d{8})/)?[^/]*\.csv", start="2026-01-01")


def audited(place, feed=FEED) -> list[str]:
    return str(audit([feed], place.settings(), place.connect("s3"), place.connect("dynamodb"))).splitlines()


def sweep(place, feed=FEED) -> None:
    listing.sweep(place.connect("s3"), place.new_files, feed, place.ledger, clock.now())


@pytest.fixture
def tomorrow(monkeypatch):
    """Whoever asks the clock is a day ahead of the bucket: what lies there is older than the sweep."""
    now = clock.now
    monkeypatch.setattr(clock, "now", lambda: now() + timedelta(days=1))


def test_a_file_that_came_since_the_last_sweep_is_new_and_not_lost(place):
    place.put("orders/a.csv")
    told = audited(place)
    assert told[0] == "lost=0 doubled=0 untrue=0 stuck=0 files=1 unmatched=0 history=0 ignored=0 new=1"
    assert told[1] == "new: 1 files that nobody has taken yet; the feed's next run or sweep does"


def test_a_file_that_a_sweep_has_taken_is_neither(place, tomorrow):
    place.put("orders/a.csv")
    sweep(place)
    assert audited(place) == ["lost=0 doubled=0 untrue=0 stuck=0 files=1 unmatched=0 history=0 ignored=0 new=0"]


def test_a_file_that_a_sweep_must_have_seen_is_lost(place, tomorrow):
    file = place.put("orders/a.csv")
    sweep(place)
    place.ledger.remove(FileRecord.at(file))
    told = audited(place)
    assert told[0].startswith("lost=1 ")
    assert told[1].endswith("orders/a.csv': not in the ledger")


def test_files_that_the_feed_means_since_it_was_changed_are_new(place, tomorrow):
    place.put("orders/a.csv")
    place.put("orders/b.txt")
    sweep(place)
    assert audited(place, feed_of())[0].startswith("lost=0 doubled=0 untrue=0 stuck=0 files=2 ")
    assert audited(place, feed_of())[0].endswith(" new=1")


def test_what_is_no_work_is_counted_and_named(place):
    place.put("orders/wrong.CSV")
    place.put("orders/20251231/old.csv")
    place.put("orders/", b"")
    told = audited(place)
    assert told[0] == "lost=0 doubled=0 untrue=0 stuck=0 files=0 unmatched=1 history=1 ignored=1 new=0"
    assert sorted(line.split(":")[1] for line in told[1:]) == [
        " 'orders/'",
        " 'orders/20251231/old.csv'",
        " 'orders/wrong.CSV'",
    ]


def stuck(held) -> list[str]:
    found = audit([held.ctx.feed], held.ctx.settings, held.ctx.s3, held.place.connect("dynamodb"))
    return [finding.what for finding in found.findings if finding.kind == "stuck"]


def test_a_claim_that_lives_is_not_stuck(place):
    assert stuck(Held(place, 2)) == []


def test_a_file_that_a_closed_claim_holds_is_stuck(place):
    held = Held(place, 1)
    held.ctx.ledger.move(run_moves.settle(held.record, {}, clock.now()))
    assert stuck(held) == [f"CLAIMED by run {held.record.run_id}, which is SETTLED"]


def test_a_file_whose_claim_has_no_record_is_stuck(place):
    held = Held(place, 1)
    held.ctx.ledger.remove(held.record.row)
    assert stuck(held) == [f"CLAIMED by {held.token}, of which there is no owner record"]


@pytest.mark.parametrize(("hours", "found"), [(1, 0), (3, 1)])
def test_a_claim_that_nobody_took_over_for_hours_is_stuck(place, hours, found):
    held = Held(place, 1)
    then = clock.now() - timedelta(hours=hours)
    held.ctx.ledger.move(run_moves.heartbeat("orders", held.token, timeout=timedelta(), now=then))
    assert len(stuck(held)) == found


def test_what_a_worker_writes_in_a_strange_place_keeps_nobody_from_the_audit(place):
    held = Held(place, 1)
    for key in ("results/orders/_result.json", "results/orders/a/gx/_result.json", "results/orders/g1/_result.json"):
        held.ctx.s3.put_object(Bucket=held.ctx.results, Key=key, Body=b"{}")
    assert stuck(held) == []


def test_a_claim_with_a_time_that_is_none_keeps_nobody_from_the_audit(place):
    held = Held(place, 1)
    strange = replace(held.record, due_at="soon")
    assert list(auditing.stuck([], [strange], clock.now())) == []


def test_what_waits_for_a_feed_that_is_not_there_is_stuck_until_the_sweep_of_its_new_name(place):
    renamed = feed_of("renamed", prefix="orders/")
    file = place.put("orders/a.csv")
    place.arrive(file)
    told = audited(place, renamed)
    assert told[0].startswith("lost=0 doubled=0 untrue=0 stuck=1 ")
    assert told[1] == f"stuck '{file.uri}': ARRIVED for feed orders, which isn't there"
    sweep(place, renamed)
    assert audited(place, renamed)[0].startswith("lost=0 doubled=0 untrue=0 stuck=0 ")


def test_of_a_feed_that_is_not_there_what_is_done_is_not_stuck(place):
    held = Held(place, 1)
    held.finish()
    assert "which isn't there" not in "".join(audited(place, feed_of("another")))
