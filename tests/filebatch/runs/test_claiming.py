"""Claiming: planned first, then made from the plan, so that a claim made again ends in the same place."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from aws import NOW, feed_of
from filebatch.core import clock, contract, paths, states
from filebatch.core.errors import ContractError
from filebatch.runs import claiming, jobs
from filebatch.runs.claiming import REDO, RETRY, TAKE, Planned, plan_one
from golden import agrees
from moves import REASON

RUN_ID = "manual__2026-01-02"
TOKENS = ("0123456789abcdef-0001", "fedcba9876543210-0001")
TOKEN, OTHER = TOKENS


def item_in(state, **fields):
    return {"pk": "s3://b/k", "sk": "v1", "state": state, "generation": 2, **fields}


KEY = ("s3://b/k", "v1")


@pytest.mark.parametrize(
    ("item", "asked", "force", "expected"),
    [
        (item_in("ARRIVED"), False, False, Planned(KEY, TAKE, 2)),
        (item_in("ARRIVED"), True, True, Planned(KEY, TAKE, 2)),
        (item_in("FAILED", open="file#orders"), False, False, Planned(KEY, TAKE, 2)),
        (item_in("FAILED", open="file#orders"), True, True, Planned(KEY, REDO, 3)),
        (item_in("FAILED"), False, False, None),
        (item_in("FAILED"), True, False, Planned(KEY, RETRY, 2)),
        (item_in("FAILED"), True, True, Planned(KEY, REDO, 3)),
        (item_in("SUCCEEDED"), True, False, None),
        (item_in("SUCCEEDED"), True, True, Planned(KEY, REDO, 3)),
        (item_in("INVALID"), True, False, None),
        (item_in("INVALID"), True, True, Planned(KEY, REDO, 3)),
        (item_in("CLAIMED"), True, True, None),
        (item_in("CLAIMED"), False, False, None),
    ],
)
def test_how_a_file_is_taken_if_it_is(item, asked, force, expected):
    assert plan_one(item, asked=asked, force=force) == expected


def opened(ctx, token=TOKEN, run_id=RUN_ID):
    facts = {"run_id": run_id, "epoch": 1, "cleared": 0, "why": "all that waits"}
    now = clock.now()
    ctx.ledger.add(states.open_run(ctx.feed.name, token, facts, heartbeat=ctx.settings.heartbeat_timeout, now=now))


def arrived(place, count, feed=None, content=b"1234567890"):
    files = [place.put(f"orders/{number}.csv", content) for number in range(count)]
    return [Planned(key, TAKE, 1) for key in place.arrive(*files, feed=feed)]


def claim(ctx, planned, token=TOKEN):
    opened(ctx, token)
    return claiming.make_claim(ctx, token, RUN_ID, planned)


def units_of(ctx, token=TOKEN, number=1):
    key = paths.round_units("orders", token, number)
    return contract.decode_round(ctx.s3.get_object(Bucket=ctx.settings.results, Key=key)["Body"].read())


def record_of(ctx, token=TOKEN):
    return ctx.ledger.get(states.run_key("orders", token))


def test_a_claim_takes_its_files_and_writes_units_for_the_workers(place):
    feed = feed_of(packing={"files": 2}, options={"header": True}, max_attempts=5)
    ctx = place.ctx(feed)
    planned = arrived(place, 5)
    found = claim(ctx, planned)
    assert (found.token, found.files, found.units) == (TOKEN, 5, 3)
    assert found.manifest == f"s3://{place.results}/manifests/orders/{TOKEN}/round-1.units"
    units = units_of(ctx)
    assert [[states.file_key(work.file) for work in unit.files] for unit in units] == [
        [each.key for each in planned[start : start + 2]] for start in (0, 2, 4)
    ]
    assert {(unit.claim, unit.round, unit.processor, unit.max_attempts) for unit in units} == {(TOKEN, 1, "tabular", 5)}
    assert [unit.index for unit in units] == [0, 1, 2]
    assert all(unit.options == {"header": True} for unit in units)
    assert all(work.attempt == work.generation == 1 for unit in units for work in unit.files)


def test_a_claimed_file_is_the_claims_and_waits_no_more(place):
    ctx = place.ctx()
    (planned,) = arrived(place, 1)
    claim(ctx, [planned])
    item = ctx.ledger.get(planned.key)
    assert (item["state"], item["claim"], item["run_id"], item["attempts"]) == (states.CLAIMED, TOKEN, RUN_ID, 1)
    assert ctx.ledger.open(states.open_files("orders")) == []


def test_a_claims_record_says_what_its_job_will_be(place):
    ctx = place.ctx()
    claim(ctx, arrived(place, 2))
    record = record_of(ctx)
    assert (record["state"], record["round"], record["files"], record["units"]) == (states.CLAIMED, 1, 2, 1)
    assert (record["job_name"], record["memory"]) == (f"orders-{TOKEN}-r1", 1024)
    assert jobs.parse_name(record["job_name"]) == ("orders", TOKEN, 1)
    assert clock.parse_utc(record["due_at"]) > clock.now() + timedelta(minutes=10)


def test_a_plan_is_as_its_readers_know_it(place):
    ctx = place.ctx()
    assert claiming.read_plan(ctx, TOKEN) is None
    planned = [Planned(KEY, TAKE, 1), Planned(("s3://b/ü\n", "null:e"), REDO, 2)]
    claim(ctx, planned)
    assert claiming.read_plan(ctx, TOKEN) == planned
    body = ctx.s3.get_object(Bucket=place.results, Key=paths.plan("orders", TOKEN))["Body"].read()
    assert agrees("plan", contract.decode("plan", body))


@pytest.mark.parametrize("body", [b"{", b'{"contract":2,"files":[]}', b'{"files":[]}', b"[]"])
def test_a_plan_of_another_contract_fails_loudly(place, body):
    ctx = place.ctx()
    ctx.s3.put_object(Bucket=place.results, Key=paths.plan("orders", TOKEN), Body=body)
    with pytest.raises(ContractError, match="plan of"):
        claiming.read_plan(ctx, TOKEN)


def test_a_claim_made_again_ends_in_the_same_place(place):
    ctx = place.ctx()
    planned = arrived(place, 3)
    first, units = claim(ctx, planned), units_of(ctx)
    late = arrived_later(place)
    assert claiming.make_claim(ctx, TOKEN, RUN_ID, [*planned, *late]) == first
    assert units_of(ctx) == units
    assert [ctx.ledger.get(each.key)["attempts"] for each in planned] == [1, 1, 1]
    assert place.state(late[0].key) == states.ARRIVED


def arrived_later(place):
    return [Planned(key, TAKE, 1) for key in place.arrive(place.put("orders/late.csv"))]


@pytest.mark.parametrize("dies_at", ["move", "put_object"])
def test_a_claim_that_was_interrupted_is_completed_by_the_next_try(place, dies_at):
    """It dies between its files, or with its files claimed and no units written."""
    ctx = place.ctx()
    planned = arrived(place, 3)
    opened(ctx)
    claiming._write_plan(ctx, TOKEN, planned)
    taken = planned[:1] if dies_at == "move" else planned
    for each in taken:
        ctx.ledger.move(states.claim(each.key, TOKEN, RUN_ID, 1, clock.now()))
    found = claiming.make_claim(ctx, TOKEN, RUN_ID, [])
    assert found.files == 3
    assert [ctx.ledger.get(each.key)["attempts"] for each in planned] == [1, 1, 1]


def test_two_runs_at_once_never_hold_the_same_file(place):
    ctx = place.ctx()
    planned = arrived(place, 8)
    with ThreadPoolExecutor(2) as pool:
        claims = list(pool.map(lambda token: claim(ctx, planned, token), TOKENS))
    held = [
        states.file_key(work.file)
        for token, found in zip(TOKENS, claims, strict=True)
        if found
        for unit in units_of(ctx, token)
        for work in unit.files
    ]
    assert sorted(held) == sorted(each.key for each in planned)


def test_a_claim_of_files_that_others_took_holds_nothing_and_is_closed(place):
    ctx = place.ctx()
    planned = arrived(place, 2)
    claim(ctx, planned)
    assert claim(ctx, planned, OTHER) is None
    record = record_of(ctx, OTHER)
    assert (record["state"], record["counts"]) == (states.ANNOUNCED, {})
    assert [each["sk"] for each in ctx.ledger.open(states.open_runs("orders"))] == [TOKEN]


def test_a_plan_that_is_old_by_the_time_takes_no_other_generation(place):
    ctx = place.ctx()
    (planned,) = arrived(place, 1)
    ctx.ledger.move(states.claim(planned.key, OTHER, RUN_ID, 1, NOW))
    ctx.ledger.move(states.fail(planned.key, OTHER, "orders", REASON, retry=None, now=NOW))
    ctx.ledger.move(states.redo(planned.key, OTHER, RUN_ID, 2, NOW))
    assert claim(ctx, [planned]) is None
    assert ctx.ledger.get(planned.key)["claim"] == OTHER


@pytest.mark.parametrize(("how", "generation", "attempt"), [(RETRY, 1, 2), (REDO, 2, 1)])
def test_a_settled_file_is_taken_again_as_planned(place, how, generation, attempt):
    ctx = place.ctx()
    (planned,) = arrived(place, 1)
    ctx.ledger.move(states.claim(planned.key, OTHER, RUN_ID, 1, NOW))
    ctx.ledger.move(states.fail(planned.key, OTHER, "orders", REASON, retry=None, now=NOW))
    claim(ctx, [Planned(planned.key, how, generation)])
    ((unit,),) = (units_of(ctx),)
    assert [(work.generation, work.attempt) for work in unit.files] == [(generation, attempt)]


def test_a_file_that_ran_out_of_memory_gets_a_round_with_more(place):
    ctx = place.ctx(feed_of(vcpu=0.5, memory=1024))
    planned = arrived(place, 2)
    ctx.ledger.move(states.claim(planned[0].key, OTHER, RUN_ID, 1, NOW))
    ctx.ledger.move(states.fail(planned[0].key, OTHER, "orders", REASON, retry=NOW, now=NOW, memory=2048))
    claim(ctx, planned)
    assert record_of(ctx)["memory"] == 2048


def test_memory_never_exceeds_what_fargate_has():
    assert claiming.memory_of(feed_of(vcpu=0.5, memory=4096), [{"memory": 8192}]) == 4096


def test_small_files_share_a_unit_and_a_large_one_is_alone():
    feed = feed_of(packing={"bytes": 25})
    items = [
        {
            **states.arrive(file_of_size(number, size), "orders", NOW, NOW),
            "attempts": 1,
        }
        for number, size in enumerate((10, 10, 30, 10))
    ]
    units = claiming.pack_units(feed, TOKEN, RUN_ID, 1, items)
    assert [[work.file.size for work in unit.files] for unit in units] == [[10, 10], [30], [10]]


def file_of_size(number, size):
    return contract.FileVersion("b", f"orders/{number}", "v", "e", size, "2026-01-02T00:00:00.000Z")
