"""Where the command line looks: feeds and settings as Airflow has them, AWS clients as the shell has them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3

from filebatch.core.errors import ConfigurationError, did_you_mean
from filebatch.feeds import settings
from filebatch.feeds.feed import Feed, load_feeds
from filebatch.feeds.settings import Settings
from filebatch.runs.context import FeedContext

VARIABLE = f"AIRFLOW_VAR_{settings.VARIABLE.upper()}"
DAGS = "AIRFLOW__CORE__DAGS_FOLDER"
REPOSITORY = Path(__file__).parents[3]


@dataclass(frozen=True)
class Place:
    """An environment: its settings, its feeds, what is wrong with other feed files, and what makes AWS clients."""

    settings: Settings
    feeds: list[Feed]
    problems: list[str]
    connect: Callable[[str], Any]

    def ctx(self, feed: Feed) -> FeedContext:
        """Return a feed's context."""
        return FeedContext(feed, self.settings, self.connect)

    def feed(self, name: str) -> Feed:
        """Return a feed by its name.

        Raises:
            ConfigurationError: there is no such feed.
        """
        names = [feed.name for feed in self.feeds]
        if name not in names:
            meant = did_you_mean(name, names)
            raise ConfigurationError(f"feed {name!r}: expected one of {', '.join(names) or 'none'}{meant}")
        return self.feeds[names.index(name)]


def here(feeds: Path | None = None) -> Place:
    """Return the environment of the shell.

    Raises:
        ConfigurationError: the shell has no settings, or they can't be used.
    """
    written = os.environ.get(VARIABLE)
    if not written:
        raise ConfigurationError(
            f'{VARIABLE}: expected the settings, found nothing; beside a local AWS: eval "$(make -s env)"; else '
            "export it with what Terraform's output `settings` says"
        )
    try:
        found = settings.parse(json.loads(written))
    except json.JSONDecodeError as error:
        raise ConfigurationError(f"{VARIABLE}: expected JSON ({error})") from error
    loaded, errors = load_feeds(feeds or Path(os.environ.get(DAGS) or REPOSITORY / "dags") / "feeds")
    session = boto3.Session(region_name=found.region)
    return Place(found, loaded, [str(error) for error in errors], cache(session.client))
