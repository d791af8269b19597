"""Starting runs of a feed's DAG: through Airflow's REST API where one answers, as a person with a name there.

https://airflow.apache.org/docs/apache-airflow/stable/stable-rest-api-ref.html
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from filebatch.core.errors import FilebatchError

URL, TOKEN = "FILEBATCH_AIRFLOW_URL", "FILEBATCH_AIRFLOW_TOKEN"
PORT, PASSWORDS = "FILEBATCH_AIRFLOW_PORT", "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"
TIMEOUT = 60.0  # seconds


class AirflowError(FilebatchError):
    """Airflow answers, and doesn't start the run."""


@dataclass(frozen=True)
class Airflow:
    """An Airflow's REST API.

    Attributes:
        url: where it is.
        token: a token of whoever acts; "" to log in by `passwords`.
        passwords: file of a local Airflow's passwords by user.
    """

    url: str
    token: str = field(default="", repr=False)
    passwords: Path | None = None

    @classmethod
    def here(cls) -> Airflow:
        """Return what the shell's variables say; a local one on its usual port where they say nothing."""
        file = os.environ.get(PASSWORDS)
        local = f"http://127.0.0.1:{os.environ.get(PORT) or 8080}"
        return cls(os.environ.get(URL) or local, os.environ.get(TOKEN, ""), Path(file) if file else None)


def start(airflow: Airflow, dag_id: str, conf: Mapping[str, Any], note: str) -> str | None:
    """Start a run of a DAG; return its id, or None where no Airflow answers.

    Raises:
        AirflowError: it refuses.
    """
    # No proxy for this machine: it couldn't reach it, and would get the password.
    with httpx.Client(
        base_url=airflow.url, timeout=TIMEOUT, trust_env=not airflow.url.startswith("http://127.")
    ) as client:
        try:
            headers = {"Authorization": f"Bearer {airflow.token or _log_in(airflow, client)}"}
            body = {"logical_date": None, "conf": dict(conf), "note": note}
            answer = client.post(f"/api/v2/dags/{dag_id}/dagRuns", json=body, headers=headers)
        except httpx.ConnectError:
            return None
    if answer.is_error:
        raise AirflowError(f"{airflow.url}: expected a run of {dag_id}, found {answer.status_code} {answer.text[:300]}")
    return str(answer.json()["dag_run_id"])


def _log_in(airflow: Airflow, client: httpx.Client) -> str:
    file = airflow.passwords
    known = json.loads(file.read_text(encoding="utf-8")) if file and file.exists() else {}
    if not known:
        client.get("/api/v2/version")  # whether anybody answers at all
        raise AirflowError(f"{airflow.url} answers, and nobody is named who acts: export {TOKEN} with a token of yours")
    user, password = next(iter(known.items()))
    answer = client.post("/auth/token", json={"username": user, "password": password})
    if answer.is_error:
        raise AirflowError(f"{airflow.url}: expected a token for {user}, found {answer.status_code}; export {TOKEN}")
    return str(answer.json()["access_token"])


def by_hand(dag_id: str, conf: Mapping[str, Any]) -> str:
    """Return the command that does the same where no scheduler runs."""
    return f"airflow dags test {dag_id} --conf {shlex.quote(json.dumps(conf))}"
