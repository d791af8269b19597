"""Each file exactly once, whatever interrupts a run, and whoever runs beside it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

import mean
from aws import ended, until
from demo.subscriber import Subscriber
from e2e.steps import a_run, all_ended, assert_each_done_once, drop, numbers, retire, states_of
from e2e.system import System
from filebatch.core import clock, run_moves
from filebatch.core.ledger import Item
from filebatch.feeds import settings
from filebatch.feeds.feed import Feed
from filebatch.runs import claiming, jobs, rounds, takeover

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("audited")]


# ------------------------------------------------------------------------------------------------ repeated tasks


def test_a_repeated_claim_ends_in_the_same_place(here: System, lines: Feed) -> None:
    keys = drop(here, 7)
    run = a_run(here, lines)

    first = run.task("claim_files")
    drop(here, 1)  # what arrives meanwhile is not of this claim
    again = run.task("claim_files")

    assert again == first
    assert (first["files"], first["units"]) == (7, 2)
    run.task("process_files")
    assert_each_done_once(here, keys)


def test_process_files_done_again_after_success_submits_nothing_and_settles_again(here: System, lines: Feed) -> None:
    keys = drop(here, 2)
    run = a_run(here, lines).all()
    before = here.jobs()

    again = run.cleared()
    again.task("process_files")

    assert here.jobs() == before
    assert_each_done_once(here, keys)


def test_claim_files_of_a_settled_run_cleared_does_its_files_again(here: System, lines: Feed) -> None:
    keys = drop(here, 3)
    run = a_run(here, lines).all()

    run.cleared().all()

    for key in keys:
        assert here.files()[key].generation == 2
        assert [name.split("/")[-2] for name in here.commits(key)] == ["g1", "g2"]


def test_claim_files_cleared_while_the_job_runs_waits_for_that_job(here: System, lines: Feed) -> None:
    keys = drop(here, 1, "sleep\n2\n")
    run = a_run(here, lines)
    run.task("claim_files")
    run.until_deferred("process_files")
    before = here.jobs()

    again = run.cleared()
    again.all()

    assert here.jobs() == before
    assert_each_done_once(here, keys)


def test_failed_files_get_another_round_when_process_files_is_cleared(here: System, lines: Feed) -> None:
    (key,) = drop(here, 1, "raise\n")
    run = a_run(here, lines)
    with pytest.raises(AirflowFailException, match=r"RuntimeError at line 17 of line_count"):
        run.all()

    with pytest.raises(AirflowFailException):
        run.cleared().task("process_files")

    item = here.files()[key]
    assert (item.state, item.attempts, item.generation) == ("FAILED", 2, 1)
    (record,) = [found for found in here.runs("lines") if found.run_id == run.facts.run_id]
    assert record.round == 2
    retire(here, [key])


# -------------------------------------------------------------------------------------------- beside one another


def test_two_runs_at_once_never_hold_the_same_file(here: System, lines: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = drop(here, 6)
    one, other = a_run(here, lines), a_run(here, lines)
    planned = claiming.make_claim

    def meanwhile(*arguments: Any) -> Any:
        monkeypatch.setattr(claiming, "make_claim", planned)
        other.task("claim_files")  # after the plan of the first, before its claim
        return planned(*arguments)

    monkeypatch.setattr(claiming, "make_claim", meanwhile)
    with pytest.raises(AirflowSkipException):
        one.all()
    other.task("process_files")

    assert_each_done_once(here, keys)
    assert {here.files()[key].run_id for key in keys} == {other.facts.run_id}


def test_two_jobs_of_one_round_are_one_at_work(here: System, lines: Feed) -> None:
    keys = drop(here, 1, "sleep\n1\n")
    run = a_run(here, lines)
    _, twin = twin_of(here, lines, run.task("claim_files"))
    batch = here.client("batch")
    twins = [batch.submit_job(**twin)["jobId"] for _ in range(2)]

    run.task("process_files")

    assert_each_done_once(here, keys)
    assert {until(lambda twin=twin: ended(batch, twin))["status"] for twin in twins} == {"SUCCEEDED"}
    assert here.metric("ProcessingSucceeded", "lines") >= 1


def test_a_job_that_left_the_work_to_another_has_no_say_in_what_became_of_it(
    here: System, lines: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = drop(here, 1, "sleep\n3\n")
    run = a_run(here, lines)
    record, twin = twin_of(here, lines, run.task("claim_files"))
    batch = here.client("batch")

    def meanwhile(*_: Any) -> str:
        """Find a job that has ended without work, as another had begun since the owner record was read."""
        batch.submit_job(**twin)
        until(lambda: here.ledger.get(record.row).fence)
        idle = str(batch.submit_job(**twin)["jobId"])
        assert until(lambda: ended(batch, idle))["status"] == "SUCCEEDED"
        return idle

    monkeypatch.setattr(jobs, "find", meanwhile)
    run.task("process_files")

    assert_each_done_once(here, keys)


def twin_of(here: System, lines: Feed, claim: Mapping[str, Any]) -> tuple[Item, dict[str, Any]]:
    """Return a claim's owner record, and what submits a job of its round beside the one that the run submits."""
    record = next(found for found in here.runs("lines") if found.token == claim["token"])
    where, units = settings.parse(here.aws.settings), rounds.units_key(record)
    return record, jobs.submit_request(where, lines, record.job_name, units=units, count=1, memory=1024)


