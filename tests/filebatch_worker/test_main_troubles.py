"""Why an attempt failed reaches the ledger and, from there, everybody: provoked with workers that really run."""

import json

import pytest

from aws import feed_of
from filebatch.core import file_moves, paths
from filebatch.core.contract import Reason
from filebatch.core.records import UNIT_TROUBLES
from filebatch.runs import settling, summary
from workers import ACTS, Worker, held_of, object_of

SHOWN = feed_of(processor="acts:process", show_values=True)
ALONE = feed_of(processor="acts:process", show_values=True, packing={"files": 1})


def settled_after(held, code):
    """Settle as a run does whose job ended with this exit code; return what its notification says."""
    settled = settling.settle(held.ctx, held.record, held.job(f"exit {code}"))
    return summary.summarize(held.record, settled.files, "s3://r/plan.json").text


def reason(held, number=0):
    return held.item(number).reason


def test_a_file_that_may_do_better_says_why_it_did_not(place):
    held = held_of(place, "fine", "transient", "connection", feed=SHOWN)
    assert Worker(held).run().code == 75
    assert held.item(1).trouble == Reason("transient", "TransientError: not now")
    text = settled_after(held, 75)
    assert reason(held, 1).code == "transient"
    for number, told in ((1, "TransientError: not now"), (2, "ConnectionError: reset by peer")):
        assert told in reason(held, number).message
        assert told in text
    assert held.item(1).trouble is None


def test_the_last_attempts_cause_counts(place):
    held = held_of(place, "transient", feed=SHOWN)
    Worker(held).run()
    place.connect("s3").put_object(Bucket=held.files[0].bucket, Key=held.files[0].key, Body=b"fine")
    held.ctx.ledger.move(
        file_moves.trouble(held.keys[0], held.token, Reason("transient", "ClientError: SlowDown"), held.ctx.now())
    )
    Worker(held, attempt=2).run()
    settled_after(held, 75)
    assert reason(held).message.endswith("TransientError: not now")


def test_what_an_earlier_attempt_met_with_is_no_reason_for_another_end(place):
    held = held_of(place, "transient")
    Worker(held).run()
    settled_after(held, 137)
    assert reason(held).code == "killed"
    assert "TransientError" not in reason(held).message


def test_a_file_that_did_better_says_nothing_of_it(place):
    held = held_of(place, "fine")
    held.ctx.ledger.move(file_moves.trouble(held.keys[0], held.token, Reason("transient", "not now"), held.ctx.now()))
    assert Worker(held, attempt=2).run().code == 0
    assert held.item().trouble is None


def another_contract(held):
    key = paths.round_units("orders", held.token, 1)
    body = object_of(held.place, key).replace(b'"contract":1', b'"contract":2')
    held.ctx.s3.put_object(Bucket=held.place.results, Key=key, Body=body)


def no_units(held):
    key = paths.round_units("orders", held.token, 1)
    held.ctx.s3.delete_object(Bucket=held.place.results, Key=key)


UNITS = {
    "another contract": (ACTS, another_contract, {}, "expected contract 1, found 2; deploy image and DAGs together"),
    "units that are gone": (ACTS, no_units, {}, "NoSuchKey"),
    "a bucket that isn't there": (ACTS, None, {"FILEBATCH_RESULTS_BUCKET": "nowhere-at-all"}, "NoSuchBucket"),
    "a processor that isn't there": (feed_of(processor="nowhere:process"), None, {}, "cannot import nowhere"),
    "options that are wrong": (feed_of(processor="acts:picky"), None, {}, 'options: expected "text"'),
    "a variable that is no number": (ACTS, None, {"FILEBATCH_MEMORY_MIB": "plenty"}, "expected a whole number"),
    "no namespace": (ACTS, None, {"FILEBATCH_NAMESPACE": None}, "expected FILEBATCH_NAMESPACE"),
}


@pytest.mark.parametrize(("feed", "prepare", "more", "told"), UNITS.values(), ids=list(UNITS))
def test_what_keeps_a_worker_from_its_whole_unit_is_told_of_each_of_its_files(place, feed, prepare, more, told):
    held = held_of(place, "fine", "fine", feed=feed)
    units = object_of(place, paths.round_units("orders", held.token, 1))
    if prepare:
        prepare(held)
    assert Worker(held, more=more).run().code == 78
    held.ctx.s3.put_object(Bucket=place.results, Key=paths.round_units("orders", held.token, 1), Body=units)
    text = settled_after(held, 78)
    for number in range(2):
        assert reason(held, number).code == "configuration"
        assert told in reason(held, number).message
    assert told in text


def test_each_kind_of_trouble_is_told_of_the_children_that_had_it(place):
    held = held_of(place, "transient", "fine", feed=ALONE)
    assert Worker(held, index=0).run().code == 75
    assert Worker(held, index=1, more={"FILEBATCH_MEMORY_MIB": "plenty"}).run().code == 78
    job = held.job('exit "$((75 + 3 * AWS_BATCH_JOB_ARRAY_INDEX))"')
    settling.settle(held.ctx, held.record, job)
    assert reason(held, 0).message.endswith("TransientError: not now")
    assert "expected a whole number" in reason(held, 1).message


def test_the_next_round_knows_nothing_of_it(place):
    held = held_of(place, "fine")
    Worker(held, more={"FILEBATCH_MEMORY_MIB": "plenty"}).run()
    assert held.record.trouble("configuration")
    settled_after(held, 75)
    held.another_round()
    assert not any(held.record.trouble(code) for code in UNIT_TROUBLES)


def test_without_a_ledger_the_log_tells_and_the_exit_code_is_the_same(place):
    held = held_of(place, "fine")
    ended = Worker(held, more={"FILEBATCH_LEDGER": "nowhere-at-all"}).run()
    assert ended.code == 78
    assert "ResourceNotFoundException" in ended.output
    assert "the ledger could not be told" in ended.output


def test_what_is_told_is_bounded_and_holds_no_secret(place):
    held = held_of(place, "transient")
    Worker(held, more={"FILEBATCH_MEMORY_MIB": "x" * 5000}).run()
    written = json.dumps(held.record.to_item(), default=str)
    assert len(held.record.trouble("configuration")) <= 1000
    assert place.server.key not in written
