"""Folders and files of the repository, names of the environment, and what this package raises."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from filebatch_local.base import private

HOST = "127.0.0.1"
PORT = 4566
REGION = "eu-west-1"
ENVIRONMENT = "filebatch-local"
WORKER_IMAGE = "filebatch-worker:local"


class LocalAwsError(Exception):
    """The local AWS can't do what was asked; the message says what was expected, found, and what to do."""


@dataclass(frozen=True)
class Layout:
    """A repository's folders.

    Attributes:
        root: the repository.
        state: folder for process id, settings and logs of a running local AWS, and for the jobs' scratch folders.
    """

    root: Path
    state: Path

    @classmethod
    def here(cls, state: Path | None = None) -> Layout:
        """Return the layout of the repository that holds this package; `state` replaces the folder `.local`."""
        root = Path(__file__).resolve().parents[4]
        return cls(root, (state or root / ".local").resolve())

    @property
    def feeds(self) -> Path:
        """Folder of feed files."""
        return self.root / "dags" / "feeds"

    @property
    def documents(self) -> Path:
        """Folder of what the local AWS and Terraform both read."""
        return self.root / "infra" / "documents"

    @property
    def dockerfile(self) -> Path:
        """The worker's Dockerfile."""
        return self.root / "worker" / "Dockerfile"

    @property
    def plugins(self) -> Path:
        """Folder of the library."""
        return self.root / "plugins"

    @property
    def package(self) -> Path:
        """Folder that holds this package."""
        return self.root / "infra" / "local"

    @property
    def scratch(self) -> Path:
        """Folder in which jobs run."""
        return self.state / "jobs"

    @property
    def messages(self) -> Path:
        """File with what was published to topics, for people to read."""
        return self.state / "messages.txt"

    @property
    def key_file(self) -> Path:
        """File that holds the access key of the local AWS."""
        return self.state / "aws.key"

    def make_state(self) -> None:
        """Make the state folder, which only its owner may enter: it holds keys and the jobs' files.

        Raises:
            LocalAwsError: another folder than `.local` was asked for, and others may enter it.
        """
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.state == self.root / ".local":
            self.state.chmod(0o700)  # older versions left it open
        if not private.is_private(self.state):
            raise LocalAwsError(
                f"{self.state} would hold keys: expected a folder that only its owner may enter (mode 0700), "
                f"found others let in. `chmod 700` it, or choose another with --state."
            )

    def airflow_home(self, venv: Path) -> Path:
        """Return the AIRFLOW_HOME of an environment: each Airflow has a database of its own."""
        return self.state / f"airflow{venv.name.removeprefix('.venv')}"