# ----------------------------------------------------------------------------------------------------- dead runs


def test_a_run_that_died_after_its_plan_leaves_nothing_behind(
    here: System, lines: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = drop(here, 3)
    dead = a_run(here, lines)
    with monkeypatch.context() as patch:
        patch.setattr(rounds, "begin", died)
        with pytest.raises(DiedError):
            dead.task("claim_files")
    assert states_of(here, keys) == {"CLAIMED"}
    dead.die()
    monkeypatch.setattr(takeover, "NEVER_SUBMITTED_AFTER", timedelta(0))

    a_run(here, lines).all()

    assert_each_done_once(here, keys)
    assert {here.files()[key].attempts for key in keys} == {1}


def test_a_run_that_died_after_its_submit_is_settled_and_announced_once(
    here: System, lines: Feed, inbox: Subscriber
) -> None:
    inbox.received()
    keys = drop(here, 3)
    dead = a_run(here, lines)
    dead.task("claim_files")
    dead.until_deferred("process_files")
    dead.die()
    until(lambda: states_of(here, keys) == {"SUCCEEDED"})
    until(lambda: all_ended(here))

    follower = a_run(here, lines)
    with pytest.raises(AirflowSkipException):
        follower.task("claim_files")
    follower.finally_("notify")
    follower.finally_("notify")

    notes = [note for note in inbox.received() if note["message"]["run_id"] == dead.facts.run_id]
    assert [note["message"]["counts"] for note in notes] == [{"SUCCEEDED": 3}]
    assert_each_done_once(here, keys)


def test_a_job_whose_id_was_never_written_down_is_found_by_its_name(
    here: System, lines: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = drop(here, 1, "sleep\n1\n")
    run = a_run(here, lines)
    run.task("claim_files")
    with monkeypatch.context() as patch:
        patch.setattr(run_moves, "submitted", died)
        with pytest.raises(DiedError):
            run.task("process_files")
    before = here.jobs()

    run.task("process_files")

    assert here.jobs() == before
    assert_each_done_once(here, keys)


def test_a_silent_run_whose_job_still_works_is_left_alone(here: System, lines: Feed) -> None:
    keys = drop(here, 1, f"sleep\n{mean.patient(3):.0f}\n")
    silent = a_run(here, lines)
    token = silent.task("claim_files")["token"]
    job_id = silent.until_deferred("process_files").job_id
    until(lambda: here.client("batch").describe_jobs(jobs=[job_id])["jobs"])  # it is silent for longer than that takes
    past = clock.now() - timedelta(minutes=1)
    here.ledger.move(run_moves.heartbeat("lines", token, timeout=timedelta(), now=past))

    with pytest.raises(AirflowSkipException):
        a_run(here, lines).all()

    assert states_of(here, keys) == {"CLAIMED"}
    until(lambda: states_of(here, keys) == {"SUCCEEDED"})
    until(lambda: all_ended(here))
    silent.die()


def test_a_job_that_works_on_for_a_run_that_is_over_is_ended_and_what_it_is_at_is_not_lost(
    here: System, lines: Feed
) -> None:
    keys = drop(here, 1, "sleep\n3\n")
    dead = a_run(here, lines)
    token = dead.task("claim_files")["token"]
    job_id = dead.until_deferred("process_files").job_id
    until(lambda: next(run for run in here.runs("lines") if run.token == token).fence)
    dead.die()

    with pytest.raises(AirflowSkipException):
        a_run(here, lines).all()

    until(lambda: all_ended(here))
    (job,) = here.client("batch").describe_jobs(jobs=[job_id])["jobs"]
    assert (job["status"], job["statusReason"]) == ("FAILED", jobs.RUN_OVER)
    with pytest.raises(AirflowSkipException):
        a_run(here, lines).all()
    assert_each_done_once(here, keys)


def test_a_killed_worker_is_finished_by_batchs_retry(here: System, lines: Feed) -> None:
    keys = drop(here, 4)
    here.put(kill := f"lines/kill-{next(numbers)}.txt", "kill-once\n")
    counted = here.metric("ProcessingSucceeded", "lines")

    run = a_run(here, lines).all()

    assert_each_done_once(here, [*keys, kill])
    assert here.metric("ProcessingSucceeded", "lines") == counted + 5
    (record,) = [found for found in here.runs("lines") if found.run_id == run.facts.run_id]
    (job,) = here.client("batch").describe_jobs(jobs=[record.job_id])["jobs"]
    assert [attempt["container"]["exitCode"] for attempt in job["attempts"]] == [137, 0]


def test_a_job_that_vanished_is_settled_by_what_was_committed(here: System, lines: Feed) -> None:
    done = drop(here, 1)
    slow = drop(here, 1, "sleep\n60\n")
    run = a_run(here, lines)
    claim = run.task("claim_files")
    run.until_deferred("process_files")
    until(lambda: here.commits(done[0]))
    record = next(found for found in here.runs("lines") if found.token == claim["token"])
    here.aws.vanish(record.job_id)

    with pytest.raises(AirflowFailException, match="vanished"):
        run._operator("process_files").execute_complete(run._context(), {"job_id": record.job_id, "status": "VANISHED"})

    assert states_of(here, done) == {"SUCCEEDED"}
    assert states_of(here, slow) == {"FAILED"}
    retire(here, slow)


class DiedError(Exception):
    """The process ended here."""


def died(*_: Any, **__: Any) -> Any:
    raise DiedError
