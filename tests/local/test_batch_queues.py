"""What a queue and its compute environment do to jobs: too large, time limits, disabled, made larger."""

import pytest
from botocore.exceptions import ClientError

TOO_LARGE = "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE"
LIMIT = {"reason": TOO_LARGE, "state": "RUNNABLE", "maxTimeSeconds": 600, "action": "CANCEL"}


@pytest.fixture
def queue(batch, request):
    """A queue with a compute environment of one vCPU, its names those of the test."""
    name, api = request.node.name.replace("_", "-")[:100], batch.api
    [shared] = api.describe_compute_environments(computeEnvironments=["filebatch-local-compute"])["computeEnvironments"]
    resources = {**shared["computeResources"], "maxvCpus": 1}
    environment = api.create_compute_environment(
        computeEnvironmentName=name, type="MANAGED", serviceRole=shared["serviceRole"], computeResources=resources
    )["computeEnvironmentArn"]
    order = [{"order": 1, "computeEnvironment": environment}]
    api.create_job_queue(
        jobQueueName=name, state="ENABLED", priority=1, computeEnvironmentOrder=order, jobStateTimeLimitActions=[LIMIT]
    )
    return name


def test_a_queue_tells_its_time_limits_and_takes_others(batch, queue):
    def limits():
        return batch.api.describe_job_queues(jobQueues=[queue])["jobQueues"][0]["jobStateTimeLimitActions"]

    assert limits() == [LIMIT]
    batch.api.update_job_queue(jobQueue=queue, priority=2)
    assert limits() == [LIMIT]
    batch.api.update_job_queue(jobQueue=queue, jobStateTimeLimitActions=[{**LIMIT, "maxTimeSeconds": 900}])
    assert limits()[0]["maxTimeSeconds"] == 900
    with pytest.raises(ClientError):
        batch.api.update_job_queue(jobQueue=queue, jobStateTimeLimitActions=[{**LIMIT, "maxTimeSeconds": 599}])


def test_a_job_that_is_too_large_blocks_the_queue_until_its_time_is_over(batch, queue, wait_until):
    large = batch.submit(batch.define("true", vcpus="2"), jobQueue=queue)
    small = batch.submit(batch.define("true"), jobQueue=queue)
    reason = wait_until(lambda: batch.describe(large).get("statusReason"), "a reason")
    assert reason.startswith(f"{TOO_LARGE} - ")
    assert batch.describe(small)["status"] == "RUNNABLE"
    job = batch.ended(large)
    assert (job["status"], job["isCancelled"]) == ("FAILED", True)
    assert job["statusReason"] == f"Canceled by JobStateTimeLimit action due to reason: {TOO_LARGE}"
    assert batch.ended(small)["status"] == "SUCCEEDED"


def test_an_environment_that_is_made_larger_takes_the_job(batch, queue):
    job_id = batch.submit(batch.define("true", vcpus="2"), jobQueue=queue)
    batch.reached(job_id, "RUNNABLE")
    batch.api.update_compute_environment(computeEnvironment=queue, computeResources={"maxvCpus": 2})
    job = batch.ended(job_id)
    assert (job["status"], job["statusReason"]) == ("SUCCEEDED", "Essential container in task exited")


def test_a_disabled_environment_starts_nothing_and_a_disabled_queue_takes_nothing(batch, queue):
    batch.api.update_compute_environment(computeEnvironment=queue, state="DISABLED")
    definition = batch.define("true")
    job_id = batch.submit(definition, jobQueue=queue)
    batch.reached(job_id, "RUNNABLE")
    batch.api.update_job_queue(jobQueue=queue, state="DISABLED")
    with pytest.raises(ClientError, match="not ENABLED"):
        batch.submit(definition, jobQueue=queue)
    batch.api.update_compute_environment(computeEnvironment=queue, state="ENABLED")
    assert batch.ended(job_id)["status"] == "SUCCEEDED"
