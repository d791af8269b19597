"""Settling: what became of each file, from the ledger and the results; Batch's word comes last."""

from dataclasses import replace
from datetime import timedelta

import pytest

from aws import feed_of
from claims import OTHER, RUN_ID, Held, counted, summed
from filebatch.core import clock, contract, file_moves, paths
from filebatch.core.contract import Reason
from filebatch.core.errors import ContractError, ContractVersionError, MoveRefused
from filebatch.core.failures import Ending, Failure
from filebatch.core.records import FileRecord, FileState, RunState
from filebatch.runs import processing, rounds, settling
from filebatch.runs.settling import NotSettledError, Settled
from filebatch.runs.summary import summarize
from moves import arrival

TWO_UNITS = feed_of(packing={"files": 1})


def test_what_the_workers_told_is_counted_and_nothing_is_moved(place):
    held = Held(place, 3)
    held.finish(0)
    held.finish(1, FileState.INVALID)
    held.finish(2)
    before = [held.item(number) for number in range(3)]
    settled = settling.settle(held.ctx, held.record, None)
    assert settled.counts == {"SUCCEEDED": 2, "INVALID": 1}
    assert list(settled.files) == before
    assert counted(place) == {}


def test_a_settled_run_waits_to_be_announced(place):
    held = Held(place, 1)
    held.finish()
    settling.settle(held.ctx, held.record, None)
    assert (held.record.state, held.record.counts) == (RunState.SETTLED, {"SUCCEEDED": 1})
    assert clock.parse_utc(held.record.due_at) <= clock.now()


@pytest.mark.parametrize(("state", "name"), [(FileState.SUCCEEDED, "Succeeded"), (FileState.INVALID, "Invalid")])
def test_a_file_whose_worker_died_after_its_commit_is_done_whatever_batch_says(place, state, name):
    held = Held(place, 1)
    held.commit(0, state)
    settled = settling.settle(held.ctx, held.record, held.job("exit 70"))
    assert settled.counts == {state: 1}
    file = held.item()
    assert file.result.endswith("/g1/_result.json")
    assert file.rows == (7 if state == FileState.SUCCEEDED else None)
    assert (file.reason is not None) == (state == FileState.INVALID)
    assert counted(place) == {name: 1}
    assert summed(place, "ProcessingDuration") == 2.0


@pytest.mark.parametrize(
    ("script", "code", "waits"),
    [
        ("exit 70", "bug", True),
        ("exit 75", "transient", True),
        ("exit 78", "configuration", False),
        ("exit 0", "bug", True),
    ],
)
def test_a_file_that_a_job_left_behind_failed_as_its_job_ended(place, script, code, waits):
    held = Held(place, 1)
    settled = settling.settle(held.ctx, held.record, held.job(script))
    assert settled.counts == {"FAILED": 1}
    file = held.item()
    assert file.reason.code == code
    assert script.replace("exit ", "exit code ") in file.reason.message
    assert (file.open is not None) == waits
    assert counted(place) == {"Failed": 1}


def code_of(held, number=0):
    reason = held.item(number).reason
    return reason.code if reason else None


def test_each_file_has_the_ending_of_its_own_child(place):
    held = Held(place, 3, TWO_UNITS)
    held.finish(2)
    job = held.job('exit "$((75 + 3 * AWS_BATCH_JOB_ARRAY_INDEX))"')
    settling.settle(held.ctx, held.record, job)
    assert [code_of(held, number) for number in range(3)] == [
        "transient",
        "configuration",
        None,
    ]


def test_a_job_that_vanished_is_settled_from_the_results(place):
    held = Held(place, 2)
    held.commit(0)
    settled = settling.settle(held.ctx, held.record, None)
    assert settled.counts == {"SUCCEEDED": 1, "FAILED": 1}
    assert held.item(1).reason.code == "vanished"
    assert counted(place) == {"Succeeded": 1, "Failed": 1}


