"""The worker's loop where it is not the only one: other attempts, jobs, claims and generations of the same files."""

import signal
from dataclasses import replace

from aws import until
from claims import OTHER, RUN_ID, counted
from filebatch.core import clock, contract, file_moves, paths, run_moves
from filebatch.core.contract import Reason
from filebatch.core.file_moves import FileFailure
from filebatch.core.records import FileState
from filebatch.core.results import read_result
from filebatch.runs import rounds, settling
from workers import JOB, Worker, held_of, keys_under, result_of

OTHER_JOB = "99999999-2222-3333-4444-555555555555"


def test_where_another_job_of_the_round_is_at_work_nothing_is_done(place):
    held = held_of(place, "fine")
    held.ctx.ledger.move(run_moves.fence("orders", held.token, 1, OTHER_JOB))
    before = held.item()
    ended = Worker(held).run()
    assert ended.code == 0
    assert "another job's: nothing is done here" in ended.output
    assert held.item() == before
    assert result_of(held) is None
    assert counted(place) == {}


def test_where_the_round_is_over_nothing_is_done(place):
    held = held_of(place, "fine")
    settled = settling.settle(held.ctx, held.record, None)
    assert settled.counts == {"FAILED": 1}
    assert Worker(held).run().code == 0
    assert held.now_in() == [FileState.FAILED]
    assert keys_under(place, "results/") == []


def test_another_attempt_skips_what_is_done_and_adopts_what_was_committed(place):
    held = held_of(place, "fine", "fine", "fine")
    held.finish(0)
    committed = held.commit(1)
    before = held.item(0)
    assert Worker(held, attempt=2).run().code == 0
    assert held.item(0) == before
    assert held.now_in() == [FileState.SUCCEEDED] * 3
    assert result_of(held, 1) == committed
    assert counted(place) == {"Succeeded": 2}
    processed = {key.split("/")[5] for key in keys_under(place, "results/") if f"/{JOB}-2/" in key}
    assert processed == {paths.result("orders", result_of(held, 2).work).split("/")[5]}


def test_another_attempt_leaves_alone_what_has_failed_for_good(place):
    held = held_of(place, "raise", "transient")
    assert Worker(held).run().code == 75
    before = held.item(0)
    ended = Worker(held, attempt=2).run()
    assert ended.code == 75
    assert held.files[0].key not in ended.output
    assert held.item(0) == before
    assert counted(place) == {"Failed": 1}


def test_a_worker_of_an_earlier_round_that_outlives_its_job_fails_no_file_of_the_next(place):
    held, now = held_of(place, "raise"), clock.now()
    broken = FileFailure(Reason("killed", "its job ended"))
    held.ctx.ledger.move(file_moves.fail(held.keys[0], held.token, "orders", broken, retry=now, now=now))
    held.ctx.ledger.move(file_moves.claim(held.keys[0], held.token, RUN_ID, 1, now))
    before = held.item()

    assert Worker(held).run().code == 70

    assert held.item() == before
    assert (before.state, before.attempts) == (FileState.CLAIMED, 2)


def test_a_later_claim_adopts_what_an_earlier_owner_committed(place):
    """Whatever attempt it is: the first result of a generation is the one."""
    held = held_of(place, "fine")
    earlier = replace(held.result(), claim=OTHER, job_id="earlier")
    held.ctx.s3.put_object(
        Bucket=place.results, Key=paths.result("orders", earlier.work), Body=contract.encode(earlier.to_json())
    )
    assert Worker(held).run().code == 0
    assert result_of(held) == earlier
    assert held.now_in() == [FileState.SUCCEEDED]
    versions = held.ctx.s3.list_object_versions(Bucket=place.results, Prefix=paths.result("orders", earlier.work))
    assert len(versions["Versions"]) == 1


