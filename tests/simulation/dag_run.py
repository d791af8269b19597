"""A DAG run, its tasks' states, and how a task may end."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from filebatch.feeds.selection import Origin
from filebatch.runs import jobs
from filebatch.runs.announcing import Told
from filebatch.runs.context import FeedContext
from filebatch.runs.run import Run
from simulation.scheduler import Actor

TASKS = ("wait_for_files", "claim_files", "process_files")
TEARDOWNS = ("publish_metrics", "notify")
DONE = ("success", "failed", "skipped", "upstream_failed")


class Skip(Exception):
    """AirflowSkipException."""


class Fail(Exception):
    """AirflowFailException: not tried again."""


class OtherRunsHoldThem(Exception):
    """AirflowException: tried again."""


@dataclass
class Deferred(Exception):
    """The task waits in the triggerer and goes on with `resume`."""

    trigger: Callable[[], None]
    resume: Callable[[FeedContext, "DagRun"], None]


@dataclass
class DagRun:
    """A DAG run."""

    run_id: str
    run_type: str
    created: datetime
    logical_date: datetime | None = None
    conf: Mapping[str, Any] = field(default_factory=dict)
    cleared: int = 0
    state: str = "running"
    tasks: dict[str, str] = field(default_factory=dict)
    tries: dict[str, int] = field(default_factory=dict)
    incarnation: dict[str, int] = field(default_factory=dict)
    actors: dict[str, Actor] = field(default_factory=dict)
    began: dict[str, float] = field(default_factory=dict)  # when the first try of a task began
    asked: list[tuple[str, str]] = field(default_factory=list)  # files that it is to do again
    events: list[Mapping[str, Any]] = field(default_factory=list)
    died: bool = False  # the latest try of a task has, and the next one hasn't begun yet
    told: list[Told] = field(default_factory=list)

    def run(self, feed: str) -> Run:
        origin = Origin(self.run_type, self.logical_date, self.created)
        return Run(self.run_id, jobs.run_hash(feed, self.run_id), self.cleared, origin, self.conf)
