"""One taxonomy for Batch's own retries and for ours: they have to agree."""

import re
from datetime import timedelta
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws import NOW
from filebatch.core import failures
from filebatch.core.failures import Ending

EXITED = "Essential container in task exited"

NOT_STARTED = "Task failed to start"

# The first rows are our own exit codes; how Batch, ECS and Fargate say it, as they document it:
# https://docs.aws.amazon.com/batch/latest/userguide/job_stuck_in_runnable.html
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
ENDINGS = {
    "invalid": [Ending("FAILED", 65, "", EXITED)],
    "bug": [Ending("FAILED", 70, "", EXITED)],
    "transient": [Ending("FAILED", 75, "", EXITED)],
    "configuration": [Ending("FAILED", 78, "", EXITED)],
    "out_of_memory": [Ending("FAILED", 137, "OutOfMemoryError: Container killed due to memory usage", EXITED)],
    "killed": [Ending("FAILED", 137, "", EXITED)],
    # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_cannot_pull_image.html
    "image_pull": [
        Ending("FAILED", None, "CannotPullContainerError: failed to resolve ref", NOT_STARTED),
        Ending("FAILED", None, "", "CannotPullContainerError: pull image manifest has been retried 5 time(s)"),
        Ending("FAILED", None, "CannotPullECRContainerError: AccessDeniedException", NOT_STARTED),
        Ending("FAILED", None, "CannotPullImageManifestError: Error response from daemon", ""),
    ],
    # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/resource-initialization-error.html and its neighbours
    "not_started": [
        Ending("FAILED", None, "", NOT_STARTED),
        Ending("FAILED", None, "CannotStartContainerError: failed to get container status: x", NOT_STARTED),
        Ending("FAILED", None, "", "CannotStartContainerError: Error response from daemon: x"),
        Ending("FAILED", None, "CannotCreateVolumeError: x", NOT_STARTED),
        Ending("FAILED", None, "CannotInspectContainerError: x", ""),
        Ending("FAILED", None, "ContainerRuntimeTimeoutError: Could not transition to running; timed out", NOT_STARTED),
        Ending("FAILED", None, "DockerTimeoutError: Could not transition to created; timed out", NOT_STARTED),
        Ending("FAILED", None, "", "ResourceInitializationError: failed to initialize logging driver: x"),
        Ending("FAILED", None, "ResourceInitializationError: unable to pull secrets or registry auth", NOT_STARTED),
        Ending("FAILED", None, "", "Timeout waiting for network interface provisioning to complete."),
        Ending("FAILED", None, "", "Timeout waiting for EphemeralStorage provisioning to complete."),
        Ending("FAILED", None, "", "Unexpected EC2 error while attempting to Create Network Interface"),
    ],
    # https://docs.aws.amazon.com/batch/latest/userguide/job_timeouts.html
    "timeout": [Ending("FAILED", code, "", "Job attempt duration exceeded timeout") for code in (137, 143, None)],
    "unschedulable": [
        Ending("FAILED", None, "", f"{said}{reason}")
        for said in ("", "Canceled by JobStateTimeLimit action due to reason: ")
        for reason in (
            "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY",
            "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE",
            "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
            "MISCONFIGURATION:EC2_INSTANCE_CONFIGURATION_UNSUPPORTED",
        )
    ],
    "terminated": [
        Ending("FAILED", None, "", "Terminated: the task was ended in Airflow"),
        Ending("FAILED", 137, "", "Terminated by hand"),
        Ending("FAILED", None, "", "Cancelled by hand"),
    ],
    # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html
    # https://docs.aws.amazon.com/batch/latest/userguide/job_retries.html
    "spot_reclaim": [
        Ending("FAILED", code, "", said)
        for code in (None, 137, 143)
        for said in ("Your Spot Task was interrupted.", "Host EC2 (instance i-0123456789abcdef0) terminated.")
    ],
    # Whoever ends a job gives it any reason: https://docs.aws.amazon.com/batch/latest/APIReference/API_TerminateJob.html
    "unknown": [
        Ending("FAILED", None, "", "we need the queue for something else"),
        Ending("FAILED", None, "SomethingNewError: x", "Some new words"),
        Ending("FAILED", None, "", "Array Child Job failed"),
        Ending("FAILED"),
    ],
    "vanished": [None],
    "disk_full": [],  # the worker says so
}
ALL = [(code, ending) for code, endings in ENDINGS.items() for ending in endings]
ENDED = [(code, ending) for code, ending in ALL if ending]


