"""Processes that run on when whoever started them is gone: known by id and start, ended with what they started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

ASKED_EVERY = 0.02  # seconds


@dataclass(frozen=True)
class Process:
    """A process, by what tells it from a later one: ids are used again, start times aren't.

    Attributes:
        pid: its id; of those that `start` started the id of their group, too.
        started: seconds since 1970.
    """

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> Process:
        """Return the process that has an id now.

        Raises:
            psutil.NoSuchProcess: none has.
        """
        return cls(pid, psutil.Process(pid).create_time())

    def is_alive(self) -> bool:
        """Tell whether it still runs; one that has ended and whose parent hasn't asked for its exit code doesn't."""
        try:
            return not self.is_replaced() and bool(psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE)
        except psutil.Error:
            return False

    def is_replaced(self) -> bool:
        """Tell whether its id is another process's by now."""
        try:
            return bool(abs(psutil.Process(self.pid).create_time() - self.started) >= 1)
        except psutil.NoSuchProcess:
            return False


def start(
    command: Sequence[str], environment: Mapping[str, str], log: Path, folder: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start a command in a session of its own, its output in a log file that begins empty."""
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def stop(processes: Collection[Process], within: float) -> None:
    """End processes: SIGTERM first, and after so many seconds SIGKILL to them and what is left of their groups."""
    living = [process for process in processes if process.is_alive()]
    for process in living:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGTERM)
    deadline = time.monotonic() + within
    while any(process.is_alive() for process in living) and time.monotonic() < deadline:
        time.sleep(ASKED_EVERY)
    for process in processes:
        if not process.is_replaced():  # one that has ended may have left others in its group
            signal_group(process.pid, signal.SIGKILL)


def signal_group(group: int, number: signal.Signals) -> None:
    """Send a signal to a process group, which may be gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
