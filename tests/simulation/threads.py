"""Threads of a simulated process: what the code takes for a pool's are actors."""

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from simulation.scheduler import Crashed, Scheduler


class Pool:
    """A pool of threads that are actors; it has as many as there is work."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler, self.begun = scheduler, list[Answer]()

    def submit(self, function: Callable[..., Any], *args: Any) -> "Answer":
        answer = Answer(self.scheduler)
        self.begun.append(answer)

        def work() -> None:
            try:
                answer.set_result(function(*args))
            except Exception as error:
                answer.set_exception(error)

        self.scheduler.thread(work)
        return answer

    def shutdown(self, **_: Any) -> None:
        with suppress(Crashed):
            for answer in self.begun:
                answer.exception()


class Answer(Future[Any]):
    """What a thread will have found; waiting for it takes simulated time."""

    def __init__(self, scheduler: Scheduler) -> None:
        super().__init__()
        self.scheduler = scheduler

    def result(self, timeout: float | None = None) -> Any:
        self._wait()
        return super().result(0)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        self._wait()
        return super().exception(0)

    def _wait(self) -> None:
        me = self.scheduler.current
        assert me is not None
        if not self.done():
            self.add_done_callback(lambda _: self.scheduler.wake(me))
            self.scheduler.park()


def side_by_side(scheduler: Scheduler, function: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
    """Call for each item on a thread; results in order, the first exception is raised."""
    pool = Pool(scheduler)
    answers = [pool.submit(function, item) for item in items]
    pool.shutdown()
    return [answer.result() for answer in answers]
