"""Whom a container's end is counted for: what it was at, and none of the files that only shared it."""

import itertools
from dataclasses import replace

import pytest

from aws import feed_of
from claims import OTHER, RUN_ID, Held
from filebatch.core import clock, file_moves
from filebatch.core.contract import IN_FLIGHT, Reason
from filebatch.core.records import FileRecord, FileState
from filebatch.runs import processing, rounds, settling

KILLED = ("killed", {"exitCode": 137})
SEGFAULT = ("bug", {"exitCode": 139})
MEMORY = ("out_of_memory", {"exitCode": 137, "reason": "OutOfMemoryError: Container killed due to memory usage"})
TIMEOUT = ("timeout", {"reason": "Job attempt duration exceeded timeout"})


def ended(**container):
    return {
        "jobId": "00000000-0000-0000-0000-000000000000",
        "status": "FAILED",
        "attempts": [],
        "container": container,
    }


def waits_uncounted(held, number):
    file = held.item(number)
    assert file.open == FileRecord.waiting("orders").name
    assert (file.claim, file.reason, file.memory) == (None, None, None)
    return (file.state, file.attempts) == (FileState.ARRIVED, 0)


@pytest.mark.parametrize(("code", "container"), [KILLED, SEGFAULT, MEMORY, TIMEOUT])
def test_of_many_files_the_first_fails_when_their_container_dies_and_the_others_wait_again_uncounted(
    place, code, container
):
    held = Held(place, 20)
    held.finish(0)
    held.fence()
    settled = settling.settle(held.ctx, held.record, ended(**container))
    assert settled.counts == {"SUCCEEDED": 1, "FAILED": 1}
    suspect = held.item(1)
    assert (suspect.state, suspect.attempts, suspect.suspect) == (FileState.FAILED, 1, True)
    assert suspect.reason.code == code
    assert all(waits_uncounted(held, number) for number in range(2, 20))
    assert [held.item(number).suspect for number in range(20)] == [None] + [True] * IN_FLIGHT + [None] * (
        19 - IN_FLIGHT
    )


@pytest.mark.parametrize("write", range(5))
def test_a_settling_that_is_interrupted_counts_no_attempt_for_a_file_that_was_not_begun(place, monkeypatch, write):
    """Whoever settles next finds some of them moved, and must not take the first that is left for the one at work."""
    held = Held(place, 4)
    held.fence()
    dynamodb = held.ctx.ledger.client
    with monkeypatch.context() as patched:
        patched.setattr(dynamodb, "update_item", failing_from(dynamodb.update_item, write))
        with pytest.raises(ConnectionError):
            settling.settle(held.ctx, held.record, ended(exitCode=139))
    settling.settle(held.ctx, held.record, ended(exitCode=139))
    assert held.now_in() == [FileState.FAILED] + [FileState.ARRIVED] * 3
    assert all(waits_uncounted(held, number) for number in (1, 2, 3))


def failing_from(call, number):
    """Return a call that fails from this time on, counted from 0."""
    seen = itertools.count()

    def made(**request):
        if next(seen) >= number:
            raise ConnectionError("DynamoDB is out of reach")
        return call(**request)

    return made


def test_what_waits_again_as_a_suspect_gets_a_container_of_its_own_and_is_none_once_it_is_done(place):
    held = Held(place, 8)
    held.fence()
    settling.settle(held.ctx, held.record, ended(exitCode=139))
    again = [held.ctx.ledger.move(file_moves.claim(key, OTHER, RUN_ID, 1, clock.now())) for key in held.keys[1:]]
    units = rounds.pack_units(held.ctx.feed, held.record, again)
    assert [len(unit.files) for unit in units] == [1] * (IN_FLIGHT - 1) + [8 - IN_FLIGHT]
    result = replace(held.result(1), claim=OTHER)
    done = held.ctx.ledger.move(file_moves.finish(held.keys[1], OTHER, result, "s3://r/_result.json", clock.now()))
    assert done.suspect is None


@pytest.mark.parametrize("at", range(IN_FLIGHT))
def test_a_file_that_kills_its_container_is_among_the_suspects_wherever_it_was_in_flight(place, at):
    """Those before it were in flight, and had no result yet."""
    held = Held(place, 6)
    held.fence()
    settling.settle(held.ctx, held.record, ended(exitCode=139))
    assert held.item(at).suspect


@pytest.mark.parametrize(("script", "code"), [("kill -KILL $$", "killed"), ("kill -SEGV $$", "bug")])
def test_a_process_that_really_dies_of_a_signal_leaves_one_suspect(place, script, code):
    held = Held(place, 3)
    job = held.job(script)
    settling.settle(held.ctx, held.record, job)
    assert held.now_in() == [FileState.FAILED, FileState.ARRIVED, FileState.ARRIVED]
    assert (held.item().reason.code, held.item().suspect) == (code, True)


def test_each_container_that_dies_has_a_suspect_of_its_own(place):
    held = Held(place, 4, feed_of(packing={"files": 2}))
    job = held.job("kill -KILL $$")
    settling.settle(held.ctx, held.record, job)
    assert held.now_in() == [FileState.FAILED, FileState.ARRIVED] * 2


