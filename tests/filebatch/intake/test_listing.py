"""What lies in the bucket: versions and windows; the sweep is in test_sweep.py."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from aws import feed_of, recorded
from filebatch.core import clock
from filebatch.core.contract import FileVersion
from filebatch.core.records import FileRecord
from filebatch.feeds.selection import Selection
from filebatch.feeds.windows import Window
from filebatch.intake import arrivals, listing
from filebatch.intake.arrivals import Taken

FEED = feed_of()
HOUR = timedelta(hours=1)
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
    assert listing.sweep(place.connect("s3"), place.new_files, FEED, place.ledger, clock.now()) == Taken(new=1)
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
