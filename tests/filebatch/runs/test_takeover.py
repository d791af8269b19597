"""Taking over from dead runs: nothing stays behind, and nothing is taken from a run that lives."""

import logging
from dataclasses import replace
from datetime import timedelta
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError

from aws import ended, until
from claims import OTHER, RUN_ID, Held, run_of
from filebatch.core import clock, file_moves, paths, run_moves
from filebatch.core.records import FileRecord, FileState, RunRecord, RunState
from filebatch.core.run_moves import Asked
from filebatch.feeds.selection import Selection
from filebatch.queries import health
from filebatch.runs import jobs, selecting, settling, takeover
from filebatch.runs.plans import TAKE, Planned, write


def over(_run_id):
    return True


def running(_run_id):
    return False


def without_heartbeat(held):
    """Make the claim's run unheard of for longer than it may be."""
    past = clock.now() - timedelta(hours=2)
    held.ctx.ledger.move(run_moves.heartbeat("orders", held.token, timeout=timedelta(hours=1), now=past))


def later(held, minutes=4.0):
    """Go on so much later: a job that was submitted before would be listed."""
    held.ctx = replace(held.ctx, now=lambda: clock.now() + timedelta(minutes=minutes))


def take_over(held, is_over=over, own=OTHER):
    return bool(takeover.take_over(held.ctx, run_of(own), is_over))


def test_a_run_that_lives_is_left_alone(place):
    held = Held(place, 2)
    later(held)
    assert not take_over(held, running)
    assert held.now_in() == [FileState.CLAIMED, FileState.CLAIMED]


def test_a_runs_own_claims_are_left_alone(place):
    held = Held(place, 1)
    later(held)
    assert not take_over(held, over, own=held.token)
    assert held.now_in() == [FileState.CLAIMED]


@pytest.mark.parametrize("dead", ["over", "without heartbeat"])
def test_a_dead_run_whose_job_was_never_submitted_gives_its_files_back_and_tells_nothing(place, dead):
    held = Held(place, 2)
    later(held)
    if dead == "without heartbeat":
        without_heartbeat(held)
    assert takeover.take_over(held.ctx, run_of(OTHER), over if dead == "over" else running) == [held.record.run_id]
    assert held.now_in() == [FileState.ARRIVED, FileState.ARRIVED]
    assert held.record.state == RunState.ANNOUNCED
    assert held.ctx.ledger.open(RunRecord.unannounced("orders")) == []


def test_a_job_submitted_a_moment_ago_may_not_be_listed_yet(place):
    held = Held(place, 1)
    assert not take_over(held)
    assert held.now_in() == [FileState.CLAIMED]


def planned_only(place):
    """Make a claim whose run has taken one of its two files, and has no round yet."""
    held = Held(place, 0)
    held.token = "00000000000000aa-0001"
    held.files = [place.put(f"orders/{name}.csv") for name in "ab"]
    held.keys = place.arrive(*held.files)
    held.open()
    write(held.ctx, held.token, [Planned(row, TAKE, 1) for row in held.keys])
    held.ctx.ledger.move(file_moves.claim(held.keys[0], held.token, RUN_ID, 1, held.ctx.now()))
    assert (held.record.state, held.record.round) == (RunState.PLANNED, 0)
    return held


def test_a_run_that_died_before_its_first_round_gives_back_what_it_had_claimed(place):
    held = planned_only(place)
    later(held)
    assert take_over(held)
    assert held.now_in() == [FileState.ARRIVED, FileState.ARRIVED]
    assert [held.item(number).attempts for number in (0, 1)] == [0, 0]
    assert held.record.state == RunState.ANNOUNCED


@pytest.mark.parametrize("minutes", [0, 2.9])
def test_a_claim_that_was_begun_lately_is_not_taken_over_though_airflow_calls_its_run_over(place, minutes):
    """A task that Airflow has ended may go on for a while with what it was at."""
    held = planned_only(place)
    later(held, minutes)
    assert not take_over(held, over)
    assert held.now_in() == [FileState.CLAIMED, FileState.ARRIVED]
    assert held.record.state == RunState.PLANNED


