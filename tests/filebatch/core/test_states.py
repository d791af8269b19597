"""Moves as values: what each demands and what it leaves."""

import re

import pytest

from fake_table import FakeTable
from filebatch.core import ledger, states
from filebatch.core.states import ARRIVED, CLAIMED, FAILED, INVALID, SUCCEEDED
from golden import agrees
from moves import ALL, FEED, FILE, KEY, RUN_ID, TOKENS, arrival, run_record

OWN, OTHER = TOKENS
RUN_KEY = states.run_key(FEED, OWN)


def after(*names, items=None):
    """Return a table in which these moves were made, each of them."""
    table = FakeTable()
    for item in items or [arrival(), run_record()]:
        table.add(item)
    for name in names:
        assert table.move(ALL[name]).done, name
    return table


def refused(table, *names):
    before = {key: dict(item) for key, item in table.items.items()}
    for name in names:
        assert not table.move(ALL[name]).done, name
    assert table.items == before
    return True


@pytest.mark.parametrize("name", sorted(ALL))
def test_a_move_is_one_that_dynamodb_takes(name):
    move = ALL[name]
    # It refuses values that no expression names, and an attribute that is changed twice.
    condition, given = ledger.condition_expression(move.conditions)
    assert set(re.findall(r":\w+", condition)) == set(given)
    changed = [*move.become, *move.drop, *move.add]
    assert len(changed) == len(set(changed))
    assert not {"pk", "sk"} & set(changed)


def test_requests_are_as_dynamodb_gets_them():
    requests = {name: ledger.update_request(move) for name, move in ALL.items() if not name.endswith("1 g2")}
    assert agrees("ledger-requests", {"arrive": ledger.put_request(arrival()), **requests})


def test_a_new_file_waits():
    item = arrival()
    assert (item["state"], item["generation"], item["attempts"]) == (ARRIVED, 1, 0)
    assert (item["open"], item["due_at"]) == ("file#orders", "2026-03-01T12:00:00.000Z")
    assert ledger.file_of(item) == FILE


def test_a_file_that_arrives_again_stays_as_it_is():
    table = after("claim 0 g1", "finish 0 g1")
    before = table.get(KEY)
    assert not table.add(arrival())
    assert table.get(KEY) == before


# A file's moves: after these, which moves are made; every other one is refused.
MADE = {
    (): {"claim 0 g1", "claim 1 g1", "claim asked 0 g1", "claim asked 1 g1"},
    ("claim 0 g1",): {
        "finish 0 g1",
        "finish invalid 0 g1",
        "adopt 0 g1",
        "release 0",
        "trouble 0",
        "fail 0",
        "fail for now 0",
    },
    ("claim 0 g1", "finish 0 g1"): {"redo 0 g2", "redo 1 g2"},
    ("claim 0 g1", "finish invalid 0 g1"): {"redo 0 g2", "redo 1 g2"},
    ("claim 0 g1", "fail 0"): {"claim asked 0 g1", "claim asked 1 g1", "redo 0 g2", "redo 1 g2"},
    ("claim 0 g1", "fail for now 0"): {
        "claim 0 g1",
        "claim 1 g1",
        "claim asked 0 g1",
        "claim asked 1 g1",
        "redo 0 g2",
        "redo 1 g2",
    },
    ("claim 0 g1", "release 0"): {"claim 0 g1", "claim 1 g1", "claim asked 0 g1", "claim asked 1 g1"},
    ("claim 0 g1", "finish 0 g1", "redo 1 g2"): {
        "finish 1 g2",
        "finish invalid 1 g2",
        "adopt 1 g2",
        "release 1",
        "trouble 1",
        "fail 1",
        "fail for now 1",
    },
}
FILE_MOVES = {name for name, move in ALL.items() if move.key == KEY}


@pytest.mark.parametrize("made", MADE, ids=lambda names: ", ".join(names) or "arrived")
def test_only_these_moves_can_follow(made):
    assert {name for name in FILE_MOVES if after(*made).move(ALL[name]).done} == MADE[made]


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (["claim 0 g1"], {"state": CLAIMED, "claim": OWN, "run_id": RUN_ID, "attempts": 1}),
        (["claim 0 g1", "finish 0 g1"], {"state": SUCCEEDED, "result": "s3://r/_result.json", "rows": 3}),
        (
            ["claim 0 g1", "finish invalid 0 g1"],
            {"state": INVALID, "reason": {"code": "bug", "message": "ValueError: x"}},
        ),
        (["claim 0 g1", "fail 0"], {"state": FAILED, "reason": {"code": "bug", "message": "ValueError: x"}}),
        (
            ["claim 0 g1", "fail for now 0"],
            {"state": FAILED, "open": "file#orders", "due_at": "2026-03-01T12:05:00.000Z", "memory": 2048},
        ),
        (
            ["claim 0 g1", "fail 0", "claim asked 1 g1"],
            {"state": CLAIMED, "claim": OTHER, "attempts": 2, "generation": 1},
        ),
        (["claim 0 g1", "finish 0 g1", "redo 1 g2"], {"state": CLAIMED, "generation": 2, "attempts": 1}),
        (["claim 0 g1", "release 0"], {"state": ARRIVED, "attempts": 0, "open": "file#orders"}),
        (["claim 0 g1", "trouble 0"], {"state": CLAIMED, "trouble": {"code": "bug", "message": "ValueError: x"}}),
    ],
)
def test_what_a_move_leaves(made, expected):
    assert after(*made).get(KEY).items() >= expected.items()


