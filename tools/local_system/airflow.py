"""A local Airflow's REST API, used as its only user, an admin."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from filebatch_local.base import private

USER = "admin"
LOGIN = "/local-login"
PARTS = ("scheduler", "triggerer", "dag_processor")
TIMEOUT = 180.0  # seconds; each commit of a write waits up to a minute for other writers of the database


@dataclass(frozen=True)
class Api:
    """A local Airflow's API server.

    Attributes:
        url: its URL.
        password: the user's; "" before the first start.
    """

    url: str
    password: str = field(repr=False)

    @classmethod
    def of(cls, url: str, passwords: Path) -> Api:
        """Return a server whose password is in a file."""
        known = json.loads(passwords.read_text(encoding="utf-8")) if passwords.exists() else {}
        return cls(url, known.get(USER, ""))

    @property
    def login(self) -> str:
        """The link that logs a browser in."""
        return f"{self.url}{LOGIN}?key={self.password}"


def new_password(passwords: Path) -> None:
    """Write a new password for the user; only the file's owner can read it."""
    private.write(passwords, json.dumps({USER: secrets.token_urlsafe(32)}))


def unhealthy(api: Api, since: float) -> list[str]:
    """Return the parts that Airflow calls unhealthy or last heard of before `since` (seconds since 1970)."""
    try:
        found = ask(api, "GET", "/api/v2/monitor/health")
    except httpx.HTTPError:
        return ["api-server"]
    return [part for part in PARTS if not _is_healthy(part, found.get(part) or {}, since)]


def unpaused(api: Api) -> list[str]:
    """Return the ids of Airflow's unpaused DAGs; none where it doesn't answer."""
    try:
        return [dag["dag_id"] for dag in ask(api, "GET", "/api/v2/dags?paused=false&limit=1000")["dags"]]
    except httpx.HTTPError:
        return []


def watched(api: Api) -> set[str]:
    """Return the ids of DAGs whose assets have watchers in Airflow's database; none where it doesn't answer."""
    try:
        assets = ask(api, "GET", "/api/v2/assets?limit=1000")["assets"]
    except httpx.HTTPError:
        return set()
    return {dag["dag_id"] for asset in assets if asset["watchers"] for dag in asset["scheduled_dags"]}


def triggerers(api: Api) -> int:
    """Return the number of running triggerers; for a while Airflow counts one that has ended."""
    return int(ask(api, "GET", "/api/v2/jobs?job_type=TriggererJob&is_alive=true&job_state=running")["total_entries"])


def unpause(api: Api, dag_id: str) -> None:
    """Unpause a DAG; do nothing where Airflow doesn't know it yet.

    Its file is parsed again at once, as until then nothing watches the assets of a DAG that was paused.
    """
    try:
        dag = ask(api, "PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": False})
        ask(api, "PUT", f"/api/v2/parseDagFile/{dag['file_token']}")
    except httpx.HTTPStatusError as error:
        if error.response.status_code not in (httpx.codes.NOT_FOUND, httpx.codes.CONFLICT):
            raise


def ask(api: Api, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
    """Send a request to the REST API and return its answer, None where that is empty.

    Raises:
        httpx.HTTPError: nobody answers, or the request is refused (HTTPStatusError).
    """
    # No proxy: it couldn't reach this machine, and would get the password.
    with httpx.Client(base_url=api.url, timeout=TIMEOUT, trust_env=False) as client:
        known = client.post("/auth/token", json={"username": USER, "password": api.password}).raise_for_status().json()
        headers = {"Authorization": f"Bearer {known['access_token']}"}
        answer = client.request(method, path, json=body, headers=headers).raise_for_status()
        return answer.json() if answer.content else None


def _is_healthy(part: str, found: Mapping[str, str | None], since: float) -> bool:
    heard = found.get(f"latest_{part}_heartbeat")
    return found.get("status") == "healthy" and bool(heard) and datetime.fromisoformat(str(heard)).timestamp() > since
