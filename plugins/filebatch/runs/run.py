"""A DAG run of a feed as a value: where it comes from, and what it was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from filebatch.feeds import selection
from filebatch.feeds.feed import Feed
from filebatch.feeds.selection import Origin, Selection


@dataclass(frozen=True)
class Run:
    """A DAG run of a feed.

    Attributes:
        run_id: Airflow's.
        hash: what the tokens of its claims begin with.
        cleared: how often tasks of it were cleared.
        origin: how it came about.
        params: what the form, the REST API or conf said.
        who: who started it, as Airflow names them; None where nobody did.
    """

    run_id: str
    hash: str
    cleared: int
    origin: Origin
    params: Mapping[str, Any]
    who: str | None = None

    def selection(self, feed: Feed, bucket: str) -> Selection:
        """Decide which files of a bucket it is responsible for; SelectionError where the params can't be understood."""
        return selection.select(feed, self.origin, self.params, bucket)