def test_of_files_that_failed_in_order_one_is_suspected_when_a_later_container_dies(place):
    held = Held(place, 4)
    for _ in range(2):  # both end in order, and fail all
        settling.settle(held.ctx, held.record, held.job("exit 70"))
        held.another_round()
    held.fence()
    settled = settling.settle(held.ctx, held.record, ended(exitCode=139))
    assert settled.counts == {"FAILED": 1}
    again = [held.item(number) for number in range(4)]
    assert [file.suspect for file in again] == [True, True, True, True]


def test_a_suspect_is_packed_alone_beside_others_that_failed(place):
    held = Held(place, 4, feed_of(packing={"files": 2}))
    held.ctx.ledger.move(file_moves.trouble(held.keys[2], held.token, Reason("transient", "S3 is slow"), clock.now()))
    job = held.job(DIES_OR_ENDS)
    settling.settle(held.ctx, held.record, job)
    assert held.now_in() == [FileState.FAILED, FileState.ARRIVED, FileState.FAILED, FileState.ARRIVED]
    held.another_round()
    assert [[work.file.key for work in unit.files] for unit in held.units(2)] == [
        [held.files[0].key],
        [held.files[2].key],
    ]


DIES_OR_ENDS = 'if [ "$AWS_BATCH_JOB_ARRAY_INDEX" = 0 ]; then kill -SEGV $$; else exit 75; fi'


def test_a_file_that_is_done_in_a_container_of_its_own_is_a_suspect_no_more(place):
    held = Held(place, 1)
    held.fence()
    settling.settle(held.ctx, held.record, ended(exitCode=139))
    held.another_round()
    held.finish()
    assert (held.item().state, held.item().suspect) == (FileState.SUCCEEDED, None)


@pytest.mark.parametrize("words", ["Your Spot Task was interrupted.", "Terminated: by hand"])
def test_nobody_is_suspected_where_a_container_was_ended_from_outside(place, words):
    held = Held(place, 3)
    held.fence()
    settling.settle(held.ctx, held.record, {**ended(exitCode=137), "statusReason": words})
    assert held.now_in() == [FileState.FAILED, FileState.ARRIVED, FileState.ARRIVED]
    assert [held.item(number).suspect for number in range(3)] == [None] * 3


def test_a_container_that_ended_in_order_with_75_fails_what_it_met_trouble_with_and_gives_back_the_rest(place):
    held = Held(place, 4)
    for number in (1, 2):
        held.ctx.ledger.move(
            file_moves.trouble(held.keys[number], held.token, Reason("transient", f"slow {number}"), clock.now())
        )
    job = held.job("exit 75")
    settling.settle(held.ctx, held.record, job)
    assert held.now_in() == [FileState.ARRIVED, FileState.FAILED, FileState.FAILED, FileState.ARRIVED]
    assert [held.item(number).attempts for number in range(4)] == [0, 1, 1, 0]
    assert "slow 1" in held.item(1).reason.message
    assert [held.item(number).suspect for number in range(4)] == [None] * 4


def test_a_container_that_ended_in_order_with_75_and_no_trouble_fails_all_that_it_left(place):
    held = Held(place, 3)
    held.finish(0)
    job = held.job("exit 75")
    settling.settle(held.ctx, held.record, job)
    assert held.now_in() == [FileState.SUCCEEDED, FileState.FAILED, FileState.FAILED]
    assert [(held.item(number).attempts, held.item(number).suspect) for number in (1, 2)] == [(1, None)] * 2


@pytest.mark.parametrize(
    "job", [None, {"statusReason": "Task failed to start", "reason": "CannotPullContainerError: no such image"}]
)
def test_a_container_that_never_started_fails_all_and_suspects_none(place, job):
    held = Held(place, 3)
    held.fence()
    settling.settle(held.ctx, held.record, job and {**ended(reason=job["reason"]), "statusReason": job["statusReason"]})
    assert held.now_in() == [FileState.FAILED] * 3
    assert [held.item(number).suspect for number in range(3)] == [None] * 3


def test_files_that_wait_again_are_another_claims_and_not_of_the_next_round(place):
    held = Held(place, 3)
    held.fence()
    settling.settle(held.ctx, held.record, ended(exitCode=139))
    taken = processing.claim_for_round(held.ctx, held.record)
    assert [file.key for file in taken] == [held.files[0].key]
    assert clock.parse_utc(held.item(1).due_at) <= clock.now()


def test_a_container_that_dies_after_trouble_with_a_file_was_at_that_one_again_or_at_the_next(place):
    held = Held(place, 4)
    held.ctx.ledger.move(file_moves.trouble(held.keys[0], held.token, Reason("transient", "S3 is slow"), clock.now()))
    held.fence()
    settling.settle(held.ctx, held.record, ended(exitCode=139))
    assert held.now_in() == [FileState.FAILED, FileState.FAILED, FileState.ARRIVED, FileState.ARRIVED]
    assert [held.item(number).suspect for number in (0, 1)] == [True, True]


@pytest.mark.parametrize("script", ["exit 1", "kill -KILL $$"])
def test_an_image_that_cannot_run_makes_no_file_a_suspect_and_has_all_wait_for_their_next_attempt(place, script):
    held = Held(place, 3)
    job = held.job(script, begun=False)
    settled = settling.settle(held.ctx, held.record, job)
    assert settled.counts == {"FAILED": 3}
    assert {(file.attempts, file.suspect) for file in settled.files} == {(1, None)}
    assert all(file.due_at > clock.to_iso(clock.now()) for file in settled.files)
