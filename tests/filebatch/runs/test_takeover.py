"""Taking over from dead runs: nothing stays behind, and nothing is taken from a run that lives."""

from datetime import timedelta

import pytest

from aws import until
from claims import OTHER, Held, run_of
from filebatch.core import clock, states
from filebatch.runs import settling, takeover


def over(_run_id):
    return True


def running(_run_id):
    return False


def silent(held):
    """Make the claim's run unheard of for longer than it may be."""
    past = clock.now() - timedelta(hours=2)
    held.ctx.ledger.move(states.heartbeat("orders", held.token, heartbeat=timedelta(hours=1), now=past))


def long_ago(held):
    """Make the round's beginning long enough ago that its job would be listed."""
    past = clock.now() - takeover.NEVER_SUBMITTED_AFTER - timedelta(minutes=1)
    moved = states.Move(states.run_key("orders", held.token), "", become={"round_at": clock.to_iso(past)})
    held.ctx.ledger.move(moved)


def take_over(held, is_over=over, own=OTHER):
    return bool(takeover.take_over(held.ctx, run_of(own), is_over))


def test_a_run_that_lives_is_left_alone(place):
    held = Held(place, 2)
    long_ago(held)
    assert not take_over(held, running)
    assert held.now_in() == [states.CLAIMED, states.CLAIMED]


def test_a_runs_own_claims_are_left_alone(place):
    held = Held(place, 1)
    long_ago(held)
    assert not take_over(held, over, own=held.token)
    assert held.now_in() == [states.CLAIMED]


@pytest.mark.parametrize("dead", ["over", "silent"])
def test_a_dead_run_whose_job_was_never_submitted_gives_its_files_back_and_tells_nothing(place, dead):
    held = Held(place, 2)
    long_ago(held)
    if dead == "silent":
        silent(held)
    assert takeover.take_over(held.ctx, run_of(OTHER), over if dead == "over" else running) == [held.record["run_id"]]
    assert held.now_in() == [states.ARRIVED, states.ARRIVED]
    assert held.record["state"] == states.ANNOUNCED
    assert held.ctx.ledger.open(states.open_runs("orders")) == []


def test_a_job_submitted_a_moment_ago_may_not_be_listed_yet(place):
    held = Held(place, 1)
    assert not take_over(held)
    assert held.now_in() == [states.CLAIMED]


def test_a_run_that_died_before_its_first_round_gives_back_what_it_had_claimed(place):
    held = Held(place, 1)
    planned = states.Move(held_key(held), "", become={"state": states.PLANNED, "round": 0})
    held.ctx.ledger.move(planned)
    assert take_over(held)
    assert held.now_in() == [states.ARRIVED]


def held_key(held):
    return states.run_key("orders", held.token)


@pytest.mark.parametrize("known", ["by id", "by fence", "by name"])
def test_a_dead_run_whose_job_has_ended_is_settled_and_left_to_be_announced(place, known):
    held = Held(place, 2)
    held.commit(0)
    job = place.run_job(held.record["job_name"], "exit 70")
    if known == "by id":
        held.ctx.ledger.move(states.submitted("orders", held.token, 1, job["jobId"]))
    if known == "by fence":
        held.ctx.ledger.move(states.fence("orders", held.token, 1, job["jobId"]))
    assert take_over(held)
    assert held.now_in() == [states.SUCCEEDED, states.FAILED]
    assert (held.record["state"], held.record["counts"]) == (states.SETTLED, {"SUCCEEDED": 1, "FAILED": 1})


@pytest.mark.parametrize("known", ["by id", "by fence"])
def test_a_job_in_a_queue_that_was_replaced_since_is_settled_all_the_same(place, known):
    held = Held(place, 2)
    held.commit(0)
    job = place.run_job(held.record["job_name"], "exit 70")
    move = states.submitted if known == "by id" else states.fence
    held.ctx.ledger.move(move("orders", held.token, 1, job["jobId"]))
    held.ctx = place.ctx(job_queue="another-queue")
    assert take_over(held)
    assert held.now_in() == [states.SUCCEEDED, states.FAILED]


def test_a_dead_run_whose_job_still_works_is_left_to_it_and_looked_at_later(place):
    held = Held(place, 1)
    silent(held)
    batch = place.connect("batch")
    job_id = batch.submit_job(
        jobName=held.record["job_name"],
        jobQueue=held.ctx.settings.job_queue,
        shareIdentifier="orders",
        jobDefinition=place.job_definition("exec sleep 60"),
    )["jobId"]
    assert not take_over(held, running)
    assert held.now_in() == [states.CLAIMED]
    assert clock.parse_utc(held.record["due_at"]) > clock.now()
    batch.terminate_job(jobId=job_id, reason="Terminated: the test is over")
    until(lambda: batch.describe_jobs(jobs=[job_id])["jobs"][0]["status"] == "FAILED")
    assert take_over(held)
    assert held.item()["reason"]["code"] == "terminated"


def test_a_job_that_batch_does_not_know_has_vanished_only_after_a_while(place):
    held = Held(place, 1)
    held.ctx.ledger.move(states.submitted("orders", held.token, 1, "00000000-0000-0000-0000-000000000000"))
    assert not take_over(held)
    assert held.now_in() == [states.CLAIMED]
    silent(held)
    assert take_over(held)
    assert held.item()["reason"]["code"] == "vanished"


def test_a_run_that_is_settled_is_left_to_be_announced(place):
    held = Held(place, 1)
    held.finish()
    settling.settle(held.ctx, held.record, None)
    assert not take_over(held)
    assert held.record["state"] == states.SETTLED


def test_whoever_comes_second_takes_nothing_over(place):
    held = Held(place, 1)
    long_ago(held)
    assert take_over(held)
    assert not take_over(held)


def test_an_old_runs_job_that_starts_after_all_finds_its_round_over(place):
    held = Held(place, 1)
    long_ago(held)
    take_over(held)
    assert not held.ctx.ledger.move(states.fence("orders", held.token, 1, "late")).done
