"""A test's corner of the simulated AWS, with all that `aws.Place` has on the local one."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from aws import Place
from filebatch_local.batch.exit_rules import EXITED, Outcome
from simulation.services import Aws
from simulation.services.aws import ENDPOINT
from simulation.services.batch import Attempt

JOB_QUEUE = "filebatch-sim-jobs"


@dataclass(frozen=True)
class Server:
    """What `Place` asks of a local AWS that runs."""

    aws: Aws = field(default_factory=Aws)
    endpoint: str = ENDPOINT

    @cached_property
    def settings(self) -> dict[str, Any]:
        self.aws.batch.create_job_queue(JOB_QUEUE)
        self.aws.batch.launch = run_script
        topics = {name: self.aws.sns.create_topic(Name=name)["TopicArn"] for name in ("stakeholders", "developers")}
        return {"topics": topics, "job_queue": JOB_QUEUE}


@dataclass(frozen=True)
class SimulatedPlace(Place):
    """A corner of the simulated AWS."""

    server: Any = field(default_factory=Server)

    @cached_property
    def connect(self) -> Callable[[str], Any]:
        return self.server.aws.client

    @cached_property
    def spared(self) -> Callable[[str], Any]:
        return self.server.aws.client


def run_script(attempt: Attempt) -> None:
    """Run a shell script to its end; one that sleeps goes on until it is stopped."""
    command = attempt.job.definition["containerProperties"]["command"]
    attempt.begin()
    if command[-1].startswith("exec sleep"):
        attempt.stop = attempt.end
        return
    code = subprocess.run(command, env=attempt.variables(), check=False).returncode
    attempt.end(Outcome(code if code >= 0 else 128 - code, None, EXITED))
