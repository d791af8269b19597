"""A job's attempt as a process of this machine: its start, output, memory, end and clean-up."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import psutil

from filebatch_local.base.clock import timestamp
from filebatch_local.base.processes import Process, signal_group

LONGEST_LINE = 256 * 1024  # a CloudWatch Logs event


class CannotStart(Exception):  # noqa: N818 - the word Batch uses
    """The command can't be executed; says why."""


@dataclass(frozen=True)
class Command:
    """What to run.

    Attributes:
        arguments: program and arguments; no shell sees them.
        environment: all of its environment.
        scratch: a folder of its own, its working directory; removed afterwards.
        stop: how to end it where killing the process isn't enough (a container's client).
    """

    arguments: Sequence[str]
    environment: Mapping[str, str]
    scratch: Path
    stop: Sequence[str] = ()


@dataclass(frozen=True)
class LogLine:
    """One line of output: milliseconds since 1970, and its text without the line break."""

    timestamp: int
    message: str


class JobProcess:
    """A running command in a process group of its own."""

    def __init__(self, command: Command, on_end: Callable[[], None]) -> None:
        """Start the command; `on_end` is called when it has closed its output.

        Raises:
            CannotStart: there is no such program, or it can't be executed.
        """
        self.command = command
        self.lines: deque[LogLine] = deque()
        try:
            self._process = subprocess.Popen(
                command.arguments,
                env=dict(command.environment),
                cwd=command.scratch,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            shutil.rmtree(command.scratch, ignore_errors=True)
            raise CannotStart(f"{command.arguments[0]!r}: {error.strerror}") from error
        remember(command.scratch, self.pid)
        self._listener = threading.Thread(target=self._listen, args=(on_end,), daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int:
        """The process's id, which is its group's too."""
        return self._process.pid

    def return_code(self) -> int | None:
        """Return the exit code once the process has ended and its output is read, else None; minus N for signal N.

        What it left running in its group is killed, as in a container.
        """
        code = self._process.poll()
        if code is None:
            return None
        signal_group(self.pid, signal.SIGKILL)
        self._listener.join(timeout=0.01)
        return None if self._listener.is_alive() else code

    def ask_to_end(self) -> None:
        """Send SIGTERM to the command alone, as a container engine does."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()

    def kill(self) -> None:
        """Kill it and all that it started."""
        signal_group(self.pid, signal.SIGKILL)
        if self.command.stop:
            subprocess.run(self.command.stop, check=False, capture_output=True)

    def take_lines(self) -> list[LogLine]:
        """Return what it has written since the last call."""
        return [self.lines.popleft() for _ in range(len(self.lines))]

    def kill_and_clean(self) -> None:
        """Kill it and remove its files."""
        self.kill()
        self._process.wait(timeout=5)
        self.clean()

    def clean(self) -> None:
        """Remove its files."""
        shutil.rmtree(self.command.scratch, ignore_errors=True)
        _note(self.command.scratch).unlink(missing_ok=True)

    def _listen(self, on_end: Callable[[], None]) -> None:
        output: IO[bytes] = self._process.stdout  # type: ignore[assignment]  # it is a pipe
        with output:
            for line in iter(lambda: output.readline(LONGEST_LINE), b""):
                self.lines.append(LogLine(timestamp(), line.decode("utf-8", "replace").rstrip("\r\n")))
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=1)  # the output ends a moment before the process
        on_end()


def memory_of_groups(groups: Iterable[int]) -> dict[int, int]:
    """Return the resident memory in bytes of each process group, the sum of its processes."""
    used = dict.fromkeys(groups, 0)
    if not used:
        return used
    for pid in psutil.pids():
        with contextlib.suppress(ProcessLookupError, PermissionError, psutil.Error):
            if (group := os.getpgid(pid)) in used:
                used[group] += psutil.Process(pid).memory_info().rss
    return used


def remember(scratch: Path, pid: int) -> None:
    """Record which process a scratch folder belongs to, so that one that is left behind is found."""
    with contextlib.suppress(psutil.Error, OSError):
        _note(scratch).write_text(json.dumps(asdict(Process.of(pid))), encoding="utf-8")


def _note(scratch: Path) -> Path:
    return scratch.with_name(f"{scratch.name}.pid")


def end_leftovers(folder: Path) -> int:
    """Kill the processes that an earlier server left running and remove its scratch folder; return their number."""
    found = [Process(**json.loads(note.read_text(encoding="utf-8"))) for note in folder.glob("*.pid")]
    living = [process for process in found if process.is_alive()]
    for process in living:
        signal_group(process.pid, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)
    return len(living)
