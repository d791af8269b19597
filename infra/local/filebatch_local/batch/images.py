"""A container's environment and paths, as pure functions.

On this machine an image is a name for folders with commands. The runtime is told which there are; it doesn't know
what is in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from filebatch_local.base import access
from filebatch_local.base.layout import WORKER_IMAGE, Layout


@dataclass(frozen=True)
class ImageEnv:
    """An image that is folders of this machine.

    Attributes:
        path: folders in which commands are found, first one first.
        env: variables that the image would set (ENV in a Dockerfile).
    """

    path: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)

    def variables(self) -> dict[str, str]:
        """Return what the image itself sets."""
        return {**self.env, "PATH": ":".join(self.path)}


Images = Mapping[str, ImageEnv]


def of_repository(layout: Layout) -> dict[str, ImageEnv]:
    """Return this repository's image: the worker and its environment."""
    path = (str(layout.root / ".venv-worker" / "bin"), "/usr/local/bin", "/usr/bin", "/bin")
    return {WORKER_IMAGE: ImageEnv(path, {"PYTHONPATH": f"{layout.root / 'worker'}:{layout.plugins}"})}


def images_to_json(images: Images) -> dict[str, Any]:
    """Return images as a JSON document."""
    return {name: asdict(image) for name, image in images.items()}


def images_from_json(document: Mapping[str, Any]) -> dict[str, ImageEnv]:
    """Read `{image: {"path": [folder, …], "env": {name: value}}}`."""
    return {name: ImageEnv(tuple(one["path"]), dict(one.get("env") or {})) for name, one in document.items()}


def no_such_image(image: str) -> str:
    """Return the reason of a container whose image doesn't exist."""
    retried = "pull image manifest has been retried 1 time(s): failed to resolve ref"
    return f"CannotPullContainerError: {retried} {image}: not found"


@dataclass(frozen=True)
class Platform:
    """What AWS sets in every container: region, endpoint, credentials.

    Attributes:
        endpoint: URL of this local AWS.
        region: its region.
        key: the access key that lets jobs in.
    """

    endpoint: str
    region: str
    key: str = field(repr=False)

    def variables(self, role: str) -> dict[str, str]:
        """Return the variables of a container with a role; the role's name is in its access key id."""
        return {
            **access.credentials(self.key, role),
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
        }


def batch_variables(job_id: str, index: int | None, attempt: int, queue: str, environment: str) -> dict[str, str]:
    """Return the variables that Batch sets.

    https://docs.aws.amazon.com/batch/latest/userguide/job_env_vars.html
    """
    variables = {
        "AWS_BATCH_JOB_ID": job_id,
        "AWS_BATCH_JOB_ATTEMPT": str(attempt),
        "AWS_BATCH_JQ_NAME": queue,
        "AWS_BATCH_CE_NAME": environment,
    }
    if index is not None:
        variables["AWS_BATCH_JOB_ARRAY_INDEX"] = str(index)
    return variables


def mounts(mount_points: Iterable[Mapping[str, Any]], scratch: Path) -> dict[str, Path]:
    """Give each mount point's path in the container a folder that stands for it."""
    return {point["containerPath"].rstrip("/"): scratch / "mounts" / point["sourceVolume"] for point in mount_points}


def on_this_disk(value: str, mounted: Mapping[str, Path]) -> str:
    """Rewrite a value that names a mount point or a path in it: a process has no mounts of its own."""
    for path, folder in mounted.items():
        if value == path or value.startswith(f"{path}/"):
            return str(folder) + value[len(path) :]
    return value
