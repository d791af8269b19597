"""How a feed is doing, as metrics that its alarms watch."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from aws import NOW, feed_of
from claims import Held
from filebatch.core import clock, feed_moves, file_moves, run_moves
from filebatch.core.feed_records import Arrival
from filebatch.core.metric_data import check
from filebatch.queries import health
from filebatch.queries.capacity import JobQueue
from moves import BREAKER, FILE, LATER, run_record

FEED = feed_of(expected_by="06:00")


def values(data):
    return {datum["MetricName"]: datum["Values"][0] for datum in map(check, data)}


@pytest.mark.parametrize(("record", "files"), [(None, 0), (run_record(), 0), (replace(run_record(), files=3), 3)])
def test_a_run_says_that_it_came_to_its_end_and_what_it_claimed(record, files):
    assert values(health.of_run("orders", record)) == {"RunCompleted": 1, "FilesClaimed": files}


def test_a_feed_without_waiting_files_is_well(place):
    assert values(health.of_feed(place.ctx())) == {
        "FilesWaiting": 0,
        "OldestWaitingAge": 0,
        "OldestRunnableAge": 0,
        "FilesUnmatched": 0,
        "ClaimsOverdue": 0,
        "FeedHeld": 0,
    }


@pytest.mark.parametrize("now", [NOW, LATER + timedelta(days=1)], ids=["held", "to be tried"])
def test_a_feed_whose_files_all_fail_is_held_until_one_is_done(place, now):
    ctx = replace(place.ctx(), now=lambda: now)
    ctx.ledger.move(feed_moves.broken(None, BREAKER))
    assert values(health.of_feed(ctx))["FeedHeld"] == 1
    ctx.ledger.move(feed_moves.mended(BREAKER))
    assert values(health.of_feed(ctx))["FeedHeld"] == 0


@pytest.mark.parametrize(("hours", "settled", "overdue"), [(1, False, 0), (3, False, 1), (3, True, 0)])
def test_a_claim_that_nobody_could_settle_for_long_is_counted(place, hours, settled, overdue):
    held = Held(place, 1)
    if settled:
        held.finish()
        held.ctx.ledger.move(run_moves.settle(held.record, {"SUCCEEDED": 1}, clock.now()))
    later = clock.now() + held.ctx.settings.heartbeat_timeout + timedelta(hours=hours)
    assert health.overdue_claims(held.ctx, later) == overdue


def test_the_oldest_waiting_file_tells_how_long_the_feed_has_stood_still(place):
    now = clock.now()
    for number, minutes in enumerate((5, 60, 10)):
        then = now - timedelta(minutes=minutes)
        place.ledger.add(
            file_moves.arrive(replace(FILE, bucket=place.new_files, key=f"orders/{number}"), "orders", then, then)
        )
    found = values(health.of_feed(place.ctx()))
    assert found["FilesWaiting"] == 3
    assert 3600 <= found["OldestWaitingAge"] < 3700


def test_a_time_that_a_worker_has_spoilt_stops_no_metric(place, caplog):
    now = clock.now()
    spoilt, other = (replace(FILE, bucket=place.new_files, key=f"orders/{name}") for name in "ab")
    for file, ago in ((spoilt, timedelta(hours=2)), (other, timedelta(hours=1))):
        place.ledger.add(file_moves.arrive(file, "orders", now - ago, now - ago))
    place.connect("dynamodb").update_item(
        TableName=place.table,
        Key={"pk": {"S": spoilt.uri}, "sk": {"S": spoilt.version}},
        UpdateExpression="SET #arrived_at = :arrived_at",
        ExpressionAttributeNames={"#arrived_at": "arrived_at"},
        ExpressionAttributeValues={":arrived_at": {"S": "yesterday"}},
    )

    found = values(health.of_feed(place.ctx()))

    assert found["FilesWaiting"] == 2
    assert 3600 <= found["OldestWaitingAge"] < 3700
    assert "arrived_at: expected a time, found 'yesterday'" in caplog.text


def test_claimed_files_wait_no_more(place):
    held = Held(place, 2)
    assert values(health.of_feed(held.ctx))["FilesWaiting"] == 0


@pytest.mark.parametrize(
    ("now", "arrived", "missing"),
    [
        ("2026-03-01T05:59:59Z", None, False),
        ("2026-03-01T06:00:00Z", None, True),
        ("2026-03-01T06:00:00Z", "2026-02-28T23:59:59Z", True),
        ("2026-03-01T06:00:00Z", "2026-03-01T00:00:00Z", False),
        ("2026-03-01T23:59:59Z", "2026-03-01T05:00:00Z", False),
    ],
)
def test_a_days_file_is_missing_once_its_time_has_passed(now, arrived, missing):
    arrival = Arrival(pk="feed#orders", sk="arrival", arrived_at=arrived) if arrived else None
    assert health.is_missing(FEED, arrival, clock.parse_utc(now)) is missing


def test_no_file_is_missing_where_none_is_expected():
    assert not health.is_missing(feed_of(), None, NOW)


def test_a_feed_that_expects_a_file_says_whether_it_came(place):
    # Due at midnight, UTC: from the day's first moment on.
    ctx = place.ctx(feed_of(expected_by="00:00"))
    assert values(health.of_feed(ctx))["ExpectedFileMissing"] == 1
    ctx.ledger.move(feed_moves.arrived("orders", "orders/", clock.to_iso(clock.now()), clock.now()))
    assert values(health.of_feed(ctx))["ExpectedFileMissing"] == 0


def test_what_no_pattern_matches_is_told_as_the_last_sweep_counted_it(place):
    ctx = place.ctx()
    ctx.ledger.move(feed_moves.swept("orders", "definition", NOW, unmatched=4))
    assert values(health.of_feed(ctx))["FilesUnmatched"] == 4


class Queue:
    """Batch with jobs that wait: plain ones RUNNABLE, and arrays PENDING with what their children do."""

    def __init__(self, *jobs, arrays=()):
        self.plain = [{"jobName": name, "createdAt": at.timestamp() * 1000, "jobId": name} for name, at in jobs]
        self.arrays = [
            {
                "jobName": name,
                "createdAt": at.timestamp() * 1000,
                "jobId": f"{name}-{number}",
                "arrayProperties": counts,
            }
            for number, (name, at, counts) in enumerate(arrays)
        ]

    def get_paginator(self, operation):
        assert operation == "list_jobs"
        return self

    def paginate(self, jobQueue, jobStatus):  # noqa: N803 - boto3's
        yield {"jobSummaryList": self.plain if jobStatus == "RUNNABLE" else self.arrays}

    def describe_jobs(self, jobs):
        return {"jobs": [job for job in self.arrays if job["jobId"] in jobs]}


def name_of(feed):
    return f"{feed}-0123456789abcdef-0001-r1"


def age_of(place, queue: Queue) -> float:
    ctx = place.ctx()
    object.__setattr__(ctx, "batch", queue)
    return health.oldest_runnable(ctx, NOW, JobQueue())


@pytest.mark.parametrize(
    ("jobs", "age"),
    [
        ([], 0),
        ([(name_of("orders"), NOW - timedelta(minutes=5)), (name_of("orders"), NOW - timedelta(hours=1))], 3600),
        ([(name_of("orders-eu"), NOW - timedelta(hours=1))], 0),
        ([("orders-by-hand", NOW - timedelta(hours=1))], 0),
        ([(name_of("orders"), NOW + timedelta(seconds=5))], 0),
    ],
)
def test_the_age_of_a_runnable_job_is_that_of_the_feeds_own_oldest(place, jobs: list[tuple[str, datetime]], age):
    assert age_of(place, Queue(*jobs)) == age


@pytest.mark.parametrize(
    ("children", "age"),
    [
        ({"RUNNABLE": 3}, 3600),
        ({"RUNNABLE": 2, "RUNNING": 1}, 0),
        ({"RUNNABLE": 2, "SUCCEEDED": 1}, 0),
        ({"SUBMITTED": 3}, 0),
    ],
)
def test_an_array_waits_for_capacity_as_long_as_no_child_has_begun(place, children: dict[str, int], age):
    array = (name_of("orders"), NOW - timedelta(hours=1), {"statusSummary": children})
    assert age_of(place, Queue(arrays=[array])) == age
