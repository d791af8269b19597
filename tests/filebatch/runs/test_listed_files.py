"""Files that are asked for by what the ledger says of them: all of them are done, whatever their number."""

from dataclasses import replace
from datetime import timedelta

import pytest

from aws import feed_of
from claims import OTHER, RUN_ID, Held
from filebatch.core import clock, file_moves, history, listed, run_moves
from filebatch.core.conditions import Equal
from filebatch.core.contract import Reason
from filebatch.core.file_moves import FileFailure
from filebatch.core.moves import Move
from filebatch.core.records import FileRecord, FileState
from filebatch.feeds.selection import Selection
from filebatch.runs import listed_files, selecting, settling
from filebatch.runs.answers import Held as HeldByOthers
from filebatch.runs.answers import Nothing
from filebatch.runs.plans import REDO, RETRY, TAKE, Planned

FAILED = Selection(prefix="orders/", state=FileState.FAILED)
# The same in each process, as names of tests have them.
LONG_AGO, FAR_OFF = clock.parse_utc("2020-01-01T00:00:00Z"), clock.parse_utc("2999-01-01T00:00:00Z")
CLAIMED = Selection(prefix="orders/", state=FileState.CLAIMED)


def failed(place, *names, code="timeout"):
    """Return the rows of files that have failed for good."""
    rows = place.arrive(*(place.put(f"orders/{name}.csv") for name in names))
    for row in rows:
        place.ledger.move(file_moves.claim(row, OTHER, RUN_ID, 1, clock.now()))
        failure = FileFailure(Reason(code, "x"))
        place.ledger.move(file_moves.fail(row, OTHER, "orders", failure, retry=None, now=clock.now()))
    return rows


def planned(place, selection, feed=None, note=selecting.NO_NOTE):
    return selecting.plan(place.ctx(feed or feed_of()), selection, None, note)


def test_all_files_in_a_state_are_tried_again_whatever_their_number(place, monkeypatch):
    monkeypatch.setattr(listed_files, "PAGE", 2)
    rows = failed(place, *"abcdefg")
    place.arrive(place.put("orders/waits.csv"))
    found = planned(place, FAILED)
    assert sorted(found, key=lambda each: each.row.pk) == [Planned(row, RETRY, 1) for row in rows]


@pytest.mark.parametrize(
    ("selection", "names"),
    [
        (Selection(prefix="orders/", code="timeout"), ["a", "b"]),
        (replace(FAILED, code="bug"), ["c"]),
        (Selection(prefix="orders/b", state=FileState.FAILED), ["b"]),
        (replace(FAILED, pattern=r"[ac]\.csv"), ["a", "c"]),
        (replace(FAILED, since=LONG_AGO), ["a", "b", "c"]),
        (Selection(prefix="orders/", since=LONG_AGO), ["a", "b", "c", "w"]),
        (Selection(keys=("orders/a.csv", "orders/c.csv"), code="timeout"), ["a"]),
        (Selection(keys=("orders/a.csv", "orders/w.csv"), state=FileState.FAILED), ["a"]),
        (Selection(prefix="orders/", state=FileState.ARRIVED), ["w"]),
    ],
    ids=str,
)
def test_what_narrows_it_composes(place, selection, names):
    failed(place, "a", "b")
    failed(place, "c", code="bug")
    place.arrive(place.put("orders/w.csv"))
    assert sorted(each.row.pk[-5] for each in planned(place, selection)) == names


@pytest.mark.parametrize(
    "selection",
    [
        replace(FAILED, code="out_of_memory"),
        replace(FAILED, since=FAR_OFF),
        Selection(prefix="orders/", state=FileState.ARRIVED),
    ],
    ids=str,
)
def test_where_the_ledger_has_none_the_run_says_so(place, selection):
    failed(place, "a")
    assert planned(place, selection) == Nothing("the ledger has no such file")


def test_those_beyond_a_runs_claim_wait_for_the_next_runs_and_say_who_asked_and_why(place):
    feed = feed_of(packing={"claim": 2})
    rows = failed(place, *"abcde")
    note = {"run": "manual__2", "who": "anna", "why": "the timeout is longer now"}
    taken = {each.row for each in planned(place, FAILED, feed, note)}
    assert len(taken) == 2
    left = [place.ledger.get(row) for row in rows if row not in taken]
    assert [(file.state, file.open) for file in left] == [(FileState.FAILED, "file#orders")] * 3
    for file in left:
        last = history.read(file.history)[-1]
        assert (last.what, last.run, last.who, last.why) == ("retry", "manual__2", "anna", note["why"])
    nexts = [each.row for each in selecting.plan(place.ctx(feed), Selection(), None)]
    assert len(nexts) == 2
    assert not taken & set(nexts)


def test_more_keys_than_a_run_claims_are_all_done_in_the_end(place):
    feed = feed_of(packing={"claim": 2})
    rows = failed(place, *"abc")
    selection = Selection(keys=tuple(f"orders/{name}.csv" for name in "abc"))
    assert len(planned(place, selection, feed)) == 2
    assert sum(bool(place.ledger.get(row).open) for row in rows) == 1


def test_done_files_are_done_again_by_force_alone(place):
    held = Held(place, 1)
    held.finish()
    done = Selection(prefix="orders/", state=FileState.SUCCEEDED)
    assert planned(place, done) == Nothing("1 done; with force it is done again")
    assert planned(place, replace(done, force=True)) == [Planned(held.keys[0], REDO, 2)]
    assert planned(place, Selection(prefix="orders/", since=clock.now() - timedelta(days=1), force=True)) == [
        Planned(held.keys[0], REDO, 2)
    ]


