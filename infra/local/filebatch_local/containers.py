"""The other way to run a job: its image, by the Docker engine of this machine, where that is asked for."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from filebatch_local.batch_job import BatchJob
from filebatch_local.processes import Command


@dataclass(frozen=True)
class Containers:
    """A Docker engine that answers, and its client."""

    docker: str

    @classmethod
    def find(cls) -> Containers | None:
        """Return the engine, None where none answers."""
        docker = shutil.which("docker")
        return cls(docker) if docker and _succeeds(docker, "info") else None

    def has(self, image: str) -> bool:
        """Tell whether the engine has an image; it is not asked to pull one."""
        return _succeeds(self.docker, "image", "inspect", image)

    def command(self, job: BatchJob, environment: Mapping[str, str], scratch: Path) -> Command:
        """Return the command that runs a job's image as Batch would: limits, user, read-only root, scratch volumes.

        The variables go through a file that nobody else can read, not over the command line.
        """
        scratch.mkdir(parents=True, exist_ok=True)
        variables = scratch / "environment"
        variables.touch(mode=0o600)
        variables.write_text("".join(f"{name}={value}\n" for name, value in environment.items()), encoding="utf-8")
        name = f"filebatch-{scratch.name}"
        options = ["--rm", f"--name={name}", "--network=host", f"--env-file={variables}"]
        run = [self.docker, "run", *options, *_properties(job), job.image, *job.command]
        return Command(run, _client_environment(), scratch, stop=(self.docker, "rm", "--force", name))


def _properties(job: BatchJob) -> list[str]:
    properties = job.job_definition.container_properties
    options = [f"--cpus={job.vcpus}", f"--memory={job.memory}m", f"--memory-swap={job.memory}m"]
    if properties.get("readonlyRootFilesystem"):
        options.append("--read-only")
    if properties.get("user"):
        options.append(f"--user={properties['user']}")
    return options + [f"--volume={point['containerPath']}" for point in properties.get("mountPoints") or []]


def _client_environment() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME", "DOCKER_HOST") if name in os.environ}


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, check=False, capture_output=True, timeout=10).returncode == 0
