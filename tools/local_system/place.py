"""Where a local system keeps its things, and the settings its Airflow runs with."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from filebatch_local.cli import environment as shell_environment
from filebatch_local.layout import PORT, Layout

HOST = "127.0.0.1"
API_PORT = 8080


class LocalSystemError(Exception):
    """The local system can't do what was asked; says what was expected, what was found and what to do."""


@dataclass(frozen=True)
class Place:
    """A local system's folders, ports and Airflow.

    Attributes:
        layout: the repository, and where state is kept.
        python: interpreter of the environment that has Airflow.
        aws_port: port of the local AWS on loopback.
        api_port: port of Airflow's API server and UI on loopback.
        dags: DAG folder; None for the repository's.
        more: further environment of single processes, by name.
    """

    layout: Layout
    python: Path
    aws_port: int = PORT
    api_port: int = API_PORT
    dags: Path | None = None
    more: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

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
    def api(self) -> str:
        """URL of the API server."""
        return f"http://{HOST}:{self.api_port}"


def airflow_environment(place: Place, endpoint: str, settings: Mapping[str, object]) -> dict[str, str]:
    """Return the environment of Airflow's processes, beside what they inherit."""
    home = place.home
    return {
        **shell_environment(place.layout, endpoint, settings),
        **_secrets(home),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(place.dags or place.layout.root / "dags"),
        # A laptop has no database server; writers wait for each other instead of failing.
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS": "local_system.sqlite.connect_args",
        "PYTHONPATH": str(place.layout.root / "tools"),
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "8",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{place.api}/execution/",
        "AIRFLOW__API__HOST": HOST,
        "AIRFLOW__API__PORT": str(place.api_port),
        "AIRFLOW__API__BASE_URL": place.api,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__MAXIMUM_PAGE_LIMIT": "1000",  # feeds that are asked after at once
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(place.logs / "tasks"),
        # Airflow 3.2 assigns this many asset triggers and no more: one is needed for each feed.
        "AIRFLOW__TRIGGERER__MAX_TRIGGER_TO_SELECT_PER_LOOP": "1000",
        # The share of a drop's way that is Airflow's loops asleep, on a machine of one's own.
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "PYTHONUNBUFFERED": "1",
    }


def _secrets(home: Path) -> dict[str, str]:
    """Return what Airflow's processes sign with, the same as at the last start."""

    def kept(name: str, size: int = 32) -> str:
        file = home / f".{name}"
        if not file.exists():
            home.mkdir(parents=True, exist_ok=True)
            file.touch(mode=0o600)
            file.write_text(base64.urlsafe_b64encode(secrets.token_bytes(size)).decode(), encoding="ascii")
        return file.read_text(encoding="ascii")

    return {
        "AIRFLOW__API_AUTH__JWT_SECRET": kept("jwt-secret", 64),
        "AIRFLOW__API__SECRET_KEY": kept("secret-key"),
    }
