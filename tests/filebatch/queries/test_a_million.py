"""A ledger of a million files: each question takes as few requests as of ten. What it holds is made when it is read."""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from aws import NOW, feed_of
from fake_table import PAGE_ITEMS, holds
from filebatch.core import clock, file_moves, listed, run_moves
from filebatch.core.contract import FileVersion
from filebatch.core.feed_records import Arrival
from filebatch.core.ledger import Page
from filebatch.core.records import FileRecord, FileState, RunRecord
from filebatch.core.run_moves import Asked
from filebatch.feeds.settings import Settings
from filebatch.queries import advice, files, overview, run_files, story
from filebatch.queries.files import Wanted
from filebatch.runs.context import FeedContext

FILES = 1_000_000
FEED = feed_of("orders")
SHARD = FILES // listed.SHARDS
# In the index's order: so many of a hundred files are in a state.
SHARES = {"SUCCEEDED": 90, "ARRIVED": 2, "CLAIMED": 1, "INVALID": 3, "FAILED": 4}
STATES = [FileState(name) for name, share in SHARES.items() for _ in range(share)]
TOKEN = "0123456789abcdef-0001"


def key_of(number: int) -> str:
    return f"orders/{number:07d}.csv"


def record_of(number: int) -> FileRecord:
    """Return one of the million."""
    at = NOW - timedelta(days=365) + timedelta(seconds=number)
    file = FileVersion("new-files", key_of(number), "v", "0" * 32, 8, clock.to_iso(at))
    state = STATES[number // listed.SHARDS * 100 // SHARD]
    code = "timeout" if state is FileState.FAILED else None
    arrived = file_moves.arrive(file, FEED.name, at, at)
    return replace(arrived, state=state, code=code, claim=TOKEN, run_id="r", settled_at=clock.to_iso(at), size=8)


@dataclass(frozen=True)
class Places(Sequence):
    """The order of a partition of the index, a place at a time."""

    shard: int

    def __len__(self) -> int:
        return SHARD

    def __getitem__(self, index):
        state = STATES[index * 100 // SHARD]
        at = NOW - timedelta(days=365) + timedelta(seconds=index * listed.SHARDS + self.shard)
        return f"{listed.span(state).low[:-1]}#{clock.to_iso(at)}#{index:012x}"


@dataclass
class Million:
    """What a ledger is to queries; it counts what it is asked."""

    requests: Counter = field(default_factory=Counter)

    def list_files(self, partition, span, conditions=(), *, limit, backwards=True):
        self.requests["list_files"] += 1
        assert backwards
        shard = int(partition[-1])
        places = Places(shard)
        first, end = bisect_left(places, span.low), bisect_right(places, span.high)
        looked = range(end - 1, max(first, end - min(limit, PAGE_ITEMS)) - 1, -1)
        items = [
            {**record_of(index * listed.SHARDS + shard).to_item(), "listed_at": places[index]}
            for index in looked
            if not conditions or index % 50 == 0  # the others would take a while to make
        ]
        found = [item for item in items if all(holds(condition, item) for condition in conditions)]
        return Page(found, places[looked[-1]] if looked and looked[-1] > first else None)

    def count_files(self, partition, span, limit):
        self.requests["count_files"] += 1
        places = Places(int(partition[-1]))
        found = bisect_right(places, span.high) - bisect_left(places, span.low)
        looked = min(limit, PAGE_ITEMS)
        return min(found, looked), found > looked

    def versions(self, uri, _limit):
        self.requests["versions"] += 1
        return [record_of(int(uri[-11:-4]))] if uri[-11:-4].isdigit() else []

    def open(self, _partition, *, due, limit):
        self.requests["open"] += 1
        assert due
        return [record_of(FILES // 2).to_item()][:limit]

    def get(self, row):
        self.requests["get"] += 1
        if row.kind is RunRecord:
            return run_moves.begin("orders", row.sk, Asked("r", 1, 0, "all"), timeout=timedelta(1), now=NOW)
        return Arrival(pk=row.pk, sk=row.sk, arrived_at=clock.to_iso(NOW)) if row.kind is Arrival else None


class Bucket:
    """S3, of which one key at a time is asked."""

    def __init__(self, requests):
        self.requests = requests

    def list_object_versions(self, **asked):
        self.requests["s3"] += 1
        there = {"Key": asked["Prefix"], "VersionId": "v", "ETag": '"0"', "Size": 8, "LastModified": NOW}
        return {"Versions": [{**there, "IsLatest": True}]}


@pytest.fixture
def million():
    return Million()


@pytest.fixture
def ctx(million):
    topics = {"stakeholders": "arn", "developers": "arn"}
    buckets = {"new_files": "new-files", "results": "results"}
    settings = Settings("eu-west-1", "test", buckets, "http://q/", topics, "ledger", "jobs", "test-", "test")
    clients = {"s3": Bucket(million.requests)}
    found = FeedContext(FEED, settings, connect=clients.__getitem__, now=lambda: NOW, side_by_side=_one_by_one)
    found.__dict__["ledger"] = million
    return found


def _one_by_one(call, items):
    return [call(item) for item in items]


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(),
        *(Wanted(state=state) for state in FileState),
        Wanted(code="timeout"),
        Wanted(state=FileState.FAILED, code="timeout"),
        Wanted(since=datetime(2026, 2, 28, tzinfo=UTC)),
        Wanted(state=FileState.SUCCEEDED, key="5000"),
        Wanted(key=key_of(123_456)),
    ],
    ids=str,
)
def test_the_first_page_of_any_list_takes_five_requests_at_most(ctx, million, wanted):
    found = files.page(ctx, wanted)
    assert found.files or found.more
    assert million.requests.total() <= 5


def test_one_files_story_takes_five_requests_at_most(ctx, million):
    told = advice.of_story(story.of_key(ctx, key_of(999_999)), NOW)
    assert (told.state, "It failed" in told.said[0]) == ("FAILED", True)
    assert million.requests.total() <= 5


def test_counts_take_twenty_requests_and_say_where_they_ended(ctx, million):
    counts = overview.counts(ctx)
    assert million.requests.total() <= 20
    assert {state: str(count) for state, count in counts.items()} == {
        FileState.SUCCEEDED: "10,000+",
        FileState.ARRIVED: "10,000+",
        FileState.CLAIMED: "10,000",
        FileState.INVALID: "10,000+",
        FileState.FAILED: "10,000+",
    }


def test_a_feed_at_a_glance_takes_as_many_requests_as_one_of_ten_files(ctx, million):
    overview.of_feed(ctx)
    assert million.requests.total() <= 35
    assert run_files.PAGE <= 300
