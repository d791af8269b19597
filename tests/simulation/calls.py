"""Clients as the simulated code has them: each call takes time, lets others have their turn, and may go wrong."""

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ConnectionClosedError, EndpointConnectionError

from filebatch_local.base.faults import BY_NAME, Fault
from simulation.scheduler import Actor, Crashed, Scheduler
from simulation.services.base import Paginator, Service, refusal
from simulation.trace import Trace

STALL = (60.0, 1500.0)
HOTTER = 15  # times as often
TRANSFERS = {"upload_file": "put_object", "copy": "copy_object"}


class Client:
    """A client of one service in the hands of whoever is the current actor."""

    def __init__(self, name: str, service: Service, calls: "Calls") -> None:
        self._name, self._service, self._calls = name, service, calls

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        method = getattr(self._service, operation)

        def call(*args: Any, **request: Any) -> Any:
            return self._calls.make(self._name, operation, lambda: method(*args, **request), request)

        return call

    def get_paginator(self, operation: str) -> Paginator:
        return Paginator(getattr(self, operation), self._service.paged[operation])


class Calls:
    """Makes calls, as reliably as the plan says.

    Attributes:
        rates: how often each kind of fault happens to a call.
        stall: how often a process stands still before a call.
        hot: operations at which both are more frequent.
        victims: with what the names of those begin to whom both happen.
        stood_still: is told who stands still, and for how many seconds.
    """

    def __init__(self, scheduler: Scheduler, trace: Trace) -> None:
        self.scheduler, self.trace = scheduler, trace
        self.rates: dict[str, float] = {}
        self.stall = 0.0
        self.hot: tuple[str, ...] = ()
        self.victims = ""
        self.stood_still: Callable[[Actor, float], None] = lambda _actor, _seconds: None

    def make(self, service: str, operation: str, method: Callable[[], Any], request: dict[str, Any]) -> Any:
        actor = self.scheduler.current
        assert actor is not None
        fault = self._fault(actor, operation, request)
        self.scheduler.wait(self._delay(actor, operation))
        self.trace.call(actor.name, service, operation, request, fault)
        answer = method() if fault is None else self._faulty(fault, service, operation, method)
        self.scheduler.wait(actor.random.expovariate(100))
        return answer

    def _delay(self, actor: Actor, operation: str) -> float:
        stalls = self.stall and actor.name.startswith(self.victims)
        if stalls and actor.random.random() < self.stall * self._factor(operation):
            seconds = actor.random.uniform(*STALL)
            self.stood_still(actor.process or actor, seconds)
            return seconds
        return actor.random.expovariate(50)

    def _factor(self, operation: str) -> int:
        return HOTTER if operation in self.hot else 1

    def _fault(self, actor: Actor, operation: str, request: dict[str, Any]) -> Fault | None:
        """Draw which kind of fault happens to a call, if any does."""
        drawn = actor.random.random()
        if not actor.name.startswith(self.victims):
            return None
        for name, rate in self.rates.items():
            drawn -= rate * self._factor(operation)
            if drawn < 0:
                fault = BY_NAME[name]
                conditional = not fault.only or "IfNoneMatch" in request
                return fault if fault.may_happen_to(operation) and conditional else None
        return None

    def _faulty(self, fault: Fault, service: str, operation: str, method: Callable[[], Any]) -> Any:
        """Make a call with a fault: it's applied as often as that says, whatever the answers before the last."""
        actor = self.scheduler.current
        assert actor is not None
        answer = None
        for again in range(fault.applied):
            if again:
                self.scheduler.wait(actor.random.uniform(0.1, 5.0))
            answer = method()
        if fault.caller_dies:
            self.scheduler.kill(actor)
            raise Crashed
        told = fault.refusal(service)
        if told:
            raise refusal(operation, told[0], fault.meaning, told[1])
        if not fault.answered:
            kind = ConnectionClosedError if fault.applied else EndpointConnectionError
            raise kind(endpoint_url=f"https://{service}")
        return answer
