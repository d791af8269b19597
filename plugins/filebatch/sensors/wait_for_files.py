"""Waiting for the files that a run names, where there is something to wait for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.amazon.aws.sensors.s3 import S3KeySensor

from filebatch.core import clock
from filebatch.feeds.feed import Feed
from filebatch.feeds.selection import Selection
from filebatch.run_context import AWS_CONN_ID, feed_context, run_of
from filebatch.task_log import Failed, plainly
from filebatch.triggers.pause import PauseTrigger

if TYPE_CHECKING:
    from filebatch.runs.run import Run

HELD_FILES_TIMEOUT = timedelta(hours=6)
# A look lists the whole window. So the longer a run has waited, the longer it pauses: a quarter of the time so far.
FIRST_PAUSE, LAST_PAUSE = timedelta(seconds=15), timedelta(minutes=5)


class WaitForFilesSensor(S3KeySensor):
    """Wait until named keys are there, and until no other run holds a file of the run's window.

    A run that takes whatever waits has nothing to wait for and goes on at once. Named keys are waited for as long as
    the param `wait` (seconds) says. The stock sensor's key check is used; its deferral isn't, as each one would begin
    the timeout anew.

    Its XCom `selection` says in words which files the run is responsible for.

    Raises:
        Failed: the params can't be understood, or the wait is over: it names what is missing.
    """

    def __init__(self, *, feed: Feed, aws_conn_id: str | None = AWS_CONN_ID, **kwargs: Any) -> None:
        super().__init__(
            bucket_name="{{ var.json.filebatch.buckets.new_files }}",
            bucket_key=feed.prefix,
            aws_conn_id=aws_conn_id,
            deferrable=True,
            **kwargs,
        )
        self.feed = feed

    @plainly
    def execute(self, context: Mapping[str, Any]) -> None:
        """Look once; then wait in the triggerer."""
        run = run_of(context)
        selection = self._selection(run)
        self.log.info("this run is responsible for %s", selection)
        context["ti"].xcom_push(key="selection", value=str(selection))
        if selection.everything:
            return
        self._look(context, selection, clock.now() + longest_wait(selection))

    @plainly
    def execute_complete(self, context: Mapping[str, Any], event: Mapping[str, Any] | None = None) -> None:
        """Look again after a pause."""
        deadline = clock.parse_utc(event["deadline"]) if event else clock.now()
        self._look(context, self._selection(run_of(context)), deadline)

    def _selection(self, run: Run) -> Selection:
        return run.selection(self.feed, self.bucket_name or "")

    def _look(self, context: Any, selection: Selection, deadline: datetime) -> None:
        missing = self._missing_keys(context, selection) or self._held(selection)
        if not missing:
            return
        if clock.now() >= deadline:
            raise Failed(missing)
        self.log.info("waiting until %s: %s", clock.to_iso(deadline), missing)
        seconds = pause(longest_wait(selection), deadline - clock.now()).total_seconds()
        self.defer(trigger=PauseTrigger(seconds, clock.to_iso(deadline)), method_name="execute_complete")

    def _missing_keys(self, context: Any, selection: Selection) -> str:
        missing = [key for key in selection.keys if not self._check_key(key, context)]
        if not missing:
            return ""
        others = f"; so none of the {len(selection.keys)} named files is done" if len(selection.keys) > 1 else ""
        return f"not in the bucket {self.bucket_name}: {missing}{others}"

    def _held(self, selection: Selection) -> str:
        """Name the runs that hold files of a window."""
        from filebatch.runs import selecting  # for the task alone: parsing the DAG has no use for it

        if selection.keys:
            return ""
        runs = selecting.holders(feed_context(self.feed, self.aws_conn_id), selection)
        return f"files of the window are held by other runs: {sorted(runs)}" if runs else ""


def longest_wait(selection: Selection) -> timedelta:
    """Return how long a run waits at most."""
    return timedelta(seconds=selection.wait) if selection.keys else HELD_FILES_TIMEOUT


def pause(longest: timedelta, left: timedelta) -> timedelta:
    """Return how long to pause before the next look, when `left` is left of the longest wait."""
    return min(LAST_PAUSE, max(FIRST_PAUSE, (longest - left) / 4))
