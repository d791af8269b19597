"""A triggerer whose event loop stands still says so in its log, and what it is at.

One loop serves all triggers, and Airflow's health says nothing of it. No thread of Python's could tell: what holds the
loop may hold the interpreter's lock as well, as matching a regular expression does. faulthandler's thread needs none:
https://docs.python.org/3/library/faulthandler.html#dumping-the-tracebacks-after-a-timeout
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import time
from typing import NoReturn
from weakref import WeakKeyDictionary

log = logging.getLogger(__name__)

LOOK_EVERY = 5.0  # seconds
STANDSTILL = 30.0  # seconds after which the stacks of all threads are written
STDERR = 2  # by its number, as Airflow puts something else in the place of sys.stderr

_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


async def watch() -> NoReturn:
    """Watch this event loop until cancelled; of many that are asked to, one does, and the next once that has ended."""
    async with _turns.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
        try:
            while True:
                await _look()
        finally:
            faulthandler.cancel_dump_traceback_later()


async def _look() -> None:
    faulthandler.dump_traceback_later(STANDSTILL, file=STDERR)
    began = time.monotonic()
    await asyncio.sleep(LOOK_EVERY)
    stood = time.monotonic() - began - LOOK_EVERY
    if stood > STANDSTILL:
        told = "the triggerer's event loop stood still for %.0f s, and with it all feeds; above is what it was at then"
        log.error(told, stood)