def batch_decides(ending: Ending) -> str:
    """What Batch does about an attempt: the first rule all of whose conditions hold; no match means retry.

    https://docs.aws.amazon.com/batch/latest/APIReference/API_EvaluateOnExit.html
    """
    found = {
        "onReason": ending.reason,
        "onStatusReason": ending.status_reason,
        "onExitCode": "" if ending.exit_code is None else str(ending.exit_code),
    }
    for rule in failures.evaluate_on_exit():
        conditions = {name: pattern for name, pattern in rule.items() if name != "action"}
        if all(fnmatchcase(found[name], pattern) for name, pattern in conditions.items()):
            return rule["action"]
    return "RETRY"


@pytest.mark.parametrize(("code", "ending"), ALL)
def test_each_way_a_job_ends_has_its_name(code, ending):
    assert failures.classify(ending).code == code


def test_every_failure_has_an_example():
    assert ENDINGS.keys() == failures.document()["failures"].keys()


@pytest.mark.parametrize("exit_code", [1, 2, 126, 127, 139, 143, 255])
def test_an_exit_code_that_nobody_explains_is_a_bug(exit_code):
    assert failures.classify(Ending("FAILED", exit_code, "", EXITED)).code == "bug"


def test_a_container_that_ended_well_and_left_files_behind_is_a_bug_and_has_not_vanished():
    assert failures.classify(Ending("SUCCEEDED", 0, "", EXITED)).code == "bug"


@given(st.builds(Ending, st.text(), st.none() | st.integers(0, 255), st.text(), st.text()))
def test_every_ending_has_a_name(ending):
    assert failures.classify(ending).code in failures.document()["failures"]


def test_batch_is_given_no_more_rules_than_it_takes():
    assert 1 <= len(failures.evaluate_on_exit()) <= 5
    for rule in failures.evaluate_on_exit():
        assert rule.keys() <= {"onReason", "onStatusReason", "onExitCode", "action"}
        assert rule["action"] in ("RETRY", "EXIT")


@pytest.mark.parametrize(
    ("ending", "at_work"),
    [
        (Ending("FAILED", 137), True),
        (Ending("FAILED", 139), True),
        (Ending("FAILED", 1), True),
        (Ending("FAILED", 137, "OutOfMemoryError: Container killed due to memory usage"), True),
        (Ending("FAILED", None, "", "Job attempt duration exceeded timeout"), True),
        (Ending("FAILED", 137, "", "Host EC2 (instance i-1) terminated."), True),
        (Ending("FAILED", 70), False),
        (Ending("FAILED", 75), False),
        (Ending("FAILED", 78), False),
        (Ending("SUCCEEDED", 0), False),
        (Ending("FAILED", None, "CannotPullContainerError: x"), False),
        (Ending("FAILED", None, "", "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT"), False),
        (Ending("FAILED"), False),
        (None, False),
    ],
)
def test_a_container_that_did_not_end_by_itself_died_at_work(ending, at_work):
    assert failures.died_at_work(failures.classify(ending), ending) is at_work


@pytest.mark.parametrize(("code", "outside"), [("spot_reclaim", True), ("terminated", True), ("killed", False)])
def test_who_is_ended_from_outside_is_no_suspect(code, outside):
    assert failures.failure(code).from_outside is outside


