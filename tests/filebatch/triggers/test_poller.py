"""One poller for all deferred runs of a triggerer: few calls, one client, and each run knows of its own job alone."""

import asyncio
from contextlib import asynccontextmanager, closing

import pytest
from botocore.exceptions import ClientError

from filebatch.intake import doorbell
from filebatch.triggers import clients, poller
from filebatch.triggers.clients import Source
from filebatch.triggers.poller import poll_delay, watched
from round_jobs import event_of, submit, trigger_of

SOURCE = Source("aws_default", "eu-west-1")
ELSEWHERE = Source("aws_default", "us-east-1")
THROTTLED = ClientError({"Error": {"Code": "TooManyRequestsException"}}, "DescribeJobs")
EXPIRED = ClientError({"Error": {"Code": "ExpiredTokenException"}}, "DescribeJobs")


class Batch:
    """Batch as its client shows it: knows jobs whose ids begin with `job`, and fails when it is told to."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.faults: list[Exception] = []
        self.clients = 0

    async def describe_jobs(self, jobs):
        self.asked.append(jobs)
        await asyncio.sleep(0)
        if self.faults:
            raise self.faults.pop()
        return {"jobs": [{"jobId": job, "status": "RUNNING"} for job in jobs if job.startswith("job")]}

    @asynccontextmanager
    async def client(self, source, service):
        assert service == "batch"
        self.clients += 1
        yield self


@pytest.fixture
def batch(monkeypatch):
    found = Batch()
    monkeypatch.setattr(clients, "_make", found.client)
    monkeypatch.setattr(poller, "FIRST_POLL", 0.01)
    monkeypatch.setattr(doorbell, "backoff", lambda faults: 0.01)
    return found


async def looks(job_id: str, times: int, source: Source = SOURCE) -> list[poller.Job | None]:
    async with watched(source, job_id) as watch:
        return [await watch.look() for _ in range(times)]


async def watching(*job_ids: str, times: int = 1) -> list[list[poller.Job | None]]:
    return await asyncio.gather(*(looks(each, times) for each in job_ids))


def test_fifty_jobs_are_waited_for_with_fewer_calls_than_jobs_and_one_client(here, proxy, monkeypatch):
    proxy.dead.clear()
    made = []
    make = clients._make
    monkeypatch.setattr(clients, "_make", lambda source, service: made.append(service) or make(source, service))
    jobs = [submit(here, "sleep 1") for _ in range(50)]

    async def scenario():
        return await asyncio.gather(*(event_of(trigger_of(here, each)) for each in jobs))

    events = asyncio.run(scenario())
    assert sorted(event["job_id"] for event in events) == sorted(jobs)
    assert {event["status"] for event in events} == {"SUCCEEDED"}
    assert made.count("batch") == 1
    assert 0 < proxy.calls["/v1/describejobs"] < len(jobs)


class Clocked(asyncio.SelectorEventLoop):
    """An event loop in which waiting takes no time: its clock moves on instead."""

    def __init__(self) -> None:
        super().__init__()
        self.now, select = 0.0, self._selector.select

        def skip(timeout):
            self.now += timeout or 0.0
            return select(0)

        self._selector.select = skip

    def time(self) -> float:
        return self.now


@pytest.mark.parametrize("apart", [0.0, 0.1], ids=["together", "one after the other"])
def test_fifty_jobs_in_flight_for_six_seconds_cost_ten_calls_at_most_and_one_client(batch, monkeypatch, apart):
    """Fifty of the stock operators' triggers make 321 calls, each with a client of its own."""
    monkeypatch.setattr(poller, "FIRST_POLL", 1.0)
    monkeypatch.setattr(doorbell, "backoff", lambda faults: 1.0)
    loop = Clocked()

    async def in_flight(number):
        await asyncio.sleep(number * apart)
        ends = loop.time() + 6.0
        async with watched(SOURCE, f"job-{number}") as watch:
            while loop.time() < ends:
                await watch.look()

    async def scenario():
        await asyncio.gather(*(in_flight(number) for number in range(50)))
        return loop.time()

    with closing(loop):
        seconds = loop.run_until_complete(scenario())
    assert 6 <= seconds < 7.5 + 50 * apart
    assert len(batch.asked) <= 10 + 50 * apart
    assert batch.clients == 1


