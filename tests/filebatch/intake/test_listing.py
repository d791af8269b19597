"""What lies in the bucket: versions, windows, and the sweep that finds what no event brought."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from aws import feed_of, recorded
from filebatch.core import clock, feed_moves, file_moves
from filebatch.core.contract import FileVersion, Reason
from filebatch.core.file_moves import FileFailure
from filebatch.core.records import FileRecord, FileState, Sweep, Sweeping
from filebatch.feeds.selection import Selection
from filebatch.feeds.windows import Window
from filebatch.intake import arrivals, listing
from filebatch.intake.arrivals import Taken

FEED = feed_of()
HOUR = timedelta(hours=1)
BROKEN = FileFailure(Reason("bug", "ValueError: x"))
DATED = feed_of(pattern=r"(?P<date>\d{4}-\d{2}-\d{2})/.+", day_prefix="%Y-%m-%d/")
# Control characters are left out: the local server itself can't carry them (test_paths.py has them).
ODD_KEYS = [
    "orders/with space.csv",
    "orders/plus+percent%2Fü.csv",
    "orders/quotes'\"`.csv",
    "orders/../up.csv",
    "orders//double.csv",
    "orders/🦆.csv",
    "orders/" + "x" * 1000,
]


def day(number: int) -> datetime:
    return datetime(2026, 1, number, tzinfo=UTC)


def keys(files):
    return [file.key for file in files]


def swept(place, feed=FEED):
    return listing.sweep(place.connect("s3"), place.new_files, feed, place.ledger, clock.now())


def selected(place, feed=FEED, *, start=None, end=None, **fields):
    selection = Selection(window=Window(start, end), **fields)
    return listing.selected(place.connect("s3"), place.new_files, feed, place.ledger, selection)


def test_every_version_of_every_key_is_listed(place):
    first, second, other = place.put("orders/a.csv"), place.put("orders/a.csv", b"x"), place.put("orders/b.csv")
    place.put("elsewhere/c.csv")
    found = list(listing.versions(place.connect("s3"), place.new_files, "orders/"))
    assert {file.identity for file in found} == {first.identity, second.identity, other.identity}
    latest = list(listing.versions(place.connect("s3"), place.new_files, "orders/", latest=True))
    assert {file.identity for file in latest} == {second.identity, other.identity}


def test_a_listed_file_is_the_same_as_an_announced_one(place):
    put = place.put("orders/a.csv")
    (found,) = listing.versions(place.connect("s3"), place.new_files, "orders/")
    assert (found.identity, found.size, found.etag) == (put.identity, put.size, put.etag)
    assert abs(clock.parse_utc(found.last_modified) - clock.now()) < timedelta(seconds=30)


def test_a_bucket_without_versions_is_listed_with_etags(place):
    put = place.put("orders/a.csv", bucket=place.plain_files)
    (found,) = listing.versions(place.connect("s3"), place.plain_files, "orders/")
    assert (found.version, found.identity) == (f"null:{put.etag}", put.identity)


@pytest.mark.parametrize("key", ODD_KEYS, ids=range(len(ODD_KEYS)))
def test_a_strangers_key_is_listed_swept_and_named_as_it_is(place, key):
    file = place.put(key)
    assert [found.identity for found in selected(place, keys=(key,))] == [file.identity]
    assert swept(place) == Taken(new=1)
    assert place.ledger.get(FileRecord.at(file)).key == key


def test_a_deleted_file_is_no_longer_the_current_version(place):
    place.put("orders/a.csv")
    place.connect("s3").delete_object(Bucket=place.new_files, Key="orders/a.csv")
    assert selected(place, keys=("orders/a.csv",)) == []


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (day(1), day(2), ["orders/2026-01-01/"]),
        (day(1), day(3), ["orders/2026-01-01/", "orders/2026-01-02/"]),
        (day(1) + timedelta(hours=23), day(2) + timedelta(hours=1), ["orders/2026-01-01/", "orders/2026-01-02/"]),
        (day(1), None, ["orders/"]),
        (None, day(1), ["orders/"]),
        (None, None, ["orders/"]),
        (day(1), day(1) + timedelta(days=listing.MAX_DAYS + 1), ["orders/"]),
    ],
)
def test_a_window_is_listed_by_its_days_where_the_keys_say_them(start, end, expected):
    assert listing.prefixes(DATED, start, end) == expected


def test_a_window_is_listed_whole_where_the_keys_do_not_say_days():
    assert listing.prefixes(FEED, day(1), day(2)) == ["orders/"]


def test_days_that_share_a_prefix_are_listed_once():
    monthly = feed_of(pattern=r"(?P<date>\d{4}/\d{2}/\d{2}).+", day_prefix="%Y/%m/")
    assert listing.prefixes(monthly, day(30), day(30) + timedelta(days=4)) == ["orders/2026/01/", "orders/2026/02/"]


def test_a_prefix_that_another_begins_with_brings_no_file_twice(place):
    loose = feed_of(pattern=r"(?P<date>\d{4}-\d{1,2}-\d{1,2}).*", day_prefix="%Y-%-m-%-d")
    place.put("orders/2026-1-10.csv")
    assert keys(selected(place, loose, start=day(1), end=day(20))) == ["orders/2026-1-10.csv"]


def test_a_window_takes_its_days_files_and_asks_for_no_others(place):
    for number in (1, 2, 3):
        place.put(f"orders/2026-01-0{number}/a.csv")
    with recorded(place.connect("s3"), "s3.ListObjectVersions") as calls:
        assert keys(selected(place, DATED, start=day(2), end=day(3))) == ["orders/2026-01-02/a.csv"]
    assert [call["Prefix"] for call in calls] == ["orders/2026-01-02/"]


def test_a_prefix_narrows_a_window(place):
    place.put("orders/2026-01-02/a.csv")
    place.put("orders/2026-01-02/b.csv")
    with recorded(place.connect("s3"), "s3.ListObjectVersions") as calls:
        found = selected(place, DATED, prefix="orders/2026-01-02/b", start=day(1), end=day(3))
    assert keys(found) == ["orders/2026-01-02/b.csv"]
    assert [call["Prefix"] for call in calls] == ["orders/2026-01-02/b"]


def test_a_window_without_dates_in_the_keys_goes_by_last_modified(place):
    place.put("orders/a.csv")
    now = clock.now()
    assert keys(selected(place, start=now - timedelta(hours=1), end=now + timedelta(hours=1))) == ["orders/a.csv"]
    assert selected(place, start=now - timedelta(hours=2), end=now - timedelta(hours=1)) == []


def announced_at(place, key, moment):
    """Put a file and record it with the time of its event, which LastModified may be far from."""
    file = replace(place.put(key), last_modified=clock.to_iso(moment))
    arrivals.record(place.ledger, FEED, [file], clock.now())
    return file


@pytest.mark.parametrize("days", [7, 2, -0.5])
def test_a_file_is_of_the_day_that_was_recorded_first_though_last_modified_is_of_another(place, days):
    """As of a multipart upload, which was begun days before its event."""
    now = clock.now()
    announced_at(place, "orders/a.csv", now + timedelta(days=days))
    place.put("orders/b.csv")

    begun, ended = (now - HOUR, now + HOUR), (now + timedelta(days=days) - HOUR, now + timedelta(days=days) + HOUR)

    assert keys(selected(place, start=ended[0], end=ended[1])) == ["orders/a.csv"]
    assert keys(selected(place, start=begun[0], end=begun[1])) == ["orders/b.csv"]


def test_a_file_that_was_recorded_as_work_is_no_history_though_last_modified_is_older_than_the_feed(place):
    tomorrow = clock.now() + timedelta(days=1)
    announced_at(place, "orders/a.csv", tomorrow)
    begins = feed_of(start=str(tomorrow.date()))

    assert keys(selected(place, begins, keys=("orders/a.csv",))) == ["orders/a.csv"]


def test_only_files_near_an_edge_of_the_window_and_without_a_date_are_looked_up(place):
    place.put("orders/a.csv")
    place.put("orders/2026-01-02/a.csv")
    far = clock.now() - timedelta(days=30)
    with recorded(place.connect("dynamodb"), "dynamodb.BatchGetItem") as calls:
        selected(place, start=far, end=far + HOUR)
        selected(place, feed_of(pattern=DATED.pattern), start=day(2), end=day(3))
    assert calls == []


def test_named_keys_are_each_found_once_although_one_begins_with_the_other(place):
    place.put("orders/a.csv")
    place.put("orders/a.csv.gz")
    assert keys(selected(place, keys=("orders/a.csv", "orders/a.csv.gz"))) == ["orders/a.csv", "orders/a.csv.gz"]
    assert keys(selected(place, keys=("orders/a.csv",))) == ["orders/a.csv"]


def test_history_is_no_work_even_by_name_and_it_is_said_why(place):
    place.put("orders/a.csv")
    late = feed_of(start="2099-01-01")
    assert selected(place, late) == selected(place, late, keys=("orders/a.csv",)) == []
    looked = listing.look(place.connect("s3"), place.new_files, late, place.ledger, Selection(keys=("orders/a.csv",)))
    assert looked.why == {"orders/a.csv": "history, as it is of before the feed's start, 2099-01-01"}


def test_keys_that_match_no_pattern_are_not_selected(place):
    place.put("orders/a.tmp")
    assert selected(place, feed_of(pattern=r".*\.csv"), prefix="orders/") == []


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


def test_more_versions_than_a_page_are_all_listed():
    class Paged:
        """Two pages of a listing."""

        def get_paginator(self, name):
            assert name == "list_object_versions"
            return self

        def paginate(self, **_):
            for number in range(2):
                found = {"Key": f"orders/{number}", "VersionId": "v", "ETag": '"e"', "Size": 1, "IsLatest": True}
                yield {"Versions": [{**found, "LastModified": day(1)}]}
            yield {"DeleteMarkers": [{"Key": "orders/x"}]}

    assert list(listing.versions(Paged(), "b", "orders/")) == [
        FileVersion("b", f"orders/{number}", "v", "e", 1, "2026-01-01T00:00:00.000Z") for number in range(2)
    ]


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
def two_a_page(place, monkeypatch):
    """Have S3 answer listings with two versions a page."""
    s3 = place.connect("s3")

    def shorten(params, **_):
        params["MaxKeys"] = 2

    s3.meta.events.register("provide-client-params.s3.ListObjectVersions", shorten)
    yield
    s3.meta.events.unregister("provide-client-params.s3.ListObjectVersions", shorten)


@pytest.mark.usefixtures("two_a_page")
def test_a_sweep_that_was_interrupted_is_gone_on_with_where_it_was(place, monkeypatch):
    files = [place.put(f"orders/{name}.csv") for name in "abcdef"]
    compare, pages = listing._compare, []

    def dies(*args):
        pages.append(1)
        if len(pages) == 3:
            raise ConnectionError
        return compare(*args)

    with monkeypatch.context() as patch:
        patch.setattr(listing, "_compare", dies)
        with pytest.raises(ConnectionError):
            swept(place)
    began = place.ledger.get(Sweeping.at("orders")).began
    assert swept(place) == Taken(new=2)
    assert {place.state(FileRecord.at(file)) for file in files} == {FileState.ARRIVED}
    assert place.ledger.get(Sweep.at("orders")).swept_at == began
    assert place.ledger.get(Sweeping.at("orders")).after_key == ""
    assert swept(place) == Taken(known=6)


@pytest.mark.usefixtures("two_a_page")
def test_what_came_into_a_page_that_an_interrupted_sweep_had_done_is_found_by_the_one_after_it(place, monkeypatch):
    for name in "bcdef":
        place.put(f"orders/{name}.csv")
    compare, pages = listing._compare, []

    def dies(*args):
        pages.append(1)
        if len(pages) == 2:
            raise ConnectionError
        return compare(*args)

    with monkeypatch.context() as patch:
        patch.setattr(listing, "_compare", dies)
        with pytest.raises(ConnectionError):
            swept(place)
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
def test_a_file_that_was_held_before_an_interruption_is_met_again_after_it(place, monkeypatch):
    held, *_ = place.arrive(*(place.put(f"orders/{name}.csv") for name in "abcdef"))
    place.ledger.move(file_moves.claim(held, "t", "r", 1, clock.now()))
    renamed, compare, pages = feed_of("renamed", prefix="orders/"), listing._compare, []

    def killed(*args):
        pages.append(args)
        if len(pages) == 3:
            raise KeyboardInterrupt
        return compare(*args)

    monkeypatch.setattr(listing, "_compare", killed)
    with pytest.raises(KeyboardInterrupt):
        swept(place, renamed)

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
