"""Airflow's own BatchOperator on the local AWS, as others use it: waiting itself and deferred, for one job and many."""

import asyncio
from typing import Any

import pytest
from airflow.providers.amazon.aws.hooks.batch_client import BatchClientHook
from airflow.providers.amazon.aws.operators.batch import BatchOperator
from airflow.sdk.exceptions import AirflowException, TaskDeferred

from filebatch_local.base.layout import Layout
from filebatch_local.serve.shell import environment

pytestmark = pytest.mark.airflow
SIZES = {"job": 1, "array": 3}


class TaskInstance:
    """What the operator tells Airflow for its links."""

    def __init__(self) -> None:
        self.xcoms: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = value


@pytest.fixture
def airflow(aws, monkeypatch):
    """This process is one of Airflow's, as `make env` has it, and asks without long pauses."""
    for name, value in environment(Layout.here(), aws.endpoint, aws.settings, aws.key).items():
        if name.startswith(("AWS_", "AIRFLOW_CONN_")):
            monkeypatch.setenv(name, value)
    monkeypatch.setattr(BatchClientHook, "DEFAULT_DELAY_MIN", 0.1)
    monkeypatch.setattr(BatchClientHook, "DEFAULT_DELAY_MAX", 0.2)


def operator(batch, script, size, *, deferrable):
    array = {"array_properties": {"size": size}} if size > 1 else {}
    return BatchOperator(
        task_id="stock",
        job_name="stock",
        job_queue=batch.queue,
        job_definition=batch.define("sh", "-c", script),
        share_identifier="tests",
        deferrable=deferrable,
        poll_interval=1,
        **array,
    )


def executed(task) -> tuple[str, dict[str, Any]]:
    """Execute it to its end, deferral included; return its job's id and what it told."""
    instance = TaskInstance()
    context: Any = {"ti": instance, "task_instance": instance}
    try:
        return task.execute(context), instance.xcoms
    except TaskDeferred as deferred:
        event = asyncio.run(first(deferred.trigger))
        return getattr(task, deferred.method_name)(context, event.payload), instance.xcoms


async def first(trigger):
    async for event in trigger.run():
        return event
    raise AssertionError("the trigger ended without an event")


@pytest.mark.parametrize("deferrable", [False, True], ids=["waits itself", "deferred"])
@pytest.mark.parametrize("kind", SIZES)
def test_it_submits_waits_and_succeeds(airflow, batch, kind, deferrable):
    task = operator(batch, "echo done; sleep 0.3", SIZES[kind], deferrable=deferrable)

    job_id, told = executed(task)

    job = batch.describe(job_id)
    assert job["status"] == "SUCCEEDED"
    assert job.get("arrayProperties", {}).get("size", 1) == SIZES[kind]
    assert told["batch_job_details"]["job_id"] == job_id


@pytest.mark.parametrize(("kind", "deferrable"), [("job", False), ("array", True)])
def test_it_fails_where_its_job_does(airflow, batch, kind, deferrable):
    task = operator(batch, "sleep 0.3; exit 3", SIZES[kind], deferrable=deferrable)
    with pytest.raises(AirflowException):
        executed(task)
    assert batch.describe(task.job_id)["status"] == "FAILED"


def test_a_task_that_is_killed_ends_its_job(airflow, batch):
    task = operator(batch, "exec sleep 600", 1, deferrable=True)
    with pytest.raises(TaskDeferred):
        task.execute({"ti": TaskInstance()})
    task.on_kill()
    assert batch.ended(task.job_id)["statusReason"] == "Task killed by the user"
