"""What tests that run a DAG task by task do and look at."""

import contextlib
import itertools
import os
import time
from typing import Any

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from e2e.system import LINES, System
from e2e.tasks import DagRun, Run
from filebatch.feeds.feed import Feed, load_feed

numbers = itertools.count()


def a_run(here: System, feed: Feed, **facts: Any) -> Run:
    params = facts.pop("params", {})
    dag_run = DagRun(feed.name, f"manual__{next(numbers)}-{os.getpid()}", **facts)
    return Run(feed, here.aws.settings, dag_run, params)


def finish(here: System) -> None:
    with contextlib.suppress(AirflowSkipException, AirflowFailException):
        a_run(here, load_feed(LINES)).all()


def drop(here: System, count: int, content: str = "one\n") -> list[str]:
    batch = next(numbers)
    keys = [f"lines/batch-{batch}-{number}.txt" for number in range(count)]
    for key in keys:
        here.put(key, content)
    return keys


def states_of(here: System, keys: list[str]) -> set[str]:
    found = here.states()
    return {found.get(key, "unknown") for key in keys}


def assert_each_done_once(here: System, keys: list[str]) -> None:
    assert states_of(here, keys) == {"SUCCEEDED"}
    for key in keys:
        assert [name.split("/")[-2] for name in here.commits(key)] == ["g1"]


def all_ended(here: System) -> bool:
    """Tell whether no job runs, and no next attempt begins a moment later."""
    if here.aws.jobs():
        return False
    time.sleep(0.2)
    return not here.aws.jobs()


def retire(here: System, keys: list[str]) -> None:
    """Let failed files wait no more, so that the next test isn't held up by them."""
    for key in keys:
        item = here.files()[key]
        here.s3.delete_object(Bucket=item.bucket, Key=key, VersionId=item.version_id)
