"""A unit's files in flight: while one is processed, the next are fetched, and those before are uploaded and committed.

One file at a time is processed, in the unit's order: it has the container's memory and vCPUs. Its commit is as if it
were alone: outputs first, `_result.json` last. At most IN_FLIGHT files have been begun and have no result, so that a
container that dies leaves that many suspects; what they take on the disk is bounded by it, too, as a large file has it
for itself.
"""

from __future__ import annotations

import shutil
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from filebatch.core.contract import IN_FLIGHT, Result, Work
from filebatch_worker import ahead, file
from filebatch_worker.file import UnitContext
from filebatch_worker.processor import Source


class Stop(Protocol):
    """Whether the container is about to end."""

    asked: bool


@dataclass(frozen=True)
class Ended:
    """What became of a file: its result, or what was raised; and the seconds that it was in flight."""

    work: Work
    became: Result | Exception
    seconds: float


@dataclass
class _Delivery:
    work: Work
    began: float
    result: Future[tuple[Result, float]]
    alone: bool  # nothing is to be begun before it has ended

    def ended(self) -> Ended:
        try:
            result, at = self.result.result()
        except Exception as error:  # noqa: BLE001 - whatever a file does to a processor, the others go on
            return Ended(self.work, error, time.monotonic() - self.began)
        return Ended(self.work, result, at - self.began)


def each(ctx: UnitContext, works: Sequence[Work], stop: Stop) -> Iterator[Ended]:
    """Do files in their order until `stop`; yield what became of each, in that order.

    What has been begun is always ended. A file that failed is told of before the next is begun.
    """
    pool = ThreadPoolExecutor(IN_FLIGHT - 1, thread_name_prefix="deliver")
    under_way: deque[_Delivery] = deque()
    with closing(ahead.Ahead(partial(file.fetched, ctx), works)) as fetches:
        try:
            for work in works:
                if stop.asked:
                    break
                under_way.append(_begin(ctx, work, fetches, pool))
                most = 0 if under_way[-1].alone else IN_FLIGHT - 1
                while under_way and (len(under_way) > most or under_way[0].result.done()):
                    yield under_way.popleft().ended()
            yield from (delivery.ended() for delivery in under_way)
        finally:
            pool.shutdown()


def _begin(ctx: UnitContext, work: Work, fetches: ahead.Ahead[Result | Source], pool: ThreadPoolExecutor) -> _Delivery:
    """Process a file, and begin to deliver what was made of it."""
    began = time.monotonic()
    folder, fetching = fetches.take(work)
    try:
        made = file.make(ctx, fetching, folder)
        large = isinstance(made, file.Made) and made.is_large
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if not isinstance(error, Exception):
            raise
        failed: Future[tuple[Result, float]] = Future()
        failed.set_exception(error)
        return _Delivery(work, began, failed, alone=True)
    return _Delivery(work, began, pool.submit(_deliver, ctx, work, made, folder), alone=large)


def _deliver(ctx: UnitContext, work: Work, made: Result | file.Made, folder: Path) -> tuple[Result, float]:
    """Return a file's result, and when it was there; its folder is gone afterwards."""
    try:
        result = made if isinstance(made, Result) else file.deliver(ctx, work, made)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return result, time.monotonic()
