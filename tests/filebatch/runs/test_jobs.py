"""Jobs as values: names that parse back, requests, and how a described job ended."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws import feed_of, recorded
from filebatch.core.failures import Ending
from filebatch.feeds import settings
from filebatch.runs import jobs
from golden import agrees, golden

SETTINGS = settings.parse(golden("settings"))
FEED = feed_of(memory=2048)
UNITS = "manifests/orders/0123456789abcdef-0001/round-1.units"
FEED_NAMES = st.from_regex(r"[a-z][a-z0-9-]{1,39}", fullmatch=True)
RUNS = st.tuples(st.text(), st.text())


@given(FEED_NAMES, RUNS, st.integers(1, 9999), st.integers(1, 10_000))
def test_a_jobs_name_parses_back_and_fits_batch(feed, run, epoch, number):
    token = jobs.token(jobs.run_hash(*run), epoch)
    name = jobs.name(feed, token, number)
    assert jobs.parse_name(name) == (feed, token, number)
    # https://docs.aws.amazon.com/batch/latest/APIReference/API_SubmitJob.html
    assert len(name) <= 128
    assert name.replace("-", "").isalnum()


@given(st.text())
def test_any_other_name_is_none_of_ours(name):
    parsed = jobs.parse_name(name)
    assert parsed is None or jobs.name(*parsed) == name


@given(RUNS, st.lists(st.integers(1, 9999), min_size=2, max_size=5))
def test_the_tokens_of_a_run_sort_as_its_claims_do(run, epochs):
    tokens = [jobs.token(jobs.run_hash(*run), epoch) for epoch in epochs]
    assert sorted(tokens) == [jobs.token(jobs.run_hash(*run), epoch) for epoch in sorted(epochs)]


@given(RUNS, RUNS)
def test_runs_are_told_apart_by_dag_and_run_id(one, other):
    assert (jobs.run_hash(*one) == jobs.run_hash(*other)) == (one == other)


@given(FEED_NAMES, FEED_NAMES)
def test_each_feed_has_a_share_of_its_own_that_batch_takes(one, other):
    assert (jobs.share(one) == jobs.share(other)) == (one == other)
    assert jobs.share(one).replace("D", "-") == one
    assert jobs.share(one).isalnum()
    assert jobs.share(one).isascii()


@pytest.mark.parametrize(
    ("name", "count", "memory"),
    [("submit-array", 2, 2048), ("submit-one-unit", 1, 2048), ("submit-more-memory", 10_000, 4096)],
)
def test_a_rounds_request_is_as_batch_takes_it(name, count, memory):
    request = jobs.submit_request(
        SETTINGS, FEED, "orders-0123456789abcdef-0001-r1", units=UNITS, count=count, memory=memory
    )
    assert agrees(name, request)


def test_a_single_unit_is_a_plain_job():
    # Batch's arrays begin at two children.
    assert "arrayProperties" not in golden("submit-one-unit")
    assert golden("submit-array")["arrayProperties"] == {"size": 2}
    assert (jobs.child("j", 0, 1), jobs.child("j", 3, 4)) == ("j", "j:3")


@pytest.mark.parametrize(
    ("described", "expected"),
    [
        ("succeeded", Ending("SUCCEEDED", 0, "", "Essential container in task exited")),
        ("exit-70", Ending("FAILED", 70, "", "Essential container in task exited")),
        (
            "out-of-memory",
            Ending(
                "FAILED",
                137,
                "OutOfMemoryError: Container killed due to memory usage",
                "Essential container in task exited",
            ),
        ),
        ("spot", Ending("FAILED", None, "", "Host EC2 (instance i-0123456789abcdef0) terminated.")),
        ("attempts-only", Ending("FAILED", 75, "", "Essential container in task exited")),
        ("array-parent", Ending("FAILED", None, "", "Array Child Job failed")),
        ("cancelled", Ending("FAILED", None, "", "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT")),
    ],
)
def test_how_a_described_job_ended_is_read_from_job_and_last_attempt(described, expected):
    assert jobs.ending(golden("described-jobs")[described]) == expected


def test_a_submitted_job_is_found_by_its_name_and_described_to_its_end(place):
    batch, queue = place.connect("batch"), place.server.settings["job_queue"]
    assert jobs.find(batch, queue, f"{place.name}-none") is None
    assert jobs.describe(batch, "00000000-0000-0000-0000-000000000000") is None
    job = place.run_job(place.name, "exit 70")
    assert jobs.find(batch, queue, place.name) == job["jobId"]
    again = place.run_job(place.name, "exit 0")
    assert jobs.find(batch, queue, place.name) == again["jobId"]
    assert jobs.ending(jobs.describe(batch, job["jobId"])).exit_code == 70


def test_the_children_of_an_array_end_each_in_its_way(place):
    job = place.run_job(place.name, 'exit "$((70 + 5 * AWS_BATCH_JOB_ARRAY_INDEX))"', size=2)
    children = [jobs.child(job["jobId"], index, 2) for index in range(2)]
    ended = jobs.endings(place.connect("batch"), [*children, "00000000-0000-0000-0000-000000000000"])
    assert {child: end.exit_code for child, end in ended.items()} == dict(zip(children, (70, 75), strict=True))


def test_more_jobs_than_one_call_takes_are_described_in_several(place):
    batch = place.connect("batch")
    ids = [f"00000000-0000-0000-0000-{number:012d}" for number in range(jobs.DESCRIBE + 1)]
    with recorded(batch, "batch.DescribeJobs") as calls:
        assert jobs.endings(batch, ids) == {}
    assert [len(call["jobs"]) for call in calls] == [jobs.DESCRIBE, 1]
