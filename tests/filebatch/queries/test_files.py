"""Files by state, code, time and part of the key: right, in order, and in few requests however many there are."""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from aws import NOW, feed_of
from fake_table import FakeTable
from filebatch.core import clock, file_moves, listed
from filebatch.core.contract import FileVersion, Reason
from filebatch.core.file_moves import FileFailure
from filebatch.core.records import SETTLED_STATES, FileRecord, FileState
from filebatch.feeds.settings import Settings
from filebatch.queries import files, overview
from filebatch.queries.files import Wanted
from filebatch.queries.overview import Count
from filebatch.runs.context import FeedContext
from moves import OWN, RUN_ID, result_of

ARRIVED, CLAIMED, SUCCEEDED, INVALID, FAILED = FileState
FEED = feed_of("orders")
BUCKETS = {"new_files": "new-files", "results": "results"}
QUERIES = (
    "list_files",
    "count_files",
    "versions",
    "get",
    "get_many",
    "item",
    "open",
    "count_open",
    "latest_run",
    "scan",
)


@dataclass
class Counted:
    """A ledger that counts what it is asked."""

    table: FakeTable = field(default_factory=FakeTable)
    requests: Counter = field(default_factory=Counter)

    def __getattr__(self, name: str) -> Any:
        asked = getattr(self.table, name)
        if name in QUERIES:
            self.requests[name] += 1
        return asked

    def during(self, ask):
        """Return an answer, and how many requests it took."""
        before = self.requests.total()
        return ask(), self.requests.total() - before


def context(ledger: Counted) -> FeedContext:
    arn = "arn:aws:sns:eu-west-1:123456789012:t"
    topics = {"stakeholders": arn, "developers": arn}
    settings = Settings("eu-west-1", "test", BUCKETS, "http://q/", topics, "ledger", "jobs", "test-", "test")
    ctx = FeedContext(FEED, settings, connect=lambda service: None, now=lambda: NOW + timedelta(days=9))
    ctx.__dict__["ledger"] = ledger
    return ctx


def version(key: str, number: int = 1) -> FileVersion:
    return FileVersion("new-files", key, f"v{number}", "0" * 32, 8, clock.to_iso(NOW + timedelta(seconds=number)))


def put(
    table: FakeTable, key: str, state: FileState, minute: int = 0, code: str = "bug", number: int = 1
) -> FileRecord:
    """Bring a file into a state at a minute after NOW."""
    file, now = version(key, number), NOW + timedelta(minutes=minute)
    row = FileRecord.at(file)
    table.add(file_moves.arrive(file, FEED.name, now, now))
    reason = Reason(code, "why")
    if state is not ARRIVED:
        table.move(file_moves.claim(row, OWN, RUN_ID, 1, now))
    if state in (SUCCEEDED, INVALID):
        result = replace(result_of(OWN, 1, state), reason=reason if state is INVALID else None)
        table.move(file_moves.finish(row, OWN, result, "s3://r", now))
    if state is FAILED:
        table.move(file_moves.fail(row, OWN, FEED.name, FileFailure(reason), retry=None, now=now))
    return table.get(row)


def seeded() -> Counted:
    """Return a ledger of five hundred files: of each hundred the last ones in each state, a minute apart."""
    ledger = Counted()
    for state in FileState:
        for number in range(100):
            put(ledger.table, f"orders/{state.lower()}/{number:03d}.csv", state, minute=number, code=f"c{number % 4}")
    return ledger


@pytest.fixture(scope="module")
def ledger() -> Counted:
    return seeded()


@pytest.fixture
def ctx(ledger):
    return context(ledger)


def keys(found) -> list[str]:
    return [file.key for file in found.files]


def all_of(ctx, wanted, size=files.PAGE) -> list[str]:
    return [key for found in files.pages(ctx, wanted, size=size) for key in keys(found)]


def test_the_first_page_has_what_needs_people_most_the_latest_first(ctx):
    assert keys(files.page(ctx, Wanted(), size=3)) == [f"orders/failed/{number:03d}.csv" for number in (99, 98, 97)]


@pytest.mark.parametrize("size", [1, 7, 50, 1000])
def test_page_after_page_brings_every_file_once_in_order(ctx, size):
    found = all_of(ctx, Wanted(), size)
    assert len(found) == 500
    states = (FAILED, INVALID, CLAIMED, ARRIVED, SUCCEEDED)
    assert found == [f"orders/{state.lower()}/{number:03d}.csv" for state in states for number in range(99, -1, -1)]


