"""One taxonomy for Batch's own retries and for ours: they have to agree."""

from datetime import timedelta
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws import NOW
from filebatch import failures
from filebatch.failures import Ending

EXITED = "Essential container in task exited"

# How Batch says that a job ended: https://docs.aws.amazon.com/batch/latest/userguide/troubleshooting.html
ENDINGS = {
    "invalid": Ending("FAILED", 65, "", EXITED),
    "bug": Ending("FAILED", 70, "", EXITED),
    "transient": Ending("FAILED", 75, "", EXITED),
    "configuration": Ending("FAILED", 78, "", EXITED),
    "out_of_memory": Ending("FAILED", 137, "OutOfMemoryError: Container killed due to memory usage", EXITED),
    "killed": Ending("FAILED", 137, "", EXITED),
    "image_pull": Ending("FAILED", None, "CannotPullContainerError: failed to resolve ref", "Task failed to start"),
    "timeout": Ending("FAILED", 137, "", "Job attempt duration exceeded timeout"),
    "unschedulable": Ending("FAILED", None, "", "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT"),
    "terminated": Ending("FAILED", None, "", "Terminated: the task was ended in Airflow"),
    "vanished": Ending("VANISHED"),
}
SPOT = [
    Ending("FAILED", 143, "", "Your Spot Task was interrupted."),
    Ending("FAILED", None, "", "Host EC2 (instance i-0123456789abcdef0) terminated."),
]


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


@pytest.mark.parametrize(("code", "ending"), ENDINGS.items(), ids=list(ENDINGS))
def test_each_way_a_job_ends_has_its_name(code, ending):
    assert failures.classify(ending).code == code


@pytest.mark.parametrize("ending", SPOT)
def test_a_machine_that_was_taken_away_is_a_reclaim_whatever_the_exit_code(ending):
    assert failures.classify(ending).code == "spot_reclaim"
    assert failures.classify(Ending("FAILED", 137, "", ending.status_reason)).code == "spot_reclaim"


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


@pytest.mark.parametrize("ending", [ENDINGS["transient"], ENDINGS["killed"], ENDINGS["image_pull"], *SPOT])
def test_batch_tries_again_at_once_what_may_do_better_in_the_same_container(ending):
    assert batch_decides(ending) == "RETRY"


@pytest.mark.parametrize("code", ["out_of_memory", "invalid", "bug", "configuration"])
def test_batch_does_not_repeat_what_would_end_the_same(code):
    assert batch_decides(ENDINGS[code]) == "EXIT"


@pytest.mark.parametrize(("code", "ending"), ENDINGS.items(), ids=list(ENDINGS))
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
