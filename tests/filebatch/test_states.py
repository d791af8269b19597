"""Moves as values: what each demands and what it leaves; then any order of them by competing runs and workers."""

import re
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from aws import NOW
from fake_table import FakeTable
from filebatch import ledger, states
from filebatch.states import ARRIVED, CLAIMED, FAILED, FILE_STATES, INVALID, SETTLED_STATES, SUCCEEDED
from golden import agrees
from moves import ALL, FEED, FILE, KEY, LATER, REASON, RUN_ID, TOKENS, arrival, result_of, run_record

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
    assert set(re.findall(r":(\w+)", move.condition)) == set(move.given)
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
    (): {"claim 0 g1", "claim 1 g1"},
    ("claim 0 g1",): {"finish 0 g1", "finish invalid 0 g1", "adopt 0 g1", "release 0", "fail 0", "fail for now 0"},
    ("claim 0 g1", "finish 0 g1"): {"redo 0 g2", "redo 1 g2"},
    ("claim 0 g1", "finish invalid 0 g1"): {"redo 0 g2", "redo 1 g2"},
    ("claim 0 g1", "fail 0"): {"reclaim 0 g1", "reclaim 1 g1", "redo 0 g2", "redo 1 g2"},
    ("claim 0 g1", "fail for now 0"): {
        "claim 0 g1",
        "claim 1 g1",
        "reclaim 0 g1",
        "reclaim 1 g1",
        "redo 0 g2",
        "redo 1 g2",
    },
    ("claim 0 g1", "release 0"): {"claim 0 g1", "claim 1 g1"},
    ("claim 0 g1", "finish 0 g1", "redo 1 g2"): {
        "finish 1 g2",
        "finish invalid 1 g2",
        "adopt 1 g2",
        "release 1",
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
        (["claim 0 g1", "fail 0", "reclaim 1 g1"], {"state": CLAIMED, "claim": OTHER, "attempts": 2, "generation": 1}),
        (["claim 0 g1", "finish 0 g1", "redo 1 g2"], {"state": CLAIMED, "generation": 2, "attempts": 1}),
        (["claim 0 g1", "release 0"], {"state": ARRIVED, "attempts": 0, "open": "file#orders"}),
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
        (["claim 0 g1", "fail for now 0", "reclaim 1 g1"], {"open", "due_at", "reason", "settled_at"}),
        (["claim 0 g1", "fail for now 0", "redo 1 g2"], {"open", "due_at", "reason", "settled_at"}),
        (["claim 0 g1", "release 0"], {"claim", "run_id", "claimed_at"}),
    ],
)
def test_what_a_move_clears_away(made, gone):
    assert not gone & after(*made).get(KEY).keys()


