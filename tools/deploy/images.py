"""The worker's image in the environment's registry: whether it is there, and bringing it there.

Its tag is the hash of what goes into it, so that an image that is there needn't be built again, and tags never move.
"""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import boto3
from botocore.exceptions import ClientError

from deploy import contents
from filebatch.feeds.feed import Feed

BASE = "BASE"  # names another base image than the Dockerfile's
ABSENT = {"ImageNotFoundException", "RepositoryNotFoundException"}
PLATFORMS = {"X86_64": "linux/amd64", "ARM64": "linux/arm64"}


class Engine(Protocol):
    """What builds images and pushes them."""

    def problem(self) -> str | None:
        """Say why it can't be used, None where it can."""

    def push(self, image: str, platforms: Sequence[str], login: tuple[str, str]) -> None:
        """Build an image for platforms (linux/amd64, …) and push it; `login` is user and password of its registry."""


@dataclass(frozen=True)
class Docker:
    """Docker's engine, building from a clone."""

    root: Path

    def problem(self) -> str | None:
        """See Engine."""
        if not shutil.which("docker"):
            return "there is no docker on the path"
        command = ["docker", "info"]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        return "no Docker engine answers" if ended.returncode else None

    def push(self, image: str, platforms: Sequence[str], login: tuple[str, str]) -> None:
        """See Engine; the password is given on stdin, where no list of processes shows it."""
        user, password = login
        command = ["docker", "login", "--username", user, "--password-stdin", image.partition("/")[0]]
        subprocess.run(command, input=password, text=True, check=True, stdout=subprocess.DEVNULL)
        for command in commands(self.root, image, platforms, os.environ.get(BASE, "")):
            subprocess.run(command, check=True)


def commands(root: Path, image: str, platforms: Sequence[str], base: str = "") -> list[list[str]]:
    """Return what builds and pushes an image; `base` is another base image than the Dockerfile's."""
    file = ["--file", str(root / "worker" / "Dockerfile"), *(["--build-arg", f"BASE={base}"] if base else [])]
    if len(platforms) > 1:
        every = ",".join(platforms)
        return [["docker", "buildx", "build", "--platform", every, *file, "--tag", image, "--push", str(root)]]
    built = ["docker", "build", "--platform", platforms[0], *file, "--tag", image, str(root)]
    return [built, ["docker", "push", image]]


def is_there(repository_url: str, tag: str) -> bool:
    """Tell whether an image is in its registry."""
    name = repository_url.partition("/")[2]
    try:
        boto3.client("ecr").describe_images(repositoryName=name, imageIds=[{"imageTag": tag}])
    except ClientError as error:
        if error.response["Error"]["Code"] not in ABSENT:
            raise
        return False
    return True


def login() -> tuple[str, str]:
    """Return user and password of the account's registry."""
    answer: Any = boto3.client("ecr").get_authorization_token()["authorizationData"][0]
    user, _, password = base64.b64decode(answer["authorizationToken"]).decode().partition(":")
    return user, password


def platforms(architectures: Iterable[str]) -> list[str]:
    """Return the platforms that an image must be for: those that feeds' containers have."""
    return sorted({PLATFORMS[each] for each in architectures}) or [PLATFORMS["X86_64"]]


def of_feeds(feeds: Iterable[Feed]) -> list[str]:
    """Return the platforms that the worker's image must be for, as feeds without an image of their own need it."""
    return platforms(feed.architecture for feed in feeds if feed.image is None)


def tag(root: Path, feeds: Iterable[Feed]) -> str:
    """Return the tag of a clone's image: the hash of what it's made of, and of the processors that it's for."""
    return contents.image(root, os.environ.get(BASE, ""), *of_feeds(feeds))[:12]
