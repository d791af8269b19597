"""The worker's image: built for Fargate's processors, and pushed to the environment's registry."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from aws_smoke import programs
from deploy import images

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


def push(host: str, repository: str, tag: str, folder: Path) -> None:
    """Build and push. The login is kept in `folder`, not in the user's own configuration of Docker.

    Raises:
        ProgramError: the engine or the registry refused.
    """
    build, push_it = images.commands(ROOT, f"{repository}:{tag}", images.platforms([]), os.environ.get(images.BASE, ""))
    programs.must(build, ROOT, os.environ, folder / "docker.log")
    apart = {**os.environ, "DOCKER_CONFIG": str(folder / "docker"), "DOCKER_HOST": host}
    _login(repository.partition("/")[0], images.login(), apart)
    programs.must(push_it, ROOT, apart, folder / "docker.log")


def _login(registry: str, login: tuple[str, str], environment: Mapping[str, str]) -> None:
    user, password = login
    command = ("docker", "login", "--username", user, "--password-stdin", registry)
    ended = subprocess.run(
        command, input=password, env=dict(environment), capture_output=True, text=True, check=False, timeout=120
    )
    if ended.returncode:
        raise programs.ProgramError(f"docker login {registry} ended with {ended.returncode}: {ended.stderr[-500:]}")
