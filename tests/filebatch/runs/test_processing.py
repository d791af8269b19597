"""Processing a claim: its round's job is submitted once, whatever was interrupted on the way."""

import logging
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from aws import feed_of, recorded
from claims import OTHER, RUN_ID, Held, run_of
from filebatch.core import clock, file_moves, run_moves
from filebatch.core.errors import ConfigurationError
from filebatch.core.records import FileState, RunState
from filebatch.runs import billing, claiming, processing, rounds, settling, takeover


def next_job(held):
    """Return the job that the task would wait for."""
    record, job = processing.next_job(held.ctx, held.record)
    assert record.row == held.record.row
    return job


def defined(held):
    """Have the feed's job definition be there; what it runs doesn't matter."""
    batch, name = held.ctx.batch, held.place.job_definition("exec sleep 1")
    found = batch.describe_job_definitions(jobDefinitionName=name)["jobDefinitions"][0]
    batch.register_job_definition(
        jobDefinitionName=held.ctx.settings.job_definition("orders"),
        type="container",
        platformCapabilities=["FARGATE"],
        containerProperties=found["containerProperties"],
    )
    return held


def jobs_named(held, name):
    pages = held.ctx.batch.list_jobs(
        jobQueue=held.ctx.settings.job_queue, filters=[{"name": "JOB_NAME", "values": [name]}]
    )
    return [job["jobId"] for job in pages["jobSummaryList"]]


def failed(place, files=2):
    """Return a claim whose first round failed its files for now."""
    held = defined(Held(place, files))
    settling.settle(held.ctx, held.record, None)
    assert held.now_in() == [FileState.FAILED] * files
    return held


def test_the_rounds_job_is_submitted_once(place):
    held = defined(Held(place, 2))
    first = next_job(held)
    assert held.record.job_id == first
    assert next_job(held) == first
    assert jobs_named(held, held.record.job_name) == [first]


def test_a_job_that_was_submitted_and_not_written_down_is_found_by_its_name(place):
    held = defined(Held(place, 1))
    seen = held.record
    first = processing.next_job(held.ctx, seen)[1]
    assert processing.next_job(held.ctx, seen)[1] == first  # as whoever read the record before would go on


def test_a_run_whose_turn_came_late_is_not_taken_for_dead_while_batch_does_not_know_its_job_yet(place, monkeypatch):
    held = defined(Held(place, 1))
    long_ago = clock.now() - timedelta(hours=2)
    held.ctx.ledger.move(run_moves.heartbeat("orders", held.token, timeout=timedelta(hours=1), now=long_ago))
    next_job(held)
    monkeypatch.setattr(billing, "job_of", lambda *_: (None, None))
    assert takeover.take_over(held.ctx, run_of(OTHER), lambda _run_id: True) == []
    assert held.now_in() == [FileState.CLAIMED]


def test_a_run_whose_turn_came_in_time_does_not_say_so_once_more(place):
    held = defined(Held(place, 1))
    due = held.record.due_at
    next_job(held)
    assert held.record.due_at == due


def test_files_that_failed_and_have_attempts_left_get_another_round(place):
    held = failed(place)
    assert next_job(held)
    record = held.record
    assert (record.state, record.round, record.units) == (RunState.CLAIMED, 2, 1)
    assert held.now_in() == [FileState.CLAIMED] * 2
    assert [len(unit.files) for unit in held.units(2)] == [2]


def test_a_settled_claim_of_which_nothing_may_be_tried_has_no_next_job(place):
    held = defined(Held(place, 1))
    held.finish()
    settling.settle(held.ctx, held.record, None)
    assert next_job(held) is None
    assert (held.record.state, held.record.round) == (RunState.SETTLED, 1)


@pytest.mark.parametrize("taken", [0, 1, 2])
def test_a_crash_between_beginning_a_round_and_writing_it_is_gone_on_from(place, taken):
    """It dies before, among or after the claims of the round's files."""
    held = failed(place)
    rounds.begin(held.ctx, held.record)
    for row in held.keys[:taken]:
        held.ctx.ledger.move(file_moves.claim(row, held.token, RUN_ID, 1, clock.now(), asked=True))
    job = next_job(held)
    assert job == held.record.job_id
    assert (held.record.round, held.record.units) == (2, 1)
    assert {work.file.key for unit in held.units(2) for work in unit.files} == {file.key for file in held.files}
    assert [held.item(number).attempts for number in (0, 1)] == [2, 2]


def test_files_that_another_run_took_meanwhile_are_not_of_the_round(place, caplog):
    held = failed(place)
    begun = rounds.begin(held.ctx, held.record)
    seen = held.item(0)
    held.ctx.ledger.move(file_moves.claim(held.keys[0], OTHER, RUN_ID, 1, clock.now(), asked=True))
    assert seen.claim == held.token
    with caplog.at_level(logging.WARNING):
        assert [file.row for file in processing.claim_for_round(held.ctx, begun)] == [held.keys[1]]


