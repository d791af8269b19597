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


@pytest.fixture
def fair(batch, queue, request):
    """A queue with shares, on the compute environment of `queue`."""
    name = f"fair-{queue}"[:100]
    policy = batch.api.create_scheduling_policy(name=name, fairsharePolicy={"shareDecaySeconds": 3600})["arn"]
    order = [{"order": 1, "computeEnvironment": environment_of(batch, queue)}]
    batch.api.create_job_queue(
        jobQueueName=name, state="ENABLED", priority=1, computeEnvironmentOrder=order, schedulingPolicyArn=policy
    )
    return name


def environment_of(batch, queue):
    [found] = batch.api.describe_job_queues(jobQueues=[queue])["jobQueues"]
    return found["computeEnvironmentOrder"][0]["computeEnvironment"]


def test_ten_thousand_units_of_one_feed_do_not_hold_up_another_feeds_single_job(batch, fair):
    unit = batch.define("sleep", "0.1", vcpus="1")
    backfill = batch.submit(unit, jobQueue=fair, shareIdentifier="weather", arrayProperties={"size": 10_000})
    batch.reached(f"{backfill}:0", "SUCCEEDED")

    single = batch.ended(batch.submit(unit, jobQueue=fair, shareIdentifier="orders"))

    assert (single["status"], single["shareIdentifier"]) == ("SUCCEEDED", "orders")
    assert batch.describe(backfill)["arrayProperties"]["statusSummary"]["RUNNABLE"] > 9_000
    batch.api.terminate_job(jobId=backfill, reason="seen")
    batch.ended(backfill)


def test_a_queue_with_shares_takes_no_job_without_one_and_any_other_queue_none_with_one(batch, fair, queue):
    definition = batch.define("true")
    with pytest.raises(ClientError, match="must be specified"):
        batch.submit(definition, jobQueue=fair)
    with pytest.raises(ClientError, match="fair share"):
        batch.submit(definition, jobQueue=queue, shareIdentifier="orders")


def test_a_queue_keeps_its_kind(batch, fair, queue):
    [found] = batch.api.describe_job_queues(jobQueues=[fair])["jobQueues"]
    policy = found["schedulingPolicyArn"]
    with pytest.raises(ClientError, match="can't get one"):
        batch.api.update_job_queue(jobQueue=queue, schedulingPolicyArn=policy)
    with pytest.raises(ClientError, match="does not exist"):
        batch.api.update_job_queue(jobQueue=fair, schedulingPolicyArn=f"{policy}-gone")
    with pytest.raises(ClientError, match="is used"):
        batch.api.delete_scheduling_policy(arn=policy)
    batch.api.update_job_queue(jobQueue=fair, priority=2)
    assert batch.api.describe_job_queues(jobQueues=[fair])["jobQueues"][0]["schedulingPolicyArn"] == policy


@pytest.mark.parametrize("policy", [{"shareDecaySeconds": 604_801}, {"computeReservation": 10}])
def test_a_policy_that_the_local_aws_cannot_keep_is_refused(batch, policy):
    with pytest.raises(ClientError, match="must be"):
        batch.api.create_scheduling_policy(name="refused", fairsharePolicy=policy)
