"""The sweep: it finds what no event brought, and what waits for a feed's former name."""

from datetime import timedelta

import pytest

from aws import feed_of, recorded
from filebatch.core import clock, feed_moves, file_moves
from filebatch.core.contract import Reason
from filebatch.core.feed_records import Sweep, Sweeping
from filebatch.core.file_moves import FileFailure
from filebatch.core.records import FileRecord, FileState
from filebatch.intake import arrivals, listing
from filebatch.intake.arrivals import Taken

FEED = feed_of()
BROKEN = FileFailure(Reason("bug", "ValueError: x"))


def swept(place, feed=FEED):
    return listing.sweep(place.connect("s3"), place.new_files, feed, place.ledger, clock.now())


def test_the_sweep_finds_what_no_event_brought(place):
    known, missed = place.put("orders/a.csv"), place.put("orders/b.csv")
    place.arrive(known)
    assert swept(place) == Taken(new=1, known=1)
    assert place.state(FileRecord.at(missed)) == FileState.ARRIVED


def test_the_sweep_and_an_event_know_the_same_file(place):
    file = place.put("orders/a.csv")
    swept(place)
    assert arrivals.record(place.ledger, FEED, [file], clock.now()) == Taken(known=1)


def test_a_sweep_counts_history_and_what_matches_no_pattern(place):
    place.put("orders/a.csv")
    place.put("orders/a.tmp")
    assert swept(place, feed_of(pattern=r".*\.csv", start="2099-01-01")) == Taken(history=1, unmatched=1)


def test_a_sweep_looks_up_only_what_changed_since_the_last(place, monkeypatch):
    place.put("orders/a.csv")
    assert swept(place) == Taken(new=1)
    assert swept(place) == Taken(known=1)
    monkeypatch.setattr(listing, "SWEEP_OVERLAP", -timedelta(days=1))
    with recorded(place.connect("dynamodb"), "dynamodb.BatchGetItem") as calls:
        assert swept(place) == Taken()
    assert calls == []


@pytest.mark.parametrize("change", [{"pattern": r".*\.tmp|.*\.csv"}, {"start": "2019-01-01"}])
def test_a_feed_that_means_other_files_now_is_swept_from_the_beginning(place, monkeypatch, change):
    place.put("orders/a.tmp")
    assert swept(place, feed_of(pattern=r".*\.csv")) == Taken(unmatched=1)
    monkeypatch.setattr(listing, "SWEEP_OVERLAP", -timedelta(days=1))
    assert swept(place, feed_of(**{"pattern": r".*", **change})) == Taken(new=1)


def test_a_sweep_that_died_is_done_again_from_where_the_last_one_began(place):
    class Dies:
        """A ledger that fails when the sweep is written down."""

        def __getattr__(self, name):
            return getattr(place.ledger, name)

        def move(self, move):
            if move.row == Sweep.at("orders"):
                raise ConnectionError
            return place.ledger.move(move)

    place.put("orders/a.csv")
    with pytest.raises(ConnectionError):
        listing.sweep(place.connect("s3"), place.new_files, FEED, Dies(), clock.now())
    assert swept(place) == Taken(known=1)


def test_what_is_no_work_is_counted_and_named_with_the_reason_and_never_in_the_ledger(place):
    for key in ("orders/", "orders/_SUCCESS", "orders/2026_$folder$"):
        place.put(key, b"")
    for number in range(12):
        place.put(f"orders/wrong-{number:02}.CSV")

    taken = swept(place, feed_of(pattern=r".*\.csv"))

    assert taken == Taken(unmatched=12, ignored=3)
    told = str(taken).splitlines()
    assert told[0] == "new=0 known=0 history=0 unmatched=12 ignored=3"
    assert "no work: 'orders/': a marker that a tool left, and no file" in told
    assert "no work: 'orders/wrong-00.CSV': its key doesn't match" in str(taken)
    assert told[-1] == "no work: 5 more"
    assert len(told) == 12
    assert not [item for item in place.ledger.scan() if "key" in item]


@pytest.fixture
def two_a_page(place):
    """Have S3 answer listings with two versions a page."""
    s3 = place.connect("s3")

    def shorten(params, **_):
        params["MaxKeys"] = 2

    s3.meta.events.register("provide-client-params.s3.ListObjectVersions", shorten)
    yield
    s3.meta.events.unregister("provide-client-params.s3.ListObjectVersions", shorten)


def interrupted(place, page, feed=FEED):
    """Have a sweep die at a page, counted from 1."""
    compare, pages = listing._compare, []

    def dies(*args):
        pages.append(1)
        if len(pages) == page:
            raise ConnectionError
        return compare(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listing, "_compare", dies)
        with pytest.raises(ConnectionError):
            swept(place, feed)


