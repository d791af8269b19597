"""Runs that people start from the page: Airflow's own REST API is asked, as they themselves would ask it.

So permission, audit log and validation are Airflow's. The request stays in the process: no address, no proxy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import httpx
from airflow.api_fastapi.app import cached_app
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from filebatch.queries import verbs

VERBS = {verb.name: verb for verb in verbs.ALL}
CREDENTIALS = ("authorization", "cookie")
MAX_REASON = 900  # characters; a run's note takes 1,000
MAX_KEYS = 1000

Key = Annotated[str, StringConstraints(min_length=1, max_length=1024)]


class Asked(BaseModel):
    """What somebody wants done: with which files of which feed, and why."""

    model_config = ConfigDict(extra="forbid")

    feed: Annotated[str, StringConstraints(min_length=1, max_length=250)]
    action: Literal["retry", "redo", "release"]
    keys: Annotated[list[Key], Field(min_length=1, max_length=MAX_KEYS)]
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_REASON)]


def conf_of(asked: Asked) -> dict[str, Any]:
    """Return the conf of the run that does it."""
    return VERBS[asked.action].conf(asked.keys, asked.reason)


async def start(asked: Asked, headers: Mapping[str, str]) -> tuple[int, Any]:
    """Start a run of the feed's DAG with the sender's own credentials; return Airflow's status and answer."""
    sent = {name: headers[name] for name in CREDENTIALS if name in headers}
    body = {"logical_date": None, "conf": conf_of(asked), "note": f"{asked.action}: {asked.reason}"}
    transport = httpx.ASGITransport(cached_app())
    async with httpx.AsyncClient(transport=transport, base_url="http://airflow") as airflow:
        answer = await airflow.post(f"/api/v2/dags/{asked.feed}/dagRuns", json=body, headers=sent)
    return answer.status_code, answer.json()
