"""Settling: what became of each file, from the ledger and the results; Batch's word comes last."""

from dataclasses import replace
from datetime import timedelta

import pytest

from aws import feed_of
from claims import OTHER, RUN_ID, Held, counted, summed
from filebatch.core import clock, contract, paths, states
from filebatch.core.errors import ContractError
from filebatch.core.results import read_result
from filebatch.runs import announcing, settling
from filebatch.runs.settling import Settled

TWO_UNITS = feed_of(packing={"files": 1})


def test_what_the_workers_told_is_counted_and_nothing_is_moved(place):
    held = Held(place, 3)
    held.finish(0)
    held.finish(1, states.INVALID)
    held.finish(2)
    before = [held.item(number) for number in range(3)]
    settled = settling.settle(held.ctx, held.record, None)
    assert settled.counts == {"SUCCEEDED": 2, "INVALID": 1}
    assert list(settled.items) == before
    assert counted(place) == {}


def test_a_settled_run_waits_to_be_announced(place):
    held = Held(place, 1)
    held.finish()
    settling.settle(held.ctx, held.record, None)
    assert (held.record["state"], held.record["counts"]) == (states.SETTLED, {"SUCCEEDED": 1})
    assert clock.parse_utc(held.record["due_at"]) <= clock.now()


@pytest.mark.parametrize(("state", "name"), [(states.SUCCEEDED, "Succeeded"), (states.INVALID, "Invalid")])
def test_a_file_whose_worker_died_after_its_commit_is_done_whatever_batch_says(place, state, name):
    held = Held(place, 1)
    held.commit(0, state)
    settled = settling.settle(held.ctx, held.record, held.job("exit 70"))
    assert settled.counts == {state: 1}
    item = held.item()
    assert item["result"].endswith("/g1/_result.json")
    assert item["rows"] == (7 if state == states.SUCCEEDED else None)
    assert ("reason" in item) == (state == states.INVALID)
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
    item = held.item()
    assert item["reason"]["code"] == code
    assert script.replace("exit ", "exit code ") in item["reason"]["message"]
    assert ("open" in item) == waits
    assert counted(place) == {"Failed": 1}


def test_each_file_has_the_ending_of_its_own_child(place):
    held = Held(place, 3, TWO_UNITS)
    held.finish(2)
    job = held.job('exit "$((75 + 3 * AWS_BATCH_JOB_ARRAY_INDEX))"')
    settling.settle(held.ctx, held.record, job)
    assert [held.item(number).get("reason", {}).get("code") for number in range(3)] == [
        "transient",
        "configuration",
        None,
    ]


def test_a_job_that_vanished_is_settled_from_the_results(place):
    held = Held(place, 2)
    held.commit(0)
    settled = settling.settle(held.ctx, held.record, None)
    assert settled.counts == {"SUCCEEDED": 1, "FAILED": 1}
    assert held.item(1)["reason"]["code"] == "vanished"
    assert counted(place) == {"Succeeded": 1, "Failed": 1}


def test_a_file_is_due_again_after_its_backoff_until_its_attempts_are_used_up(place):
    held = Held(place, 1, feed_of(max_attempts=2))
    settling.settle(held.ctx, held.record, None)
    assert timedelta(seconds=50) < clock.parse_utc(held.item()["due_at"]) - clock.now() <= timedelta(seconds=60)
    held.another_round()
    settling.settle(held.ctx, held.record, None)
    assert (held.item()["state"], held.item()["attempts"]) == (states.FAILED, 2)
    assert "open" not in held.item()


def test_a_file_that_ran_out_of_memory_asks_for_twice_as_much(place):
    held = Held(place, 1)
    ended = {"jobId": "00000000-0000-0000-0000-000000000000", "status": "FAILED", "attempts": []}
    reason = "OutOfMemoryError: Container killed due to memory usage"
    job = {**ended, "container": {"exitCode": 137, "reason": reason}}
    settling.settle(held.ctx, held.record, job)
    assert (held.item()["reason"]["code"], held.item()["memory"]) == ("out_of_memory", 2048)


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
    assert held.item()["reason"]["code"] == code
    summary = announcing.summarize("orders", held.record, settled.items, "s3://r/plan.json")
    for words in told:
        assert words in held.item()["reason"]["message"]
        assert words in settling.describe(settled, states.FAILED)
        assert words in summary.text


def test_settling_again_changes_nothing_and_counts_nothing_twice(place):
    held = Held(place, 2)
    held.commit(0)
    job = held.job("exit 70")
    first = settling.settle(held.ctx, held.record, job)
    again = settling.settle(held.ctx, held.record, job)
    assert (again.counts, again.items) == (first.counts, first.items)
    assert counted(place) == {"Succeeded": 1, "Failed": 1}


