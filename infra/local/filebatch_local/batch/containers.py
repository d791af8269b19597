"""Jobs as containers of this machine's Docker engine, where that is asked for (`--docker`, `--jobs containers`)."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filebatch_local.base.layout import LocalAwsError
from filebatch_local.batch.job import BatchJob
from filebatch_local.batch.processes import Command

# Fargate's names of processors, and Docker's.
PLATFORMS = {"X86_64": "linux/amd64", "ARM64": "linux/arm64"}


@dataclass(frozen=True)
class Containers:
    """A Docker engine that answers, and its client.

    Attributes:
        docker: path of the client.
        network: the network that jobs are in, where this server's address is reached.
    """

    docker: str
    network: str = "host"

    @classmethod
    def find(cls) -> Containers | None:
        """Return the engine, None where none answers."""
        docker = shutil.which("docker")
        return cls(docker, _network(docker)) if docker and _succeeds(docker, "info") else None

    def has(self, image: str) -> bool:
        """Tell whether the engine has an image; none is pulled."""
        return _succeeds(self.docker, "image", "inspect", image)

    def declared_volumes(self, image: str) -> set[str]:
        """Return the paths that an image declares with VOLUME."""
        asked = [self.docker, "image", "inspect", "--format={{json .Config.Volumes}}", image]
        return set(json.loads(subprocess.run(asked, check=True, capture_output=True, timeout=10).stdout) or {})

    def command(self, job: BatchJob, environment: Mapping[str, str], scratch: Path) -> Command:
        """Return the command that runs a job's image as Batch would.

        The variables go through a file that nobody else can read, not over the command line.
        """
        scratch.mkdir(parents=True, exist_ok=True)
        variables = scratch / "environment"
        variables.touch(mode=0o600)
        variables.write_text("".join(f"{name}={value}\n" for name, value in environment.items()), encoding="utf-8")
        name = f"filebatch-{scratch.name}"
        general = ["--rm", "--pull=never", f"--name={name}", f"--network={self.network}", f"--env-file={variables}"]
        limits = [f"--cpus={job.vcpus}", f"--memory={job.memory}m", f"--memory-swap={job.memory}m"]
        confined = options(job.job_definition.container_properties, self.declared_volumes(job.image))
        run = [self.docker, "run", *general, *limits, *confined, job.image, *job.command]
        return Command(run, _client_environment(), scratch, stop=(self.docker, "rm", "--force", name))


def check(image: str) -> None:
    """See that this machine's engine can run an image.

    Raises:
        LocalAwsError: it can't.
    """
    found = Containers.find()
    if found is None:
        raise LocalAwsError(
            "jobs are to be containers, but no Docker engine answers: start one, or let this user use its socket"
        )
    if not found.has(image):
        raise LocalAwsError(f"jobs are to be containers of {image}, which isn't there: make image TAG={image}")


def options(properties: Mapping[str, Any], declared: Collection[str]) -> list[str]:
    """Return `docker run`'s options for what a Fargate job definition says of processors, user, root, volumes and init.

    Args:
        properties: the definition's containerProperties.
        declared: the paths that its image declares with VOLUME.
    """
    architecture = (properties.get("runtimePlatform") or {}).get("cpuArchitecture", "X86_64")
    found = [f"--platform={PLATFORMS[architecture]}"]
    if properties.get("readonlyRootFilesystem"):
        found.append("--read-only")
    if properties.get("user"):
        found.append(f"--user={properties['user']}")
    if (properties.get("linuxParameters") or {}).get("initProcessEnabled"):
        found.append("--init")
    return found + [_mount(point, declared) for point in properties.get("mountPoints") or []]


def _mount(point: Mapping[str, Any], declared: Collection[str]) -> str:
    """Mount an empty volume: as the image made the folder where that declares it, else root's with mode 0755.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/bind-mounts.html
    """
    path = point["containerPath"]
    parts = ["type=volume", f"destination={path}"]
    parts += ["readonly"] if point.get("readOnly") else []
    parts += [] if path in declared else ["volume-nocopy"]
    return f"--mount={','.join(parts)}"


def _client_environment() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME", "DOCKER_HOST") if name in os.environ}


def _network(docker: str) -> str:
    """Return this machine's network; that of this server's own container, where it runs in one of the engine's."""
    own = socket.gethostname()
    return f"container:{own}" if _succeeds(docker, "container", "inspect", own) else "host"


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, check=False, capture_output=True, timeout=10).returncode == 0
