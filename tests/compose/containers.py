"""docker-compose.yaml as a project of its own: brought up on free ports, asked, taken down with all it left."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3

import engine
from aws import until
from engine import DOCKER
from filebatch_local.base.ports import free_port
from local_system.airflow import LOGIN, Api

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docker-compose.yaml"
COMMAND = ROOT / "infra" / "local" / "docker" / "compose"
STARTS_WITHIN = 1800.0  # seconds, of which all but one minute are for building images without a cache
HEALTHY_WITHIN = 240.0


def no_compose() -> str | None:
    """Say why Compose can't be used, None where it can."""
    return engine.missing() or (None if compose_command() else "neither `docker compose` nor docker-compose is there")


def compose_command() -> list[str] | None:
    """Return the command of Compose, the newer one where both are installed."""
    if subprocess.run([DOCKER, "compose", "version"], capture_output=True, check=False, timeout=30).returncode == 0:
        return [DOCKER, "compose"]
    older = shutil.which("docker-compose")
    return [older] if older else None


@dataclass(frozen=True)
class Project:
    """Running containers and how to reach them from this machine."""

    name: str
    aws_port: int
    airflow_port: int
    executor: str = "LocalExecutor"
    jobs: str = "processes"

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.aws_port}"

    @cached_property
    def airflow(self) -> Api:
        """Airflow, with the password of the link that users have printed."""
        link = self.printed("api-server", "python", "infra/local/docker/login.py").strip()
        url, _, password = link.partition(f"{LOGIN}?key=")
        assert url == f"http://127.0.0.1:{self.airflow_port}"
        return Api(url, password)

    @cached_property
    def shell(self) -> dict[str, str]:
        """What a shell gets that evaluates what the local AWS's container prints."""
        script = self.printed("aws", "python", "-m", "filebatch_local", "env") + "\nenv"
        ended = subprocess.run(
            ["sh", "-c", script], env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=True
        )
        return dict(line.split("=", 1) for line in ended.stdout.splitlines())

    @cached_property
    def _environment(self) -> dict[str, str]:
        ports = {"FILEBATCH_AWS_PORT": str(self.aws_port), "FILEBATCH_AIRFLOW_PORT": str(self.airflow_port)}
        return {**os.environ, **ports, "EXECUTOR": self.executor, "JOBS": self.jobs}

    def client(self, service: str) -> Any:
        keys = (self.shell["AWS_ACCESS_KEY_ID"], self.shell["AWS_SECRET_ACCESS_KEY"])
        session = boto3.Session(*keys, region_name=self.shell["AWS_REGION"])
        return session.client(service, endpoint_url=self.shell["AWS_ENDPOINT_URL"])

    def up(self) -> None:
        """Build and start everything; return when it is healthy, which older Compose can't wait for itself."""
        waiting = "--wait" if compose_command() == [DOCKER, "compose"] else "--detach"
        started = self.compose("up", "--build", waiting, timeout=STARTS_WITHIN)
        assert started.returncode == 0, f"{started.stdout}\n{started.stderr}\n{self.logs()}"
        until(lambda: all(each["healthy"] for each in self.containers()), HEALTHY_WITHIN, every=1)

    def down(self) -> None:
        self.compose("down", "--volumes", "--timeout", "20", timeout=180)

    def containers(self) -> list[dict[str, Any]]:
        """Return service, user, published ports' addresses and health of each; one that ended well is healthy."""
        ids = self.compose("ps", "-a", "-q").stdout.split()
        if not ids:
            return []
        found = subprocess.run([DOCKER, "inspect", *ids], capture_output=True, text=True, check=True, timeout=30)
        return [_container(one) for one in json.loads(found.stdout)]

    def address(self, service: str) -> str:
        """Return a container's own address, "" where it has none."""
        return next(each["address"] for each in self.containers() if each["service"] == service)

    def logs(self, *services: str) -> str:
        """Return the last lines of services, of all where none is named; "" for one that isn't there."""
        return self.compose("logs", "--tail", "200", *services).stdout

    def printed(self, service: str, *command: str) -> str:
        """Run a command in a service's container; return what it printed."""
        ended = self.compose("exec", "-T", service, *command)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def compose(self, *arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        command = [str(COMMAND), "--project-name", self.name, *arguments]
        return subprocess.run(
            command, env=self._environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=timeout
        )


@contextmanager
def project(executor: str, jobs: str) -> Iterator[Project]:
    found = Project(f"filebatch-test-{os.getpid()}", free_port(), free_port(), executor, jobs)
    try:
        found.up()
        yield found
    finally:
        found.down()


def _container(one: dict[str, Any]) -> dict[str, Any]:
    state, published = one["State"], one["HostConfig"]["PortBindings"] or {}
    ended_well = state["Status"] == "exited" and state["ExitCode"] == 0
    return {
        "service": one["Config"]["Labels"]["com.docker.compose.service"],
        "user": one["Config"]["User"],
        "address": "".join(network["IPAddress"] for network in one["NetworkSettings"]["Networks"].values()),
        "addresses": {binding["HostIp"] for bindings in published.values() for binding in bindings},
        "healthy": ended_well or state.get("Health", {}).get("Status") == "healthy",
    }
