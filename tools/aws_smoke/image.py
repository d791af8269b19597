"""The worker's image: built for Fargate's processors, and pushed to the environment's registry."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aws_smoke import programs

ROOT = Path(__file__).parents[2]


def engine() -> str | None:
    """Return the address of the Docker engine, None where none answers."""
    docker = shutil.which("docker")
    if docker is None:
        return None
    asked = (docker, "context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
    told = subprocess.run(asked, capture_output=True, text=True, check=False)
    host = os.environ.get("DOCKER_HOST") or told.stdout.strip()
    answers = subprocess.run((docker, "info"), capture_output=True, check=False).returncode == 0
    return host if answers else None


def commands(repository: str, tag: str) -> Sequence[Sequence[str]]:
    """Return what builds the image and pushes it."""
    name = f"{repository}:{tag}"
    build = ("docker", "build", "--platform", "linux/amd64", "--file", "worker/Dockerfile", "--tag", name, ".")
    return build, ("docker", "push", name)


def push(ecr: Any, host: str, repository: str, tag: str, folder: Path) -> None:
    """Build and push. The login is kept in `folder`, not in the user's own configuration of Docker.

    Raises:
        ProgramError: the engine or the registry refused.
    """
    build, push_it = commands(repository, tag)
    programs.must(build, ROOT, os.environ, folder / "docker.log")
    token = base64.b64decode(ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]).decode()
    apart = {**os.environ, "DOCKER_CONFIG": str(folder / "docker"), "DOCKER_HOST": host}
    _login(repository.split("/", 1)[0], token.partition(":")[2], apart)
    programs.must(push_it, ROOT, apart, folder / "docker.log")


def _login(registry: str, password: str, environment: Mapping[str, str]) -> None:
    command = ("docker", "login", "--username", "AWS", "--password-stdin", registry)
    ended = subprocess.run(
        command, input=password, env=dict(environment), capture_output=True, text=True, check=False, timeout=120
    )
    if ended.returncode:
        raise programs.ProgramError(f"docker login {registry} ended with {ended.returncode}: {ended.stderr[-500:]}")