def test_a_file_that_met_with_trouble_before_another_killed_the_container_fails_for_its_own_reason(place):
    held = Held(place, 2)
    [unit] = held.units()
    met = FileRecord.at(unit.files[0].file)
    place.ledger.move(file_moves.trouble(met, held.record.token, Reason("transient", "SlowDown"), now=clock.now()))

    job = held.job("exit 139")

    settling.settle(held.ctx, held.record, job)

    files = settling.read(held.ctx, held.record).files
    assert {file.row == met: file.reason.code for file in files} == {True: "transient", False: "bug"}


def test_a_file_is_due_again_after_its_backoff_until_its_attempts_are_used_up(place):
    held = Held(place, 1, feed_of(max_attempts=2))
    settling.settle(held.ctx, held.record, None)
    assert timedelta(seconds=50) < clock.parse_utc(held.item().due_at) - clock.now() <= timedelta(seconds=60)
    held.another_round()
    settling.settle(held.ctx, held.record, None)
    assert (held.item().state, held.item().attempts) == (FileState.FAILED, 2)
    assert held.item().open is None


def test_a_file_that_ran_out_of_memory_asks_for_twice_as_much(place):
    held = Held(place, 1)
    ended = {"jobId": "00000000-0000-0000-0000-000000000000", "status": "FAILED", "attempts": []}
    reason = "OutOfMemoryError: Container killed due to memory usage"
    job = {**ended, "container": {"exitCode": 137, "reason": reason}}
    settling.settle(held.ctx, held.record, job)
    assert (held.item().reason.code, held.item().memory) == ("out_of_memory", 2048)


@pytest.mark.parametrize(
    ("job", "code", "told"),
    [
        ({"statusReason": "the queue is needed"}, "unknown", ["the queue is needed"]),
        ({"statusReason": "Array Child Job failed"}, "unknown", ["Array Child Job failed"]),
        (
            {"statusReason": "Task failed to start", "container": {"reason": "CannotStartContainerError: no exec"}},
            "not_started",
            ["CannotStartContainerError: no exec", "Task failed to start"],
        ),
        (
            {"statusReason": "Canceled by JobStateTimeLimit action due to reason: CAPACITY:X"},
            "unschedulable",
            ["JobStateTimeLimit", "CAPACITY"],
        ),
    ],
)
def test_what_batch_says_of_a_job_that_left_no_word_is_passed_on(place, job, code, told):
    held = Held(place, 1)
    ended = {"jobId": "00000000-0000-0000-0000-000000000000", "status": "FAILED", "attempts": []}
    settled = settling.settle(held.ctx, held.record, {**ended, **job})
    assert held.item().reason.code == code
    summary = summarize(held.record, settled.files, "s3://r/plan.json")
    for words in told:
        assert words in held.item().reason.message
        assert words in settling.describe(settled.of(FileState.FAILED))
        assert words in summary.text


def test_settling_again_changes_nothing_and_counts_nothing_twice(place):
    held = Held(place, 2)
    held.commit(0)
    job = held.job("exit 70")
    first = settling.settle(held.ctx, held.record, job)
    again = settling.settle(held.ctx, held.record, job)
    assert (again.counts, again.files) == (first.counts, first.files)
    assert counted(place) == {"Succeeded": 1, "Failed": 1}


def test_a_file_that_another_claim_took_over_is_not_this_ones(place):
    held = Held(place, 2)
    held.ctx.ledger.move(file_moves.release(held.item(), clock.now()))
    held.ctx.ledger.move(file_moves.claim(held.keys[0], OTHER, RUN_ID, 1, clock.now()))
    held.finish(1)
    settled = settling.settle(held.ctx, held.record, None)
    assert settled.counts == {"SUCCEEDED": 1}
    assert held.item(0).claim == OTHER
    assert held.item(0).state == FileState.CLAIMED


def test_a_result_of_the_same_generation_by_an_earlier_claim_is_adopted(place):
    held = Held(place, 1)
    held.commit()
    held.ctx.ledger.move(file_moves.release(held.item(), clock.now()))
    later = Held(place, 1, token=OTHER)
    held.ctx.ledger.move(file_moves.claim(held.keys[0], OTHER, RUN_ID, 1, clock.now()))
    later.ctx.s3.put_object(
        Bucket=place.results,
        Key=paths.plan("orders", OTHER),
        Body=later.ctx.s3.get_object(Bucket=place.results, Key=paths.plan("orders", held.token))["Body"].read(),
    )
    assert settling.settle(later.ctx, later.record, None).counts == {"SUCCEEDED": 1}


