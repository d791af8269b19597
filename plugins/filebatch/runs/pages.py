"""Addresses of the Files page in Airflow's UI, below where Airflow is: of a feed's files, and of one run's."""

from __future__ import annotations

from urllib.parse import quote


def of_feed(base: str, feed: str) -> str:
    """Return the page of a feed's files."""
    return f"{base}/dags/{quote(feed, safe='')}/plugin/files"


def of_run(base: str, feed: str, run_id: str) -> str:
    """Return the page of the files of one run of a feed."""
    return f"{base}/dags/{quote(feed, safe='')}/runs/{quote(run_id, safe='')}/plugin/run-files"
