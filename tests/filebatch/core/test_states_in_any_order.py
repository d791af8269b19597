"""Moves of files in any order, by competing runs and workers."""

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from aws import NOW
from fake_table import FakeTable
from filebatch.core import ledger, states
from filebatch.core.states import ARRIVED, CLAIMED, FAILED, FILE_STATES, INVALID, SETTLED_STATES
from moves import FEED, FILE, LATER, REASON, RUN_ID, TOKENS, result_of

OWN, _ = TOKENS


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
        asked=st.booleans(),
        stale=st.booleans(),
    )
    def take(self, number, asked, stale):
        """A run takes a file; its view of the generation may be old."""
        key, token = self.key(number), self.token()
        move = states.claim(key, token, RUN_ID, max(1, self.generation(key) - stale), NOW, asked=asked)
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

    @rule(commit=committed)
    def tell(self, commit):
        """A worker, or the settling of its run, tells the ledger what was committed, whoever committed it."""
        (key, token, _), result = commit
        self.by_owner(key, token, states.finish(key, token, result, "s3://r", NOW))

    @rule(worker=waiting_workers, retry=st.sampled_from((None, LATER)))
    def fail(self, worker, retry):
        key, token, _ = worker
        self.by_owner(key, token, states.fail(key, token, FEED, REASON, retry=retry, now=NOW))

    @rule(worker=waiting_workers)
    def release(self, worker):
        key, token, _ = worker
        self.by_owner(key, token, states.release(key, token, FEED, NOW))

    @rule(worker=waiting_workers)
    def meet_trouble(self, worker):
        key, token, _ = worker
        self.by_owner(key, token, states.troubled(key, token, REASON))

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
            assert "trouble" not in item or item["state"] == CLAIMED

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
