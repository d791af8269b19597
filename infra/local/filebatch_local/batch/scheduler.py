"""Moves jobs through their states: one thread per region, however many jobs there are.

Every change of a job happens here or in a call of the API, under one lock. Running processes are polled a few times a
second, and when their output ends.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from filebatch_local.base.clock import timestamp
from filebatch_local.batch import capacity, exit_rules, states
from filebatch_local.batch.attempts import Attempt, Ending, Runtime
from filebatch_local.batch.events import StateEvents
from filebatch_local.batch.exit_rules import Outcome
from filebatch_local.batch.job import BatchJob
from filebatch_local.batch.logs import JobLogs
from filebatch_local.batch.processes import JobProcess, memory_of_groups
from filebatch_local.batch.shares import Policy, WaitingJobs

log = logging.getLogger(__name__)

POLL = 0.1  # real seconds between polls of running jobs
MEMORY_EVERY = 0.25  # real seconds between measurements of their memory


class Scheduler:
    """The jobs that haven't ended yet, and their next steps."""

    def __init__(
        self, runtime: Runtime, logs: JobLogs, events: StateEvents, policy_of: Callable[[Any], Policy | None]
    ) -> None:
        """Start nothing until `add`; `policy_of` returns a queue's scheduling policy, None for FIFO."""
        self.lock = threading.RLock()
        self.runtime, self._logs, self._events, self._policy_of = runtime, logs, events, policy_of
        self.attempts: dict[str, Attempt] = {}
        self._queues: dict[str, Any] = {}
        self._waiting: dict[str, WaitingJobs[BatchJob]] = defaultdict(WaitingJobs)
        self._pending: dict[str, BatchJob] = {}
        self._jobs: dict[str, BatchJob] = {}
        self._head_since: dict[str, tuple[str, float]] = {}
        self._unwatched: list[JobProcess] = []
        self._sequence = 0
        self._memory_checked_at = 0.0
        self._awake = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def add(self, job: BatchJob) -> None:
        """Schedule a submitted job, and an array's children with it."""
        with self.lock:
            self._queues[job.job_queue.name] = job.job_queue
            for one in [job, *job.children]:
                self._jobs[one.job_id] = one
                self._sequence += 1
                one.sequence = self._sequence
                self._enter(one, states.SUBMITTED)
            self._pending |= {one.job_id: one for one in job.children or [job]}
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="batch-scheduler", daemon=True)
                self._thread.start()
        self._awake.set()

    def end(self, job: BatchJob, ending: Ending) -> None:
        """End a job that hasn't ended: its process if it has one, else at once."""
        with self.lock:
            attempt = self.attempts.get(job.job_id)
            if attempt and attempt.process:
                attempt.end(ending)
            elif not job.ended:
                self._finish(job, ending.outcome)
        self._awake.set()

    def forget(self, job: BatchJob, *, kill: bool) -> None:
        """Drop a job as if it had never been submitted; kill its process, or let it run on unwatched until `stop`."""
        with self.lock:
            self._jobs.pop(job.job_id, None)
            self._pending.pop(job.job_id, None)
            attempt = self.attempts.pop(job.job_id, None)
            if attempt and attempt.process:
                if kill:
                    attempt.process.kill_and_clean()
                else:
                    self._unwatched.append(attempt.process)
            job.status = None

    def stop(self) -> None:
        """End all processes and the thread."""
        self._stopping = True
        self._awake.set()
        if self._thread:
            self._thread.join(timeout=5)
        with self.lock:
            for process in [*self._unwatched, *(one.process for one in self.attempts.values())]:
                if process:
                    process.kill_and_clean()
            self.attempts.clear()
        self._events.stop()

    def _run(self) -> None:
        idle = False
        while True:
            self._awake.wait(None if idle else POLL)
            self._awake.clear()
            if self._stopping:
                return
            try:
                with self.lock:
                    idle = self._pass()
            except Exception:
                log.exception("a pass of the Batch scheduler failed; the next one tries again")
                idle = False

    def active_shares(self, queue: Any) -> set[str]:
        """Return the share identifiers that are active in a queue."""
        with self.lock:
            policy = self._policy_of(queue) or Policy()
            waiting = {job.share for job in self._pending.values() if job.job_queue is queue and job.share}
            return waiting | self._waiting[queue.name].active(self.runtime.clock.now(), policy)

    def _pass(self) -> bool:
        for queue in self._queues.values():
            policy = self._policy_of(queue) or Policy()
            self._waiting[queue.name].charge(self._running(queue), self.runtime.clock.now(), policy)
        self._release()
        self._poll_attempts()
        for queue in sorted(self._queues.values(), key=lambda one: -int(one.priority)):
            self._start_waiting(queue)
        return not self.attempts and not self._pending and not any(self._waiting.values())

    # SUBMITTED, PENDING → RUNNABLE

    def _release(self) -> None:
        for job in list(self._pending.values()):
            needed = [self._jobs.get(one) for one in job.needs()]
            if any(one is not None and one.status == states.FAILED for one in needed):
                self._finish(job, Outcome(status_reason=exit_rules.DEPENDENCY_FAILED))
            elif all(one is None or one.status == states.SUCCEEDED for one in needed):
                self._make_runnable(job)
            elif job.status == states.SUBMITTED:
                self._enter(job, states.PENDING)

    def _make_runnable(self, job: BatchJob) -> None:
        self._pending.pop(job.job_id, None)
        if job.parent and job.parent.status == states.SUBMITTED:
            self._enter(job.parent, states.PENDING)
        self._waiting[job.job_queue.name].add(job)
        self._enter(job, states.RUNNABLE)

    # RUNNABLE → STARTING

    def _start_waiting(self, queue: Any) -> None:
        waiting, policy = self._waiting[queue.name], self._policy_of(queue) or Policy()
        while head := waiting.head(self._running(queue), policy):
            place = capacity.choose(head.vcpus, self._capacities(queue))
            if place is None:
                self._check_head(queue, head)
                break
            waiting.remove(head)
            self._begin(head, place)

    def _running(self, queue: Any) -> Mapping[str | None, float]:
        """Return the vCPUs that each share of a queue has now."""
        found: dict[str | None, float] = defaultdict(float)
        for attempt in self.attempts.values():
            if attempt.job.job_queue is queue:
                found[attempt.job.share] += attempt.job.vcpus
        return found

    def _capacities(self, queue: Any) -> list[capacity.Capacity]:
        taken: dict[str, float] = defaultdict(float)
        for attempt in self.attempts.values():
            taken[attempt.environment] += attempt.job.vcpus
        enabled = [one for one in queue.environments if one.state != "DISABLED"]
        return [
            capacity.Capacity(one.name, float(one.compute_resources["maxvCpus"]), taken[one.name]) for one in enabled
        ]

    def _check_head(self, queue: Any, head: BatchJob) -> None:
        """Say why the head of a queue is stuck, and cancel it once the queue's time limit is over."""
        if capacity.never_fits(head.vcpus, self._capacities(queue)):
            head.status_reason = capacity.TOO_LARGE_MESSAGE
        now = self.runtime.clock.now()
        job_id, since = self._head_since.get(queue.name, ("", now))
        if job_id != head.job_id:
            since = now
            self._head_since[queue.name] = (head.job_id, now)
        limit = capacity.time_limit(head.status_reason, getattr(queue, "time_limits", None) or [])
        if limit is not None and now - since >= limit:
            head.is_cancelled = True
            self._finish(head, Outcome(status_reason=capacity.cancelled_by_limit(head.status_reason or ""), final=True))

    # STARTING → RUNNING → SUCCEEDED, FAILED or again RUNNABLE

    def _begin(self, job: BatchJob, environment: str) -> None:
        job.status_reason = job.outcome = None
        self._head_since.pop(job.job_queue.name, None)
        attempt = Attempt(job, environment, self.runtime, self._awake.set)
        self.attempts[job.job_id] = attempt
        self._enter(job, states.STARTING)
        self._start_if_due(attempt)

    def _start_if_due(self, attempt: Attempt) -> None:
        if not attempt.due:
            return
        failed = attempt.start()
        if failed:
            self._settle(attempt, failed)
            return
        attempt.job.started_at = timestamp()
        self._logs.open(attempt.job)
        self._enter(attempt.job, states.RUNNING)

    def _poll_attempts(self) -> None:
        self._check_memory()
        for attempt in list(self.attempts.values()):
            if attempt.process is None:
                self._start_if_due(attempt)
                continue
            outcome = attempt.poll()
            self._logs.write(attempt.job, attempt.process.take_lines())
            if outcome:
                self._settle(attempt, outcome)

    def _check_memory(self) -> None:
        if time.monotonic() < self._memory_checked_at + MEMORY_EVERY:
            return
        self._memory_checked_at = time.monotonic()
        running = {one.process.pid: one for one in self.attempts.values() if one.process}
        for pid, used in memory_of_groups(running).items():
            running[pid].check_memory(used)

    def _settle(self, attempt: Attempt, outcome: Outcome) -> None:
        job = attempt.job
        self.attempts.pop(job.job_id, None)
        if attempt.process:
            attempt.process.clean()
        job.outcome, job.status_reason = outcome, outcome.status_reason
        if job.retries.retries(outcome, len(job.attempts)):
            self._make_runnable(job)
        else:
            self._finish(job, outcome)

    def _finish(self, job: BatchJob, outcome: Outcome) -> None:
        self.attempts.pop(job.job_id, None)
        self._pending.pop(job.job_id, None)
        job.outcome, job.status_reason, job.stopped_at = outcome, outcome.status_reason, timestamp()
        self._enter(job, states.SUCCEEDED if outcome.succeeded else states.FAILED)
        self._settle_parent(job.parent)

    def _settle_parent(self, parent: BatchJob | None) -> None:
        if parent is None or parent.ended:
            return
        status = states.parent_status(parent.summary)
        if status in states.TERMINAL:
            parent.stopped_at = timestamp()
            if status == states.FAILED and not parent.status_reason:
                parent.status_reason = exit_rules.CHILD_FAILED
            self._enter(parent, status)

    def _enter(self, job: BatchJob, status: str) -> None:
        """Change a job's state: the only place that does."""
        if job.parent:
            job.parent.summary[status] += 1
            if job.counted:
                job.parent.summary[job.counted] -= 1
            job.counted = status
        job.status = status
        self._events.put(job)