# A run's moves, likewise.
RUN_MADE = {
    (): {"claimed", "alive", "settle"},
    ("claimed",): {"start_round 1", "alive", "settle"},
    ("claimed", "start_round 1"): {
        "fence 1 j1",
        "fence 1 j2",
        "submitted 1 j1",
        "submitted 1 j2",
        "start_round 2",
        "alive",
        "settle",
    },
    ("claimed", "start_round 1", "submitted 1 j1"): {
        "fence 1 j1",
        "fence 1 j2",
        "submitted 1 j1",
        "submitted 1 j2",
        "start_round 2",
        "alive",
        "settle",
    },
    ("claimed", "start_round 1", "fence 1 j1"): {
        "fence 1 j1",
        "submitted 1 j1",
        "start_round 2",
        "alive",
        "settle",
    },
    ("claimed", "start_round 1", "settle"): {
        "submitted 1 j1",
        "submitted 1 j2",
        "start_round 2",
        "alive",
        "settle",
        "announcing",
        "announcing later",
        "announced",
    },
    ("claimed", "start_round 1", "settle", "announcing"): {
        "submitted 1 j1",
        "submitted 1 j2",
        "start_round 2",
        "alive",
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
    assert after("alive").get(RUN_KEY)["due_at"] == "2026-03-01T12:20:00.000Z"


def test_of_two_who_see_a_silent_bell_one_rings():
    table = FakeTable()
    assert [table.move(ALL["ring"]).done for _ in range(2)] == [True, False]


def test_a_bell_that_rang_after_a_claim_began_is_not_silenced_by_it():
    table = FakeTable()
    table.move(ALL["ring"])
    assert refused(table, "answered before")
    assert table.move(ALL["answered"]).done
    assert table.move(ALL["ring"]).done


class Files(RuleBasedStateMachine):
    """Competing runs and their workers do anything to some files, in any order.

    `results` stands for the bucket: a commit is a put that only the first one makes, some time after its worker has
    looked whether the file is still its claim's.
    """

    waiting_workers = Bundle("waiting_workers")
    committed = Bundle("committed")

    @initialize(count=st.integers(1, 3))
    def begin(self, count):
        self.table = FakeTable()
        self.files = [replace(FILE, key=f"orders/{number}.csv") for number in range(count)]
        self.arrived = set()
        self.results = {}
        self.commits = {}
        self.seen = {}
        self.tokens = 0

    def key(self, number):
        return states.file_key(self.files[number % len(self.files)])

    def token(self):
        self.tokens += 1
        return f"{self.tokens:016x}-0001"

    def item(self, key):
        return self.table.get(key)

    def generation(self, key):
        item = self.item(key)
        return item["generation"] if item else 1

    @rule(number=st.integers(0, 2))
    def arrive(self, number):
        key = self.key(number)
        file = self.files[number % len(self.files)]
        assert self.table.add(states.arrive(file, FEED, NOW, NOW)) == (key not in self.arrived)
        self.arrived.add(key)

    @rule(
        target=waiting_workers,
        number=st.integers(0, 2),
        take=st.sampled_from((states.claim, states.reclaim)),
        stale=st.booleans(),
    )
    def take(self, number, take, stale):
        """A run takes a file; its view of the generation may be old."""
        key, token = self.key(number), self.token()
        move = take(key, token, RUN_ID, max(1, self.generation(key) - stale), NOW)
        return self.worker_of(self.table.move(move), key, token)

    @rule(target=waiting_workers, number=st.integers(0, 2), stale=st.booleans())
    def redo(self, number, stale):
        key, token = self.key(number), self.token()
        move = states.redo(key, token, RUN_ID, self.generation(key) + 1 - stale, NOW)
        return self.worker_of(self.table.move(move), key, token)

    def worker_of(self, moved, key, token):
        if not moved.done:
            return multiple()
        return (key, token, ledger.work_of(moved.item))

    @rule(
        target=committed,
        worker=waiting_workers,
        state=st.sampled_from(states.DONE),
        looked=st.booleans(),
    )
    def commit(self, worker, state, looked):
        """A worker commits if the file is its own, or was when it looked; an earlier commit counts instead."""
        key, token, work = worker
        if not looked and not ledger.holds(self.item(key), token, work.generation):
            return multiple()
        result = replace(result_of(token, work.generation, state), work=work)
        first = self.results.setdefault((key, work.generation), result)
        self.commits[key, work.generation] = self.commits.get((key, work.generation), 0) + (first is result)
        return (worker, first)

    @rule(commit=committed, adopting=st.booleans())
    def tell(self, commit, adopting):
        """A worker, or the settling of its run, tells the ledger what was committed."""
        (key, token, _), result = commit
        if adopting or result.claim == token:
            move = (
                states.adopt(key, token, result, "s3://r", NOW)
                if adopting
                else states.finish(key, result, "s3://r", NOW)
            )
            self.by_owner(key, token, move)

    @rule(worker=waiting_workers, retry=st.sampled_from((None, LATER)))
    def fail(self, worker, retry):
        key, token, _ = worker
        self.by_owner(key, token, states.fail(key, token, FEED, REASON, retry=retry, now=NOW))

    @rule(worker=waiting_workers)
    def release(self, worker):
        key, token, _ = worker
        self.by_owner(key, token, states.release(key, token, FEED, NOW))

    @rule(worker=consumes(waiting_workers))
    def die(self, worker):
        """A worker is gone: nothing more comes of it but what it committed."""

    def by_owner(self, key, token, move):
        """A worker's move is made only while the file is its claim's; else it changes nothing."""
        before = self.item(key)
        owns = before["state"] == CLAIMED and before["claim"] == token
        done = self.table.move(move).done
        assert not done or owns
        if not done:
            assert self.item(key) == before

    @invariant()
    def every_state_is_legal_and_open_exactly_when_the_file_waits(self):
        for item in self.table.items.values():
            assert item["state"] in FILE_STATES
            waits = item["state"] == ARRIVED or (item["state"] == FAILED and item.get("due_at"))
            assert bool(waits) == ("open" in item) == ("due_at" in item)
            if item["state"] != ARRIVED:
                assert item["claim"]
            assert ("reason" in item) == (item["state"] in (FAILED, INVALID))

    @invariant()
    def nothing_is_lost(self):
        assert self.table.items.keys() == self.arrived
        for key, item in self.table.items.items():
            assert ledger.file_of(item) in self.files
            assert item["generation"] >= self.seen.get(key, 1)
            assert item["attempts"] >= (item["state"] in (CLAIMED, *SETTLED_STATES))
            self.seen[key] = item["generation"]

    @invariant()
    def what_is_done_was_committed_once_in_its_generation(self):
        assert all(times == 1 for times in self.commits.values())
        for key, item in self.table.items.items():
            if item["state"] in states.DONE:
                assert self.results[key, item["generation"]].state == item["state"]

    @invariant()
    def every_file_can_still_move(self):
        """No state is a dead end: an owner may settle it, or somebody may take it."""
        for key, item in self.table.items.items():
            trial = FakeTable({key: dict(item)})
            if item["state"] == CLAIMED:
                assert trial.move(states.fail(key, item["claim"], FEED, REASON, retry=None, now=NOW)).done
            elif item["state"] in SETTLED_STATES:
                assert trial.move(states.redo(key, OWN, RUN_ID, item["generation"] + 1, NOW)).done
            else:
                assert trial.move(states.claim(key, OWN, RUN_ID, item["generation"], NOW)).done


TestFiles = Files.TestCase
TestFiles.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
