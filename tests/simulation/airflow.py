"""Airflow, as far as it decides anything: runs, tries and retries of tasks, deferral, clearing, and what it forgets.

What the tasks do is in tasks.py; tests/dags/test_simulated.py holds the numbers to those of the DAG.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from filebatch.runs import announcing
from filebatch.runs.context import FeedContext
from simulation.dag_run import DONE, TASKS, TEARDOWNS, DagRun, Deferred, Fail, OtherRunsHoldThem, Skip
from simulation.faults import EXPECTED
from simulation.scheduler import Actor
from simulation.tasks import Tasks

if TYPE_CHECKING:
    from simulation.world import World

TRIES, RETRY_DELAY = 7, 5.0
SWEEP_EVERY = 900.0
UNHEARD = 300.0  # seconds without a heartbeat after which Airflow takes a task for dead


class Airflow:
    """Starts runs and does their tasks."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.runs: dict[str, DagRun] = {}
        self.paused = False
        self._tries: dict[str, tuple[DagRun, str, int]] = {}  # by the name of who does it: run, task, incarnation
        self.asset_events: list[Mapping[str, Any]] = []
        self._numbers = 0
        self._bodies = Tasks(world).bodies

    # what starts runs

    def begin(self) -> None:
        def sweep() -> None:
            while True:
                self.world.scheduler.wait(SWEEP_EVERY)
                if not self.paused and self.world.present:
                    self.start("scheduled", logical_date=self.world.scheduler.now())

        self.world.scheduler.spawn("Airflow's schedule", sweep)

    def rung(self) -> None:
        """An asset event: one run for those that come at once; none while the DAG is paused."""
        if self.paused or not self.world.present or self.world.mishap("ring lost"):
            self.world.trace.tell("the bell rings, and nobody hears it")
            return
        self._numbers += 1
        self.start("asset_triggered", delay=self.world.random.uniform(0.5, 3))

    def unpause(self) -> None:
        self.paused = False

    def start(
        self,
        run_type: str,
        run_id: str = "",
        logical_date: datetime | None = None,
        conf: Mapping[str, Any] | None = None,
        delay: float = 1.0,
    ) -> DagRun:
        self._numbers += 1
        run = DagRun(
            run_id or f"{run_type}-{self._numbers}", run_type, self.world.scheduler.now(), logical_date, conf or {}
        )
        self.runs[run.run_id] = run
        self.world.trace.tell(f"run {run.run_id} begins" + (f" with {dict(run.conf)}" if run.conf else ""))
        self._start(run, "wait_for_files", delay)
        return run

    # what people do to them

    def clear(self, run: DagRun, task: str) -> None:
        """Clear a task and those after it."""
        self.world.trace.tell(f"somebody clears {task} of run {run.run_id}")
        run.cleared += 1
        run.state = "running"
        order = (*TASKS, *TEARDOWNS)
        after = order[order.index(task) :] if task in TASKS else (task,)
        for each in after:
            self._stop(run, each, linger=self.world.mishap("two tries"))
            run.tasks.pop(each, None)
            run.began.pop(each, None)
            run.asked = []
            run.tries[each] = 0
        self._start(run, task, self.world.random.uniform(0.5, 5))

    def mark_failed(self, run: DagRun) -> None:
        self.world.trace.tell(f"somebody marks run {run.run_id} as failed")
        for each in (*TASKS, *TEARDOWNS):
            if run.tasks.get(each) not in DONE:
                self._stop(run, each, linger=True)
                run.tasks[each] = "failed"
        run.state = "failed"

    def delete(self, run: DagRun) -> None:
        self.world.trace.tell(f"somebody deletes run {run.run_id}")
        for each in (*TASKS, *TEARDOWNS):
            self._stop(run, each, linger=True)
        run.state = "deleted"
        self.runs.pop(run.run_id, None)

    def forget(self) -> None:
        """Do as when the DAG's file is gone: no task of its runs starts any more."""
        for run in list(self.runs.values()):
            for each in (*TASKS, *TEARDOWNS):
                self._stop(run, each, linger=True)
            run.state = "deleted"
        self.runs.clear()

    def is_over(self, run_id: str) -> bool:
        run = self.runs.get(run_id)
        return run is None or run.state in ("success", "failed")

    # tasks

    def _stop(self, run: DagRun, task: str, *, linger: bool) -> None:
        """Have a try of a task not count any more, and end it: at its next heartbeat, if it may linger."""
        run.incarnation[task] = run.incarnation.get(task, 0) + 1
        actor = run.actors.pop(task, None)
        if actor is None or actor.ended:
            return
        if not linger or self.world.is_calm:
            self.world.scheduler.kill(actor)
            return

        self._end(actor, self.world.random.uniform(1, 60))

    def _start(self, run: DagRun, task: str, delay: float) -> None:
        run.tries[task] = run.tries.get(task, 0) + 1
        self._go_on(run, task, self._bodies[task], delay)

    def _go_on(self, run: DagRun, task: str, body: Callable[[FeedContext, DagRun], None], delay: float) -> None:
        run.tasks[task] = "running"
        number = run.incarnation[task] = run.incarnation.get(task, 0) + 1
        self._numbers += 1
        name = f"{task} of {run.run_id}, try {run.tries[task]} ({self._numbers})"

        def counts() -> bool:
            return run.incarnation[task] == number and run.state == "running"

        def work() -> None:
            run.died = False
            ended = self._execute(run, task, body, counts)
            if ended and counts():
                self._ended(run, task, ended)
                if ended == "success":
                    self._succeeded(run, task)

        def crashed(_: Actor) -> None:
            if counts():
                run.died = True
                self._again_or_failed(run, task, self.world.random.uniform(30, 300))

        run.actors[task] = self.world.scheduler.spawn(name, work, delay, crashed)
        self._tries[name] = run, task, number

    def unheard(self, actor: Actor, seconds: float) -> None:
        """A process stands still: Airflow begins the task's next try, and ends this one soon after it goes on."""
        found = self._tries.get(actor.name)
        if found is None or seconds < UNHEARD or self.world.random.random() < 0.5:
            return
        run, task, number = found

        def again() -> None:
            if not actor.ended and run.incarnation[task] == number and run.state == "running":
                self.world.trace.tell(f"{actor.name} is unheard of for {UNHEARD:.0f} s, and is taken for dead")
                self._again_or_failed(run, task, 0.0)

        self.world.scheduler.spawn(f"watch on {actor.name}", again, UNHEARD)
        lasts = seconds + self.world.random.choice((0.1, 0.3, 1.0, 5.0)) * self.world.random.random()
        self._end(actor, lasts)

    def _end(self, actor: Actor, delay: float) -> None:
        def end() -> None:
            if not actor.ended:
                self.world.scheduler.kill(actor)

        self.world.scheduler.spawn(f"end of {actor.name}", end, delay)

    def _execute(
        self, run: DagRun, task: str, body: Callable[[FeedContext, DagRun], None], counts: Callable[[], bool]
    ) -> str | None:
        try:
            run.events.clear()
            body(self.world.context(), run)
        except Skip as error:
            self.world.trace.tell(f"{task} of {run.run_id} skips: {error}")
            return "skipped"
        except Deferred as deferred:
            if counts():
                self._defer(run, task, deferred)
            return None
        except Fail as error:
            self.world.trace.tell(f"{task} of {run.run_id} fails: {error}")
            return "failed"
        except (*EXPECTED, OtherRunsHoldThem) as error:
            self.world.trace.tell(f"{task} of {run.run_id} raises {type(error).__name__}: {error}"[:300])
            if counts():
                self._again_or_failed(run, task, 0.0)
            return None
        return "success"

    def _succeeded(self, run: DagRun, task: str) -> None:
        """Call the task's callback: what it raises changes nothing any more."""
        if task == "notify":
            try:
                announcing.close(self.world.context(), run.told)
            except EXPECTED as error:
                self.world.trace.tell(f"the callback of {run.run_id} raises {type(error).__name__}")

    def _defer(self, run: DagRun, task: str, deferred: Deferred) -> None:
        run.tasks[task] = "deferred"
        number = run.incarnation[task] = run.incarnation[task] + 1
        self._numbers += 1

        def fire() -> None:
            deferred.trigger()
            if run.incarnation[task] == number and run.state == "running":
                self._go_on(run, task, deferred.resume, self.world.random.uniform(0.5, 5))

        def crashed(_: Actor) -> None:
            if run.incarnation[task] == number and run.state == "running":
                self._defer(run, task, deferred)

        run.actors[task] = self.world.scheduler.spawn(
            f"trigger {self._numbers} of {run.run_id}", fire, self.world.random.uniform(0.5, 5), crashed
        )

    def _again_or_failed(self, run: DagRun, task: str, delay: float) -> None:
        if run.tries[task] >= TRIES:
            self._ended(run, task, "failed")
        else:
            self._start(run, task, delay + RETRY_DELAY * 2 ** (run.tries[task] - 1))

    def _ended(self, run: DagRun, task: str, state: str) -> None:
        run.tasks[task] = state
        run.incarnation[task] += 1
        if task == "notify" and state == "success":
            self.asset_events += run.events  # Airflow keeps the events of tasks that succeed
        if task in TEARDOWNS:
            if all(run.tasks.get(each) in DONE for each in (*TASKS, *TEARDOWNS)):
                run.state = (
                    "failed" if {"failed", "upstream_failed"} & {run.tasks[each] for each in TASKS} else "success"
                )
                self.world.trace.tell(f"run {run.run_id}: {run.state}")
                self.world.checks.run_ended(run)
            return
        if state == "success" and task != TASKS[-1]:
            self._start(run, TASKS[TASKS.index(task) + 1], self.world.random.uniform(0.5, 3))
            return
        for each in TASKS[TASKS.index(task) + 1 :]:
            run.tasks[each] = "skipped" if state == "skipped" else "upstream_failed"
        for each in TEARDOWNS:
            if run.tasks.get(each) not in ("running", "deferred"):
                run.tries[each] = 0
                self._start(run, each, self.world.random.uniform(0.5, 3))