def test_what_another_feeds_worker_put_into_the_index_is_no_file_of_this_one(place):
    (row,) = failed(place, "a")
    (own,) = failed(place, "own")
    there = place.ledger.item(row)
    stranger = FileRecord.from_item({**there, "pk": "s3://elsewhere/orders/a.csv", "sk": "x"})
    assert place.ledger.add(stranger)
    become = {"key": "orders/other.csv"}  # an item whose key says that it is another file's
    assert place.ledger.try_move(Move(row, (Equal("state", "FAILED"),), become=become)).done
    assert planned(place, FAILED) == [Planned(own, RETRY, 1)]


def test_a_named_file_that_is_not_as_it_is_asked_for_is_told_as_it_is(place):
    failed(place, "a")
    place.arrive(place.put("orders/w.csv"))
    selection = Selection(keys=("orders/w.csv", "orders/gone.csv"), state=FileState.FAILED)
    assert planned(place, selection) == Nothing(
        "'orders/gone.csv': nothing matched: it isn't in the bucket\n"
        "'orders/w.csv': it is ARRIVED, which isn't asked for"
    )
    assert planned(place, replace(selection, keys=("orders/w.csv",))) == Nothing(
        "'orders/w.csv': it is ARRIVED, which isn't asked for"
    )


def test_of_named_files_those_alone_are_released_that_a_run_holds(place):
    held = Held(place, 1)
    held.job("exit 75", begun=False)
    failed(place, "a")
    found = planned(place, Selection(keys=(held.files[0].key, "orders/a.csv"), state=FileState.CLAIMED))
    assert [each.row for each in found] == held.keys


@pytest.mark.parametrize("named", [True, False])
def test_a_run_that_is_cleared_does_its_own_files_again_and_no_others(place, named):
    held = Held(place, 1)
    held.finish()
    settling.settle(held.ctx, held.record, None)
    others = failed(place, "a", "b")
    selection = Selection(keys=(held.files[0].key,), state=FileState.FAILED) if named else FAILED
    assert selecting.plan(held.ctx, selection, held.record) == [Planned(held.keys[0], REDO, 2)]
    assert [place.state(row) for row in others] == [FileState.FAILED] * 2


# Released: files that a run holds and whose job has ended.


def test_files_whose_job_has_ended_are_given_back_and_taken_or_wait_for_the_next_run(place):
    held = Held(place, 3)
    held.job("exit 75", begun=False)
    found = planned(place, CLAIMED)
    assert found
    assert {each.row for each in found} <= set(held.keys)
    assert [bool(held.item(number).open) for number in range(3)] == [True] * 3
    assert held.record.is_settled


def test_a_file_whose_worker_committed_before_its_job_ended_is_done_and_not_given_back(place):
    held = Held(place, 1)
    held.commit()
    held.job("exit 75")
    assert planned(place, CLAIMED) == Nothing("1 done; with force it is done again")
    assert held.now_in() == [FileState.SUCCEEDED]


def test_a_file_whose_job_is_at_work_stays_its_runs(place):
    held = Held(place, 1)
    job = held.ctx.batch.submit_job(
        jobName=held.record.job_name,
        jobQueue=held.ctx.settings.job_queue,
        shareIdentifier="tests",
        jobDefinition=place.job_definition("exec sleep 60"),
    )
    held.ctx.ledger.move(run_moves.submitted(held.record, job["jobId"]))
    assert planned(place, CLAIMED) == HeldByOthers(
        f"held by other runs: ['{RUN_ID}']; clear this task when they have ended"
    )
    held.ctx.batch.terminate_job(jobId=job["jobId"], reason="the test is over")


def test_a_file_whose_job_may_be_on_its_way_stays_its_runs(place):
    held = Held(place, 1)
    ctx = replace(held.ctx, now=lambda: clock.now() + timedelta(minutes=5))
    assert isinstance(selecting.plan(ctx, CLAIMED, None), HeldByOthers)
    assert held.now_in() == [FileState.CLAIMED]


def test_a_file_of_a_run_that_is_dead_before_it_had_a_job_is_given_back(place):
    held = Held(place, 1)
    ctx = replace(held.ctx, now=lambda: clock.now() + timedelta(hours=2))
    assert selecting.plan(ctx, CLAIMED, None) == [Planned(held.keys[0], TAKE, 1)]


def test_a_file_that_only_somebody_elses_request_names_is_not_released(place):
    held = Held(place, 1)
    held.job("exit 75", begun=False)
    assert isinstance(planned(place, Selection(keys=(held.files[0].key,))), HeldByOthers)
    assert held.now_in() == [FileState.CLAIMED]


def test_one_claim_that_cannot_be_settled_keeps_no_other_from_it(place, caplog):
    broken, held = Held(place, 1), Held(place, 1)
    for each in (broken, held):
        each.job("exit 75", begun=False)
    broken.ctx.s3.delete_object(Bucket=broken.ctx.results, Key=f"manifests/orders/{broken.token}/plan.json")
    assert planned(place, CLAIMED) == [Planned(held.keys[0], TAKE, 1)]
    assert f"claim {broken.token} stays open" in caplog.text


def test_the_end_before_a_place_leaves_out_that_place_alone():
    place_of = "4FAILED#2026-01-02T03:04:05.000Z#0123456789a0"
    end = listed.before(place_of)
    assert "4FAILED#2026-01-02T03:04:05.000Z#01234567899f" <= end < place_of
