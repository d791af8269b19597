"""The Docker engine, for tests marked `docker`: `make test-docker` runs them."""

import functools
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from aws import ROOT
from deploy import images

WORKER = "filebatch-worker:test"
DOCKER = shutil.which("docker") or ""


def docker(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([DOCKER, *arguments], input=stdin, capture_output=True, check=False)


@functools.cache
def missing() -> str | None:
    """Say why no container can be run, None where one can."""
    if not DOCKER:
        return "docker is not installed"
    asked = docker("version")
    return f"no Docker engine answers: {asked.stderr.decode().strip().splitlines()[-1]}" if asked.returncode else None


def needed() -> None:
    """Skip the test that calls this where there is no engine."""
    if reason := missing():
        pytest.skip(reason)


def base_of(dockerfile: Path) -> str:
    """Return a Dockerfile's base image, which is here; skip the test where it can't be had."""
    (base,) = (line.partition("=")[2] for line in dockerfile.read_text().splitlines() if line.startswith("ARG BASE="))
    base = os.environ.get(images.BASE, base)
    if docker("image", "inspect", base).returncode and docker("pull", "--quiet", base).returncode:
        pytest.skip(f"the base image {base} is not here and cannot be pulled")
    return base


def build(dockerfile: Path, folder: Path, tag: str, **arguments: str) -> str:
    """Build an image as users do; return its tag."""
    given = [f"--build-arg={name}={value}" for name, value in {"BASE": base_of(dockerfile), **arguments}.items()]
    built = docker("build", "--platform=linux/amd64", f"--file={dockerfile}", f"--tag={tag}", *given, str(folder))
    assert built.returncode == 0, f"{built.stdout.decode()[-3000:]}\n{built.stderr.decode()[-3000:]}"
    return tag


@functools.cache
def worker() -> str:
    """Return the worker's image, built from this clone."""
    needed()
    return build(ROOT / "worker" / "Dockerfile", ROOT, WORKER)


CONFINED = ("--rm", "--interactive", "--read-only", "--network=none", "--cap-drop=ALL", "--memory=512m")


def run(image: str, *command: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run a command in a container that may write to its volumes alone."""
    return docker("run", *CONFINED, image, *command, stdin=stdin)
