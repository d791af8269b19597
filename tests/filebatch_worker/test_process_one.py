"""The worker as process 1, as in its container: in a process namespace of its own."""

import shutil
import subprocess

import pytest

from filebatch.core.records import FileState
from workers import PYTHON, Worker, held_of

UNSHARE = ("unshare", "--pid", "--fork", "--kill-child")
COMMAND = (*UNSHARE, str(PYTHON), "-m", "filebatch_worker")

# SIGTERM comes when nothing but the first module is loaded.
EARLY = """
import os, runpy, signal, sys
from filebatch_worker import process_one
held = process_one.hold_sigterm
def hold_sigterm():
    held()
    os.kill(1, signal.SIGTERM)
process_one.hold_sigterm = hold_sigterm
runpy.run_module("filebatch_worker", run_name="__main__")
"""


def may_not() -> bool:
    return (
        not shutil.which("unshare") or subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode
    )


pytestmark = pytest.mark.skipif(may_not(), reason="no process namespace can be made here: it takes root, on Linux")


def test_it_waits_for_orphans_and_leaves_children_to_whoever_started_them(place):
    held = held_of(place, "orphan", "orphan")
    ended = Worker(held, command=COMMAND).run()
    assert held.now_in() == [FileState.SUCCEEDED] * 2, ended.output
    assert ended.code == 0


def test_its_exit_code_is_that_of_the_work(place):
    assert Worker(held_of(place, "fine", "raise"), command=COMMAND).run().code == 70


def test_sigterm_reaches_the_work_which_ends_between_files(place):
    held = held_of(place, "fine", "end", "fine", "fine")
    ended = Worker(held, command=COMMAND).run()
    assert ended.code == 75, ended.output
    assert held.now_in() == [FileState.SUCCEEDED, FileState.SUCCEEDED, FileState.CLAIMED, FileState.CLAIMED]


def test_a_sigterm_from_before_anybody_could_listen_is_not_lost(place):
    held = held_of(place, "fine")
    ended = Worker(held, command=(*UNSHARE, str(PYTHON), "-c", EARLY)).run()
    assert ended.code == 75, ended.output
    assert held.now_in() == [FileState.CLAIMED]


def test_work_that_a_signal_ended_is_told_as_a_container_would_be(place):
    """137 is what Batch shows of a container that was killed."""
    held = held_of(place, "killed")
    assert Worker(held, command=COMMAND).run().code == 137
    assert held.now_in() == [FileState.CLAIMED]
