"""What a local Airflow tells. MWAA's isn't asked: its REST API answers to `aws mwaa invoke-rest-api` alone."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx

from doctor.told import Finding, NotChecked, Told
from filebatch_local.base.layout import Layout
from local_system import airflow
from local_system.config import API_PORT, Config


def paused(feeds: Sequence[str]) -> Iterator[Told]:
    """Tell of each feed whose DAG is paused."""
    port = int(os.environ.get("FILEBATCH_AIRFLOW_PORT", str(API_PORT)))
    api = Config(Layout.here(), Path(sys.executable), api_port=port).api
    if "api-server" in airflow.unhealthy(api, since=0):
        yield NotChecked("paused DAGs", f"no Airflow of `make up` answers at {api.url}")
        return
    try:
        dags = airflow.ask(api, "GET", "/api/v2/dags?paused=false&limit=1000")["dags"]
    except httpx.HTTPError as error:
        yield NotChecked("paused DAGs", f"{api.url}: {error}")
        return
    for feed in sorted(set(feeds) - {dag["dag_id"] for dag in dags}):
        yield Finding(
            f"the DAG {feed} is paused, or isn't there", "its files wait", f"airflow dags unpause --yes {feed}"
        )
