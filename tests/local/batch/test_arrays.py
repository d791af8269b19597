"""Array jobs, listing, and what their size costs."""

import itertools
import time

import pytest
from botocore.exceptions import ClientError


def test_an_array_runs_each_child_with_its_index(batch):
    job = batch.ended(
        batch.submit(batch.define("sh", "-c", "echo $AWS_BATCH_JOB_ARRAY_INDEX"), arrayProperties={"size": 3})
    )
    assert job["status"] == "SUCCEEDED"
    assert job["arrayProperties"]["size"] == 3
    assert job["arrayProperties"]["statusSummary"]["SUCCEEDED"] == 3
    children = [batch.describe(f"{job['jobId']}:{index}") for index in range(3)]
    assert [batch.output(child) for child in children] == [["0"], ["1"], ["2"]]
    assert [child["arrayProperties"]["index"] for child in children] == [0, 1, 2]


def test_one_failed_child_fails_the_parent_which_waits_pending_for_all(batch, gate):
    script = f"test $AWS_BATCH_JOB_ARRAY_INDEX != 0 || exit 5; {gate.waits}"
    job_id = batch.submit(batch.define("sh", "-c", script), arrayProperties={"size": 3})
    batch.reached(f"{job_id}:0", "FAILED")
    assert batch.describe(job_id)["status"] == "PENDING"
    gate.open()
    job = batch.ended(job_id)
    assert (job["status"], job["statusReason"]) == ("FAILED", "Array Child Job failed")
    assert {state: count for state, count in job["arrayProperties"]["statusSummary"].items() if count} == {
        "FAILED": 1,
        "SUCCEEDED": 2,
    }


def test_each_child_is_retried_by_itself(batch):
    script = "test $AWS_BATCH_JOB_ARRAY_INDEX = 0 || test $AWS_BATCH_JOB_ATTEMPT = 2"
    definition = batch.define("sh", "-c", script, retryStrategy={"attempts": 2})
    job = batch.ended(batch.submit(definition, arrayProperties={"size": 2}))
    assert job["status"] == "SUCCEEDED"
    assert [len(batch.describe(f"{job['jobId']}:{index}")["attempts"]) for index in range(2)] == [1, 2]


def test_terminating_a_parent_ends_all_children(batch):
    job_id = batch.submit(batch.define("sleep", "60", vcpus="2"), arrayProperties={"size": 5})
    batch.reached(f"{job_id}:0", "RUNNING")
    batch.api.terminate_job(jobId=job_id, reason="all of them")
    job = batch.ended(job_id)
    assert (job["statusReason"], job["isTerminated"]) == ("all of them", True)
    assert job["arrayProperties"]["statusSummary"]["FAILED"] == 5
    assert {batch.describe(f"{job_id}:{index}")["statusReason"] for index in range(5)} == {"all of them"}


def test_children_may_wait_for_one_another(batch):
    one_after_the_other = {"arrayProperties": {"size": 3}, "dependsOn": [{"type": "SEQUENTIAL"}]}
    job = batch.ended(batch.submit(batch.define("sleep", "0.1"), **one_after_the_other))
    times = [batch.describe(f"{job['jobId']}:{index}") for index in range(3)]
    assert job["status"] == "SUCCEEDED"
    assert all(first["stoppedAt"] <= then["startedAt"] for first, then in itertools.pairwise(times))


def test_ten_thousand_children(batch):
    began = time.monotonic()
    job_id = batch.submit(batch.define("sleep", "60", vcpus="2"), arrayProperties={"size": 10_000})
    batch.reached(f"{job_id}:1", "RUNNING")
    assert batch.describe(job_id)["arrayProperties"]["statusSummary"] == {
        **dict.fromkeys(("SUBMITTED", "PENDING", "STARTING", "SUCCEEDED", "FAILED"), 0),
        "RUNNING": 2,
        "RUNNABLE": 9998,
    }
    waiting = batch.listed(arrayJobId=job_id, jobStatus="RUNNABLE")
    assert waiting == [f"{job_id}:{index}" for index in range(2, 10_000)]
    batch.api.terminate_job(jobId=job_id, reason="counted")
    assert batch.ended(job_id)["arrayProperties"]["statusSummary"]["FAILED"] == 10_000
    assert time.monotonic() - began < 15


def test_listing_by_queue_and_state_shows_parents_not_children(batch):
    array = batch.submit(batch.define("true"), arrayProperties={"size": 2})
    plain = batch.submit(batch.define("true"))
    batch.ended(array)
    batch.ended(plain)
    listed = batch.listed(jobQueue=batch.queue, jobStatus="SUCCEEDED")
    assert {array, plain} <= set(listed)
    assert f"{array}:0" not in listed


def test_listing_is_of_running_jobs_unless_told_otherwise(batch):
    job_id = batch.submit(batch.define("sleep", "60"), arrayProperties={"size": 2})
    batch.reached(f"{job_id}:0", "RUNNING")
    batch.reached(f"{job_id}:1", "RUNNING")
    assert batch.listed(arrayJobId=job_id) == [f"{job_id}:0", f"{job_id}:1"]
    assert batch.listed(arrayJobId=job_id, jobStatus="FAILED") == []
    batch.api.terminate_job(jobId=job_id, reason="seen")
    batch.ended(job_id)
    assert batch.listed(arrayJobId=job_id, jobStatus="FAILED") == [f"{job_id}:0", f"{job_id}:1"]


def test_a_name_finds_jobs_in_every_state_the_newest_first(batch):
    failed = batch.submit(batch.define("false"), name="named-a-r0")
    succeeded = batch.submit(batch.define("true"), name="named-b-r0")
    batch.ended(failed)
    batch.ended(succeeded)

    def found(name, *values):
        return batch.listed(jobQueue=batch.queue, filters=[{"name": name, "values": list(values)}])

    assert found("JOB_NAME", "named-a-r0") == [failed]
    assert found("JOB_NAME", "NAMED-*") == [succeeded, failed]
    assert succeeded in found("AFTER_CREATED_AT", str(batch.describe(succeeded)["createdAt"] - 1))
    assert succeeded not in found("BEFORE_CREATED_AT", str(batch.describe(succeeded)["createdAt"]))


def test_a_listing_has_the_container_of_what_ended(batch):
    job_id = batch.submit(batch.define("sh", "-c", "exit 4"), name="listed-once")
    batch.ended(job_id)
    filters = [{"name": "JOB_NAME", "values": ["listed-once"]}]
    [listed] = batch.api.list_jobs(jobQueue=batch.queue, filters=filters)["jobSummaryList"]
    assert (listed["status"], listed["container"]["exitCode"]) == ("FAILED", 4)


@pytest.mark.parametrize(
    "request_", [{}, {"jobStatus": "DONE"}, {"nextToken": "!"}, {"filters": [{"name": "AGE", "values": ["1"]}]}]
)
def test_a_listing_that_batch_refuses(batch, request_):
    scope = {"jobQueue": batch.queue} if request_ else {}
    with pytest.raises(ClientError):
        batch.api.list_jobs(**scope, **request_)