def test_a_round_whose_files_others_took_all_has_no_job_and_is_settled(place):
    held = failed(place, 1)
    rounds.begin(held.ctx, held.record)
    held.ctx.ledger.move(file_moves.claim(held.keys[0], OTHER, RUN_ID, 1, clock.now(), asked=True))
    assert next_job(held) is None
    assert processing.settle(held.ctx, held.record, None).files == ()
    assert held.record.state == RunState.SETTLED


def test_the_job_whose_child_works_counts_and_not_a_later_one(place):
    held = defined(Held(place, 1))
    held.ctx.ledger.move(run_moves.fence("orders", held.token, 1, "at-work"))
    assert next_job(held) == "at-work"
    assert jobs_named(held, held.record.job_name) == []


def test_where_the_job_definition_is_gone_the_files_wait_again(place):
    held = Held(place, 2)
    with pytest.raises(ConfigurationError, match="The files of this run wait again"):
        next_job(held)
    assert held.now_in() == [FileState.ARRIVED] * 2
    assert held.record.state == RunState.ANNOUNCED


def test_a_job_that_is_refused_for_another_reason_leaves_the_claim_as_it_is(place):
    held = defined(Held(place, 1))
    held.ctx = replace(held.ctx, settings=replace(held.ctx.settings, job_queue="no-such-queue"))
    held.ctx.ledger.move(run_moves.heartbeat("orders", held.token, timeout=timedelta(hours=1), now=clock.now()))
    with pytest.raises(ClientError):
        next_job(held)
    assert held.now_in() == [FileState.CLAIMED]


def test_a_run_without_a_claim_says_what_to_clear(place):
    with pytest.raises(ConfigurationError, match="clear claim_files"):
        processing.record_of(place.ctx(), RUN_ID, run_of(OTHER))


@pytest.mark.parametrize(("rule", "complains"), [("failed", True), ("invalid", True), ("never", False)])
def test_whether_a_run_fails_is_its_feeds_rule(place, rule, complains):
    held = Held(place, 2, feed_of(fail_run_on=rule))
    held.finish(0, FileState.INVALID)
    settled = settling.settle(held.ctx, held.record, None)
    said = processing.complaint(held.ctx, held.record, settled)
    assert bool(said) is complains
    assert (f"{held.files[0].key}" in said) is (rule == "invalid")


@pytest.mark.parametrize(
    ("rule", "failed", "invalid", "fails"),
    [("10%", 1, 0, False), ("10%", 1, 1, True), ("10%", 2, 0, True), ("9%", 0, 1, True), ("99%", 10, 0, True)],
)
def test_a_run_fails_once_more_than_a_share_of_its_files_have_failed_or_are_invalid(rule, failed, invalid, fails):
    states = [FileState.FAILED] * failed + [FileState.INVALID] * invalid
    states += [FileState.SUCCEEDED] * (10 - len(states))
    number, counted = processing.failing(rule, Counter(states))
    assert number == (failed + invalid if fails else 0)
    assert set(counted) == {FileState.FAILED, FileState.INVALID}


def test_files_that_another_try_of_the_task_took_are_of_the_round(place, monkeypatch):
    held = failed(place)
    begun = rounds.begin(held.ctx, held.record)
    seen = claiming.of_plan(held.ctx, begun)
    held.ctx.ledger.move(file_moves.claim(held.keys[0], held.token, RUN_ID, 1, clock.now(), asked=True))
    monkeypatch.setattr(claiming, "of_plan", lambda *_: seen)  # read before the other try took one
    assert [file.row for file in processing.claim_for_round(held.ctx, begun)] == held.keys


def test_a_job_that_batch_knows_again_is_not_settled_while_it_works(place):
    held = Held(place, 1)
    job = held.place.job_definition("exec sleep 30")
    where = {"jobQueue": held.ctx.settings.job_queue, "shareIdentifier": "tests"}
    job_id = held.ctx.batch.submit_job(jobName=held.record.job_name, jobDefinition=job, **where)["jobId"]
    held.ctx.ledger.move(run_moves.submitted(held.record, job_id))
    try:
        with pytest.raises(settling.NotSettledError, match="a retry waits for its end"):
            processing.settle(held.ctx, held.record, job_id)
        assert held.now_in() == [FileState.CLAIMED]
    finally:
        held.ctx.batch.terminate_job(jobId=job_id, reason="the test has ended")