def test_of_many_runs_that_live_only_those_longest_unheard_of_are_asked_about(place, monkeypatch):
    monkeypatch.setattr(takeover, "ASKED_ABOUT", 2)
    held = [Held(place, 1) for _ in range(4)]
    for minutes, each in enumerate(reversed(held)):
        timeout = timedelta(minutes=60 + minutes)
        each.ctx.ledger.move(run_moves.heartbeat("orders", each.token, timeout=timeout, now=clock.now()))
    asked: list[str] = []
    later(held[0])
    monkeypatch.setattr(takeover, "_settle", lambda _ctx, record, _is_over: asked.append(record.token))
    takeover.take_over(held[0].ctx, run_of(OTHER), over)
    assert asked == [held[3].token, held[2].token]


def test_a_record_that_cannot_be_settled_is_left_and_the_others_are_taken_over(place, caplog):
    broken, sound = Held(place, 1), Held(place, 1)
    broken.ctx.s3.delete_object(Bucket=place.results, Key=paths.plan("orders", broken.token))
    later(sound)
    sound.ctx.ledger.move(run_moves.heartbeat("orders", broken.token, timeout=timedelta(), now=clock.now()))
    with caplog.at_level(logging.ERROR):
        assert takeover.take_over(sound.ctx, run_of(OTHER), over) == [RUN_ID]
    assert (broken.now_in(), sound.now_in()) == ([FileState.CLAIMED], [FileState.ARRIVED])
    assert broken.record.state == RunState.CLAIMED
    assert f"claim {broken.token} stays open" in caplog.text
    assert "the plan of round 1; it isn't there any more" in caplog.text


def test_one_that_cannot_be_settled_asks_for_it_ever_less_often_and_its_alarm_counts_from_when_it_was_due(place):
    """Else its being due would have the bell rung at every look."""
    held = Held(place, 1)
    held.ctx.s3.delete_object(Bucket=place.results, Key=paths.plan("orders", held.token))
    without_heartbeat(held)
    due = held.record.due_at
    for hours, overdue in ((0.1, 0), (0.5, 0), (2, 1)):
        later(held, 60 * hours)
        assert not take_over(held)
        asks_in = clock.parse_utc(held.record.due_at) - held.ctx.now()
        assert timedelta(minutes=9) < asks_in <= takeover.ASK_AGAIN_AFTER
        assert held.record.put_off_since == due
        assert health.overdue_claims(held.ctx, held.ctx.now()) == overdue

    held.ctx.ledger.move(run_moves.heartbeat("orders", held.token, timeout=timedelta(hours=1), now=held.ctx.now()))
    assert held.record.put_off_since is None


def test_a_claim_that_is_not_due_yet_is_not_put_off(place):
    held = Held(place, 1)
    held.ctx.s3.delete_object(Bucket=place.results, Key=paths.plan("orders", held.token))
    before = held.record
    later(held)
    assert not take_over(held, over)
    assert held.record == before


@pytest.mark.parametrize("known", ["by id", "by fence", "by name"])
def test_a_dead_run_whose_job_has_ended_is_settled_and_left_to_be_announced(place, known):
    held = Held(place, 2)
    held.commit(0)
    job = place.run_job(held.record.job_name, "exit 70")
    if known == "by id":
        held.ctx.ledger.move(run_moves.submitted(held.record, job["jobId"]))
    if known == "by fence":
        held.ctx.ledger.move(run_moves.fence("orders", held.token, 1, job["jobId"]))
    assert take_over(held)
    assert held.now_in() == [FileState.SUCCEEDED, FileState.FAILED]
    assert (held.record.state, held.record.counts) == (RunState.SETTLED, {"SUCCEEDED": 1, "FAILED": 1})


