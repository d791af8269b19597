"""A DAG run's tasks, executed one by one in this process with what Airflow would hand them.

It stands in for Airflow's scheduler alone: operators, trigger, AWS calls, Batch jobs and workers are the real ones.
Tests use it to interrupt a run between any two steps, which no real scheduler offers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from airflow.sdk.exceptions import TaskDeferred

import mean
from filebatch.core.publishing import NOT_PUBLISHED
from filebatch.dag_builder import build_dag
from filebatch.feeds.feed import Feed

TASKS = ("wait_for_files", "claim_files", "process_files", "publish_metrics", "notify")
ENDED: dict[str, str] = {}  # run id → state, as Airflow would tell other runs


@dataclass(frozen=True)
class DagRun:
    """What a task's context says of its run."""

    dag_id: str
    run_id: str
    run_type: str = "manual"
    logical_date: datetime | None = None
    run_after: datetime = field(default_factory=lambda: datetime.now(UTC))
    data_interval_start: datetime | None = None
    data_interval_end: datetime | None = None
    clear_number: int = 0


@dataclass
class _TaskInstance:
    xcoms: dict[str, Any] = field(default_factory=dict)

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = value

    @staticmethod
    def get_dagrun_state(dag_id: str, run_id: str) -> str:
        return ENDED.get(run_id, "running")


class _OutletEvents(dict[Any, Any]):
    def __missing__(self, alias: Any) -> _OutletEvents:
        return self.setdefault(alias.name, _OutletEvents(events=[]))

    def add(self, asset: Any, extra: Mapping[str, Any]) -> None:
        self["events"].append((asset.uri, dict(extra)))


@dataclass
class Run:
    """One run of a feed's DAG; `events` are the asset events it emitted."""

    feed: Feed
    settings: Mapping[str, Any]
    facts: DagRun
    params: Mapping[str, Any] = field(default_factory=dict)
    events: _OutletEvents = field(default_factory=_OutletEvents)

    def all(self) -> Any:
        """Execute all tasks in order; a failure is raised at the end, after metrics and notification."""
        failed: Exception | None = None
        for name in TASKS[:3]:
            try:
                self.task(name)
            except Exception as error:  # noqa: BLE001 - what Airflow does with a task
                failed = error
                break
        for name in TASKS[3:]:
            self.finally_(name)
        ENDED[self.facts.run_id] = "failed" if failed and not skipped(failed) else "success"
        if failed:
            raise failed
        return self

    def finally_(self, name: str) -> None:
        """Execute a teardown; to skip is fine for it, and so it is that a mean AWS takes no metrics."""
        try:
            self.task(name)
        except Exception as error:
            if not skipped(error) and not (mean.IS_ON and NOT_PUBLISHED in str(error)):
                raise

    def task(self, name: str) -> Any:
        """Execute a task to its end, deferrals included."""
        return mean.tried(lambda: self._task(name))

    def _task(self, name: str) -> Any:
        operator, context = self._operator(name), self._context()
        try:
            returned = operator.execute(context)
        except TaskDeferred as deferred:
            return self._resume(name, deferred)
        for call_back in operator.on_success_callback or ():
            call_back({**context, "task": operator})
        return returned

    def killed_at_its_end(self, name: str) -> None:
        """Execute a task and kill it before Airflow has heard that it succeeded: its events are lost."""
        mean.tried(lambda: self._operator(name).execute({**self._context(), "outlet_events": _OutletEvents()}))

    def until_deferred(self, name: str) -> Any:
        """Execute a task until it is deferred, and no further: its trigger is returned."""
        try:
            mean.tried(lambda: self._operator(name).execute(self._context()))
        except TaskDeferred as deferred:
            return deferred.trigger
        raise AssertionError(f"{name} was not deferred")

    def cleared(self) -> Run:
        """Return the run as it is after tasks of it were cleared."""
        ENDED.pop(self.facts.run_id, None)
        return replace(self, facts=replace(self.facts, clear_number=self.facts.clear_number + 1))

    def die(self) -> None:
        """End the run for Airflow, whatever it left behind."""
        ENDED[self.facts.run_id] = "failed"

    def _resume(self, name: str, deferred: TaskDeferred) -> Any:
        while True:
            event = asyncio.run(_first(deferred.trigger))
            try:
                method = getattr(self._operator(name), deferred.method_name)
                return method(self._context(), event.payload)
            except TaskDeferred as again:
                deferred = again

    def _operator(self, name: str) -> Any:
        operator = build_dag(self.feed).task_dict[name]
        operator.render_template_fields({"var": {"json": {"filebatch": self.settings}}})
        return operator

    def _context(self) -> dict[str, Any]:
        return {
            "dag_run": self.facts,
            "params": self.params,
            "ti": _TaskInstance(),
            "outlet_events": self.events,
        }


def skipped(error: Exception) -> bool:
    """Tell whether a task ended by skipping."""
    return type(error).__name__ == "AirflowSkipException"


async def _first(trigger: Any) -> Any:
    async for event in trigger.run():
        return event
    raise AssertionError("the trigger ended without an event")