@pytest.mark.parametrize("state", FileState)
def test_files_of_a_state(ctx, state):
    found = all_of(ctx, Wanted(state=state), 30)
    assert found == [f"orders/{state.lower()}/{number:03d}.csv" for number in range(99, -1, -1)]


def test_files_since_a_moment(ctx):
    since = NOW + timedelta(minutes=97)
    assert all_of(ctx, Wanted(state=FAILED, since=since)) == [f"orders/failed/{n:03d}.csv" for n in (99, 98, 97)]
    assert len(all_of(ctx, Wanted(since=since))) == 15


def test_files_of_a_code(ctx):
    found = all_of(ctx, Wanted(code="c3"), 10)
    assert len(found) == len(set(found)) == 50
    assert {key.split("/")[1] for key in found} == {"failed", "invalid"}


def test_files_by_part_of_the_key(ctx):
    assert all_of(ctx, Wanted(key="ed/04")) == [
        f"orders/{state}/04{n}.csv" for state in ("failed", "claimed", "arrived", "succeeded") for n in range(9, -1, -1)
    ]
    assert all_of(ctx, Wanted(key="nowhere")) == []


def test_a_search_that_every_file_fits_brings_each_once_in_order(ctx):
    assert all_of(ctx, Wanted(key=".csv"), 7) == all_of(ctx, Wanted())


def test_a_whole_key_is_that_file_alone_in_one_request(ctx, ledger):
    found, requests = ledger.during(lambda: files.page(ctx, Wanted(key="orders/failed/042.csv")))
    assert (keys(found), found.more, requests) == (["orders/failed/042.csv"], None, 1)


def test_a_whole_key_in_another_state_than_wanted_is_not_found(ctx):
    assert all_of(ctx, Wanted(key="orders/failed/042.csv", state=SUCCEEDED)) == []
    assert all_of(ctx, Wanted(key="orders/failed/042.csv", since=NOW + timedelta(minutes=43))) == []
    assert all_of(ctx, Wanted(key="orders/failed/042.csv", code="c2")) == ["orders/failed/042.csv"]


def test_all_versions_of_a_key_are_found_the_newest_first():
    ledger = Counted()
    for number in (1, 3, 2):
        put(ledger.table, "orders/a.csv", SUCCEEDED, number=number)
    found = files.page(context(ledger), Wanted(key="orders/a.csv"))
    assert [file.sk for file in found.files] == ["v3", "v2", "v1"]


def test_what_another_feeds_worker_put_among_the_files_is_left_out():
    ledger = Counted()
    own = put(ledger.table, "orders/a.csv", FAILED)
    item = ledger.table.items[own.pk, own.sk]
    for pk, key in (("s3://new-files/orders/a.csv", "orders/b.csv"), ("s3://new-files/other/c.csv", "other/c.csv")):
        ledger.table.items[pk, f"x{key}"] = {**item, "pk": pk, "sk": f"x{key}", "key": key}
    ledger.table.items["no", "file"] = {"listed": item["listed"], "listed_at": item["listed_at"], "pk": "no", "sk": "f"}
    assert all_of(context(ledger), Wanted()) == ["orders/a.csv"]


def many(states: dict[FileState, int]) -> Counted:
    """Return a ledger of many files, made by copying one of each state."""
    ledger = Counted()
    for state, count in states.items():
        pattern = put(FakeTable(), f"orders/{state}.csv", state).to_item()
        for number in range(count):
            file = version(f"orders/{state}/{number:06d}.csv")
            row = FileRecord.at(file)
            place = listed.place(row, state, NOW + timedelta(seconds=number))
            ledger.table.items[row.pk, row.sk] = {
                **pattern,
                "pk": row.pk,
                "key": file.key,
                "listed": listed.partition(FEED.name, row),
                "listed_at": place,
            }
    return ledger


@pytest.fixture(scope="module")
def large() -> Counted:
    return many({ARRIVED: 20, SUCCEEDED: 40_000, FAILED: 9_000})


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(),
        Wanted(state=SUCCEEDED),
        Wanted(since=NOW),
        Wanted(state=SUCCEEDED, since=NOW + timedelta(hours=2)),
        Wanted(code="bug"),
        Wanted(key="/03"),
        Wanted(key="orders/no-such.csv"),
        Wanted(state=SUCCEEDED, key="000001"),
    ],
    ids=str,
)
def test_a_page_of_tens_of_thousands_takes_at_most_five_requests(large, wanted):
    ctx, after = context(large), None
    for _ in range(8):
        found, requests = large.during(lambda start=after: files.page(ctx, wanted, after=start))
        assert requests <= files.REQUESTS == 5
        after = found.more
        if after is None:
            break