def test_a_file_that_another_claim_took_over_is_not_this_ones(place):
    held = Held(place, 2)
    held.ctx.ledger.move(states.release(held.keys[0], held.token, "orders", clock.now()))
    held.ctx.ledger.move(states.claim(held.keys[0], OTHER, RUN_ID, 1, clock.now()))
    held.finish(1)
    settled = settling.settle(held.ctx, held.record, None)
    assert settled.counts == {"SUCCEEDED": 1}
    assert held.item(0)["claim"] == OTHER
    assert held.item(0)["state"] == states.CLAIMED


def test_a_result_of_the_same_generation_by_an_earlier_claim_is_adopted(place):
    held = Held(place, 1)
    held.commit()
    held.ctx.ledger.move(states.release(held.keys[0], held.token, "orders", clock.now()))
    later = Held(place, 1, token=OTHER)
    held.ctx.ledger.move(states.claim(held.keys[0], OTHER, RUN_ID, 1, clock.now()))
    later.ctx.s3.put_object(
        Bucket=place.results,
        Key=paths.plan("orders", OTHER),
        Body=later.ctx.s3.get_object(Bucket=place.results, Key=paths.plan("orders", held.token))["Body"].read(),
    )
    assert settling.settle(later.ctx, later.record, None).counts == {"SUCCEEDED": 1}


def test_a_result_of_an_earlier_generation_does_not_count_for_the_next(place):
    held = Held(place, 1)
    held.finish()
    held.ctx.ledger.move(states.redo(held.keys[0], held.token, RUN_ID, 2, clock.now()))
    settled = settling.settle(held.ctx, held.record, None)
    assert settled.counts == {"FAILED": 1}
    assert held.item()["generation"] == 2


def test_a_claim_that_never_became_a_job_gives_its_files_back(place):
    held = Held(place, 2)
    held.finish(0)
    settled = settling.give_back(held.ctx, held.token)
    assert settled.counts == {"SUCCEEDED": 1}
    assert held.now_in() == [states.SUCCEEDED, states.ARRIVED]
    assert held.item(1)["attempts"] == 0
    assert [item["key"] for item in held.ctx.ledger.open(states.open_files("orders"))] == [held.files[1].key]


def test_a_claim_without_a_plan_has_no_files(place):
    ctx = place.ctx()
    assert settling.items_of(ctx, OTHER) == []
    assert settling.give_back(ctx, OTHER).counts == {}


def failed(key, message="ValueError: x"):
    fields = {"version_id": "v", "etag": "e", "size": 1, "last_modified": "2026", "bucket": "b", "key": key}
    return {**fields, "state": "FAILED", "reason": {"code": "bug", "message": message}}


def test_the_files_that_failed_are_named_with_the_reason():
    settled = Settled({}, (failed("orders/a\n.csv"), {**failed("x"), "state": "SUCCEEDED"}, failed("orders/b.csv")))
    assert settling.describe(settled, "FAILED").splitlines() == [
        "'orders/a\\n.csv': bug: ValueError: x",
        "'orders/b.csv': bug: ValueError: x",
    ]


def test_a_link_in_a_key_or_a_reason_is_broken_where_files_are_named():
    hostile = failed("orders/http://evil.example/x", "found 'http://evil.example/y'\x1b[2J")
    assert settling.describe(Settled({}, (hostile,)), "FAILED") == (
        "'orders/http[:]//evil[.]example/x': bug: found 'http[:]//evil[.]example/y'\\x1b[2J"
    )


def test_of_many_files_some_are_named_and_the_others_counted():
    settled = Settled({}, tuple(failed(str(number)) for number in range(13)))
    assert settling.describe(settled, "FAILED", limit=10).splitlines()[-1] == "… and 3 more"


def test_a_result_that_is_another_files_is_refused(place):
    held = Held(place, 2)
    other = held.result(1)
    misplaced = paths.result("orders", held.result(0).work)
    held.ctx.s3.put_object(Bucket=place.results, Key=misplaced, Body=encoded(other))
    with pytest.raises(ContractError, match="expected the result of"):
        read_result(held.ctx.s3, place.results, "orders", held.result(0).work)


@pytest.mark.parametrize("change", [{"contract": 2}, {"surprise": 1}])
def test_a_result_of_another_contract_is_refused(place, change):
    held = Held(place, 1)
    work = held.result().work
    assert read_result(held.ctx.s3, place.results, "orders", work) is None
    held.ctx.s3.put_object(
        Bucket=place.results, Key=paths.result("orders", work), Body=encoded(held.result(), **change)
    )
    with pytest.raises(ContractError, match="contract 1"):
        read_result(held.ctx.s3, place.results, "orders", work)


def encoded(result, **change):
    return contract.encode({**result.to_json(), **change})


def test_a_committed_result_reads_back_as_it_was_written(place):
    held = Held(place, 1)
    result = held.commit()
    assert read_result(held.ctx.s3, place.results, "orders", result.work) == result
    assert read_result(held.ctx.s3, place.results, "orders", replace(result.work, generation=2)) is None
