"""The doorbell: played as triggers/arrivals.py and triggers/listener.py have it, on the plain modules below them."""

import logging
from typing import TYPE_CHECKING

from filebatch.core import clock
from filebatch.core.feed_records import Bell, Breaker
from filebatch.intake import arrivals, doorbell
from filebatch.intake.arrivals import Taken
from simulation.faults import EXPECTED
from simulation.scheduler import Actor

if TYPE_CHECKING:
    from simulation.world import World

LOOK_EVERY, LOOK_AGAIN = 60.0, 3.0

log = logging.getLogger(__name__)


class Doorbell:
    """Two activities of one triggerer, each of which begins anew when it dies."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.arrived = False
        self._starts = 0

    def begin(self) -> None:
        self._starts += 1
        for name, work in (("listener", self._listen), ("doorbell", self._watch)):
            self._start(name, work)

    def _start(self, name: str, work: object) -> None:
        self._starts += 1

        def again(_: Actor) -> None:
            self._start(name, work)

        delay = 0.0 if self._starts < 4 else self.world.random.uniform(5, 120)
        self.world.scheduler.spawn(f"{name} {self._starts}", work, delay, again)  # type: ignore[arg-type]

    def _listen(self) -> None:
        while True:
            try:
                took = self._take()
            except EXPECTED as error:
                log.warning("%s", error)
                took = False
            self.world.scheduler.wait(0.1 if took else self.world.random.uniform(5, 20))

    def _take(self) -> bool:
        if not self.world.present:
            return False
        ctx = self.world.context()
        queue = ctx.settings.queue(ctx.feed.name)
        answer = ctx.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=arrivals.RECEIVE, WaitTimeSeconds=20)
        files = arrivals.understood(answer.get("Messages", []))
        if not files:
            return False
        taken = Taken()
        meant = arrivals._meant(ctx.s3, files)
        read = [arrivals.arrivals(ctx.feed, [file], clock.now()) for file in meant.values()]
        arrivals.note(ctx.ledger, ctx.feed, [record for records, _ in read for record in records], clock.now())
        for records, counts in read:
            taken += counts
            for record in records:
                new = ctx.ledger.add(record)
                taken += Taken(new=new, known=not new)
        if taken.new:
            self.arrived = True
        arrivals.acknowledge(ctx.sqs, queue, list(meant))
        return True

    def _watch(self) -> None:
        starting = True
        while True:
            try:
                quiet = self._look(starting=starting)
                starting = False
            except EXPECTED as error:
                log.warning("%s", error)
                quiet = True
            until = self.world.scheduler.seconds + (LOOK_EVERY if quiet else LOOK_AGAIN)
            while self.world.scheduler.seconds < until and not self.arrived:
                self.world.scheduler.wait(3.0)

    def _look(self, *, starting: bool) -> bool:
        """Ring if something is due and no ring is pending; tell whether there is nothing to do."""
        ctx, known = self.world.context(), self.arrived
        self.arrived = False
        if not self.world.present:
            return True
        now, feed = clock.now(), ctx.feed.name
        files, runs = (bool(ctx.ledger.open(part, due=due, limit=1)) for part, due in doorbell.watched(feed, now))
        breaker = ctx.ledger.get(Breaker.at(feed))
        held = breaker is not None and breaker.holds(clock.to_iso(now))
        if not (runs or ((known or files) and not held)):
            return True
        move = doorbell.next_ring(ctx.feed.name, ctx.ledger.get(Bell.at(ctx.feed.name)), now, starting=starting)
        if move is not None and ctx.ledger.try_move(move).done:
            self.world.airflow.rung()
        return False
