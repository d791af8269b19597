"""A local system's folders and ports, and the settings that its Airflow runs with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from filebatch_local.base import access, private
from filebatch_local.base.layout import PORT, Layout
from filebatch_local.serve import shell
from local_system.airflow import USER, Api

HOST = "127.0.0.1"
API_PORT = 8080


class LocalSystemError(Exception):
    """The local system can't do what was asked; the message says what was expected, found, and what to do."""


@dataclass(frozen=True)
class Config:
    """A local system's folders, ports and Airflow.

    Attributes:
        layout: folders of the repository and of state.
        python: interpreter of the environment that has Airflow.
        aws_port: port of the local AWS on loopback.
        api_port: port of Airflow's API server and UI on loopback.
        dags: DAG folder; None for the repository's.
        aws_user: the name with which Airflow uses the local AWS.
        extra_environment: further environment of single processes, by name.
    """

    layout: Layout
    python: Path
    aws_port: int = PORT
    api_port: int = API_PORT
    dags: Path | None = None
    aws_user: str = access.DEVELOPER
    extra_environment: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        """AIRFLOW_HOME; one for each environment, as their databases differ."""
        return self.layout.airflow_home(self.python.parents[1])

    @property
    def logs(self) -> Path:
        """Folder of the processes' output."""
        return self.layout.state / "logs"

    @property
    def record(self) -> Path:
        """File that says which processes were started."""
        return self.layout.state / "system.json"

    @property
    def passwords(self) -> Path:
        """File that holds the password of Airflow's only user, as its simple auth manager reads it."""
        return self.layout.state / "airflow-passwords.json"

    @property
    def api(self) -> Api:
        """The API server, with its password."""
        return Api.of(f"http://{HOST}:{self.api_port}", self.passwords)


def airflow_environment(config: Config, endpoint: str, settings: Mapping[str, object], key: str) -> dict[str, str]:
    """Return the environment of Airflow's processes, beside what they inherit."""
    home = config.home
    return {
        **shell.environment(config.layout, endpoint, settings, key),
        **access.credentials(key, config.aws_user),
        **signing_secrets(home),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(config.dags or config.layout.root / "dags"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "PYTHONPATH": f"{config.layout.root / 'tools'}:{config.layout.package}",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "8",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:ADMIN",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(config.passwords),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{config.api.url}/execution/",
        "AIRFLOW__API__HOST": HOST,
        "AIRFLOW__API__PORT": str(config.api_port),
        "AIRFLOW__API__BASE_URL": config.api.url,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__MAXIMUM_PAGE_LIMIT": "1000",  # more than the feeds that are listed at once
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(config.logs / "tasks"),
        # Airflow 3.2 assigns this many asset triggers and no more: one is needed for each feed.
        "AIRFLOW__TRIGGERER__MAX_TRIGGER_TO_SELECT_PER_LOOP": "1000",
        # Airflow's loops sleep this long between passes, which is part of each file's latency.
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "PYTHONUNBUFFERED": "1",
    }


def signing_secrets(folder: Path) -> dict[str, str]:
    """Return the secrets with which Airflow's processes sign, kept in a folder from start to start."""
    folder.mkdir(parents=True, exist_ok=True)
    return {
        "AIRFLOW__API_AUTH__JWT_SECRET": private.secret(folder / ".jwt-secret", 64),
        "AIRFLOW__API__SECRET_KEY": private.secret(folder / ".secret-key"),
    }
