"""Jobs that really run: what they see, what becomes of them, what Batch says of it."""

import os
import signal

import pytest
from botocore.exceptions import ClientError

from aws import is_alive

SLOW = ("sh", "-c", "echo ready; exec sleep 60")


def test_a_job_succeeds_and_tells_when(batch):
    job = batch.run("sh", "-c", "echo out; echo err >&2")
    assert job["status"] == "SUCCEEDED"
    assert job["container"]["exitCode"] == 0
    assert job["createdAt"] <= job["startedAt"] <= job["stoppedAt"]
    assert job["statusReason"] == "Essential container in task exited"
    assert batch.output(job) == ["out", "err"]


def test_output_arrives_while_the_job_runs(batch, wait_until):
    job_id = batch.submit(batch.define(*SLOW))
    job = batch.reached(job_id, "RUNNING")
    wait_until(lambda: batch.output(job) == ["ready"], "output")
    batch.api.terminate_job(jobId=job_id, reason="seen")


def test_output_goes_to_the_definitions_log_group(batch):
    options = {"logDriver": "awslogs", "options": {"awslogs-group": "/own/group"}}
    job = batch.run("echo", "here", logConfiguration=options)
    assert batch.output(job, "/own/group") == ["here"]


def test_a_job_sees_what_a_container_would_and_nothing_else(batch, aws):
    definition = batch.define(
        "env",
        environment=[{"name": "KEPT", "value": "definition"}, {"name": "CHANGED", "value": "definition"}],
    )
    overrides = {"environment": [{"name": "CHANGED", "value": "job"}, {"name": "ADDED", "value": "job"}]}
    job = batch.ended(batch.submit(definition, containerOverrides=overrides))
    seen = dict(line.split("=", 1) for line in batch.output(job))
    assert (seen["KEPT"], seen["CHANGED"], seen["ADDED"], seen["FROM_IMAGE"]) == ("definition", "job", "job", "yes")
    assert seen["AWS_BATCH_JOB_ID"] == job["jobId"]
    assert seen["AWS_ENDPOINT_URL"] == aws.endpoint
    assert set(seen) == {
        *("KEPT", "CHANGED", "ADDED", "FROM_IMAGE", "PATH", "HOME", "TMPDIR"),
        *("AWS_BATCH_JOB_ID", "AWS_BATCH_JOB_ATTEMPT", "AWS_BATCH_JQ_NAME", "AWS_BATCH_CE_NAME"),
        *("AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    }


def test_describing_a_job_does_not_change_its_environment(batch):
    definition = batch.define("true", environment=[{"name": "A", "value": "1"}])
    job_id = batch.submit(definition, containerOverrides={"environment": [{"name": "B", "value": "2"}]})
    batch.ended(job_id)
    expected = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    assert [batch.describe(job_id)["container"]["environment"] for _ in range(3)] == [expected] * 3


def test_a_job_has_a_folder_of_its_own_that_is_gone_afterwards(batch):
    mount = {
        "mountPoints": [{"containerPath": "/scratch", "sourceVolume": "disk", "readOnly": False}],
        "volumes": [{"name": "disk", "host": {}}],
        "environment": [{"name": "WORK", "value": "/scratch/x"}],
    }
    job = batch.run("sh", "-c", "mkdir $WORK && touch here $TMPDIR/there $WORK/it && pwd && echo $WORK", **mount)
    assert job["status"] == "SUCCEEDED"
    folder, work = batch.output(job)
    assert work.startswith(folder)
    assert not os.path.exists(folder)  # noqa: PTH110 - a path another process printed


def test_a_parameter_is_filled_in(batch):
    definition = batch.define("echo", "Ref::what", parameters={"what": "default"})
    assert batch.output(batch.ended(batch.submit(definition))) == ["default"]
    assert batch.output(batch.ended(batch.submit(definition, parameters={"what": "own"}))) == ["own"]


def test_no_shell_reads_a_command(batch):
    assert batch.output(batch.run("echo", "$HOME; echo *")) == ["$HOME; echo *"]


def test_an_unknown_image_fails_as_batch_does(batch):
    job = batch.run("true", image="nobody/has:it")
    assert job["status"] == "FAILED"
    assert job["statusReason"] == "Task failed to start"
    assert job["container"]["reason"].startswith("CannotPullContainerError: ")
    assert "exitCode" not in job["container"]
    assert "startedAt" not in job


def test_an_unknown_command_fails_to_start(batch):
    job = batch.run("no-such-command")
    assert job["container"]["reason"].startswith("CannotStartContainerError: ")


def test_a_failed_attempt_is_tried_again_as_often_as_there_are_attempts(batch):
    job = batch.run("sh", "-c", "echo attempt $AWS_BATCH_JOB_ATTEMPT; exit 3", retryStrategy={"attempts": 3})
    assert job["status"] == "FAILED"
    assert [one["container"]["exitCode"] for one in job["attempts"]] == [3, 3, 3]
    assert len({one["container"]["logStreamName"] for one in job["attempts"]}) == 3
    assert all(one["startedAt"] <= one["stoppedAt"] for one in job["attempts"])
    assert batch.output(job) == ["attempt 3"]


def test_a_later_attempt_may_succeed(batch):
    job = batch.run("sh", "-c", "test $AWS_BATCH_JOB_ATTEMPT = 2", retryStrategy={"attempts": 3})
    assert (job["status"], len(job["attempts"])) == ("SUCCEEDED", 2)


@pytest.mark.parametrize(("exit_code", "attempts"), [(70, 1), (75, 3), (9, 3)])
def test_an_exit_rule_ends_it_early(batch, exit_code, attempts):
    rules = [{"onExitCode": "7*", "onReason": "x*", "action": "EXIT"}, {"onExitCode": "70", "action": "EXIT"}]
    job = batch.run("sh", "-c", f"exit {exit_code}", retryStrategy={"attempts": 3, "evaluateOnExit": rules})
    assert len(job["attempts"]) == attempts


def test_a_jobs_own_retries_and_timeout_count(batch):
    definition = batch.define("false", retryStrategy={"attempts": 3}, timeout={"attemptDurationSeconds": 60})
    own = {"retryStrategy": {"attempts": 2}, "timeout": {"attemptDurationSeconds": 90}}
    job = batch.ended(batch.submit(definition, **own))
    assert len(job["attempts"]) == 2
    assert job["timeout"] == {"attemptDurationSeconds": 90}


def test_a_timeout_asks_first_and_is_not_retried(batch):
    script = "trap 'echo bye; exit 9' TERM; while :; do sleep 0.02; done"
    job = batch.run("sh", "-c", script, timeout={"attemptDurationSeconds": 60}, retryStrategy={"attempts": 3})
    assert job["status"] == "FAILED"
    assert job["statusReason"] == "Job attempt duration exceeded timeout"
    assert (len(job["attempts"]), job["container"]["exitCode"]) == (1, 9)
    assert batch.output(job) == ["bye"]


def test_who_does_not_listen_is_killed_after_the_grace(batch):
    job = batch.run("sh", "-c", "trap '' TERM; while :; do sleep 0.02; done", timeout={"attemptDurationSeconds": 60})
    assert (job["container"]["exitCode"], job["statusReason"]) == (137, "Job attempt duration exceeded timeout")


def test_terminating_a_running_job(batch):
    job_id = batch.submit(batch.define(*SLOW, retryStrategy={"attempts": 3}))
    pid = batch.pid(job_id)
    batch.api.terminate_job(jobId=job_id, reason="not wanted")
    job = batch.ended(job_id)
    assert (job["status"], job["statusReason"], job["isTerminated"]) == ("FAILED", "not wanted", True)
    assert (job["container"]["exitCode"], len(job["attempts"])) == (143, 1)
    assert not is_alive(pid)


def test_cancelling_leaves_a_running_job_alone_and_ends_a_waiting_one(batch):
    running = batch.submit(batch.define(*SLOW, vcpus="4"))
    batch.reached(running, "RUNNING")
    waiting = batch.submit(batch.define("true"))
    batch.reached(waiting, "RUNNABLE")
    for job_id in (running, waiting):
        batch.api.cancel_job(jobId=job_id, reason="changed my mind")
    job = batch.ended(waiting)
    assert (job["status"], job["statusReason"], job["isCancelled"]) == ("FAILED", "changed my mind", True)
    assert "startedAt" not in job
    assert batch.describe(running)["status"] == "RUNNING"
    batch.api.terminate_job(jobId=running, reason="enough")
    batch.ended(running)


def test_the_environments_vcpus_are_all_there_is_and_first_come_first_served(batch, wait_until):
    first, second = (batch.submit(batch.define(*SLOW, vcpus="2")) for _ in range(2))
    large, small = batch.submit(batch.define("true", vcpus="4")), batch.submit(batch.define("true"))
    batch.reached(first, "RUNNING")
    batch.reached(second, "RUNNING")
    assert {batch.describe(one)["status"] for one in (large, small)} == {"RUNNABLE"}
    batch.api.terminate_job(jobId=first, reason="make room")
    batch.ended(first)
    assert batch.describe(small)["status"] == "RUNNABLE"
    batch.api.terminate_job(jobId=second, reason="make room")
    assert batch.ended(large)["startedAt"] <= batch.ended(small)["startedAt"]


def test_too_much_memory_is_killed_with_batchs_reason(batch):
    child = "x = bytearray(90_000_000); import time; time.sleep(60)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    rules = [{"onReason": "OutOfMemory*", "action": "EXIT"}]
    job = batch.run("python", "-c", code, memory="64", retryStrategy={"attempts": 3, "evaluateOnExit": rules})
    assert job["container"]["exitCode"] == 137
    assert job["container"]["reason"] == "OutOfMemoryError: Container killed due to memory usage"
    assert len(job["attempts"]) == 1


def test_memory_that_is_overridden_counts(batch, gate, wait_until):
    code = "import subprocess, sys; x = bytearray(60_000_000); print(1, flush=True); subprocess.run(sys.argv[1:])"
    definition = batch.define("python", "-c", code, "sh", "-c", gate.waits, memory="32")
    more = {"resourceRequirements": [{"type": "MEMORY", "value": "256"}]}
    job_id = batch.submit(definition, containerOverrides=more)
    wait_until(lambda: batch.output(batch.reached(job_id, "RUNNING")), "its memory to be taken")
    # The same without an override is ended for its memory, so that both have been looked at.
    assert batch.ended(batch.submit(definition))["container"]["reason"].startswith("OutOfMemoryError")
    gate.open()
    job = batch.ended(job_id)
    assert job["status"] == "SUCCEEDED"
    assert {"type": "MEMORY", "value": "256"} in job["container"]["resourceRequirements"]


def test_killed_from_outside_is_137_without_a_reason(batch):
    job_id = batch.submit(batch.define(*SLOW))
    os.kill(batch.pid(job_id), signal.SIGKILL)
    job = batch.ended(job_id)
    assert job["container"]["exitCode"] == 137
    assert "reason" not in job["container"]


def test_what_a_job_leaves_running_ends_with_it(batch, wait_until):
    job = batch.run("sh", "-c", "sleep 60 & echo $!")
    assert job["status"] == "SUCCEEDED"
    wait_until(lambda: not is_alive(int(batch.output(job)[0])), "the end of the left process")


def test_a_lost_host_has_no_exit_code_and_is_retried(batch):
    rules = [{"onStatusReason": "Host EC2*", "action": "RETRY"}, {"onReason": "*", "action": "EXIT"}]
    script = "test $AWS_BATCH_JOB_ATTEMPT = 2 || exec sleep 60"
    job_id = batch.submit(batch.define("sh", "-c", script, retryStrategy={"attempts": 3, "evaluateOnExit": rules}))
    batch.pid(job_id)
    batch.aws.lose_host(job_id)
    job = batch.ended(job_id)
    first = job["attempts"][0]
    assert (job["status"], len(job["attempts"])) == ("SUCCEEDED", 2)
    assert first["statusReason"] == "Host EC2 (instance i-0123456789abcdef0) terminated."
    assert "exitCode" not in first["container"]


@pytest.mark.parametrize("kill", [True, False])
def test_a_vanished_job_is_unknown(batch, kill):
    job_id = batch.submit(batch.define(*SLOW), name="vanishing")
    pid = batch.pid(job_id)
    batch.aws.vanish(job_id, kill=kill)
    assert batch.api.describe_jobs(jobs=[job_id])["jobs"] == []
    filters = [{"name": "JOB_NAME", "values": ["vanishing"]}]
    assert batch.listed(jobQueue=batch.queue, filters=filters) == []
    assert is_alive(pid) is not kill
    if not kill:
        os.kill(pid, signal.SIGKILL)


def test_a_job_waits_for_those_it_depends_on(batch, gate):
    first = batch.submit(batch.define("sh", "-c", gate.waits))
    second = batch.submit(batch.define("true"), dependsOn=[{"jobId": first}])
    batch.reached(second, "PENDING")
    gate.open()
    assert batch.ended(second)["startedAt"] >= batch.describe(first)["stoppedAt"]


def test_a_job_fails_with_what_it_depends_on(batch):
    first = batch.submit(batch.define("false"))
    job = batch.ended(batch.submit(batch.define("true"), dependsOn=[{"jobId": first}]))
    assert (job["status"], job["statusReason"]) == ("FAILED", "Dependent Job failed")


def test_the_newest_active_revision_runs_unless_one_is_named(batch):
    api, name = batch.api, batch.define("echo", "1")
    properties = api.describe_job_definitions(jobDefinitionName=name)["jobDefinitions"][0]["containerProperties"]
    newer = {**properties, "command": ["echo", "2"]}
    api.register_job_definition(jobDefinitionName=name, type="container", containerProperties=newer)
    assert batch.output(batch.ended(batch.submit(name))) == ["2"]
    assert batch.output(batch.ended(batch.submit(f"{name}:1"))) == ["1"]
    api.deregister_job_definition(jobDefinition=f"{name}:2")
    assert batch.output(batch.ended(batch.submit(name))) == ["1"]
    with pytest.raises(ClientError, match="not active"):
        batch.submit(f"{name}:2")


@pytest.mark.parametrize(
    "change",
    [
        {"jobName": "no spaces"},
        {"jobName": "x" * 129},
        {"jobDefinition": "nobody-registered-it"},
        {"jobQueue": "nobody-made-it"},
        {"arrayProperties": {"size": 1}},
        {"arrayProperties": {"size": 10_001}},
        {"retryStrategy": {"attempts": 11}},
        {"retryStrategy": {"attempts": 2, "evaluateOnExit": [{"onExitCode": "1", "action": "EXIT"}] * 6}},
        {"timeout": {"attemptDurationSeconds": 59}},
        {"containerOverrides": {"environment": [{"name": "A", "value": "x" * 31_000}]}},
    ],
)
def test_what_batch_refuses(batch, change):
    request = {"jobName": "refused", "jobQueue": batch.queue, "shareIdentifier": "tests", **change}
    request.setdefault("jobDefinition", batch.define("true"))
    with pytest.raises(ClientError) as refused:
        batch.api.submit_job(**request)
    assert refused.value.response["Error"]["Code"] == "ClientException"


def test_describe_takes_a_hundred_ids(batch):
    assert batch.api.describe_jobs(jobs=["unknown"] * 100)["jobs"] == []
    with pytest.raises(ClientError):
        batch.api.describe_jobs(jobs=["unknown"] * 101)
