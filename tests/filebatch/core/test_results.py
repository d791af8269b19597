"""Reading results: within bounds, only what is this file's own, and of a contract that is read."""

from dataclasses import replace

import pytest

from claims import Held
from filebatch.core import contract, paths, results
from filebatch.core.contract import Work
from filebatch.core.errors import ContractError
from filebatch.core.results import read_result
from moves import FILE

WORK = Work(FILE, "2026-01-02T00:00:00.000Z")


def test_a_result_that_no_worker_of_ours_writes_so_large_is_not_read(place, monkeypatch):
    monkeypatch.setattr(results, "MAX_RESULT", 10)
    s3 = place.connect("s3")
    s3.put_object(Bucket=place.results, Key=paths.result("orders", WORK), Body=b"x" * 11)

    with pytest.raises(ContractError, match="expected at most 10 bytes, found 11"):
        results.read_result(s3, place.results, "orders", WORK)


def test_one_that_is_not_there_is_none(place):
    assert results.read_result(place.connect("s3"), place.results, "orders", WORK) is None


def test_a_result_that_is_another_files_is_refused(place):
    held = Held(place, 2)
    other = held.result(1)
    misplaced = paths.result("orders", held.result(0).work)
    held.ctx.s3.put_object(Bucket=place.results, Key=misplaced, Body=encoded(other))
    with pytest.raises(ContractError, match="expected the result of"):
        read_result(held.ctx.s3, place.results, "orders", held.result(0).work)


@pytest.mark.parametrize("change", [{"contract": 3}, {"surprise": 1}])
def test_a_result_of_another_contract_is_refused(place, change):
    held = Held(place, 1)
    work = held.result().work
    assert read_result(held.ctx.s3, place.results, "orders", work) is None
    held.ctx.s3.put_object(
        Bucket=place.results, Key=paths.result("orders", work), Body=encoded(held.result(), **change)
    )
    with pytest.raises(ContractError, match="contract"):
        read_result(held.ctx.s3, place.results, "orders", work)


def encoded(result, **change):
    return contract.encode({**result.to_json(), **change})


def test_a_committed_result_reads_back_as_it_was_written(place):
    held = Held(place, 1)
    result = held.commit()
    assert read_result(held.ctx.s3, place.results, "orders", result.work) == result
    assert read_result(held.ctx.s3, place.results, "orders", replace(result.work, generation=2)) is None
