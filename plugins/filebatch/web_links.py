"""Addresses of pages in Airflow's UI: the files of a feed, and of one run of it."""

from __future__ import annotations

from urllib.parse import quote, urlsplit


def base_url() -> str:
    """Return where people find Airflow (`[api] base_url`), without a slash at its end; "" where nobody has said it."""
    from airflow.sdk.configuration import conf

    return str(conf.get("api", "base_url", fallback="") or "").rstrip("/")


def path() -> str:
    """Return the path below which Airflow's pages are, "" for the root: for links from one page to another."""
    return urlsplit(base_url()).path.rstrip("/")


def of_feed(base: str, feed: str) -> str:
    """Return the page of a feed's files."""
    return f"{base}/dags/{quote(feed, safe='')}/plugin/files"


def of_run(base: str, feed: str, run_id: str) -> str:
    """Return the page of the files of one run of a feed."""
    return f"{base}/dags/{quote(feed, safe='')}/runs/{quote(run_id, safe='')}/plugin/run-files"
