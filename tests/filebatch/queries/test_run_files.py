"""One run's files, page by page, and what a page of the Files page says of them."""

from dataclasses import replace

import pytest

from aws import recorded
from claims import OTHER, RUN_ID, Held, run_of
from filebatch.core.records import FileState
from filebatch.queries import documents, run_files
from filebatch.runs import jobs, report, settling


@pytest.fixture
def held(place):
    """The claim of the run RUN_ID, of three files."""
    return Held(place, 3, token=f"{jobs.run_hash('orders', RUN_ID)}-0001")


def test_a_run_has_the_files_of_its_plan_as_they_are_now(held):
    assert documents.of_run(run_files.page(held.ctx, RUN_ID))["outcome"] == "not settled yet"
    held.finish(0)
    held.finish(1, FileState.INVALID)
    settled = settling.settle(held.ctx, held.record, held.job("exit 70"))
    found = run_files.page(held.ctx, RUN_ID)
    assert found.record == held.record
    assert list(found.files) == [replace(file, history=None, outputs=None) for file in settled.files]
    assert found.more is None
    states = [file.state for file in report.worst_first(found.files)]
    assert states == [FileState.FAILED, FileState.INVALID, FileState.SUCCEEDED]
    assert documents.of_run(found)["outcome"] == "1 failed, 1 invalid, 1 succeeded of 3 files"


def test_a_file_that_another_run_has_by_now_is_that_ones(held):
    table = held.ctx.connect("dynamodb")
    key = {"pk": {"S": held.keys[0].pk}, "sk": {"S": held.keys[0].sk}}
    told = {"TableName": held.place.table, "Key": key, "UpdateExpression": "SET claim = :c"}
    table.update_item(**told, ExpressionAttributeValues={":c": {"S": OTHER}})
    assert [file.key for file in run_files.page(held.ctx, RUN_ID).files] == [file.key for file in held.files[1:]]


def test_pages_have_all_files_once_in_few_requests(held, monkeypatch):
    monkeypatch.setattr(run_files, "PAGE", 2)
    ctx = replace(held.ctx, plans={})
    with recorded(ctx.connect("dynamodb"), "dynamodb.BatchGetItem") as asked:
        first = run_files.page(ctx, RUN_ID)
    second = run_files.page(ctx, RUN_ID, first.more)
    assert [file.key for file in [*first.files, *second.files]] == [file.key for file in held.files]
    assert (first.more, second.more, len(asked)) == (2, None, 1)


def test_a_run_that_claimed_nothing_has_no_files(held):
    assert run_files.page(held.ctx, "never") == run_files.RunFiles(None)
    assert run_of(held.token) == jobs.run_hash("orders", RUN_ID)
