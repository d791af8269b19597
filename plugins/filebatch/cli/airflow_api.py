"""Asking Airflow's REST API, as a person with a name there: over HTTP, or of Amazon MWAA through AWS.

https://airflow.apache.org/docs/apache-airflow/stable/stable-rest-api-ref.html
https://docs.aws.amazon.com/mwaa/latest/userguide/access-mwaa-apache-airflow-rest-api.html
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import httpx
from botocore.exceptions import BotoCoreError, ClientError

from filebatch.core.errors import FilebatchError

URL, TOKEN, MWAA = "FILEBATCH_AIRFLOW_URL", "FILEBATCH_AIRFLOW_TOKEN", "FILEBATCH_MWAA_ENVIRONMENT"
PORT, PASSWORDS = "FILEBATCH_AIRFLOW_PORT", "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"
TIMEOUT = 60.0  # seconds
PAGE = 100  # Airflow answers no more at once, unless its api.maximum_page_limit says otherwise


class AirflowError(FilebatchError):
    """Airflow answers, and doesn't do what it was asked for."""


@dataclass(frozen=True)
class Airflow:
    """An Airflow's REST API.

    Attributes:
        url: where it is.
        token: a token of whoever acts; "" to log in by `passwords`.
        passwords: file of a local Airflow's passwords by user.
        mwaa: name of the environment of Amazon MWAA that it is; "" for one that is asked over HTTP.
    """

    url: str = ""
    token: str = field(default="", repr=False)
    passwords: Path | None = None
    mwaa: str = ""

    @classmethod
    def here(cls) -> Airflow:
        """Return what the shell's variables say; a local one on its usual port where they say nothing."""
        file = os.environ.get(PASSWORDS)
        local = f"http://127.0.0.1:{os.environ.get(PORT) or 8080}"
        url, token = os.environ.get(URL) or local, os.environ.get(TOKEN, "")
        return cls(url, token, Path(file) if file else None, os.environ.get(MWAA, ""))

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return f"MWAA environment {self.mwaa}" if self.mwaa else self.url


def start(airflow: Airflow, dag_id: str, conf: Mapping[str, Any], note: str) -> str | None:
    """Start a run of a DAG; return its id, or None where no Airflow answers.

    Raises:
        AirflowError: it refuses.
    """
    body = {"logical_date": None, "conf": dict(conf), "note": note}
    answer = ask(airflow, "POST", f"/dags/{dag_id}/dagRuns", body=body)
    return None if answer is None else str(answer["dag_run_id"])


def ask(
    airflow: Airflow,
    method: str,
    path: str,
    *,
    query: Mapping[str, Any] | None = None,
    body: Mapping[str, Any] | None = None,
) -> Any:
    """Ask for a path, which has no `/api/v2` in front; return the answer's document, None where no Airflow answers.

    Raises:
        AirflowError: it refuses, or its answer doesn't come or isn't JSON.
    """
    if airflow.mwaa:
        return _through_aws(airflow.mwaa, method, path, query or {}, body)
    # No proxy for this machine: it couldn't reach it, and would get the password.
    with httpx.Client(
        base_url=airflow.url, timeout=TIMEOUT, trust_env=not airflow.url.startswith("http://127.")
    ) as client:
        try:
            headers = {"Authorization": f"Bearer {airflow.token or _log_in(airflow, client)}"}
            answer = client.request(method, f"/api/v2{path}", params=query, json=body, headers=headers)
        except httpx.ConnectError:
            return None
        except httpx.HTTPError as error:
            raise AirflowError(
                f"{airflow.name}: expected an answer to {method} {path}, found {error!r}; it may be done all the same"
            ) from error
    if answer.is_error or "json" not in answer.headers.get("Content-Type", ""):
        raise _refused(airflow.name, method, path, answer.status_code, answer.text)
    return answer.json()


def pages(airflow: Airflow, path: str, name: str) -> list[dict[str, Any]]:
    """Return all entries of a list, which Airflow answers in pages.

    Raises:
        AirflowError: it refuses, or nobody answers.
    """
    found: list[dict[str, Any]] = []
    while True:
        answer = ask(airflow, "GET", path, query={"limit": PAGE, "offset": len(found)})
        if answer is None:
            raise AirflowError(f"{airflow.name}: nobody answers")
        found += answer[name]
        if not answer[name] or len(found) >= answer["total_entries"]:
            return found


def _through_aws(name: str, method: str, path: str, query: Mapping[str, Any], body: Mapping[str, Any] | None) -> Any:
    asked: dict[str, Any] = {"Name": name, "Method": method, "Path": path}
    asked |= {key: dict(value) for key, value in (("QueryParameters", query), ("Body", body)) if value}
    try:
        return boto3.client("mwaa").invoke_rest_api(**asked)["RestApiResponse"]
    except ClientError as error:
        status = error.response.get("RestApiStatusCode", error.response["Error"]["Code"])
        told = error.response.get("RestApiResponse") or error.response["Error"].get("Message", "")
        raise _refused(f"MWAA environment {name}", method, path, status, str(told)) from error
    except BotoCoreError as error:
        raise AirflowError(f"MWAA environment {name}: can't be asked: {error}") from error


def _refused(name: str, method: str, path: str, status: int | str, told: str) -> AirflowError:
    return AirflowError(f"{name}: expected an answer to {method} {path}, found {status} {told[:300]}")


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
