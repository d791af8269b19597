"""Whose turn it is in a queue: shares by use, or first in, first out."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.batch.exceptions import ClientException

from filebatch_local.batch import limits
from filebatch_local.batch.shares import Policy, WaitingJobs

POLICY = Policy(decay=3600)


@dataclass
class Job:
    sequence: int
    share: str | None
    runnable: bool = True


class Queue:
    """A queue with vCPUs for some jobs of one vCPU, each of which takes a second."""

    def __init__(self, vcpus: int = 1, policy: Policy = POLICY) -> None:
        self.waiting: WaitingJobs[Job] = WaitingJobs()
        self.vcpus, self.policy, self.now, self.sequence = vcpus, policy, 0.0, 0

    def submit(self, share: str | None, count: int = 1) -> list[Job]:
        jobs = [Job(self.sequence + number, share) for number in range(count)]
        self.sequence += count
        for job in jobs:
            self.waiting.add(job)
        return jobs

    def second(self) -> list[Job]:
        """Start what there are vCPUs for, and let it end; return it in order."""
        started: list[Job] = []
        while len(started) < self.vcpus and (head := self.waiting.head(self.running(started), self.policy)):
            self.waiting.remove(head)
            started.append(head)
        self.waiting.charge({}, self.now, self.policy)
        self.now += 1
        self.waiting.charge(self.running(started), self.now, self.policy)
        return started

    @staticmethod
    def running(jobs: list[Job]) -> dict[str | None, float]:
        shares = [job.share for job in jobs]
        return {share: float(shares.count(share)) for share in shares}


@given(st.integers(1, 4), st.integers(1, 30))
def test_without_a_policy_jobs_start_in_the_order_of_their_submission(vcpus, count):
    queue = Queue(vcpus)
    queue.submit(None, count)
    started = [job.sequence for _ in range(count) for job in queue.second()]
    assert started == list(range(count))
    assert not queue.waiting


def test_a_share_that_used_nothing_comes_before_one_that_waits_with_thousands():
    queue = Queue(vcpus=4)
    queue.submit("weather", 10_000)
    for _ in range(100):
        queue.second()
    (late,) = queue.submit("orders")
    assert late in queue.second()


@pytest.mark.parametrize("vcpus", [1, 2, 4])
def test_shares_that_begin_together_take_turns(vcpus):
    queue = Queue(vcpus)
    for share in ("a", "b"):
        queue.submit(share, 100)
    started = [job.share for _ in range(100 // vcpus) for job in queue.second()]
    assert abs(started.count("a") - started.count("b")) <= vcpus


def test_within_a_share_the_first_comes_first():
    queue = Queue()
    first, second = queue.submit("a", 2)
    assert [queue.second(), queue.second()] == [[first], [second]]


def test_use_fades_so_that_a_backfill_is_forgotten():
    queue = Queue()
    queue.submit("weather", 3000)
    for _ in range(3000):
        queue.second()
    queue.now += 10 * POLICY.decay
    for share in ("orders", "weather"):
        queue.submit(share, 10)
    started = [job.share for _ in range(10) for job in queue.second()]
    assert started.count("weather") == 5


def test_a_smaller_weight_gets_more():
    queue = Queue(policy=Policy.of({"shareDistribution": [{"shareIdentifier": "a*", "weightFactor": 0.25}]}))
    queue.submit("abc", 100)
    queue.submit("b", 100)
    started = [job.share for _ in range(100) for job in queue.second()]
    assert 75 <= started.count("abc") <= 85


def test_a_job_that_was_ended_while_it_waited_holds_nobody_up():
    queue = Queue()
    ended, other = queue.submit("a", 2)
    ended.runnable = False
    assert queue.second() == [other]


def test_a_share_is_active_while_it_has_jobs_and_until_its_use_has_faded():
    queue = Queue()
    queue.submit("a", 2)
    assert queue.waiting.active(queue.now, POLICY) == {"a"}
    queue.second()
    queue.second()
    assert queue.waiting.active(queue.now + POLICY.decay - 1, POLICY) == {"a"}
    assert queue.waiting.active(queue.now + POLICY.decay + 1, POLICY) == set()


def test_a_queue_has_five_hundred_active_shares_and_refuses_one_more():
    active = {f"feed{number}" for number in range(500)}
    limits.check_share("feed7", fair=True, active=active)
    with pytest.raises(ClientException, match="500"):
        limits.check_share("other", fair=True, active=active)
    limits.check_share("other", fair=True, active=active - {"feed7"})


@pytest.mark.parametrize(
    ("share", "fair"), [(None, True), ("", True), ("a-b", True), ("ä", True), ("a" * 256, True), ("a", False)]
)
def test_what_share_a_queue_refuses(share, fair):
    with pytest.raises(ClientException):
        limits.check_share(share, fair=fair, active=set())
