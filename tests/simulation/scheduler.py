"""Actors on a simulated clock: code as it is written, one actor at a time, in an order that a seed decides.

An actor is a thread that holds a baton. It gives it away where it waits, and it waits at each call of a client
(calls.py), so between any two calls of one actor all others may have had their turn. Whoever is due first is next;
time passes by nothing else than waiting.
"""

import heapq
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from random import Random
from typing import Any

from filebatch.core import clock

START = clock.parse_utc("2026-03-01T12:00:00Z")


class Crashed(BaseException):
    """The actor's process is gone: nothing catches this, and every further call of the actor raises it again."""


@dataclass
class Actor:
    """A process: a task's try, a container, a doorbell, somebody at a keyboard; or a thread, which dies with it."""

    name: str
    random: Random
    process: "Actor | None" = None  # of a thread
    death: Any = None
    gone: bool = False
    ended: bool = False
    threads: int = 0  # so far
    baton: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    known: dict[Any, Any] = field(default_factory=dict)  # what it has read, for checks

    @property
    def dead(self) -> bool:
        return self.process.dead if self.process else self.gone


class Scheduler:
    """Runs actors until a moment, or until there are none."""

    def __init__(self, seed: str) -> None:
        self.seed = seed
        self.seconds = 0.0
        self.current: Actor | None = None
        self.failure: BaseException | None = None
        self._queue: list[tuple[float, int, Actor]] = []
        self._order = count()
        self._until = 0.0
        self._main = threading.Semaphore(0)
        self._alive: dict[int, Actor] = {}

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def spawn(
        self,
        name: str,
        work: Callable[[], object],
        delay: float = 0.0,
        crashed: Callable[[Actor], None] = lambda _: None,
        process: Actor | None = None,
    ) -> Actor:
        """Start an actor after `delay` seconds; `crashed` is called, and must not wait, should it die."""
        actor = Actor(name, Random(f"{self.seed}/{name}"), process)
        self._alive[id(actor)] = actor
        threading.Thread(target=self._live, args=(actor, work, crashed), daemon=True).start()
        self._push(actor, delay)
        return actor

    def thread(self, work: Callable[[], object]) -> None:
        """Start a thread of the current actor's process."""
        me = self.current
        assert me is not None
        process = me.process or me
        process.threads += 1
        self.spawn(f"{process.name} thread {process.threads}", work, process=process)

    def park(self) -> None:
        """Let the current actor wait until it is woken; raise Crashed once it is dead."""
        me = self.current
        assert me is not None
        if me.dead:
            raise Crashed
        self._hand_on(me)
        if me.dead:
            raise Crashed

    def wake(self, actor: Actor) -> None:
        """Have an actor that is parked go on."""
        self._push(actor, 0.0)

    def wait(self, seconds: float) -> None:
        """Let the current actor wait; raise Crashed once it is dead."""
        me = self.current
        assert me is not None
        if me.dead:
            raise Crashed
        self._push(me, seconds)
        self._hand_on(me)
        if me.dead:
            raise Crashed

    def kill(self, actor: Actor, death: Any = None) -> None:
        """End an actor's process: now, as far as anybody else can tell."""
        process = actor.process or actor
        if not process.ended and not process.gone:
            process.gone, process.death = True, death
            self._push(process, 0.0)

    def run(self, until: float) -> None:
        """Let actors go on until then; raise what one of them failed with."""
        self._until = until
        if self._next_is_due():
            self._pass_to(self._pop())
            self._main.acquire()
        self.seconds = max(self.seconds, until)
        if self.failure:
            raise self.failure

    def end(self) -> None:
        """End all actors."""
        self.failure = self.failure or Crashed()
        for actor in list(self._alive.values()):
            (actor.process or actor).gone = True
            self.current = actor
            actor.baton.release()
            self._main.acquire()

    def _push(self, actor: Actor, delay: float) -> None:
        heapq.heappush(self._queue, (self.seconds + delay, next(self._order), actor))

    def _next_is_due(self) -> bool:
        while self._queue and self._queue[0][2].ended:
            heapq.heappop(self._queue)
        return bool(self._queue) and self._queue[0][0] <= self._until and self.failure is None

    def _pop(self) -> Actor:
        at, _, actor = heapq.heappop(self._queue)
        self.seconds = max(self.seconds, at)
        return actor

    def _pass_to(self, actor: Actor) -> None:
        self.current = actor
        actor.baton.release()

    def _hand_on(self, me: Actor) -> None:
        """Give the baton to whoever is next, and wait until it comes back."""
        if not self._next_is_due():
            self.current = None
            self._main.release()
        else:
            actor = self._pop()
            self.current = actor
            if actor is me:
                return
            actor.baton.release()
        me.baton.acquire()

    def _live(self, actor: Actor, work: Callable[[], object], crashed: Callable[[Actor], None]) -> None:
        actor.baton.acquire()
        try:
            if not actor.dead:
                with suppress(Crashed):
                    work()
            if actor.dead and self.failure is None:
                crashed(actor)
        except BaseException as error:
            self.failure = self.failure or error
        actor.ended = True
        del self._alive[id(actor)]
        if self._next_is_due():
            self._pass_to(self._pop())
        else:
            self.current = None
            self._main.release()