@pytest.mark.parametrize("known", ["by id", "by fence"])
def test_a_job_in_a_queue_that_was_replaced_since_is_settled_all_the_same(place, known):
    held = Held(place, 2)
    held.commit(0)
    job = place.run_job(held.record.job_name, "exit 70")
    submitted = run_moves.submitted(held.record, job["jobId"])
    fenced = run_moves.fence("orders", held.token, 1, job["jobId"])
    held.ctx.ledger.move(submitted if known == "by id" else fenced)
    held.ctx = place.ctx(job_queue="another-queue")
    assert take_over(held)
    assert held.now_in() == [FileState.SUCCEEDED, FileState.FAILED]


def test_a_dead_run_whose_job_still_works_is_left_to_it_and_looked_at_later(place):
    held = Held(place, 1)
    without_heartbeat(held)
    batch = place.connect("batch")
    job_id = batch.submit_job(
        jobName=held.record.job_name,
        jobQueue=held.ctx.settings.job_queue,
        shareIdentifier="orders",
        jobDefinition=place.job_definition("exec sleep 60"),
    )["jobId"]
    assert not take_over(held, running)
    assert held.now_in() == [FileState.CLAIMED]
    assert clock.parse_utc(held.record.due_at) > clock.now()
    batch.terminate_job(jobId=job_id, reason="Terminated: the test is over")
    until(lambda: batch.describe_jobs(jobs=[job_id])["jobs"][0]["status"] == "FAILED")
    assert take_over(held)
    assert held.item().reason.code == "terminated"


def at_work(place, held):
    """Have the round's job at work; return its id."""
    job_id = place.connect("batch").submit_job(
        jobName=held.record.job_name,
        jobQueue=held.ctx.settings.job_queue,
        shareIdentifier="orders",
        jobDefinition=place.job_definition("exec sleep 60"),
    )["jobId"]
    held.ctx.ledger.move(run_moves.submitted(held.record, job_id))
    return job_id


@pytest.mark.parametrize("due", [True, False])
def test_a_job_whose_run_is_over_is_ended_and_its_claim_is_settled_by_the_next_run(place, due):
    """A task that was marked failed on an Airflow that tells nobody; a DAG run that was deleted."""
    held = Held(place, 1)
    job_id = at_work(place, held)
    if due:
        without_heartbeat(held)

    assert not take_over(held)

    job = until(lambda: ended(place.connect("batch"), job_id))
    assert job["statusReason"] == jobs.RUN_OVER
    assert clock.now() < clock.parse_utc(held.record.due_at) <= clock.now() + takeover.ENDING_TAKES
    assert take_over(held)
    assert (held.item().state, held.item().reason.code) == (FileState.FAILED, "terminated")
    assert held.item().due_at


def test_a_job_that_may_not_be_ended_is_left_to_end_by_itself(place, monkeypatch, caplog):
    held = Held(place, 1)
    job_id = at_work(place, held)
    batch = held.ctx.batch
    refused = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "TerminateJob")
    with monkeypatch.context() as patched, caplog.at_level(logging.WARNING):
        patched.setattr(batch, "terminate_job", Mock(side_effect=refused), raising=False)
        assert not take_over(held)
    assert f"its job {job_id} could not be ended" in caplog.text
    assert clock.parse_utc(held.record.due_at) > clock.now() + takeover.ENDING_TAKES
    assert batch.describe_jobs(jobs=[job_id])["jobs"][0]["status"] not in jobs.TERMINAL
    batch.terminate_job(jobId=job_id, reason="the test is over")


def test_a_job_that_batch_does_not_know_has_vanished_only_after_a_while(place):
    held = Held(place, 1)
    held.ctx.ledger.move(run_moves.submitted(held.record, "00000000-0000-0000-0000-000000000000"))
    assert not take_over(held)
    assert held.now_in() == [FileState.CLAIMED]
    without_heartbeat(held)
    assert take_over(held)
    assert held.item().reason.code == "vanished"


def test_a_run_that_is_settled_is_left_to_be_announced(place):
    held = Held(place, 1)
    held.finish()
    settling.settle(held.ctx, held.record, None)
    assert not take_over(held)
    assert held.record.state == RunState.SETTLED


