"""Rounds: claimed files packed into units, with the memory that they need."""

from dataclasses import replace
from datetime import timedelta

import pytest

from aws import NOW, feed_of
from claims import Held
from filebatch.core import clock, file_moves
from filebatch.core.contract import FileVersion, Reason
from filebatch.core.errors import MoveRefused
from filebatch.core.file_moves import FileFailure
from filebatch.core.records import FileState, RunState
from filebatch.runs import rounds, settling
from moves import arrival, run_record


def test_memory_never_exceeds_what_fargate_has():
    assert rounds.memory_of(feed_of(vcpu=0.5, memory=4096), [replace(arrival(), memory=8192)]) == 4096


def files_of(*sizes, **fields):
    return [replace(file_moves.arrive(version(n, size), "orders", NOW, NOW), **fields) for n, size in enumerate(sizes)]


def version(number, size):
    return FileVersion("b", f"orders/{number}", "v", "e", size, "2026-01-02T00:00:00.000Z")


def sizes_in(units):
    return [[work.file.size for work in unit.files] for unit in units]


def test_small_files_share_a_unit_and_a_large_one_is_alone():
    units = rounds.pack_units(feed_of(packing={"bytes": 25}), run_record(), files_of(10, 10, 30, 10))
    assert sizes_in(units) == [[10, 10], [30], [10]]


def test_a_file_that_may_have_killed_its_container_is_alone():
    first, second, third, fourth = files_of(1, 2, 3, 4)
    files = [first, replace(second, suspect=True), third, fourth]
    assert sizes_in(rounds.pack_units(feed_of(), run_record(), files)) == [[1], [2], [3, 4]]


def test_a_round_is_open_before_its_files_are_claimed_and_has_no_units_until_they_are_written(place):
    held = Held(place, 2)
    fail(held, 0, 1)
    settling.settle(held.ctx, held.record, None)
    begun = rounds.begin(held.ctx, held.record)
    assert (begun.state, begun.round, begun.units, begun.job) == (RunState.CLAIMED, 2, 0, None)
    assert begun.open


def fail(held, *numbers):
    for number in numbers:
        failed = FileFailure(Reason("bug", "ValueError: x"))
        now = clock.now()
        held.ctx.ledger.move(file_moves.fail(held.keys[number], held.token, "orders", failed, retry=now, now=now))


def test_whoever_read_the_record_before_another_began_its_next_round_begins_none(place):
    held = Held(place, 1)
    fail(held, 0)
    settling.settle(held.ctx, held.record, None)
    seen = held.record
    rounds.begin(held.ctx, seen)
    later = replace(held.ctx, now=lambda: clock.now() + timedelta(seconds=1))
    with pytest.raises(MoveRefused):
        rounds.begin(later, seen)
    assert held.record.round == 2


def test_units_are_not_written_down_for_a_round_that_is_over(place):
    held = Held(place, 1)
    fail(held, 0)
    settling.settle(held.ctx, held.record, None)
    seen = held.record
    with pytest.raises(MoveRefused):
        rounds.write(held.ctx, seen, [held.item()])
    assert held.item().state is FileState.FAILED