@pytest.mark.usefixtures("two_a_page")
def test_a_sweep_that_was_interrupted_is_gone_on_with_where_it_was(place):
    files = [place.put(f"orders/{name}.csv") for name in "abcdef"]
    interrupted(place, 3)
    began = place.ledger.get(Sweeping.at("orders")).began
    assert swept(place) == Taken(new=2)
    assert {place.state(FileRecord.at(file)) for file in files} == {FileState.ARRIVED}
    assert place.ledger.get(Sweep.at("orders")).swept_at == began
    assert place.ledger.get(Sweeping.at("orders")).after_key == ""
    assert swept(place) == Taken(known=6)


@pytest.mark.usefixtures("two_a_page")
def test_what_came_into_a_page_that_an_interrupted_sweep_had_done_is_found_by_the_one_after_it(place):
    for name in "bcdef":
        place.put(f"orders/{name}.csv")
    interrupted(place, 2)
    late = place.put("orders/a.csv")
    assert swept(place) == Taken(new=3)
    assert place.ledger.get(FileRecord.at(late)) is None
    assert swept(place) == Taken(known=5, new=1)


@pytest.mark.usefixtures("two_a_page")
def test_a_sweep_that_was_interrupted_is_begun_anew_by_a_feed_that_means_other_files(place):
    for name in "abcd":
        place.put(f"orders/{name}.csv")
    left = Sweeping(
        pk="feed#orders",
        sk="sweeping",
        began="2026-01-01T00:00:00.000Z",
        definition="x",
        after_key="orders/c.csv",
        after_version="",
    )
    place.ledger.move(feed_moves.sweeping("orders", left))
    assert swept(place) == Taken(new=4)


@pytest.mark.usefixtures("two_a_page")
def test_a_sweep_holds_one_page_at_a_time(place, monkeypatch):
    for name in "abcde":
        place.put(f"orders/{name}.csv")
    compare, pages = listing._compare, []
    monkeypatch.setattr(listing, "_compare", lambda *args: (pages.append(len(args[2])), compare(*args))[1])
    assert swept(place) == Taken(new=5)
    assert pages == [2, 2, 1]


def test_what_waits_for_a_feed_of_another_name_waits_for_this_one_after_the_sweep(place):
    waits, failed, done = (place.arrive(place.put(f"orders/{name}.csv"))[0] for name in "abc")
    for row, retry in ((failed, clock.now()), (done, None)):
        place.ledger.move(file_moves.claim(row, "t", "r", 1, clock.now()))
        place.ledger.move(file_moves.fail(row, "t", "orders", BROKEN, retry=retry, now=clock.now()))
    swept(place, feed_of("renamed", prefix="orders/"))
    found = [item["pk"] for item in place.ledger.open(FileRecord.waiting("renamed"))]
    assert sorted(found) == [waits.pk, failed.pk]
    assert place.ledger.open(FileRecord.waiting("orders")) == []
    assert [place.ledger.get(row).feed for row in (waits, failed, done)] == ["renamed", "renamed", "renamed"]


def test_a_sweep_does_not_end_while_a_claim_of_another_feed_holds_a_file(place):
    (held,) = place.arrive(place.put("orders/a.csv"))
    claimed = place.ledger.move(file_moves.claim(held, "t", "r", 1, clock.now()))
    renamed = feed_of("renamed", prefix="orders/")
    assert swept(place, renamed).held_by == {"orders"}
    assert place.ledger.get(Sweep.at("renamed")) is None
    place.ledger.move(file_moves.release(claimed, clock.now()))
    assert swept(place, renamed).held_by == set()
    assert place.ledger.get(held).open == FileRecord.waiting("renamed").name


@pytest.mark.usefixtures("two_a_page")
def test_a_file_that_was_held_before_an_interruption_is_met_again_after_it(place):
    held, *_ = place.arrive(*(place.put(f"orders/{name}.csv") for name in "abcdef"))
    place.ledger.move(file_moves.claim(held, "t", "r", 1, clock.now()))
    renamed = feed_of("renamed", prefix="orders/")
    interrupted(place, 3, renamed)
    assert swept(place, renamed).held_by == {"orders"}
    assert place.ledger.get(Sweep.at("renamed")) is None


def test_a_feed_that_gets_its_name_back_looks_at_everything_again(place):
    (row,) = place.arrive(place.put("orders/a.csv"))
    long_after = clock.now() + timedelta(days=30)
    swept(place)
    swept(place, feed_of("renamed", prefix="orders/"))
    assert place.ledger.get(row).feed == "renamed"

    listing.sweep(place.connect("s3"), place.new_files, feed_of("orders"), place.ledger, long_after)

    assert place.ledger.get(row).feed == "orders"
