"""A local AWS for the tests of this folder, and a Batch client that waits."""

import functools
import itertools
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from filebatch_local.batch.images import ImageEnv
from filebatch_local.serve.background import LocalAws, local_aws

CLOCK = 120  # a timeout of 60 s takes half a second, the grace after it a quarter
WITHIN = 20.0
TOOLS = "tools:local"
_numbers = itertools.count()


class Batch:
    """Registers, submits, waits, as a user of boto3 would."""

    def __init__(self, aws: LocalAws) -> None:
        self.aws = aws
        self.api = client(aws, "batch")
        self.queue = aws.settings["job_queue"]

    def define(self, *command: str, vcpus: str = "0.25", memory: str = "512", image: str = TOOLS, **more: Any) -> str:
        """Register a definition; `environment`, `mountPoints` … go into containerProperties, the rest beside them."""
        name = f"definition-{next(_numbers)}"
        beside = {key: more.pop(key) for key in ("retryStrategy", "timeout", "parameters") if key in more}
        requirements = [{"type": "VCPU", "value": vcpus}, {"type": "MEMORY", "value": memory}]
        container = {"image": image, "command": list(command), "resourceRequirements": requirements, **more}
        self.api.register_job_definition(
            jobDefinitionName=name, type="container", containerProperties=container, **beside
        )
        return name

    def submit(self, definition: str, name: str = "job", **more: Any) -> str:
        share = {} if "jobQueue" in more else {"shareIdentifier": "tests"}
        request = {"jobName": name, "jobQueue": self.queue, "jobDefinition": definition, **share, **more}
        return str(self.api.submit_job(**request)["jobId"])

    def run(self, *command: str, **more: Any) -> dict[str, Any]:
        """Define, submit and wait for the end."""
        return self.ended(self.submit(self.define(*command, **more)))

    def describe(self, job_id: str) -> dict[str, Any]:
        return dict(self.api.describe_jobs(jobs=[job_id])["jobs"][0])

    def ended(self, job_id: str) -> dict[str, Any]:
        return self.reached(job_id, "SUCCEEDED", "FAILED")

    def reached(self, job_id: str, *states: str) -> dict[str, Any]:
        return until(
            lambda: job if (job := self.describe(job_id))["status"] in states else None, f"{job_id} in {states}"
        )

    def pid(self, job_id: str) -> int:
        return until(lambda: next((one["pid"] for one in self.aws.jobs() if one["jobId"] == job_id), None), "a process")

    def output(self, job: dict[str, Any], group: str = "/aws/batch/job") -> list[str]:
        logs, stream = client(self.aws, "logs"), job["container"]["logStreamName"]
        events = logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True)["events"]
        return [event["message"] for event in events]

    def listed(self, **request: Any) -> list[str]:
        pages = self.api.get_paginator("list_jobs").paginate(**request)
        return [job["jobId"] for page in pages for job in page["jobSummaryList"]]


@dataclass(frozen=True)
class Gate:
    """A job that runs `waits` in a shell goes on once the gate is open."""

    file: Path

    @property
    def waits(self) -> str:
        return f"while [ ! -e '{self.file}' ]; do sleep 0.02; done"

    def open(self) -> None:
        self.file.touch()


def until(found: Any, what: str) -> Any:
    """Ask again until there is an answer, and no longer than a test may take."""
    deadline = time.monotonic() + WITHIN
    while time.monotonic() < deadline:
        if answer := found():
            return answer
        time.sleep(0.02)
    pytest.fail(f"waited {WITHIN} s in vain for {what}")


def client(aws: LocalAws, service: str) -> Any:
    return aws.client(service, retries={"max_attempts": 0})


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    gate = Gate(tmp_path / "gate")
    yield gate
    gate.open()  # for jobs of a test that failed


@pytest.fixture(scope="session")
def wait_until() -> Any:
    return until


@pytest.fixture(scope="session")
def aws() -> Any:
    tools = ImageEnv((str(Path(sys.executable).parent), "/usr/bin", "/bin"), {"FROM_IMAGE": "yes"})
    with local_aws(clock=CLOCK, images={TOOLS: tools}) as found:
        yield found


@pytest.fixture(scope="session")
def batch(aws: LocalAws) -> Batch:
    return Batch(aws)


@pytest.fixture(scope="session")
def clients(aws: LocalAws) -> Any:
    return functools.cache(lambda service: client(aws, service))
