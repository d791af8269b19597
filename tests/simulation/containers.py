"""Containers: each attempt of a Batch job runs the real worker, until that ends or the container does."""

from typing import TYPE_CHECKING, Any

import filebatch_worker.__main__ as worker
from filebatch.core import failures
from filebatch.feeds.feed import Feed
from filebatch_local.batch.exit_rules import EXITED, OUT_OF_MEMORY, START_FAILED, TIMED_OUT, Outcome
from filebatch_worker.job_log import JobLog
from simulation import processor
from simulation.scheduler import Actor, Crashed
from simulation.services.batch import Attempt

if TYPE_CHECKING:
    from simulation.world import World

KILLED = Outcome(137, None, EXITED)
SEGFAULT = Outcome(139, None, EXITED)
NO_MEMORY = Outcome(137, OUT_OF_MEMORY, EXITED)
RECLAIMED = Outcome(None, None, "Your Spot Task was interrupted.")
NOT_STARTED = Outcome(None, "CannotPullContainerError: no route", START_FAILED)
DEFINITION: dict[str, Any] = {"jobRoleArn": "role"}


class Containers:
    """Starts what Batch launches."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.attempts: dict[int, Attempt] = {}  # by the actor that is its container
        self.define(world.feed)
        world.aws.batch.launch = self.launch
        processor.act = self.act

    def define(self, feed: Feed) -> None:
        """Make a feed's job definition."""
        settings = self.world.settings
        environment = {
            "FILEBATCH_FEED": feed.name,
            "FILEBATCH_LEDGER": settings.ledger,
            "FILEBATCH_RESULTS_BUCKET": settings.results(feed.name),
            "FILEBATCH_NAMESPACE": settings.namespace,
        }
        self.world.aws.batch.register_job_definition(
            jobDefinitionName=settings.job_definition(feed.name),
            containerProperties={
                "environment": [{"name": name, "value": value} for name, value in environment.items()]
            },
            retryStrategy={"attempts": 3, "evaluateOnExit": failures.evaluate_on_exit()},
        )

    def launch(self, attempt: Attempt) -> None:
        name = f"container {attempt.job.id} try {attempt.number}"
        delay = self.world.random.uniform(2, 40)
        if self.world.mishap("not started"):
            self.world.scheduler.spawn(f"{name}, which can't start", lambda: attempt.end(NOT_STARTED), delay)
            return

        def crashed(actor: Actor) -> None:
            outcome = actor.death or KILLED
            self.world.trace.tell(f"{name} died: {outcome.reason or outcome.status_reason} ({outcome.exit_code})")
            self._ended(attempt, outcome)

        actor = self.world.scheduler.spawn(name, lambda: self._live(name, attempt), delay, crashed)
        self.attempts[id(actor)] = attempt
        attempt.stop = lambda outcome: self._kill(attempt, actor, outcome)

    def _live(self, name: str, attempt: Attempt) -> None:
        if not attempt.begin():
            return
        stop, me = worker.Stop(), self.world.scheduler.current
        assert me is not None
        self._end_of_time(name, attempt, me)
        if self.world.mishap("spot"):
            self._reclaim(name, attempt, me, stop)
        if self.world.mishap("killed"):
            self._later(f"{name}'s end", attempt, me, self.world.random.uniform(0, 5), KILLED)
        environment = {**attempt.variables(), "FILEBATCH_MEMORY_MIB": str(self._memory(attempt))}
        code = worker.do_unit(environment, stop, JobLog())
        if me.dead:
            raise Crashed
        self._ended(attempt, Outcome(code, None, EXITED))
        self.world.trace.tell(f"{name} ended with {code}")

    def _memory(self, attempt: Attempt) -> int:
        return int(attempt.job.environment.get("FILEBATCH_MEMORY_MIB", self.world.feed.memory))

    def _end_of_time(self, name: str, attempt: Attempt, me: Actor) -> None:
        timeout = Outcome(137, None, TIMED_OUT, final=True)
        self._later(f"{name}'s timeout", attempt, me, float(self.world.feed.timeout), timeout)

    def _reclaim(self, name: str, attempt: Attempt, me: Actor, stop: worker.Stop) -> None:
        def reclaim() -> None:
            if not me.ended:
                stop.asked = True
                self.world.scheduler.wait(self.world.random.uniform(0, 120))
                if not me.ended:
                    self._kill(attempt, me, RECLAIMED)

        self.world.scheduler.spawn(f"{name}'s host", reclaim, self.world.random.uniform(0, 5))

    def _later(self, name: str, attempt: Attempt, me: Actor, delay: float, outcome: Outcome) -> None:
        def end() -> None:
            if not me.ended:
                self._kill(attempt, me, outcome)

        self.world.scheduler.spawn(name, end, delay)

    def _kill(self, attempt: Attempt, actor: Actor, outcome: Outcome) -> None:
        """End a container, or have Batch say so long before it's true."""
        if not self.world.mishap("outlives"):
            self.world.scheduler.kill(actor, outcome)
            return
        self.world.trace.tell(f"Batch takes {actor.name} for ended, which goes on")
        self._ended(attempt, outcome)
        delay = self.world.random.uniform(10, 600)
        self.world.scheduler.spawn(
            f"late end of {actor.name}", lambda: self.world.scheduler.kill(actor, outcome), delay
        )

    def _ended(self, attempt: Attempt, outcome: Outcome) -> None:
        attempt.end(outcome)
        job = attempt.job.parent or attempt.job
        if job.ended and self.world.mishap("forgotten"):
            batch = self.world.aws.batch
            forget = lambda: job.id in batch.jobs and batch.forget(job.id)
            self.world.scheduler.spawn(f"end of the memory of {job.id}", forget, self.world.random.uniform(0, 300))

    def act(self, content: str, put: str) -> None:
        """Do what a file's content does to its container, in the middle of processing."""
        me = self.world.scheduler.current
        assert me is not None
        attempt = self.attempts[id(me)]
        self.world.checks.began(attempt, put)
        self.world.scheduler.wait(me.random.uniform(0.1, 5))
        if content == "slow":
            self.world.scheduler.wait(10_000)
        if content == "hungry" and self._memory(attempt) <= self.world.feed.memory:
            self._die(me, NO_MEMORY)
        if content == "kills":
            self._die(me, SEGFAULT)
        if content == "flaky" and self.world.random.random() < 0.5:
            self._die(me, SEGFAULT)

    def _die(self, me: Actor, outcome: Outcome) -> None:
        self.world.scheduler.kill(me, outcome)
        raise Crashed
