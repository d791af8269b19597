"""Moves of files in any order, by competing runs and workers."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from aws import NOW
from fake_table import FakeTable
from filebatch.core import file_moves, listed
from filebatch.core.file_moves import FileFailure
from filebatch.core.records import DONE, FileRecord, FileState
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
        self.tellings = 0

    def key(self, number):
        return FileRecord.at(self.files[number % len(self.files)])

    def token(self):
        self.tokens += 1
        return f"{self.tokens:016x}-0001"

    def generation(self, key):
        file = self.table.get(key)
        return file.generation if file else 1

    @rule(number=st.integers(0, 2))
    def arrive(self, number):
        key = self.key(number)
        file = self.files[number % len(self.files)]
        self.tellings += 1
        told_at = NOW - timedelta(seconds=self.tellings)
        assert self.table.add(file_moves.arrive(file, FEED, NOW, told_at)) == (key not in self.arrived)
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
        move = file_moves.claim(key, token, RUN_ID, max(1, self.generation(key) - stale), NOW, asked=asked)
        return self.worker_of(self.table.try_move(move), key, token)

    @rule(target=waiting_workers, number=st.integers(0, 2), stale=st.booleans())
    def redo(self, number, stale):
        key, token = self.key(number), self.token()
        move = file_moves.redo(key, token, RUN_ID, self.generation(key) + 1 - stale, NOW)
        return self.worker_of(self.table.try_move(move), key, token)

    def worker_of(self, moved, key, token):
        if not moved.done:
            return multiple()
        return (key, token, moved.record.work)

    @rule(
        target=committed,
        worker=waiting_workers,
        state=st.sampled_from(DONE),
        looked=st.booleans(),
    )
    def commit(self, worker, state, looked):
        """A worker commits if the file is its own, or was when it looked; an earlier commit counts instead."""
        key, token, work = worker
        if not looked and not self.table.get(key).is_held_by(token, work.generation):
            return multiple()
        result = replace(result_of(token, work.generation, state), work=work)
        first = self.results.setdefault((key, work.generation), result)
        self.commits[key, work.generation] = self.commits.get((key, work.generation), 0) + (first is result)
        return (worker, first)

    @rule(commit=committed)
    def tell(self, commit):
        """A worker, or the settling of its run, tells the ledger what was committed, whoever committed it."""
        (key, token, _), result = commit
        self.by_owner(key, token, file_moves.finish(key, token, result, "s3://r", NOW))

    @rule(worker=waiting_workers, retry=st.sampled_from((None, LATER)))
    def fail(self, worker, retry):
        key, token, _ = worker
        self.by_owner(key, token, file_moves.fail(key, token, FEED, FileFailure(REASON), retry=retry, now=NOW))

    @rule(worker=waiting_workers)
    def release(self, worker):
        key, token, _ = worker
        file = self.table.get(key)
        if file.claim == token:
            self.by_owner(key, token, file_moves.release(file, NOW))

    @rule(worker=waiting_workers)
    def meet_trouble(self, worker):
        key, token, _ = worker
        self.by_owner(key, token, file_moves.trouble(key, token, REASON, NOW))

    @rule(worker=consumes(waiting_workers))
    def die(self, worker):
        """A worker is gone: nothing more comes of it but what it committed."""

    def by_owner(self, key, token, move):
        """A worker's move is made only while the file is its claim's; else it changes nothing."""
        before = self.table.get(key)
        owns = before.state is FileState.CLAIMED and before.claim == token
        self.table.try_move(move)
        assert owns or self.table.get(key) == before

    @invariant()
    def every_state_is_legal_and_open_exactly_when_the_file_waits(self):
        for file in self.all():
            waits = file.state is FileState.ARRIVED or (file.state is FileState.FAILED and file.due_at)
            assert bool(waits) == bool(file.open) == bool(file.due_at)
            assert file.claim or file.state is FileState.ARRIVED
            assert bool(file.reason) == (file.state in (FileState.FAILED, FileState.INVALID))
            assert not file.trouble or file.state is FileState.CLAIMED

    @invariant()
    def every_file_is_listed_under_its_state_and_code(self):
        for file in self.all():
            assert file.listed == listed.partition(FEED, file.row)
            assert within(file.listed_at, listed.span(file.state))
            assert file.code == (file.reason and file.reason.code)

    @invariant()
    def nothing_is_lost(self):
        assert {file.row for file in self.all()} == self.arrived
        for file in self.all():
            assert file.file in self.files
            assert file.generation >= self.seen.get(file.row, 1)
            assert file.attempts >= (file.state is not FileState.ARRIVED)
            self.seen[file.row] = file.generation

    @invariant()
    def what_is_done_was_committed_once_in_its_generation(self):
        assert all(times == 1 for times in self.commits.values())
        for file in self.all():
            if file.state in DONE:
                assert self.results[file.row, file.generation].state == file.state

    @invariant()
    def every_file_can_still_move(self):
        """No state is a dead end: an owner may settle it, or somebody may take it."""
        for file in self.all():
            assert self.table.allows(way_out(file))

    def all(self):
        return [FileRecord.from_item(item) for item in self.table.items.values()]


def within(place, span):
    return span.low <= place < span.high


def way_out(file):
    """Return a move that a file's owner, or anybody where it has none, may make."""
    if file.state is FileState.CLAIMED:
        return file_moves.fail(file.row, file.claim, FEED, FileFailure(REASON), retry=None, now=NOW)
    if file.state is FileState.ARRIVED:
        return file_moves.claim(file.row, OWN, RUN_ID, file.generation, NOW)
    return file_moves.redo(file.row, OWN, RUN_ID, file.generation + 1, NOW)


TestFiles = Files.TestCase
TestFiles.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