def test_the_next_generation_leaves_the_last_ones_result_alone(place):
    held = held_of(place, "fine")
    assert Worker(held).run().code == 0
    first = result_of(held)
    held.ctx.ledger.move(file_moves.redo(held.keys[0], held.token, RUN_ID, 2, clock.now()))
    again(held)
    assert Worker(held, round=2).run().code == 0
    second = result_of(held)
    assert (second.work.generation, held.item().generation) == (2, 2)
    assert held.item().result.endswith("/g2/_result.json")
    assert read_result(held.ctx.s3, place.results, "orders", first.work) == first
    assert {output.key for output in first.outputs}.isdisjoint(output.key for output in second.outputs)


def again(held):
    """Give the claim another round of the files that it holds."""
    files = [held.item(number) for number in range(len(held.keys))]
    rounds.write(held.ctx, rounds.begin(held.ctx, held.record), files)


def test_an_old_worker_that_wakes_up_after_a_takeover_can_neither_commit_nor_move(place, tmp_path):
    held = held_of(place, f"wait {tmp_path}")
    with Worker(held).started() as worker:
        worker.begun(tmp_path)
        held.ctx.ledger.move(file_moves.release(held.item(), clock.now()))
        held.ctx.ledger.move(file_moves.claim(held.keys[0], OTHER, RUN_ID, 1, clock.now()))
        before = held.item()
        (tmp_path / "go").touch()
        ended = worker.end()
    assert ended.code == 0
    assert held.item() == before
    assert result_of(held) is None
    assert counted(place) == {}


def test_an_old_worker_cannot_fail_a_file_that_is_another_claims(place, tmp_path):
    held = held_of(place, f"wait-and-raise {tmp_path}", "fine")
    with Worker(held).started() as worker:
        worker.begun(tmp_path)
        held.ctx.ledger.move(file_moves.release(held.item(), clock.now()))
        held.ctx.ledger.move(file_moves.claim(held.keys[0], OTHER, RUN_ID, 1, clock.now()))
        before = held.item()
        (tmp_path / "go").touch()
        worker.end()
    assert held.item() == before
    assert counted(place) == {"Succeeded": 1}


def test_sigterm_ends_it_between_files_and_leaves_the_rest_to_the_next_attempt(place, tmp_path):
    held = held_of(place, "fine", f"wait {tmp_path}", "fine", "fine")
    with Worker(held).started() as worker:
        worker.begun(tmp_path)
        worker.process.send_signal(signal.SIGTERM)
        (tmp_path / "go").touch()
        ended = worker.end()
    assert ended.code == 75
    assert held.now_in() == [FileState.SUCCEEDED, FileState.SUCCEEDED, FileState.CLAIMED, FileState.CLAIMED]
    assert counted(place) == {"Succeeded": 2}
    assert Worker(held, attempt=2).run().code == 0
    assert held.now_in() == [FileState.SUCCEEDED] * 4
    assert counted(place) == {"Succeeded": 4}


def test_a_worker_killed_half_way_is_finished_by_the_next_attempt(place, tmp_path):
    held = held_of(place, *["fine"] * 5, f"wait {tmp_path}", *["fine"] * 4)
    with Worker(held).started() as worker:
        worker.begun(tmp_path)
        until(lambda: result_of(held, 4))  # which is committed while the sixth is processed
        worker.process.kill()
        assert worker.end().code == -signal.SIGKILL
    (tmp_path / "go").touch()
    assert [result_of(held, number) is not None for number in range(10)] == [True] * 5 + [False] * 5
    first = result_of(held, 0)
    assert Worker(held, attempt=2).run().code == 0
    assert held.now_in() == [FileState.SUCCEEDED] * 10
    assert result_of(held, 0) == first
    assert counted(place) == {"Succeeded": 10}


def test_a_file_that_failed_is_not_blamed_for_the_next_one_that_kills_the_worker(place):
    held = held_of(place, "fine", "raise", "killed", "fine")
    assert Worker(held).run().code == -signal.SIGKILL
    assert (held.item(1).state, held.item(1).reason.code) == (FileState.FAILED, "bug")
    settling.settle(held.ctx, held.record, held.job("exit 137"))
    assert held.now_in() == [FileState.SUCCEEDED, FileState.FAILED, FileState.FAILED, FileState.ARRIVED]
    assert (held.item(2).reason.code, held.item(2).suspect) == ("killed", True)
