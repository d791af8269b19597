"""Files in flight: how many there are, what they wait for, and what the way to the bucket costs a file."""

import tempfile
import threading
from dataclasses import dataclass, field, replace
from functools import partial
from unittest.mock import patch

import pytest

import filebatch_worker.__main__ as worker
from aws import feed_of, until
from claims import Held
from filebatch.core import clock, paths
from filebatch.core.contract import IN_FLIGHT, FileVersion, Work
from filebatch.core.ledger import Ledger
from filebatch.core.records import FileState
from filebatch_worker import ahead, aws, commit, file, flow
from filebatch_worker.job_log import JobLog
from filebatch_worker.processor import Processed
from simulation import processor
from simulation.places import SimulatedPlace
from simulation.scheduler import Scheduler
from simulation.threads import Pool, side_by_side

FILE = FileVersion("b", "k", "v", "e", 1, "2026-01-01T00:00:00.000Z")
WORKS = [Work(replace(FILE, key=f"k{at}"), "2026-01-01T00:00:00.000Z") for at in range(3 * IN_FLIGHT)]
MADE = file.Made(Processed(()), "", {}, is_large=False)


@dataclass
class Stages:
    """Stands for what is done with a file: processing notes it, delivering waits until it may."""

    begun: list[Work] = field(default_factory=list)
    delivered: list[Work] = field(default_factory=list)
    may_deliver: threading.Event = field(default_factory=threading.Event)
    made: dict[Work, file.Made | Exception] = field(default_factory=dict)
    took: list[Work] = field(default_factory=list)

    def make(self, ctx, fetching, folder):
        work = fetching.result()
        self.begun.append(work)
        found = self.made.get(work, MADE)
        if isinstance(found, Exception):
            raise found
        return found

    def deliver(self, ctx, work, made):
        assert self.may_deliver.wait(20)
        self.delivered.append(work)
        return work

    def run(self, stop=None):
        for ended in flow.each(None, WORKS, stop or worker.Stop()):
            self.took.append(ended.work)

    def start(self):
        thread = threading.Thread(target=self.run)
        thread.start()
        return thread


@pytest.fixture
def stages(monkeypatch, tmp_path):
    found = Stages()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(file, "fetched", lambda ctx, work, folder: work)
    monkeypatch.setattr(file, "make", found.make)
    monkeypatch.setattr(file, "deliver", found.deliver)
    yield found
    assert list(tmp_path.iterdir()) == []


def test_no_more_files_are_begun_and_have_no_result_than_may_be_in_flight(stages):
    thread = stages.start()
    until(lambda: len(stages.begun) == IN_FLIGHT)
    thread.join(0.2)
    assert (stages.begun, stages.delivered) == (WORKS[:IN_FLIGHT], [])
    stages.may_deliver.set()
    thread.join()
    assert stages.begun == stages.took == WORKS


def test_a_file_that_failed_is_told_of_before_the_next_is_begun(stages):
    stages.made[WORKS[1]] = ValueError("a bug")
    stages.may_deliver.set()
    ended = flow.each(None, WORKS, worker.Stop())
    assert [next(ended).work for _ in range(2)] == WORKS[:2]
    assert stages.begun == WORKS[:2]
    ended.close()


def test_a_large_file_has_the_disk_for_itself(stages):
    stages.made[WORKS[1]] = replace(MADE, is_large=True)
    thread = stages.start()
    until(lambda: len(stages.begun) == 2)
    thread.join(0.2)
    assert stages.begun == WORKS[:2]
    stages.may_deliver.set()
    thread.join()
    assert stages.took == WORKS


def test_what_is_in_flight_is_ended_when_the_container_is_to_end_and_no_other_begun(stages):
    stop = worker.Stop()
    thread = threading.Thread(target=lambda: stages.run(stop))
    thread.start()
    until(lambda: len(stages.begun) == IN_FLIGHT)
    stop.asked = True
    stages.may_deliver.set()
    thread.join()
    assert sorted(stages.delivered, key=WORKS.index) == WORKS[:IN_FLIGHT]
    assert stages.took == WORKS[:IN_FLIGHT]


# What follows is the worker as it is, on simulated time: each request takes as long as the way to the bucket is.

FILES = 100
REQUEST = 0.03  # seconds, as in a region
PROCESS = 0.012  # seconds, of a small file
FEED = feed_of(processor="simulation.processor:process")


class Far:
    """A client each of whose requests takes some time."""

    def __init__(self, client, scheduler, seconds):
        self._client, self._wait = client, lambda: scheduler.wait(seconds)

    def __getattr__(self, operation):
        method = getattr(self._client, operation)

        def call(*args, **request):
            self._wait()
            return method(*args, **request)

        return call


def seconds_of_a_unit(request, content=b"good x"):
    """Return how long a container takes for a unit, on simulated time."""
    held, scheduler = Held(SimulatedPlace(), [content] * FILES, FEED), Scheduler("far")
    parallel = partial(side_by_side, scheduler)
    clients = aws.Aws(*(Far(held.place.connect(name), scheduler, request) for name in ("s3", "dynamodb", "cloudwatch")))
    environment = {
        "AWS_BATCH_JOB_ID": "job",
        "FILEBATCH_FEED": FEED.name,
        "FILEBATCH_LEDGER": held.ctx.settings.ledger,
        "FILEBATCH_RESULTS_BUCKET": held.ctx.results,
        "FILEBATCH_NAMESPACE": "n",
        "FILEBATCH_ROUND": paths.round_units(FEED.name, held.token, 1),
        "FILEBATCH_MEMORY_MIB": "512",
    }
    ends = []

    def container():
        ends.append((worker.do_unit(environment, worker.Stop(), JobLog()), scheduler.seconds))

    with (
        patch.object(clock, "now", scheduler.now),
        patch.object(aws, "connect", lambda: clients),
        patch.object(worker, "Ledger", lambda client, table: Ledger(client, table, parallel, scheduler.wait)),
        patch.object(ahead, "ThreadPoolExecutor", lambda *_, **__: Pool(scheduler)),
        patch.object(flow, "ThreadPoolExecutor", lambda *_, **__: Pool(scheduler)),
        patch.object(commit, "side_by_side", parallel),
        patch.object(file, "side_by_side", parallel),
        patch.object(processor, "act", lambda *_: scheduler.wait(PROCESS)),
    ):
        scheduler.spawn("container", container)
        scheduler.run(1e6)
    ((code, seconds),) = ends
    assert code == 0
    assert set(held.now_in()) <= {FileState.SUCCEEDED, FileState.INVALID}
    return seconds


@pytest.mark.parametrize("content", [b"good x", b"invalid x"])
def test_a_bucket_that_is_far_costs_a_small_file_at_most_25_milliseconds(content):
    near, far = seconds_of_a_unit(0, content), seconds_of_a_unit(REQUEST, content)
    assert near == pytest.approx(FILES * PROCESS)
    assert (far - near) / FILES <= 0.025