def test_a_result_of_an_earlier_generation_does_not_count_for_the_next(place):
    held = Held(place, 1)
    held.finish()
    held.ctx.ledger.move(file_moves.redo(held.keys[0], held.token, RUN_ID, 2, clock.now()))
    settled = settling.settle(held.ctx, held.record, None)
    assert settled.counts == {"FAILED": 1}
    assert held.item().generation == 2


def failed(key, message="ValueError: x", **fields):
    return replace(arrival(), **{"key": key, "state": FileState.FAILED, "reason": Reason("bug", message), **fields})


def test_the_files_that_failed_are_named_with_the_reason():
    settled = Settled({}, (failed("orders/a\n.csv"), failed("x", state=FileState.SUCCEEDED), failed("orders/b.csv")))
    assert settling.describe(settled.of(FileState.FAILED)).splitlines() == [
        "'orders/a\\n.csv': bug: ValueError: x",
        "'orders/b.csv': bug: ValueError: x",
    ]


def test_a_link_in_a_key_or_a_reason_is_broken_where_files_are_named():
    hostile = failed("orders/http://evil.example/x", "found 'http://evil.example/y'\x1b[2J")
    assert settling.describe([hostile]) == (
        "'orders/http[:]//evil[.]example/x': bug: found 'http[:]//evil[.]example/y'\\x1b[2J"
    )


def test_of_many_files_some_are_named_and_the_others_counted():
    assert settling.describe([failed(str(number)) for number in range(13)], limit=10).splitlines()[-1] == "… and 3 more"


def test_a_late_settling_of_a_round_fails_no_file_of_the_next(place):
    held = Held(place, 1)
    first, job = held.record, held.job("exit 75")
    settling.settle(held.ctx, first, job)
    processing.claim_for_round(held.ctx, rounds.begin(held.ctx, held.record))
    assert (held.record.round, held.now_in()) == (2, [FileState.CLAIMED])

    with pytest.raises(MoveRefused, match="expected round 1, found 2"):
        settling.settle(held.ctx, first, job)

    assert held.now_in() == [FileState.CLAIMED]


def test_nor_does_one_that_was_asked_whose_round_it_is_before_the_next_began(place, monkeypatch):
    held = Held(place, 1)
    first, job = held.record, held.job("exit 75")
    monkeypatch.setattr(settling, "_check_round", lambda *_: begin_next_round(held, first, job))

    with pytest.raises((MoveRefused, NotSettledError)):
        settling.settle(held.ctx, first, job)

    assert (held.item().state, held.item().attempts) == (FileState.CLAIMED, 2)


