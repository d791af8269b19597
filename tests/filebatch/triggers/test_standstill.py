"""An event loop that stands still is told of while it does, with what it is at."""

import asyncio
import faulthandler
import logging
import os
import subprocess
import sys
import threading
import time

import pytest

from aws import ROOT
from filebatch.triggers import standstill

# `re` holds the interpreter's lock, so that no thread of Python's would run meanwhile.
SCRIPT = """
import asyncio, re
from filebatch.triggers import standstill

standstill.LOOK_EVERY, standstill.STANDSTILL = 0.1, 1.0

async def main():
    watches = [asyncio.create_task(standstill.watch()) for _ in range(3)]
    await asyncio.sleep(0.5)
    re.fullmatch(r"([A-Za-z0-9]+[-_ ]?)*[.]csv", "a" * 36 + "!")

asyncio.run(main())
"""


def test_while_a_key_is_matched_for_ever_the_log_says_where():
    command, path = [sys.executable, "-c", SCRIPT], {"PYTHONPATH": str(ROOT / "plugins")}
    process = subprocess.Popen(command, env={**os.environ, **path}, stderr=subprocess.PIPE, text=True)
    killer = threading.Timer(30, process.kill)
    killer.start()
    told = []
    try:
        for line in process.stderr:
            told.append(line)
            if "in main" in line:
                break
    finally:
        killer.cancel()
        process.kill()
        process.wait()
    assert told[0].startswith("Timeout (0:00:01)!")
    assert any("in fullmatch" in line for line in told)


@pytest.fixture
def armed(monkeypatch):
    """Count what is asked of faulthandler."""
    counted = []
    monkeypatch.setattr(standstill, "LOOK_EVERY", 0.02)
    monkeypatch.setattr(faulthandler, "dump_traceback_later", lambda *_, **__: counted.append("armed"))
    monkeypatch.setattr(faulthandler, "cancel_dump_traceback_later", lambda: counted.append("cancelled"))
    return counted


def test_of_many_one_watches_and_the_next_goes_on(armed):
    async def scenario():
        first, *others = [asyncio.create_task(standstill.watch()) for _ in range(3)]
        async with asyncio.timeout(10):
            while not armed:  # noqa: ASYNC110 - what is looked at is in this process
                await asyncio.sleep(0)
            assert armed == ["armed"]
            first.cancel()
            while armed[-2:] != ["cancelled", "armed"]:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0)
        for task in others:
            task.cancel()
        await asyncio.gather(first, *others, return_exceptions=True)

    asyncio.run(scenario())
    assert armed[-1] == "cancelled"


def test_a_loop_that_goes_on_says_for_how_long_it_stood(armed, monkeypatch, caplog):
    monkeypatch.setattr(standstill, "STANDSTILL", 0.2)

    async def scenario():
        task = asyncio.create_task(standstill.watch())
        await asyncio.sleep(0.01)
        time.sleep(0.5)  # noqa: ASYNC251 - that is the fault
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    with caplog.at_level(logging.ERROR):
        asyncio.run(scenario())
    assert caplog.text.count("event loop stood still for") == 1