def test_a_search_goes_on_where_it_stopped_and_finds_what_lies_far_back(large):
    found = list(files.pages(context(large), Wanted(state=SUCCEEDED, key="/000001")))
    assert [key for each in found for key in keys(each)] == ["orders/SUCCEEDED/000001.csv"]
    assert len(found) > 1


def test_the_first_page_of_a_search_looks_at_few_files_and_those_after_it_at_all_that_a_request_may(large, monkeypatch):
    looked, look = [], large.table.list_files
    monkeypatch.setattr(large.table, "list_files", lambda *of, limit: looked.append(limit) or look(*of, limit=limit))
    first = files.page(context(large), Wanted(key=".csv"))
    files.page(context(large), Wanted(key=".csv"), after=first.more)
    assert looked == [files.SEARCHED_FIRST] * 4 + [files.SEARCHED] * 4
    assert (len(first.files), files.SEARCHED_FIRST) == (files.PAGE, 500)


def test_of_many_files_that_fit_those_alone_are_read_that_may_be_shown(large, monkeypatch):
    read, reads = [], files.ListedFile.from_item
    monkeypatch.setattr(files.ListedFile, "from_item", lambda item: read.append(item) or reads(item))
    assert len(files.page(context(large), Wanted(key=".csv")).files) == files.PAGE
    assert len(read) <= 4 * (files.PAGE + 1)


def test_counts_take_twenty_requests_and_end_at_ten_thousand(large):
    counts, requests = large.during(lambda: overview.counts(context(large)))
    assert requests == 20
    assert (str(counts[SUCCEEDED]), str(counts[FAILED]), str(counts[ARRIVED])) == ("10,000+", "9,000", "20")
    assert counts[INVALID] == Count(0)


def test_a_count_that_a_page_of_one_megabyte_ended_says_that_there_are_more():
    assert str(overview._sum([(3_000, True), (3_000, False)])) == "6,000+"


def test_a_feed_tells_since_when_the_oldest_waits_and_when_the_last_came(ledger):
    found, requests = ledger.during(lambda: overview.of_feed(context(ledger)))
    assert requests == 35
    assert {state: each.number for state, each in found.last_hour.items()} == dict.fromkeys(SETTLED_STATES, 0)
    assert found.failure_rate is None
    assert found.oldest_waiting == clock.to_iso(NOW)
    assert found.last_arrival is None
    assert found.counts[FAILED] == Count(100)


def test_a_feed_tells_what_came_to_rest_within_the_last_hour_and_which_share_of_it_failed(ledger):
    ctx = replace(context(ledger), now=lambda: NOW + timedelta(minutes=99))
    ctx.__dict__["ledger"] = ledger
    found = overview.of_feed(ctx)
    assert {state: each.number for state, each in found.last_hour.items()} == dict.fromkeys(SETTLED_STATES, 61)
    assert found.failure_rate == pytest.approx(1 / 3)


def test_a_page_ends_where_the_partition_that_was_read_least_ends():
    """A request reads part of a full partition: what others hold of before that is no part of the page yet."""
    rows = (FileRecord.at(version(f"orders/{number}.csv")) for number in range(20_000))
    full = [row for row in rows if listed.partition(FEED.name, row) == listed.partitions(FEED.name)[0]][:3_500]
    other = next(
        row
        for number in range(100)
        if listed.partition(FEED.name, row := FileRecord.at(version(f"orders/o{number}.csv")))
        == listed.partitions(FEED.name)[1]
    )
    ledger = Counted()
    for second, row in [*enumerate(full, start=1), (0, other)]:
        item = {"pk": row.pk, "sk": row.sk, "key": row.pk.removeprefix("s3://new-files/"), "size": 1, "state": FAILED}
        place = {
            "listed": listed.partition(FEED.name, row),
            "listed_at": listed.place(row, FAILED, NOW + timedelta(seconds=second)),
        }
        ledger.table.items[row.pk, row.sk] = item | place
    found = all_of(context(ledger), Wanted(key=".csv"), size=4_000)
    assert len(found) == len(set(found)) == 3_501
    assert found[-1] == other.pk.removeprefix("s3://new-files/")