def begin_next_round(held, record, job):
    """Settle a round and begin the next, as another process does meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settling, "_check_round", lambda *_: None)
        settling.settle(held.ctx, record, job)
    processing.claim_for_round(held.ctx, rounds.begin(held.ctx, held.record))


def test_a_claim_is_not_closed_while_a_file_of_it_is_claimed(place):
    held = Held(place, 2)
    held.finish(0)
    with pytest.raises(NotSettledError, match="1 files are still CLAIMED, such as 's3://"):
        settling.close(held.ctx, held.record)
    assert (held.record.state, held.record.counts) == (RunState.CLAIMED, None)


def test_a_claim_whose_files_are_settled_or_given_back_is_closed(place):
    held = Held(place, 2)
    held.finish(0)
    held.ctx.ledger.move(file_moves.release(held.item(1), clock.now()))
    assert settling.close(held.ctx, held.record).counts == {"SUCCEEDED": 1}
    assert held.record.state == RunState.SETTLED


def test_a_file_that_is_in_no_unit_of_the_round_waits_again(place):
    held = Held(place, 2)
    rounds.write(held.ctx, held.record, [held.item(0)])
    settled = settling.settle(held.ctx, held.record, held.job("exit 70"))
    assert settled.counts == {"FAILED": 1}
    assert held.now_in() == [FileState.FAILED, FileState.ARRIVED]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"state": "DONE"}, "found 'DONE' of generation 1"),
        ({"state": "FAILED"}, "found 'FAILED' of generation 1"),
        ({"state": "ARRIVED"}, "found 'ARRIVED' of generation 1"),
        ({"generation": 2}, "found 'SUCCEEDED' of generation 2"),
    ],
)
def test_a_result_that_is_none_fails_its_file_alone(place, change, why):
    held = Held(place, 2)
    written = held.result().to_json()
    written["work"] |= {name: value for name, value in change.items() if name in written["work"]}
    written |= {name: value for name, value in change.items() if name in written}
    key = paths.result("orders", held.item().work)
    held.ctx.s3.put_object(Bucket=held.ctx.results, Key=key, Body=contract.encode(written))
    held.commit(1)
    settled = settling.settle(held.ctx, held.record, held.job("exit 0"))
    assert settled.counts == {"FAILED": 1, "SUCCEEDED": 1}
    assert held.item().reason.code == "configuration"
    assert why in held.item().reason.message
    assert held.item().open is None


def test_a_result_of_a_later_version_keeps_the_claim_open_for_a_version_that_can_read_it(place):
    held = Held(place, 1)
    written = {**held.result().to_json(), "contract": contract.RESULT_VERSION + 1}
    key = paths.result("orders", held.item().work)
    held.ctx.s3.put_object(Bucket=held.ctx.results, Key=key, Body=contract.encode(written))
    with pytest.raises(ContractVersionError, match="deploy image and DAGs together"):
        settling.settle(held.ctx, held.record, held.job("exit 0"))
    assert held.now_in() == [FileState.CLAIMED]


def test_units_that_are_gone_are_told_as_such(place):
    held = Held(place, 1)
    job = held.job("exit 70")
    held.ctx.s3.delete_object(Bucket=held.ctx.results, Key=rounds.units_key(held.record))
    with pytest.raises(ContractError, match="expected the units of round 1; they aren't there any more"):
        settling.settle(held.ctx, held.record, job)


def test_files_are_named_with_why_they_are_what_they_are_and_the_rest_is_counted():
    bad = replace(arrival(), state=FileState.FAILED, reason=Reason("bug", "ValueError: x"))
    told = "'orders/a.csv': bug: ValueError: x"
    assert settling.describe([bad]) == told
    assert settling.describe([arrival()]) == "'orders/a.csv': ARRIVED"
    assert settling.describe([bad] * 10) == "\n".join([told] * 10)
    assert settling.describe([bad] * 12) == "\n".join([*[told] * 10, "… and 2 more"])


@pytest.mark.parametrize(("attempts", "tried"), [(1, True), (2, True), (3, False)])
def test_a_failed_file_may_be_tried_while_it_has_attempts(attempts, tried):
    file = replace(arrival(), state=FileState.FAILED, attempts=attempts)
    assert settling.may_be_tried([file, arrival()], 3) == ([file] if tried else [])


def test_what_was_committed_is_adopted_with_where_it_is_and_counted_with_its_rows(place):
    held = Held(place, 1)
    held.commit()
    settling.settle(held.ctx, held.record, None)
    key = paths.result("orders", held.item().work)
    assert held.item().result == f"s3://{held.ctx.results}/{key}"
    assert summed(place, "ProcessedRows") == 7


def test_what_failed_took_no_time_and_is_due_for_its_own_feed(place):
    held = Held(place, 1)
    settling.settle(held.ctx, held.record, held.job("exit 75"))
    assert held.item().open == "file#orders"
    assert summed(place, "ProcessingDuration") == 0


@pytest.mark.parametrize(
    ("ending", "said"),
    [
        (Ending("FAILED", 70), "meaning (exit code 70)"),
        (Ending("FAILED", None, "why"), "meaning: why"),
        (Ending("FAILED"), "meaning"),
        (None, "meaning"),
    ],
)
def test_a_reason_is_the_failures_meaning_then_why(ending, said):
    assert settling._message(Failure("bug", True, "us", "meaning", "do"), ending, "") == said
