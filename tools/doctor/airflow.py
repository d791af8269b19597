"""What Airflow tells: that of `make up`, or the one that the shell names, MWAA's among them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx

from doctor.told import Finding, NotChecked, Told
from filebatch.cli import airflow_api
from filebatch.cli.airflow_api import AirflowError
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


def paused_elsewhere(feeds: Sequence[str]) -> Iterator[Told]:
    """Tell the same of the Airflow that the shell names."""
    if not (os.environ.get(airflow_api.URL) or os.environ.get(airflow_api.MWAA)):
        yield NotChecked("paused DAGs", f"the shell names no Airflow: {airflow_api.URL}, or {airflow_api.MWAA}")
        return
    try:
        dags = airflow_api.pages(airflow_api.Airflow.here(), "/dags", "dags")
    except AirflowError as error:
        yield NotChecked("paused DAGs", str(error))
        return
    running = {dag["dag_id"] for dag in dags if not dag["is_paused"]}
    for feed in sorted(set(feeds) - running):
        yield Finding(f"the DAG {feed} is paused, or isn't there", "its files wait", "unpause it in Airflow's UI")
