"""Asking a local Airflow over its REST API, as its only user, who is an admin."""

from __future__ import annotations

import json
import secrets
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from filebatch_local.base import private

USER = "admin"
LOGIN = "/local-login"
PARTS = ("scheduler", "triggerer", "dag_processor")
TIMEOUT = 60.0  # seconds; a write waits for the other writers of a laptop's database
NOT_FOUND, ASKED_ALREADY = 404, 409


@dataclass(frozen=True)
class Api:
    """A local Airflow's API server.

    Attributes:
        url: where it is.
        password: its user's, "" before the first start.
    """

    url: str
    password: str = field(repr=False)

    @classmethod
    def of(cls, url: str, passwords: Path) -> Api:
        """Return a server whose password lies in a file."""
        known = json.loads(passwords.read_text(encoding="utf-8")) if passwords.exists() else {}
        return cls(url, known.get(USER, ""))

    @property
    def login(self) -> str:
        """The link that logs a browser in."""
        return f"{self.url}{LOGIN}?key={self.password}"


def new_password(passwords: Path) -> None:
    """Give the user another password, which only the owner of the file may read."""
    private.write(passwords, json.dumps({USER: secrets.token_urlsafe(32)}))


def ill(api: Api, since: float) -> list[str]:
    """Return which parts Airflow doesn't call healthy, or last heard of before `since` (seconds since 1970)."""
    try:
        found = ask(api, "GET", "/api/v2/monitor/health")
    except OSError:
        return ["api-server"]
    return [part for part in PARTS if not _is_well(part, found.get(part) or {}, since)]


def awake(api: Api) -> list[str]:
    """Return the ids of DAGs that Airflow knows and that aren't paused; none where it doesn't answer."""
    try:
        return [dag["dag_id"] for dag in ask(api, "GET", "/api/v2/dags?paused=false&limit=1000")["dags"]]
    except OSError:
        return []


def listening(api: Api) -> set[str]:
    """Return the ids of DAGs that an asset starts whose watchers Airflow has set up; none where it doesn't answer."""
    try:
        assets = ask(api, "GET", "/api/v2/assets?limit=1000")["assets"]
    except OSError:
        return set()
    return {dag["dag_id"] for asset in assets if asset["watchers"] for dag in asset["scheduled_dags"]}


def triggerers(api: Api) -> int:
    """Return how many triggerers are at work; for a while Airflow calls one alive that has ended, too."""
    return int(ask(api, "GET", "/api/v2/jobs?job_type=TriggererJob&is_alive=true&job_state=running")["total_entries"])


def unpause(api: Api, dag_id: str) -> None:
    """Have a DAG's runs start; one that Airflow doesn't know yet is left for later.

    Its file is read again at once: until then nothing watches the assets of a DAG that was paused.
    """
    try:
        dag = ask(api, "PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": False})
        ask(api, "PUT", f"/api/v2/parseDagFile/{dag['file_token']}")
    except urllib.error.HTTPError as error:
        if error.code not in (NOT_FOUND, ASKED_ALREADY):
            raise


def ask(api: Api, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
    """Ask something of the REST API and return its answer.

    Raises:
        OSError: nobody answers, or the answer is no (urllib's HTTPError).
    """
    token = _sent(api, "POST", "/auth/token", {"username": USER, "password": api.password}, {})["access_token"]
    return _sent(api, method, path, body, {"Authorization": f"Bearer {token}"})


def _sent(api: Api, method: str, path: str, body: Mapping[str, Any] | None, headers: Mapping[str, str]) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {**headers, "Content-Type": "application/json"}
    request = urllib.request.Request(f"{api.url}{path}", method=method, data=data, headers=headers)  # noqa: S310 - ours
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310 - as above
        return json.load(answer)


def _is_well(part: str, found: Mapping[str, str | None], since: float) -> bool:
    heard = found.get(f"latest_{part}_heartbeat")
    return found.get("status") == "healthy" and bool(heard) and datetime.fromisoformat(str(heard)).timestamp() > since