@pytest.mark.parametrize("known", [None, "the round's"])
def test_a_claim_is_not_settled_by_a_job_of_the_claim_before_it(place, known):
    """A task that waited for that one goes on for a moment when somebody has cleared the run."""
    held = Held(place, 1)
    if known:
        held.ctx.ledger.move(run_moves.submitted(held.record, known))
    with pytest.raises(settling.NotSettledError, match="a retry waits for the round's"):
        processing.settle(held.ctx, held.record, "the one before")
    assert held.now_in() == [FileState.CLAIMED]


def test_a_run_of_which_another_gave_back_all_files_has_done_nothing_and_says_so(place):
    held = Held(place, 2)
    settling_later = replace(held.ctx, now=lambda: clock.now() + timedelta(hours=1))
    assert takeover.take_over(settling_later, "another", lambda _run_id: True) == [RUN_ID]
    settled = processing.settle(held.ctx, held.record, None)
    assert processing.complaint(held.ctx, held.record, settled) == (
        "none of 2 files was done: another run took this one for dead, and they wait again"
    )


def test_a_run_that_was_taken_for_dead_before_it_claimed_has_done_nothing_and_says_so(place):
    """Its claim_files stood still, and went on after another run had settled its claim: nothing is in it."""
    held = Held(place, 1)
    settled = settling.Settled({}, ())
    assert processing.complaint(held.ctx, replace(held.record, files=0), settled).startswith(
        "none of the files that it was to claim was done: another run took this one for dead"
    )


def test_a_task_that_begins_again_says_what_its_files_were_though_they_are_anothers_by_now(place):
    """Airflow may begin a task again that has failed, and a person have its files tried again before that."""
    held = failed(place)
    held.ctx.ledger.move(file_moves.claim(held.keys[0], OTHER, "another", 1, clock.now(), asked=True))
    record = processing.record_of(held.ctx, RUN_ID, held.token.split("-")[0])
    settled = processing.settle(held.ctx, record, None)
    assert settled.counts == {"FAILED": 2}
    first, named, last = processing.complaint(held.ctx, record, settled).splitlines()
    assert first == "2 files of 2:"
    assert named.startswith(f"'{held.files[1].key}': ")
    assert last == "Meanwhile 1 of them were taken by another run"


def test_a_runs_record_is_that_of_its_latest_claim(place):
    held = Held(place, 1)
    assert processing.record_of(held.ctx, "manual", held.token.split("-")[0]) == held.record


def test_a_claim_is_settled_by_how_its_job_ended(place):
    held = Held(place, 1)
    job = held.job("exit 78")
    assert processing.settle(held.ctx, held.record, job["jobId"]).counts == {"FAILED": 1}
    assert (held.item().reason.code, held.item().run_id) == ("configuration", held.record.run_id)


def test_a_settled_claim_tells_what_became_of_its_files(place):
    held = Held(place, 1)
    held.finish()
    settling.settle(held.ctx, held.record, None)
    assert processing.settle(held.ctx, held.record, None).counts == {"SUCCEEDED": 1}


def test_a_files_next_attempt_is_its_runs(place):
    held = failed(place, 1)
    processing.next_job(held.ctx, held.record)
    assert (held.item().claim, held.item().run_id, held.item().attempts) == (held.token, held.record.run_id, 2)


def test_a_round_of_two_units_is_submitted_as_an_array_that_is_told_where_they_are(place):
    held = defined(Held(place, 2, feed_of(packing={"files": 1})))
    with recorded(held.ctx.batch, "batch.SubmitJob") as calls:
        next_job(held)
    (call,) = calls
    told = {each["name"]: each["value"] for each in call["containerOverrides"]["environment"]}
    assert call["arrayProperties"] == {"size": 2}
    assert rounds.units_key(held.record) in told.values()


def test_of_a_job_that_is_the_rounds_nothing_is_said(place, caplog):
    held = defined(Held(place, 1))
    with caplog.at_level(logging.WARNING):
        next_job(held)
    assert caplog.text == ""


def test_whoever_clears_the_task_has_what_failed_for_good_tried_again(place):
    held = defined(Held(place, 1))
    settling.settle(held.ctx, held.record, held.job("exit 78"))
    assert held.item().open is None
    next_job(held)
    assert (held.item().state, held.item().attempts) == (FileState.CLAIMED, 2)


def test_a_settled_claim_is_open_again_before_a_file_is_claimed_under_it(place, monkeypatch):
    """Else a process that dies in between leaves files CLAIMED by a closed claim."""
    held = Held(place, 1)
    settling.settle(held.ctx, held.record, held.job("exit 75"))
    seen = []
    monkeypatch.setattr(processing, "claim_for_round", lambda _ctx, _record: seen.append(held.record.state) or [])

    processing.next_job(held.ctx, held.record)

    assert seen == [RunState.CLAIMED]
