"""Waiting for a round's job: its end is told, its run's claim kept alive, and no fault of AWS ends the wait."""

import asyncio
from contextlib import asynccontextmanager, contextmanager
from types import SimpleNamespace

import pytest
from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

from aws import ended, until
from claims import Held
from doorbells import becomes
from filebatch.runs import jobs
from filebatch.triggers import round_job
from filebatch.triggers.round_job import RoundJobTrigger
from round_jobs import event_of, submit, trigger_of

UNKNOWN = "00000000-0000-0000-0000-000000000000"


@pytest.mark.parametrize(("script", "status"), [("exit 0", "SUCCEEDED"), ("exit 3", "FAILED")])
def test_the_end_of_a_job_is_told(here, script, status):
    job = submit(here, script)
    assert asyncio.run(event_of(trigger_of(here, job))) == {"job_id": job, "status": status}


def test_a_job_that_batch_does_not_know_has_vanished_after_a_while(here, monkeypatch):
    async def scenario():
        waits = asyncio.create_task(event_of(trigger_of(here, UNKNOWN)))
        await asyncio.wait([waits], timeout=2.5)  # two looks
        assert not waits.done()
        monkeypatch.setattr(round_job, "VANISHED_AFTER", 0.0)
        return await waits

    assert asyncio.run(scenario()) == {"job_id": UNKNOWN, "status": "VANISHED"}


def test_its_run_is_heard_of_while_it_waits(here):
    held = Held(here, 1)
    before = held.record.due_at

    async def scenario():
        waits = asyncio.create_task(event_of(trigger_of(here, UNKNOWN, held.ctx.feed.name, held.token)))
        after = await becomes(lambda: held.record.due_at != before and held.record.due_at)
        waits.cancel()
        return after

    assert asyncio.run(scenario()) > before


def test_a_batch_out_of_reach_delays_the_end_and_is_told(here, proxy, caplog):
    job = submit(here, "exit 0")

    async def scenario():
        waits = asyncio.create_task(event_of(trigger_of(here, job)))
        await becomes(lambda: caplog.text.count(f"looking at job {job} failed") >= 2, 30)
        proxy.dead.clear()
        return await waits

    assert asyncio.run(scenario())["status"] == "SUCCEEDED"


@pytest.mark.parametrize("fault", [RuntimeError("the API server restarts"), OSError("cut")])
def test_whatever_a_look_fails_with_the_wait_goes_on_and_its_time_does_not_count(monkeypatch, caplog, fault):
    found = [fault, None, {"jobId": "job", "status": "SUCCEEDED"}]

    class Watch:
        async def look(self):
            answer = found.pop(0)
            if isinstance(answer, Exception):
                monkeypatch.setattr(round_job, "VANISHED_AFTER", 0.5)
                await asyncio.sleep(0.6)  # longer than a job may be unknown
                raise answer
            return answer

    @asynccontextmanager
    async def watched(source, job_id):
        yield Watch()

    monkeypatch.setattr(round_job.poller, "watched", watched)
    monkeypatch.setattr(RoundJobTrigger, "_send_heartbeat", lambda self: asyncio.sleep(0, True))
    trigger = RoundJobTrigger("job", "orders", "0123456789abcdef-0001", "ledger", 900, None, "eu-west-1")

    assert asyncio.run(event_of(trigger))["status"] == "SUCCEEDED"
    assert "looking at job job failed" in caplog.text


def killed(here, monkeypatch, job, state):
    """Have Airflow's triggerer end a trigger whose task a user has put into a state."""
    task = SimpleNamespace(dag_id="orders", run_id="manual__1", task_id="process_files")
    told = {task.run_id: {task.task_id: state}}
    monkeypatch.setattr(RuntimeTaskInstance, "get_task_states", staticmethod(lambda *_, **__: told))
    trigger = trigger_of(here, job)
    trigger.task_instance = task
    asyncio.run(trigger.on_kill())


@pytest.mark.parametrize("state", ["failed", "success"])
def test_a_task_that_a_user_has_ended_ends_its_job(here, monkeypatch, state):
    job = submit(here, "exec sleep 60")

    killed(here, monkeypatch, job, state)

    assert until(lambda: ended(here.connect("batch"), job))["statusReason"] == jobs.TASK_ENDED


@pytest.mark.parametrize("state", [None, "scheduled", "queued", "running", "deferred"])
def test_the_job_of_a_task_that_a_user_has_cleared_goes_on(here, monkeypatch, state):
    with recorded_calls(monkeypatch) as ended_jobs:
        killed(here, monkeypatch, "job", state)
    assert ended_jobs == []


@contextmanager
def recorded_calls(monkeypatch):
    calls: list[str] = []

    class Client:
        async def terminate_job(self, **request):
            calls.append(request["jobId"])

    @asynccontextmanager
    async def client(*_):
        yield Client()

    monkeypatch.setattr(round_job.clients, "client", client)
    yield calls
