"""Plans: how each file is taken, decided and written before the first of them is."""

from dataclasses import replace

import pytest

from aws import recorded
from claims import OTHER, Held
from filebatch.core import contract, paths
from filebatch.core.errors import ContractError
from filebatch.core.records import FileRecord, FileState, RunState
from filebatch.core.rows import Row
from filebatch.runs import plans
from filebatch.runs.plans import REDO, RETRY, TAKE, Planned, plan_one
from golden import agrees
from moves import FILE, OWN, arrival, run_record

ROW = arrival().row
WAITS = {"open": "file#orders"}


def file_in(state, **fields):
    return replace(arrival(), **{"state": FileState(state), "generation": 2, "open": None, **fields})


@pytest.mark.parametrize(
    ("file", "asked", "force", "expected"),
    [
        (file_in("ARRIVED"), False, False, Planned(ROW, TAKE, 2)),
        (file_in("ARRIVED"), True, True, Planned(ROW, TAKE, 2)),
        (file_in("FAILED", **WAITS), False, False, Planned(ROW, TAKE, 2)),
        (file_in("FAILED", **WAITS), True, True, Planned(ROW, REDO, 3)),
        (file_in("FAILED"), False, False, None),
        (file_in("FAILED"), True, False, Planned(ROW, RETRY, 2)),
        (file_in("FAILED"), True, True, Planned(ROW, REDO, 3)),
        (file_in("SUCCEEDED"), True, False, None),
        (file_in("SUCCEEDED"), True, True, Planned(ROW, REDO, 3)),
        (file_in("INVALID"), True, False, None),
        (file_in("INVALID"), True, True, Planned(ROW, REDO, 3)),
        (file_in("CLAIMED"), True, True, None),
        (file_in("CLAIMED"), False, False, None),
    ],
)
def test_how_a_file_is_taken_if_it_is(file, asked, force, expected):
    assert plan_one(file, asked=asked, force=force) == expected


def test_a_plan_is_as_its_readers_know_it(place):
    ctx, token = place.ctx(), run_record().token
    assert plans.read(ctx, token) is None
    planned = [
        Planned(Row(FileRecord, "s3://b/k", "v1"), TAKE, 1),
        Planned(Row(FileRecord, "s3://b/ü\n", "null:e"), REDO, 2),
    ]
    assert plans.write(ctx, token, planned) == planned
    assert plans.read(ctx, token) == planned
    body = ctx.s3.get_object(Bucket=place.results, Key=paths.plan("orders", token))["Body"].read()
    assert agrees("plan", contract.decode("plan", body))


def test_the_first_plan_of_a_claim_counts(place):
    ctx, first = place.ctx(), [Planned(ROW, TAKE, 1)]
    plans.write(ctx, OTHER, first)
    assert plans.write(ctx, OTHER, []) == first


BROKEN = [b"{", b'{"contract":2,"files":[]}', b'{"files":[]}', b"[]", b'{"contract":1,"files":[{"pk":"s3://b/k"}]}']


@pytest.mark.parametrize("body", BROKEN)
def test_a_plan_of_another_contract_fails_loudly(place, body):
    ctx = place.ctx()
    ctx.s3.put_object(Bucket=place.results, Key=paths.plan("orders", OTHER), Body=body)
    with pytest.raises(ContractError, match="plan of"):
        plans.read(ctx, OTHER)


def test_a_claim_that_ended_before_it_had_a_plan_has_nothing_planned(place):
    assert plans.read_for(place.ctx(), run_record()) == []


@pytest.mark.parametrize("taken", [{"round": 1}, {"files": 3, "state": RunState.CLAIMED}])
def test_a_plan_that_is_gone_though_files_were_claimed_by_it_is_an_error_and_not_an_empty_one(place, taken):
    with pytest.raises(ContractError, match="isn't there any more"):
        plans.read_for(place.ctx(), replace(run_record(), **taken))


def test_the_files_of_a_claim_whose_plan_is_gone_are_not_taken_for_none(place):
    held = Held(place, 1)
    held.ctx.s3.delete_object(Bucket=place.results, Key=paths.plan("orders", held.token))
    with pytest.raises(ContractError, match="isn't there any more"):
        plans.read_for(held.ctx, held.record)


def test_a_plan_is_read_once_a_task(place):
    ctx = place.ctx()
    plans.write(ctx, OWN, [Planned(FileRecord.at(FILE), TAKE, 1)])
    with recorded(ctx.s3, "s3.GetObject") as calls:
        assert plans.read(ctx, "another") is None
        assert plans.read(ctx, OWN) == plans.read(ctx, OWN) == [Planned(FileRecord.at(FILE), TAKE, 1)]
    assert len(calls) == 2


def test_a_first_plan_of_nothing_counts_as_any_other(place):
    plans.write(place.ctx(), OWN, [])
    planned = [Planned(row, TAKE, 1) for row in place.arrive(place.put("orders/a.csv"))]
    assert list(plans.write(place.ctx(), OWN, planned)) == []