def test_a_settled_run_that_nobody_announces_asks_for_it_ever_less_often_and_stays_open(place):
    """Else its being due would have the bell rung at every look."""
    held = Held(place, 1)
    held.finish()
    settling.settle(held.ctx, held.record, None)
    later(held, 0.1)
    assert not take_over(held)
    assert (held.record.state, held.record.open) == (RunState.SETTLED, "run#orders")
    asks_in = clock.parse_utc(held.record.due_at) - held.ctx.now()
    assert timedelta(minutes=9) < asks_in <= takeover.ASK_AGAIN_AFTER
    before = held.record
    assert not take_over(held)
    assert held.record == before


def test_whoever_comes_second_takes_nothing_over(place):
    held = Held(place, 1)
    later(held)
    assert take_over(held)
    assert not take_over(held)


def test_an_old_runs_job_that_starts_after_all_finds_its_round_over(place):
    held = Held(place, 1)
    later(held)
    take_over(held)
    assert not held.ctx.ledger.try_move(run_moves.fence("orders", held.token, 1, "late")).done


def closed(held):
    """Close the claim's record while its files are CLAIMED, as if its task had stood still before it took them."""
    settled = held.ctx.ledger.move(run_moves.settle(held.record, {}, clock.now()))
    held.ctx.ledger.move(run_moves.announced(settled, clock.now()))


def files_of(held):
    return [held.item(number) for number in range(len(held.keys))]


def test_files_that_a_closed_claim_holds_are_given_back(place, caplog):
    held = Held(place, 2)
    held.finish(0)
    closed(held)
    with caplog.at_level(logging.ERROR):
        assert [file.row for file in takeover.free(held.ctx, files_of(held))] == [held.keys[1]]
    assert held.now_in() == [FileState.SUCCEEDED, FileState.ARRIVED]
    assert held.item(1).open == FileRecord.waiting("orders").name
    assert "is CLAIMED by" in caplog.text


def test_a_sweep_finds_the_files_that_no_claim_holds_and_gives_them_back(place):
    lost, held = Held(place, 2), Held(place, 1)
    closed(lost)
    place.queue(lost.ctx.feed)

    selecting.take_in(lost.ctx, Selection(sweep=True))

    assert lost.now_in() == [FileState.ARRIVED, FileState.ARRIVED]
    assert held.now_in() == [FileState.CLAIMED]


def test_files_whose_claim_has_no_record_are_given_back(place):
    held = Held(place, 1)
    held.ctx.ledger.remove(RunRecord.at("orders", held.token))
    takeover.free(held.ctx, files_of(held))
    assert held.now_in() == [FileState.ARRIVED]


def test_files_that_an_open_claim_holds_are_not(place):
    held = Held(place, 2)
    later(held, 60 * 24)
    assert takeover.free(held.ctx, files_of(held)) == []
    assert held.now_in() == [FileState.CLAIMED, FileState.CLAIMED]


def test_a_file_that_was_claimed_anew_since_it_was_read_is_its_new_claims(place):
    held = Held(place, 1)
    seen = files_of(held)
    closed(held)
    now = clock.now() + timedelta(seconds=1)
    held.ctx.ledger.move(file_moves.release(seen[0], now))
    asked = Asked(RUN_ID, 1, 0, "all that waits")
    held.ctx.ledger.add(run_moves.begin("orders", OTHER, asked, timeout=timedelta(hours=1), now=now))
    held.ctx.ledger.move(file_moves.claim(held.keys[0], OTHER, RUN_ID, 1, now))
    takeover.free(held.ctx, seen)
    assert (held.item().state, held.item().claim) == (FileState.CLAIMED, OTHER)


def test_files_of_a_claim_that_this_version_cannot_read_are_not_given_back(place):
    held = Held(place, 2)
    held.ctx.connect("dynamodb").update_item(
        TableName=place.table,
        Key={"pk": {"S": "run#orders"}, "sk": {"S": held.token}},
        UpdateExpression="SET #state = :newer",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={":newer": {"S": "PAUSED"}},
    )
    assert takeover.free(held.ctx, files_of(held)) == []
    assert held.now_in() == [FileState.CLAIMED, FileState.CLAIMED]
