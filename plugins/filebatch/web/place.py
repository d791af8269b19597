"""Feeds and settings as the API server has them."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Any

from airflow.configuration import conf

from filebatch.feeds.feed import load_feed
from filebatch.run_context import AWS_CONN_ID, connector, feed_context
from filebatch.runs.context import FeedContext

KEPT = 60.0  # seconds for which clients serve all requests: a connection that is changed counts from then on


def folder() -> Path:
    """Return the folder of feed files."""
    return Path(conf.get_mandatory_value("core", "dags_folder")) / "feeds"


def names() -> list[str]:
    """Return the names of the feeds that have a file, in order."""
    return sorted(file.stem for file in folder().glob("*.yaml"))


def context(name: str) -> FeedContext | None:
    """Return a feed's context; None where there is no such feed.

    Raises:
        FeedError: its file is broken.
        ConfigurationError: the settings are missing or broken.
    """
    if name not in names():
        return None
    return feed_context(load_feed(folder() / f"{name}.yaml"), AWS_CONN_ID, _kept)


def _kept(aws_conn_id: str | None, region: str) -> Callable[[str], Any]:
    """Return what makes clients, the same for all requests of a while: making them takes longer than most answers."""
    return _made(aws_conn_id, region, int(monotonic() / KEPT))


@lru_cache(maxsize=1)
def _made(aws_conn_id: str | None, region: str, _while: int) -> Callable[[str], Any]:
    connect, one_at_a_time = connector(aws_conn_id, region), Lock()

    def locked(service: str) -> Any:
        # Clients may be used by many threads, but a session may not make two at once:
        # https://boto3.amazonaws.com/v1/documentation/api/latest/guide/session.html#multithreading-or-multiprocessing-with-sessions
        with one_at_a_time:
            return connect(service)

    return locked
