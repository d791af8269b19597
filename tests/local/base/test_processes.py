"""Processes that are found again by id and start, and ended with what they started."""

import os
import signal
import subprocess
import sys

import pytest

from aws import is_alive, until
from filebatch_local.base import processes
from filebatch_local.base.processes import Process

# Says that it is ready, and ignores SIGTERM where it is told to.
WAITS = """
import signal, sys
signal.signal(signal.SIGTERM, eval(sys.argv[1]))
print("ready", flush=True)
signal.pause()
"""
STARTS = """
import subprocess, time
print(subprocess.Popen(["sleep", "60"]).pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def start(tmp_path):
    started = []

    def starting(*command):
        log = tmp_path / f"{len(started)}.log"
        started.append(processes.start([sys.executable, "-c", *command], {"PATH": os.environ["PATH"]}, log))
        until(lambda: log.read_text().endswith("\n"), 10)
        return started[-1], log.read_text()

    yield starting
    for process in started:
        processes.signal_group(process.pid, signal.SIGKILL)
        process.wait()


def test_it_is_asked_first(start):
    process, _ = start(WAITS, "signal.SIG_DFL")
    processes.stop([Process.of(process.pid)], within=10)
    assert process.wait() == -signal.SIGTERM


def test_it_is_made_to_end_after_a_while(start):
    process, _ = start(WAITS, "signal.SIG_IGN")
    processes.stop([Process.of(process.pid)], within=0)
    assert process.wait() == -signal.SIGKILL


def test_what_it_started_ends_with_it(start):
    (process, own), (_, anothers) = start(STARTS), start(STARTS)
    processes.stop([Process.of(process.pid)], within=10)
    until(lambda: not is_alive(int(own)), 5)
    assert is_alive(int(anothers)), "it is another's"


def test_a_later_process_with_the_same_id_is_another_one(start):
    process, _ = start(WAITS, "signal.SIG_DFL")
    later = Process.of(process.pid)
    processes.stop([Process(later.pid, later.started - 100)], within=0)
    assert not Process(later.pid, later.started - 100).is_alive()
    processes.stop([later], within=10)
    assert process.wait() == -signal.SIGTERM, "the earlier one would have been killed"


def test_one_that_has_ended_and_waits_for_its_parent_is_not_alive(tmp_path):
    process = subprocess.Popen(["true"])
    found = Process.of(process.pid)
    until(lambda: not found.is_alive(), 5)
    process.wait()
