"""Reading results: what a worker wrote is read within bounds."""

import pytest

from filebatch.core import paths, results
from filebatch.core.contract import Work
from filebatch.core.errors import ContractError
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