def test_each_is_told_of_its_own_job(batch):
    found = asyncio.run(watching("job-1", "job-2", "gone"))
    assert [job and job["jobId"] for [job] in found] == ["job-1", "job-2", None]
    assert batch.asked == [["job-1", "job-2", "gone"]]


def test_a_job_that_two_wait_for_is_asked_for_once(batch):
    assert asyncio.run(watching("job-1", "job-1")) == [[{"jobId": "job-1", "status": "RUNNING"}]] * 2
    assert batch.asked == [["job-1"]]


def test_more_than_a_hundred_are_asked_for_a_hundred_a_call(batch):
    found = asyncio.run(watching(*(f"job-{number}" for number in range(250))))
    assert all(job for [job] in found)
    assert [len(asked) for asked in batch.asked] == [100, 100, 50]
    assert len({job for asked in batch.asked for job in asked}) == 250


def test_each_connection_and_region_has_its_own(batch):
    async def scenario():
        await asyncio.gather(looks("job-1", 1), looks("job-2", 1, ELSEWHERE))

    asyncio.run(scenario())
    assert sorted(batch.asked) == [["job-1"], ["job-2"]]
    assert batch.clients == 2


@pytest.mark.parametrize(("fault", "made"), [(THROTTLED, 1), (EXPIRED, 2), (OSError("cut"), 1)])
def test_after_a_fault_that_each_is_told_of_the_jobs_are_looked_at_again(batch, fault, made):
    batch.faults.append(fault)

    async def scenario():
        elsewhere = clients.client(SOURCE, "batch")  # what else uses the client keeps it open
        async with elsewhere, watched(SOURCE, "job-1") as one, watched(SOURCE, "job-2") as other:
            told = await asyncio.gather(one.look(), other.look(), return_exceptions=True)
            return told, await asyncio.gather(one.look(), other.look())

    told, again = asyncio.run(scenario())
    assert told == [fault, fault]
    assert [job["jobId"] for job in again] == ["job-1", "job-2"]
    assert batch.clients == made


def test_who_no_longer_waits_is_not_asked_for_and_stops_nobody_else(batch):
    async def scenario():
        first = asyncio.create_task(looks("job-1", 10**6))
        other = asyncio.create_task(looks("job-2", 3))
        await asyncio.sleep(0)
        first.cancel()
        return await other

    assert len(asyncio.run(scenario())) == 3
    assert ["job-1", "job-2"] not in batch.asked[1:]


def test_a_new_job_does_not_wait_for_the_turn_of_an_old_one(batch):
    async def scenario():
        async with watched(SOURCE, "job-old") as old:
            old.due += 3600
            waits = asyncio.create_task(old.look())
            await asyncio.sleep(0.05)
            assert batch.asked == []
            await looks("job-new", 1)
            return await waits

    assert asyncio.run(scenario()) == {"jobId": "job-old", "status": "RUNNING"}
    assert [sorted(asked) for asked in batch.asked] == [["job-new", "job-old"]]


def test_when_nobody_waits_nothing_is_asked_and_the_next_begins_anew(batch):
    async def scenario():
        await looks("job-1", 1)
        await asyncio.sleep(0.1)
        asked = len(batch.asked)
        await looks("job-2", 1)
        return asked

    assert asyncio.run(scenario()) == 1
    assert batch.asked == [["job-1"], ["job-2"]]


def test_the_older_the_wait_the_rarer_the_looks():
    assert [poll_delay(waited) for waited in (0, 20, 60, 600, 10**6)] == [1, 1, 3, 30, 30]


def test_after_a_fault_of_aws_the_client_is_used_on(batch):
    batch.faults += [THROTTLED, THROTTLED]

    async def scenario():
        async with watched(SOURCE, "job-1") as watch:
            told = [await asyncio.gather(watch.look(), return_exceptions=True) for _ in range(3)]
        return [found for (found,) in told]

    *faults, found = asyncio.run(scenario())
    assert faults == [THROTTLED, THROTTLED]
    assert found["jobId"] == "job-1"
    assert batch.clients == 1