@pytest.mark.parametrize("rule", failures.evaluate_on_exit())
def test_patterns_have_no_letters_that_batch_refuses(rule):
    """https://docs.aws.amazon.com/batch/latest/APIReference/API_EvaluateOnExit.html"""
    for name, pattern in rule.items():
        allowed = r"\d*\*?" if name == "onExitCode" else r"[A-Za-z0-9.:\s]*\*?"
        assert re.fullmatch(allowed, pattern)
        assert len(pattern) <= 512


@pytest.mark.parametrize("code", ["transient", "killed", "image_pull", "not_started", "spot_reclaim", "unknown"])
def test_batch_tries_again_at_once_what_may_do_better_in_the_same_container(code):
    assert {batch_decides(ending) for ending in ENDINGS[code]} == {"RETRY"}


@pytest.mark.parametrize("code", ["out_of_memory", "invalid", "bug", "configuration"])
def test_batch_does_not_repeat_what_would_end_the_same(code):
    assert {batch_decides(ending) for ending in ENDINGS[code]} == {"EXIT"}


@pytest.mark.parametrize(("code", "ending"), ENDED)
def test_what_batch_repeats_is_what_the_taxonomy_calls_worth_a_retry(code, ending):
    if batch_decides(ending) == "RETRY":
        assert failures.failure(code).retry


@pytest.mark.parametrize("code", failures.document()["failures"])
def test_every_row_says_whose_it_is_and_what_it_means(code):
    row = failures.failure(code)
    assert row.blame in ("supplier", "us", "aws")
    assert row.meaning
    assert row.memory_factor >= 1


def test_only_memory_asks_for_a_larger_container():
    larger = [code for code in failures.document()["failures"] if failures.failure(code).memory_factor > 1]
    assert larger == ["out_of_memory"]


@pytest.mark.parametrize(
    ("code", "exit_code"), [("invalid", 65), ("bug", 70), ("transient", 75), ("configuration", 78)]
)
def test_the_workers_exit_codes_are_sysexits(code, exit_code):
    assert failures.exit_code(code) == exit_code


def test_an_unknown_failure_is_refused():
    with pytest.raises(KeyError):
        failures.failure("mystery")


@given(st.sampled_from(sorted(failures.document()["failures"])), st.integers(1, 10), st.integers(1, 10))
def test_a_file_is_due_again_only_while_it_has_attempts_and_trying_can_help(code, attempts, max_attempts):
    failure = failures.failure(code)
    due = failures.retry_at(failure, attempts, max_attempts, NOW)
    assert (due is not None) == (failure.retry and attempts < max_attempts)
    if due:
        assert timedelta(minutes=1) <= due - NOW <= timedelta(hours=1)


def test_each_further_attempt_waits_longer_up_to_an_hour():
    waits = [failures.retry_at(failures.failure("bug"), n, 99, NOW) - NOW for n in range(1, 10)]
    assert waits[:3] == [timedelta(minutes=1), timedelta(minutes=2), timedelta(minutes=4)]
    assert waits == sorted(waits)
    assert waits[-1] == timedelta(hours=1)


def test_every_failure_that_the_worker_may_find_has_an_exit_code():
    exits = failures.document()["worker_exits"]
    assert {failures.exit_code(code) for code in exits.values()} <= {70, 75, 78}
    assert {failures.failure(code).code for code in exits} == {*exits}


@pytest.mark.parametrize(
    ("codes", "told"),
    [
        (["bug"], "bug"),
        (["out_of_memory"], "bug"),
        (["bug", "configuration"], "configuration"),
        (["configuration", "out_of_memory"], "bug"),
        (["bug", "configuration", "transient", "out_of_memory"], "transient"),
    ],
)
def test_of_several_failures_a_worker_tells_the_one_that_asks_for_most(codes, told):
    assert failures.worker_exit(codes) == told


@pytest.mark.parametrize(("code", "needed"), [("out_of_memory", 2048), ("bug", None), ("killed", None)])
def test_after_one_that_ran_out_of_memory_the_next_has_twice_as_much(code, needed):
    assert failures.needed_memory(failures.failure(code), 1024) == needed