@pytest.mark.parametrize(
    ("made", "gone"),
    [
        (["claim 0 g1"], {"open", "due_at", "reason", "settled_at"}),
        (["claim 0 g1", "fail 0"], {"open", "due_at"}),
        (["claim 0 g1", "fail for now 0", "claim 1 g1"], {"open", "due_at", "reason", "settled_at"}),
        (["claim 0 g1", "fail for now 0", "claim asked 1 g1"], {"open", "due_at", "reason", "settled_at"}),
        (["claim 0 g1", "fail for now 0", "redo 1 g2"], {"open", "due_at", "reason", "settled_at"}),
        (["claim 0 g1", "release 0"], {"claim", "run_id", "claimed_at"}),
        (["claim 0 g1", "trouble 0", "finish 0 g1"], {"trouble"}),
        (["claim 0 g1", "trouble 0", "release 0"], {"trouble"}),
        (["claim 0 g1", "trouble 0", "fail for now 0"], {"trouble"}),
    ],
)
def test_what_a_move_clears_away(made, gone):
    assert not gone & after(*made).get(KEY).keys()


# A run's moves, likewise.
RUN_MADE = {
    (): {"claimed", "heartbeat", "settle"},
    ("claimed",): {"start_round 1", "heartbeat", "settle"},
    ("claimed", "start_round 1"): {
        "fence 1 j1",
        "fence 1 j2",
        "submitted 1 j1",
        "submitted 1 j2",
        "unit trouble 1",
        "start_round 2",
        "heartbeat",
        "settle",
    },
    ("claimed", "start_round 1", "submitted 1 j1"): {
        "fence 1 j1",
        "fence 1 j2",
        "submitted 1 j1",
        "submitted 1 j2",
        "unit trouble 1",
        "start_round 2",
        "heartbeat",
        "settle",
    },
    ("claimed", "start_round 1", "fence 1 j1"): {
        "fence 1 j1",
        "submitted 1 j1",
        "unit trouble 1",
        "start_round 2",
        "heartbeat",
        "settle",
    },
    ("claimed", "start_round 1", "settle"): {
        "submitted 1 j1",
        "submitted 1 j2",
        "start_round 2",
        "heartbeat",
        "settle",
        "announcing",
        "announcing later",
        "announced",
    },
    ("claimed", "start_round 1", "settle", "announcing"): {
        "submitted 1 j1",
        "submitted 1 j2",
        "start_round 2",
        "heartbeat",
        "settle",
        "announcing later",
        "announced",
    },
    ("claimed", "start_round 1", "settle", "announced"): {"submitted 1 j1", "submitted 1 j2", "start_round 2"},
}
RUN_MOVES = {name for name, move in ALL.items() if move.key == RUN_KEY}


@pytest.mark.parametrize("made", RUN_MADE, ids=lambda names: ", ".join(names) or "planned")
def test_only_these_moves_of_a_run_can_follow(made):
    assert {name for name in RUN_MOVES if after(*made).move(ALL[name]).done} == RUN_MADE[made]


def test_of_two_jobs_of_a_round_one_works():
    table = after("claimed", "start_round 1", "submitted 1 j2", "fence 1 j1")
    assert refused(table, "fence 1 j2", "submitted 1 j2")
    assert table.get(RUN_KEY).items() >= {"fence": "j1", "job_id": "j1"}.items()


def test_a_child_of_an_earlier_round_does_nothing():
    assert refused(after("claimed", "start_round 1", "start_round 2"), "fence 1 j1", "submitted 1 j1")


def test_another_round_forgets_the_job_and_the_announcement_of_the_last():
    table = after("claimed", "start_round 1", "fence 1 j1", "settle", "announcing", "announced", "start_round 2")
    record = table.get(RUN_KEY)
    assert not {"job_id", "fence", "counts", "announcing_until", "notified_at"} & record.keys()
    assert record.items() >= {"state": CLAIMED, "round": 2, "open": "run#orders"}.items()


def test_a_run_is_open_until_it_is_announced():
    assert after("claimed", "start_round 1", "settle").get(RUN_KEY)["open"] == "run#orders"
    announced = after("claimed", "start_round 1", "settle", "announcing", "announced").get(RUN_KEY)
    assert not {"open", "due_at", "announcing_until"} & announced.keys()


def test_whoever_dies_announcing_leaves_it_to_the_next():
    assert refused(after("claimed", "settle", "announcing"), "announcing")
    assert after("claimed", "settle", "announcing", "announcing later")


def test_a_run_with_nothing_to_do_is_closed_and_kept():
    empty = states.empty_run(run_record())
    assert (empty["state"], empty["files"]) == (states.ANNOUNCED, 0)
    assert not {"open", "due_at"} & empty.keys()
    assert empty["cleared"] == 0


def test_a_run_that_is_heard_of_is_silent_later():
    assert after("heartbeat").get(RUN_KEY)["due_at"] == "2026-03-01T12:20:00.000Z"


def test_of_two_who_see_a_silent_bell_one_rings():
    table = FakeTable()
    assert [table.move(ALL["ring"]).done for _ in range(2)] == [True, False]


def test_a_bell_that_rang_after_a_claim_began_is_not_silenced_by_it():
    table = FakeTable()
    table.move(ALL["ring"])
    assert refused(table, "answered before")
    assert table.move(ALL["answered"]).done
    assert table.move(ALL["ring"]).done
