"""Feeds and settings as the API server has them."""

from __future__ import annotations

from pathlib import Path

from airflow.configuration import conf

from filebatch.feeds.feed import load_feed
from filebatch.run_context import AWS_CONN_ID, feed_context
from filebatch.runs.context import FeedContext


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
    return feed_context(load_feed(folder() / f"{name}.yaml"), AWS_CONN_ID)
